"""What filter partitions_text_faults refuses, and that the real OpenSM takes the rest."""

import glob
import os
import shutil
import subprocess
import time

import pytest

from conftest import ROOT
from test_partition_faults import load

partitions_text_faults = load("partitions_text_faults")
GUID = "0x0002c903000e0b72"
OTHER = "0x0002c903000e0b73"
DEFAULT = "Default=0x7fff, ipoib: ALL=limited, SELF=full;\n"
SIMULATOR = glob.glob("/usr/lib/*/umad2sim/libumad2sim.so")

VALID = {
    "as a role renders it": f"# managed\n# two: lines, with; marks\n{DEFAULT}tenant=0x0011,indx0,ipoib,mtu=5,rate=16: {GUID}=full, {OTHER}=limited;\n"
                            f"tenant=0x0011: 0x0002c903000e0b74=full;\nibforge-config=0x7123: SELF=full;\n",
    "one line": "Default=0x7fff:ALL=full;a=1:SELF;b=0x2:ALL_CAS=full,ALL_SWITCHES=limited;",
    "several lines": f"Default = 0x7fff , ipoib :\n\tALL = full , # all of them\n\n   SELF=full,\n {GUID}\t;  # end\n",
    "no separators at line ends": f"{DEFAULT}a=0x1:\n{GUID}\n{OTHER}=full;\n",
    "default by name": "Default, ipoib, defmember=full: ALL;\n",
    "default under another name": "management=0x7fff, ipoib: ALL=full;\n",
    "a name again": f"{DEFAULT}a=0x1: SELF;\na: {GUID};\n",
    "PKey without a name": f"{DEFAULT}0x0011, ipoib: {GUID};\n",
    "all flags": f"{DEFAULT}a=0x7ffe, ipoib, mtu = 4, rate=0x07, sl=1, scope=2, scope=0xe, Q_Key=0xb1b, "
                 "TClass=2, FlowLabel=0xfffff, defmember=limited: SELF;\n",
    "multicast groups": "Default=0x7fff, ipoib:\n mgid=ff12:401b::707,sl=1\n mgid = ff12:601b::16 , Q_Key=0xb1b, TClass=1 # router\n "
                        "ALL=full;\na=0x1: mgid=ff05::1,sl=0;a:SELF;\n",
    "longest line": DEFAULT + "#" + "x" * 4092 + "\n" + "a=0x1: SELF" + " " * 4081 + ";\n",
    "unicode in a comment": DEFAULT + "# Zürich \u2028 →\n",
}

