"""The OpenSM image's programs, on a fabric and a systemd that are told what to say."""

import os
import pathlib
import stat
import subprocess

import pytest

PROGRAMS = pathlib.Path(__file__).parents[2] / "images/opensm/rootfs/usr/libexec/ibforge"
# The top bit of both is set, which a number of the shell has no room for.
OWN, OTHER = "0xf45214030038aa01", "0xf45214030038aa02"
PARTITIONS = "Default=0x7fff: ALL=full;\nibforge-config={}: SELF=full;\n"
FAKE = """#!/bin/sh
echo "${0##*/} $*" >>"$FAKES/calls"
%s
"""
FAKES = {
    "ibstat": f"printf \"CA 'mlx5_0'\\n\\tPort 1:\\n\\t\\tState: Active\\n\\t\\tBase lid: 3\\n\\t\\tPort GUID: {OWN}\\n\\t\\tLink layer: InfiniBand\\n\"",
    # A MAD is lost now and then: the first answer never comes.
    "sminfo": 'mkdir "$FAKES/lost" 2>/dev/null && exit 1\ncase "$*" in *" 3") echo "state 2 $(cat "$FAKES/own")"; exit;; esac\n[ -s "$FAKES/master" ] || { echo "query failed"; exit 1; }\n'
              'echo "sminfo: sm lid 7 sm guid $(cat "$FAKES/master"), activity count 9 priority 14 state 3 SMINFO_MASTER"',
    "smpquery": 'cat "$FAKES/pkeys"',
    "systemctl": 'case "$*" in *is-active*) [ -e "$FAKES/active" ];; stop*) rm "$FAKES/active";; esac',
    "sleep": "",
}


class Port:
    """One port, its files and what it sees."""

    def __init__(self, directory):
        self.directory = directory
        self.programs, self.etc = directory / "bin", directory / "etc"
        for folder in (self.programs, self.etc):
            folder.mkdir()
        for name, body in FAKES.items():
            program = self.programs / name
            program.write_text(FAKE % body)
            program.chmod(0o755)
        (self.etc / "opensm.conf").write_text("sm_priority 3\n")
        self.render("0x7123")
        self.sees(None)
        (directory / "own").write_text("SMINFO_STANDBY")

    def render(self, mark, partitions=PARTITIONS):
        (self.etc / "partitions.conf").write_text(partitions.format(mark))

    def sees(self, master, *pkeys):
        (self.directory / "master").write_text(master or "")
        table = " ".join(pkeys) or "0xffff 0x0000"
        (self.directory / "pkeys").write_text(f"   0: {table} 0x0000\n128 pkeys capacity for this port\n")

    def active(self, running=True):
        (self.directory / "active").touch() if running else (self.directory / "active").unlink(missing_ok=True)

    def run(self, name, *arguments, **environment):
        return subprocess.run([PROGRAMS / name, *arguments], text=True, capture_output=True, check=False, env={
            "PATH": f"{self.programs}:{os.environ['PATH']}", "FAKES": str(self.directory), "OPENSM_ETC": str(self.etc),
            "OPENSM_CACHE": str(self.directory / "cache"), "OPENSM_STATE": str(self.directory / "run"), **environment})

    def gate(self, **environment):
        return self.run("opensm-gate", OWN, **environment)

    def calls(self, name):
        """Return the calls of a program, as lines."""
        log = self.directory / "calls"
        return [line for line in log.read_text().splitlines() if line.startswith(name)] if log.exists() else []


@pytest.fixture
def port(tmp_path):
    return Port(tmp_path)


def test_starts_where_nobody_is_master(port):
    done = port.gate(SETTLE_SECONDS="1")
    assert done.returncode == 0, done
    assert len(port.calls("sminfo")) > 3  # it has looked again before it believed that


def test_starts_beside_a_master_of_the_same_configuration(port):
    port.sees(OTHER, "0xffff", "0xf123")
    assert port.gate().returncode == 0
    assert port.calls("smpquery") == ["smpquery -C mlx5_0 -P 1 -t 500 pkeys 7"]


@pytest.mark.parametrize("pkeys", [["0xffff"], ["0xffff", "0xf124"], ["0xffff", "0x7123"]])
def test_refuses_beside_a_master_of_another_configuration(port, pkeys):
    port.sees(OTHER, *pkeys)
    done = port.gate()
    assert done.returncode == 1
    assert OTHER in done.stdout and "0x7123" in done.stdout and pkeys[-1] in done.stdout


def test_a_host_that_was_away_stays_out_when_the_master_dies(port):
    port.sees(OTHER, "0xffff", "0xf124")
    assert port.gate().returncode == 1
    port.sees(None)
    for _ in range(2):
        done = port.gate()
        assert done.returncode == 1 and "older" in done.stdout
    # Another priority is no other configuration; other partitions are.
    (port.etc / "opensm.conf").write_text("sm_priority 9\n")
    assert port.gate().returncode == 1
    port.render("0x7124")
    assert port.gate().returncode == 0


def test_a_configuration_that_came_back_is_no_longer_old(port):
    port.sees(OTHER, "0xffff", "0xf124")
    port.gate()
    port.sees(OTHER, "0xffff", "0xf123")
    assert port.gate().returncode == 0
    port.sees(None)
    assert port.gate().returncode == 0


