#!/usr/bin/python
# Copyright the ibforge authors
# SPDX-License-Identifier: Apache-2.0
"""Module ib_service_info: one look at a host, its container engine and a service's container."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: ib_service_info
short_description: Look at a host, its container engine and a fabric service's container
version_added: 0.1.0
description:
  - Gathers in one pass all that the roles compare with a Runtime contract, in one shape for docker and podman. Changes nothing.
  - What cannot be found out is empty. That the engine does not answer is a result and no failure.
author: the ibforge authors (!UNKNOWN)
options:
  plan:
    description:
      - What P(ibforge.fabric.service_plan#filter) gives. Its C(wanted) stands in place of the options of these names.
      - It is returned as it is, so that it is worked out once.
    type: dict
    default: {}
  name:
    description: Name of the service's container. Needed without O(plan).
    type: str
    default: ""
  image:
    description: The image's ID. Whether the engine has it is looked up where it is given.
    type: str
    default: ""
  label:
    description: Other running containers with this label are listed.
    type: str
    default: io.ibforge.excludes
  containers:
    description: Further containers to look at, by name.
    type: list
    elements: str
    default: []
  volumes:
    description: Named volumes whose directories on the host are looked up.
    type: list
    elements: str
    default: []
  units:
    description: Units whose state is asked of the systemd in a running container.
    type: list
    elements: str
    default: []
  health:
    description: Health check to run in a running container. Empty runs none.
    type: list
    elements: str
    default: []
  files:
    description: Paths on the host that are looked at.
    type: list
    elements: str
    default: []
  contents:
    description: Small files of the host whose text is returned. Do not name secrets.
    type: list
    elements: str
    default: []
  kernel_modules:
    description: Whether to list the kernel's modules.
    type: bool
    default: false
  infiniband:
    description: Whether to list the InfiniBand adapters and ports.
    type: bool
    default: false
  root:
    description: Directory that C(/sys) and C(/dev) of these are looked for in.
    type: path
    default: /
  kernel_files:
    description: Where the kernel's release and the mounts are read.
    type: list
    elements: path
    default: [/proc/sys/kernel/osrelease, /proc/self/mounts]
  process:
    description: Processes of this name are listed.
    type: str
    default: ""
  boot_units:
    description: Units of the host of which is told whether they are enabled.
    type: list
    elements: str
    default: []
  ports:
    description: Ports whose listeners are looked up with their processes.
    type: list
    elements: int
    default: []
  port_map_dir:
    description: Directory of the port maps of all services. Empty reads none.
    type: path
    default: ""
  agent:
    description: The agent of the port map, which is asked whether the map is in force. Empty asks nobody.
    type: path
    default: ""
  port_map:
    description: The service's own port map, which O(agent) is given.
    type: path
    default: ""
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
- name: Look at OpenSM
  ibforge.fabric.ib_service_info:
    name: ib_opensm
    units: [opensm-ports.service]
    files: [/etc/ibforge/opensm/partitions.conf]
  register: found
"""

RETURN = r"""
plan:
  description: O(plan).
  returned: always
  type: dict
seen:
  description: What was found.
  returned: always
  type: dict
  contains:
    engine:
      description:
        - C(answers), C(msg) if it does not, C(version), C(cgroup_version), C(cgroup_driver), C(root), C(containerd_images),
          and C(limits) that its cgroups can hold.
      type: dict
    container:
      description:
        - The container, C(exists) being false where there is none.
        - C(contract) is the Runtime contract of the image that it was made from, empty if that has none.
      type: dict
    image:
      description: C(present), C(id) and C(labels) of the image.
      type: dict
    excluding:
      description: C(name) and C(labels) of running containers with the label.
      type: list
      elements: dict
    others:
      description: The further containers, by name.
      type: dict
    volumes:
      description: Directories of the volumes by name, empty where there is none.
      type: dict
    units:
      description: States of the units in the container, in their order.
      type: list
      elements: str
    health:
      description: C(rc) and C(output) of the health check; C(rc) is -1 if it did not run.
      type: dict
    kernel:
      description: C(release), C(modules), whether there is a C(cgroup2) tree, and the C(ephemeral) ports.
      type: dict
    infiniband:
      description: C(adapters) and C(ports) as M(ibforge.fabric.ib_host_info) gives them, empty where nobody asks.
      type: dict
    systemd:
      description: Whether systemd runs the host.
      type: bool
    files:
      description: C(exists), C(directory), C(mode) and C(sha256) by path.
      type: dict
    contents:
      description: Texts by path.
      type: dict
    processes:
      description: C(pid) and C(cgroup) of the processes.
      type: list
      elements: dict
    enabled:
      description: As many times C(enabled) as there are such units.
      type: list
      elements: str
    listeners:
      description: As M(ibforge.fabric.ib_listeners) gives them.
      type: list
      elements: dict
    port_maps:
      description: C(service) and C(ports) of the other port maps.
      type: list
      elements: dict
    hooks:
      description: C(rc) and C(output) of the agent's check; C(rc) is -1 if it did not run.
      type: dict
"""

