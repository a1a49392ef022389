# Copyright the ibforge authors
# SPDX-License-Identifier: Apache-2.0
"""Filter service_state: how a host and a service's container differ from a plan."""

from __future__ import annotations

import json
import re

from ansible.module_utils.compat.version import LooseVersion
from ansible_collections.ibforge.fabric.plugins.filter.service_plan import digest

DOCUMENTATION = r"""
name: service_state
author: the ibforge authors (!UNKNOWN)
short_description: Hold a host and its container against the plan of a fabric service
version_added: 0.1.0
description:
  - Says what the container is to be on this host, how the one that is there differs, and whether there is nothing to do.
positional: seen
options:
  _input:
    description: What P(ibforge.fabric.service_plan#filter) gives.
    type: dict
    required: true
  seen:
    description: What M(ibforge.fabric.ib_service_info) found on the host.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Compare
  ansible.builtin.debug:
    msg: "{{ (plan | ibforge.fabric.service_state(found.seen)).differences }}"
"""

RETURN = r"""
_value:
  description:
    - C(cgroup) (C(parent), C(path), C(slice), C(volume)), C(port_map) with its C(port_map_digest), C(labels), C(definition), C(with_quadlet), C(has_unit).
    - C(silent), C(differences), C(map_faults) and C(unit_faults) are lists of sentences, and C(faults) is all that is wrong with a service that
      should be at work. C(ports_in_force), C(as_defined) and C(as_wanted) are booleans.
  type: dict
"""

# builder/contract, type PortMap.
PORT_MAP_VERSION = 1


def _cgroup(plan, seen, with_quadlet):
    """Return how PID 1 gets a cgroup of its own that it may write to, or, on cgroup v1, a view that is enough for it.

    Never /sys/fs/cgroup itself read-write: systemd would then make its slices in
    the host's root. Podman brings both by itself when it is told that PID 1 is
    systemd. The form with the systemd driver follows systemd.slice(5), by which
    a dash in the name of a slice nests it; so a service's name has no dash. The
    socket hooks hold for all that is below a cgroup, so with them the container
    gets a parent of its own; Quadlet has put it below its unit's slice already.
    """
    is_slice = seen["engine"]["cgroup_driver"] == "systemd"
    parent = f"ibforge-{plan['name']}.slice" if is_slice else f"/ibforge-{plan['name']}"
    path = f"/ibforge.slice/{parent}" if is_slice else parent
    found = {"slice": is_slice, "own": parent, "path": path, "volume": "", "parent": ""}
    if plan["hooked"] and not with_quadlet or (plan["engine"], seen["engine"]["cgroup_version"]) == ("docker", 2):
        found["parent"] = parent
    if plan["engine"] == "docker":
        found["volume"] = f"/sys/fs/cgroup{path}:/sys/fs/cgroup{path}:rw" if seen["engine"]["cgroup_version"] == 2 else "/sys/fs/cgroup:/sys/fs/cgroup:ro"
    return found


def _silent(plan, seen):
    """Return why the engine does not answer."""
    engine = seen["engine"]
    if engine["answers"]:
        return []
    where, cure = ((f"at {plan['docker_host']}", 'install it, run "systemctl start docker", or point the variable docker_host of the role to its socket')
                   if plan["engine"] == "docker" else (f"to {plan['podman']}", "install it, or point the variable podman of the role to its program"))
    return [f"{plan['engine']} does not answer {where} ({(engine.get('msg') or 'no reason given').strip()}): {cure}"]


def _differences(plan, state, container):
    """Return how the container differs from its contract."""
    if not container["exists"]:
        return ["there is no such container: run the deploy playbook"]
    wanted = sorted(re.sub("^CAP_", "", name) for name in plan["capabilities"])
    checks = [
        (not container["running"], f"is not running ({container['status']}, exit code {container['exit_code']})"
         + (f": {container['error']}" if container["error"] else "")),
        (container["image"] != plan["id"], f"runs image {container['image']} instead of {plan['id']}"),
        (container["privileged"], "is privileged"),
        (state["cgroup"]["parent"] not in ("", container["cgroup_parent"]),
         f"has the parent cgroup {container['cgroup_parent'] or 'that of the engine'} instead of {state['cgroup']['parent']}"),
        (plan["moved"] and container["labels"].get("io.ibforge.ports", "") != state["port_map_digest"],
         "was made with another port map: run the reconfigure playbook"),
        (container["capabilities"] != wanted,
         f"has the added capabilities [{', '.join(container['capabilities'])}], the contract gives [{', '.join(wanted)}]"),
        (plan["contract"].get("no_new_privileges") and not any(re.match("no-new-privileges([:=]true)?$", option) for option in container["security_opt"]),
         "may gain privileges, which the contract does not allow: run the reconfigure playbook"),
    ]
    return [sentence for wrong, sentence in checks if wrong]


