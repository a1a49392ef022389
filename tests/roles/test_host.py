"""What the roles find on a host, and what they do not do there: engines are Recorders."""

import contextlib
import hashlib
import json
import os
import pathlib
import socket
import sys

import pytest

from conftest import HERE, ROOT
from engine import Recorder, container

ID = "sha256:" + "0" * 64


def own_segment():
    """Return a part of this process's cgroup, which only the engine could make in the name of a container."""
    paths = [line.split(":", 2)[2] for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines()]
    return next((part for path in paths for part in path.split("/") if part), None)


@pytest.fixture
def private(tmp_path):
    """Paths of the roles' own, put below the test's directory."""
    return {"_ib_service_port_map_dir": str(tmp_path / "portmap.d"),
            "_ib_service_agent": str(tmp_path / "libexec" / "ibforge-portmap"),
            "_ib_service_agent_pins": str(tmp_path / "pins"),
            "_ib_service_part": str(tmp_path / "part"),
            "_ib_service_kernel_files": "{{ kernel_files | default(['/proc/sys/kernel/osrelease', '/proc/self/mounts']) }}"}


@pytest.fixture
def agent(tmp_path):
    """An agent that notes how it was called, and has it fail if a file says so."""
    path = tmp_path / "agent"
    path.write_text(f"#!/bin/sh\necho \"$*\" >>{tmp_path}/calls\n[ -e {tmp_path}/fail ] || exec echo 'ib_opensm: attached, 9 hooks'\n"
                    "echo 'no rights to load BPF programs' >&2; exit 1\n")
    return {"path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def test_precheck(ansible, private, agent, tmp_path):
    maps = tmp_path / "portmap.d"
    maps.mkdir()
    (maps / "ib_x.json").write_text(json.dumps({"service": "ib_x", "ports": [
        {"name": "rest", "protocol": "tcp", "listens": 8000, "host": 9292, "via": "socket"}]}))
    # Its own, of before.
    (maps / "ib_opensm.json").write_text(json.dumps({"service": "ib_opensm", "ports": [
        {"name": "web", "protocol": "tcp", "listens": 443, "host": 9494, "via": "socket"}]}))
    ufm = {"ib_ufm": container("ib_ufm", excludes="subnet-manager,other")}
    own = {"ib_opensm": {**container("ib_opensm", excludes="subnet-manager"), "Id": own_segment() or "0" * 64}}
    kernel = tmp_path / "kernel"
    kernel.mkdir()
    (kernel / "osrelease").write_text("5.7.19-generic\n")
    (kernel / "mounts").write_text("cgroup /sys/fs/cgroup/pids cgroup rw,relatime,pids 0 0\n/dev/sda1 /cgroup2 ext4 rw 0 0\n")
    with contextlib.ExitStack() as stack:
        engines = {name: stack.enter_context(Recorder(images=[ID], **more)) for name, more in {
            "v1": {}, "v2": {"info": {"CgroupVersion": "2"}}, "ufm": {"containers": ufm}, "own": {"containers": own}}.items()}
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        given = {"old_kernel": [str(kernel / "osrelease"), str(kernel / "mounts")], "engines": {name: engine.url for name, engine in engines.items()}, "agent": agent,
                 "own": {
            "pid": os.getpid(), "process": pathlib.Path("/proc/self/comm").read_text().strip(), "port": listener.getsockname()[1]}}
        # Without cgroups there is nothing to tell the own process by.
        limit = [] if own_segment() else ["--limit", "all:!port-of-its-own"]
        done = ansible("ansible-playbook", "-i", "bad_host.inventory.yml", "-e", json.dumps(given | private), *limit, "bad_input.yml")
        assert done.returncode == 0, done.stdout + done.stderr
        assert [engine.changes for engine in engines.values()] == [[], [], [], []]
    assert done.stdout.count("rescued=1") == 12 and done.stdout.count("rescued=0") == 4 + (own_segment() is not None), done.stdout
    assert "changed=0" in done.stdout and "changed=1" not in done.stdout
    # Nothing was written on the host, and the agent was not run.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["agent", "kernel", "portmap.d"]


@pytest.fixture
def deploy(ansible, private, tmp_path):
    """Deploys a service to an engine that refuses all changes, so that the run ends there."""
    contract = json.loads((HERE / "contract.json").read_text())

    def run(role, variables, *arguments, **more):
        with Recorder(images=[ID]) as engine:
            inventory = tmp_path / "inventory.json"
            inventory.write_text(json.dumps({role: {"hosts": {"node": {
                "ansible_connection": "local", "ansible_python_interpreter": sys.executable, "ibforge_become": False,
                f"{role}_docker_host": engine.url, f"{role}_image_source": "present", f"{role}_config_dir": str(tmp_path / "etc"),
                f"{role}_simulated_fabric": True, "ibforge_images": {role[3:]: {"id": ID, "contract": contract | {"image": role[3:]} | more}},
                **variables}}}}))
            done = ansible("ansible-playbook", "-i", str(inventory), "-e", json.dumps(private), *arguments, "ibforge.fabric.reconfigure")
            done.changes = engine.changes
            return done

    return run


# The roles write to root's files.
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="the roles are run as root")


