"""The ML2 configuration of the sites, and the real networking-mlnx with it: 15.0.2 for NEO and 21.0.0 for UFM, within the ML2 plugin of Neutron 21.2.0."""

import contextlib
import json
import subprocess
import threading

import pytest

from recorder import Recorder, certificate
from rendering import command, options, render, site

GENERATIONS = ("neo", "ufm")
# The newest whose plugin merge_configs runs on the Ansible of the tests, and the oldest.
RELEASES = ("2024.1", "2025.1")

NEUTRON = """
[DEFAULT]
core_plugin = ml2
service_plugins =
transport_url = fake:/
[database]
connection = sqlite:///{directory}/neutron.sqlite
[oslo_concurrency]
lock_path = {directory}
"""
# Of Kolla's and Kayobe's part of ml2_conf.ini what the runs below need.
ML2 = """
[ml2]
type_drivers = flat,vlan
tenant_network_types = vlan
mechanism_drivers = {drivers}
[ml2_type_flat]
flat_networks = *
[ml2_type_vlan]
network_vlan_ranges = physnet_ib:2:4000
[sdn]
{sdn}
"""
FLAT = "sync_enabled = False\nphysical_networks = physnet_ib\n"


def neo_site():
    """The site with many tenants, as it is with a NEO that Neutron talks to."""
    variables = site("multitenant")
    return variables | {"ibforge_sdn_controller": "neo", "ibforge_sdn_url": "https://neo.example.org:3443/neo/", "ibforge_sdn_username": "neutron"}


SITES = {"flat": lambda: site("flat"), "ufm": lambda: site("multitenant"), "neo": neo_site}


@pytest.fixture(scope="module", params=RELEASES)
def rendered(request, tmp_path_factory):
    """What Kolla-Ansible makes of each site."""
    directory = tmp_path_factory.mktemp("sites")
    render(directory, request.param, {name: variables() for name, variables in SITES.items()},
           ibforge_sdn_token="to$ken", ibforge_sdn_password="pass$word")
    for name in SITES:
        # Kayobe's rendering lies on the control host, and has no secret.
        text = (directory / name / "kayobe.ini").read_text()
        assert "$ken" not in text
        assert "$word" not in text
    return {name: directory / name / "ml2_conf.ini" for name in SITES}


def test_oslo_config_reads_all_of_it(rendered):
    for name, generation in (("flat", "ufm"), ("flat", "neo"), ("ufm", "ufm"), ("neo", "neo")):
        found = options(generation, rendered[name])
        assert (found["unknown"], found["faults"], found["repeated"]) == ([], [], {}), (name, generation)
        values = found["values"]
        assert values["ml2.mechanism_drivers"][:2] == ["mlnx_sdn_assist", "openvswitch"]
        assert len(values["ml2.mechanism_drivers"]) > 2, "Kolla's own drivers are kept"
        assert values["sdn.physical_networks"] == ["physnet_ib"]
        assert values["sdn.sync_enabled"] is (name != "flat")
        if name == "ufm":
            assert (values["sdn.url"], values["sdn.token"], values["sdn.cert_verify"]) == ("https://ufm.example.org:7443/ufmRestV3", "to$ken", True)
        if name == "neo":
            assert (values["sdn.url"], values["sdn.username"], values["sdn.password"]) == ("https://neo.example.org:3443/neo", "neutron", "pass$word")


def test_options_of_the_other_generation_are_told(rendered):
    assert options("neo", rendered["ufm"])["unknown"] == ["cert_path", "cert_verify", "token"]
    assert options("ufm", rendered["neo"])["unknown"] == ["password", "username"]


FAULTS = {
    "drivers": ({"kolla_neutron_ml2_mechanism_drivers": ["openvswitch"]}, "put mlnx_sdn_assist before the others"),
    "networks": ({"ibforge_sdn_physical_networks": None}, "ibforge_sdn_physical_networks has no value"),
    "plain": ({"ibforge_sdn_url": "http://ufm.example.org:7080/ufmRestV3"}, "it begins with https://"),
    "controller": ({"ibforge_sdn_controller": "opensm"}, "it is ufm or neo"),
    "user": ({"ibforge_sdn_controller": "neo"}, "ibforge_sdn_username has no value"),
}


def test_no_file_where_something_is_wrong(tmp_path):
    said = render(tmp_path, RELEASES[0], {name: site("multitenant") | variables for name, (variables, _) in FAULTS.items()})
    for name, (_, cure) in FAULTS.items():
        assert cure in said
        assert not (tmp_path / name / "kayobe.ini").exists()


def test_the_operators_own_list_stays_the_only_one(tmp_path):
    """Kayobe writes it, in front of what is ours."""
    render(tmp_path, RELEASES[0], {"own": site("flat") | {"kolla_neutron_ml2_mechanism_drivers": ["mlnx_sdn_assist", "ovn"]}})
    assert "mechanism_drivers" not in (tmp_path / "own" / "kayobe.ini").read_text()


def test_oslo_config_takes_the_last_of_two_lines(tmp_path):
    """Nobody is told, which is why `ibforge kayobe check` is."""
    file = tmp_path / "ml2_conf.ini"
    file.write_text("[ml2]\nmechanism_drivers = openvswitch,ovn\n\n[ml2]\nmechanism_drivers = mlnx_sdn_assist\n")
    found = options("ufm", file)
    assert found["values"]["ml2.mechanism_drivers"] == ["mlnx_sdn_assist"]
    assert found["repeated"] == {"ml2.mechanism_drivers": ["openvswitch,ovn", "mlnx_sdn_assist"]}


