# Copyright the ibforge authors
# SPDX-License-Identifier: Apache-2.0
"""A host's InfiniBand adapters and ports, read from /sys."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import glob
import os

from ansible_collections.ibforge.fabric.plugins.module_utils.host import read

# PCI-SIG's number of Mellanox, and the classes of its adapters: network
# controllers, and ConnectX-2's "InfiniBand serial bus" (pci.ids).
VENDOR = "0x15b3"
CLASSES = ("0x02", "0x0c06")


def adapters(root):
    """Return PCI address and driver of the adapters; root is the directory that /sys is in, without a slash at its end."""
    found = []
    for path in sorted(glob.glob(root + "/sys/bus/pci/devices/*")):
        # A virtual function of this host (it has a physfn) may be a guest's.
        if read(path + "/vendor").strip() != VENDOR or not read(path + "/class").startswith(CLASSES) or os.path.lexists(path + "/physfn"):
            continue
        driver = os.path.basename(os.readlink(path + "/driver")) if os.path.islink(path + "/driver") else ""
        found.append({"address": os.path.basename(path), "driver": driver})
    return found


def _guid(text):
    """Return a GUID as OpenSM writes it, of a GID's lower half or a kernel's GUID."""
    return "0x" + "".join(text.strip().split(":")[-4:])


def _number(text):
    return int(text.strip() or "0", 0)


def _word(text):
    """Return the name of a state such as "4: ACTIVE"."""
    return text.split(":")[-1].strip()


def ports(root):
    """Return the ports, as Documentation/ABI/stable/sysfs-class-infiniband of Linux describes them."""
    nodes = {}
    for path in glob.glob(root + "/sys/class/infiniband_mad/*/ibdev"):
        name = path.split("/")[-2]
        if os.path.exists(root + "/dev/infiniband/" + name):
            nodes[name[:4], read(path).strip(), _number(read(os.path.dirname(path) + "/port"))] = "/dev/infiniband/" + name
    found = []
    for path in glob.glob(root + "/sys/class/infiniband/*/ports/*"):
        device, port = path.split("/")[-3], _number(os.path.basename(path))
        found.append({
            "device": device, "port": port, "port_guid": _guid(read(path + "/gids/0")), "node_guid": _guid(read(path + "/../../node_guid")),
            "state": _word(read(path + "/state")), "physical_state": _word(read(path + "/phys_state")), "rate": read(path + "/rate").strip(),
            "link_layer": read(path + "/link_layer").strip(), "lid": _number(read(path + "/lid")), "sm_lid": _number(read(path + "/sm_lid")),
            "umad": nodes.get(("umad", device, port), ""), "issm": nodes.get(("issm", device, port), ""),
        })
    return sorted(found, key=lambda p: (p["device"], p["port"]))
