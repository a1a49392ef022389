# Copyright the ibforge authors
# SPDX-License-Identifier: Apache-2.0
"""Docker and podman as the roles see them: one shape of answers for both.

Only what changes nothing, and commands in a running container, are here.
Containers are made by the modules of community.docker and containers.podman.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json
import socket
import struct
import subprocess
from http import client

# The options by which modules find the engine.
ARGUMENTS = {
    "engine": {"type": "str", "choices": ["docker", "podman"], "default": "docker"},
    "docker_host": {"type": "str", "default": "unix:///var/run/docker.sock"},
    "podman": {"type": "str", "default": "podman"},
}

# What is known of a container that is not there.
NO_CONTAINER = {
    "exists": False, "id": "", "name": "", "running": False, "status": "absent", "exit_code": 0, "error": "", "image": "", "image_name": "",
    "started_at": "", "privileged": False, "cgroup_parent": "", "capabilities": [], "security_opt": [], "labels": {}, "pid": 0, "mounts": [],
    "restart_policy": "", "memory": 0, "pids": 0,
}


class EngineError(Exception):
    """The engine does not answer, or not as it should."""


class _Connection(client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path, timeout):
        client.HTTPConnection.__init__(self, "localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def with_prefix(image):
    """Return an image's ID as docker writes it; podman leaves the algorithm out."""
    return image if not image or ":" in image else "sha256:" + image


def container_of(found):
    """Return what both engines say of a container when they are asked to inspect it."""
    state, host, config = found.get("State") or {}, found.get("HostConfig") or {}, found.get("Config") or {}
    return {
        "exists": True, "id": found["Id"], "name": found.get("Name", "").lstrip("/"),
        "running": bool(state.get("Running")), "status": state.get("Status", ""), "exit_code": state.get("ExitCode", 0),
        "error": state.get("Error", ""), "started_at": str(state.get("StartedAt", "")), "pid": state.get("Pid", 0),
        "image": with_prefix(found.get("Image", "")), "image_name": found.get("ImageName") or config.get("Image", ""),
        "privileged": bool(host.get("Privileged")), "cgroup_parent": host.get("CgroupParent", ""),
        # Newer engines write the CAP_ that older ones leave out.
        "capabilities": sorted(name.replace("CAP_", "", 1) for name in host.get("CapAdd") or []),
        "security_opt": host.get("SecurityOpt") or [], "labels": config.get("Labels") or {},
        "restart_policy": (host.get("RestartPolicy") or {}).get("Name") or "no",
        # Neither less than nothing nor a default is a limit that somebody gave.
        "memory": host.get("Memory") or 0, "pids": max(host.get("PidsLimit") or 0, 0),
        "mounts": [{"name": m.get("Name", ""), "source": m.get("Source", ""), "target": m.get("Destination", "")} for m in found.get("Mounts") or []],
    }


