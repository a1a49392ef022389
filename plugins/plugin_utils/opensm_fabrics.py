# Copyright the ibforge authors
# SPDX-License-Identifier: Apache-2.0
"""The fabrics of a host: which there are, who shares them, and who is master of whom."""

from __future__ import annotations

import difflib
import re

# Directory of the fabric's files, so no name that another file of the role has.
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}\Z")
GUID = re.compile(r"0x[0-9a-f]{16}\Z")
# The highest of sm_priority's four bits is left to the operator, to put a host
# above all others for a while.
FIRST_ASSIGNED = 14
# A standby takes over after timeout x retries. Alone, nobody polls, and these are
# OpenSM's own. 500 ms x 2 gave 1.0 to 2.0 s from the death of the master.
POLLING = {"sminfo_polling_timeout": (10000, 500), "polling_retry_number": (4, 2)}

READ = ("ib_opensm_fabric", "ib_opensm_fabrics", "ib_opensm_sm_priority", "ib_opensm_port_guids", "ib_ufm_fabric")


def variables_of(hostvars, hosts):
    """Return what the inventory says of hosts, by host; a host's variables are put together once."""
    result = {}
    for host in hosts:
        variables = hostvars[host]
        result[host] = {name: variables[name] for name in READ if name in variables}
    return result


def names(variables):
    """Return the names of the fabrics of a host, by its variables."""
    several = variables.get("ib_opensm_fabrics") or {}
    return list(several) or [variables.get("ib_opensm_fabric") or "fabric"]


def explicit_priority(variables, fabric):
    """Return the sm_priority that the inventory gives a host on a fabric, or None."""
    own = (variables.get("ib_opensm_fabrics") or {}).get(fabric) or {}
    value = own.get("sm_priority", variables.get("ib_opensm_sm_priority"))
    return None if value is None else int(value)


def priorities(fabric, peers):
    """Return the sm_priority of each host and the faults; peers are variables by host, in order."""
    given = {host: explicit_priority(variables, fabric) for host, variables in peers.items()}
    faults, result = [], {}
    for host, priority in given.items():
        if priority is None:
            continue
        twin = next((other for other, taken in result.items() if taken == priority), None)
        if twin:
            faults.append(f"sm_priority {priority} on fabric {fabric} is that of {twin} and of {host}: give them different ones, "
                          "or none, which makes the order of the hosts in the inventory that of mastership")
        result[host] = priority
    # OpenSM's own default for one that is alone, which then takes no fabric from another.
    free = [number for number in range(FIRST_ASSIGNED, -1, -1) if number not in result.values()] if len(peers) > 1 else [0]
    for host in (host for host, priority in given.items() if priority is None):
        if not free:
            faults.append(f"fabric {fabric} has {len(peers)} hosts for OpenSM, more than there are priorities: one master and one or two standbys are enough")
            break
        result[host] = free.pop(0)
    return result, faults


def _overrides(name, overrides, base):
    if not isinstance(overrides or {}, dict):
        return {}, [f"ib_opensm_fabrics: {name} is not a mapping"]
    faults = []
    for key in overrides or {}:
        if key not in base:
            near = difflib.get_close_matches(str(key), base, n=1)
            faults.append(f"ib_opensm_fabrics: {name}: unknown key '{key}'"
                          + (f": did you mean {near[0]}?" if near else f": known are {', '.join(sorted(base))}"))
    return dict(base, **{key: value for key, value in (overrides or {}).items() if key in base}), faults


def _port_faults(fabrics, peers, host):
    """Hold the ports of all fabrics against each other, and against those of other hosts."""
    faults, seen = [], {}
    for fabric in fabrics:
        ports = fabric["settings"]["port_guids"]
        if not ports and len(fabrics) > 1:
            faults.append(f"ib_opensm_fabrics: {fabric['name']} has no port_guids: a host of several fabrics says which port is on which")
        for port in ports:
            if not GUID.match(str(port)):
                faults.append(f"ib_opensm_port_guids: {port} is not a port GUID; write 0x and 16 lower-case hexadecimal digits, in quotes")
            elif port in seen:
                faults.append(f"port {port} is on fabric {seen[port]} and on {fabric['name']}: a port is on one fabric")
            seen[port] = fabric["name"]
    for other, variables in peers.items():
        theirs = list(variables.get("ib_opensm_port_guids") or [])
        for overrides in (variables.get("ib_opensm_fabrics") or {}).values():
            theirs += (overrides or {}).get("port_guids") or []
        faults += [f"port {port} is served by {other} and by {host}: one subnet manager runs on a port" for port in theirs if other != host and port in seen]
    return faults


def _ufm_faults(fabrics, others, host):
    """Refuse UFM beside OpenSM: its own opensm starts only where no other is master."""
    return [f"fabric {fabric['name']} has UFM on {other} and OpenSM on {host}: UFM brings a subnet manager of its own and does not start beside another; "
            f"take a host out of one of the groups, or say by ib_ufm_fabric and ib_opensm_fabric that these are two fabrics"
            for fabric in fabrics for other, variables in others.items() if (variables.get("ib_ufm_fabric") or "fabric") == fabric["name"]]


def resolve(base, host, opensm, ufm):
    """Return the fabrics of a host with their settings, and the faults.

    opensm and ufm are the variables of the hosts of these groups, in order.
    """
    own = {"ib_opensm_fabric": base["fabric"], "ib_opensm_fabrics": base["fabrics"]}
    defaults = {key: value for key, value in base.items() if key not in ("fabric", "fabrics")}
    fabrics, faults = [], []
    for name in names(own):
        if not NAME.match(str(name)):
            faults.append(f"the fabric's name {name!r}: write at most 63 of a-z, 0-9, '_' and '-', and begin with none of the last two")
            continue
        settings, wrong = _overrides(name, (base["fabrics"] or {}).get(name), defaults)
        # What is given to the role as a parameter is not in hostvars.
        peers = {other: variables for other, variables in opensm.items() if other == host or name in names(variables)}
        peers.setdefault(host, {})
        if settings["sm_priority"] is not None:
            peers[host] = {"ib_opensm_sm_priority": settings["sm_priority"]}
        ranks, wrong_ranks = priorities(name, peers)
        faults += wrong + wrong_ranks
        settings["sm_priority"] = ranks.get(host, 0)
        for option, (alone, together) in POLLING.items():
            if settings[option] is None:
                settings[option] = together if len(peers) > 1 else alone
        fabrics.append({"name": name, "hosts": list(peers), "settings": settings})
    return fabrics, faults + _port_faults(fabrics, opensm, host) + _ufm_faults(fabrics, ufm, host)
