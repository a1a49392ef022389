"""The controller: the web application, and the port that providers report to."""
import logs
import state
import web
from netservices.common import service

try:
    import socketserver
except ImportError:  # Python 2
    import SocketServer as socketserver

CONF = "/opt/neo/files/controller/conf/controller.cfg"
VERSION = "/opt/neo/controller/version"


class Provider(socketserver.StreamRequestHandler):
    """A provider is connected for as long as its connection lasts."""

    def handle(self):
        name = self.rfile.readline(100).decode("utf-8", "replace").strip()
        logs.get("controller_log").info("provider %s is connected", name)
        self.rfile.read(1)
        logs.get("controller_log").warning("provider %s is disconnected", name)


def listener(conf, section, handler):
    address = (conf.get(section, "bind_address"), conf.getint(section, "port"))
    return service.TCPServer(address, handler)


def main():
    conf = service.read_config(CONF)
    logs.start()
    server = listener(conf, "Web", web.Handler)
    server.state = state.State(job_seconds=conf.getfloat("Jobs", "seconds"))
    server.sessions = web.Sessions()
    with open(VERSION) as f:
        server.version = f.read().strip()
    logs.apply(server.state.data["syslog"])
    service.in_background(listener(conf, "Providers", Provider))
    service.in_background(server)
    service.run("neo-controller")


if __name__ == "__main__":
    main()
