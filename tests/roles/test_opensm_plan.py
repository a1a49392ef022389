"""What the role plans for the hosts of a fabric: priorities, files, marks, and what it refuses."""

import pytest

KNOWN = {name: {"type": "uint32", "reload": name != "lmc"} for name in (
    "lmc", "log_max_size", "polling_retry_number", "sminfo_polling_timeout", "sweep_interval")}
KNOWN |= {"sm_priority": {"type": "uint8", "reload": True, "max": 15}, "subnet_prefix": {"type": "uint64", "reload": False},
          "allow_both_pkeys": {"type": "boolean", "reload": False}}
KNOWN |= {name: {"type": "uint64", "reload": True} for name in ("m_key", "sm_key", "cc_key")}
KNOWN |= {name: {"type": "string", "reload": False} for name in ("part_enforce", "routing_engine", "partition_config_file")}
DEFAULT = {"name": "Default", "pkey": 0x7FFF, "ipoib": True, "members": [{"port": "ALL", "membership": "full"}]}
BASE = {
    "fabric": "fabric", "fabrics": {}, "environment": {}, "port_guids": [], "partitions": [DEFAULT], "allow_both_pkeys": False,
    "part_enforce": "both", "sm_priority": None, "mark_pkeys": [0x7000, 0x7FFE], "sminfo_polling_timeout": None,
    "polling_retry_number": None, "sweep_interval": 10, "routing_engine": [], "lmc": 0, "subnet_prefix": "0xfe80000000000000",
    "log_max_size": 100, "m_key": "", "sa_key": "", "sm_key": "", "extra_config": {}, "operator": {}}
MANAGED = {"lmc": "use ib_opensm_lmc", "m_key": "use ib_opensm_m_key", "sm_priority": "use ib_opensm_sm_priority"}
ONE, TWO = "0x0002c903000e0b72", "0xf45214030038aa01"


@pytest.fixture
def plan(filters):
    """Plan for a host, beside others by their variables."""
    def run(host="ctl1", hosts=None, ufm=None, **changes):
        hosts = hosts or {"ctl1": {}}
        return filters("opensm_plan")({**BASE, **changes}, host, {**hosts, **(ufm or {})},
                                      {"ib_opensm": list(hosts), "ib_ufm": list(ufm or {})}, KNOWN, MANAGED)
    return run


def own(options=None, partitions="", fabric="fabric"):
    """What the operator's files say of a fabric."""
    return {"operator": {fabric: {"options": options or {}, "partitions": partitions}}}


OPEN = "# ours\nDefault=0x7fff, ipoib: ALL=full;"
THREE = {"ctl1": {}, "ctl2": {}, "ctl3": {}}


def options(plan, name="opensm.conf"):
    return dict(line.split(" ", 1) for line in plan["files"][name].splitlines() if not line.startswith("#"))


def test_alone(plan):
    planned = plan()
    assert planned["faults"] == [] and list(planned["files"]) == ["partitions.conf", "opensm.conf", "environment"]
    assert options(planned)["sm_priority"] == "0" and options(planned)["sminfo_polling_timeout"] == "10000"
    assert 'SETTLE_SECONDS="0"' in planned["files"]["environment"]


def test_several_hosts(plan):
    plans = {host: plan(host, THREE) for host in THREE}
    assert [options(p)["sm_priority"] for p in plans.values()] == ["14", "13", "12"]
    assert {options(p)["polling_retry_number"] for p in plans.values()} == {"2"}
    # One rendering but for what makes a host itself.
    assert len({p["files"]["partitions.conf"] for p in plans.values()}) == 1
    assert len({p["files"]["opensm.conf"].replace("sm_priority 1", "") for p in plans.values()}) == 3
    assert f"ibforge-config={plans['ctl1']['fabrics'][0]['mark']:#06x}: SELF=full;" in plans["ctl1"]["files"]["partitions.conf"]


@pytest.mark.parametrize("change", [
    {"partitions": [DEFAULT, {"name": "t", "pkey": 16, "members": [{"port": ONE, "membership": "full"}]}]},
    {"sweep_interval": 11}, {"m_key": "0x1"}])
def test_another_configuration_has_another_mark(plan, change):
    planned, other = plan(), plan(**change)
    assert other["fabrics"][0]["mark"] != planned["fabrics"][0]["mark"]
    assert 0x7000 <= other["fabrics"][0]["mark"] <= 0x7FFE


