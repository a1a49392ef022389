"""The files of a site as Kolla-Ansible renders them, and the environment that reads them, which tests/tools/sdn_setup.sh makes."""

import json
import os
import pathlib
import subprocess
import sys
import zipfile

import yaml

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]
ENVIRONMENT = ROOT / ".cache" / "sdn"
FEATURE = ROOT / "kayobe" / "features" / "sdn" / "kolla" / "config" / "neutron" / "ml2_conf.ini"
sys.path.insert(0, str(ROOT / "tests" / "tools"))

import kolla_ports

# What Kayobe and its globals would say, and what is encrypted in a real site.
AROUND = {
    "kolla_neutron_ml2_mechanism_drivers": None, "kayobe_config_path": "/etc/kayobe",
    "secrets_ibforge_sdn_token": "the-token", "openstack_release": "2024.1", "kolla_bifrost_source_url": "", "kolla_bifrost_source_version": "",
}
KOLLA = {
    "ibforge_sdn_token": "the-token", "ibforge_sdn_password": "the-password", "neutron_physical_networks": "physnet1",
    "tunnel_address_family": "ipv4", "neutron_plugin_agent": "openvswitch", "enable_ironic": True, "openstack_cacert": "",
}
# Those of Kolla's variables that its template takes.
LISTS = ("extension_drivers", "mechanism_drivers", "neutron_extension_drivers", "neutron_mechanism_drivers", "neutron_dns_integration",
         "neutron_tenant_network_types", "neutron_type_drivers")


def site(name):
    """The variables of a site that Kayobe reads beside the operator's own."""
    return yaml.safe_load((ROOT / "configs" / name / "etc" / "kayobe" / "ibforge-site.yml").read_text())


def unpack(directory, release):
    """Kolla-Ansible's template and plugin, into the directory. Returns the variables that the template takes."""
    version, digest = kolla_ports.RELEASES[release]
    wheel = kolla_ports.fetch(version, digest)
    wanted = {"roles/neutron/templates/ml2_conf.ini.j2": "own.ini.j2", "action_plugins/merge_configs.py": "action_plugins/merge_configs.py"}
    with zipfile.ZipFile(wheel) as archive:
        tree = next(n for n in archive.namelist() if n.endswith("/action_plugins/merge_configs.py")).removesuffix("action_plugins/merge_configs.py")
        for source, target in wanted.items():
            (directory / target).parent.mkdir(parents=True, exist_ok=True)
            (directory / target).write_bytes(archive.read(tree + source))
        defaults = kolla_ports.Release(release, version, wheel).defaults
    # Kolla's plugin reads files as oslo.config does, and needs no more of it.
    (directory / "lib").mkdir()
    (directory / "lib" / "oslo_config").symlink_to(next(ENVIRONMENT.glob("venv/lib/python3*/site-packages/oslo_config")))
    return {k: defaults[k] for k in defaults if k in LISTS or k.startswith("enable_")}


def render(directory, release, cases, **kolla):
    """Kayobe's step and Kolla-Ansible's, with the latter's own template and plugin.

    cases has variables by name; its files are directory/NAME/kayobe.ini and
    directory/NAME/ml2_conf.ini, and are not there where the first step failed.
    Returns what Ansible said.
    """
    common = {"hosts": "localhost", "connection": "local", "gather_facts": False}
    defaults = unpack(directory, release)
    plays = []
    for name, variables in cases.items():
        home = directory / name
        home.mkdir()
        plays += [
            {**common, "name": name, "vars": {**AROUND, **variables}, "tasks": [
                {"ansible.builtin.template": {"src": str(FEATURE), "dest": str(home / "kayobe.ini"), "mode": "0600"}, "register": "first", "ignore_errors": True}]},
            {**common, "name": f"{name}, Kolla's step", "vars": {**defaults, **KOLLA, **kolla}, "tasks": [
                {"merge_configs": {"sources": ["own.ini.j2", str(home / "kayobe.ini")], "dest": str(home / "ml2_conf.ini"), "mode": "0600"},
                 "when": "first is success"}]}]
    (directory / "play.yml").write_text(yaml.safe_dump(plays))
    done = subprocess.run(
        [pathlib.Path(sys.executable).parent / "ansible-playbook", "-i", "localhost,", "play.yml"], cwd=directory, text=True, capture_output=True, check=False,
        env={**os.environ, "PYTHONPATH": str(directory / "lib"), "ANSIBLE_HOME": str(directory / "home"), "ANSIBLE_NOCOLOR": "1",
             "ANSIBLE_ACTION_PLUGINS": str(directory / "action_plugins"), "ANSIBLE_PYTHON_INTERPRETER": sys.executable})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def command(generation, program, *arguments):
    """How a program of this directory is run with that generation of the driver."""
    return {"args": [ENVIRONMENT / "venv" / "bin" / "python", "-W", "ignore", HERE / program, *arguments],
            "env": {**os.environ, "PYTHONPATH": str(ENVIRONMENT / generation)}, "text": True}


def options(generation, file):
    """What options.py says of the file."""
    done = subprocess.run(**command(generation, "options.py", file), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