def test_without_a_mark_nothing_is_compared(port):
    port.render("", "Default=0x7fff: ALL=full;\n")
    port.sees(OTHER, "0xffff")
    assert port.gate().returncode == 0
    port.active()
    assert port.run("opensm-health").returncode == 0


def test_another_manager_of_this_very_port(port):
    port.sees(OWN)
    done = port.gate()
    assert done.returncode == 1 and "stop it" in done.stdout


def test_health(port):
    port.active()
    assert "no master" in port.run("opensm-health").stdout
    port.sees(OWN)
    assert "master" in port.run("opensm-health").stdout
    port.sees(OTHER, "0xffff", "0xf123")
    done = port.run("opensm-health")
    assert done.returncode == 0 and "standby" in done.stdout
    (port.directory / "own").write_text("SMINFO_DISCOVER")
    done = port.run("opensm-health")
    assert done.returncode == 1 and "does not stand by: state 2 SMINFO_DISCOVER" in done.stdout
    port.sees(OTHER, "0xffff", "0xf124")
    done = port.run("opensm-health")
    assert done.returncode == 1 and OTHER in done.stdout


def test_leading_zeros_make_no_other_port(port):
    ibstat = port.programs / "ibstat"
    short = "0x0002c903000e0b72"
    ibstat.write_text(ibstat.read_text().replace(OWN, short))
    port.active()
    port.sees("0x2c903000e0b72")
    assert f"port {short}: master" in port.run("opensm-health").stdout


def test_an_ethernet_port_is_not_served(port):
    ibstat = port.programs / "ibstat"
    ethernet = "0xe41d2dfffe8e1a5b"
    ibstat.write_text(ibstat.read_text() + f'\nprintf "\\tPort 2:\\n\\t\\tPort GUID: {ethernet}\\n\\t\\tLink layer: Ethernet\\n"\n')
    port.active()
    port.sees(OWN)
    done = port.run("opensm-health")
    assert done.returncode == 0 and f"port {OWN}: master" in done.stdout and ethernet not in done.stdout, done.stdout
    ibstat.write_text("#!/bin/sh\necho no /dev/infiniband\nexit 1\n")
    done = port.run("opensm-health")
    assert done.returncode == 1 and "ibstat: no /dev/infiniband" in done.stdout, done.stdout


def test_health_says_why_nothing_runs(port):
    port.sees(OTHER, "0xffff")
    port.gate()
    done = port.run("opensm-health")
    assert done.returncode == 1 and "another configuration" in done.stdout


def test_a_late_standby_is_stopped_and_comes_back(port):
    port.active()
    port.sees(OTHER, "0xffff", "0xf124")
    for expected in (0, 0, 1):
        port.run("opensm-watch")
        assert len(port.calls(f"systemctl stop opensm@{OWN}")) == expected
    port.sees(None)
    port.run("opensm-watch")
    assert not port.calls("systemctl start")
    port.sees(OTHER, "0xffff", "0xf123")
    port.run("opensm-watch")
    assert port.calls("systemctl start") == [f"systemctl start --no-block opensm@{OWN}.service"]


def test_a_short_disagreement_stops_nothing(port):
    port.active()
    for mark in ("0xf124", "0xf124", "0xf123", "0xf124", "0xf124"):
        port.sees(OTHER, "0xffff", mark)
        port.run("opensm-watch")
    assert not port.calls("systemctl stop")


def test_reload_takes_the_files_for_current(port):
    port.sees(OTHER, "0xffff", "0xf124")
    port.gate()
    port.sees(None)
    assert port.run("opensm-reload").returncode == 0
    assert port.calls("systemctl start")
    assert port.gate().returncode == 0
    port.active()
    port.run("opensm-reload")
    assert port.calls("systemctl reload") == [f"systemctl reload opensm@{OWN}.service"]


def test_each_port_has_the_files_of_its_fabric(port):
    fabric = port.etc / "storage"
    fabric.mkdir()
    for name in ("opensm.conf", "partitions.conf"):
        (port.etc / name).rename(fabric / name)
    done = port.run("opensm-ports")
    assert done.returncode != 0 and "opensm.conf is missing" in done.stderr
    (fabric / "ports").write_text(f"{OTHER}\n{OWN}\n")
    assert port.run("opensm-ports").returncode == 0
    port.sees(OTHER, "0xffff")
    assert port.gate().returncode == 1


def test_no_partition_no_start(port):
    (port.etc / "partitions.conf").write_text("# nothing\n")
    done = port.run("opensm-ports")
    assert done.returncode != 0 and "full member" in done.stderr


def test_the_m_key_is_on_no_command_line(port):
    (port.etc / "opensm.conf").write_text("m_key 0x1234abcd\n")
    port.sees(OTHER, "0xffff", "0xf123")
    assert port.gate().returncode == 0
    assert not [call for call in port.calls("s") if "1234abcd" in call]
    secret = port.directory / "run" / f"{OWN}.diag"
    assert secret.read_text() == "m_key=0x1234abcd\n"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
