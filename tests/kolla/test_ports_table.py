"""configs/kolla-ports.json: that it is what released kolla-ansible packages say.

UPDATE=1 writes the table. The packages are fetched into .cache/kolla once.
IBFORGE names the program to compare with Ansible, bin/ibforge otherwise.
"""

import json
import os
import pathlib
import random
import subprocess
import sys

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

ROOT = pathlib.Path(__file__).parents[2]
IBFORGE = pathlib.Path(os.environ.get("IBFORGE", ROOT / "bin" / "ibforge"))
# The generator is a program, not a package.
sys.path.insert(0, str(ROOT / "tests" / "tools"))

import kolla_jinja as jinja
import kolla_ports
import kolla_rules as rules


@pytest.fixture(scope="session")
def releases():
    return {name: kolla_ports.Release(name, version, kolla_ports.fetch(version, digest))
            for name, (version, digest) in kolla_ports.RELEASES.items()}


@pytest.fixture(scope="session")
def table():
    return {r["release"]: r for r in json.loads(kolla_ports.TABLE.read_text())["releases"]}


def test_table_is_what_the_packages_say(releases):
    wanted = kolla_ports.dump(release.table() for release in releases.values())
    if os.environ.get("UPDATE") == "1":
        kolla_ports.TABLE.write_text(wanted)
    assert kolla_ports.TABLE.read_text() == wanted, "not up to date; UPDATE=1 rewrites it"


@pytest.mark.parametrize("release", kolla_ports.RELEASES)
def test_facts(table, release):
    """Read by hand off the packages' group_vars, roles and templates."""
    found = {(p["variable"], p["number"], p["listens"], p["enabled_by"], p["default"]) for p in table[release]["ports"]}
    behind = 8080 if release >= "2025.2" else 80
    assert found >= {
        ("horizon_port", 80, "internal_vip", "enable_horizon", True),
        ("horizon_tls_port", 443, "external_vip", "enable_horizon", True),
        ("horizon_listen_port", behind, "api", "enable_horizon", True),
        ("heat_api_cfn_port", 8000, "internal_vip", "enable_heat", True),
        ("heat_api_cfn_listen_port", 8000, "api", "enable_heat", True),
        ("ironic_http_port", 8089, "ironic_http", "enable_ironic", False),
        ("letsencrypt_webserver_port", 8081, "api", "enable_letsencrypt", False),
        ("designate_api_public_port", 9001, "external_vip", "enable_designate", False),
        ("ovsdb_port", 6640, "loopback", "enable_openvswitch", True),
        ("", 9300, "api", "enable_opensearch", False),
    }
    # Ceph's gateway is somebody else's, whatever HAProxy puts before it.
    assert not any(variable == "ceph_rgw_port" and listens == "api" for variable, _, listens, _, _ in found)
    udp = {p["variable"] for p in table[release]["ports"] if p["protocol"] == "udp"}
    assert udp >= {"octavia_health_manager_port", "fluentd_syslog_port", "hacluster_corosync_port"}


def test_a_port_that_nobody_knows_stops_the_generator(releases):
    release = releases["2025.1"]
    release.defaults["brand_new_port"] = "4711"
    try:
        with pytest.raises(SystemExit, match="20.6.0: where is brand_new_port bound"):
            release.ports()
    finally:
        del release.defaults["brand_new_port"]


def test_a_changed_package_is_refused(tmp_path):
    wheel = tmp_path / "kolla_ansible-1.0.0-py3-none-any.whl"
    wheel.write_bytes(b"something else")
    with pytest.raises(SystemExit, match="has the sum .* instead of 0{64}; remove it"):
        kolla_ports.fetch("1.0.0", "0" * 64, cache=tmp_path)


def test_a_package_of_another_release_is_refused():
    version, digest = kolla_ports.RELEASES["2025.1"]
    with pytest.raises(SystemExit, match="kolla-ansible 20.6.0 is of 2025.1, not of 2025.2"):
        kolla_ports.Release("2025.2", version, kolla_ports.fetch(version, digest))


