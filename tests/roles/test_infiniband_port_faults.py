"""What is told of a host's InfiniBand ports, and that OpenSM's role tells it before anything is changed."""

import json
import sys

import pytest

from conftest import HERE
from engine import Recorder, container
from test_ib_host import FIRST, SECOND, adapter, port, write

ID = "sha256:" + "0" * 64
OTHER = "0x0002c903000e0bff"
NODE = "0x0002c903000e0b72"
UP = ["INIT", "ACTIVE"]
PORT = {"device": "mlx5_0", "port": 1, "port_guid": FIRST, "node_guid": NODE, "link_layer": "InfiniBand", "state": "ACTIVE", "physical_state": "LinkUp"}
BESIDE = PORT | {"port": 2, "port_guid": SECOND}
ETHERNET = BESIDE | {"link_layer": "Ethernet"}
DOWN = BESIDE | {"state": "DOWN", "physical_state": "Polling"}
BOUND, UNBOUND = {"address": "0000:3b:00.0", "driver": "mlx5_core"}, {"address": "0000:3b:00.0", "driver": ""}


@pytest.mark.parametrize("ports,wanted,want", [
    ([PORT], [], []),
    ([PORT], [FIRST.upper().replace("X", "x")], []),
    # One that nobody asks for may be down, or Ethernet.
    ([PORT, DOWN], [], []),
    ([PORT, ETHERNET], [FIRST], []),
    ([DOWN], [], [f"mlx5_0 port 2 ({SECOND}) is DOWN, Polling: connect its cable"]),
    ([PORT, DOWN], [SECOND], [f"mlx5_0 port 2 ({SECOND}) is DOWN, Polling: connect its cable"]),
    ([PORT, BESIDE], [OTHER], [f"here: no InfiniBand port of this host has the GUID {OTHER}; there are: {FIRST}, {SECOND}: take one of these"]),
    ([PORT, BESIDE], [NODE], [f"there are: {FIRST}, {SECOND}; it is the node GUID of the adapter with port {FIRST} and {SECOND}: take one of these"]),
    ([PORT, ETHERNET], [SECOND, OTHER], [
        f"here: {SECOND} is mlx5_0 port 2, an Ethernet port: set LINK_TYPE_P2=1 with mlxconfig or mstconfig, and reboot, or take another port",
        f"GUID {OTHER}; there are: {FIRST}: take one of these"]),
    # It is not told twice.
    ([ETHERNET], [SECOND], [f"here: {SECOND} is mlx5_0 port 2, an Ethernet port"]),
    ([ETHERNET], [], ["no InfiniBand port: mlx5_0 port 2 is an Ethernet port: set LINK_TYPE_P2=1"]),
    ([], [FIRST], [f"here: no InfiniBand port of this host has the GUID {FIRST}; there are: none", "no InfiniBand port: see \"lspci -d 15b3:\""]),
], ids=str)
def test_ports(filters, ports, wanted, want):
    faults = filters("infiniband_port_faults")({"adapters": [], "ports": ports}, {"here": wanted}, UP, "x_simulated")
    assert [word in fault for word, fault in zip(want, faults)] == [True] * len(want) and len(faults) == len(want), faults


@pytest.mark.parametrize("adapters,missing,want", [
    ([UNBOUND], ["mlx5_ib"], "no driver holds the adapter 0000:3b:00.0: load mlx5_core"),
    ([BOUND], ["mlx5_ib"], "the adapter 0000:3b:00.0 has none without mlx5_ib, see there"),
    ([BOUND], [], "the adapter 0000:3b:00.0 shows none: load mlx5_ib"),
    ([], [], "or take the host out of the group; for a simulated fabric set x_simulated"),
], ids=str)
def test_no_port(filters, adapters, missing, want):
    fault, = filters("infiniband_port_faults")({"adapters": adapters, "ports": []}, {}, UP, "x_simulated", missing)
    assert fault.startswith("no InfiniBand port: ") and want in fault


def test_all_ports_are_served(filters):
    def faults(ports, wanted=()):
        return filters("infiniband_port_faults")({"adapters": [], "ports": ports}, {"here": wanted}, UP, "x_simulated", [], "x_ports")
    assert faults([PORT, DOWN]) == [f"mlx5_0 port 2 ({SECOND}) is DOWN, Polling: connect its cable, and see that the switch at the other end is on,"
                                    " or name the ports to serve in x_ports"]
    assert faults([PORT, DOWN], [FIRST]) == faults([PORT, ETHERNET]) == []
    # There is nothing to choose.
    fault, = faults([DOWN])
    assert "x_ports" not in fault


def test_no_state_is_judged(filters):
    assert filters("infiniband_port_faults")({"adapters": [], "ports": [DOWN]}, {"here": [SECOND]}, [], "x_simulated") == []


