# Copyright the ibforge authors
# SPDX-License-Identifier: Apache-2.0
"""What a fabric service wants to know of its host, read from /proc and files."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import glob
import hashlib
import json
import os


def read(path):
    """Return a file's text, empty where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read().decode("utf-8", "replace")
    except (IOError, OSError):
        return ""


def modules(release):
    """Return the names of kernel modules that are loaded or built in."""
    loaded = [line.split()[0] for line in read("/proc/modules").splitlines() if line]
    builtin = [os.path.basename(line).split(".ko")[0] for line in read("/lib/modules/%s/modules.builtin" % release).splitlines()]
    return sorted({name.replace("-", "_") for name in loaded + builtin})


def stat(path):
    """Return what is at a path: kind, mode and, for a file, its SHA-256 and how full its file system is."""
    try:
        found = os.stat(path)
    except OSError:
        return {"exists": False, "directory": False, "mode": "", "sha256": ""}
    result = {"exists": True, "directory": os.path.isdir(path), "mode": "%04o" % (found.st_mode & 0o7777), "sha256": ""}
    if os.path.isfile(path):
        try:
            with open(path, "rb") as file:
                result["sha256"] = hashlib.sha256(file.read()).hexdigest()
        except (IOError, OSError):
            pass
    return result


def free(path):
    """Return the bytes that are free for root where a path is, or will be."""
    while not os.path.exists(path) and path != "/":
        path = os.path.dirname(path)
    found = os.statvfs(path)
    return found.f_frsize * found.f_bfree


def processes(command):
    """Return PID and control groups of the processes that are called so."""
    found = []
    for path in glob.glob("/proc/[0-9]*/comm"):
        if read(path).rstrip("\n") == command:
            directory = os.path.dirname(path)
            found.append({"pid": int(os.path.basename(directory)), "cgroup": read(os.path.join(directory, "cgroup"))})
    return sorted(found, key=lambda process: process["pid"])


def enabled(module, units):
    """Return those units that systemd starts at boot."""
    systemctl = module.get_bin_path("systemctl")
    if not units or not systemctl:  # no systemd, no units
        return []
    # One line for each unit that there is; for the others, a complaint.
    out = module.run_command([systemctl, "is-enabled"] + units)[1].split()
    return ["enabled"] * out.count("enabled")


def port_maps(directory, own):
    """Return service and ports of each port map but the own one."""
    found = []
    for path in sorted(glob.glob(os.path.join(directory, "*.json"))):
        if os.path.basename(path) == own + ".json":
            continue
        try:
            port_map = json.loads(read(path))
            found.append({"service": port_map["service"], "ports": port_map["ports"]})
        except (KeyError, TypeError, ValueError):
            found.append({"service": path, "ports": []})
    return found
