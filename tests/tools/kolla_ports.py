#!/usr/bin/env python3
"""Writes configs/kolla-ports.json: the ports of Kolla-Ansible's services.

    kolla_ports.py [--check] [FILE]

reads the wheels of the releases below, which it fetches into .cache/kolla where
they are missing, and writes FILE, or tells with --check whether it is up to
date. It needs the Python of .cache/venv: numbers come from Ansible's own
templating, and how they depend on one another from the same Jinja, translated.
"""

import argparse
import hashlib
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import zipfile

import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

import kolla_jinja as jinja
import kolla_rules as rules

ROOT = pathlib.Path(__file__).resolve().parents[2]
TABLE = ROOT / "configs" / "kolla-ports.json"
CACHE = ROOT / ".cache" / "kolla"

#: The newest kolla-ansible of each release that Kayobe still deploys, and the
#: sum of its wheel.
RELEASES = {
    "2024.1": ("18.8.0", "c38896fa7cc8b9bd3edfefbe0f82e1b29a709c441e78357dd2c59623ffc27ebf"),
    "2024.2": ("19.8.0", "c0ec268b5e148c818b6e5cb22d4012d1585cba072fb6ba2981543d07d69280b3"),
    "2025.1": ("20.6.0", "06aa6f703d3e6c3d38d15ca220d9cb45735d184da472e770eb470dbfd86a7e53"),
    "2025.2": ("21.3.0", "a7f69556f5b5e28604503a4e230c389304c12a6cac4dafd31fbb5e51c9e471f3"),
    "2026.1": ("22.2.0", "010e077c95d172e152f253bba4c0af43b537c987439d1c4601e9edc6adaeac34"),
    "2026.2": ("23.0.0", "0aa5ebca96c7ac683236b4f5ff0155e8d7d0fd4fcf70c7c38d9e32d10c6c4453"),
}

_PORT = re.compile(r"_port(_external)?$")


def fetch(version, digest, cache=CACHE):
    """The path of a wheel, downloaded if it is not there."""
    wheel = cache / f"kolla_ansible-{version}-py3-none-any.whl"
    if not wheel.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as pin:
            pin.write(f"kolla-ansible=={version} --hash=sha256:{digest}\n")
            pin.flush()
            # Newer ones ask for a newer Python; nothing of them is run.
            subprocess.run(
                [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input",
                 "--no-deps", "--only-binary", ":all:", "--ignore-requires-python", "--require-hashes",
                 "--dest", str(cache), "--requirement", pin.name], check=True)
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != digest:
        raise SystemExit(f"{wheel} has the sum {found} instead of {digest}; remove it and run this again")
    return wheel


