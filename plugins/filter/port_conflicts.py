# Copyright the ibforge authors
# SPDX-License-Identifier: Apache-2.0
"""Filter port_conflicts: holds a service's ports against all else that wants them on a host."""

from __future__ import annotations

import ipaddress

DOCUMENTATION = r"""
name: port_conflicts
short_description: Find who else wants a service's ports on a host
version_added: 0.1.0
description:
  - Returns one sentence per port that somebody else has or will want, with both sides and a free number.
  - A listener counts if its address meets the port's, services and Kolla's table count whatever the address.
positional: listeners, services, kolla, own, ephemeral
options:
  _input:
    description: Ports as P(ibforge.fabric.port_map#filter) gives them.
    type: list
    elements: dict
    required: true
  listeners:
    description: What M(ibforge.fabric.ib_listeners) found on the host.
    type: list
    elements: dict
    default: []
  services:
    description: Name of another service to its ports.
    type: dict
    default: {}
  kolla:
    description: Ports of Kolla, each with C(variable), C(port) and C(protocol).
    type: list
    elements: dict
    default: []
  own:
    description: Names and IDs in the path of a cgroup that tell a process of the service itself.
    type: list
    elements: str
    default: []
  ephemeral:
    description: Content of C(/proc/sys/net/ipv4/ip_local_port_range), out of which no free number is proposed.
    type: str
    default: 32768 60999
"""

EXAMPLES = r"""
- name: Name the conflicts
  ansible.builtin.debug:
    msg: "{{ ports | ibforge.fabric.port_conflicts(found.listeners, kolla=[{'variable': 'horizon_port', 'port': 80, 'protocol': 'tcp'}]) }}"
"""

RETURN = r"""
_value:
  description: The conflicts, empty if there is none.
  type: list
  elements: str
"""


def _host(port):
    """Return the number that the host sees."""
    return int(port["listens"] if port["via"] == "none" else port["host"])


def _meets(port, address):
    """Tell whether the service's bind and the listener's address overlap."""
    ip = ipaddress.ip_address(address)
    ip = getattr(ip, "ipv4_mapped", None) or ip
    # "::" takes IPv4 too unless the socket is IPV6_V6ONLY, which /proc does not tell.
    return port["address"] == "any" or ip.is_unspecified or ip.is_loopback


def _is_own(listener, own):
    """Tell whether a process of the service itself listens.

    The engine makes a directory of a container's ID, with a prefix and a suffix
    under the systemd driver; what ibforge gives is the whole name.
    """
    segments = {part for path in listener.get("cgroups") or [] for part in path.split("/")}
    return any(name in segments or len(name) == 64 and any(name in part for part in segments) for name in own)


def _listener(listener):
    where = f"[{listener['address']}]" if ":" in listener["address"] else listener["address"]
    who = f"{listener['process']} (PID {listener['pid']})" if listener.get("pid") else "a process that is not to be seen"
    return f"{who} listens on {where}:{listener['port']}"


def _well_formed(entry):
    """Tell whether an entry of Kolla's table has what is read of it."""
    return (isinstance(entry, dict) and isinstance(entry.get("variable"), str) and str(entry.get("port", "")).isdigit()
            and entry.get("protocol", "tcp") in ("tcp", "udp"))


class _Host:
    """What is known of a host's ports."""

    def __init__(self, listeners, services, kolla, own, ephemeral):
        self.listeners = [entry for entry in listeners if not _is_own(entry, own)]
        self.services = services
        self.kolla = kolla
        low, high = (int(number) for number in ephemeral.split())
        self.ephemeral = range(low, high + 1)

    def others(self, port):
        """Say who else wants the port."""
        number, protocol = _host(port), port["protocol"]
        who = [_listener(entry) for entry in self.listeners
               if (entry["protocol"], entry["port"]) == (protocol, number) and _meets(port, entry["address"])]
        for service in sorted(self.services):
            who += [f"{service} has it for its port {other['name']}" for other in self.services[service]
                    if (other["protocol"], _host(other)) == (protocol, number)]
        who += [f"it is Kolla's {entry['variable']}" for entry in self.kolla
                if (entry.get("protocol", "tcp"), int(entry["port"])) == (protocol, number)]
        # One process has many sockets, one Kolla variable many services.
        return list(dict.fromkeys(who))

    def free(self, port, taken):
        """Propose a number that nobody wants, of either protocol."""
        wanted = {entry["port"] for entry in self.listeners} | {int(entry["port"]) for entry in self.kolla} | taken
        wanted |= {number for ports in self.services.values() for other in ports for number in (_host(other), int(other["listens"]))}
        begin = _host(port) + (8000 if _host(port) < 1024 else 1)
        order = (number for number in [*range(begin, 65536), *range(1024, begin)])
        return next((number for number in order if number not in wanted and number not in self.ephemeral), None)


def port_conflicts(ports, listeners=None, services=None, kolla=None, own=None, ephemeral="32768 60999"):
    """Return one sentence per port that is not free; see DOCUMENTATION."""
    kolla = kolla or []
    conflicts = [f"Kolla's port {entry!r}: write {{variable: horizon_port, port: 80, protocol: tcp}} and the like"
                 for entry in kolla if not _well_formed(entry)]
    host = _Host(listeners or [], services or {}, [entry for entry in kolla if _well_formed(entry)], own or [], ephemeral)
    taken = {number for port in ports for number in (_host(port), int(port["listens"]))}
    for port in ports:
        others = host.others(port)
        if not others:
            continue
        free = host.free(port, taken)
        taken.add(free)
        if port["via"] == "none":
            cure = f"stop that, or build the image with via = \"config\" or \"socket\", such as onto {free}"
        else:
            cure = f"{free} is free: give it in the ports variable of the role, {{{port['name']}: {free}}}"
        conflicts.append(f"port {port['name']} is to be {_host(port)}/{port['protocol']} on the host, and "
                         f"{' and '.join(others)}: {cure}")
    return conflicts


class FilterModule:
    """What Ansible looks for in a filter plugin."""

    def filters(self):
        return {"port_conflicts": port_conflicts}
