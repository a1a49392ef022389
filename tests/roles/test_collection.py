"""The collection as Ansible sees it: bad input, syntax, and what the artifact holds."""

import os
import pathlib
import shutil
import subprocess
import sys
import tarfile

import pytest

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]
BIN = pathlib.Path(sys.executable).parent


@pytest.fixture(scope="session")
def ansible(tmp_path_factory):
    """Runs an Ansible command that finds the working tree as ibforge.fabric."""
    home = tmp_path_factory.mktemp("collections")
    namespace = home / "ansible_collections" / "ibforge"
    namespace.mkdir(parents=True)
    (namespace / "fabric").symlink_to(ROOT, target_is_directory=True)
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(home),
        "ANSIBLE_INJECT_FACT_VARS": "False",
        "ANSIBLE_NOCOLOR": "1",
        # Leaves no .ansible directory in the tree or in the home of whoever runs this.
        "ANSIBLE_HOME": str(home / "home"),
    }

    def run(command, *arguments, cwd=HERE):
        return subprocess.run([BIN / command, *arguments], cwd=cwd, env=environment,
                              text=True, capture_output=True, check=False)

    return run


def test_bad_input_is_refused(ansible):
    done = ansible("ansible-playbook", "-i", "bad_input.inventory.yml", "bad_input.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    # Each case was refused, none was left out.
    assert done.stdout.count("rescued=1") == 13, done.stdout


@pytest.mark.parametrize("verb", ["deploy", "precheck", "reconfigure", "stop", "destroy", "check"])
def test_playbook(ansible, verb):
    done = ansible("ansible-playbook", "-i", "localhost,", "--syntax-check", f"ibforge.fabric.{verb}")
    assert done.returncode == 0, done.stderr
    assert len((ROOT / "playbooks" / f"{verb}.yml").read_text().splitlines()) <= 15


@pytest.mark.parametrize("kind,name", [
    ("role", "ib_opensm"), ("role", "ib_service"),
    ("filter", "partition_faults"), ("filter", "opensm_option_faults"),
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
