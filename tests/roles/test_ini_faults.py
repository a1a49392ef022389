"""What filter ini_faults refuses."""

import pytest

from test_partition_faults import load

ini_faults = load("ini_faults")
MANAGED = {"rest_port": "use ib_ufm_ports"}


@pytest.mark.parametrize("sections", [
    {}, {"Server": {}}, {"*": {"fabric_interface": "ib0"}}, {"Logging": {"syslog": True, "syslog_level": "INFO", "limit": 3}},
    {"Notifications": {"snmp_listeners": ""}}, {"A section": {"a key": "a = b ; c # d [e]"}},
], ids=str)
def test_valid(sections):
    assert ini_faults(sections, MANAGED) == []


@pytest.mark.parametrize("sections,want", [
    ([], "is not a mapping from sections"),
    ({"Server": "rest"}, "[Server] is not a mapping"),
    ({"[Server]": {}}, "'[Server]' is not the name of a section: write it without brackets"),
    ({"": {}}, "'' is not the name of a section"),
    ({"a\nb": {}}, "is not the name of a section"),
    ({1: {}}, "1 is not the name of a section"),
    ({"Server": {"rest_port": 8001}}, "[Server] rest_port may not be set here: use ib_ufm_ports"),
    ({"*": {"rest_port": 8001}}, "[*] rest_port may not be set here"),
    ({"Server": {"a=b": 1}}, "[Server] 'a=b' is not a key"),
    ({"Server": {"#a": 1}}, "[Server] '#a' is not a key"),
    ({"Server": {"[a": 1}}, "[Server] '[a' is not a key"),
    ({"Server": {" a": 1}}, "[Server] ' a' is not a key"),
    ({"Server": {"": 1}}, "[Server] '' is not a key"),
    ({"Server": {"a": "b\n[Evil]\nc = d"}}, "[Server] a has a line break"),
    ({"Server": {"a": " b"}}, "[Server] a has ' b', with space at an end"),
    ({"Server": {"a": None}}, "[Server] a has None: write a string"),
    ({"Server": {"a": ["b"]}}, "[Server] a has ['b']: write a string"),
], ids=str)
def test_invalid(sections, want):
    faults = ini_faults(sections, MANAGED)
    assert len(faults) == 1 and want in faults[0]


# The value may be a secret.
def test_no_secret_is_told():
    assert "hunter2" not in ini_faults({"Server": {"a": "hunter2\n"}})[0]