@contextlib.contextmanager
def neutron(directory, generation, kind, sdn, drivers="mlnx_sdn_assist", **environment):
    """Runs Neutron's plugin meanwhile; gives a function that returns its answer."""
    (directory / "neutron.conf").write_text(NEUTRON.format(directory=directory))
    (directory / "ml2_conf.ini").write_text(ML2.format(sdn=sdn, drivers=drivers))
    call = command(generation, "neutron_ml2.py", kind, directory / "neutron.conf", directory / "ml2_conf.ini")
    call["env"] |= environment
    with (directory / "log").open("w") as log, subprocess.Popen(**call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log) as process:
        timer = threading.Timer(120, process.kill)
        timer.start()
        try:
            yield lambda: json.loads(next((line for line in process.stdout if line.startswith("{")), '{"fault": "no answer"}'))
        finally:
            process.stdin.close()
            process.wait()
            timer.cancel()


@pytest.fixture
def own(tmp_path):
    """The operator's CA, and a controller with a certificate of it."""
    ca = certificate(tmp_path, "ca")
    with Recorder(certificate(tmp_path, "controller", ca)) as controller:
        yield ca, controller
        controller.shutdown()


@pytest.mark.parametrize("generation", GENERATIONS)
def test_flat_binds_and_tells_nobody(generation, tmp_path, own):
    """The answer for a site without a controller: sync_enabled = False. The url is not even needed; here it would be noticed."""
    _, controller = own
    sdn = f"{FLAT}url = https://localhost:{controller.server_port}/neo\nusername = u\nsync_timeout = 1\n"
    with neutron(tmp_path, generation, "flat", sdn) as answer:
        assert answer() == {"drivers": ["mlnx_sdn_assist"], "status": "ACTIVE", "binding:vif_type": "other"}
    assert (controller.connections, controller.requests) == (0, [])


def test_both_drivers_together(tmp_path):
    """As the feature "virtual" has them: virtual machines are mlnx_infiniband's, bare metal stays ours."""
    with neutron(tmp_path, "ufm", "flat", FLAT, drivers="mlnx_sdn_assist,mlnx_infiniband") as answer:
        assert answer() == {"drivers": ["mlnx_sdn_assist", "mlnx_infiniband"], "status": "ACTIVE", "binding:vif_type": "other"}


def test_without_sync_a_vlan_network_is_not_bound(tmp_path):
    """Nobody would make its partition."""
    with neutron(tmp_path, "ufm", "vlan", FLAT) as answer:
        assert answer()["binding:vif_type"] == "binding_failed"


@pytest.mark.parametrize("generation", GENERATIONS)
def test_an_empty_url_alone_stops_neutron(generation, tmp_path):
    """What StackHPC's patch of 2018 did is not what the published drivers do."""
    with neutron(tmp_path, generation, "flat", "physical_networks = physnet_ib\n") as answer:
        assert answer()["fault"].startswith("RequiredOptError: value required for option url in group [sdn]")


def test_other_physical_networks_are_left_alone(tmp_path):
    """So to leave out the fabric's would keep requests away, and ports unbound."""
    with neutron(tmp_path, "ufm", "flat", "sync_enabled = False\nphysical_networks = physnet1\n") as answer:
        assert answer()["binding:vif_type"] == "binding_failed"


def test_ufm_is_told_of_the_network_over_tls(tmp_path, own):
    ca, controller = own
    sdn = f"url = https://localhost:{controller.server_port}/ufmRestV3\ntoken = t\ncert_verify = True\ncert_path = {ca}\nphysical_networks = physnet_ib\n"
    with neutron(tmp_path, "ufm", "vlan", sdn, WITHOUT_PORT="1"):
        _, _, headers, body = controller.wait("POST", "/ufmRestV3/cloudx/Network")
    assert headers["Authorization"] == "Basic t"
    assert json.loads(body)["provider:segmentation_id"] == 0x11


def test_neo_is_told_of_the_network_over_tls(tmp_path, own):
    """No option has its CA: it comes from the environment, which the image of neutron-server has."""
    ca, controller = own
    sdn = f"url = https://localhost:{controller.server_port}/neo\nusername = u\npassword = p\nphysical_networks = physnet_ib\n"
    with neutron(tmp_path, "neo", "vlan", sdn, WITHOUT_PORT="1", REQUESTS_CA_BUNDLE=str(ca)):
        assert controller.wait("POST", "/neo/login")[3] == b"username=u&password=p"
        controller.wait("POST", "/neo/cloudx/Network")


@pytest.mark.parametrize(("generation", "verify"), [("neo", ""), ("ufm", "cert_verify = True\n")])
def test_a_controller_of_another_ca_is_told_nothing(generation, verify, tmp_path, own):
    _, controller = own
    sdn = f"url = https://localhost:{controller.server_port}/x\nusername = u\n{verify}physical_networks = physnet_ib\n"
    with neutron(tmp_path, generation, "vlan", sdn, WITHOUT_PORT="1") as answer:
        assert "fault" not in answer()
        for _ in range(200):
            if controller.connections:
                break
            threading.Event().wait(0.05)
    assert controller.connections > 0
    assert controller.requests == []


def test_ufms_driver_verifies_nothing_unless_told(tmp_path, own):
    """Which is why ml2_conf.ini says cert_verify, without asking."""
    _, controller = own
    sdn = f"url = https://localhost:{controller.server_port}/ufmRestV3\ntoken = t\nphysical_networks = physnet_ib\n"
    with neutron(tmp_path, "ufm", "vlan", sdn, WITHOUT_PORT="1"):
        controller.wait("POST", "/ufmRestV3/cloudx/Network")
