# Copyright the ibforge authors
# SPDX-License-Identifier: Apache-2.0
"""Lookup control_files: whether files are on the control host, and their digests."""

from __future__ import annotations

DOCUMENTATION = r"""
name: control_files
author: the ibforge authors (!UNKNOWN)
short_description: Look at files of the control host
version_added: 0.1.0
description:
  - Tells of each file whether it can be read, and the digest that it has where M(ansible.builtin.copy) copies it.
  - A relative path is looked for where M(ansible.builtin.copy) looks. A file may be encrypted with Ansible Vault.
options:
  _terms:
    description: Paths of files.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Refuse files that are not there
  ansible.builtin.assert:
    that: query('ibforge.fabric.control_files', 'ufm.lic') | selectattr('fault') | length == 0
"""

RETURN = r"""
_list:
  description: For each path C(path), C(fault), what is wrong with it or empty, and C(sha256), empty where there is a fault.
  type: list
  elements: dict
"""

import hashlib

from ansible.plugins.lookup import LookupBase
from ansible_collections.ibforge.fabric.plugins.plugin_utils.control_host import FileFault, read


class LookupModule(LookupBase):
    """What Ansible looks for in a lookup plugin."""

    def run(self, terms, variables=None, **kwargs):
        self.set_options(var_options=variables, direct=kwargs)
        return [self._look(str(term), variables) for term in terms]

    def _look(self, term, variables):
        path = self.find_file_in_search_path(variables, "files", term, ignore_missing=True)
        try:
            data = read(self._loader, path or term)
        except FileFault as exc:
            return {"path": term, "fault": str(exc), "sha256": ""}
        return {"path": term, "fault": "", "sha256": hashlib.sha256(data).hexdigest()}
