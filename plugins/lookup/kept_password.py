# Copyright the ibforge authors
# SPDX-License-Identifier: Apache-2.0
"""Lookup kept_password: a password that is generated once and kept on the control host."""

from __future__ import annotations

DOCUMENTATION = r"""
name: kept_password
author: the ibforge authors (!UNKNOWN)
short_description: Read a generated password from the control host, or generate it
version_added: 0.1.0
description:
  - Reads the password in a file, of one line, which may be encrypted with Ansible Vault.
  - With O(create) it makes one of letters and digits where there is no file. The file has the mode 0600, and is encrypted where the
    password of a vault was passed to Ansible, such as with C(--vault-password-file). P(ansible.builtin.password#lookup) does neither.
  - No message holds the password.
options:
  _terms:
    description: Absolute path of the file, or one that begins with C(~/).
    type: list
    elements: str
    required: true
  create:
    description: Whether to generate a password. One that cannot be kept is an error.
    type: bool
    default: false
  length:
    description: Number of characters of a new password.
    type: int
    default: 30
"""

EXAMPLES = r"""
- name: Write a password
  ansible.builtin.copy:
    content: "{{ (query('ibforge.fabric.kept_password', '~/.config/ibforge/ufm', create=true) | first).password }}"
    dest: /etc/ibforge/ufm/admin_password
    mode: "0600"
  no_log: true
"""

RETURN = r"""
_list:
  description: A list of one, with the C(password), empty where there is none, and C(fault), why the file cannot be read, or empty.
  type: list
  elements: dict
"""

import os
import secrets
import string

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase
from ansible_collections.ibforge.fabric.plugins.plugin_utils.control_host import FileFault, read, write_once

CHARACTERS = string.ascii_letters + string.digits


class LookupModule(LookupBase):
    """What Ansible looks for in a lookup plugin."""

    def run(self, terms, variables=None, **kwargs):
        self.set_options(var_options=variables, direct=kwargs)
        return [self._password(os.path.expanduser(str(term))) for term in terms]

    def _password(self, path):
        create = self.get_option("create")
        if create and not os.path.lexists(path):
            password = "".join(secrets.choice(CHARACTERS) for unused in range(self.get_option("length")))
            try:
                write_once(self._loader, path, password.encode() + b"\n")
            except OSError as exc:
                raise AnsibleError(f"the password cannot be kept in {path} on the control host: {exc.strerror}") from None
        if not os.path.lexists(path):
            return {"password": "", "fault": ""}
        try:
            return {"password": read(self._loader, path).decode().rstrip("\r\n"), "fault": ""}
        except FileFault as exc:
            fault = str(exc)
        except UnicodeDecodeError:
            fault = "is no text"
        if create:
            raise AnsibleError(f"the file {path} {fault}")
        return {"password": "", "fault": fault}
