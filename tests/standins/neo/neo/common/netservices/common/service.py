"""What all of NEO's services have in common: pid file, end, listeners."""
from __future__ import print_function

import os
import signal
import socket
import sys
import threading

try:
    import socketserver
    from configparser import RawConfigParser
except ImportError:  # Python 2
    import SocketServer as socketserver
    from ConfigParser import RawConfigParser


def read_config(path):
    parser = RawConfigParser()
    if not parser.read(path):
        raise SystemExit("%s cannot be read" % path)
    return parser


class TCPServer(socketserver.ThreadingMixIn, socketserver.TCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64


class UDPServer(socketserver.UDPServer):
    pass


def in_background(server):
    t = threading.Thread(target=server.serve_forever)
    t.daemon = True
    t.start()
    return server


def connect(address):
    """Opens a TCP connection to "HOST:PORT"."""
    host, port = address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=5)


def run(name):
    """Says by the pid file that the service is up, and waits for its end."""
    pid_file = "/var/run/%s.pid" % name
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with open(pid_file, "w") as f:
        print(os.getpid(), file=f)
    print("%s: up, process %d" % (name, os.getpid()))
    sys.stdout.flush()
    # With a time limit, because Python 2 takes no signal while it waits
    # without one.
    while not ended.wait(0.2):
        pass
    os.remove(pid_file)
