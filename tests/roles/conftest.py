"""What the tests of the collection share."""

import os
import pathlib
import subprocess
import sys

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
        # Modules without a file of their own each.
        "ANSIBLE_PIPELINING": "True",
        # Leaves no .ansible directory in the tree or in the home of whoever runs this.
        "ANSIBLE_HOME": str(home / "home"),
    }

    def run(command, *arguments, cwd=HERE):
        return subprocess.run([BIN / command, *arguments], cwd=cwd, env=environment,
                              text=True, capture_output=True, check=False)

    return run
