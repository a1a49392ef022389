"""What the roles say of their variables and verbs holds, in their files and in the documents."""

import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "tools"))

import role_rules as rules

CODE = ["roles/*/defaults/*.yml", "roles/*/vars/**/*.yml", "roles/*/tasks/**/*.yml", "roles/*/templates/**/*.j2", "playbooks/*.yml"]
DOCUMENTS = ["*.md", "docs/*.md", "roles/*/*.md", "images/*/*.md", "configs/**/*.md"]


def files(root, patterns):
    return sorted(file.relative_to(root) for pattern in patterns for file in root.glob(pattern) if file.is_file())


@pytest.mark.parametrize("rule", [
    rules.undescribed_roles, rules.differing_variables, rules.differing_defaults, rules.unknown_references, rules.missing_verbs,
], ids=lambda rule: rule.__name__)
def test_roles(rule):
    faults = list(rule(ROOT))
    assert not faults, "\n" + "\n".join(faults)


@pytest.mark.parametrize("patterns", [CODE, DOCUMENTS], ids=["code", "documents"])
def test_names(patterns):
    faults = list(rules.unknown_names(ROOT, files(ROOT, patterns)))
    assert not faults, "\n" + "\n".join(faults)


def test_examples():
    faults = list(rules.wrong_examples(ROOT, files(ROOT, DOCUMENTS)))
    assert not faults, "\n" + "\n".join(faults)


SPECS = """\
argument_specs:
  main:
    short_description: Does X
    description: Gives the fact C(ib_x_seen).
    options:
      ib_x_action: {type: str, choices: [deploy], default: deploy, description: What to do.}
      ib_x_mode: {type: str, choices: [a, b], default: a, description: "See O(ib_x_list[].port), O(ibforge.fabric.ib_x#role:ib_x_action)."}
      ib_x_list:
        type: list
        elements: dict
        default: []
        description: All.
        options:
          port: {type: int, description: A number.}
      ib_x_image: {type: dict, description: By default the builder's.}
      ib_x_priority: {type: int, description: A number. The default follows from the others.}
  check:
    short_description: Compares
    options:
      ib_x_path: {type: path, required: true, description: Where.}
"""

VALID = {
    "roles/ib_x/meta/argument_specs.yml": SPECS,
    "roles/ib_x/defaults/main.yml": "ib_x_action: deploy\nib_x_mode: a\nib_x_list: []\nib_x_image: \"{{ images.x }}\"\n",
    "roles/ib_x/tasks/main.yml": "- include_tasks: \"{{ ib_x_action }}.yml\"\n",
    "roles/ib_x/tasks/deploy.yml":
        "# All ib_x_* but tasks/ib_x_a.yml.\n"
        "- block:\n    - ansible.builtin.set_fact: {ib_x_fact: \"{{ ib_x_path }}\"}\n    - command: echo\n      register: __ib_x_a\n"
        "- debug: {msg: \"{{ ib_x_seen }} {{ ib_x_fact }} {{ _ib_x_private }} {{ __ib_x_a }} {{ a.ib_x_b }}\"}\n",
    "playbooks/deploy.yml": "- hosts: ib_x\n  vars: {ib_x_action: deploy}\n",
    "plugins/modules/ib_x_info.py": "",
    "docs/x.md": "`ib_x_mode`, the module `ib_x_info`, `-e ib_x_list=[]`, `roles/ib_x_y`, [here](ib_x_y.md), ib_x, ib_xy_z\n"
        "```yaml\nib_x:\n  vars:\n    ib_x_mode: b\n    ib_x_list: [{port: 1}]\n    ib_x_image: '{{ a }}'\n```\n",
}


@pytest.fixture
def collection(tmp_path):
    """Makes a small collection; a file may be changed, as (file, old, new)."""
    def make(name=None, old="", new=""):
        for file, text in VALID.items():
            if file == name:
                assert old in text
                text = text.replace(old, new, 1)
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).write_text(text)
        return tmp_path

    return make


def faults(root):
    named = files(root, CODE + DOCUMENTS)
    assert len(named) == 5
    return [*rules.undescribed_roles(root), *rules.differing_variables(root), *rules.differing_defaults(root),
            *rules.unknown_references(root), *rules.missing_verbs(root), *rules.unknown_names(root, named), *rules.wrong_examples(root, named)]


def test_valid(collection):
    assert faults(collection()) == []


