# Copyright the ibforge authors
# SPDX-License-Identifier: Apache-2.0
"""Filter infiniband_port_faults: what keeps a subnet manager from the InfiniBand ports of a host."""

from __future__ import annotations

DOCUMENTATION = r"""
name: infiniband_port_faults
author: the ibforge authors (!UNKNOWN)
short_description: Find what keeps a subnet manager from the InfiniBand ports of a host
version_added: 0.1.0
description:
  - Holds the ports that are asked for against those that the host has, and names all faults at once, each with its cure.
  - Without any that is asked for, one InfiniBand port that is up is enough, or all have to be up that are there.
positional: wanted, states, simulated, missing_modules, choice
options:
  _input:
    description: C(adapters) and C(ports) as M(ibforge.fabric.ib_host_info) gives them.
    type: dict
    required: true
  wanted:
    description: Port GUIDs that are asked for, by the place in the variables where they stand.
    type: dict
    required: true
  states:
    description: States that a port may be in. Empty judges none.
    type: list
    elements: str
    required: true
  simulated:
    description: Name of the variable that says that a fabric is simulated, which is a cure where there is no adapter.
    type: str
    required: true
  missing_modules:
    description: Kernel modules that are named as missing elsewhere, without which an adapter shows no port.
    type: list
    elements: str
    default: []
  choice:
    description:
      - Name of the variable that chooses ports, where without a choice all InfiniBand ports are served.
      - One that is not up is a fault then, and to choose is a cure.
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: Refuse ports that are not there
  ansible.builtin.assert:
    that: faults | length == 0
  vars:
    faults: "{{ found.seen | ibforge.fabric.infiniband_port_faults({'guids': ['0x0002c903000e0b73']}, ['ACTIVE'], 'simulated') }}"
"""

RETURN = r"""
_value:
  description: The faults, empty if there is none.
  type: list
  elements: str
"""

ETHERNET_CURE = "set LINK_TYPE_P{port}=1 with mlxconfig or mstconfig, and reboot"
# By the physical state of a port that is not up.
CURES = {
    "Polling": "connect its cable, and see that the switch at the other end is on",
    "Disabled": 'enable it with "ibportstate -C {device} -P {port} -D 0 {port} enable"',
    "LinkUp": "no subnet manager has brought it up, see that one runs on the fabric",
}
OTHER_CURE = 'look at its cable, and at the switch\'s port with "mlxlink" or "iblinkinfo"'


def _name(port):
    return f"{port['device']} port {port['port']}"


def _unknown(place, guid, found):
    """Return why no InfiniBand port has a GUID that is asked for."""
    infiniband = [port for port in found if port["link_layer"] == "InfiniBand"]
    for port in found:
        if guid == port["port_guid"]:
            return f"{place}: {guid} is {_name(port)}, an {port['link_layer']} port: {ETHERNET_CURE.format(**port)}, or take another port"
    there = ", ".join(port["port_guid"] for port in infiniband) or "none"
    own = [port["port_guid"] for port in infiniband if port["node_guid"] == guid]
    why = f"; it is the node GUID of the adapter with port {' and '.join(own)}" if own else ""
    cure = ': take one of these, or see with "ibstat" which adapter is missing' if infiniband else ""
    return f"{place}: no InfiniBand port of this host has the GUID {guid}; there are: {there}{why}{cure}"


def _none(seen, missing_modules, simulated):
    """Return why the host has no InfiniBand port at all."""
    addresses = [adapter["address"] for adapter in seen["adapters"]]
    unbound = [adapter["address"] for adapter in seen["adapters"] if not adapter["driver"]]
    if unbound:
        why = f"no driver holds the adapter {', '.join(unbound)}: load mlx5_core (mlx4_core up to ConnectX-3), and see dmesg"
    elif missing_modules and addresses:
        why = f"the adapter {', '.join(addresses)} has none without {', '.join(missing_modules)}, see there"
    elif seen["ports"]:
        port = seen["ports"][0]
        why = f"{_name(port)} is an {port['link_layer']} port: {ETHERNET_CURE.format(**port)}"
    elif addresses:
        why = f"the adapter {', '.join(addresses)} shows none: load mlx5_ib (mlx4_ib up to ConnectX-3), and see dmesg"
    else:
        why = f'see "lspci -d 15b3:" for an adapter, or take the host out of the group; for a simulated fabric set {simulated}'
    return f"no InfiniBand port: {why}"


def infiniband_port_faults(seen, wanted, states, simulated, missing_modules=(), choice=""):
    """Return what is wrong with a host's ports; see DOCUMENTATION."""
    infiniband = [port for port in seen["ports"] if port["link_layer"] == "InfiniBand"]
    asked = {str(guid).lower(): place for place, guids in wanted.items() for guid in guids}
    known = [port["port_guid"] for port in infiniband]
    faults = [_unknown(place, guid, seen["ports"]) for guid, place in asked.items() if guid not in known]
    # One that is asked for and is Ethernet has been named by then.
    if not infiniband and not any(port["port_guid"] in asked for port in seen["ports"]):
        faults.append(_none(seen, missing_modules, simulated))
    looked = [port for port in infiniband if not asked or port["port_guid"] in asked]
    down = [port for port in looked if states and port["state"] not in states]
    if asked or choice or len(down) == len(looked):
        instead = f", or name the ports to serve in {choice}" if choice and not asked and len(down) < len(looked) else ""
        faults += [f"{_name(port)} ({port['port_guid']}) is {port['state']}, {port['physical_state']}: "
                   + CURES.get(port["physical_state"], OTHER_CURE).format(**port) + instead for port in down]
    return faults


class FilterModule:
    """What Ansible looks for in a filter plugin."""

    def filters(self):
        return {"infiniband_port_faults": infiniband_port_faults}