@pytest.mark.parametrize("source,expression", [
    (8000, "8000"),
    (True, "true"),
    ("no", "no"),
    ("{{ a }}", "$a"),
    ("{{ a | bool and not b | bool }}", ["and", "$a", ["not", "$b"]]),
    ("{{ (a | bool or b | bool) or c | bool }}", ["or", "$a", "$b", "$c"]),
    ("{{ '1' if a | bool else b if c == 'x' else d | int }}", ["if", "$a", "1", ["if", ["eq", "$c", "x"], "$b", "$d"]]),
    ("{{ a != 'x' }}", ["not", ["eq", "$a", "x"]]),
    ("{{ a not in ['x', 'y'] }}", ["not", ["or", ["eq", "$a", "x"], ["eq", "$a", "y"]]]),
    ("{{ a | default('9200') }}", ["default", "$a", "9200"]),
    ("{% if a | bool %}{{ b }}{% else %}{{ c }}{% endif %}", ["if", "$a", "$b", "$c"]),
    ("{{ a\n  | bool }}\n", "$a"),
])
def test_translation(source, expression):
    assert jinja.translate(source) == expression


@pytest.mark.parametrize("source", [
    "{{ a }}:{{ b }}", "x{{ a }}", "{{ a.b }}", "{{ a | length > 0 }}", "{{ a + 1 }}", "{{ 'x' in a }}", "{{ a | default(1, true) }}",
    "{% for x in a %}{{ x }}{% endfor %}", "{% if a %}{{ b }}{% elif c %}{{ d }}{% else %}e{% endif %}", ["a"], None, "$a",
])
def test_what_cannot_be_translated_is_refused(source):
    with pytest.raises(jinja.UnsupportedError):
        jinja.translate(source)


def test_conditions():
    both, either = jinja.both, jinja.either
    assert both("true", "true") == "true"
    assert both("$a", both("$b", "$a"), "true") == ["and", "$a", "$b"]
    assert either("$a", both("$a", "$b")) == "$a"
    assert either(both("$a", "$b"), "$c", "$a") == ["or", "$c", "$a"]
    assert either("true", "$a") == "true"
    assert list(jinja.leaves(["if", "$c", "$a", "$b"])) == [("a", "$c"), ("b", ["not", "$c"])]
    with pytest.raises(jinja.UnsupportedError):
        list(jinja.leaves(["if", "$c", "$a", "80"]))


def site(part, seed):
    """Variables as a site may set them, and whether its two VIPs are one."""
    roll = random.Random(seed)
    names = sorted(part["variables"])
    switches = [n for n in names if n.startswith(("enable_", "kolla_enable_", "haproxy_single_external_frontend")) and not n.endswith("_port")]
    out = {n: roll.choice(["yes", "no", True, False, "true"]) for n in roll.sample(switches, roll.randint(0, 25))}
    for name in roll.sample([n for n in names if n.endswith("_port")], roll.randint(0, 15)):
        out[name] = roll.choice([int, str])(roll.randint(1, 65535))
    out["nova_console"] = roll.choice(["spice", "novnc", "none"])
    out["neutron_plugin_agent"] = roll.choice(["ovn", "openvswitch"])
    out["kolla_internal_vip_address"], out["kolla_external_vip_address"] = "192.0.2.1", roll.choice(["192.0.2.1", "192.0.2.2"])
    return out, out["kolla_external_vip_address"] == out["kolla_internal_vip_address"]


@pytest.mark.skipif(not IBFORGE.exists() and os.environ.get("IBFORGE_TEST_REQUIRE") != "1", reason="bin/ibforge is not built")
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", kolla_ports.RELEASES)
def test_ibforge_computes_what_ansible_does(releases, table, name, seed, tmp_path):
    settings, one_vip = site(table[name], f"{name} {seed}")
    (tmp_path / "globals.yml").write_text(yaml.safe_dump(settings))
    (tmp_path / "images.yml").write_text("ibforge_images: {}\n")
    done = subprocess.run(
        [IBFORGE, "portmap", "show", "-C", tmp_path, "--json", "--images-file", "images.yml",
         "--kolla", name, "--kolla-globals", "globals.yml"],
        capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    got = {(p["variable"], p["port"], p["protocol"]) for p in json.loads(done.stdout)["kolla"]["ports"]}

    ansible = Templar(DataLoader(), variables={
        **releases[name].defaults, **rules.ASSUMED, "kolla_same_external_internal_vip": one_vip, **settings})

    def value(expression):
        return str(ansible.template("{{ " + expression[1:] + " }}")) if jinja.is_variable(expression) else expression

    def holds(expression):
        if isinstance(expression, str):
            return value(expression).lower() in ("true", "yes", "on", "1")
        operation, *operands = expression
        if operation == "eq":
            return value(operands[0]) == value(operands[1])
        return not holds(operands[0]) if operation == "not" else {"and": all, "or": any}[operation](map(holds, operands))

    assert got == {(p["variable"] or p["service"], int(value("$" + p["variable"])) if p["variable"] else p["number"], p["protocol"])
                   for p in table[name]["ports"] if holds(p["when"])}
