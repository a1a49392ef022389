"""The collection as Ansible sees it: bad input, playbooks, documentation, and the artefact that is installed."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile

import pytest

from conftest import BIN, HERE, ROOT, commands
from engine import Recorder

ID = "sha256:" + "0" * 64
# What the artefact takes from the repository, whole.
PARTS = ["meta", "playbooks", "plugins", "roles"]


def test_bad_input_is_refused(ansible):
    done = ansible("ansible-playbook", "-i", "bad_input.inventory.yml", "bad_input.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    # Each case was refused, none was left out.
    recap = done.stdout.partition("PLAY RECAP")[2].splitlines()[1:]
    cases = [line for line in recap if line]
    assert cases and all("rescued=1" in case for case in cases), done.stdout


def test_playbooks(ansible):
    playbooks = sorted((ROOT / "playbooks").glob("*.yml"))
    assert playbooks
    done = ansible("ansible-playbook", "-i", "localhost,", "--syntax-check",
                   *(f"ibforge.fabric.{playbook.stem}" for playbook in playbooks))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("playbook: ") == len(playbooks), done.stdout


@pytest.mark.parametrize("kind", ["role", "filter", "lookup", "module"])
def test_documentation(ansible, kind):
    """All that can be called is documented, and ansible-doc can read it."""
    folder = {"role": "roles", "module": "plugins/modules"}.get(kind, f"plugins/{kind}")
    names = sorted(path.stem for path in (ROOT / folder).iterdir() if path.suffix == ".py" or (path / "meta").is_dir())
    assert names
    done = ansible("ansible-doc", "-t", kind, "--json", *(f"ibforge.fabric.{name}" for name in names))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert sorted(found) == [f"ibforge.fabric.{name}" for name in names], done.stderr


@pytest.fixture(scope="session")
def artifact(tmp_path_factory):
    """The collection's file, built by the ansible-galaxy of the release that is tested."""
    return build(ROOT, tmp_path_factory.mktemp("artifact"))


def build(tree, directory):
    done = subprocess.run([BIN / "python3", tree / "tests" / "tools" / "ansible_artifact.py", directory],
                          text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return pathlib.Path(done.stdout.strip())


def files(root):
    return {str(path.relative_to(ROOT)) for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts}


def test_artifact_holds_only_ansible(artifact):
    with tarfile.open(artifact) as archive:
        members = {member.name: member for member in archive.getmembers() if not member.isdir()}
    assert set(members) == {"MANIFEST.json", "FILES.json", "CHANGELOG.md", "LICENSE", "README.md"}.union(*(files(ROOT / part) for part in PARTS))
    assert all(member.isreg() for member in members.values())
    # Nothing else that somebody left in one of the folders.
    assert {pathlib.Path(name).suffix for name in members} <= {"", ".json", ".md", ".yml", ".py", ".j2"}


def test_artifact_is_reproducible(artifact, tmp_path):
    """Another place, another time, another order of the folders' entries, another umask: the same bytes."""
    tree = tmp_path / "tree"
    for part in [*reversed(PARTS), "tests/tools"]:
        shutil.copytree(ROOT / part, tree / part, copy_function=shutil.copyfile)
    for name in ["galaxy.yml", "README.md", "CHANGELOG.md", "LICENSE"]:
        shutil.copyfile(ROOT / name, tree / name)
    for path in tree.rglob("*"):
        if path.is_file() and os.access(ROOT / path.relative_to(tree), os.X_OK):
            path.chmod(0o700)
    assert build(tree, tmp_path).read_bytes() == artifact.read_bytes()


@pytest.fixture(scope="session")
def installed(artifact, tmp_path_factory):
    """Runs an Ansible command that finds the installed artefact and nothing of the working tree."""
    home = tmp_path_factory.mktemp("installed")
    ansible = commands(home / "home", home)
    # --offline: galaxy.yml's dependencies are held against the collections that are there.
    done = ansible("ansible-galaxy", "collection", "install", "--offline", "-p", str(home), str(artifact), cwd=home)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [path.name for path in (home / "ansible_collections").iterdir() if path.is_dir() and "." not in path.name] == ["ibforge"], done.stdout
    return ansible


def test_installed_artifact_works(installed, tmp_path):
    contract = json.loads((HERE / "contract.json").read_text())
    (tmp_path / "empty").mkdir()
    with Recorder(images=[ID]) as engine:
        (tmp_path / "inventory.json").write_text(json.dumps({"ib_opensm": {"hosts": {"node": {
            "ansible_connection": "local", "ansible_python_interpreter": sys.executable, "ibforge_become": False,
            "ib_opensm_docker_host": engine.url, "ib_opensm_image_source": "present", "ib_opensm_simulated_fabric": True,
            "ibforge_images": {"opensm": {"id": ID, "contract": contract | {"image": "opensm"}}}}}}}))
        done = installed("ansible-playbook", "-vv", "-i", str(tmp_path / "inventory.json"), "ibforge.fabric.precheck", cwd=tmp_path / "empty")
        assert done.returncode == 0, done.stdout + done.stderr
        assert engine.changes == []
    assert "ansible_collections/ibforge/fabric/roles/ib_service/tasks" in done.stdout
    assert f"{ROOT}/roles" not in done.stdout and not list((tmp_path / "empty").iterdir())


def test_installs_from_git(artifact, tmp_path):
    """The page's line, with git told of a repository of these files in the place of the public one."""
    page = (ROOT / "docs" / "kayobe.md").read_text()
    lines = [line for line in page.splitlines() if line.startswith("ansible-galaxy collection install git+")]
    assert len(lines) == 1
    url = lines[0].partition("git+")[2]
    repository = tmp_path / "repository"
    listed = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    for name in (name for name in listed if name and (ROOT / name).is_file()):
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, repository / name)
    git(repository, "init", "-q")
    git(repository, "add", "--all")
    git(repository, "-c", "user.name=test", "-c", "user.email=test@example.com", "commit", "-q", "-m", "all")

    ansible = commands(tmp_path / "home", tmp_path)
    done = ansible(*lines[0].split(), "--offline", "-p", str(tmp_path), cwd=tmp_path, env={
        "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"url.file://{repository}.insteadOf", "GIT_CONFIG_VALUE_0": url})
    assert done.returncode == 0, done.stdout + done.stderr
    home = tmp_path / "ansible_collections" / "ibforge" / "fabric"
    with tarfile.open(artifact) as archive:
        members = {member.name for member in archive.getmembers() if not member.isdir()}
    assert {str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()} == members


def git(directory, *arguments):
    done = subprocess.run(["git", "-C", directory, *arguments], text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
