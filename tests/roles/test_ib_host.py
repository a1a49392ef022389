"""Role ib_host and module ib_host_info, on hosts that are a directory with /proc, /sys, /dev and /etc."""

import json
import os
import pathlib
import sys

import pytest

from conftest import HERE
from engine import Recorder, container

FIRST, SECOND = "0x0002c903000e0b73", "0x0002c903000e0b74"
SOUND_CLOCK = {"date": "2026-06-01", "year": 2026, "synchronised": True}
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="the role writes root's files")


def write(root, files):
    """Make files below a directory, and links where the text says so; None stands for a directory."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            path.mkdir()
        elif text.startswith("-> "):
            path.symlink_to(text[3:])
        else:
            path.write_text(text)


def adapter(address="0000:3b:00.0", driver="mlx5_core"):
    path = f"sys/bus/pci/devices/{address}"
    files = {f"{path}/vendor": "0x15b3\n", f"{path}/class": "0x020700\n"}
    return files | ({f"{path}/driver": f"-> ../../../bus/pci/drivers/{driver}"} if driver else {})


def port(number, guid, state="4: ACTIVE", physical="5: LinkUp", layer="InfiniBand", device="mlx5_0"):
    path, digits = f"sys/class/infiniband/{device}/ports/{number}", guid[2:]
    half = ":".join(digits[i:i + 4] for i in range(0, 16, 4))
    return {f"sys/class/infiniband/{device}/node_guid": "0002:c903:000e:0b72\n", f"{path}/gids/0": f"fe80:0000:0000:0000:{half}\n",
            f"{path}/state": state + "\n", f"{path}/phys_state": physical + "\n", f"{path}/rate": "100 Gb/sec (4X EDR)\n",
            f"{path}/link_layer": layer + "\n", f"{path}/lid": "0x11\n", f"{path}/sm_lid": "0x1\n"}


def devices(number, index=0, device="mlx5_0"):
    files = {}
    for kind in ("umad", "issm"):
        path = f"sys/class/infiniband_mad/{kind}{index}"
        files |= {f"{path}/ibdev": device + "\n", f"{path}/port": f"{number}\n", f"dev/infiniband/{kind}{index}": ""}
    return files


def loaded(*names):
    return {f"sys/module/{name}": None for name in names}


# ib_ipoib is built in.
KERNEL = {"proc/sys/kernel/osrelease": "6.1.0-test\n", "lib/modules/6.1.0-test/modules.builtin": "kernel/drivers/infiniband/ulp/ipoib/ib_ipoib.ko\n",
          "etc/modules-load.d/site.conf": "bonding\n", "var/lib/docker/x": ""}
DRIVERS = loaded("ib_umad", "mlx5_ib")
READY = KERNEL | DRIVERS | adapter() | port(1, FIRST) | devices(1)


def process(pid, cgroup):
    return {f"proc/{pid}/comm": "opensm\n", f"proc/{pid}/cgroup": f"12:pids:{cgroup}\n0::{cgroup}\n"}


def without(files, *prefixes):
    return {name: text for name, text in files.items() if not name.startswith(prefixes)}


WANTS = "etc/systemd/system/multi-user.target.wants"
KAYOBE = container("opensm")
del KAYOBE["Config"]["Labels"]["io.ibforge.service"]
OURS = container("ib_opensm", excludes="subnet-manager")

# Per host: files, variables of the role, and the words that are wanted; the
# first of which says how many faults there are.
CASES = {
    "ready": (READY, {}, []),
    "first-deploy": (READY | port(1, FIRST, state="2: INIT"), {}, []),
    "second-port-down": (READY | port(2, SECOND, "1: DOWN", "2: Polling") | devices(2, 1), {}, []),
    "check-of-init": (READY | port(1, FIRST, state="2: INIT") | {"etc/modules-load.d/ibforge.conf": "x"}, {"ib_host_action": "check"}, [
        "(2)", f"mlx5_0 port 1 ({FIRST}) is INIT, LinkUp: no subnet manager has brought it up",
        "/etc/modules-load.d/ibforge.conf is not what ib_host writes"]),
    "wanted-port-down": (READY | port(2, SECOND, "1: DOWN", "3: Disabled") | devices(2, 1), {"ib_opensm_port_guids": [SECOND, "0x0002C903000E0B99"]}, [
        "(2)", f'({SECOND}) is DOWN, Disabled: enable it with "ibportstate -C mlx5_0 -P 2 -D 0 2 enable"',
        f"no InfiniBand port of this host has the GUID 0x0002c903000e0b99; there are: {FIRST}, {SECOND}"]),
    "fabric-port-unknown": (READY, {"ib_opensm_fabrics": {"a": {"port_guids": [FIRST]}, "b": {"port_guids": [SECOND]}, "c": {}}}, [
        "(1)", f"has the GUID {SECOND}"]),
    "all-ports-down": (READY | port(1, FIRST, "1: DOWN", "2: Polling"), {}, ["(1)", "is DOWN, Polling: connect its cable"]),
    "modules-and-devices-missing": (without(READY, "sys/module", "sys/class/infiniband_mad", "dev", "lib"), {}, [
        "(4)", "kernel module ib_umad is not loaded", "ib_ipoib is not", 'or "modprobe mlx5_ib"',
        "mlx5_0 port 1 has no umad and no issm device in /dev/infiniband"]),
    "older-adapter": (READY | adapter("0000:5e:00.0", "mlx4_core"), {}, ["(1)", "kernel module mlx4_ib is not loaded"]),
    "own-modules": (READY, {"ib_host_modules": ["ib-umad", "ib_qib"]}, ["(1)", "kernel module ib_qib is not loaded"]),
    "no-driver": (KERNEL | loaded("ib_umad") | adapter(driver=""), {}, ["(1)", "no driver holds the adapter 0000:3b:00.0: load mlx5_core"]),
    "guest's-function": (KERNEL | loaded("ib_umad") | adapter(driver="") | {"sys/bus/pci/devices/0000:3b:00.0/physfn": "-> ../0000:3b:00.1"}, {}, [
        "(1)", 'see "lspci -d 15b3:" for an adapter']),
    "ethernet": (READY | port(1, FIRST, layer="Ethernet"), {}, ["(1)", "mlx5_0 port 1 is an Ethernet port: set LINK_TYPE_P1=1"]),
    "simulated": (KERNEL | process(7, "/user.slice"), {"ib_host_simulated_fabric": True}, []),
    "simulated-beside-opensm": (KERNEL | {f"{WANTS}/opensm.service": "-> /lib/systemd/system/opensm.service"}, {"ib_host_simulated_fabric": True}, [
        "(1)", "another subnet manager: opensm.service of this host starts at boot"]),
    "units": (READY | {f"{WANTS}/ufm-enterprise.service": "-> x", "etc/rc3.d/S99opensmd": "", "sys/fs/cgroup/systemd/system.slice/ufmd.service": None}
              | process(7, "/system.slice/system-opensm.slice/opensm@0x1.service"), {}, [
        "(4)", 'opensm.service of this host runs: run "systemctl disable --now opensm.service"', "opensmd.service of this host starts at boot",
        "ufm-enterprise.service of this host starts at boot", "ufmd.service of this host runs"]),
    "masked": (READY | {f"{WANTS}/opensm.service": "-> x", "etc/systemd/system/opensm.service": "-> /dev/null"}, {}, []),
    "allowed": (READY | {f"{WANTS}/opensm.service": "-> x"} | process(7, "/system.slice/opensm.service"),
                {"engine": "kayobe", "ib_host_allowed_subnet_managers": ["opensm.service", "opensm"]}, []),
    "processes": (READY | process(7, f"/docker/{'ab' * 32}") | process(8, "/user.slice/user-0.slice/session-3.scope") | process(9, "/system.slice/site.service"), {}, [
        "(3)", "opensm, PID 7 in the container abababababab, which docker does not know", "opensm, PID 8: stop it", "opensm, PID 9 of site.service: stop it"]),
    "kayobe": (READY | process(7, f"/system.slice/docker-{KAYOBE['Id']}.scope"), {"engine": "kayobe"}, [
        "(1)", 'the container opensm runs: set opensm_enabled to false in Kayobe, and run "docker stop opensm"']),
    "own-container": (READY | process(7, f"/ibforge-ib_opensm/{OURS['Id']}/system.slice/opensm@0x1.service"), {"engine": "ours"}, []),
    "clock": (READY, {"clock": {"date": "1970-01-01", "year": 1970, "synchronised": False}}, [
        "(2)", "the clock is not synchronised: set up chrony", "the clock says 1970-01-01, and this collection is of 2026: set it"]),
    "hypervisor's-clock": (READY, {"clock": SOUND_CLOCK | {"synchronised": False}, "ib_host_require_synchronised_clock": False}, []),
    "full": (READY, {"ib_host_engine_free_mib": 1 << 40, "ib_host_etc_free_mib": 1 << 40}, [
        "(2)", "/var/lib/docker has ", f"MiB free of the {1 << 40} that ib_host_engine_free_mib asks for", "that ib_host_etc_free_mib asks for"]),
    "old-docker": (READY, {"engine": "old"}, ["(1)", "docker 19.03.15 is too old: upgrade it to 20.10 or newer"]),
    "no-docker": (READY, {"ib_host_docker_host": "unix:///nonexistent/docker.sock"}, [
        "(1)", "docker does not answer at unix:///nonexistent/docker.sock (", "install and start it, or set ib_host_container_engine or ib_host_docker_host"]),
    "remote-docker": (READY, {"ib_host_docker_host": "tcp://192.0.2.1:2375"}, ["(1)", "tcp://192.0.2.1:2375 is not unix://"]),
    "podman": (READY, {"ib_host_container_engine": "podman", "podman_version": "4.3.1"}, []),
    "old-podman": (READY, {"ib_host_container_engine": "podman", "podman_version": "3.4.4"}, ["(1)", "podman 3.4.4 is too old: upgrade it to 4.3 or newer"]),
    "no-podman": (READY, {"ib_host_container_engine": "podman", "ib_host_podman": "/nonexistent/podman"}, ["(1)", "podman does not answer at /nonexistent/podman ("]),
    "everything": (KERNEL | adapter() | process(7, "/"), {"ib_host_docker_host": "unix:///nonexistent", "ib_host_etc_free_mib": 1 << 40,
                                                          "clock": SOUND_CLOCK | {"synchronised": False}}, [
        "(7)", "ib_umad", "mlx5_ib", "no InfiniBand port: the adapter 0000:3b:00.0 has none without ib_umad, mlx5_ib", "PID 7", "clock", "docker does not answer", "/etc has"]),
}


def tree(root):
    return {str(path.relative_to(root)): path.read_text() if path.is_file() else "" for path in root.rglob("*")}


def podman(path, version):
    """A podman that has no containers."""
    about = {"version": {"Version": version}, "host": {"cgroupVersion": "v2", "cgroupManager": "systemd"}, "store": {"graphRoot": "/var/lib/containers"}}
    path.write_text(f"#!/bin/sh\n[ \"$1\" = info ] || exit 1\necho '{json.dumps(about)}'\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def play(ansible, tmp_path):
    """Runs a playbook over hosts, each of files and variables, with what the engines' Recorders and the tests put in their place."""
    def run(hosts, *arguments, playbook="bad_input.yml"):
        inventory = {"all": {"hosts": {}, "vars": {
            "ansible_connection": "local", "ansible_python_interpreter": sys.executable, "role": "ib_host", "engine": "empty", "clock": SOUND_CLOCK}}}
        info = {"DockerRootDir": "/var/lib/docker"}
        with Recorder(info=info) as empty, Recorder(info=info, containers={"opensm": KAYOBE}) as kayobe, \
                Recorder(info=info, containers={"ib_opensm": OURS}) as ours, Recorder(info=info | {"ServerVersion": "19.03.15"}) as old:
            engines = {"empty": empty, "kayobe": kayobe, "ours": ours, "old": old}
            for name, (files, variables, want) in hosts.items():
                root = tmp_path / name
                if not root.exists():
                    write(root, files)
                inventory["all"]["hosts"][name] = {
                    "root": str(root), "want": [f"{name} {want[0]}:", *want[1:]] if want else [],
                    "ib_host_docker_host": engines[variables.get("engine", "empty")].url,
                    "ib_host_podman": podman(tmp_path / f"podman-{name}", variables.get("podman_version", "")), **variables}
            path = tmp_path / "inventory.json"
            path.write_text(json.dumps(inventory))
            private = {"_ib_host_root": "{{ root }}", "_ib_host_clock": "{{ clock }}", "_ib_host_modprobe": "{{ modprobe | default('/nonexistent/modprobe') }}"}
            done = ansible("ansible-playbook", "-i", str(path), "-e", json.dumps(private), *arguments, str(playbook))
            assert [engine.changes for engine in engines.values()] == [[]] * 4
            return done

    return run