# Never on a port that is somebody else's: no hooks, no container.
@needs_root
@pytest.mark.skipif(pathlib.Path("/run/systemd/system").exists(), reason="would write a unit for the systemd that runs this host")
def test_no_container_without_hooks(deploy, agent, tmp_path):
    def hooked(*arguments):
        return deploy("ib_opensm", {"ib_service_ports": {"https": 9443}, "ibforge_portmap": agent}, *arguments,
                      ports=json.loads((HERE / "ports.json").read_text()))

    (tmp_path / "fail").touch()
    done = hooked()
    assert done.returncode == 2 and "no rights to load BPF programs" in done.stdout, done.stdout
    assert done.changes == []
    port_map = tmp_path / "portmap.d" / "ib_opensm.json"
    assert (tmp_path / "calls").read_text() == f"attach {port_map}\n"

    # What the agent was given is what the builder's types read.
    written = json.loads(port_map.read_text())
    assert {key: written[key] for key in written if key != "ports"} == {"version": 1, "service": "ib_opensm", "cgroup": "/ibforge-ib_opensm"}
    ports = json.loads((HERE / "ports.json").read_text())
    ports[0]["host"] = 9443
    assert written["ports"] == ports
    assert port_map.stat().st_mode & 0o777 == 0o644
    assert os.stat(tmp_path / "libexec" / "ibforge-portmap").st_mode & 0o777 == 0o755

    # With its hooks it is made, below the cgroup that they are on.
    (tmp_path / "fail").unlink()
    done = hooked()
    (path, asked), = done.changes
    assert "/containers/create" in path, done.stdout
    assert asked["HostConfig"]["CgroupParent"] == "/ibforge-ib_opensm"
    assert f"{port_map}:/etc/ibforge/ports.json:ro" in asked["HostConfig"]["Binds"]
    label = asked["Labels"]["io.ibforge.ports"]
    assert len(label) == 64

    # --check attaches nothing, and tells.
    (tmp_path / "calls").unlink()
    (tmp_path / "fail").touch()
    done = hooked("--check")
    assert (tmp_path / "calls").read_text() == f"check {port_map}\n"
    assert "changed: [node]" in done.stdout.split("Tell what a run without --check would attach")[1].split("TASK")[0]
    assert done.changes == []


@needs_root
def test_agent_of_another_build_is_not_copied(deploy, agent, tmp_path):
    done = deploy("ib_opensm", {"ibforge_portmap": agent | {"sha256": "00"}}, ports=json.loads((HERE / "ports.json").read_text()))
    assert done.returncode == 2 and "instead of 00: it is of another build" in done.stdout, done.stdout
    assert done.changes == [] and not (tmp_path / "libexec").exists()


def modes(directory):
    return {str(path.relative_to(directory)): oct(path.stat().st_mode & 0o777) for path in [directory, *directory.rglob("*")]}


