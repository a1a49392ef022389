#!/usr/bin/python
# Copyright the ibforge authors
# SPDX-License-Identifier: Apache-2.0
"""Module ib_listeners: what listens on a host, and which process it is."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: ib_listeners
short_description: Find what listens on a host
version_added: 0.1.0
description:
  - Reads C(/proc/net/tcp), C(tcp6), C(udp) and C(udp6), and from C(/proc/PID) who it is. Changes nothing.
  - Other programs (C(ss), C(netstat)) need not be there, and their output is not parsed.
  - UDP sockets that are connected to a peer are left out.
author: the ibforge authors (!UNKNOWN)
options:
  ports:
    description:
      - Ports whose processes are looked up. To look at all processes takes time on a busy host.
      - The listeners are found in any case.
    type: list
    elements: int
    default: []
attributes:
  check_mode:
    support: full
    description: Changes nothing.
  diff_mode:
    support: none
    description: There is no difference to show.
"""

EXAMPLES = r"""
- name: Look who has Horizon's ports
  ibforge.fabric.ib_listeners:
    ports: [80, 443]
  register: found
"""

RETURN = r"""
listeners:
  description: The listening sockets, sorted.
  returned: always
  type: list
  elements: dict
  contains:
    protocol:
      description: C(tcp) or C(udp).
      type: str
    address:
      description: Address that the socket is bound to; C(0.0.0.0) or C(::) stands for any.
      type: str
    port:
      description: The number.
      type: int
    pid:
      description: First process that has the socket; 0 if not looked up, or not to be seen.
      type: int
    process:
      description: Name of the process; empty where C(pid) is 0.
      type: str
    cgroups:
      description: Control groups of the process, one for each hierarchy.
      type: list
      elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ibforge.fabric.plugins.module_utils.listeners import listeners


def main():
    module = AnsibleModule({"ports": {"type": "list", "elements": "int", "default": []}}, supports_check_mode=True)
    module.exit_json(changed=False, listeners=listeners(module.params["ports"]))


if __name__ == "__main__":
    main()
