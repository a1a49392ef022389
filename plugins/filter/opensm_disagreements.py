# Copyright the ibforge authors
# SPDX-License-Identifier: Apache-2.0
"""Filter opensm_disagreements: holds the plans of a fabric's subnet managers against each other."""

from __future__ import annotations

DOCUMENTATION = r"""
name: opensm_disagreements
author: the ibforge authors (!UNKNOWN)
short_description: Find out where the subnet managers of a fabric do not agree
version_added: 0.1.0
description:
  - Returns one sentence for each peer for whom the variables say something else than for the host, with the names of the settings.
  - Subnet managers do not tell each other their configuration, so that another one would be in force after a failover.
positional: host
options:
  _input:
    description: Plans of P(ibforge.fabric.opensm_plan#filter) by host.
    type: dict
    required: true
  host:
    description: The host.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Refuse subnet managers that do not agree
  ansible.builtin.assert:
    that: plans | ibforge.fabric.opensm_disagreements(inventory_hostname) | length == 0
"""

RETURN = r"""
_value:
  description: The faults, empty if there is none.
  type: list
  elements: str
"""


def opensm_disagreements(plans, host):
    """Return one sentence for each peer whose variables make another configuration of a fabric than the host's."""
    faults = []
    for fabric in plans[host]["fabrics"]:
        for other in (other for other in fabric["hosts"] if other != host and other in plans):
            for theirs in (theirs for theirs in plans[other]["fabrics"] if theirs["name"] == fabric["name"]):
                names = sorted(set(fabric["shared"]) | set(theirs["shared"]))
                differ = [name for name in names if fabric["shared"].get(name) != theirs["shared"].get(name)]
                if differ:
                    faults.append(f"the subnet managers of fabric {fabric['name']} on {host} and {other} do not agree on {', '.join(differ)}: "
                                  "give both the same, in the variables or the files of their group")
    return faults


class FilterModule:
    """What Ansible looks for in a filter plugin."""

    def filters(self):
        return {"opensm_disagreements": opensm_disagreements}
