"""Looks for contradictions within the roles; role_docs.py believes what they say.

Each function takes the root of a collection and gives faults: where, what, and
what to do about it.
"""

import re

import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

import role_markup as markup
import role_specs as specs

_TYPES = {"str": str, "path": str, "int": int, "float": (int, float), "bool": bool, "list": list, "dict": dict}


def _load(file):
    return yaml.load(file.read_text(), specs.Loader) if file.exists() else None


def _options(path):
    """The options of all entry points of a role."""
    out = {}
    for entry in reversed(specs.specification(path).values()):
        out.update(entry.get("options") or {})
    return out


def _roles(root):
    """Name, directory, options and defaults of each role."""
    for path in sorted(root.glob("roles/*")):
        if (path / "meta" / "argument_specs.yml").exists():
            yield path.name, path, _options(path), _load(path / "defaults" / "main.yml") or {}


def undescribed_roles(root):
    """Roles without a specification, or with one that has no words."""
    for path in sorted(root.glob("roles/*")):
        if not (path / "meta" / "argument_specs.yml").exists():
            yield f"roles/{path.name} has no meta/argument_specs.yml: describe its variables there"
            continue
        todo = list(_options(path).items())
        for name, option in todo:
            todo += [(f"{name}.{key}", o) for key, o in (option.get("options") or {}).items()]
            if not option.get("description") or not option.get("type"):
                yield f"roles/{path.name}/meta/argument_specs.yml: {name} needs a type and a description"
            if option.get("type") == "list" and not option.get("elements"):
                yield f"roles/{path.name}/meta/argument_specs.yml: {name} is a list and needs elements, the type of what is in it"


def _says_default(option):
    """Tells whether words tell the default, where it is none that could be written down."""
    return "default" in str(option.get("description")).lower()


def differing_variables(root):
    """Variables that only one of specification and defaults has."""
    for name, _, options, defaults in _roles(root):
        for variable in sorted(set(defaults) - set(options)):
            yield (f"roles/{name}/defaults/main.yml: {variable} is not in meta/argument_specs.yml: describe it there, "
                   f"or call it _{variable} and put it into vars")
        for variable, option in options.items():
            if not variable.startswith(name + "_"):
                yield f"roles/{name}/meta/argument_specs.yml: {variable} does not begin with {name}_"
            if option.get("required") and variable in defaults:
                yield f"roles/{name}/meta/argument_specs.yml: {variable} is required, and has a default in defaults/main.yml: keep one of the two"
            elif not option.get("required") and variable not in defaults and ("default" in option or not _says_default(option)):
                yield (f"roles/{name}/defaults/main.yml: {variable} of meta/argument_specs.yml is not there: give it a default there, "
                       "make it required, or say in its description what it is by default")


def differing_defaults(root):
    """Defaults that are of another type than they should be, or of another value."""
    for name, _, options, defaults in _roles(root):
        for variable in sorted(set(defaults) & set(options)):
            value, option = defaults[variable], options[variable]
            where, type_ = f"roles/{name}/defaults/main.yml: {variable}", option.get("type", "str")
            if isinstance(value, str) and specs.is_expression(value):
                if "default" not in option and not _says_default(option):
                    yield (f"roles/{name}/meta/argument_specs.yml: {variable} has an expression for a default: "
                           "say in the description what it is by default")
                continue
            if type_ in _TYPES and (not isinstance(value, _TYPES[type_]) or isinstance(value, bool) and type_ != "bool"):
                yield f"{where} is {specs.plain(value)}, and its type in meta/argument_specs.yml is {type_}"
            elif "default" in option and option["default"] != value:
                yield f"{where} is {specs.plain(value)}, and {specs.plain(option['default'])} in meta/argument_specs.yml"
            elif "choices" in option and type_ != "list" and value not in option["choices"]:
                yield f"{where} is {specs.plain(value)}, which is none of its choices {specs.plain(option['choices'])}"


def _names(text, roles):
    """What looks like public variables of these roles in a text."""
    longest_first = "|".join(sorted(roles, key=len, reverse=True))
    # Names in paths, in full names of plugins and in host names are others.
    return set(re.findall(rf"(?<![\w./-])(?:{longest_first})_\w*[^\W_](?!\w|\.(?:ya?ml|j2|py|md)\b)", text))


