# Copyright the ibforge authors
# SPDX-License-Identifier: Apache-2.0
"""Filter partitions_text_faults: holds the text of a partitions.conf against OpenSM's parser.

OpenSM fails open: on any parse error it makes every port a full member of the
default partition. What it only warns of, such as a flag that it does not know,
is refused too. Sources: opensm(8), PARTITION CONFIGURATION, and
osm_prtn_config.c of https://github.com/linux-rdma/opensm at tag 3.3.23, whose
functions are named below. Filter partition_faults is for a role's own list.
"""

from __future__ import annotations

import ipaddress
import re

DOCUMENTATION = r"""
name: partitions_text_faults
short_description: Find what is wrong with the text of OpenSM's partitions.conf
version_added: 0.1.0
description:
  - Returns one sentence per fault, with line, value and cure. Stricter than OpenSM, which takes abbreviations.
  - An empty list means that OpenSM reads all of the text, and each word of it as it is written.
positional: allow_both_pkeys, reserved
options:
  _input:
    description: The text.
    type: str
    required: true
  allow_both_pkeys:
    description: Whether OpenSM runs with C(allow_both_pkeys TRUE); without it C(both) silently means C(full).
    type: bool
    default: false
  reserved:
    description: First and last of the PKeys that may not be used, such as those of a generation mark.
    type: list
    elements: int
    default: []
"""

EXAMPLES = r"""
- name: Refuse a faulty file
  ansible.builtin.assert:
    that: lookup('ansible.builtin.file', 'partitions.conf') | ibforge.fabric.partitions_text_faults | length == 0
"""

RETURN = r"""
_value:
  description: The faults, empty if there is none.
  type: list
  elements: str
"""

# fgets() in osm_prtn_config_parse_file: the rest would be another line, that
# of a comment too.
LINE = 4094
DEFAULT_PKEY = 0x7FFF
KEYWORDS = ("ALL", "ALL_CAS", "ALL_SWITCHES", "ALL_ROUTERS", "SELF")
MEMBERSHIPS = ("full", "limited", "both")
# osm_prtn_t.name holds 31 characters and a NUL.
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,30}\Z")
GUID = re.compile(r"0x[0-9a-fA-F]{16}\Z")
# strtoul() with base 0 reads 010 as eight, so a leading zero is refused.
NUMBER = re.compile(r"(0[xX][0-9a-fA-F]+|0|[1-9][0-9]*)\Z")
# What parse_group_flag takes without a warning, within opensm(8)'s codes.
GROUP_FLAGS = {"mtu": (1, 5), "rate": (2, 22), "sl": (0, 15), "scope": (1, 15), "Q_Key": (1, 0xFFFFFFFF),
               "TClass": (1, 0xFF), "FlowLabel": (0, 0xFFFFF)}
BLANK = " \t\n"
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ufeff]")


def _number(text):
    return int(text, 16 if text[:2] in ("0x", "0X") else 10) if NUMBER.match(text or "") else None


def _split(text):
    """Return name and value as parse_name_token does; the value is None without '='."""
    name, equals, value = text.partition("=")
    return name.strip(BLANK), value.strip(BLANK) if equals else None


def _group_flag_fault(flag, value):
    if flag not in GROUP_FLAGS:
        return f"'{flag}' is no flag: write one of {', '.join(GROUP_FLAGS)}, and of a partition ipoib, indx0, defmember too"
    (low, high), number = GROUP_FLAGS[flag], _number(value)
    return None if number is not None and low <= number <= high else f"{flag} '{value or ''}' is not a number from {low} to {high}"


