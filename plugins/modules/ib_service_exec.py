#!/usr/bin/python
# Copyright the ibforge authors
# SPDX-License-Identifier: Apache-2.0
"""Module ib_service_exec: runs a command in a running container of docker or podman."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: ib_service_exec
short_description: Run a command in a fabric service's container
version_added: 0.1.0
description:
  - Runs a command in a running container, with docker or podman alike.
  - An exit code other than 0 is a result and no failure; C(rc) is -1 where the container does not run.
author: the ibforge authors (!UNKNOWN)
options:
  name:
    description: Name of the container.
    type: str
    required: true
  argv:
    description: The command. Do not put secrets into it.
    type: list
    elements: str
    required: true
  timeout:
    description: Seconds after which the engine is not waited for any longer.
    type: int
    default: 60
extends_documentation_fragment:
  - ibforge.fabric.engine
attributes:
  check_mode:
    support: none
    description: Does nothing with C(--check), unless the task says C(check_mode=false).
  diff_mode:
    support: none
    description: There is no difference to show.
"""

EXAMPLES = r"""
- name: Ask for failed units
  ibforge.fabric.ib_service_exec:
    name: ib_opensm
    argv: [systemctl, --failed]
  register: found
  changed_when: false
"""

RETURN = r"""
rc:
  description: The exit code, -1 if the command was not run.
  returned: always
  type: int
stdout:
  description: Standard output.
  returned: always
  type: str
stderr:
  description: Standard error, or why the command was not run.
  returned: always
  type: str
stdout_lines:
  description: Lines of standard output, added by Ansible.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ibforge.fabric.plugins.module_utils.engine import ARGUMENTS, EngineError, engine_of


def main():
    module = AnsibleModule(dict(ARGUMENTS, name={"type": "str", "required": True}, timeout={"type": "int", "default": 60},
                                argv={"type": "list", "elements": "str", "required": True}), supports_check_mode=False)
    try:
        code, out, err = engine_of(module.params, module.params["timeout"]).execute(module.params["name"], module.params["argv"])
    except EngineError as error:
        code, out, err = -1, "", str(error)
    # Ansible takes an exit code for a failure where nobody says otherwise.
    module.exit_json(changed=True, failed=False, rc=code, stdout=out, stderr=err)


if __name__ == "__main__":
    main()