@needs_root
def test_configuration_of_ufm(deploy, tmp_path):
    etc, credentials = tmp_path / "etc", tmp_path / "credentials" / "ufm"
    licence = tmp_path / "site.lic"
    licence.write_text("a licence in name only")
    variables = {"ib_ufm_licenses": [str(licence)], "ib_ufm_credentials_file": str(credentials), "ib_ufm_fabric_interface": "ib1",
                 "ib_ufm_gv_cfg": {"*": {"randomize_sa_key": True}, "Notifications": {"snmp_listeners": ""}}}
    volumes = [{"name": "config", "path": "/etc/ibforge/ufm", "host": "/etc/ibforge/ufm", "read_only": True},
               {"name": "licenses", "path": "/opt/ufm/files/licenses", "host": "/etc/ibforge/ufm/licenses", "read_only": True}]

    # --check makes no password either.
    done = deploy("ib_ufm", variables, "--check", volumes=volumes)
    assert done.returncode == 0, done.stdout
    assert not etc.exists() and not credentials.exists()

    done = deploy("ib_ufm", variables, volumes=volumes)
    (path, asked), = done.changes
    assert "/containers/create" in path, done.stdout
    assert {f"{etc}:/etc/ibforge/ufm:ro", f"{etc}/licenses:/opt/ufm/files/licenses:ro"} <= set(asked["HostConfig"]["Binds"])
    assert modes(etc) == {".": "0o700", "licenses": "0o700", "licenses/site.lic": "0o600", "gv.cfg": "0o600", "admin_password": "0o600"}
    assert modes(credentials.parent) == {".": "0o700", "ufm": "0o600"}
    password = credentials.read_text()
    assert len(password.strip()) == 30 and password.strip().isalnum()
    assert (etc / "admin_password").read_text() == password
    assert (etc / "gv.cfg").read_text().split("starts.\n")[1] == (
        "\n[*]\nfabric_interface = ib1\nrandomize_sa_key = true\n\n[MngNetwork]\ndefault_membership = limited\n"
        "\n[Notifications]\nsnmp_listeners = \n")
    assert password.strip() not in done.stdout and "licence in name" not in done.stdout and password.strip() not in json.dumps(asked)

    # It is made once. What changes one of the other files makes another container.
    label = asked["Labels"]["io.ibforge.ufm.config"]
    licence.write_text("another licence")
    done = deploy("ib_ufm", variables, volumes=volumes)
    assert (etc / "admin_password").read_text() == password
    assert done.changes[0][1]["Labels"]["io.ibforge.ufm.config"] != label


# A password that is generated while the password of a vault is given is kept encrypted with it.
@needs_root
def test_password_in_a_vault(deploy, tmp_path):
    etc, credentials, vault = tmp_path / "etc", tmp_path / "credentials", tmp_path / "vault-password"
    vault.write_text("correct horse battery staple\n")
    given = ["--vault-password-file", str(vault)]
    variables = {"ib_neo_credentials_file": str(credentials / "neo")}
    more = {"volumes": [{"name": "config", "path": "/etc/ibforge/neo", "host": "/etc/ibforge/neo", "read_only": True}], "devices": [], "modules": []}

    done = deploy("ib_neo", variables, *given, **more)
    assert len(done.changes) == 1, done.stdout
    kept = (credentials / "neo").read_text()
    password = (etc / "admin_password").read_text().strip()
    assert kept.startswith("$ANSIBLE_VAULT;1.1;AES256\n") and password not in kept
    assert modes(credentials) == {".": "0o700", "neo": "0o600"}
    assert len(password) == 20 and password.isalnum() and password not in done.stdout

    # It is read again, and stays.
    done = deploy("ib_neo", variables, *given, **more)
    assert (etc / "admin_password").read_text().strip() == password and (credentials / "neo").read_text() == kept
    assert "Copy certificate and password" not in done.stdout

    # Without the vault's password nothing is written, nor generated anew.
    done = deploy("ib_neo", variables, **more)
    assert done.returncode == 2 and done.changes == []
    assert f"the file {credentials}/neo is encrypted and cannot be decrypted: pass the password of its vault" in done.stdout
    assert (credentials / "neo").read_text() == kept

    # The operator's choice among several, as ansible-vault itself makes it.
    (credentials / "neo").unlink()
    done = deploy("ib_neo", variables, "--vault-id", f"site@{vault}", **more)
    assert len(done.changes) == 1, done.stdout
    assert (credentials / "neo").read_text().startswith("$ANSIBLE_VAULT;1.2;AES256;site\n")


