# Copyright the ibforge authors
# SPDX-License-Identifier: Apache-2.0
"""Filter opensm_option_faults: holds options for opensm.conf against those that exist.

OpenSM starts with a wrong option file: an unknown name is a line in the log, a
number that does not parse keeps the default, and every boolean that is not
spelled TRUE means FALSE (osm_subnet.c, opts_parse_boolean). The operator would
learn nothing, so the role asks here first.
"""

from __future__ import annotations

import difflib
import re

DOCUMENTATION = r"""
name: opensm_option_faults
short_description: Find what is wrong with options for opensm.conf
version_added: 0.1.0
description:
  - Returns one sentence per fault, each with the name, the value and the cure. The value of a key is not shown.
positional: known, managed
options:
  _input:
    description: Option names and values.
    type: dict
    required: true
  known:
    description: Name to C(type), C(reload) and perhaps C(max) of every option that this OpenSM knows.
    type: dict
    required: true
  managed:
    description: Options that may not be given, and why or what to use in their place.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Refuse unknown options
  ansible.builtin.assert:
    that: ib_opensm_extra_config | ibforge.fabric.opensm_option_faults(known) | length == 0
"""

RETURN = r"""
_value:
  description: The faults, empty if there is none.
  type: list
  elements: str
"""

# strtoul() with base 0 reads 010 as eight, so a leading zero is refused.
NUMBER = re.compile(r"-?(0[xX][0-9a-fA-F]+|0|[1-9][0-9]*)\Z")
# What keeps strangers from managing the fabric: no message shows their values.
KEYS = ("m_key", "sa_key", "sm_key", "cc_key")
KEY = re.compile(r"0x[0-9a-fA-F]{1,16}\Z")
# fgets() in osm_subn_parse_conf_file reads 1022 characters of a line; what is
# beyond would be read as another option.
LINE_LIMIT = 1022


def _number_fault(value, kind, limit):
    signed, bits = kind.startswith("int"), int(kind.lstrip("uint"))
    if isinstance(value, bool) or not NUMBER.match(str(value)):
        return f"is not a number: {value!r}"
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    high = high if limit is None else limit
    if not low <= int(str(value), 0 if "x" in str(value).lower() else 10) <= high:
        return f"{value} is outside {low} to {high}"
    return None


def _value_fault(name, value, option):
    kind = option["type"]
    if name in KEYS:
        return None if KEY.match(str(value)) else "is not 0x and at most 16 hexadecimal digits, in quotes"
    if kind == "boolean":
        return None if isinstance(value, bool) else f"is not a boolean: {value!r}; write true or false"
    if kind != "string":
        return _number_fault(value, kind, option.get("max"))
    if not isinstance(value, (str, int)) or isinstance(value, bool):
        return f"is not a string: {value!r}"
    if re.search(r"[#\x00-\x1f\x7f]", str(value)) or str(value) != str(value).strip() or value == "":
        return f"{value!r} is empty, has space at an end, or holds '#' or a control character"
    if len(f"{name} {value}\n") > LINE_LIMIT:
        return f"is longer than the {LINE_LIMIT} characters of a line that OpenSM reads"
    return None


def opensm_option_faults(options, known, managed=None):
    """Return one sentence per fault; see DOCUMENTATION."""
    faults = []
    for name in sorted(options, key=str):
        if name in (managed or {}):
            faults.append(f"{name} may not be set here: {managed[name]}")
        elif name not in known:
            near = difflib.get_close_matches(str(name), known, n=3, cutoff=0.6)
            hint = f": did you mean {' or '.join(near)}?" if near else ""
            faults.append(f"{name} is not an option of this OpenSM{hint}")
        else:
            fault = _value_fault(name, options[name], known[name])
            if fault:
                faults.append(f"{name} {fault}")
    return faults


class FilterModule:
    """What Ansible looks for in a filter plugin."""

    def filters(self):
        return {"opensm_option_faults": opensm_option_faults}