class Docker:
    """Docker's Engine API (https://docs.docker.com/reference/api/engine/), of which 1.41 is the oldest that the roles take."""

    def __init__(self, url, timeout=60):
        if not url.startswith("unix://"):
            raise EngineError("%s is not unix:// and the path of docker's socket: services use the network of the host that their engine runs on" % url)
        self.path, self.timeout = url[len("unix://"):], timeout

    def request(self, method, path, body=None):
        """Return status and body of an answer."""
        connection = _Connection(self.path, self.timeout)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": "application/json"} if body is not None else {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, client.HTTPException) as error:
            raise EngineError(str(error) or error.__class__.__name__)
        finally:
            connection.close()

    def get(self, path):
        """Return an object, or None where there is none."""
        status, body = self.request("GET", path)
        if status == 404:
            return None
        if status != 200:
            raise EngineError("%s: %s %s" % (path, status, body.decode("utf-8", "replace").strip()))
        return json.loads(body.decode("utf-8"))

    def about(self):
        info = self.get("/info")
        status = [item for pair in info.get("DriverStatus") or [] for item in pair]
        return {"version": info.get("ServerVersion", ""), "cgroup_version": int(info.get("CgroupVersion") or 1), "cgroup_driver": info.get("CgroupDriver", ""),
                "root": info.get("DockerRootDir", ""),
                "limits": [name for name, key in (("memory_bytes", "MemoryLimit"), ("pids", "PidsLimit")) if info.get(key)],
                "containerd_images": "io.containerd.snapshotter.v1" in status}

    def container(self, name):
        found = self.get("/containers/%s/json" % name)
        return container_of(found) if found else dict(NO_CONTAINER)

    def labelled(self, label):
        query = '/containers/json?filters={"label":["%s"]}' % label
        return [{"name": c["Names"][0].lstrip("/"), "labels": c.get("Labels") or {}} for c in self.get(query.replace('"', "%22")) or []]

    def image(self, name):
        found = self.get("/images/%s/json" % name)
        return {"present": found is not None, "id": (found or {}).get("Id", ""), "labels": ((found or {}).get("Config") or {}).get("Labels") or {}}

    def volume(self, name):
        return (self.get("/volumes/%s" % name) or {}).get("Mountpoint", "")

    def set_aside(self, name, new):
        """Give a container another name, and have nobody start it again."""
        for path, body in (("/containers/%s/update" % name, {"RestartPolicy": {"Name": "no"}}), ("/containers/%s/rename?name=%s" % (name, new), None)):
            status, answer = self.request("POST", path, body)
            if status not in (200, 204):
                raise EngineError("%s: %s %s" % (path, status, answer.decode("utf-8", "replace").strip()))

    def execute(self, name, argv):
        """Run a command in a container; give exit code, standard output and standard error."""
        status, body = self.request("POST", "/containers/%s/exec" % name, {"Cmd": argv, "AttachStdout": True, "AttachStderr": True})
        if status != 201:
            return -1, "", body.decode("utf-8", "replace").strip()
        run = json.loads(body.decode("utf-8"))["Id"]
        status, stream = self.request("POST", "/exec/%s/start" % run, {"Detach": False, "Tty": False})
        if status != 200:
            return -1, "", stream.decode("utf-8", "replace").strip()
        out = {1: b"", 2: b""}
        while len(stream) >= 8:  # frames of stream, three zeros, length (ContainerAttach in the API's reference)
            kind, length = struct.unpack(">BxxxL", stream[:8])
            out[kind] = out.get(kind, b"") + stream[8:8 + length]
            stream = stream[8 + length:]
        code = (self.get("/exec/%s/json" % run) or {}).get("ExitCode")
        return -1 if code is None else code, out[1].decode("utf-8", "replace"), out[2].decode("utf-8", "replace")


class Podman:
    """Podman by its program, since no service of it needs to run."""

    def __init__(self, program, timeout=60):
        self.program, self.timeout = program, timeout

    def run(self, *argv):
        try:
            # run_command knows no limit of time. pylint: disable-next=ansible-bad-function
            process = subprocess.Popen((self.program,) + argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        except OSError as error:
            raise EngineError(str(error))
        try:
            out, err = process.communicate(timeout=self.timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise EngineError("%s %s did not end within %d s" % (self.program, argv[0], self.timeout))
        return process.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")

    def get(self, *argv):
        """Return what a command prints as JSON, or None if it fails."""
        code, out, _err = self.run(*argv)
        return json.loads(out) if code == 0 and out.strip() else None

    def about(self):
        code, out, err = self.run("info", "--format", "json")
        if code != 0:
            raise EngineError(err.strip())
        info = json.loads(out)
        host = info["host"]
        return {"version": info["version"]["Version"], "cgroup_version": int(host["cgroupVersion"].lstrip("v")), "cgroup_driver": host["cgroupManager"],
                "root": info["store"]["graphRoot"],
                "limits": [name for name, key in (("memory_bytes", "memory"), ("pids", "pids")) if key in (host.get("cgroupControllers") or [])],
                "containerd_images": False}

    def container(self, name):
        found = self.get("container", "inspect", name)
        return container_of(found[0]) if found else dict(NO_CONTAINER)

    def labelled(self, label):
        found = self.get("ps", "--filter", "label=" + label, "--format", "json")
        return [{"name": c["Names"][0], "labels": c.get("Labels") or {}} for c in found or []]

    def image(self, name):
        # Podman looks for an ID without its algorithm.
        found = self.get("image", "inspect", name[len("sha256:"):] if name.startswith("sha256:") else name)
        return {"present": bool(found), "id": with_prefix(found[0]["Id"]) if found else "", "labels": (found[0].get("Labels") if found else None) or {}}

    def volume(self, name):
        found = self.get("volume", "inspect", name)
        return found[0]["Mountpoint"] if found else ""

    def set_aside(self, name, new):
        """Give a container another name. Podman has no daemon that would start it again."""
        code, _out, err = self.run("rename", name, new)
        if code != 0:
            raise EngineError(err.strip())

    def execute(self, name, argv):
        code, out, err = self.run("exec", name, *argv)
        # 125: podman itself failed, see podman-exec(1).
        return -1 if code == 125 else code, out, err


def engine_of(parameters, timeout=60):
    """Return the engine that a module's parameters name."""
    if parameters["engine"] == "podman":
        return Podman(parameters["podman"], timeout)
    return Docker(parameters["docker_host"], timeout)
