# Copyright the ibforge authors
# SPDX-License-Identifier: Apache-2.0
"""Filter config_settings: the settings in a text, for what judges or digests them."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError
from ansible_collections.ibforge.fabric.plugins.plugin_utils import settings

DOCUMENTATION = r"""
name: config_settings
short_description: Read the settings in a configuration file's text
version_added: 0.1.0
description:
  - Reads what P(ibforge.fabric.merged_config#lookup) returns, in the same formats.
  - An empty text has no settings. One with faults is refused, with all of them; no message holds a value.
positional: format
options:
  _input:
    description: The text.
    type: str
    required: true
  format:
    description: How it is written.
    type: str
    choices: [ini, keyvalue, json]
    required: true
"""

EXAMPLES = r"""
- name: Refuse options that OpenSM does not know
  ansible.builtin.assert:
    that: text | ibforge.fabric.config_settings('keyvalue') | ibforge.fabric.opensm_option_faults(known) | length == 0
"""

RETURN = r"""
_value:
  description:
    - For V(keyvalue) option to value; C(TRUE) and C(FALSE) are booleans, all else are strings.
    - For V(ini) section to option to value; the value of an option that is repeated is a list.
    - For V(json) the object.
  type: dict
"""


def _plain(values):
    return values[0] if len(values) == 1 else values


def config_settings(text, format):  # pylint: disable=redefined-builtin
    """Return the settings in a text; see DOCUMENTATION."""
    if format not in ("ini", "keyvalue", "json"):
        raise AnsibleFilterError(f"config_settings: there is no format {format!r}: use ini, keyvalue or json")
    if not str(text).strip():
        return {}
    try:
        data = settings.read(str(text), format)
    except settings.SettingsFault as exc:
        faults = str(exc)
    else:
        faults = None
    if faults:
        # Outside the handler, so that no chain of exceptions is printed.
        raise AnsibleFilterError(f"config_settings: {faults}")
    if format == "ini":
        return {section: {option: _plain(values) for option, values in options.items()} for section, options in data.items()}
    if format == "keyvalue":
        return {name: {"TRUE": True, "FALSE": False}.get(value, value) for name, value in data.items()}
    return data


class FilterModule:
    """What Ansible looks for in a filter plugin."""

    def filters(self):
        return {"config_settings": config_settings}
