# Copyright the ibforge authors
# SPDX-License-Identifier: Apache-2.0
"""Filter service_faults: what keeps a fabric service from running on a host."""

from __future__ import annotations

import re

from ansible.module_utils.compat.version import LooseVersion
from ansible_collections.ibforge.fabric.plugins.filter.port_conflicts import port_conflicts
from ansible_collections.ibforge.fabric.plugins.filter.port_map import port_map
from ansible_collections.ibforge.fabric.plugins.filter.service_state import service_state

DOCUMENTATION = r"""
name: service_faults
author: the ibforge authors (!UNKNOWN)
short_description: Find what keeps a fabric service from running on a host
version_added: 0.1.0
description:
  - Gathers all at once, each with its cure.
positional: seen, neighbours, kolla, control
options:
  _input:
    description: What P(ibforge.fabric.service_plan#filter) gives.
    type: dict
    required: true
  seen:
    description: What M(ibforge.fabric.ib_service_info) found on the host.
    type: dict
    required: true
  neighbours:
    description: Services that are meant to run on this host, by the name of their group, each with its C(contract) and C(ports). The own one does not count.
    type: dict
    default: {}
  kolla:
    description: Ports of Kolla, see P(ibforge.fabric.port_conflicts#filter).
    type: list
    elements: dict
    default: []
  control:
    description: >-
      What is on the control host: C(archive), whether the image's is there, and C(agent), the SHA-256 of the program that hooks sockets.
      Not needed where the image and the hooks are on the host.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Refuse a host that is not ready
  ansible.builtin.assert:
    that: (plan | ibforge.fabric.service_faults(found.seen)).all | length == 0
"""

RETURN = r"""
_value:
  description: C(all) that keeps the service from running, and C(hooks), what keeps its socket hooks from this host.
  type: dict
"""

# docker 20.10 brought API 1.41 and with it cgroup v2 and the choice of a cgroup
# namespace; podman 4.3 is that of Debian 12, the oldest that was tried.
OLDEST = {"docker": "20.10", "podman": "4.3"}


def _cgroups(plan, seen):
    """systemd 219 of EL 7 does not know version 2, systemd 258 has dropped version 1."""
    version, versions = seen["engine"]["cgroup_version"], plan["contract"]["cgroup_versions"]
    if version in versions:
        return []
    old = " (systemd 219 of EL 7 does not know cgroup v2)" if 2 not in versions else ""
    return [f"{plan['engine']} runs on cgroup v{version}, and the systemd of the image boots on v{', v'.join(map(str, versions))} only{old}:"
            " take a host with that, or boot this one with systemd.unified_cgroup_hierarchy="
            f"{0 if 1 in versions else 1} on the kernel command line"]


def _engine(plan, seen):
    """Return what keeps the engine from running the service."""
    found, engine, name = [], seen["engine"], plan["engine"]
    if LooseVersion(engine["version"]) < LooseVersion(OLDEST[name]):
        found.append(f"{name} {engine['version']} is too old: {OLDEST[name]} or newer is needed")
    # There an image's ID is the digest of its manifest, and nothing could be compared.
    if engine["containerd_images"]:
        found.append("docker keeps images in containerd, where an image ID is not the digest of its configuration: "
                     'set "features": {"containerd-snapshotter": false} in daemon.json')
    found += _cgroups(plan, seen)
    # docker drops a limit that its cgroups cannot hold, with a warning that nobody
    # reads; podman's container does not start.
    found += [f"the limit {limit} needs a cgroup controller that {name} does not have here: enable it, or take the limit out of ib_service_limits"
              for limit in plan["limits"] if limit not in ["nofile"] + engine["limits"]]
    for other in seen["excluding"]:
        shared = _shared(other["labels"]["io.ibforge.excludes"].split(","), plan)
        if shared:
            found.append(f"container {other['name']} is a {', '.join(shared)} too, and one host runs one: stop it first")
    return found


def _shared(excludes, plan):
    return [name for name in dict.fromkeys(excludes) if name in plan["contract"]["excludes"]]


def _image(plan, seen, control):
    if plan["image_source"] == "present" and seen["engine"]["answers"] and not seen["image"]["present"]:
        return [f"{plan['engine']} has no image with the ID {plan['id']}: load it, or use another ib_service_image_source"]
    if plan["image_source"] == "archive" and not seen["image"]["present"] and not control.get("archive"):
        return [f"the archive {plan['archive'] or 'of the image'} is not on the control host"]
    return []


def _host(plan, seen):
    """Return which modules and devices are missing."""
    if plan["omit_devices"]:
        return []
    return [f'kernel module {module} is not loaded: run "modprobe {module}", and put the name in a file in /etc/modules-load.d for the next boot,'
            " or let the role ib_host do both" for module in plan["contract"]["modules"] if module.replace("-", "_") not in seen["kernel"]["modules"]
            ] + [f"{device['path']} does not exist: the adapter's driver is not loaded, or there is no adapter"
                 for device in plan["contract"]["devices"] if not seen["files"][device["path"]]["exists"]]


