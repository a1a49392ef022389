"""The sites in configs, held against the roles, the inventory plugins and the playbooks; and what docs/sites shows of them."""

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest
import yaml

ROOT = pathlib.Path(__file__).parents[2]
BIN = pathlib.Path(sys.executable).parent
SITES = ("flat", "multitenant")
TYPES = {"str": str, "path": str, "int": int, "bool": bool, "list": list, "dict": dict}
# Of Kayobe; its own names are not in this repository.
KAYOBE = {"opensm_enabled", "kolla_sources", "kolla_enable_tls_internal", "kolla_ansible_extra_custom_passwords",
          "kolla_neutron_ml2_network_vlan_ranges"}


def home(name):
    return ROOT / "configs" / name


def variables(name):
    return yaml.safe_load((home(name) / "etc" / "kayobe" / "ibforge-site.yml").read_text())


def specifications():
    """The options of all roles."""
    found = {}
    for file in ROOT.glob("roles/*/meta/argument_specs.yml"):
        for entry in yaml.safe_load(file.read_text())["argument_specs"].values():
            found |= entry["options"]
    return found


@pytest.fixture(scope="module")
def ansible(tmp_path_factory):
    """Runs an Ansible command that finds the working tree as ibforge.fabric."""
    directory = tmp_path_factory.mktemp("collections")
    namespace = directory / "ansible_collections" / "ibforge"
    namespace.mkdir(parents=True)
    (namespace / "fabric").symlink_to(ROOT, target_is_directory=True)

    def run(command, *arguments):
        return subprocess.run(
            [BIN / command, *arguments], cwd=directory, text=True, capture_output=True, check=False,
            env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "ANSIBLE_COLLECTIONS_PATH": str(directory), "ANSIBLE_HOME": str(directory / "home"),
                 "ANSIBLE_NOCOLOR": "1", "ANSIBLE_INJECT_FACT_VARS": "False", "ANSIBLE_TRANSFORM_INVALID_GROUP_CHARS": "ignore",
                 "ANSIBLE_LOCALHOST_WARNING": "False"})

    return run


def inventory(name):
    return ["-i", home(name) / "hosts", "-i", home(name) / "etc" / "kayobe" / "inventory"]


@pytest.mark.parametrize("name", SITES)
def test_all_files_are_yaml_with_content(name):
    files = [f for f in home(name).rglob("*") if f.is_file() and (f.suffix == ".yml" or "group_vars" in f.parts)]
    assert files
    for file in files:
        assert isinstance(yaml.safe_load(file.read_text()), dict), file


@pytest.mark.parametrize("name", SITES)
def test_variables_are_the_roles_own_and_of_their_types(name):
    known = specifications()
    for variable, value in variables(name).items():
        if not variable.startswith("ib_"):
            continue
        assert variable in known, f"{variable} is no variable of a role"
        option = known[variable]
        if isinstance(value, str) and "{{" in value:
            assert option["type"] in ("str", "path"), variable
            continue
        assert isinstance(value, TYPES[option["type"]]), variable
        assert value in option.get("choices", [value]), variable


@pytest.mark.parametrize("name", SITES)
def test_other_variables_are_kayobes_or_the_features(name):
    feature = (ROOT / "kayobe" / "features" / "sdn" / "ibforge-neutron.yml").read_text()
    for variable in variables(name):
        assert variable.startswith("ib_") or variable in KAYOBE or re.search(rf"(?m)^#{variable}:$", feature), variable


def test_no_secret_is_in_the_clear():
    text = (home("multitenant") / "etc" / "kayobe" / "ibforge-site.yml").read_text()
    shown = set(yaml.safe_load((home("multitenant") / "secrets.example.yml").read_text()))
    assert set(re.findall(r"secrets_\w+", text)) - {"secrets_"} == shown
    options = specifications()
    for variable, value in variables("multitenant").items():
        if options.get(variable, {}).get("no_log"):
            assert value.startswith("{{ secrets_"), variable


@pytest.mark.parametrize(("name", "groups"), [
    ("flat", {"ib_opensm": ["ctl0", "ctl1", "ctl2"], "ib_ufm": [], "ib_neo": []}),
    ("multitenant", {"ib_opensm": [], "ib_ufm": ["ctl0"], "ib_neo": ["ctl0"]})])
def test_hosts_are_in_the_groups(name, groups, ansible):
    done = ansible("ansible-inventory", *inventory(name), "--list")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)

    def hosts(group):
        entry = found.get(group, {})
        return sorted([*entry.get("hosts", []), *(h for child in entry.get("children", []) for h in hosts(child))])

    for group, wanted in groups.items():
        assert hosts(group) == wanted
        assert hosts(group.replace("_", "-")) == wanted
    kolla = (home(name) / "etc" / "kayobe" / "kolla" / "inventory" / "ibforge").read_text()
    assert all(f"[{g.replace('_', '-')}" in kolla for g in groups)


@pytest.mark.parametrize("name", SITES)
def test_the_playbooks_take_the_site(name, ansible):
    site = home(name) / "etc" / "kayobe" / "ibforge-site.yml"
    done = ansible("ansible-playbook", *inventory(name), "-e", f"@{site}", "ibforge.fabric.precheck", "--syntax-check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Could not match supplied host pattern" not in done.stderr


def test_a_fabric_that_nobody_has_is_refused(ansible, tmp_path):
    """A site that names the port of another machine: host_configure, of which this is the second step, says which ones the host has."""
    (tmp_path / "hosts").write_text("[controllers]\nctl0 ansible_connection=local\n")
    (tmp_path / "play.yml").write_text(yaml.safe_dump([{
        "hosts": "ib_opensm", "gather_facts": False, "roles": [{"role": "ibforge.fabric.ib_host", "ib_host_action": "precheck"}]}]))
    done = ansible(
        "ansible-playbook", "-i", tmp_path / "hosts", "-i", home("flat") / "etc" / "kayobe" / "inventory",
        "-e", f"@{home('flat') / 'etc' / 'kayobe' / 'ibforge-site.yml'}", "-e", f"ansible_python_interpreter={sys.executable}",
        "-e", json.dumps({"ib_opensm_port_guids": ["0x0002c903000e0b99"]}), tmp_path / "play.yml")
    assert done.returncode != 0
    assert "no InfiniBand port of this host has the GUID 0x0002c903000e0b99; there are: " in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("name", SITES)
def test_documents_show_what_is_in_the_files(name):
    files = [f.read_text() for f in home(name).rglob("*") if f.is_file()]
    blocks = re.findall(r"(?ms)^```yaml\n(.*?)^```$", (ROOT / "docs" / "sites" / f"{name}.md").read_text())
    assert len(blocks) >= 2
    for block in blocks:
        assert any(block in text for text in files), block
    shown = (ROOT / "docs" / "sites" / f"{name}.md").read_text()
    for file in home(name).rglob("*"):
        assert not file.is_file() or file.name == "hosts" or file.name in shown, f"{file} is not explained"
