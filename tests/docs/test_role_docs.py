"""docs/roles.md and Kayobe's file, as tests/tools/role_docs.py writes them from the roles."""

import os
import pathlib
import re
import sys

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "tools"))

import role_docs as docs
import role_markup as markup
import role_specs as specs

SPECS = """\
argument_specs:
  check:
    short_description: Compares
    options:
      ib_x_name: {type: str, required: true, description: Told already.}
      ib_x_deep: {type: bool, default: false, description: Look into files.}
  main:
    short_description: Does X
    description: [Needs V(time\\))., "See U(https://example.org/)."]
    options:
      ib_x_name:
        description: A name. It names O(ib_x_list) *too*.
        type: str
        required: true
      ib_x_key:
        description: Keep it.
        type: str
        no_log: true
        default: ""
      ib_x_mode:
        description: [When., See O(ibforge.fabric.ib_y#role:ib_y_mode).]
        type: str
        choices: ["no", always]
        default: always
      ib_x_image:
        description: By default what the builder says.
        type: dict
      ib_x_list:
        description: What there is.
        type: list
        elements: dict
        options:
          port: {type: int, required: true, description: The number.}
          from: {type: list, elements: str, choices: [a, b], description: [From where., Or not.]}
      ib_x_action: {type: str, choices: [deploy], default: deploy, description: What to do.}
      ib_x_destroy_confirm: {type: bool, default: false, description: Consent.}
      ib_x_given: {type: str, default: a, description: Others set it.}
"""

DEFAULTS = """\
---
ib_x_key: ""
ib_x_mode: always
ib_x_image: "{{ images.x }}"
# In hexadecimal.
ib_x_list:
  - {port: 0x10}
  # And
  - port: 17

# Not the list's.
ib_x_action: deploy
ib_x_destroy_confirm: false
ib_x_given: a
ib_x_deep: false
"""

REFERENCE = """
### ib_x

Does X.
Needs `time)`.
See <https://example.org/>.

- **`ib_x_name`** (str; **required**): A name. It names `ib_x_list` \\*too\\*.
- **`ib_x_key`** (str; **secret**; default `""`): Keep it.
- **`ib_x_mode`** (str, one of `"no"`, `always`; default `always`): When.
  See [`ib_y_mode`](#ib_y).
- **`ib_x_image`** (dict): By default what the builder says.
- **`ib_x_list`** (list of dict; default below): What there is.
  ```yaml
  ib_x_list:
    - {port: 0x10}
    # And
    - port: 17
  ```
  - **`port`** (int; **required**): The number.
  - **`from`** (list of str, each one of `a`, `b`): From where.
    Or not.
- **`ib_x_action`** (str, one of `deploy`; default `deploy`): What to do.
- **`ib_x_destroy_confirm`** (bool; default `false`): Consent.
- **`ib_x_given`** (str; default `a`): Others set it.

With `tasks_from: check`:
Compares.

- **`ib_x_deep`** (bool; default `false`): Look into files.

"""

KAYOBE = f"""\
{"#" * 79}
# Role ib_x: Does X.

# Keep it. A secret. Default is "".
#ib_x_key:

# When. See ib_y_mode. One of "no", always. Default is always.
#ib_x_mode:

# By default what the builder says.
#ib_x_image:

# What there is.
# - port: The number.
# - from: From where. Or not.
# Default is:
# ib_x_list:
#   - {{port: 0x10}}
#   # And
#   - port: 17
#ib_x_list:

# Look into files. Default is false.
#ib_x_deep:

{"#" * 79}
# Dummy variable to allow Ansible to accept this file.
workaround_ansible_issue_8743: yes
"""


@pytest.fixture
def root(tmp_path):
    """A collection with a role that has all kinds of variables, and one that sets a variable of it."""
    for name, text in {"ib_x/meta/argument_specs.yml": SPECS, "ib_x/defaults/main.yml": DEFAULTS,
                       "ib_x/tasks/main.yml": "- vars:\n    _ib_x_deep: true\n",
                       "ib_y/tasks/main.yml": "- vars: {_ib_y_a: ib_x_mode, ib_x_given: '{{ ib_x_key }}'}\n"}.items():
        file = tmp_path / "roles" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path


def test_reference(root):
    assert "".join(docs.reference(specs.roles(root))) == REFERENCE


def test_kayobe(root):
    text = "".join(docs.kayobe(specs.roles(root), docs.handed_over(root)))
    assert text.startswith(f"---\n{'#' * 79}\n# ibforge: ")
    assert text.endswith("\n\n" + KAYOBE)


