"""What filter opensm_option_faults refuses, held against the role's own table."""

import pathlib

import pytest
import yaml

from test_partition_faults import load

opensm_option_faults = load("opensm_option_faults")
ROLE = pathlib.Path(__file__).parents[2] / "roles" / "ib_opensm"
VARS = yaml.safe_load((ROLE / "vars" / "main" / "options.yml").read_text())
KNOWN, MANAGED = VARS["_ib_opensm_known_options"], VARS["_ib_opensm_managed_options"]


def test_table_is_complete():
    # "opensm -c FILE" of 3.3.23 writes 160 options.
    assert len(KNOWN) == 160
    assert {entry["type"] for entry in KNOWN.values()} == {
        "boolean", "int32", "string", "uint8", "uint16", "uint32", "uint64"}
    assert set(MANAGED) <= set(KNOWN)


@pytest.mark.parametrize("options", [
    {}, {"qos": True}, {"max_op_vls": 5}, {"packet_life_time": "0x12"}, {"qos_high_limit": -1},
    {"root_guid_file": "/etc/opensm/roots"}, {"cc_ca_cong_setting_ccti_min": "0 0"}, {"cc_key": "0xffffffffffffffff"},
], ids=str)
def test_valid(options):
    assert opensm_option_faults(options, KNOWN, MANAGED) == []


@pytest.mark.parametrize("options,want", [
    ({"max_op_vl": 5}, "max_op_vl is not an option of this OpenSM: did you mean max_op_vls"),
    ({"m_key_per_port": True}, "m_key_per_port is not an option of this OpenSM"),
    ({"sm_priority": 3}, "sm_priority may not be set here: use ib_opensm_sm_priority"),
    ({"console": "socket"}, "console may not be set here: its telnet form"),
    ({"qos": "yes"}, "qos is not a boolean: 'yes'"),
    ({"max_op_vls": 256}, "max_op_vls 256 is outside 0 to 255"),
    ({"max_op_vls": "010"}, "max_op_vls is not a number: '010'"),
    ({"max_op_vls": True}, "max_op_vls is not a number: True"),
    ({"qos_high_limit": -2147483649}, "qos_high_limit -2147483649 is outside"),
    ({"log_prefix": "a\nsm_priority 15"}, "log_prefix 'a\\nsm_priority 15' is empty, has space"),
    ({"log_prefix": ""}, "log_prefix '' is empty"),
    ({"log_prefix": "x" * 1020}, "log_prefix is longer than the 1022 characters"),
], ids=lambda value: next(iter(value)) if isinstance(value, dict) else "")
def test_invalid(options, want):
    faults = opensm_option_faults(options, KNOWN, MANAGED)
    assert len(faults) == 1, faults
    assert faults[0].startswith(want)


def test_limit_of_verify_config():
    assert opensm_option_faults({"sm_priority": 15}, KNOWN) == []
    assert opensm_option_faults({"sm_priority": 16}, KNOWN) == ["sm_priority 16 is outside 0 to 15"]
