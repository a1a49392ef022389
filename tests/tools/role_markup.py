"""Ansible's documentation markup, turned into Markdown and into plain text.

What there is: https://docs.ansible.com/ansible/latest/dev_guide/ansible_markup.html
"""

import re

# In the semantic kinds a backslash takes the next character as it is.
_MARKUP = re.compile(r"\b(?:(?P<semantic>RV|[OVEP])\((?P<escaped>(?:[^\\)]|\\.)*)\)|(?P<kind>[BICMULR])\((?P<text>[^)]*)\))|\b(?P<line>HORIZONTALLINE)\b")
# COLLECTION.ROLE#role:[ENTRYPOINT:]NAME, where another role is meant.
_ELSEWHERE = re.compile(r"(?:\w+\.\w+\.)?(?P<role>\w+)#role:(?:\w+:)?(?P<name>.*)", re.S)


def parts(text):
    """The parts of a paragraph as (kind, text); kind is "" for text without markup."""
    end = 0
    for m in _MARKUP.finditer(text):
        if m.start() > end:
            yield "", text[end:m.start()]
        if m["semantic"]:
            yield m["semantic"], re.sub(r"\\(.)", r"\1", m["escaped"])
        else:
            yield m["kind"] or "HORIZONTALLINE", m["text"] or ""
        end = m.end()
    if end < len(text):
        yield "", text[end:]


def options(text):
    """The options that O() names, as (role, name); role is "" for the one that is described."""
    for kind, content in parts(text):
        if kind == "O":
            yield reference(content)[:2]


def reference(content):
    """What O() and RV() say: (role, name, value). The role is "" where none is named."""
    m = _ELSEWHERE.fullmatch(content)
    name, _, value = (m["name"] if m else content).partition("=")
    return m["role"] if m else "", name, value


def code(text):
    """A code span of Markdown, whatever is in it; an empty string is shown as YAML writes it."""
    text = text or '""'
    longest = max(map(len, re.findall(r"`+", text)), default=0)
    fence = "`" * (longest + 1)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{space}{text}{space}{fence}"


def _two(content):
    """The two parts of L() and R()."""
    text, _, target = content.partition(",")
    return text.strip(), target.strip()


def _option(content):
    """An option in words, with its value if there is one."""
    _, name, value = reference(content)
    return f"{name}: {value}" if value else name


def _option_link(content):
    """An option in Markdown; one of another role links to the heading that has the role's name."""
    span, role = code(_option(content)), reference(content)[0]
    return f"[{span}](#{role})" if role else span


_MARKDOWN = {
    "": lambda content: re.sub(r"([\\`*<\[])", r"\\\1", content),
    "B": "**{}**".format,
    "I": "*{}*".format,
    "C": code, "V": code, "E": code, "M": code,
    "P": lambda content: code(content.partition("#")[0]),
    "O": _option_link, "RV": _option_link,
    "U": "<{}>".format,
    "L": lambda content: "[{}]({})".format(*_two(content)),
    "R": lambda content: _two(content)[0],
    "HORIZONTALLINE": "\n\n---\n\n{}".format,
}

_WORDS = {
    **dict.fromkeys(_MARKDOWN, str),
    "V": "'{}'".format,
    "P": lambda content: content.partition("#")[0],
    "O": _option, "RV": _option,
    "L": lambda content: "{} ({})".format(*_two(content)),
    "R": lambda content: _two(content)[0],
}


def markdown(text):
    """A paragraph in Markdown."""
    return "".join(_MARKDOWN[kind](content) for kind, content in parts(text))


def words(text):
    """A paragraph in words alone, for comments."""
    return "".join(_WORDS[kind](content) for kind, content in parts(text))
