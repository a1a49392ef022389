"""Refuses the start of a service whose ports are taken.

    ports_validator.pyo -f CONF [--exclude-patterns SECTION::OPTION ...]

Every option named "port", or ending in "_port", of CONF is a port that the
service binds; "udp_port" is one of UDP. Options that match an excluded pattern
are ports of other machines. A port is free if it can be bound.
"""
from __future__ import print_function

import argparse
import errno
import re
import socket
import sys

try:
    from configparser import RawConfigParser
except ImportError:  # Python 2
    from ConfigParser import RawConfigParser


def ports(conf, excluded):
    """Gives (SECTION::OPTION, address, protocol, number) for each port."""
    parser = RawConfigParser()
    with open(conf) as f:
        getattr(parser, "read_file", getattr(parser, "readfp", None))(f)
    for section in parser.sections():
        address = "0.0.0.0"
        if parser.has_option(section, "bind_address"):
            address = parser.get(section, "bind_address")
        for option, value in parser.items(section):
            if option != "port" and not option.endswith("_port"):
                continue
            name = section + "::" + option
            if any(re.match(pattern + "$", name) for pattern in excluded):
                continue
            protocol = "udp" if option.endswith("udp_port") else "tcp"
            yield name, address, protocol, int(value)


def busy(address, protocol, number):
    """Tries to bind, the way the service itself is going to."""
    kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
    s = socket.socket(socket.AF_INET, kind)
    try:
        if protocol == "tcp":
            # As a server does: connections that linger are no hindrance.
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((address, number))
    except socket.error as e:
        if e.errno == errno.EADDRINUSE:
            return True
        raise
    finally:
        s.close()
    return False


def main():
    parser = argparse.ArgumentParser(prog="ports_validator")
    parser.add_argument("-f", dest="conf", required=True)
    parser.add_argument("--exclude-patterns", nargs="*", default=[])
    args = parser.parse_args()
    taken = [p for p in ports(args.conf, args.exclude_patterns) if busy(*p[1:])]
    for name, address, protocol, number in taken:
        print("ports_validator: %s: port %d/%s of %s is already in use on %s"
              % (args.conf, number, protocol, name, address), file=sys.stderr)
    return 1 if taken else 0


if __name__ == "__main__":
    sys.exit(main())
