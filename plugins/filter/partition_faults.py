# Copyright the ibforge authors
# SPDX-License-Identifier: Apache-2.0
"""Filter partition_faults: holds a partition list against OpenSM's grammar.

OpenSM fails open: on any parse error in partitions.conf it logs "retrying with
default config" and makes every port a full member of the default partition
(osm_prtn.c, osm_prtn_make_partitions). So a list is refused before a byte of
it reaches a host, and all of its faults are told at once.

Sources: opensm(8), PARTITION CONFIGURATION, and osm_prtn_config.c of
https://github.com/linux-rdma/opensm at tag 3.3.23.
"""

from __future__ import annotations

import re

DOCUMENTATION = r"""
name: partition_faults
short_description: Find what is wrong with a list of InfiniBand partitions
version_added: 0.1.0
description:
  - Returns one sentence per fault, each with its place, the value and the cure.
  - An empty list means that OpenSM reads the rendered file as it is meant.
positional: allow_both_pkeys, reserved
options:
  _input:
    description: The list of partitions, in the form of O(ibforge.fabric.ib_opensm#role:ib_opensm_partitions).
    type: list
    elements: dict
    required: true
  allow_both_pkeys:
    description: Whether OpenSM runs with C(allow_both_pkeys TRUE); without it C(both) silently means C(full).
    type: bool
    default: false
  reserved:
    description: First and last PKey of a range that no partition may have, or an empty list.
    type: list
    elements: int
    default: []
"""

EXAMPLES = r"""
- name: Refuse faulty partitions
  ansible.builtin.assert:
    that: ib_opensm_partitions | ibforge.fabric.partition_faults | length == 0
"""

RETURN = r"""
_value:
  description: The faults, empty if there is none.
  type: list
  elements: str
"""

DEFAULT_PKEY = 0x7FFF
KEYWORDS = ("ALL", "ALL_CAS", "ALL_SWITCHES", "ALL_ROUTERS", "SELF")
MEMBERSHIPS = ("full", "limited", "both")
# Codes of the IB specification's PathRecord, as opensm(8) lists them.
MTU_CODES = range(1, 6)
RATE_CODES = range(2, 23)
KEYS = {"name", "pkey", "ipoib", "indx0", "mtu", "rate", "members"}
MEMBER_KEYS = {"port", "membership"}
# osm_prtn_t.name holds 31 characters and a NUL; a leading digit would make
# OpenSM read a lone name as the PKey.
MARK_NAME = "ibforge-config"
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,30}\Z")
GUID = re.compile(r"0x[0-9a-fA-F]{16}\Z")
PKEY = re.compile(r"0x[0-9a-fA-F]{1,4}\Z")


def _integer(value):
    return isinstance(value, int) and not isinstance(value, bool)


def parse_pkey(value):
    """Return the PKey as a number, or None where it is not one."""
    if _integer(value):
        return int(value)
    if isinstance(value, str) and PKEY.match(value):
        return int(value, 16)
    return None


def _pkey_fault(value, reserved):
    pkey = parse_pkey(value)
    if pkey is None:
        return f"pkey {value!r} is not a PKey: write a number or a string such as \"0x0011\""
    if reserved and pkey != DEFAULT_PKEY and reserved[0] <= pkey <= reserved[-1]:
        return (f"pkey {value!r} is between {reserved[0]:#06x} and {reserved[-1]:#06x}, where one marks the configuration: "
                "take another, or move the range by ib_opensm_mark_pkeys")
    if 1 <= pkey <= DEFAULT_PKEY:
        return None
    cure = "use 0x0001 to 0x7fff"
    if 0x8000 < pkey <= 0xFFFF:
        # OpenSM masks the top bit without a word, so 0x8011 becomes 0x0011.
        cure = (f"write {pkey & DEFAULT_PKEY:#06x}: the top bit is the membership, "
                "which each member states")
    return f"pkey {value!r} is outside 0x0001 to 0x7fff: {cure}"


def _port_fault(port):
    if port in KEYWORDS:
        return None
    if _integer(port):
        return (f"port {port} is a number: put the port GUID in quotes, "
                f"YAML turned it into one (was it \"0x{port:016x}\"?)")
    if not isinstance(port, str):
        return f"port {port!r} is neither a port GUID nor one of {', '.join(KEYWORDS)}"
    if GUID.match(port):
        # strtoull() gives 0 for it, which OpenSM takes for a parse error.
        return "port GUID 0x0000000000000000 belongs to no port" if int(port, 16) == 0 else None
    meant = [word for word in KEYWORDS if port and word.startswith(port.upper())]
    if meant:
        return (f"port '{port}' is no keyword, but OpenSM compares prefixes and would "
                f"take it for one: write {' or '.join(meant)}")
    if re.match(r"0[xX][0-9a-fA-F]+\Z", port):
        digits = len(port) - 2
        return f"port GUID '{port}' has {digits} hexadecimal digits: write 0x and all 16 of them"
    return f"port '{port}' is neither a port GUID (0x and 16 hexadecimal digits) nor one of {', '.join(KEYWORDS)}"


def _membership_fault(membership, allow_both_pkeys):
    if membership is None:
        return f"membership is missing: write one of {', '.join(MEMBERSHIPS)}"
    if membership not in MEMBERSHIPS:
        # OpenSM assumes "limited" for a word it does not know.
        return f"membership {membership!r} is not one of {', '.join(MEMBERSHIPS)}"
    if membership == "both" and not allow_both_pkeys:
        return "membership 'both' needs allow_both_pkeys, without which OpenSM makes it 'full'"
    return None


