# Copyright the ibforge authors
# SPDX-License-Identifier: Apache-2.0
"""The files of OpenSM: what stands in them, and what tells one configuration from another."""

from __future__ import annotations

import hashlib
import json

HEAD = "# Written by the role ibforge.fabric.ib_opensm, which replaces it.\n"
# osm_prtn_config.c reads lines of at most 4094 characters. Definitions of one
# PKey add up, in order.
MEMBERS_PER_LINE = 64
# What differs from host to host and has no part in what the fabric is given.
OF_ONE_HOST = ("sm_priority", "partition_config_file")
MARK_NAME = "ibforge-config"


def digest(data):
    """Return the SHA-256 of a text, or of anything that JSON can say."""
    text = data if isinstance(data, str) else json.dumps(data, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def number(value):
    """Return a number that may be written in any base."""
    return value if isinstance(value, int) else int(str(value), 0)


def _definition(partition):
    head = f"{partition['name']}={number(partition['pkey']):#06x}"
    for flag in ("indx0", "ipoib"):
        head += f",{flag}" if partition.get(flag) else ""
    for code in ("mtu", "rate"):
        head += f",{code}={partition[code]}" if partition.get(code) is not None else ""
    return head


def partitions_text(partitions):
    """Return partitions.conf, without the mark."""
    lines = []
    for partition in partitions:
        members = [f" {member['port']}={member['membership']}" for member in partition["members"]]
        lines += [f"{_definition(partition)}:{','.join(members[at:at + MEMBERS_PER_LINE])};\n" for at in range(0, len(members), MEMBERS_PER_LINE)]
    return HEAD + "".join(lines)


def options_text(options):
    """Return opensm.conf: one line for each option that is set; "opensm -c FILE" shows all with their defaults."""
    return HEAD + "".join(f"{name} {str(options[name]).upper() if isinstance(options[name], bool) else options[name]}\n" for name in sorted(options))


def shared(options, partitions):
    """Return what all subnet managers of a fabric must agree on, each part as a digest: keys are among them."""
    parts = {name: digest(str(value)) for name, value in options.items() if name not in OF_ONE_HOST}
    return dict(parts, partitions=digest(partitions))


def mark(parts, first, last):
    """Return the PKey that stands for a configuration; two of them share one by a chance of one to the width of the range."""
    return first + int(digest(parts)[:15], 16) % (last - first + 1)


def mark_text(pkey):
    """Return the partition that only the master's own port becomes a member of."""
    return (f"# Tells which configuration the master works with: only its own port is a member.\n{MARK_NAME}={pkey:#06x}: SELF=full;\n")


def environment_text(ports, settle_seconds, environment):
    """Return the environment of the image's programs and of OpenSM."""
    lines = [f'PORTS="{" ".join(ports) or "ALL"}"', f'SETTLE_SECONDS="{settle_seconds}"']
    return HEAD + "\n".join(lines + [f'{name}="{environment[name]}"' for name in sorted(environment)]) + "\n"
