# Copyright the ibforge authors
# SPDX-License-Identifier: Apache-2.0
"""Filter port_map: the ports of a Runtime contract as a site wants them."""

from __future__ import annotations

DOCUMENTATION = r"""
name: port_map
short_description: Put a site's port numbers in place of the image's
version_added: 0.1.0
description:
  - Returns the ports with the numbers that the host sees.
  - What P(ibforge.fabric.port_map_faults#filter) finds a fault in is left as the contract has it.
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
- name: Show where the ports land
  ansible.builtin.debug:
    msg: "{{ ibforge_images.ufm.contract.ports | ibforge.fabric.port_map({'https': 9443}) }}"
"""

RETURN = r"""
_value:
  description: The ports, in the contract's order.
  type: list
  elements: dict
"""


def port_map(ports, overrides=None):
    """Return the ports with their numbers on this host; see DOCUMENTATION."""
    mapped = []
    for port in ports:
        host = (overrides or {}).get(port["name"], port["host"])
        # A number from the command line (-e) or an ini inventory is a string.
        if isinstance(host, str) and host.isascii() and host.isdigit():
            host = int(host)
        valid = isinstance(host, int) and not isinstance(host, bool) and port["via"] != "none"
        mapped.append({**port, "host": host if valid else port["host"]})
    return mapped


class FilterModule:
    """What Ansible looks for in a filter plugin."""

    def filters(self):
        return {"port_map": port_map}
