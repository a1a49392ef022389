# Copyright the ibforge authors
# SPDX-License-Identifier: Apache-2.0
"""Filter service_hosts: the hosts of the fabric services, as a play names its hosts."""

from __future__ import annotations

DOCUMENTATION = r"""
name: service_hosts
author: the ibforge authors (!UNKNOWN)
short_description: Name the hosts of the fabric services
version_added: 0.1.0
description:
  - Returns a pattern of those groups of the fabric services that the inventory has.
  - Where it has none, that of the first, so that Ansible says that it is missing.
positional: services
options:
  _input:
    description: The groups of the inventory.
    type: dict
    required: true
  services:
    description: Groups of the services, in the order in which they are worked on.
    type: list
    elements: str
    default: [ib_opensm, ib_ufm, ib_neo]
"""

EXAMPLES = r"""
- name: Look at the hosts of all services
  hosts: "{{ groups | ibforge.fabric.service_hosts }}"
"""

RETURN = r"""
_value:
  description: The pattern, such as C(ib_opensm:ib_ufm).
  type: str
"""

SERVICES = ("ib_opensm", "ib_ufm", "ib_neo")


def service_hosts(groups, services=SERVICES):
    """Return the pattern; see DOCUMENTATION.

    That a filter of this collection stands in the head of each play saves time
    too: Ansible runs each task in a process of its own, which loads all filters
    of a collection when it meets the first, unless the head has loaded them.
    """
    return ":".join(name for name in services if name in groups) or services[0]


class FilterModule:
    """What Ansible looks for in a filter plugin."""

    def filters(self):
        return {"service_hosts": service_hosts}
