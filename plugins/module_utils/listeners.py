# Copyright the ibforge authors
# SPDX-License-Identifier: Apache-2.0
"""What listens on a host, read from /proc."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import socket
import struct

# States of include/net/tcp_states.h: TCP_LISTEN, and TCP_CLOSE, which a UDP
# socket without a peer is in.
STATES = {"tcp": "0A", "udp": "07"}


def parse_address(text):
    """Return address and port of a column such as 0100007F:1F40."""
    address, port = text.split(":")
    # proc(5): each 32-bit word is printed in the byte order of the host.
    words = [struct.pack("=I", int(address[i:i + 8], 16)) for i in range(0, len(address), 8)]
    family = socket.AF_INET if len(words) == 1 else socket.AF_INET6
    return socket.inet_ntop(family, b"".join(words)), int(port, 16)


def parse_table(text, protocol):
    """Return the listeners of one file below /proc/net, by inode."""
    found = []
    for line in text.splitlines()[1:]:
        columns = line.split()
        if len(columns) < 10 or columns[3] != STATES[protocol]:
            continue
        address, port = parse_address(columns[1])
        found.append((columns[9], {"protocol": protocol, "address": address, "port": port,
                                   "pid": 0, "process": "", "cgroups": []}))
    return found


def read(path):
    """Return a file's text; a process may have ended meanwhile, and IPv6 be off."""
    try:
        with open(path) as file:
            return file.read()
    except (IOError, OSError):
        return ""


def entries(directory):
    """Return the names in a directory, none if it is gone."""
    try:
        return os.listdir(directory)
    except OSError:
        return []


def sockets_of(proc, pid):
    """Return the inodes of a process's sockets."""
    inodes = set()
    directory = os.path.join(proc, pid, "fd")
    for descriptor in entries(directory):
        try:
            target = os.readlink(os.path.join(directory, descriptor))
        except OSError:  # closed meanwhile
            continue
        if target.startswith("socket:["):
            inodes.add(target[len("socket:["):-1])
    return inodes


def look_up(proc, wanted):
    """Fill in the processes of listeners, given by inode."""
    for pid in sorted((name for name in entries(proc) if name.isdigit()), key=int):
        if not wanted:
            return
        for inode in sockets_of(proc, pid).intersection(wanted):
            lines = read(os.path.join(proc, pid, "cgroup")).splitlines()
            wanted.pop(inode).update({
                "pid": int(pid),
                "process": read(os.path.join(proc, pid, "comm")).strip(),
                "cgroups": [line.split(":", 2)[2] for line in lines],
            })


def listeners(ports, proc="/proc"):
    """Return the listeners of the network namespace, and who has these ports."""
    found = []
    for protocol in ("tcp", "udp"):
        for name in (protocol, protocol + "6"):
            # Of this process, as /proc/net is.
            found += parse_table(read(os.path.join(proc, "self", "net", name)), protocol)
    look_up(proc, {inode: entry for inode, entry in found if entry["port"] in ports and inode != "0"})
    return sorted((entry for _inode, entry in found), key=lambda e: (e["protocol"], e["port"], e["address"], e["pid"]))
