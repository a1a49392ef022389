# Copyright the ibforge authors
# SPDX-License-Identifier: Apache-2.0
"""Filter service_plan: what a service's contract and variables ask for on any host.

Worked out once per look at a host. As variables that stand on each other all of
it was worked out hundreds of times, and that was most of a play's time.
"""

from __future__ import annotations

import hashlib
import json
import posixpath

from ansible_collections.ibforge.fabric.plugins.filter.port_map import port_map
from ansible_collections.ibforge.fabric.plugins.plugin_utils import service_contract

DOCUMENTATION = r"""
name: service_plan
author: the ibforge authors (!UNKNOWN)
short_description: Work out what a fabric service's contract and variables ask for
version_added: 0.1.0
description:
  - Looks at no host; P(ibforge.fabric.service_state#filter) holds the result against one.
  - With faults, and without an image, it plans nothing but a look at the host.
options:
  _input:
    description: Variables of P(ibforge.fabric.ib_service#role), without their prefix, and C(places), the paths on a host that are the role's own.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Plan
  ansible.builtin.set_fact:
    plan: "{{ asked | ibforge.fabric.service_plan }}"
"""

RETURN = r"""
_value:
  description:
    - C(faults) of the contract, C(mounts), C(binds), C(ports), C(hooked), the ports that hooks are needed for, C(moved), C(on_host_network), C(limits),
      C(capabilities), C(devices), C(made_of), a digest of all that a container is made of on any host, and what P(ibforge.fabric.service_state#filter) reads
      beside it.
    - C(wanted) is what M(ibforge.fabric.ib_service_info) is to look at, by its options.
  type: dict
"""

# What is handed on as it is.
KEPT = ("name", "engine", "docker_host", "podman", "image_source", "restart_policy", "labels", "places", "omit_devices", "system_container", "adopt",
        "agent", "agent_sha256")
# Of what a container is made beside what its contract says.
MADE_OF = ("extra_volumes", "environment", "stop_seconds", "restart_policy", "log_max_size", "log_max_files")


def digest(value):
    """Return the digest of a value, the same wherever its mappings have the same keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _mounts(contract, directories):
    """Return the contract's volumes with what they are on a host: a directory, or a named volume."""
    found = []
    for volume in contract["volumes"]:
        host = directories[volume["name"]] if volume["name"] in directories else volume.get("host", "")
        found.append({"name": volume["name"], "bind": bool(host), "source": host or f"ibforge_{contract['image']}_{volume['name']}",
                      "read_only": volume["read_only"], "target": f"{volume['path']}:{'ro' if volume['read_only'] else 'rw'}"})
    return found


def _of_contract(asked, contract):
    """Return what stands in a contract that has no faults."""
    mounts = _mounts(contract, asked["host_directories"])
    ports = port_map(contract["ports"], asked["ports"])
    # What only hooks on the service's cgroup can do (builder/portmap, Hooked).
    hooked = [port for port in ports if port["via"] == "socket"] + [port for port in ports if port["via"] != "socket" and port["guarded"]]
    devices = [] if asked["omit_devices"] else contract["devices"]
    on_host_network = contract["network"] == "host" and bool(ports)
    plan = {
        "contract": contract, "mounts": mounts, "binds": [mount["source"] for mount in mounts if mount["bind"]], "ports": ports, "hooked": hooked,
        # The image ships a port map, and the host's goes in its place.
        "moved": bool(hooked) or any(port["via"] == "config" for port in ports),
        "on_host_network": on_host_network,
        # The contract's, and the site's in their place.
        "limits": {**(contract.get("limits") or {}), **asked["limits"]},
        "capabilities": [capability["name"] for capability in contract["capabilities"]],
        "devices": [f"{device['path']}:{device['path']}:{device['permissions']}" for device in devices],
        "wanted": {
            "volumes": [mount["source"] for mount in mounts if not mount["bind"]], "units": contract.get("units") or [],
            "health": (contract.get("health") or {}).get("command", []),
            "files": [mount["source"] for mount in mounts if mount["bind"]] + [device["path"] for device in devices],
            "ports": [port["listens"] for port in ports] + [port["host"] for port in ports] if on_host_network else []},
    }
    # An image that was pulled keeps the reference by which it came.
    pushed = asked["image"].get("pushed") if asked["image_source"] == "registry" else ""
    plan["made_of"] = digest([asked["image"]["id"], pushed, contract, mounts, plan["devices"], plan["limits"]] + [asked[name] for name in MADE_OF])
    return plan


def service_plan(asked):
    """Return what is asked for on any host; see DOCUMENTATION."""
    image = asked["image"]
    plan = {name: asked[name] for name in KEPT}
    plan["id"], plan["archive"] = image.get("id", ""), image.get("archive") or ""
    plan["faults"] = service_contract.faults(asked) if image or asked["image_needed"] else []
    nothing = {"contract": {}, "mounts": [], "binds": [], "ports": [], "hooked": [], "moved": False, "on_host_network": False, "limits": {},
               "capabilities": [], "devices": [], "made_of": "", "wanted": {"volumes": [], "units": [], "health": [], "files": [], "ports": []}}
    plan.update(_of_contract(asked, image["contract"]) if image and not plan["faults"] else nothing)
    places, wanted = asked["places"], plan["wanted"]
    wanted["files"] += [path for _name, path in sorted(places.items())] + asked["files"]
    wanted.update(
        name=asked["name"], image=plan["id"], contents=[places["port_map"]] + asked["contents"],
        containers=asked["foreign_containers"] + ([asked["adopt"]["container"]] if asked["adopt"] else []),
        kernel_modules=not asked["omit_devices"], infiniband=not asked["omit_devices"],
        port_map_dir=posixpath.dirname(places["port_map"]), port_map=places["port_map"], agent=places["agent"] if plan["hooked"] else "")
    return plan


class FilterModule:
    """What Ansible looks for in a filter plugin."""

    def filters(self):
        return {"service_plan": service_plan}