def test_the_mark_is_not_of_a_host(plan):
    assert plan(sm_priority=3)["fabrics"][0]["mark"] == plan()["fabrics"][0]["mark"]
    assert "ibforge-config" not in plan(mark_pkeys=[])["files"]["partitions.conf"]


def test_an_explicit_priority_is_left_out_of_the_order(plan):
    hosts = {"ctl1": {}, "ctl2": {"ib_opensm_sm_priority": 14}, "ctl3": {}}
    assert [options(plan(host, hosts, sm_priority=hosts[host].get("ib_opensm_sm_priority")))["sm_priority"] for host in hosts] == ["13", "14", "12"]


def test_what_needs_a_new_process(plan):
    planned = plan()
    assert plan(sweep_interval=11)["process"] == planned["process"]
    assert plan(lmc=1)["process"] != planned["process"]
    assert plan(environment={"A": "b"})["process"] != planned["process"]
    assert plan(m_key="0x1")["process"] != planned["process"]  # an option that comes or goes


def test_two_fabrics(plan):
    planned = plan(fabrics={"compute": {"port_guids": [ONE]}, "storage": {"port_guids": [TWO], "subnet_prefix": "0xfe80000000000001", "sm_priority": 3}})
    assert planned["faults"] == []
    assert planned["files"]["storage/ports"] == TWO + "\n"
    assert options(planned, "storage/opensm.conf")["partition_config_file"] == "/etc/opensm/storage/partitions.conf"
    assert options(planned, "storage/opensm.conf")["sm_priority"] == "3"
    assert f'PORTS="{ONE} {TWO}"' in planned["files"]["environment"]


def test_many_members_take_several_lines(plan):
    members = [{"port": f"0x{n:016x}", "membership": "full"} for n in range(1, 200)]
    lines = plan(partitions=[DEFAULT, {"name": "t", "pkey": 16, "members": members}])["files"]["partitions.conf"].splitlines()
    assert sum(line.startswith("t=0x0010:") for line in lines) == 4 and max(map(len, lines)) < 4094


@pytest.mark.parametrize("given,words", [
    ({"hosts": {"ctl1": {"ib_opensm_sm_priority": 7}, "ctl2": {"ib_opensm_sm_priority": 7}}, "sm_priority": 7}, ["sm_priority 7", "ctl1", "ctl2"]),
    ({"hosts": {f"ctl{n}": {} for n in range(17)}}, ["17 hosts"]),
    ({"fabrics": {"a": {"port_guids": [ONE]}, "b": {"subnet_prefix": "0x1"}}}, ["b has no port_guids"]),
    ({"fabrics": {"a": {"port_guids": [ONE]}, "b": {"port_guids": [ONE], "subnet_prefix": "0x1"}}}, [ONE, "a port is on one fabric"]),
    ({"fabrics": {"a": {"port_guids": [ONE]}, "b": {"port_guids": [TWO]}}}, ["one subnet_prefix", "a and b"]),
    ({"fabrics": {"a": {"port_guid": [ONE]}}}, ["unknown key 'port_guid'", "port_guids"]),
    ({"fabric": "No Name"}, ["'No Name'"]),
    ({"hosts": {"ctl1": {}, "ctl2": {"ib_opensm_port_guids": [ONE]}}, "port_guids": [ONE]}, [ONE, "ctl1", "ctl2", "one subnet manager runs on a port"]),
    ({"ufm": {"mgr": {}}}, ["UFM on mgr", "OpenSM on ctl1"]),
    ({"partitions": [DEFAULT, {"name": "t", "pkey": 0x7ABC, "members": [{"port": ONE, "membership": "full"}]}]}, ["0x7000", "marks the configuration"]),
    ({"partitions": [DEFAULT, {"name": "ibforge-config", "pkey": 1, "members": [{"port": ONE, "membership": "full"}]}]}, ["marks the configuration"]),
    ({"mark_pkeys": [0x7000, 0x7FFF]}, ["ib_opensm_mark_pkeys"]),
    ({"extra_config": {"lmc": 1}}, ["use ib_opensm_lmc"]),
    ({"m_key": "secret"}, ["ib_opensm_m_key"]),
    ({"extra_config": {"cc_key": "secret"}}, ["ib_opensm_extra_config: cc_key"]),
    (own({"sm_key": "secret"}), ["opensm.conf: sm_key is not 0x"]),
    (own({"sm_priority": "3"}), ["opensm.conf: sm_priority may not be set here: use ib_opensm_sm_priority"]),
    (own({"sweep_intervall": "3"}), ["opensm.conf: sweep_intervall", "did you mean sweep_interval"]),
    (own(partitions="Default=0x7fff: ALL=ful;"), ["partitions.conf: line 1", "'ful'"]),
    (own(partitions=OPEN + "\nt=0x7abc: ALL=full;"), ["partitions.conf: line 3", "reserved"]),
    (own(partitions=OPEN + "\nibforge-config=0x10: ALL=full;"), ["partitions.conf", "marks the configuration"]),
    ({"fabrics": {"a": {"port_guids": [ONE]}, "b": {"port_guids": [TWO], "subnet_prefix": "0x1"}},
      **own({"subnet_prefix": "0x1"}, fabric="a")}, ["one subnet_prefix", "a and b"]),
])
def test_faults(plan, given, words):
    planned = plan(**given)
    assert planned["files"] == {}
    assert len(planned["faults"]) == 1, planned["faults"]
    assert all(word in planned["faults"][0] for word in words), planned["faults"]
    assert "secret" not in planned["faults"][0]