def test_the_document_is_up_to_date():
    text = docs.DOCUMENT.read_text()
    wanted = docs.document(text, specs.roles())
    if os.environ.get("UPDATE"):
        docs.DOCUMENT.write_text(wanted)
    else:
        assert text == wanted, "docs/roles.md is not what the roles' argument_specs.yml say: make golden writes it anew"


def test_the_hand_written_part_stays():
    text = f"Before\n{docs.BEGIN}old\n{docs.END}after\n"
    assert docs.document(text, []) == f"Before\n{docs.BEGIN}\n{docs.END}after\n"
    with pytest.raises(SystemExit, match="markers"):
        docs.document("Before\n", [])


def test_every_role_is_introduced():
    before = docs.DOCUMENT.read_text().partition(docs.BEGIN)[0]
    missing = [r.name for r in specs.roles() if f"\n| [`{r.name}`](../roles/{r.name}/README.md) |" not in before]
    assert not missing, f"the first table of docs/roles.md has no row for {missing}"


def test_variables_of_playbooks_are_introduced():
    used = {name for file in ROOT.glob("playbooks/*.yml") for name in re.findall(r"\b(ibforge_\w+) *\| *default", file.read_text())}
    assert used
    missing = sorted(name for name in used if f"\n| `{name}` |" not in docs.DOCUMENT.read_text())
    assert not missing, f"docs/roles.md has no row for the playbooks' variables {missing}"


def test_kayobes_file_sets_nothing():
    """And does once its comments are taken away; Kayobe's own have the same form."""
    roles = specs.roles()
    text = "".join(docs.kayobe(roles, docs.handed_over(ROOT)))
    assert yaml.safe_load(text) == {"workaround_ansible_issue_8743": True}
    # A default keeps its own line breaks.
    assert not [line for line in text.splitlines() if len(line) > 79 and not line.startswith("#  ")]
    offered = re.findall(r"(?m)^#(\w+):$", text)
    everything = yaml.safe_load(re.sub(r"(?m)^#(\w+:)$", r"\1", text))
    assert set(everything) == {*offered, "workaround_ansible_issue_8743"} and len(set(offered)) == len(offered)
    assert {"ib_opensm_partitions", "ib_ufm_licenses", "ib_service_kolla_ports"} <= set(offered)
    # As extra variables they would go before the playbook's and the roles' own.
    assert not [name for name in offered if name.endswith("_action") or "_destroy_" in name]
    assert not {"ib_service_name", "ib_service_image"} & set(offered)


@pytest.mark.parametrize("text,markdown,words", [
    ("V(a) C(b c) E(D)", "`a` `b c` `D`", "'a' b c D"),
    ("O(a) O(a=b) RV(c)", "`a` `a: b` `c`", "a a: b c"),
    ("O(ibforge.fabric.ib_y#role:a) O(ib_y#role:main:a=b)", "[`a`](#ib_y) [`a: b`](#ib_y)", "a a: b"),
    ("B(a) I(b)", "**a** *b*", "a b"),
    ("L(the page, https://a.example/b) U(https://a.example)", "[the page](https://a.example/b) <https://a.example>",
     "the page (https://a.example/b) https://a.example"),
    ("M(a.b.c) P(a.b.d#filter) R(text,label)", "`a.b.c` `a.b.d` text", "a.b.c a.b.d text"),
    (r"V(a\)b\\) V()", r'`a)b\` `""`', r"'a)b\' ''"),
    (r"C(a\) b", r"`a\` b", r"a\ b"),
    ("C(a`b) C(`)", "``a`b`` `` ` ``", "a`b `"),
    ("C(*.lic) *.lic <a> [b] a_b", r"`*.lic` \*.lic \<a> \[b] a_b", "*.lic *.lic <a> [b] a_b"),
    ("NEO(a) (V) MV(b)", "NEO(a) (V) MV(b)", "NEO(a) (V) MV(b)"),
], ids=str)
def test_markup(text, markdown, words):
    assert markup.markdown(text) == markdown
    assert markup.words(text) == words


@pytest.mark.parametrize("value,text", [
    (None, "null"), ("", '""'), ("no", '"no"'), ("off", '"off"'), ("always", "always"), (3, "3"), (True, "true"), ("3", '"3"'),
    ([], "[]"), ({"a": [1]}, "{a: [1]}"), ("it's", "it's"), ("10m", "10m"),
], ids=str)
def test_plain_values(value, text):
    assert specs.plain(value) == text
    assert yaml.safe_load(text) == value
