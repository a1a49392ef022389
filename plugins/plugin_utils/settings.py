# Copyright the ibforge authors
# SPDX-License-Identifier: Apache-2.0
"""Reads, merges and writes settings: INI, OpenSM's options file, JSON and opaque text.

INI is read as oslo.config's iniparser reads it, with which Kolla-Ansible's
merge_configs merges. oslo.config itself is on Kolla's and Kayobe's control
hosts, but not beside every Ansible; Python's configparser keeps one value of an
option that is repeated. Two differences, for the files here are not oslo's:
quotes round a value stay, and an indented comment is no continuation.

A message names the line and the option, and never a value: it may be a secret.
"""

from __future__ import annotations

import json
import re

FORMATS = ("ini", "json", "keyvalue", "text")
# fgets() in osm_subn_parse_conf_file (osm_subnet.c) reads 1022 bytes of a
# line; what is beyond would be read as another option.
KEYVALUE_LINE = 1022


class SettingsFault(ValueError):
    """What is wrong with a text: one sentence per fault in faults."""

    def __init__(self, faults):
        super().__init__("; ".join(faults))
        self.faults = faults


def _lines(text):
    # str.splitlines() would break at U+2028 and form feeds too.
    return enumerate(text.split("\n"), 1)


def normal(text):
    """Return the text without a byte order mark, its lines ended by LF."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


class _Ini:
    """Section to option to list of values; continued lines are joined by LF."""

    def __init__(self):
        self.sections, self.faults = {}, []
        self.section = self.values = None
        self.skipping = False

    def fault(self, number, text):
        self.faults.append(f"line {number}: {text}")

    def header(self, number, line):
        self.values, self.section, self.skipping = None, None, False
        if not line.endswith("]") or not line[1:-1].strip():
            # Options below would be faults of their own, and tell nothing new.
            self.skipping = True
            self.fault(number, "is not the name of a section: write [section]")
        else:
            self.section = self.sections.setdefault(line[1:-1], {})

    def option(self, number, line):
        self.values = None
        match = re.match(r"([^:=]*)[:=](.*)\Z", line)
        if not match:
            self.fault(number, "has no '=': write option = value, or begin the line with space if it continues the one above")
        elif not match[1].strip():
            self.fault(number, "has no name of an option before '='")
        elif self.section is not None:
            self.values = self.section.setdefault(match[1].strip(), [])
            self.values.append(match[2].strip())
        elif not self.skipping:
            self.fault(number, f"the option '{match[1].strip()}' stands in no section: write [section] above it")

    def read(self, text):
        for number, line in _lines(text):
            line = line.rstrip()
            if line.lstrip().startswith(("#", ";")) or not line:
                self.values = None
            elif line.startswith((" ", "\t")):
                if self.values:
                    self.values[-1] += "\n" + line.lstrip()
                elif not self.skipping:
                    self.fault(number, "begins with space but continues no option: take the space away")
            elif line.startswith("["):
                self.header(number, line)
            else:
                self.option(number, line)
        return self.sections, self.faults


def _write_ini(sections):
    lines = []
    for section, options in sections.items():
        lines.append(f"[{section}]")
        for option, values in options.items():
            for value in values:
                # As Kolla writes it: what continues a value stands below it.
                indented = value.replace("\n", "\n" + " " * (len(option) + 3))
                lines.append(f"{option} = {indented}".rstrip())
        lines.append("")
    return "\n".join(lines) + "\n"


def _read_keyvalue(text):
    options, where, faults = {}, {}, []
    for number, line in _lines(text):
        # As OpenSM does it: '#' begins a comment anywhere, even in quotes.
        line = line.split("#", 1)[0].strip(" \t\v\f")
        if not line:
            continue
        name, *parts = re.split(r"[ \t]+", line, maxsplit=1)
        if not parts:
            faults.append(f"line {number}: the option '{name}' has no value: write one, or (null) for none")
            continue
        value = parts[0]
        if len(value) > 2 and value[0] == value[-1] and value[0] in "\"'" and value[1:-1] == value[1:-1].strip():
            value = value[1:-1]
        if len(f"{name} {value}\n".encode()) > KEYVALUE_LINE:
            faults.append(f"line {number}: the option '{name}' is longer than the {KEYVALUE_LINE} bytes of a line that OpenSM reads")
        if name in options:
            faults.append(f"line {number}: the option '{name}' is set in line {where[name]} too: keep one")
        options[name], where[name] = value, number
    return options, faults


def _write_keyvalue(options):
    return "".join(f"{name} {value}\n" for name, value in options.items())


def _read_json(text):
    faults = []

    def mapping(pairs):
        names = [name for name, unused in pairs]
        faults.extend(f"the name '{name}' is set twice in one object: keep one" for name in sorted(set(names)) if names.count(name) > 1)
        return dict(pairs)

    def constant(name):
        faults.append(f"{name} is no number that JSON has")

    try:
        data = json.loads(text, object_pairs_hook=mapping, parse_constant=constant)
    except json.JSONDecodeError as exc:
        # Without what json says, which may hold a character of a secret.
        return {}, [f"line {exc.lineno}: is no JSON from column {exc.colno} on: look for a missing quote, comma or bracket before it"]
    except RecursionError:
        return {}, ["is JSON in too many levels"]
    if not isinstance(data, dict):
        return {}, ["is no JSON object: write {\"name\": value}"]
    return data, faults


READERS = {
    "ini": lambda text: _Ini().read(text), "keyvalue": _read_keyvalue,
    "json": _read_json, "text": lambda text: (text, []),
}
WRITERS = {
    "ini": _write_ini, "keyvalue": _write_keyvalue, "text": lambda data: data,
    "json": lambda data: json.dumps(data, indent=4, ensure_ascii=False) + "\n",
}


def read(text, kind):
    """Return the data of a text, or raise SettingsFault with all of its faults."""
    data, faults = READERS[kind](normal(text))
    if faults:
        raise SettingsFault(faults)
    return data


def write(data, kind, base=""):
    """Return the text of data. Of the base's comments, those at its head are kept."""
    head = ""
    if kind in ("ini", "keyvalue"):
        head = re.match(r"(?:[ \t]*[#;][^\n]*\n)*", normal(base))[0]
    return head + WRITERS[kind](data)


def merged(base, over):
    """Return base with what over says: mappings are merged, all else is replaced."""
    if not isinstance(base, dict) or not isinstance(over, dict):
        return over
    return {**base, **{key: merged(base[key], value) if key in base else value for key, value in over.items()}}


def differing(one, other, path=()):
    """Return the paths that both have, with different values."""
    if isinstance(one, dict) and isinstance(other, dict):
        return [found for key in one if key in other for found in differing(one[key], other[key], (*path, str(key)))]
    return [] if one == other else [path]
