#!/usr/bin/env python3
"""Writes the reference of the roles' variables out of their specifications.

    role_docs.py [--check] [FILE]    the part of docs/roles.md between its markers
    role_docs.py --kayobe [FILE]     a file for etc/kayobe, on standard output without FILE

--check compares instead of writing. It needs the Python of .cache/venv.
"""

import argparse
import pathlib
import re
import sys
import textwrap

import role_markup as markup
import role_specs as specs

DOCUMENT = specs.ROOT / "docs" / "roles.md"
BEGIN = "<!-- begin variables: written by `tests/tools/role_docs.py` -->\n"
END = "<!-- end variables -->\n"

#: Variables that one run decides: the playbook says the action, and a consent
#: to destroy or to restore that lies in a file is none.
ONE_RUN = re.compile(r"_action$|_(destroy|restore)_")


def kind(variable):
    """Type, choices and default of a variable, as one says them."""
    of = f"{variable.type} of {variable.elements}" if variable.elements else variable.type
    if variable.choices:
        among = "each one of" if variable.type == "list" else "one of"
        of += f", {among} " + ", ".join(markup.code(specs.plain(c)) for c in variable.choices)
    out = [of]
    if variable.secret:
        out.append("**secret**")
    if variable.required:
        out.append("**required**")
    if variable.default is not None:
        out.append("default below" if "\n" in variable.default else "default " + markup.code(variable.default))
    return "; ".join(out)


def item(variable, indent=""):
    """A variable as an item of a list, its keys as items of that."""
    text = "\n".join(indent + "  " + markup.markdown(p) for p in variable.description).lstrip()
    yield f"{indent}- **{markup.code(variable.name)}** ({kind(variable)}): {text}\n"
    if variable.default is not None and "\n" in variable.default:
        block = f"```yaml\n{variable.name}:\n{textwrap.indent(variable.default, '  ')}\n```\n"
        # No empty line before it: that would space out the whole list.
        yield textwrap.indent(block, indent + "  ")
    for option in variable.options:
        yield from item(option, indent + "  ")


def reference(roles):
    """The variables of all roles in Markdown."""
    for role in roles:
        yield f"\n### {role.name}\n\n"
        for entry in role.entries:
            if entry.name != "main":
                yield f"\nWith {markup.code('tasks_from: ' + entry.name)}:\n"
            yield "\n".join(map(markup.markdown, [entry.short + ".", *entry.description])) + "\n"
            if entry.variables:
                yield "\n"
            for variable in entry.variables:
                yield from item(variable)
    yield "\n"


def document(text, roles):
    """The text of a document with the reference between its markers."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"the markers are missing: a line {BEGIN.strip()}, and below it {END.strip()}")
    return before + BEGIN + "".join(reference(roles)) + END + after


def handed_over(root):
    """Variables that tasks set for another role or for a part of their own: a site's value would go before theirs."""
    files = (file for role in root.glob("roles/*") for file in role.glob("tasks/**/*.yml"))
    return {name for file in files for name in re.findall(r"(?m)(?:^\s*|[{,]\s*)(ib_\w+):", file.read_text())}


def for_sites(roles, others):
    """The roles with the variables that a file for a whole site may set."""
    for role in roles:
        yield role, [v for v in role.variables if not v.required and v.name not in others and not ONE_RUN.search(v.name)]


RULE = "#" * 79 + "\n"


def comment(*paragraphs, indent=""):
    """Paragraphs as comment lines, no longer than Kayobe's. Lines go on below the text of an item."""
    out = ""
    for p in paragraphs:
        below = indent + "  " if p.startswith("- ") else indent
        lines = textwrap.wrap(p, 77, initial_indent=indent, subsequent_indent=below, break_long_words=False, break_on_hyphens=False)
        out += "".join(f"# {line}\n" for line in lines)
    return out


def keys(options, indent=""):
    """What the keys of a mapping mean."""
    for option in options:
        yield comment(f"- {option.name}: " + " ".join(map(markup.words, option.description)), indent=indent)
        yield from keys(option.options, indent + "  ")


def setting(variable):
    """A variable as Kayobe has them: what it means, its default, its name without a value."""
    about = [markup.words(p) for p in variable.description]
    if variable.choices:
        about.append("One of " + ", ".join(map(specs.plain, variable.choices)) + ".")
    if variable.secret:
        about.append("A secret.")
    block = ""
    if variable.default is not None and "\n" in variable.default:
        block = "# Default is:\n" + textwrap.indent(f"{variable.name}:\n{textwrap.indent(variable.default, '  ')}\n", "# ")
    elif variable.default is not None:
        about.append(f"Default is {variable.default}.")
    return comment(" ".join(about)) + "".join(keys(variable.options)) + block + f"#{variable.name}:\n\n"


def kayobe(roles, others):
    """A file for etc/kayobe with every variable that a site may set, none of them set."""
    yield "---\n" + RULE + comment("ibforge: fabric services on InfiniBand.")
    yield "#\n" + comment("Kayobe hands this file to Ansible as extra variables, which go before every inventory. What differs "
                          "from host to host or from group to group belongs into inventory/host_vars and inventory/group_vars.")
    yield "\n"
    for role, variables in for_sites(roles, others):
        if variables:
            yield RULE + comment(f"Role {role.name}: {markup.words(role.short)}.") + "\n"
            yield from map(setting, variables)
    yield RULE + "# Dummy variable to allow Ansible to accept this file.\nworkaround_ansible_issue_8743: yes\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    parser.add_argument("--kayobe", action="store_true", help="write a file for etc/kayobe")
    parser.add_argument("file", nargs="?", type=pathlib.Path, metavar="FILE")
    arguments = parser.parse_args()
    roles = specs.roles()
    if arguments.kayobe:
        wanted, file = "".join(kayobe(roles, handed_over(specs.ROOT))), arguments.file
    else:
        file = arguments.file or DOCUMENT
        wanted = document(file.read_text(), roles)
    if file is None:
        sys.stdout.write(wanted)
    elif not arguments.check:
        file.write_text(wanted)
    elif file.read_text() != wanted:
        raise SystemExit(f"{file} is not what {pathlib.Path(__file__).name} makes; make golden writes it anew")


if __name__ == "__main__":
    main()
