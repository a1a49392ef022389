# Copyright the ibforge authors
# SPDX-License-Identifier: Apache-2.0
"""Filter port_map_faults: holds a site's port numbers against the image's ports.

The builder has refused a description whose own numbers clash (builder/spec,
ports.go). A site's numbers come later, and are held against the same rules.
"""

from __future__ import annotations

import difflib

DOCUMENTATION = r"""
name: port_map_faults
short_description: Find what is wrong with the port numbers of a site
version_added: 0.1.0
description:
  - Returns one sentence per fault, each with the name, the value and the cure.
  - Looks at the service alone; P(ibforge.fabric.port_conflicts#filter) looks at its host.
positional: overrides
options:
  _input:
    description: The C(ports) of a Runtime contract.
    type: list
    elements: dict
    required: true
  overrides:
    description: Name of a port to the number that the host is to see.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Refuse faulty port numbers
  ansible.builtin.assert:
    that: contract.ports | ibforge.fabric.port_map_faults(ib_service_ports) | length == 0
"""

RETURN = r"""
_value:
  description: The faults, empty if there is none.
  type: list
  elements: str
"""

# builder/contract, type Port. A contract of an older builder has fewer.
FIELDS = {"name", "protocol", "address", "listens", "host", "via", "unit", "guarded", "rewrites"}


def _number(value):
    if isinstance(value, bool) or not str(value).isascii() or not str(value).isdigit():
        return None
    return int(value) if 1 <= int(value) <= 65535 else None


def _override_faults(ports, overrides):
    faults = []
    for name in sorted(overrides, key=str):
        if name not in ports:
            near = difflib.get_close_matches(str(name), ports, n=1, cutoff=0.6)
            hint = f", did you mean {near[0]}?" if near else ""
            known = ", ".join(ports) or "none"
            faults.append(f"{name} is no port of the image{hint} (its ports: {known})")
            continue
        port, value = ports[name], overrides[name]
        if _number(value) is None:
            faults.append(f"{name}: {value!r} is not a port: write a number from 1 to 65535")
        elif port["via"] == "none" and _number(value) != port["host"]:
            faults.append(f"{name}: the image leaves it at {port['host']} (via none): build the image with "
                          "via = \"config\" or \"socket\" to move it")
    return faults


def _clashes(ports, hosts):
    """Find numbers that two ports of the service have to share."""
    faults = []
    for index, (name, port) in enumerate(ports.items()):
        for other_index, (other_name, other) in enumerate(ports.items()):
            if port["protocol"] != other["protocol"] or index == other_index:
                continue
            where = f"{hosts[name]}/{port['protocol']}"
            if hosts[name] == hosts[other_name]:
                if index < other_index:
                    faults.append(f"{name} and {other_name} are both to be {where} on the host: give one another number")
            elif hosts[name] == other["listens"]:
                # Nobody could tell afterwards which of the two a number means.
                faults.append(f"{name} is to be {where} on the host, which is what {other_name} of the same service "
                              "binds before it is moved: choose another number")
    return faults


def port_map_faults(ports, overrides=None):
    """Return one sentence per fault; see DOCUMENTATION."""
    overrides = {} if overrides is None else overrides
    if not isinstance(overrides, dict):
        return [f"{overrides!r} is not a mapping from names of ports to numbers"]
    old = [str(port.get("name", "?")) for port in ports if FIELDS - set(port)]
    if old:
        return [f"{', '.join(old)}: the contract is of an older builder: build the image again"]
    named = {port["name"]: port for port in ports}
    hosts = {name: _number(overrides.get(name)) or port["host"] for name, port in named.items()}
    return _override_faults(named, overrides) + _clashes(named, hosts)


class FilterModule:
    """What Ansible looks for in a filter plugin."""

    def filters(self):
        return {"port_map_faults": port_map_faults}