class Release:
    """The variables and services of one kolla-ansible."""

    def __init__(self, name, version, wheel):
        self.name, self.version = name, version
        self.groups, self.roles = {}, {}
        inside = re.compile(r".*/share/kolla-ansible/ansible/(group_vars/all|roles/([^/]+)/defaults)(/[^/]+)?\.yml$")
        with zipfile.ZipFile(wheel) as archive:
            for file in sorted(archive.namelist()):
                if match := inside.fullmatch(file):
                    content = yaml.load(archive.read(file), yaml.CSafeLoader) or {}
                    (self.roles.setdefault(match[2], {}) if match[2] else self.groups).update(content)
        # As Ansible: what group_vars say goes before the defaults of a role.
        self.defaults = {}
        for role in self.roles.values():
            self.defaults.update(role)
        self.defaults.update(self.groups)
        self.templar = Templar(DataLoader(), variables={**self.defaults, **rules.ASSUMED})
        if self.defaults["openstack_release"] != name:
            raise SystemExit(f"kolla-ansible {version} is of {self.defaults['openstack_release']}, not of {name}")

    def expression(self, name):
        """What the variable is, or what it is by default."""
        if name in rules.FOLDED:
            return jinja.text(self.templar.template(self.defaults[name]))
        value = self.defaults[name]
        try:
            return jinja.translate(value)
        except jinja.UnsupportedError as err:
            raise SystemExit(f"kolla-ansible {self.version}: cannot translate {name}: {value!r}: {err}") from err

    def default(self, name):
        """The value by default, by Ansible's own templating."""
        return self.templar.template("{{ " + name + " }}")

    def ports(self):
        """The table's entries, and a fault for each variable that nobody knows."""
        found = {}  # (variable, listens, protocol) to (service, flag, condition)

        def bound(variable, listens, protocol, service, flag, condition):
            key = (variable, listens, protocol)
            if key in found:
                service, flag, other = found[key]
                condition = jinja.either(other, condition)
            found[key] = (service, flag, condition)

        for role, name, entry in self.haproxy():
            flag = "enable_" + role.replace("-", "_")
            for listens, variable, condition in frontends(flag, name, entry):
                bound(variable, listens, "tcp", role, flag, condition)
        known = {variable for variable, _, _ in found} | set(rules.NOT_BOUND)
        for variable in sorted(filter(_PORT.search, self.defaults)):
            for rule in rules.BOUND.get(variable, []):
                self.apply(rule, lambda *rest, v=variable: bound(v, *rest))
            if variable not in known and variable not in rules.BOUND and not variable.startswith("enable_"):
                raise SystemExit(f"kolla-ansible {self.version}: where is {variable} bound? Say so in kolla_rules.py")
        out = [self.entry(variable, int(self.default(variable)), *key, *rest)
               for (variable, *key), rest in found.items()]
        for number, rule in rules.FIXED:
            self.apply(rule, lambda *rest, n=number: out.append(self.entry("", n, *rest)))
        return sorted(out, key=lambda p: (p["number"], p["variable"], p["listens"], p["protocol"]))

    def haproxy(self):
        """What roles declare for HAProxy: role, name and entry."""
        for role, defaults in self.roles.items():
            for services in defaults.values():
                for service in services.values() if isinstance(services, dict) else []:
                    if isinstance(service, dict):
                        for name, entry in (service.get("haproxy") or {}).items():
                            if "port" in entry:
                                yield role, name, entry

    def apply(self, rule, bound):
        """Calls bound for each protocol of a rule, if it is one for this release."""
        if rule.flag not in self.defaults or rule.until and self.name > rule.until:
            return
        extra = jinja.translate_bare(rule.when) if rule.when else "true"
        for protocol in rule.protocols:
            bound(rule.listens, {"t": "tcp", "u": "udp"}[protocol], rule.service, rule.flag,
                  jinja.both(jinja.variable(rule.flag), extra))

    def entry(self, variable, number, listens, protocol, service, flag, condition):
        """One entry of the table."""
        default = jinja.text(self.default(flag)).lower() in ("true", "yes", "on", "1")
        return {"variable": variable, "number": number, "protocol": protocol, "listens": listens,
                "service": service, "enabled_by": flag, "default": default, "when": condition}

    def table(self):
        """This release's part of the table."""
        ports = self.ports()
        expressions = {}
        todo = {p["variable"] for p in ports if p["variable"]}.union(*(jinja.variables(p["when"]) for p in ports))
        while todo:
            name = todo.pop()
            expressions[name] = self.expression(name)
            # A name that only has a default stands for one that sites may set.
            todo |= {v for v in jinja.variables(expressions[name]) if v in self.defaults} - set(expressions)
        return {"release": self.name, "kolla_ansible": self.version,
                "variables": dict(sorted(expressions.items())), "ports": ports,
                "not_bound": sorted(name for name in rules.NOT_BOUND if name in self.defaults)}


def frontends(flag, name, entry):
    """What one HAProxy entry makes somebody bind: address, variable, condition.

    haproxy-config/templates/haproxy_single_service_split.cfg.j2 and the
    loadbalancer role's templates say which frontend binds which address.
    """
    enabled = jinja.both(jinja.variable(flag), jinja.translate(entry["enabled"]))
    front = jinja.both(jinja.variable("enable_haproxy"), enabled)
    vip = "internal_vip"
    if entry.get("external"):
        vip = "external_vip"
        if entry["mode"] == "http":
            front = jinja.both(front, ["not", jinja.variable("haproxy_single_external_frontend")])
    for variable, condition in jinja.leaves(jinja.translate(entry["port"])):
        yield vip, variable, jinja.both(front, condition)
    # Without "listen_port", the service has the number of the internal frontend.
    behind = entry.get("listen_port", None if entry.get("external") else entry["port"])
    # Ceph's gateway is deployed by others.
    if behind and not name.startswith("radosgw"):
        for variable, condition in jinja.leaves(jinja.translate(behind)):
            yield "api", variable, jinja.both(enabled, condition)


def dump(releases):
    """The file, one line for each variable and port so that it can be compared."""
    line = json.JSONEncoder(ensure_ascii=False, separators=(", ", ": ")).encode
    parts = []
    for r in releases:
        variables = ",\n".join(f"        {line(k)}: {line(v)}" for k, v in r["variables"].items())
        ports = ",\n".join(f"        {line(p)}" for p in r["ports"])
        parts.append(f'    {{\n      "release": {line(r["release"])},\n      "kolla_ansible": {line(r["kolla_ansible"])},\n'
                     f'      "variables": {{\n{variables}\n      }},\n      "ports": [\n{ports}\n      ],\n'
                     f'      "not_bound": {line(r["not_bound"])}\n    }}')
    return '{\n  "version": 1,\n  "releases": [\n' + ",\n".join(parts) + "\n  ]\n}\n"


def generate(cache=CACHE):
    """The whole file as text."""
    return dump(Release(name, version, fetch(version, digest, cache)).table()
                for name, (version, digest) in RELEASES.items())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    parser.add_argument("file", nargs="?", type=pathlib.Path, default=TABLE, metavar="FILE")
    arguments = parser.parse_args()
    wanted = generate()
    if not arguments.check:
        arguments.file.write_text(wanted)
    elif arguments.file.read_text() != wanted:
        raise SystemExit(f"{arguments.file} is not what {pathlib.Path(__file__).name} makes")


if __name__ == "__main__":
    main()