@pytest.mark.parametrize("file,old,new,want", [
    ("roles/ib_x/meta/argument_specs.yml", "type: list\n        elements: dict", "type: list", "ib_x_list is a list and needs elements"),
    ("roles/ib_x/meta/argument_specs.yml", "type: int, ", "", "ib_x_list.port needs a type and a description"),
    ("roles/ib_x/meta/argument_specs.yml", "      ib_x_mode", "      x_mode: {type: str, required: true, description: A.}\n      ib_x_mode",
     "x_mode does not begin with ib_x_"),
    ("roles/ib_x/meta/argument_specs.yml", "default: a,", "required: true,", "ib_x_mode is required, and has a default"),
    ("roles/ib_x/meta/argument_specs.yml", "By default the builder's", "The builder's", "ib_x_image has an expression for a default"),
    ("roles/ib_x/meta/argument_specs.yml", "The default", "It", "ib_x_priority of meta/argument_specs.yml is not there"),
    ("roles/ib_x/meta/argument_specs.yml", "ib_x_priority: {", "ib_x_priority: {default: 1, ", "ib_x_priority of meta/argument_specs.yml is not there"),
    ("roles/ib_x/meta/argument_specs.yml", "O(ib_x_list[]", "O(ib_x_lists[]", "O(ib_x_lists[].port) is an option of no role"),
    ("roles/ib_x/meta/argument_specs.yml", "role:ib_x_action)", "role:ib_x_verb)", "O(ib_x_verb) is an option of no role"),
    ("roles/ib_x/defaults/main.yml", "ib_x_mode: a\n", "", "defaults/main.yml: ib_x_mode of meta/argument_specs.yml is not there"),
    ("roles/ib_x/defaults/main.yml", "ib_x_mode: a\n", "ib_x_mode: a\nib_x_more: 1\n", "ib_x_more is not in meta/argument_specs.yml"),
    ("roles/ib_x/defaults/main.yml", "ib_x_list: []", "ib_x_list: {}", "ib_x_list is {}, and its type in meta/argument_specs.yml is list"),
    ("roles/ib_x/defaults/main.yml", "ib_x_mode: a", "ib_x_mode: b", "ib_x_mode is b, and a in meta/argument_specs.yml"),
    ("roles/ib_x/tasks/main.yml", "ib_x_action", "ib_x_acton", "tasks/main.yml: no role has a variable ib_x_acton:"),
    ("playbooks/deploy.yml", ": deploy", ": check", "playbooks/deploy.yml: ib_x_action is check, which is none of its choices [deploy]"),
    ("docs/x.md", "ib_x_mode: b", "ib_x_mode: c", "docs/x.md: the example for ib_x_mode is not valid: value of ib_x_mode must be one of: a, b"),
    ("docs/x.md", "port: 1", "ports: 1", "docs/x.md: the example for ib_x_list is not valid: ib_x_list.ports. Supported parameters include: port."),
    ("docs/x.md", "ib_x_mode", "ib_x_kind", "docs/x.md: no role has a variable ib_x_kind:"),
], ids=str)
def test_invalid(collection, file, old, new, want):
    found = faults(collection(file, old, new))
    assert len(found) == 1 and want in found[0], found


def test_invalid_choice(collection):
    root = collection("roles/ib_x/meta/argument_specs.yml", "[a, b]", "[b, c]")
    assert ["which is none of its choices [b, c]" in f for f in faults(root)] == [True]


@pytest.mark.parametrize("file", ["roles/ib_x/tasks/deploy.yml", "playbooks/deploy.yml"])
def test_missing_verb(collection, file):
    root = collection()
    (root / file).unlink()
    (fault,) = rules.missing_verbs(root)
    assert fault.startswith(f"{file} is not there, and ib_x_action has the choice deploy")


# One playbook may run several actions; an engine has a directory of its own.
@pytest.mark.parametrize("actions,file", [("[deploy, config]", "roles/ib_x/tasks/config.yml"), ("[config]", "roles/ib_x/tasks/podman/config.yml")])
def test_verb_within_another(collection, actions, file):
    root = collection("roles/ib_x/meta/argument_specs.yml", "choices: [deploy], default: deploy", f"choices: {actions}, default: config")
    (root / "playbooks/deploy.yml").write_text("- hosts: ib_x\n  vars: {ib_x_action: config}\n")
    (root / file).parent.mkdir(exist_ok=True)
    (root / file).write_text("- debug: {msg: !unsafe '{{'}\n")
    assert list(rules.missing_verbs(root)) == []
    assert list(rules.unknown_names(root, files(root, CODE))) == []


def test_role_without_specification(collection):
    root = collection()
    (root / "roles/ib_x/meta/argument_specs.yml").unlink()
    assert list(rules.undescribed_roles(root)) == ["roles/ib_x has no meta/argument_specs.yml: describe its variables there"]