def test_the_operators_options_win(plan):
    planned = plan(sweep_interval=11, m_key="0x1", extra_config={"cc_key": "0x3"}, **own({"sweep_interval": "12", "m_key": "0x2", "lmc": "1"}))
    assert planned["faults"] == []
    assert [options(planned)[name] for name in ("sweep_interval", "m_key", "lmc", "cc_key")] == ["12", "0x2", "1", "0x3"]
    # What the fabric has is what counts, whichever way it was said.
    same = plan(sweep_interval=12, m_key="0x2", lmc=1, extra_config={"cc_key": "0x3"})
    assert planned["fabrics"][0]["mark"] == same["fabrics"][0]["mark"] and planned["files"] == same["files"]
    assert planned["process"] != plan(sweep_interval=11, m_key="0x1", extra_config={"cc_key": "0x3"})["process"]


def test_the_operators_partitions(plan):
    planned = plan(**own(partitions=OPEN))
    mark = planned["fabrics"][0]["mark"]
    lines = planned["files"]["partitions.conf"].splitlines()
    assert lines[:2] == OPEN.splitlines() and lines[-1] == f"ibforge-config={mark:#06x}: SELF=full;"
    assert mark != plan(**own(partitions=OPEN.replace("ipoib", "indx0")))["fabrics"][0]["mark"]
    # Nobody marks the configuration, and its range is free.
    assert plan(mark_pkeys=[], **own(partitions=OPEN + "\nt=0x7abc: ALL=full;\n"))["files"]["partitions.conf"] == OPEN + "\nt=0x7abc: ALL=full;\n"


def test_each_fabric_has_files_of_the_operator(plan):
    planned = plan(fabrics={"a": {"port_guids": [ONE]}, "b": {"port_guids": [TWO], "subnet_prefix": "0x1"}}, **own({"sweep_interval": "9"}, OPEN, "b"))
    assert options(planned, "b/opensm.conf")["sweep_interval"] == "9" and options(planned, "a/opensm.conf")["sweep_interval"] == "10"
    assert planned["files"]["b/partitions.conf"].startswith(OPEN) and not planned["files"]["a/partitions.conf"].startswith(OPEN)


def test_ufm_on_another_fabric(plan):
    assert plan(ufm={"mgr": {"ib_ufm_fabric": "other"}})["faults"] == []


def test_disagreements(plan, filters):
    plans = {"ctl1": plan("ctl1", THREE), "ctl2": plan("ctl2", THREE, sweep_interval=11, sm_key="0x2"), "ctl3": plan("ctl3", THREE)}
    faults = filters("opensm_disagreements")(plans, "ctl1")
    assert len(faults) == 1 and "ctl1 and ctl2" in faults[0] and "sm_key, sweep_interval" in faults[0] and "0x2" not in faults[0]
    assert len(filters("opensm_disagreements")(plans, "ctl2")) == 2
