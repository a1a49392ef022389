"""One provider: it listens on its own port, and keeps a connection to the
controller, as which the controller knows it to be connected.

All providers are this one program, installed under their documented names.
"""
from __future__ import print_function

import os
import sys
import threading
import time

from netservices.common import service

try:
    import socketserver
except ImportError:  # Python 2
    import SocketServer as socketserver

CONF = "/opt/neo/files/providers/%s/conf/netservice.cfg"


class Greeting(socketserver.StreamRequestHandler):
    """The provider's own port: says who is there, and nothing more."""

    def handle(self):
        self.wfile.write(self.server.greeting)


class Trap(socketserver.BaseRequestHandler):
    """SNMP traps of the managed switches: counted, not read."""

    def handle(self):
        print("a trap from %s" % self.client_address[0])
        sys.stdout.flush()


def stay_connected(name, controller):
    while True:
        try:
            connection = service.connect(controller)
            connection.settimeout(None)
            connection.sendall((name + "\n").encode())
            connection.recv(1)  # returns when the controller goes away
            connection.close()
        except (OSError, IOError):
            pass
        time.sleep(1)


def listen(conf, name):
    address = conf.get("NetService", "bind_address")
    server = service.TCPServer((address, conf.getint("NetService", "port")), Greeting)
    server.greeting = ("%s\n" % name).encode()
    service.in_background(server)
    if conf.has_section("Traps"):
        address = conf.get("Traps", "bind_address")
        service.in_background(service.TCPServer((address, conf.getint("Traps", "trap_port")), Trap))
        service.in_background(service.UDPServer((address, conf.getint("Traps", "trap_udp_port")), Trap))


def main():
    # /opt/neo/providers/ib/bin/ib/ib_service.pyo is the provider "ib".
    directory = os.path.basename(os.path.dirname(os.path.abspath(sys.argv[0])))
    conf = service.read_config(CONF % directory)
    name = conf.get("NetService", "name")
    listen(conf, name)
    t = threading.Thread(target=stay_connected, args=(name, conf.get("Controller", "address")))
    t.daemon = True
    t.start()
    service.run(name)


if __name__ == "__main__":
    main()
