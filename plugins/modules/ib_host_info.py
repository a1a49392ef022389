#!/usr/bin/python
# Copyright the ibforge authors
# SPDX-License-Identifier: Apache-2.0
"""Module ib_host_info: what a host has of InfiniBand, and what would keep a fabric service from running there."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: ib_host_info
short_description: Look at a host's InfiniBand ports, its subnet managers, clock, space and container engine
version_added: 0.1.0
description:
  - Reads C(/sys/class/infiniband), C(/proc) and C(/etc), asks the kernel for its clock and the engine for itself. Changes nothing.
  - What cannot be found out is empty. That the engine does not answer is a result and no failure.
author: the ibforge authors (!UNKNOWN)
options:
  modules:
    description: Kernel modules of which is told whether they are there, loaded or built in.
    type: list
    elements: str
    default: []
  process:
    description: Processes of this name are listed.
    type: str
    default: opensm
  units:
    description: Units of the host that are listed if they run or start at boot. An init script counts as the unit of its name.
    type: list
    elements: str
    default: []
  containers:
    description: Containers that are listed if the engine has them.
    type: list
    elements: str
    default: []
  paths:
    description: Paths where the free space is measured, beside the engine's data root.
    type: list
    elements: path
    default: []
  root:
    description: Directory that C(/proc), C(/sys), C(/dev), C(/etc), C(/lib) and all paths are looked for in.
    type: path
    default: /
extends_documentation_fragment:
  - ibforge.fabric.engine
attributes:
  check_mode:
    support: full
    description: Changes nothing.
  diff_mode:
    support: none
    description: There is no difference to show.
"""

EXAMPLES = r"""
- name: Look at the host
  ibforge.fabric.ib_host_info:
    modules: [ib_umad, mlx5_ib]
    units: [opensm.service]
    paths: [/etc]
  register: found
"""

RETURN = r"""
seen:
  description: What was found.
  returned: always
  type: dict
  contains:
    adapters:
      description: PCI C(address) and C(driver) of the Mellanox adapters, virtual functions of this host left out; C(driver) is empty where none is bound.
      type: list
      elements: dict
    ports:
      description:
        - C(device), C(port), C(port_guid), C(node_guid), C(state), C(physical_state), C(rate), C(link_layer), C(lid) and C(sm_lid) of each port,
          and the device files C(umad) and C(issm), empty where there is none.
        - GUIDs are 0x and 16 hexadecimal digits; states are the kernel's words, such as C(ACTIVE) and C(LinkUp).
      type: list
      elements: dict
    modules:
      description: Whether the modules are there, by name.
      type: dict
    processes:
      description:
        - C(pid) of the processes, with C(unit) and C(container), the ID, of which one is empty at least.
        - Instances of a template have C(unit) without the instance. C(container_name) and C(labels) are empty if the engine does not know it.
      type: list
      elements: dict
    units:
      description: C(name), C(enabled) and C(running) of the units of which one of both is true.
      type: list
      elements: dict
    containers:
      description: C(name), C(running) and C(labels) of the containers that there are.
      type: list
      elements: dict
    clock:
      description: C(date) in UTC, its C(year), and whether the clock is C(synchronised).
      type: dict
    free_mib:
      description: Free space in MiB by path.
      type: dict
    engine:
      description: C(answers), C(msg) if it does not, C(version) and its data C(root).
      type: dict
"""

import ctypes
import glob
import os
import re
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ibforge.fabric.plugins.module_utils import engine, infiniband
from ansible_collections.ibforge.fabric.plugins.module_utils.host import free, read

STRINGS = {"type": "list", "elements": "str", "default": []}
OPTIONS = {
    "modules": STRINGS, "process": {"type": "str", "default": "opensm"}, "units": STRINGS, "containers": STRINGS,
    "paths": {"type": "list", "elements": "path", "default": []}, "root": {"type": "path", "default": "/"},
}


class Timex(ctypes.Structure):
    """struct timex of adjtimex(2) up to what is read; the kernel writes beyond."""

    _fields_ = [("modes", ctypes.c_uint), ("offset", ctypes.c_long), ("freq", ctypes.c_long), ("maxerror", ctypes.c_long), ("rest", ctypes.c_byte * 256)]