@needs_root
def test_files_of_the_operator(deploy, tmp_path):
    etc, config = tmp_path / "etc", tmp_path / "config"
    licence = tmp_path / "site.lic"
    licence.write_bytes(b"not \xff UTF-8\n")
    (config / "ufm" / "node").mkdir(parents=True)
    (config / "ufm" / "gv.cfg").write_text("[Logging]\nsyslog = true\nsyslog_addr = 192.0.2.1:514\n")
    (config / "ufm" / "node" / "gv.cfg").write_text("[Logging]\nsyslog_addr = {{ collector }}\n")
    (config / "neo").mkdir()
    (config / "neo" / "syslog.json").write_text(json.dumps({"event_log": {"severity": "DEBUG"}}))
    common = {"ibforge_config_dirs": [str(config)], "collector": "192.0.2.9:514"}

    done = deploy("ib_ufm", common | {"ib_ufm_licenses": [str(licence)], "ib_ufm_admin_password": "hunter2_hunter2",
                                      "ib_ufm_gv_cfg": {"Logging": {"syslog": False, "ufm_syslog": True}}},
                  volumes=[{"name": "config", "path": "/a", "host": "/a", "read_only": True}, {"name": "licenses", "path": "/b", "host": "/b", "read_only": True}])
    assert len(done.changes) == 1, done.stdout
    assert "[Logging]\nsyslog = true\nsyslog_addr = 192.0.2.9:514\nufm_syslog = true\n" in (etc / "gv.cfg").read_text()
    assert (etc / "licenses" / "site.lic").read_bytes() == licence.read_bytes()

    done = deploy("ib_neo", common | {"ib_neo_admin_password": "correct-horse-20", "ib_neo_config_dir": str(tmp_path / "neo"), "ib_neo_syslog_severity": "ERROR"},
                  volumes=[{"name": "config", "path": "/a", "host": "/a", "read_only": True}], devices=[], modules=[])
    assert len(done.changes) == 1, done.stdout
    written = json.loads((tmp_path / "neo" / "syslog.json").read_text())
    assert written["event_log"] == {"active": True, "severity": "DEBUG"} and written["web_info_log"]["severity"] == "ERROR"


@needs_root
def test_configuration_of_neo(deploy, tmp_path):
    etc = tmp_path / "etc"
    # Of a run that was killed while it brought the image.
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "image.tar").touch()
    volumes = [{"name": "config", "path": "/etc/ibforge/neo", "host": "/etc/ibforge/neo", "read_only": True}]
    done = deploy("ib_neo", {"ib_neo_admin_password": "correct-horse-20", "ib_neo_syslog_severity": "ERROR",
                             "ib_neo_syslog_destinations": [{"address": "192.0.2.5"}, {"address": "192.0.2.6", "port": 601, "protocol": "tcp"}]},
                  volumes=volumes, devices=[], modules=[])
    assert len(done.changes) == 1, done.stdout
    assert not (tmp_path / "part").exists()
    assert modes(etc) == {".": "0o700", "syslog.json": "0o600", "admin_password": "0o600"}
    assert (etc / "admin_password").read_text() == "correct-horse-20\n"
    log = {"active": True, "severity": "ERROR"}
    assert json.loads((etc / "syslog.json").read_text()) == {
        "mode": True, "web_info_log": log, "event_log": log, "controller_log": log, "destination": [
            {"ip": "192.0.2.5", "port": "514", "protocol": "udp", "severity": "INFO"},
            {"ip": "192.0.2.6", "port": "601", "protocol": "tcp", "severity": "INFO"}]}
    assert "correct-horse-20" not in done.stdout


# The unit is the agent's own.
def test_unit():
    theirs = (ROOT / "cmd" / "ibforge-portmap" / "ibforge-portmap.service").read_text()
    ours = (ROOT / "roles" / "ib_service" / "templates" / "ibforge-portmap.service.j2").read_text()
    ours = ours.replace("{{ _ib_service_port_map_dir }}", "/etc/ibforge/portmap.d")
    assert ours == theirs.replace("/usr/local/libexec/ibforge/ibforge-portmap", "{{ _ib_service_agent }}")