def _unknown_keys(entry, known):
    unknown = sorted(str(key) for key in entry if key not in known)
    return [f"unknown key '{key}': known are {', '.join(sorted(known))}" for key in unknown]


def _order_fault(port, seen):
    """Find a rule that takes back an earlier one: the last rule for a port wins."""
    if port == "ALL":
        hidden = list(seen)
    elif port in KEYWORDS and port != "SELF":
        hidden = [earlier for earlier in seen if earlier not in KEYWORDS or earlier == "SELF"]
    else:
        return None
    if not hidden:
        return None
    return f"{port} stands after {hidden[0]} and takes it back, for the last rule wins: put {port} first"


def _member_faults(member, seen, allow_both_pkeys):
    if not isinstance(member, dict):
        return ["not a mapping with port and membership"]
    faults = _unknown_keys(member, MEMBER_KEYS)
    port = member.get("port")
    faults.append(_port_fault(port))
    faults.append(_membership_fault(member.get("membership"), allow_both_pkeys))
    if isinstance(port, str):
        key = port if port in KEYWORDS else port.lower()
        if key in seen:
            faults.append(f"port {port} is already a member: name each port once")
        else:
            faults.append(_order_fault(port, seen))
            seen[key] = member.get("membership")
    return [fault for fault in faults if fault]


def _members_faults(partition, allow_both_pkeys):
    members = partition.get("members")
    if not isinstance(members, list) or not members:
        return ["has no members: name at least one port"]
    faults, seen = [], {}
    for index, member in enumerate(members):
        faults += [f"members[{index}]: {fault}" for fault in _member_faults(member, seen, allow_both_pkeys)]
    if parse_pkey(partition.get("pkey")) == DEFAULT_PKEY:
        # Limited members cannot talk to each other, so nobody would reach the
        # subnet administrator. Without a rule OpenSM keeps SELF a full member.
        own = seen.get("SELF", seen.get("ALL_CAS", seen.get("ALL")))
        if own == "limited":
            faults.append("leaves the subnet manager's own port a limited member, which limited members "
                          "cannot reach: add {port: SELF, membership: full} at the end")
    return faults


def _group_faults(partition):
    faults = []
    for flag in ("ipoib", "indx0"):
        if not isinstance(partition.get(flag, False), bool):
            faults.append(f"{flag} {partition[flag]!r} is not a boolean: write true or false")
    for key, codes in (("mtu", MTU_CODES), ("rate", RATE_CODES)):
        if partition.get(key) is None:
            continue
        if not _integer(partition[key]) or partition[key] not in codes:
            faults.append(f"{key} {partition[key]!r} is not a code from {codes[0]} to {codes[-1]} (see opensm(8))")
        if partition.get("ipoib", False) is not True:
            faults.append(f"{key} describes the IPoIB broadcast group: add ipoib: true or drop {key}")
    return faults


def _partition_faults(partition, names, pkeys, allow_both_pkeys, reserved):
    faults = _unknown_keys(partition, KEYS)
    name, pkey = partition.get("name"), parse_pkey(partition.get("pkey"))
    if not isinstance(name, str) or not NAME.match(name):
        faults.append(f"name {name!r}: write a letter, then at most 30 letters, digits, '_', '.' or '-'")
    elif reserved and name == MARK_NAME:
        faults.append(f"name '{name}' is that of the partition which marks the configuration: take another")
    elif name in names:
        faults.append(f"name '{name}' is taken by partitions[{names[name]}]")
    fault = _pkey_fault(partition.get("pkey"), reserved)
    if fault:
        faults.append(fault)
    elif pkey in pkeys:
        # OpenSM would merge the two under the first one's name.
        faults.append(f"pkey {pkey:#06x} is taken by partitions[{pkeys[pkey]}]")
    return faults + _group_faults(partition) + _members_faults(partition, allow_both_pkeys)


def partition_faults(partitions, allow_both_pkeys=False, reserved=()):
    """Return one sentence per fault; see DOCUMENTATION."""
    if not isinstance(partitions, list):
        return ["partitions is not a list"]
    faults, names, pkeys = [], {}, {}
    for index, partition in enumerate(partitions):
        if not isinstance(partition, dict):
            faults.append(f"partitions[{index}]: not a mapping with name, pkey and members")
            continue
        place = f"partitions[{index}] ({partition.get('name')})"
        faults += [f"{place}: {fault}" for fault in _partition_faults(partition, names, pkeys, allow_both_pkeys, reserved)]
        if isinstance(partition.get("name"), str):
            names.setdefault(partition["name"], index)
        pkeys.setdefault(parse_pkey(partition.get("pkey")), index)
    if DEFAULT_PKEY not in pkeys:
        faults.append("partitions: the default partition 0x7fff is missing, and OpenSM would make one by itself: "
                      "say what you mean, such as {name: Default, pkey: 0x7fff, members: "
                      "[{port: ALL, membership: limited}, {port: SELF, membership: full}]}")
    return faults


class FilterModule:
    """What Ansible looks for in a filter plugin."""

    def filters(self):
        return {"partition_faults": partition_faults}