def test_precheck(play, tmp_path):
    done = play(CASES, "--forks", "4")
    assert done.returncode == 0, done.stdout + done.stderr
    refused = [name for name, (_files, _variables, want) in CASES.items() if want]
    assert done.stdout.count("rescued=1") == len(refused) and done.stdout.count("rescued=0") == len(CASES) - len(refused), done.stdout
    for name in ("simulated", "simulated-beside-opensm"):
        assert f"kernel modules, devices, ports and processes of subnet managers of {name} are not judged" in done.stdout, done.stdout
    assert "changed=1" not in done.stdout
    for name in ("ready", "everything"):
        fresh = tmp_path / f"fresh-{name}"
        write(fresh, CASES[name][0])
        assert tree(tmp_path / name) == tree(fresh)


@pytest.fixture
def book(tmp_path):
    """A play that runs the role's actions one after the other and writes down the ports that they found."""
    path = tmp_path / "book.yml"
    path.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": [
        {"ansible.builtin.include_role": {"name": "ibforge.fabric.ib_host"}, "loop": "{{ actions }}", "vars": {"ib_host_action": "{{ item }}"}},
        {"ansible.builtin.copy": {"content": "{{ ib_host_ports | default([]) | to_json }}", "dest": "{{ playbook_dir }}/ports", "mode": "0644"},
         "check_mode": False, "changed_when": False}]}]))
    return path


