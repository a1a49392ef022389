"""Stand-in for UFM's main module: the internal REST server and the ports.

It is no part of NVIDIA's product. One process stands for what are many there.
"""
import configparser
import logging
import logging.handlers
import signal
import socket
import sys
import threading

from rest import Server
from store import Store

GV_CFG = "/opt/ufm/files/conf/gv.cfg"
LOG = "/opt/ufm/files/log/ufm.log"
READY = "/run/ufm/ready"

# 9001 is telemetry's; the others are internal, which means that both ends are
# processes of UFM.
TCP = (8080, 8081, 8082, 8083, 8089, 9001)
MONITORING_UDP = 8005


def configure_logging(config):
    """Log to UFM's file, and to the syslog target of gv.cfg if it is on."""
    handlers = [logging.FileHandler(LOG)]
    if config.getboolean("Logging", "syslog", fallback=False):
        target = config.get("Logging", "syslog_addr", fallback="/dev/log")
        if not target.startswith("/"):
            host, _, port = target.partition(":")
            target = (host, int(port or 514))
        handlers.append(logging.handlers.SysLogHandler(target))
    logging.basicConfig(level=logging.INFO, handlers=handlers,
                        format="%(asctime)s ufm-stand-in %(levelname)s %(message)s")


def listen(port):
    """Listen on an internal TCP port, and say its number to whoever connects."""
    server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server.bind(("0.0.0.0", port))
    except OSError as e:
        sys.exit("ModelMain: tcp port %d: %s" % (port, e.strerror))
    server.listen(16)

    def serve():
        while True:
            peer, _ = server.accept()
            with peer:
                try:
                    peer.sendall(b"%d\n" % server.getsockname()[1])
                except OSError:
                    pass  # it has gone

    threading.Thread(target=serve, daemon=True).start()


def bind_udp(port):
    """Hold a UDP port and answer whatever comes with its number."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.bind(("0.0.0.0", port))
    except OSError as e:
        sys.exit("ModelMain: udp port %d: %s" % (port, e.strerror))

    def serve():
        while True:
            _, peer = sock.recvfrom(2048)
            sock.sendto(b"%d\n" % port, peer)

    threading.Thread(target=serve, daemon=True).start()


def ask(port):
    """Connect to an internal port as another process of UFM would."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as s:
        said = s.makefile("rb").readline().strip()
        if said != b"%d" % port:
            sys.exit("ModelMain: on tcp port %d somebody else says %r" % (port, said))


def main():
    """Bind everything, see that all of it answers, and serve until SIGTERM."""
    config = configparser.ConfigParser(interpolation=None, strict=False)
    config.read(GV_CFG)
    store = Store(config.get("MngNetwork", "default_membership", fallback="full"))
    if "--write-partitions" in sys.argv:
        store.write_partitions()
        return
    configure_logging(config)
    for port in TCP:
        listen(port)
    bind_udp(config.getint("UFMAgent", "default_ufma_port", fallback=6306))
    bind_udp(MONITORING_UDP)
    rest_port = config.getint("Server", "rest_port", fallback=8000)
    try:
        server = Server(("127.0.0.1", rest_port), store)
    except OSError as e:
        sys.exit("ModelMain: rest_port %d: %s" % (rest_port, e.strerror))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for port in TCP:
        ask(port)
    logging.info("serving REST requests on 127.0.0.1:%d", rest_port)
    # At the end: ufmd waits for it.
    with open(READY, "w", encoding="ascii"):
        pass
    signal.sigwait([signal.SIGTERM, signal.SIGINT])


if __name__ == "__main__":
    # Before any thread is started, so that all inherit it.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT])
    main()
