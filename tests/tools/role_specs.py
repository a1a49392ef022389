"""What roles/*/meta/argument_specs.yml and defaults/main.yml say, as objects.

role_docs.py writes documentation of it, role_rules.py looks for contradictions.
"""

import dataclasses
import pathlib
import re
import textwrap

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Loader(yaml.CSafeLoader):
    """Takes Ansible's tags, such as !vault and !unsafe, and leaves the values as they are."""


Loader.add_multi_constructor("!", lambda _loader, _tag, node: node.value)


@dataclasses.dataclass(frozen=True)
class Variable:
    """A variable of a role, or a key of one that is a mapping."""

    name: str
    #: Ansible's name of the type, and that of a list's elements.
    type: str
    elements: str | None
    choices: list
    required: bool
    #: Marked no_log: the value must not be shown or written down in the clear.
    secret: bool
    #: Paragraphs, with Ansible's markup.
    description: list
    #: The default as an operator would write it; None without one, or where an
    #: expression has to be evaluated to know it.
    default: str | None
    options: list


@dataclasses.dataclass(frozen=True)
class Entry:
    """An entry point of a role, what tasks_from names."""

    name: str
    short: str
    description: list
    #: Without those that main has already.
    variables: list


@dataclasses.dataclass(frozen=True)
class Role:
    """A role; the first of its entry points is main."""

    name: str
    entries: list

    @property
    def short(self):
        return self.entries[0].short

    @property
    def variables(self):
        return [v for e in self.entries for v in e.variables]


def paragraphs(description):
    """Ansible takes a string or a list of them."""
    return [description] if isinstance(description, str) else list(description or [])


def sources(text):
    """The values of a file's variables as they are written there, by name.

    Loaded, 0x7fff would be 32767.
    """
    root = yaml.compose(text, yaml.CSafeLoader)
    out = {}
    for key, value in root.value if root else []:
        # The mark counts characters from the beginning of the text.
        source = text[value.start_mark.index:value.end_mark.index]
        # A block goes on to the next token, over the comments before it.
        source = re.sub(r"(\n\s*(#.*)?)+$", "", source)
        if "\n" in source:
            source = textwrap.dedent(" " * value.start_mark.column + source)
        out[key.value] = source
    return out


def is_expression(value):
    """Tells whether Ansible has to evaluate a value."""
    return "{{" in value or "{%" in value


def plain(value):
    """A value of a specification in YAML, on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, width=10**6, allow_unicode=True).removesuffix("\n...\n").strip()
    return '"' + text[1:-1] + '"' if re.fullmatch(r"'[^'\"\\]*'", text) else text


def variables(options, defaults):
    """The variables that options describe. defaults are sources by name."""
    for name, option in (options or {}).items():
        default = defaults.get(name)
        if default is None or is_expression(default):
            default = plain(option["default"]) if option.get("default") is not None else None
        yield Variable(
            name, option.get("type", "str"), option.get("elements"), option.get("choices", []), option.get("required", False),
            option.get("no_log", False), paragraphs(option.get("description")), default,
            list(variables(option.get("options"), {})))


def specification(path):
    """The entry points in a role's argument_specs.yml, by name, main first."""
    entries = yaml.load((path / "meta" / "argument_specs.yml").read_text(), Loader)["argument_specs"]
    return {"main": entries.pop("main"), **entries}


def role(path):
    """The role in a directory."""
    defaults = path / "defaults" / "main.yml"
    known = sources(defaults.read_text()) if defaults.exists() else {}
    entries, seen = [], set()
    for name, entry in specification(path).items():
        own = {n: o for n, o in (entry.get("options") or {}).items() if n not in seen}
        seen |= set(own)
        entries.append(Entry(name, entry["short_description"], paragraphs(entry.get("description")), list(variables(own, known))))
    return Role(path.name, entries)


def roles(root=ROOT):
    """All roles of a collection that have a specification, by name."""
    return [role(path.parent.parent) for path in sorted(root.glob("roles/*/meta/argument_specs.yml"))]
