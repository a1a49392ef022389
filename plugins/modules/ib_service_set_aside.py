#!/usr/bin/python
# Copyright the ibforge authors
# SPDX-License-Identifier: Apache-2.0
"""Module ib_service_set_aside: keeps a stopped container under another name."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: ib_service_set_aside
short_description: Keep a container under another name
version_added: 0.1.0
description:
  - Renames a container that does not run and takes its restart policy away, so that it can be brought back and does not come back by itself.
  - Does nothing where there is no such container.
author: the ibforge authors (!UNKNOWN)
options:
  name:
    description: Name of the container.
    type: str
    required: true
  new_name:
    description: Name under which it is kept.
    type: str
    required: true
extends_documentation_fragment:
  - ibforge.fabric.engine
attributes:
  check_mode:
    support: full
    description: Tells whether there is something to do.
  diff_mode:
    support: none
    description: There is no difference to show.
"""

EXAMPLES = r"""
- name: Keep the container of an earlier deployment
  ibforge.fabric.ib_service_set_aside:
    name: mlnx_ufm
    new_name: mlnx_ufm_before_ibforge
"""

RETURN = r"""
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ibforge.fabric.plugins.module_utils.engine import ARGUMENTS, EngineError, engine_of


def main():
    module = AnsibleModule(dict(ARGUMENTS, name={"type": "str", "required": True}, new_name={"type": "str", "required": True}), supports_check_mode=True)
    name, new = module.params["name"], module.params["new_name"]
    try:
        engine = engine_of(module.params)
        found = engine.container(name)
        if not found["exists"]:
            module.exit_json(changed=False)
        if found["running"] and not module.check_mode:
            module.fail_json(msg="the container %s runs: stop it first" % name)
        if engine.container(new)["exists"]:
            module.fail_json(msg="there is a container %s already, kept by an earlier run: look whether it is needed, and remove it" % new)
        if not module.check_mode:
            engine.set_aside(name, new)
    except EngineError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=True)


if __name__ == "__main__":
    main()