def stub_modprobe(path, body):
    path.write_text(f"#!/bin/sh\necho \"$*\" >>{path}.calls\n{body}\n")
    path.chmod(0o755)
    return str(path)


@needs_root
def test_configure(play, book, tmp_path):
    # What the kernel does when mlx5_ib comes.
    appears = "\n".join(f"mkdir -p {tmp_path}/host/{os.path.dirname(name)} && printf '{text}' >{tmp_path}/host/{name}"
                        for name, text in (port(1, FIRST) | devices(1)).items())
    modprobe = stub_modprobe(tmp_path / "modprobe", f"[ $1 = --dry-run ] && exit\ncd {tmp_path}/host/sys && mkdir -p module/ib_umad module/mlx5_ib\n{appears}")
    calls = tmp_path / "modprobe.calls"

    def run(actions, *arguments):
        return play({"host": (KERNEL | adapter(), {"actions": actions, "modprobe": modprobe}, [])}, *arguments, playbook=book)

    write(tmp_path / "host", KERNEL | adapter())
    before = tree(tmp_path / "host")
    told = run(["configure"], "--check", "--diff")
    assert told.returncode == 0 and "changed=2" in told.stdout, told.stdout + told.stderr
    text = "# Written by ibforge.fabric.ib_host.\nib_umad\nib_ipoib\nmlx5_ib\n"
    assert all("+" + line in told.stdout for line in text.splitlines()), told.stdout
    assert tree(tmp_path / "host") == before
    assert calls.read_text() == "--dry-run --all ib_umad mlx5_ib\n"

    calls.unlink()
    done = run(["configure"])
    assert done.returncode == 0 and "changed=2" in done.stdout, done.stdout + done.stderr
    assert calls.read_text() == "--all ib_umad mlx5_ib\n"
    boot = tmp_path / "host" / "etc" / "modules-load.d" / "ibforge.conf"
    assert boot.read_text() == text and boot.stat().st_mode & 0o777 == 0o644
    assert json.loads((tmp_path / "ports").read_text()) == [{
        "device": "mlx5_0", "port": 1, "port_guid": FIRST, "node_guid": "0x0002c903000e0b72", "state": "ACTIVE", "physical_state": "LinkUp",
        "rate": "100 Gb/sec (4X EDR)", "link_layer": "InfiniBand", "lid": 17, "sm_lid": 1,
        "umad": "/dev/infiniband/umad0", "issm": "/dev/infiniband/issm0"}]

    after = tree(tmp_path / "host")
    for arguments in ([], ["--check"]):
        done = run(["configure", "precheck", "check"], *arguments)
        assert done.returncode == 0 and "changed=0" in done.stdout, done.stdout + done.stderr
    assert tree(tmp_path / "host") == after

    # What others wrote stays, and so does what runs.
    assert "changed=1" in run(["destroy"], "--check").stdout and boot.exists()
    # The second finds nothing to remove.
    done = run(["destroy", "destroy", "check"])
    assert done.returncode == 2 and "changed=1" in done.stdout, done.stdout
    assert "Faults of host (1)" in done.stdout and "/etc/modules-load.d/ibforge.conf is missing, so the next boot may lack" in done.stdout
    del after["etc/modules-load.d/ibforge.conf"]
    assert tree(tmp_path / "host") == after
    assert calls.read_text() == "--all ib_umad mlx5_ib\n"