READY = adapter() | port(1, FIRST, state="2: INIT")
DEAD = port(2, SECOND, "1: DOWN", "3: Disabled")
TWO = {"compute": {"port_guids": [FIRST]}, "storage": {"port_guids": [OTHER], "subnet_prefix": "0xfe80000000000001"}}
UNKNOWN = f"ib_opensm_port_guids: no InfiniBand port of this host has the GUID {OTHER}; there are: {FIRST}: take one of these"
# Per host: files, variables of the role, and the words that are wanted; the
# first of which says how many faults there are.
CASES = {
    "ready": (READY, {}, []),
    "all-ports": (READY | DEAD, {}, ["(1)", f"mlx5_0 port 2 ({SECOND}) is DOWN, Disabled", "or name the ports to serve in ib_opensm_port_guids"]),
    "given": (READY | DEAD, {"ib_opensm_port_guids": [FIRST]}, []),
    "unknown": (READY, {"ib_opensm_port_guids": [FIRST, OTHER]}, ["(1)", UNKNOWN]),
    "deploy": (READY, {"ib_opensm_port_guids": [OTHER], "ib_opensm_action": "deploy"}, ["(1)", UNKNOWN]),
    "config": (READY, {"ib_opensm_port_guids": [OTHER], "ib_opensm_action": "config"}, ["(1)", UNKNOWN]),
    "reconfigure": (READY, {"ib_opensm_port_guids": [OTHER], "ib_opensm_action": "reconfigure"}, ["(1)", UNKNOWN]),
    "upgrade": (READY, {"ib_opensm_port_guids": [OTHER], "ib_opensm_action": "upgrade"}, ["(1)", UNKNOWN]),
    # A container that is there is judged by its health, and by its ports.
    "check": (READY, {"ib_opensm_port_guids": [OTHER], "ib_opensm_action": "check"}, ["there is no such container", UNKNOWN]),
    "fabrics": (READY, {"ib_opensm_fabrics": TWO}, ["(1)", f"ib_opensm_fabrics: storage: port_guids: no InfiniBand port of this host has the GUID {OTHER}"]),
    "down": (READY | DEAD, {"ib_opensm_port_guids": [SECOND]}, ["(1)", f'mlx5_0 port 2 ({SECOND}) is DOWN, Disabled: enable it with "ibportstate']),
    "down-and-running": (READY | DEAD, {"ib_opensm_port_guids": [SECOND], "engine": "ours"}, []),
    "ethernet": (READY | port(2, SECOND, layer="Ethernet"), {"ib_opensm_port_guids": [SECOND]}, ["(1)", f"{SECOND} is mlx5_0 port 2, an Ethernet port"]),
    "none": ({"etc/x": ""}, {}, ["(1)", "no InfiniBand port: see", "for a simulated fabric set ib_opensm_simulated_fabric"]),
    "simulated": ({"etc/x": ""}, {"ib_opensm_simulated_fabric": True, "ib_opensm_port_guids": [OTHER]}, []),
    # With all that ib_service finds.
    "everything": (READY, {"ib_opensm_port_guids": [OTHER], "ib_opensm_docker_host": "unix:///nonexistent", "contract_changes": {"modules": ["ib_nonexistent"]}}, [
        "(3)", "docker does not answer", "kernel module ib_nonexistent is not loaded", UNKNOWN]),
}


def test_the_role_refuses(ansible, tmp_path):
    # Without what the machine that runs the test has of modules, devices and subnet managers.
    contract = json.loads((HERE / "contract.json").read_text()) | {"modules": [], "devices": [], "excludes": []}
    inventory = {"all": {"hosts": {}, "vars": {
        "ansible_connection": "local", "ansible_python_interpreter": sys.executable, "role": "ib_opensm", "ib_opensm_action": "precheck",
        "ib_opensm_image_source": "present", "ib_opensm_config_dir": str(tmp_path / "etc"), "contract_changes": {}, "engine": "empty",
        "contract": contract, "ibforge_images": {"opensm": {"id": ID, "contract": "{{ contract | combine(contract_changes) }}"}}}}}
    with Recorder(images=[ID]) as empty, Recorder(images=[ID], containers={"ib_opensm": container("ib_opensm", excludes="subnet-manager")}) as ours:
        engines = {"empty": empty, "ours": ours}
        for name, (files, variables, want) in CASES.items():
            write(tmp_path / name, files)
            head = f"{name} {want[0]}:" if want and want[0].startswith("(") else want and want[0]
            inventory["all"]["hosts"][name] = {"root": str(tmp_path / name), "want": [head, *want[1:]] if want else [],
                                               "ib_opensm_docker_host": engines[variables.get("engine", "empty")].url, **variables}
        (tmp_path / "inventory.json").write_text(json.dumps(inventory))
        done = ansible("ansible-playbook", "-i", str(tmp_path / "inventory.json"), "-e", json.dumps({"_ib_service_root": "{{ root }}"}),
                       "--forks", "4", "bad_input.yml")
        assert [engine.changes for engine in engines.values()] == [[], []]
    assert done.returncode == 0, done.stdout + done.stderr
    refused = [name for name, (_files, _variables, want) in CASES.items() if want]
    assert done.stdout.count("rescued=1") == len(refused) and done.stdout.count("rescued=0") == len(CASES) - len(refused), done.stdout
    # Before a file is written.
    assert "changed=1" not in done.stdout and not (tmp_path / "etc").exists()
