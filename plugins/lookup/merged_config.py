# Copyright the ibforge authors
# SPDX-License-Identifier: Apache-2.0
"""Lookup merged_config: a role's configuration file with the operator's own files merged in."""

from __future__ import annotations

DOCUMENTATION = r"""
name: merged_config
author: the ibforge authors (!UNKNOWN)
short_description: Merge the operator's own configuration files into a role's text
version_added: 0.1.0
description:
  - Returns the text that a service's configuration file is to have. Reads files of the control host and changes nothing.
  - The files are those that Kolla-Ansible's users know, below C(kolla/config/ibforge). A later one wins, so the most special one comes last.
  - In each directory these are read, where they exist, C(FILE), C(SERVICE/FILE), C(SERVICE/groups/GROUP/FILE) for each of the host's groups,
    and C(SERVICE/HOST/FILE). With O(subdirectory) each of the last three is followed by the file of that name in C(SUBDIRECTORY) beside it.
  - Each file is a template, with the variables of the host, and may be encrypted with Ansible Vault.
  - A text into which nothing is merged is returned as it is. Otherwise only the comments at its head are kept, for Kolla keeps none.
  - All faults of all files are told at once, by file, line and name of the option. No message holds a value, which may be a secret.
options:
  _terms:
    description: The role's own text, or an empty text to get what the operator's files say alone.
    type: list
    elements: str
    required: true
  service:
    description: Name of the service, such as V(opensm), V(ufm) or V(neo).
    type: str
    required: true
  file:
    description: Name of the file.
    type: str
    required: true
  format:
    description:
      - V(ini) is merged as Kolla-Ansible's C(merge_configs) does it, by section and option. An option that a file repeats keeps all of its values,
        and takes the place of all that an earlier file gave it.
      - V(keyvalue) is OpenSM's options file, one option and its value per line; V((null\)) is a value.
      - V(json) merges objects at every level; a list or another value is replaced.
      - V(text) is not merged, the most special file takes the place of the role's text. It may not be empty.
    type: str
    choices: [ini, keyvalue, json, text]
    required: true
  subdirectory:
    description: Directory of one instance of the service, such as C(fabrics/blue).
    type: str
    default: ""
  directories:
    description:
      - Directories to read, the general one first. They must exist.
      - If empty, C(ibforge) below C(node_custom_config) where that variable is known, as in a playbook of Kolla-Ansible.
      - Otherwise C(kolla/config/ibforge) below C(kayobe_config_path) and below each of C(kayobe_env_search_paths), the environments of Kayobe.
      - Otherwise C(/etc/kolla/config/ibforge), the place of Kolla-Ansible's own default. Of these directories none need exist.
    type: list
    elements: str
    default: []
    vars: [{name: ibforge_config_dirs}]
  groups:
    description:
      - Groups whose files are read, the general one first. Those that the host is not in are left out.
      - If empty, all groups of the host. Which of them is the general one is not known then, so that files of two groups may not differ
        in one option, nor both give a whole V(text).
    type: list
    elements: str
    default: []
    vars: [{name: ibforge_config_groups}]
seealso:
  - plugin: ibforge.fabric.config_settings
    plugin_type: filter
"""

EXAMPLES = r"""
# kolla/config/ibforge/opensm/opensm.conf            for all hosts
# kolla/config/ibforge/opensm/groups/edge/opensm.conf  for those of the group edge
# kolla/config/ibforge/opensm/ctl0/opensm.conf       for the host ctl0
- name: Show the text of opensm.conf
  ansible.builtin.debug:
    msg: "{{ lookup('ibforge.fabric.merged_config', base, service='opensm', file='opensm.conf', format='keyvalue') }}"
  vars:
    base: |
      # Written by a role
      sweep_interval 10
"""

RETURN = r"""
_raw:
  description: The text, in a list of one.
  type: list
  elements: str
"""

import os
import re

from ansible.errors import AnsibleError
from ansible.plugins.loader import lookup_loader
from ansible.plugins.lookup import LookupBase
from ansible_collections.ibforge.fabric.plugins.plugin_utils import settings

try:
    from ansible.template import trust_as_template as _since_2_19
except ImportError:
    _since_2_19 = None

VAULT = b"$ANSIBLE_VAULT;"
# Before 2.19 a text that looks like JSON would become data; since then the
# option is deprecated.
AS_TEXT = {} if _since_2_19 else {"convert_data": False}
OWN = ("ibforge_config_dirs", "ibforge_config_groups")


def _causes(exc):
    while exc is not None:
        yield exc
        exc = getattr(exc, "orig_exc", None) or exc.__cause__ or exc.__context__


def _template_fault(exc, encrypted):
    """Say why a file could not be rendered, without what Ansible quotes of it."""
    for cause in _causes(exc):
        number = getattr(cause, "lineno", None)
        if type(cause).__name__ == "TemplateSyntaxError" and number:
            return f"line {number}: is no template that Jinja can read: put {{% raw %}} and {{% endraw %}} round what is not meant as one"
    found = re.search(r"'(\w+)' is undefined|has no attribute '(\w+)'", "\n".join(str(cause) for cause in _causes(exc)))
    if found:
        return f"uses '{found[1] or found[2]}', which is undefined: set it, or take it out"
    if encrypted:
        return "is encrypted and cannot be decrypted: pass the password of the vault"
    return f"cannot be rendered ({type(exc).__name__}): check the variables, filters and lookups in it"