def _given(root):
    """Names that are no variables, and are known: facts that roles give, and plugins."""
    out = {file.stem for file in root.glob("plugins/*/*.py")}
    for file in root.glob("roles/*/tasks/**/*.yml"):
        todo = list(_load(file) or [])
        for task in todo:
            todo += [t for key in ("block", "rescue", "always") for t in task.get(key, [])]
            out |= set(task.get("ansible.builtin.set_fact") or [])
            out.add(task.get("register"))
    return out


def unknown_names(root, files):
    """Variables that files name, and that no role has. files are relative to root."""
    options, described = set(), ""
    for _, path, known_options, defaults in _roles(root):
        # What only the defaults have is told by differing_variables.
        options |= {*known_options, *defaults}
        # A module may give facts too; the description of the role names them.
        described += str([entry.get("description") for entry in specs.specification(path).values()])
    roles = [path.name for path in root.glob("roles/*")]
    known = options | _given(root) | _names(described, roles)
    for file in files:
        for name in sorted(_names((root / file).read_text(), roles) - known):
            yield (f"{file}: no role has a variable {name}: correct the name, or describe it in meta/argument_specs.yml; "
                   "a fact that a module gives is named in the description of the role")


def unknown_references(root):
    """Options that descriptions name by O(), and that are not there."""
    known = {name: set(options) for name, _, options, _ in _roles(root)}
    for name, _, options, _ in _roles(root):
        todo = list(options.values())
        for option in todo:
            todo += (option.get("options") or {}).values()
            for paragraph in specs.paragraphs(option.get("description")):
                for role, target in markup.options(paragraph):
                    if target.split(".")[0].removesuffix("[]") not in known.get(role or name, ()):
                        yield f"roles/{name}/meta/argument_specs.yml: O({target}) is an option of no role"


def _actions(options):
    return [c for name, option in options.items() if name.endswith("_action") for c in option.get("choices", [])]


def missing_verbs(root):
    """Actions without tasks or that no playbook runs, and actions that are run and are none."""
    for name, path, options, _ in _roles(root):
        actions = _actions(options)
        run = {}  # action to the files that run it
        for file in [*root.glob("playbooks/**/*.yml"), *root.glob("roles/*/tasks/**/*.yml")]:
            for verb in re.findall(rf"(?<!\w){name}_action: *['\"]?([a-z_]+)\b", file.read_text()):
                run.setdefault(verb, []).append(file.relative_to(root))
        for verb in sorted(set(run) - set(actions)):
            yield f"{run[verb][0]}: {name}_action is {verb}, which is none of its choices {specs.plain(actions)}"
        # A service role is one that an operator deploys; the others are parts,
        # and may have a directory for each engine.
        service = "deploy" in actions
        for verb in actions:
            if not (path / "tasks" / f"{verb}.yml").exists() and (service or not any(path.glob(f"tasks/*/{verb}.yml"))):
                yield f"roles/{name}/tasks/{verb}.yml is not there, and {name}_action has the choice {verb}"
            # Another playbook may run an action as one of its steps.
            if service and not (root / "playbooks" / f"{verb}.yml").exists() and not any(f.parts[0] == "playbooks" for f in run.get(verb, [])):
                yield f"playbooks/{verb}.yml is not there, and {name}_action has the choice {verb}, which no other playbook runs"


def _pairs(value):
    """All keys of all mappings in a value, with what they have."""
    for key, inner in value.items() if isinstance(value, dict) else []:
        yield key, inner
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
        yield from _pairs(inner)


def wrong_examples(root, files):
    """Variables in YAML blocks of documents whose values the roles would refuse. files are relative to root."""
    known = {variable: option for _, _, options, _ in _roles(root) for variable, option in options.items()}
    for file in files:
        for block in re.findall(r"(?ms)^```yaml\n(.*?)^```$", (root / file).read_text()):
            for name, value in _pairs(yaml.load(block, specs.Loader)):
                if name in known and not specs.is_expression(str(value)):
                    # The validation of Ansible itself, as before a role's first task.
                    for message in ArgumentSpecValidator({name: known[name]}).validate({name: value}).error_messages:
                        yield f"{file}: the example for {name} is not valid: {message}"
