# Copyright the ibforge authors
# SPDX-License-Identifier: Apache-2.0
"""Filter ini_faults: holds settings against what an INI file can say.

A line break in a value would be read as further settings, and a key with "="
as another key. Which keys a product knows is for the image to judge.
"""

from __future__ import annotations

import re

DOCUMENTATION = r"""
name: ini_faults
short_description: Find what is wrong with settings for an INI file
version_added: 0.1.0
description:
  - Returns one sentence per fault, each with section, key and the cure.
positional: managed
options:
  _input:
    description: Section to key to value; C(*) is a section like others.
    type: dict
    required: true
  managed:
    description: Keys that may not be given in any section, and what to use in their place.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Refuse faulty settings
  ansible.builtin.assert:
    that: settings | ibforge.fabric.ini_faults(managed) | length == 0
  vars:
    settings: {Server: {site_name: north}}
    managed: {rest_port: use ib_ufm_ports}
"""

RETURN = r"""
_value:
  description: The faults, empty if there is none.
  type: list
  elements: str
"""

SECTION = re.compile(r"[^\[\]\x00-\x1f\x7f\s]([^\[\]\x00-\x1f\x7f]*[^\[\]\x00-\x1f\x7f\s])?\Z")
KEY = re.compile(r"[^\s=#;\[\]\x00-\x1f\x7f][^=\x00-\x1f\x7f]*\Z")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def _value_fault(value):
    if value is None or not isinstance(value, (str, int, float)):
        return f"has {value!r}: write a string, a number, true or false"
    if CONTROL.search(str(value)):
        return "has a line break or another control character in its value: write one line"
    if str(value) != str(value).strip():
        return f"has {value!r}, with space at an end: take it away"
    return None


def ini_faults(sections, managed=None):
    """Return one sentence per fault; see DOCUMENTATION."""
    if not isinstance(sections, dict):
        return ["is not a mapping from sections to settings"]
    faults = []
    for section in sorted(sections, key=str):
        if not isinstance(section, str) or not SECTION.match(section):
            faults.append(f"{section!r} is not the name of a section: write it without brackets")
        if not isinstance(sections[section], dict):
            faults.append(f"[{section}] is not a mapping from keys to values")
            continue
        for key in sorted(sections[section], key=str):
            if not isinstance(key, str) or not KEY.match(key) or key != key.strip():
                faults.append(f"[{section}] {key!r} is not a key: write a name without '=', and without '#', ';' or '[' at its begin")
            elif key in (managed or {}):
                faults.append(f"[{section}] {key} may not be set here: {managed[key]}")
            else:
                fault = _value_fault(sections[section][key])
                faults += [f"[{section}] {key} {fault}"] if fault else []
    return faults


class FilterModule:
    """What Ansible looks for in a filter plugin."""

    def filters(self):
        return {"ini_faults": ini_faults}
