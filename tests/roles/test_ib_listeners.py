"""What module ib_listeners reads from the kernel."""

import contextlib
import json
import os
import pathlib
import socket

import pytest

from test_partition_faults import PLUGINS

MODULE = PLUGINS.parent / "module_utils" / "listeners.py"


@pytest.fixture(scope="module")
def module():
    import importlib.util
    spec = importlib.util.spec_from_file_location("listeners", MODULE)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


# sys.byteorder of the machine that this was taken from is the only one that
# Debian builds for here.
@pytest.mark.parametrize("text,want", [
    ("0100007F:1F40", ("127.0.0.1", 8000)),
    ("00000000:01BB", ("0.0.0.0", 443)),
    ("00000000000000000000000000000000:0050", ("::", 80)),
    ("0000000000000000FFFF00000100007F:1F40", ("::ffff:127.0.0.1", 8000)),
    ("B80D0120000000000000000001000000:0016", ("2001:db8::1", 22)),
])
def test_address(module, text, want):
    assert module.parse_address(text) == want


@contextlib.contextmanager
def bound(family, kind, address):
    with socket.socket(family, kind) as sock:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((address, 0))
        if kind == socket.SOCK_STREAM:
            sock.listen()
        yield sock.getsockname()[1]


@pytest.mark.parametrize("protocol,family,kind,address", [
    ("tcp", socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1"),
    ("tcp", socket.AF_INET, socket.SOCK_STREAM, "0.0.0.0"),
    ("tcp", socket.AF_INET6, socket.SOCK_STREAM, "::1"),
    ("udp", socket.AF_INET, socket.SOCK_DGRAM, "127.0.0.1"),
    ("udp", socket.AF_INET6, socket.SOCK_DGRAM, "::"),
], ids=str)
def test_listener(module, protocol, family, kind, address):
    with bound(family, kind, address) as number:
        mine = [entry for entry in module.listeners([number]) if (entry["protocol"], entry["port"]) == (protocol, number)]
        blind = [entry for entry in module.listeners([]) if (entry["protocol"], entry["port"]) == (protocol, number)]
    assert len(mine) == 1
    assert (mine[0]["address"], mine[0]["pid"]) == (address, os.getpid())
    assert mine[0]["process"] == pathlib.Path("/proc/self/comm").read_text().strip()
    assert mine[0]["cgroups"] == [line.split(":", 2)[2] for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines()]
    # Nobody asked for its process.
    assert (blind[0]["pid"], blind[0]["cgroups"]) == (0, [])


def test_what_does_not_listen(module):
    with bound(socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1") as number, \
            socket.create_connection(("127.0.0.1", number)) as client, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.connect(("127.0.0.1", number))
        ports = {(entry["protocol"], entry["port"]) for entry in module.listeners([])}
        assert ("tcp", number) in ports
        assert ("tcp", client.getsockname()[1]) not in ports
        assert ("udp", peer.getsockname()[1]) not in ports


# A kernel without IPv6, a process that ends while it is looked at.
def test_what_is_not_there(module, tmp_path):
    (tmp_path / "self" / "net").mkdir(parents=True)
    (tmp_path / "self" / "net" / "tcp").write_text(
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
        "   0: 00000000:01BB 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0\n"
        "   1: 00000000:0016 00000000:0000 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 100 0 0 10 0\n")
    (tmp_path / "12").mkdir()
    assert module.listeners([443], proc=str(tmp_path)) == [
        {"protocol": "tcp", "address": "0.0.0.0", "port": 443, "pid": 0, "process": "", "cgroups": []}]


def test_as_a_module(ansible):
    with bound(socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1") as number:
        done = ansible("ansible", "localhost", "-c", "local", "-m", "ibforge.fabric.ib_listeners",
                       "-a", json.dumps({"ports": [number]}), "--check")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.split("=>", 1)[1])
    assert not found["changed"]
    assert [entry["pid"] for entry in found["listeners"] if entry["port"] == number] == [os.getpid()]
