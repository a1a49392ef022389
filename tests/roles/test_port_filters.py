"""What the filters of ports find, and that they take the rest."""

import pytest

from test_partition_faults import load

port_map, port_map_faults, port_conflicts = (load(name) for name in ("port_map", "port_map_faults", "port_conflicts"))

ID = "0123456789abcdef" * 4


def port(name="https", listens=443, host=8443, via="config", **more):
    return {"name": name, "protocol": "tcp", "address": "any", "listens": listens, "host": host, "via": via,
            "unit": "apache2.service", "guarded": False, "rewrites": [], **more}


HTTPS = port()
REST = port("rest", 8000, 18000, "socket", address="loopback", guarded=True)
AGENT = port("agent", 6306, 6306, "none", protocol="udp", unit="")
PORTS = [HTTPS, REST, AGENT]


def listener(number=8443, address="0.0.0.0", protocol="tcp", cgroups=("/user.slice",)):
    return {"protocol": protocol, "address": address, "port": number, "pid": 7, "process": "haproxy", "cgroups": list(cgroups)}


@pytest.mark.parametrize("overrides,want", [
    ({}, [8443, 18000, 6306]),
    (None, [8443, 18000, 6306]),
    ({"https": 9443}, [9443, 18000, 6306]),
    # From the command line.
    ({"rest": "18001"}, [8443, 18001, 6306]),
    # The faults filter refuses these; a number of another type would break the agent.
    ({"https": "many", "rest": True, "agent": 6307}, [8443, 18000, 6306]),
], ids=str)
def test_map(overrides, want):
    mapped = port_map(PORTS, overrides)
    assert [entry["host"] for entry in mapped] == want
    assert [{**entry, "host": None} for entry in mapped] == [{**entry, "host": None} for entry in PORTS]
    assert HTTPS["host"] == 8443


@pytest.mark.parametrize("overrides", [
    {}, None, {"https": 9443}, {"https": "9443", "rest": 1}, {"agent": 6306}, {"https": 443},
    # TCP and UDP have numbers of their own.
    {"https": 6306},
], ids=str)
def test_valid_map(overrides):
    assert port_map_faults(PORTS, overrides) == []


@pytest.mark.parametrize("overrides,want", [
    ({"htps": 9443}, "htps is no port of the image, did you mean https? (its ports: https, rest, agent)"),
    ({"snmp": 161}, "snmp is no port of the image (its ports"),
    ({"https": 0}, "https: 0 is not a port: write a number from 1 to 65535"),
    ({"https": 65536}, "https: 65536 is not a port"),
    ({"https": True}, "https: True is not a port"),
    ({"https": "https"}, "https: 'https' is not a port"),
    ({"https": None}, "https: None is not a port"),
    ({"https": -1}, "https: -1 is not a port"),
    ({"agent": 6307}, "agent: the image leaves it at 6306 (via none): build the image with via"),
    ({"https": 18000}, "https and rest are both to be 18000/tcp on the host: give one another number"),
    ({"https": 8000}, "https is to be 8000/tcp on the host, which is what rest of the same service binds before"),
    (["https"], "is not a mapping"),
], ids=str)
def test_invalid_map(overrides, want):
    faults = port_map_faults(PORTS, overrides)
    assert len(faults) == 1 and want in faults[0]


def test_contract_of_an_older_builder():
    old = {"name": "https", "protocol": "tcp", "listens": 443, "host": 443, "via": "none"}
    assert port_map_faults([old]) == ["https: the contract is of an older builder: build the image again"]


def test_all_map_faults_at_once():
    assert len(port_map_faults(PORTS, {"htps": 1, "https": 18000, "agent": 2})) == 3


# Each is the arguments of a host that leaves the ports to the service.
FREE = {
    "nothing": {},
    "another number": {"listeners": [listener(443), listener(8000)]},
    "another protocol": {"listeners": [listener(8443, protocol="udp"), listener(6306)]},
    # Heat's listener on the address of the API does not meet 127.0.0.1.
    "another address": {"listeners": [listener(18000, "10.0.0.5"), listener(18000, "2001:db8::1")]},
    "own container": {"listeners": [listener(cgroups=["/", f"/docker/{ID}"])], "own": [ID]},
    "own container, systemd driver": {"listeners": [listener(cgroups=[f"/system.slice/docker-{ID}.scope/init.scope"])], "own": [ID]},
    "own cgroup": {"listeners": [listener(cgroups=[f"/ibforge-ib_ufm/{ID}"])], "own": ["ibforge-ib_ufm"]},
    "other service elsewhere": {"services": {"ib_neo": [port(host=9443)]}},
    "Kolla elsewhere": {"kolla": [{"variable": "horizon_tls_port", "port": 443, "protocol": "tcp"},
                                  {"variable": "octavia_health_manager_port", "port": 8443, "protocol": "udp"}]},
}


