"""What the tests of the collection share.

Two variables have them run under another ansible-core than that of the main
environment, see tests/tools/ansible_matrix.sh: IBFORGE_ANSIBLE_BIN, where its
commands are, and IBFORGE_ANSIBLE_COLLECTIONS, where the collections are that
ours depends on. What runs no Ansible command is left out then.
"""

import importlib
import os
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]
BIN = pathlib.Path(os.environ.get("IBFORGE_ANSIBLE_BIN", pathlib.Path(sys.executable).parent))
DEPENDENCIES = os.environ.get("IBFORGE_ANSIBLE_COLLECTIONS", "")


def pytest_collection_modifyitems(config, items):
    if "IBFORGE_ANSIBLE_BIN" in os.environ:
        left_out = [item for item in items if not {"ansible", "installed"} & set(item.fixturenames)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def commands(home, collections):
    """Return a function that runs an Ansible command with these collections; home is Ansible's own."""
    environment = {
        **os.environ,
        # ansible-playbook calls others of its release.
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "ANSIBLE_COLLECTIONS_PATH": ":".join(filter(None, [str(collections), DEPENDENCIES])),
        # Both are to become the only way: an injected fact, and a condition that is no boolean.
        "ANSIBLE_INJECT_FACT_VARS": "False",
        "ANSIBLE_ALLOW_BROKEN_CONDITIONALS": "False",
        "ANSIBLE_DEPRECATION_WARNINGS": "True",
        "ANSIBLE_NOCOLOR": "1",
        # Modules without a file of their own each.
        "ANSIBLE_PIPELINING": "True",
        # Leaves no .ansible directory in the tree or in the home of whoever runs this.
        "ANSIBLE_HOME": str(home),
    }

    def run(command, *arguments, cwd=HERE, env=None):
        done = subprocess.run([BIN / command, *arguments], cwd=cwd, env={**environment, **(env or {})},
                              text=True, capture_output=True, check=False)
        assert "[DEPRECATION WARNING]" not in done.stdout + done.stderr, done.stderr
        return done

    return run


@pytest.fixture(scope="session")
def ansible(tmp_path_factory):
    """Runs an Ansible command that finds the working tree as ibforge.fabric."""
    home = tmp_path_factory.mktemp("collections")
    namespace = home / "ansible_collections" / "ibforge"
    namespace.mkdir(parents=True)
    (namespace / "fabric").symlink_to(ROOT, target_is_directory=True)
    return commands(home / "home", home)


@pytest.fixture(scope="session")
def filters(tmp_path_factory):
    """Returns a filter of the working tree by its name, as Ansible imports it."""
    home = tmp_path_factory.mktemp("import")
    (home / "ansible_collections" / "ibforge").mkdir(parents=True)
    (home / "ansible_collections" / "ibforge" / "fabric").symlink_to(ROOT, target_is_directory=True)
    sys.path.insert(0, str(home))
    yield lambda name: getattr(importlib.import_module(f"ansible_collections.ibforge.fabric.plugins.filter.{name}"), name)
    sys.path.remove(str(home))