class _Text:
    """Goes through the text as osm_prtn_config_parse_file does, and gathers faults."""

    def __init__(self, allow_both_pkeys, reserved):
        self.both, self.reserved = allow_both_pkeys, reserved
        # prtn_make_default has made this one before the file is read.
        self.faults, self.names, self.members = [], {"Default": DEFAULT_PKEY}, {}
        self.line, self.begun, self.pkey, self.default = 0, None, None, "limited"

    def fault(self, text):
        self.faults.append(f"line {self.line}: {text}")

    def read(self, text):
        for self.line, line in enumerate(text.split("\n"), 1):
            if len(line.encode("utf-8", "surrogatepass")) + 1 > LINE:
                self.fault(f"is longer than the {LINE} bytes that OpenSM reads of one: break it after a comma")
            plain = CONTROL.sub("", line)
            if plain != line:
                self.fault("holds a control character, such as the carriage return of a Windows file: take it away")
            *ended, rest = plain.split("#", 1)[0].split(";")
            for part in ended:
                self.part(part, True)
            if rest.strip(BLANK):
                self.part(rest, False)
        if self.begun:
            self.fault(f"the definition that begins in line {self.begun} has no ';' at its end")
        if DEFAULT_PKEY not in self.members:
            self.faults.append("the default partition 0x7fff is missing, and OpenSM would make one by itself: say what you mean, "
                               "such as 'Default=0x7fff, ipoib: ALL=limited, SELF=full;'")
        for pkey, seen in self.members.items():
            self.settle(pkey, seen)

    def part(self, text, ended):
        """Judge what stands on one line before ';' or the line's end."""
        if not text.strip(BLANK):
            # parse_part_conf steps over the end of an empty string, into the
            # rest of an earlier line.
            self.fault("has a ';' with nothing before it, at which OpenSM loses its place: put it behind the last member")
        elif self.begun:
            self.ports(text)
        else:
            header, colon, ports = text.partition(":")
            if not colon:
                self.fault(f"has no ':' in '{text.strip(BLANK)[:40]}': write a definition's 'name=pkey, flags:' in one line")
                return
            self.header(header)
            if ports.strip(BLANK):
                self.ports(ports)
        self.begun = None if ended else self.begun or self.line

    def header(self, text):
        (name, pkey), *flags = map(_split, text.split(","))
        self.pkey, self.default = None, "limited"
        if pkey is None and name[:1].isdigit():
            name, pkey = None, name
        if name is not None and not NAME.match(name):
            self.fault(f"the name '{name}' is not a letter with at most 30 letters, digits, '_', '.' or '-' behind it")
        elif pkey is None and name not in self.names:
            # osm_prtn_make_new would take a free one.
            self.fault(f"the partition '{name}' has no PKey: write {name}=0x...")
        else:
            self.pkey = self.names[name] if pkey is None else self.pkey_of(pkey)
        if self.pkey is not None:
            self.known(name or f"{self.pkey:04x}")
        for flag, value in flags:
            self.flag(flag, value)

    def pkey_of(self, text):
        number = _number(text)
        if number is None:
            self.fault(f"the PKey '{text}' is not a number such as 0x0011")
        elif not 1 <= number <= DEFAULT_PKEY:
            cure = f"write {number & DEFAULT_PKEY:#06x}, for the top bit is the membership" if 0x8000 < number <= 0xFFFF else "use 0x0001 to 0x7fff"
            self.fault(f"the PKey {text} is outside 0x0001 to 0x7fff: {cure}")
        elif self.reserved and self.reserved[0] <= number <= self.reserved[1]:
            self.fault(f"the PKey {text} is reserved ({self.reserved[0]:#06x} to {self.reserved[1]:#06x}): use another")
        return number if number and number <= DEFAULT_PKEY else None

    def known(self, name):
        earlier = [one for one, pkey in self.names.items() if pkey == self.pkey]
        if self.names.setdefault(name, self.pkey) != self.pkey:
            self.fault(f"the name '{name}' is that of the PKey {self.names[name]:#06x} already: use another name")
        elif earlier and name not in earlier and self.pkey != DEFAULT_PKEY:
            self.fault(f"the PKey {self.pkey:#06x} is that of the partition '{earlier[0]}' already: use its name, or another PKey")
        self.members.setdefault(self.pkey, {})

    def flag(self, flag, value):
        if flag in ("ipoib", "indx0"):
            fault = f"{flag} takes no value" if value is not None else None
        elif flag == "defmember":
            fault, self.default = self.membership_fault(value), value
        else:
            fault = _group_flag_fault(flag, value)
        if fault:
            self.fault(fault)

    def membership_fault(self, word):
        if word not in MEMBERSHIPS:
            return f"the membership '{word or ''}' is not one of {', '.join(MEMBERSHIPS)}"
        if word == "both" and not self.both:
            return "the membership 'both' needs allow_both_pkeys, without which OpenSM makes it 'full'"
        return None

    def ports(self, text):
        ports = [_split(port) for port in text.split(",")]
        if ports[0][0] == "mgid":
            self.group(ports[0][1], ports[1:])
            return
        if len(ports) > 1 and ports[-1] == ("", None):
            ports.pop()
        for port, membership in ports:
            self.port(port, membership)

    def group(self, value, flags):
        try:
            multicast = ipaddress.IPv6Address(value or "").is_multicast and "%" not in value
        except ValueError:
            multicast = False
        if not multicast:
            self.fault(f"mgid '{value or ''}' is not a multicast GID such as ff12:401b::707")
        if not flags:
            # mgroup_create looks for flags behind the end of the line.
            self.fault("mgid has no flag behind it, and OpenSM would take what an earlier line left: write one, such as 'sl=0'")
        for fault in filter(None, (_group_flag_fault(*flag) for flag in flags)):
            self.fault(fault)

    def port(self, port, membership):
        seen = self.members.get(self.pkey, {})
        if port not in KEYWORDS and (not GUID.match(port) or int(port, 16) == 0):
            self.fault(f"the port '{port}' is neither a port GUID (0x and 16 hexadecimal digits) nor one of {', '.join(KEYWORDS)}")
            seen.setdefault(None, (self.line, None))
            return
        if membership is not None and self.membership_fault(membership):
            self.fault(self.membership_fault(membership))
        port = port if port in KEYWORDS else port.lower()
        # The last rule for a port wins.
        hidden = [one for one in seen if one and (one == port or port == "ALL" or (port in KEYWORDS[1:4] and one not in KEYWORDS[:4]))]
        if hidden:
            self.fault(f"{port} takes back {hidden[0]} of line {seen[hidden[0]][0]}: name each port once, and the general ones first")
        seen[port] = (self.line, membership or self.default)

    def settle(self, pkey, seen):
        own = next((seen[port] for port in ("SELF", "ALL_CAS", "ALL") if port in seen), None)
        if not seen:
            self.faults.append(f"the partition {pkey:#06x} has no members: name at least one port")
        elif pkey == DEFAULT_PKEY and own and own[1] == "limited":
            self.faults.append(f"line {own[0]}: leaves the subnet manager's own port a limited member of 0x7fff, which limited members cannot "
                               "reach: add SELF=full at the end")


def partitions_text_faults(text, allow_both_pkeys=False, reserved=()):
    """Return one sentence per fault; see DOCUMENTATION."""
    parser = _Text(allow_both_pkeys, reserved)
    parser.read(text)
    return parser.faults


class FilterModule:
    """What Ansible looks for in a filter plugin."""

    def filters(self):
        return {"partitions_text_faults": partitions_text_faults}