@pytest.mark.parametrize("arguments", FREE.values(), ids=FREE)
def test_free(arguments):
    assert port_conflicts(PORTS, **arguments) == []


TAKEN = {
    "any against any": ({"listeners": [listener()]}, "port https is to be 8443/tcp on the host, and haproxy (PID 7) listens on "
                        "0.0.0.0:8443: 8444 is free: give it in the ports variable of the role, {https: 8444}"),
    "any against an address": ({"listeners": [listener(address="10.0.0.5")]}, "haproxy (PID 7) listens on 10.0.0.5:8443"),
    "IPv6": ({"listeners": [listener(address="::")]}, "haproxy (PID 7) listens on [::]:8443"),
    "loopback against any": ({"listeners": [listener(18000)]}, "port rest is to be 18000/tcp on the host, and haproxy"),
    "loopback against any of IPv6": ({"listeners": [listener(18000, "::")]}, "{rest: 18001}"),
    "loopback against loopback": ({"listeners": [listener(18000, "127.0.1.1")]}, "127.0.1.1:18000"),
    "loopback against mapped loopback": ({"listeners": [listener(18000, "::ffff:127.0.0.1")]}, "{rest: 18001}"),
    "udp that stays": ({"listeners": [listener(6306, protocol="udp")]}, "port agent is to be 6306/udp on the host, and haproxy "
                       "(PID 7) listens on 0.0.0.0:6306: stop that, or build the image with via"),
    "unknown process": ({"listeners": [{**listener(), "pid": 0, "process": ""}]}, "a process that is not to be seen listens on"),
    # A name that only begins alike is another service's.
    "cgroup alike": ({"listeners": [listener(cgroups=["/ibforge-ib_ufm2/x"])], "own": ["ibforge-ib_ufm"]}, "haproxy"),
    "other service": ({"services": {"ib_neo": [port("web")]}}, "ib_neo has it for its port web: 8444 is free"),
    "Kolla": ({"kolla": [{"variable": "ironic_http_port", "port": 8443, "protocol": "tcp"}]}, "it is Kolla's ironic_http_port"),
    "all of them": ({"listeners": [listener(), listener()], "services": {"ib_neo": [port("web")]},
                     "kolla": [{"variable": "k", "port": "8443"}]},
                    "haproxy (PID 7) listens on 0.0.0.0:8443 and ib_neo has it for its port web and it is Kolla's k: 8444"),
    "what is proposed is free": ({"listeners": [listener(), listener(8444, protocol="udp")], "kolla": [{"variable": "k", "port": 8445}],
                                  "services": {"ib_neo": [port("web", 8446, 8447)]}}, "8448 is free"),
    "what is proposed is no ephemeral port": ({"listeners": [listener()], "ephemeral": "8000 65535\n"}, "1024 is free"),
}


@pytest.mark.parametrize("arguments,want", TAKEN.values(), ids=TAKEN)
def test_taken(arguments, want):
    conflicts = port_conflicts(PORTS, **arguments)
    assert len(conflicts) == 1 and want in conflicts[0]


@pytest.mark.parametrize("entry", ["80", {"variable": "horizon_port"}, {"port": 80}, {"variable": "k", "port": "eighty"},
                                   {"variable": "k", "port": 80, "protocol": "sctp"}], ids=str)
def test_table_of_kolla_that_cannot_be_read(entry):
    conflict, = port_conflicts(PORTS, kolla=[entry])
    assert conflict.startswith("Kolla's port ") and repr(entry) in conflict


def test_two_proposals_differ():
    ports = [port("http", 80, 8080), port("https", 443, 8081)]
    first, second = port_conflicts(ports, [listener(8080), listener(8081)])
    assert "{http: 8082}" in first and "{https: 8083}" in second


# Where kolla-ansible's defaults would meet UFM's, left where the product has
# them; what a low port becomes is not proposed by counting up from it.
def test_kollas_defaults():
    table = {80: "horizon_port", 443: "horizon_tls_port", 8000: "heat_api_cfn_port", 8080: "horizon_listen_port",
             8081: "letsencrypt_webserver_port", 8089: "ironic_http_port", 9001: "designate_api_port"}
    ports = [port(f"p{number}", number, number, "none") for number in table]
    conflicts = port_conflicts(ports, kolla=[{"variable": name, "port": number, "protocol": "tcp"} for number, name in table.items()])
    assert len(conflicts) == len(table)
    for conflict, (number, name) in zip(conflicts, table.items()):
        assert f"to be {number}/tcp" in conflict and f"Kolla's {name}:" in conflict
    assert "such as onto 8443" in conflicts[1]
