"""What filter partition_faults refuses, and that it takes the rest."""

import copy
import importlib.util
import pathlib

import pytest

PLUGINS = pathlib.Path(__file__).parents[2] / "plugins" / "filter"


def load(name):
    spec = importlib.util.spec_from_file_location(name, PLUGINS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)


partition_faults = load("partition_faults")
GUID = "0x0002c903000e0b72"


def default(*members):
    return {"name": "Default", "pkey": 0x7FFF, "ipoib": True,
            "members": list(members) or [{"port": "ALL", "membership": "full"}]}


def tenant(**changes):
    tenant = {"name": "tenant", "pkey": "0x0011", "members": [{"port": GUID, "membership": "full"}]}
    tenant.update(changes)
    return {key: value for key, value in tenant.items() if value != "absent"}


def member(port=GUID, membership="full"):
    return {"port": port, "membership": membership}


VALID = {
    "default alone": [default()],
    "isolating default": [default(member("ALL", "limited"), member("SELF", "full"))],
    "general before special": [default(), tenant(members=[member("ALL", "limited"), member("ALL_SWITCHES"), member(GUID)])],
    "pkey as number": [default(), tenant(pkey=0x11)],
    "all flags": [default(), tenant(ipoib=True, indx0=True, mtu=5, rate=16)],
    "upper-case GUID": [default(), tenant(members=[member("0x0002C903000E0B72")])],
}


@pytest.mark.parametrize("partitions", VALID.values(), ids=VALID)
def test_valid(partitions):
    assert partition_faults(copy.deepcopy(partitions)) == []


# Each list has one fault, and the fragment says which.
INVALID = {
    "not-a-list": ("Default=0x7fff: ALL=full;", "not a list"),
    "partition-not-a-mapping": ([default(), "tenant"], "partitions[1]: not a mapping"),
    "default-missing": ([tenant()], "the default partition 0x7fff is missing"),
    "default-locks-out-sm": ([default(member("ALL", "limited"))], "add {port: SELF, membership: full}"),
    "default-self-limited": ([default(member("ALL", "full"), member("SELF", "limited"))], "add {port: SELF"),
    "name-missing": ([default(), tenant(name="absent")], "name None: write a letter"),
    "name-digit-first": ([default(), tenant(name="1st")], "name '1st': write a letter"),
    "name-has-separator": ([default(), tenant(name="a:b")], "name 'a:b': write a letter"),
    "name-has-newline": ([default(), tenant(name="a\n")], "write a letter"),
    "name-too-long": ([default(), tenant(name="a" * 32)], "at most 30"),
    "name-twice": ([default(), tenant(), tenant(pkey=0x12)], "name 'tenant' is taken by partitions[1]"),
    "pkey-missing": ([default(), tenant(pkey="absent")], "pkey None is not a PKey"),
    "pkey-zero": ([default(), tenant(pkey=0)], "outside 0x0001 to 0x7fff"),
    "pkey-top-bit": ([default(), tenant(pkey="0x8011")], "write 0x0011: the top bit is the membership"),
    "pkey-too-large": ([default(), tenant(pkey=0x10000)], "outside 0x0001 to 0x7fff"),
    "pkey-boolean": ([default(), tenant(pkey=True)], "pkey True is not a PKey"),
    "pkey-decimal-string": ([default(), tenant(pkey="17")], "pkey '17' is not a PKey"),
    "pkey-twice": ([default(), tenant(), tenant(name="other", pkey=17)], "pkey 0x0011 is taken by partitions[1]"),
    "unknown-key": ([default(), tenant(defmember="full")], "unknown key 'defmember'"),
    "ipoib-not-boolean": ([default(), tenant(ipoib="no")], "ipoib 'no' is not a boolean"),
    "mtu-in-bytes": ([default(), tenant(ipoib=True, mtu=2048)], "mtu 2048 is not a code from 1 to 5"),
    "rate-without-ipoib": ([default(), tenant(rate=3)], "add ipoib: true or drop rate"),
    "members-missing": ([default(), tenant(members="absent")], "has no members"),
    "members-empty": ([default(), tenant(members=[])], "has no members"),
    "member-not-a-mapping": ([default(), tenant(members=[GUID])], "members[0]: not a mapping"),
    "member-unknown-key": ([default(), tenant(members=[dict(member(), guid=1)])], "unknown key 'guid'"),
    "guid-unquoted": ([default(), tenant(members=[member(0x0002C903000E0B72)])], 'was it "0x0002c903000e0b72"?'),
    "guid-short": ([default(), tenant(members=[member("0x2c903000e0b72")])], "has 13 hexadecimal digits"),
    "guid-without-prefix": ([default(), tenant(members=[member("0002c903000e0b72")])], "neither a port GUID"),
    "guid-zero": ([default(), tenant(members=[member("0x" + "0" * 16)])], "belongs to no port"),
    "guid-twice": ([default(), tenant(members=[member(), member(GUID.upper().replace("X", "x"), "limited")])],
                   "is already a member"),
    "keyword-prefix": ([default(), tenant(members=[member("ALL_SW")])], "write ALL_SWITCHES"),
    "keyword-lower-case": ([default(), tenant(members=[member("self")])], "write SELF"),
    "port-empty": ([default(), tenant(members=[member("")])], "neither a port GUID"),
    "membership-missing": ([default(), tenant(members=[{"port": GUID}])], "membership is missing"),
    "membership-prefix": ([default(), tenant(members=[member(GUID, "f")])], "membership 'f' is not one of"),
    "membership-both": ([default(), tenant(members=[member(GUID, "both")])], "needs allow_both_pkeys"),
    "all-after-guid": ([default(), tenant(members=[member(), member("ALL", "limited")])], "ALL stands after 0x0002c903000e0b72"),
    "class-after-self": ([default(), tenant(members=[member("SELF"), member("ALL_CAS", "limited")])], "ALL_CAS stands after SELF"),
}


@pytest.mark.parametrize("partitions,fragment", INVALID.values(), ids=INVALID)
def test_invalid(partitions, fragment):
    faults = partition_faults(copy.deepcopy(partitions))
    assert len(faults) == 1, faults
    assert fragment in faults[0]


def test_all_faults_at_once():
    faults = partition_faults([tenant(name="", pkey=0, members=[member("A", "f")])])
    assert [fault.split(": ", 1)[1].split(" ")[0] for fault in faults] == ["name", "pkey", "members[0]:", "members[0]:", "the"]


def test_both_with_allow_both_pkeys():
    assert partition_faults([default(), tenant(members=[member(GUID, "both")])], allow_both_pkeys=True) == []
