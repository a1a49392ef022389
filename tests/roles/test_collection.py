"""The collection as Ansible sees it: bad input, syntax, and what the artifact holds."""

import shutil
import tarfile

import pytest

from conftest import ROOT


def test_bad_input_is_refused(ansible):
    done = ansible("ansible-playbook", "-i", "bad_input.inventory.yml", "bad_input.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    # Each case was refused, none was left out.
    assert done.stdout.count("rescued=1") == 22, done.stdout


@pytest.mark.parametrize("verb", ["deploy", "precheck", "reconfigure", "stop", "destroy", "check"])
def test_playbook(ansible, verb):
    done = ansible("ansible-playbook", "-i", "localhost,", "--syntax-check", f"ibforge.fabric.{verb}")
    assert done.returncode == 0, done.stderr
    assert len((ROOT / "playbooks" / f"{verb}.yml").read_text().splitlines()) <= 15


@pytest.mark.parametrize("kind,name", [
    ("role", "ib_opensm"), ("role", "ib_service"), ("role", "ib_ufm"), ("role", "ib_neo"),
    ("filter", "partition_faults"), ("filter", "opensm_option_faults"), ("filter", "ini_faults"),
    ("filter", "port_map"), ("filter", "port_map_faults"), ("filter", "port_conflicts"),
    ("module", "ib_listeners"),
])
def test_documentation(ansible, kind, name):
    done = ansible("ansible-doc", "-t", kind, f"ibforge.fabric.{name}")
    assert done.returncode == 0, done.stderr
    assert name.upper() in done.stdout.upper()


def test_artifact_holds_only_ansible(ansible, tmp_path):
    tree = tmp_path / "tree"
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(".git", ".cache", "bin"))
    (tree / "README.md").touch()
    done = ansible("ansible-galaxy", "collection", "build", str(tree), "--output-path", str(tmp_path))
    assert done.returncode == 0, done.stderr
    with tarfile.open(next(tmp_path.glob("ibforge-fabric-*.tar.gz"))) as artifact:
        top = {name.split("/")[0] for name in artifact.getnames()}
    required = {"roles", "playbooks", "plugins", "meta", "MANIFEST.json", "FILES.json", "README.md", "LICENSE"}
    assert required <= top
    assert top - required <= {"CHANGELOG.md", "CONTRIBUTING.md", "changelogs"}