def _groups(plan, neighbours):
    found = []
    for group, other in neighbours.items():
        shared = _shared(other["contract"]["excludes"], plan)
        if shared:
            found.append(f"the host is in the group {group}, whose service is a {', '.join(shared)} too, and one host runs one: take it out of one group")
    return found


def own_ids(plan, seen):
    """Return the IDs of the service's own container, and of the one that it is to take over."""
    adopted = seen["others"].get(plan["adopt"].get("container", ""), {})
    return [found["id"] for found in (seen["container"], adopted) if found.get("id")]


def _ports(plan, seen, neighbours, kolla):
    """Return who else wants the ports: neighbours, deployed or not, and those of which there are port maps."""
    others = {group: port_map(other["contract"]["ports"], other["ports"]) for group, other in neighbours.items()}
    others.update({found["service"]: found["ports"] for found in seen["port_maps"]})
    name = f"ibforge-{plan['name']}"
    return port_conflicts(plan["ports"], seen["listeners"], others, kolla, [name, name + ".slice", name + ".service"] + own_ids(plan, seen),
                          seen["kernel"]["ephemeral"])


def _hooks(plan, seen, state, agent):
    """Return what keeps socket hooks from the host."""
    kernel, found = seen["kernel"], []
    # 5.8 brought the hooks of getpeername(2) and getsockname(2), commit 1b66d253610c.
    if LooseVersion(re.match("[0-9.]*", kernel["release"]).group() or "0") < LooseVersion("5.8"):
        found.append(f"Linux {kernel['release']} is too old, 5.8 or newer is needed")
    if not kernel["cgroup2"]:
        found.append("no cgroup v2 tree is mounted, neither alone nor at /sys/fs/cgroup/unified beside version 1")
    found = [f"{fault}; it needs hooks below the service for {', '.join(port['name'] for port in plan['hooked'])}: take another host,"
             ' or build the image with via = "config" and guarded = false' for fault in found]
    if state["cgroup"]["slice"] and not seen["systemd"]:
        found.append("the engine uses the cgroup driver systemd, and systemd does not run this host")
    return found + _agent(plan, agent)


def _agent(plan, checksum):
    path = plan["agent"]
    if not path:
        return ["the program ibforge-portmap is not known: pass the file that the builder wrote, such as -e @ibforge-images.yml,"
                " or set ib_service_portmap_agent"]
    if not checksum:
        return [f'the program {path} is not on the control host: "make build" makes it, or set ib_service_portmap_agent']
    if plan["agent_sha256"] not in ("", checksum):
        return [f"the program {path} has the digest {checksum} instead of {plan['agent_sha256']}: it is of another build than ibforge-images.yml"]
    return []


def _subnet_managers(plan, seen):
    """Return who else manages the subnet of this host.

    A second subnet manager finds the port's issm device taken (see
    Documentation/infiniband/user_mad.rst of Linux), or takes another port of the
    same fabric with a partitions.conf that nobody compares with ours.
    """
    own = [f"ibforge-{plan['name']}"] + own_ids(plan, seen)
    found = [f"a subnet manager runs already: opensm, PID {process['pid']}; stop its service or container"
             for process in seen["processes"] if not any(name in process["cgroup"] for name in own)]
    if "opensm" not in (plan["name"], plan["adopt"].get("container", "")) and seen["others"].get("opensm", {}).get("running"):
        found.append("the container opensm of Kayobe runs: set opensm_enabled to false and remove it "
                     f"({plan['engine']} rm -f opensm), or let the role adopt it (ib_opensm_adopt)")
    if seen["enabled"]:
        found.append("opensm of the distribution starts at boot: run systemctl disable --now opensm.service opensmd.service")
    return found


def service_faults(plan, seen, neighbours=None, kolla=None, control=None):
    """Return what keeps a service from running on a host; see DOCUMENTATION."""
    neighbours, control, state = neighbours or {}, control or {}, service_state(plan, seen)
    if not plan["contract"]:
        return {"all": plan["faults"] + state["silent"], "hooks": []}
    neighbours = {group: other for group, other in neighbours.items() if other["contract"]["image"] != plan["contract"]["image"]}
    hooks = _hooks(plan, seen, state, control.get("agent", ""))
    found = (state["silent"] or _engine(plan, seen)) + _image(plan, seen, control) + _host(plan, seen) + _groups(plan, neighbours)
    if plan["on_host_network"]:
        found += _ports(plan, seen, neighbours, kolla) + (hooks if plan["hooked"] and not state["as_wanted"] else [])
    if "subnet-manager" in plan["contract"]["excludes"] and not plan["omit_devices"]:
        found += _subnet_managers(plan, seen)
    return {"all": found, "hooks": hooks}


class FilterModule:
    """What Ansible looks for in a filter plugin."""

    def filters(self):
        return {"service_faults": service_faults}