@needs_root
@pytest.mark.parametrize("arguments", [[], ["--check"]], ids=["run", "check"])
def test_kernel_without_the_modules(play, book, tmp_path, arguments):
    modprobe = stub_modprobe(tmp_path / "modprobe", "echo 'modprobe: FATAL: Module mlx5_ib not found in directory /lib/modules/6.1.0-test' >&2; exit 1")
    done = play({"host": (KERNEL | adapter(), {"actions": ["configure"], "modprobe": modprobe}, [])}, *arguments, playbook=book)
    assert done.returncode == 2 and "host cannot load ib_umad, mlx5_ib: modprobe: FATAL: Module mlx5_ib not found" in done.stdout, done.stdout
    assert "linux-modules-extra-$(uname -r) on Ubuntu" in done.stdout and "changed=0" in done.stdout, done.stdout
    assert not (tmp_path / "host/etc/modules-load.d/ibforge.conf").exists()


@needs_root
def test_simulated_fabric_is_not_configured(play, book, tmp_path):
    done = play({"host": (KERNEL, {"actions": ["configure"], "ib_host_simulated_fabric": True}, [])}, playbook=book)
    assert done.returncode == 0 and "changed=0" in done.stdout, done.stdout
    assert not (tmp_path / "host/etc/modules-load.d/ibforge.conf").exists()


# On the machine that runs the test, whatever it has.
def test_as_a_module(ansible):
    with Recorder(info={"DockerRootDir": "/var/lib/docker"}) as engine:
        done = ansible("ansible", "localhost", "-c", "local", "-m", "ibforge.fabric.ib_host_info", "--check", "-a", json.dumps(
            {"docker_host": engine.url, "modules": ["no_such_module"], "paths": ["/etc"], "process": "no-such-process"}))
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.split("=>", 1)[1])
    seen = found["seen"]
    assert not found["changed"] and seen["modules"] == {"no_such_module": False} and seen["processes"] == []
    assert seen["clock"]["year"] >= 2026 and isinstance(seen["clock"]["synchronised"], bool)
    infiniband = pathlib.Path("/sys/class/infiniband")
    assert {p["device"] for p in seen["ports"]} == ({path.name for path in infiniband.iterdir()} if infiniband.exists() else set())
    space = os.statvfs("/etc")
    assert abs(seen["free_mib"]["/etc"] - space.f_bfree * space.f_frsize // 2 ** 20) < 1024
    assert seen["engine"] == {"answers": True, "msg": "", "version": "28.0.0", "root": "/var/lib/docker"}