class LookupModule(LookupBase):
    """What Ansible looks for in a lookup plugin."""

    def run(self, terms, variables=None, **kwargs):
        self.variables, self.faults = variables or {}, []
        # Before 2.19 an option takes a variable as it was written.
        given = {name: self._value(name) for name in OWN if name in self.variables}
        self.set_options(var_options={**self.variables, **given}, direct=kwargs)
        self.kind = self.get_option("format")
        if len(terms) != 1:
            raise AnsibleError(f"merged_config: takes the text of one file, and was given {len(terms)}")
        directories = self._directories()
        general, groups, host = self._places()
        found = [data for place in general for data in self._found(directories, place)]
        found += self._of_groups(directories, groups)
        found += [data for place in host for data in self._found(directories, place)]
        base = str(terms[0])
        text = self._result(base, found)
        if self.faults:
            raise AnsibleError(f"Faults in the configuration files of {self.get_option('service')} ({len(self.faults)}): {'; '.join(self.faults)}")
        return [text]

    def _value(self, name):
        return self._templar.template(self.variables.get(name))

    def _directories(self):
        given = [os.path.expanduser(directory) for directory in self.get_option("directories")]
        for directory in given:
            if not os.path.isabs(directory) or not os.path.isdir(directory):
                self.faults.append(f"ibforge_config_dirs: {directory} is no directory of the control host: make it, or correct the absolute path")
        if given:
            return given
        if self._value("node_custom_config"):
            return [os.path.join(self._value("node_custom_config"), "ibforge")]
        if self._value("kayobe_config_path"):
            paths = [self._value("kayobe_config_path"), *(self._value("kayobe_env_search_paths") or [])]
            return [os.path.join(path, "kolla/config/ibforge") for path in dict.fromkeys(paths)]
        return ["/etc/kolla/config/ibforge"]

    def _places(self):
        """Return the places below each directory: for all, by group, for the host."""
        service, name, sub = (self.get_option(option) for option in ("service", "file", "subdirectory"))

        def place(*parts):
            beside = os.path.join(service, *parts)
            return [os.path.join(beside, name), *([os.path.join(beside, sub, name)] if sub else [])]

        mine = self.variables.get("group_names") or []
        groups = [group for group in self.get_option("groups") or sorted(mine) if group in mine]
        return [name, *place()], {group: place("groups", group) for group in groups}, place(self.variables["inventory_hostname"])

    def _found(self, directories, place):
        """Return the data of a place's files, in order."""
        found = []
        for directory in directories:
            path = os.path.join(directory, place)
            if os.path.lexists(path):
                try:
                    found.append(settings.read(self._rendered(path), self.kind))
                except settings.SettingsFault as exc:
                    self.faults += [f"{path}: {fault}" for fault in exc.faults]
        return found

    def _of_groups(self, directories, groups):
        found = {}
        for group, places in groups.items():
            for data in [data for place in places for data in self._found(directories, place)]:
                found[group] = settings.merged(found.get(group), data)
        if self.get_option("groups"):
            return list(found.values())
        names = list(found)
        for index, name in enumerate(names):
            for other in names[index + 1:]:
                for path in settings.differing(found[name], found[other]):
                    self.faults.append(
                        f"the groups {name} and {other} of {self.variables['inventory_hostname']} differ in their {self.get_option('file')}"
                        f"{', in ' + '.'.join(path) if path else ''}: list the host's groups in ibforge_config_groups, the general one first")
        return list(found.values())

    def _rendered(self, path):
        try:
            with open(path, "rb") as file:
                raw = file.read()
        except OSError as exc:
            raise settings.SettingsFault([f"cannot be read ({exc.strerror}): make it a file that the user of Ansible can read"]) from None
        template = lookup_loader.get("ansible.builtin.template", loader=self._loader, templar=self._templar)
        try:
            # Ansible warns where this fails, and since 2.19 calls it deprecated.
            raw.decode()
            rendered = template.run([path], self.variables, **AS_TEXT)[0]
            # Since 2.19 a template that yields nothing is None.
            text = "" if rendered is None else str(rendered)
            text.encode()
        except UnicodeError:
            fault = "is not in UTF-8: convert it"
        except Exception as exc:  # pylint: disable=broad-except
            fault = _template_fault(exc, raw.startswith(VAULT))
        else:
            if text.strip() or self.kind != "text":
                return text
            fault = "is empty, and would take the place of all that the role writes: fill or remove it"
        # Outside the handlers: Ansible prints a chain of exceptions, with the
        # template in it.
        raise settings.SettingsFault([fault])

    def _result(self, base, found):
        if not found:
            return base
        try:
            result = settings.read(base, self.kind) if base or self.kind == "text" else {}
        except settings.SettingsFault as exc:
            self.faults += [f"the role's own {self.get_option('file')}: {fault}" for fault in exc.faults]
            return base
        for data in found:
            result = settings.merged(result, data)
        return settings.write(result, self.kind, base)