import json
import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ibforge.fabric.plugins.module_utils import engine, host, infiniband
from ansible_collections.ibforge.fabric.plugins.module_utils.listeners import listeners

# contract.Label of the builder.
CONTRACT = "io.ibforge.runtime"

STRINGS = {"type": "list", "elements": "str", "default": []}
OPTIONS = {
    "plan": {"type": "dict", "default": {}}, "name": {"type": "str", "default": ""}, "image": {"type": "str", "default": ""},
    "label": {"type": "str", "default": "io.ibforge.excludes"},
    "containers": STRINGS, "volumes": STRINGS, "units": STRINGS, "health": STRINGS, "files": STRINGS, "contents": STRINGS, "boot_units": STRINGS,
    "kernel_modules": {"type": "bool", "default": False}, "infiniband": {"type": "bool", "default": False}, "root": {"type": "path", "default": "/"},
    "kernel_files": {"type": "list", "elements": "path", "default": ["/proc/sys/kernel/osrelease", "/proc/self/mounts"]},
    "process": {"type": "str", "default": ""},
    "ports": {"type": "list", "elements": "int", "default": []},
    "port_map_dir": {"type": "path", "default": ""}, "agent": {"type": "path", "default": ""}, "port_map": {"type": "path", "default": ""},
}


def look_at_engine(wanted):
    """Return what the engine knows; nothing but the reason where it does not answer."""
    none = {"engine": {"answers": False, "msg": "", "version": "0", "cgroup_version": 0, "cgroup_driver": "", "root": "", "limits": [],
                       "containerd_images": False},
            "container": dict(engine.NO_CONTAINER, contract={}), "image": {"present": False, "id": "", "labels": {}},
            "excluding": [], "others": {}, "volumes": {},
            "units": [], "health": {"rc": -1, "output": ""}}
    found = dict(none)
    try:
        asked = engine.engine_of(wanted)
        found["engine"] = dict(asked.about(), answers=True, msg="")
        found["container"] = dict(asked.container(wanted["name"]), contract={})
        if found["container"]["exists"]:
            found["container"]["contract"] = json.loads(asked.image(found["container"]["image"])["labels"].get(CONTRACT, "{}"))
        found["excluding"] = [c for c in asked.labelled(wanted["label"]) if c["name"] != wanted["name"]]
        found["others"] = {name: asked.container(name) for name in wanted["containers"]}
        found["volumes"] = {name: asked.volume(name) for name in wanted["volumes"]}
        if wanted["image"]:
            found["image"] = asked.image(wanted["image"])
        if found["container"]["running"]:
            if wanted["units"]:
                found["units"] = asked.execute(wanted["name"], ["systemctl", "is-active"] + wanted["units"])[1].split()
            if wanted["health"]:
                code, out, err = asked.execute(wanted["name"], wanted["health"])
                found["health"] = {"rc": code, "output": " ".join((out + " " + err).split())}
    except (engine.EngineError, KeyError, ValueError) as error:
        return dict(none, engine=dict(none["engine"], msg=str(error) or repr(error)))
    return found


def ask_agent(module, program, port_map):
    """Return whether the port map is in force."""
    if not program or not os.path.exists(program):
        return {"rc": -1, "output": "there is no " + program if program else ""}
    code, out, err = module.run_command([program, "check", port_map])
    return {"rc": code, "output": " ".join((out + " " + err).split())}


def look(module):
    wanted = dict(module.params, **module.params["plan"].get("wanted", {}))
    if not wanted["name"]:
        module.fail_json(msg="name is missing, the name of the container to look at, and so is a plan that has it")
    root = wanted["root"].rstrip("/")
    release, mounts = (host.read(path).strip() for path in wanted["kernel_files"])
    found = look_at_engine(wanted)
    found.update(
        kernel={"release": release, "modules": host.modules(release) if wanted["kernel_modules"] else [],
                "cgroup2": any(line.split()[2:3] == ["cgroup2"] for line in mounts.splitlines()),
                "ephemeral": host.read("/proc/sys/net/ipv4/ip_local_port_range")},
        infiniband={"adapters": infiniband.adapters(root), "ports": infiniband.ports(root)} if wanted["infiniband"] else {"adapters": [], "ports": []},
        systemd=os.path.isdir("/run/systemd/system"),  # sd_booted(3)
        files={path: host.stat(path) for path in wanted["files"]},
        contents={path: host.read(path) for path in wanted["contents"]},
        processes=host.processes(wanted["process"]) if wanted["process"] else [],
        enabled=host.enabled(module, wanted["boot_units"]),
        listeners=listeners(wanted["ports"]) if wanted["ports"] else [],
        port_maps=host.port_maps(wanted["port_map_dir"], wanted["name"]) if wanted["port_map_dir"] else [],
        hooks=ask_agent(module, wanted["agent"], wanted["port_map"]))
    return found


def main():
    module = AnsibleModule(dict(engine.ARGUMENTS, **OPTIONS), supports_check_mode=True)
    module.exit_json(changed=False, seen=look(module), plan=module.params["plan"])


if __name__ == "__main__":
    main()