# Each text has one fault, and the fragment says which.
INVALID = {
    "empty": ("", "the default partition 0x7fff is missing"),
    "only comments": ("# Default=0x7fff: ALL=full;\n", "the default partition 0x7fff is missing"),
    "default-locks-out-sm": ("Default=0x7fff:\n ALL=limited;\n", "line 2: leaves the subnet manager's own port a limited member"),
    "default-locks-out-sm-unsaid": ("Default=0x7fff: ALL;\n", "line 1: leaves the subnet manager's own port a limited member"),
    "default-without-members": ("Default=0x7fff, ipoib: ;\n", "the partition 0x7fff has no members"),
    "terminator-missing": (f"{DEFAULT}a=0x1:\n SELF\n", "the definition that begins in line 2 has no ';' at its end"),
    "terminator-alone": (f"{DEFAULT}a=0x1:\n SELF=full\n;\n", "line 4: has a ';' with nothing before it"),
    "terminator-twice": (f"{DEFAULT}a=0x1: SELF=full;;\n", "line 2: has a ';' with nothing before it"),
    "colon-missing": (f"{DEFAULT}a=0x1, ipoib\n", "line 2: has no ':' in 'a=0x1, ipoib'"),
    "name-digit": (f"{DEFAULT}1a=0x1: SELF;\n", "line 2: the name '1a' is not a letter"),
    "name-empty": (f"{DEFAULT}=0x1: SELF;\n", "line 2: the name '' is not a letter"),
    "name-long": (f"{DEFAULT}{'a' * 32}=0x1: SELF;\n", "at most 30 letters"),
    "name-twice": (f"{DEFAULT}a=0x1: SELF;\na=0x2: SELF;\n", "line 3: the name 'a' is that of the PKey 0x0001 already"),
    "name-default": (f"{DEFAULT}Default=0x2: SELF;\n", "line 2: the name 'Default' is that of the PKey 0x7fff already"),
    "pkey-missing": (f"{DEFAULT}a: SELF;\n", "line 2: the partition 'a' has no PKey: write a=0x..."),
    "pkey-empty": (f"{DEFAULT}a=: SELF;\n", "line 2: the PKey '' is not a number"),
    "pkey-octal": (f"{DEFAULT}a=011: SELF;\n", "line 2: the PKey '011' is not a number"),
    "pkey-zero": (f"{DEFAULT}a=0x0: SELF;\n", "line 2: the PKey 0x0 is outside 0x0001 to 0x7fff: use"),
    "pkey-top-bit": (f"{DEFAULT}a=0x8011: SELF;\n", "write 0x0011, for the top bit is the membership"),
    "pkey-large": (f"{DEFAULT}a=0x10000: SELF;\n", "line 2: the PKey 0x10000 is outside 0x0001 to 0x7fff: use"),
    "pkey-twice": (f"{DEFAULT}a=0x1: SELF;\nb=1: {GUID};\n", "line 3: the PKey 0x0001 is that of the partition 'a' already"),
    "flag-abbreviated": (f"{DEFAULT}a=0x1, ipo: SELF;\n", "line 2: 'ipo' is no flag"),
    "flag-empty": (f"{DEFAULT}a=0x1,: SELF;\n", "line 2: '' is no flag"),
    "flag-with-value": (f"{DEFAULT}a=0x1, ipoib=1: SELF;\n", "line 2: ipoib takes no value"),
    "flag-without-value": (f"{DEFAULT}a=0x1, mtu: SELF;\n", "line 2: mtu '' is not a number from 1 to 5"),
    "mtu-in-bytes": (f"{DEFAULT}a=0x1, mtu=2048: SELF;\n", "line 2: mtu '2048' is not a number from 1 to 5"),
    "defmember": (f"{DEFAULT}a=0x1, defmember=f: SELF;\n", "line 2: the membership 'f' is not one of full, limited, both"),
    "membership-abbreviated": (f"{DEFAULT}a=0x1: SELF=fu;\n", "line 2: the membership 'fu' is not one of"),
    "membership-empty": (f"{DEFAULT}a=0x1: SELF=;\n", "line 2: the membership '' is not one of"),
    "membership-both": (f"{DEFAULT}a=0x1: SELF=both;\n", "line 2: the membership 'both' needs allow_both_pkeys"),
    "keyword-abbreviated": (f"{DEFAULT}a=0x1: ALL_SW;\n", "line 2: the port 'ALL_SW' is neither"),
    "guid-short": (f"{DEFAULT}a=0x1: 0x2c903000e0b72;\n", "line 2: the port '0x2c903000e0b72' is neither"),
    "guid-without-prefix": (f"{DEFAULT}a=0x1: {GUID[2:]}=full;\n", "is neither a port GUID"),
    "guid-zero": (f"{DEFAULT}a=0x1: 0x{'0' * 16};\n", "is neither a port GUID"),
    "port-missing": (f"{DEFAULT}a=0x1: SELF,,{GUID};\n", "line 2: the port '' is neither"),
    "port-twice": (f"{DEFAULT}a=0x1: {GUID}=full,\n {GUID.upper().replace('X', 'x')};\n", f"line 3: {GUID} takes back {GUID} of line 2"),
    "all-after-port": (f"{DEFAULT}a=0x1: {GUID}=full;\na: ALL;\n", f"line 3: ALL takes back {GUID} of line 2"),
    "class-after-self": (f"{DEFAULT}a=0x1: SELF=full, ALL_CAS;\n", "line 2: ALL_CAS takes back SELF of line 2"),
    "mgid-unicast": (f"{DEFAULT}a=0x1:\n mgid=fe80::1,sl=1\n SELF;\n", "line 3: mgid 'fe80::1' is not a multicast GID"),
    "mgid-without-flag": (f"{DEFAULT}a=0x1:\n mgid=ff12::1\n SELF;\n", "line 3: mgid has no flag behind it"),
    "mgid-flag": (f"{DEFAULT}a=0x1:\n mgid=ff12::1,ipoib\n SELF;\n", "line 3: 'ipoib' is no flag"),
    "line-long": (f"{DEFAULT}a=0x1: SELF{' ' * 4083};\n", "line 2: is longer than the 4094 bytes"),
    "comment-long": (f"{DEFAULT}# {'ü' * 2046}\n", "line 2: is longer than the 4094 bytes"),
    "windows": (DEFAULT + "# a\r\n", "line 2: holds a control character, such as the carriage return"),
    "byte-order-mark": ("\ufeff# a\n" + DEFAULT, "line 1: holds a control character"),
}