def clock():
    timex = Timex()  # modes 0 sets nothing
    ctypes.CDLL(None).adjtimex(ctypes.byref(timex))
    now = time.gmtime()
    # Without corrections the error grows up to NTP_PHASE_LIMIT, 16 s (the
    # kernel's include/linux/timex.h). STA_UNSYNC is no sign: chrony without
    # rtcsync keeps it set. timedatectl goes by the error too.
    return {"date": time.strftime("%Y-%m-%d", now), "year": now.tm_year, "synchronised": timex.maxerror < 16000000}


def modules(root, names):
    release = read(root + "/proc/sys/kernel/osrelease").strip()
    builtin = [os.path.basename(line).split(".ko")[0].replace("-", "_") for line in read(root + "/lib/modules/%s/modules.builtin" % release).splitlines()]
    kernel = {name: name.replace("-", "_") for name in names}
    return {name: known in builtin or os.path.isdir(root + "/sys/module/" + known) for name, known in kernel.items()}


def processes(root, command):
    found = []
    for path in glob.glob(root + "/proc/[0-9]*/comm"):
        if read(path).rstrip("\n") != command:
            continue
        groups = read(os.path.dirname(path) + "/cgroup")
        # Engines name a container's cgroup by its ID; what is below it is the container's own affair.
        container = re.search(r"[0-9a-f]{64}", groups)
        unit = re.findall(r"/([^/\n]+\.service)", groups)
        found.append({"pid": int(path.split("/")[-2]), "container": container.group() if container else "",
                      "unit": re.sub("@.*", ".service", unit[-1]) if unit and not container else "", "container_name": "", "labels": {}})
    return sorted(found, key=lambda p: p["pid"])


def units(root, names, with_process):
    """Return the units that run or start at boot, by systemd's links (systemctl(1), enable) and the cgroups of its services."""
    found = []
    for name in names:
        script = name.replace(".service", "")
        links = [link for pattern in ("systemd/system/*.wants/" + name, "systemd/system/*.requires/" + name, "rc[2-5].d/S[0-9][0-9]" + script)
                 for link in glob.glob(root + "/etc/" + pattern)]
        unit = root + "/etc/systemd/system/" + name
        enabled = bool(links) and not (os.path.islink(unit) and os.readlink(unit) == "/dev/null")  # masked
        cgroups = [root + "/sys/fs/cgroup" + tree + "/system.slice/" + name for tree in ("", "/systemd", "/unified")]
        running = name in with_process or any(os.path.isdir(path) for path in cgroups)
        if enabled or running:
            found.append({"name": name, "enabled": enabled, "running": running})
    return found


def look_at_engine(wanted, found):
    """Add what the engine knows to what was found."""
    found.update(containers=[], engine={"answers": False, "msg": "", "version": "0", "root": ""})
    try:
        asked = engine.engine_of(wanted, timeout=20)
        about = asked.about()
        known = [asked.container(name) for name in wanted["containers"]]
        found["containers"] = [{"name": c["name"], "running": c["running"], "labels": c["labels"]} for c in known if c["exists"]]
        for process in found["processes"]:
            if process["container"]:
                container = asked.container(process["container"])
                process.update(container_name=container["name"], labels=container["labels"])
        found["engine"] = {"answers": True, "msg": "", "version": about["version"], "root": about["root"]}
    except (engine.EngineError, KeyError, ValueError) as error:
        found["engine"]["msg"] = str(error) or repr(error)


def look(wanted):
    root = wanted["root"].rstrip("/")
    found = {"adapters": infiniband.adapters(root), "ports": infiniband.ports(root), "modules": modules(root, wanted["modules"]), "clock": clock(),
             "processes": processes(root, wanted["process"])}
    found["units"] = units(root, wanted["units"], [process["unit"] for process in found["processes"]])
    look_at_engine(wanted, found)
    paths = wanted["paths"] + [path for path in [found["engine"]["root"]] if path]
    found["free_mib"] = {path: free(root + path) // 2 ** 20 for path in paths}
    return found


def main():
    module = AnsibleModule(dict(engine.ARGUMENTS, **OPTIONS), supports_check_mode=True)
    module.exit_json(changed=False, seen=look(module.params))


if __name__ == "__main__":
    main()
