"""A container engine that runs nothing: it answers as told and records who asked what."""

import http.server
import json
import re
import socketserver
import tempfile
import threading


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def get_request(self):
        # The handler's log wants an address, which a Unix socket's peer lacks.
        return super().get_request()[0], ("", 0)


class Recorder:
    """Docker's API as far as the roles read it, on a Unix socket.

    info is what GET /info adds, containers are by name, images by ID. Requests
    that would change something are refused, and found in changes; so are commands to
    run in a container, which are in commands.
    """

    def __init__(self, info=None, containers=None, images=()):
        self.info = {"ServerVersion": "28.0.0", "CgroupVersion": "1", "CgroupDriver": "cgroupfs", "DriverStatus": [], **(info or {})}
        self.containers = containers or {}
        self.images = images
        self.changes = []
        self.commands = []
        # Not below pytest's directories: a socket's path has at most 107 characters.
        self.directory = tempfile.TemporaryDirectory()
        self.url = f"unix://{self.directory.name}/docker.sock"
        self.server = _Server(f"{self.directory.name}/docker.sock", self._handler())

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.directory.cleanup()

    def answer(self, path):
        """Return status and object of a GET."""
        if path == "/version":
            return 200, {"Version": self.info["ServerVersion"], "ApiVersion": "1.45", "MinAPIVersion": "1.24"}
        if path == "/info":
            return 200, self.info
        if path == "/containers/json":
            return 200, [{"Id": c["Id"], "Names": [f"/{name}"], "Labels": c["Config"]["Labels"]}
                         for name, c in self.containers.items() if c["State"]["Running"]]
        kind, name = path.split("/")[1:3]
        if kind == "containers":
            for known, found in self.containers.items():
                if name in (known, found["Id"]):
                    return 200, found
        if kind == "images" and name in self.images:
            return 200, {"Id": name, "RepoTags": [], "Config": {"Env": [], "Volumes": {}, "Labels": {}}}
        return 404, {"message": f"no such object: {path}"}

    def _handler(self):
        recorder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                path = re.sub(r"^/v[0-9.]+", "", self.path.split("?")[0])
                self.send(*recorder.answer(path.replace("%3A", ":")))

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                kept = recorder.commands if self.path.endswith("/exec") else recorder.changes
                kept.append((self.path, json.loads(body) if body else None))
                self.send(500, {"message": "the recorder changes nothing"})

            do_DELETE = do_POST

            def send(self, status, answer):
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                """A test's output is not the place for it."""

        return Handler


def container(name, excludes="", running=True):
    """Return a container as GET /containers/NAME/json has it, as far as the roles look."""
    return {"Id": (name.encode().hex() * 64)[:64], "Name": f"/{name}",
            "State": {"Running": running, "Status": "running" if running else "exited", "ExitCode": 0, "Error": "",
                      "StartedAt": "2026-01-01T00:00:00Z"},
            "Config": {"Labels": {"io.ibforge.service": name, "io.ibforge.excludes": excludes}},
            "HostConfig": {"CapAdd": None, "Privileged": False, "CgroupParent": ""}, "Image": ""}