@pytest.mark.parametrize("text,fragment", INVALID.values(), ids=INVALID)
def test_invalid(text, fragment):
    faults = partitions_text_faults(text)
    assert len(faults) == 1, faults
    assert fragment in faults[0]


def test_all_faults_at_once():
    faults = partitions_text_faults("a=0x0, foo: SELF=f\n")
    assert [fault.split(" ", 3)[2] if fault.startswith("line") else fault.split(" ", 1)[0] for fault in faults] == ["the", "'foo'", "the", "the", "the"]


def test_options():
    assert partitions_text_faults(f"{DEFAULT}a=0x1: SELF=both;\n", allow_both_pkeys=True) == []
    assert partitions_text_faults(f"{DEFAULT}a=0x7000: SELF;\n", reserved=[0x7001, 0x7FFE]) == []
    faults = partitions_text_faults(f"{DEFAULT}a=0x7123: SELF;\n", reserved=[0x7000, 0x7FFE])
    assert faults == ["line 2: the PKey 0x7123 is reserved (0x7000 to 0x7ffe): use another"]


@pytest.fixture(scope="module")
def opensm(tmp_path_factory):
    """Runs the real OpenSM once over a text, on a simulated fabric, and returns what it says of the file."""
    tools = [shutil.which(tool) for tool in ("ibsim", "opensm")]
    if not (all(tools) and SIMULATOR):
        assert "IBFORGE_TEST_REQUIRE" not in os.environ, "ibsim, opensm or libumad2sim.so is missing"
        pytest.skip("needs ibsim and opensm")
    home = tmp_path_factory.mktemp("fabric")
    environment = {**os.environ, "IBSIM_SOCKNAME": f"ibforge-{os.getpid()}", "OSM_CACHE_DIR": str(home), "OSM_TMP_DIR": str(home)}
    with open(home / "ibsim.log", "wb") as log, subprocess.Popen(
            [tools[0], "-s", "-n", ROOT / "tests/lab/two-switches.net"], cwd=home, env=environment, stdout=log, stderr=log) as ibsim:
        while b"network" not in (home / "ibsim.log").read_bytes().lower() and ibsim.poll() is None:
            time.sleep(0.01)

        def run(text):
            (home / "partitions.conf").write_text(text)
            (home / "log").unlink(missing_ok=True)
            done = subprocess.run([tools[1], "-o", "-F", "/dev/null", "-P", home / "partitions.conf", "-f", home / "log", "-D", "0x07"],
                                  cwd=home, env={**environment, "LD_PRELOAD": SIMULATOR[0], "SIM_HOST": "Hca1"},
                                  capture_output=True, text=True, timeout=60, check=True)
            log = (home / "log").read_text()
            # It read the file, and the fabric came up.
            assert "SUBNET UP" in log and "not accessible" not in log, log
            return [line for line in (log + done.stdout + done.stderr).splitlines() if "PARSE" in line or "default config" in line]

        try:
            yield run
        finally:
            ibsim.kill()


@pytest.mark.parametrize("text", VALID.values(), ids=VALID)
def test_valid(opensm, text):
    assert partitions_text_faults(text) == []
    assert opensm(text) == []


# That OpenSM would make every port a full member, for the least expected one.
def test_terminator_alone_fails_open(opensm):
    assert any("retrying with default config" in line for line in opensm(INVALID["terminator-alone"][0]))