def _map_faults(plan, state, seen):
    """Return how the port map on the host, and what is attached, differ from the contract."""
    found, place = [], plan["places"]["port_map"]
    # As the template writes it, by the filter to_nice_json.
    text = json.dumps(state["port_map"], indent=4, sort_keys=True, separators=(",", ": "))
    if plan["moved"] and seen["contents"][place].strip() != text:
        found.append(f"{place} is not what the contract and the variables say: run the reconfigure playbook")
    if plan["hooked"] and seen["hooks"]["rc"] != 0:
        found.append(f"the socket hooks are not in force: {seen['hooks']['output']}; run the reconfigure playbook")
    return found


def _unit_faults(plan, seen):
    """Return what does not run in the container."""
    if not seen["container"]["running"]:
        return []
    found = []
    if plan["contract"].get("health") and seen["health"]["rc"] != 0:
        found.append(f"is not healthy: {seen['health']['output']}")
    return found + [f"unit {unit} is {state}" for unit, state in zip(plan["contract"].get("units") or [], seen["units"]) if state != "active"]


def _ports_in_force(plan, state, seen):
    """Tell whether nothing of the port map needs to be done again. Without a digest to compare with, the agent is copied each time."""
    files, places = seen["files"], plan["places"]
    if state["map_faults"] or files[places["port_map"]]["exists"] != plan["moved"]:
        return False
    if not plan["hooked"]:
        return not files[places["agent_pins"]]["exists"]
    return (plan["agent_sha256"] == files[places["agent"]]["sha256"]
            and (not seen["systemd"] or files[places["agent_unit"]]["exists"]))


def _as_defined(plan, state, container):
    """Tell whether the container is made of what it should be made of, and runs."""
    policy = plan["restart_policy"]
    if plan["engine"] == "podman":
        # With it systemd starts the container again.
        policy = "no" if state["with_quadlet"] else "always" if policy == "unless-stopped" else policy
    return (not state["differences"] and container["labels"].get("io.ibforge.definition", "") == state["definition"]
            and container["restart_policy"] == policy
            and all(container[key] == plan["limits"].get(name, container[key]) for name, key in (("memory_bytes", "memory"), ("pids", "pids"))))


def _labels(plan, state):
    labels = {"io.ibforge.service": plan["name"], "io.ibforge.excludes": ",".join(plan["contract"].get("excludes") or [])}
    if plan["moved"]:
        labels["io.ibforge.ports"] = state["port_map_digest"]
    if plan["limits"]:
        labels["io.ibforge.limits"] = json.dumps(plan["limits"], sort_keys=True)
    return {**labels, **plan["labels"]}


def service_state(plan, seen):
    """Return how a host stands to a plan; see DOCUMENTATION."""
    files, places, container = seen["files"], plan["places"], seen["container"]
    state = {"silent": _silent(plan, seen), "unit_faults": _unit_faults(plan, seen),
             # Podman 4.4 brought Quadlet.
             "with_quadlet": plan["engine"] == "podman" and seen["systemd"] and LooseVersion(seen["engine"]["version"]) >= LooseVersion("4.4"),
             "has_unit": files[places["unit"]]["exists"] or files[places["quadlet"]]["exists"]}
    state["cgroup"] = _cgroup(plan, seen, state["with_quadlet"])
    state["port_map"] = {"version": PORT_MAP_VERSION, "service": plan["name"], "cgroup": state["cgroup"]["path"], "ports": plan["ports"],
                         **({"system_container": True} if plan["system_container"] else {})}
    state["port_map_digest"] = digest(state["port_map"])
    state["labels"] = _labels(plan, state)
    # Of all that a container is made of, and a label of it: what has the same is
    # not made again. An engine changes only limits and restart policy of a
    # container that exists, and these are compared beside it.
    state["definition"] = digest([plan["made_of"], state["cgroup"], state["labels"]])
    state["differences"] = _differences(plan, state, container)
    state["map_faults"] = _map_faults(plan, state, seen)
    state["faults"] = (plan["faults"] + state["silent"]) or state["differences"] + state["map_faults"] + state["unit_faults"]
    state["ports_in_force"] = _ports_in_force(plan, state, seen)
    state["as_defined"] = _as_defined(plan, state, container)
    state["as_wanted"] = (
        bool(plan["contract"]) and seen["engine"]["answers"] and state["as_defined"] and state["ports_in_force"] and not state["unit_faults"]
        and not files[places["part"]]["exists"] and (plan["engine"] == "docker" or not seen["systemd"] or state["has_unit"]))
    return state


class FilterModule:
    """What Ansible looks for in a filter plugin."""

    def filters(self):
        return {"service_state": service_state}
