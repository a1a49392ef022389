"""Translates the Jinja of kolla-ansible's variables into small expressions.

An expression is a string, or a list of an operation and its operands:

    "$NAME"             the variable's value
    "TEXT"              itself
    ["if", C, A, B]     A where C holds, else B
    ["and", A, ...]     "true" or "false"; likewise "or" and "not"
    ["eq", A, B]        whether the texts are equal
    ["default", V, A]   the variable V if there is one, else A

What holds is what Ansible's filter "bool" says of it, which Kolla applies to
all of its switches. builder/portmap/kolla evaluates expressions.
"""

import jinja2
from jinja2 import nodes

_ENVIRONMENT = jinja2.Environment()


class UnsupportedError(ValueError):
    """Jinja that the expressions cannot say."""


def text(value):
    """A YAML scalar as its text: Kolla writes yes, "yes" and True alike."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float, str)) and not str(value).startswith("$"):
        return str(value)
    raise UnsupportedError(f"{value!r} is no plain scalar")


def translate(value):
    """The expression for a YAML value, which may be a Jinja template."""
    value = text(value)
    if "{{" not in value and "{%" not in value:
        return value
    return _body(_ENVIRONMENT.parse(value.strip()).body)


def translate_bare(source):
    """The expression for Jinja without braces, as in a task's "when"."""
    return translate("{{ " + source + " }}")


def both(*conditions):
    """The conjunction, without what always holds or is said twice."""
    rest = []
    for condition in conditions:
        rest.extend(part for part in _parts("and", condition) if part != "true" and part not in rest)
    return "true" if not rest else rest[0] if len(rest) == 1 else ["and", *rest]


def either(*conditions):
    """The disjunction, without what another part of it covers."""
    rest = []
    for condition in conditions:
        for part in _parts("or", condition):
            if not any(_covers(other, part) for other in rest):
                rest = [other for other in rest if not _covers(part, other)] + [part]
    return rest[0] if len(rest) == 1 else ["or", *rest]


def _parts(operation, condition):
    return condition[1:] if condition[0] == operation else [condition]


def _covers(one, other):
    """Whether one holds wherever other does, as far as their conjuncts tell."""
    return all(part == "true" or part in _parts("and", other) for part in _parts("and", one))


def variable(name):
    """The expression for a variable."""
    return "$" + name


def is_variable(expression):
    """Whether the expression is nothing but a variable."""
    return isinstance(expression, str) and expression.startswith("$")


def variables(expression):
    """The names in an expression."""
    if isinstance(expression, str):
        return {expression[1:]} if is_variable(expression) else set()
    return set().union(*map(variables, expression[1:]))


def leaves(expression, condition="true"):
    """Each variable that the expression may stand for, and on what condition."""
    if isinstance(expression, list) and expression[0] == "if":
        _, test, then, otherwise = expression
        yield from leaves(then, both(condition, test))
        yield from leaves(otherwise, both(condition, ["not", test]))
    elif is_variable(expression):
        yield expression[1:], condition
    else:
        raise UnsupportedError(f"{expression!r} is no port's variable")


def _body(body):
    """Statements: one expression, or {% if %} with one expression in each arm."""
    parts = [part for part in body if not _is_blank(part)]
    if len(parts) != 1:
        raise UnsupportedError("more than one expression")
    part = parts[0]
    if isinstance(part, nodes.Output):
        inner = [n for n in part.nodes if not _is_blank(n)]
        if len(inner) != 1:
            raise UnsupportedError("text around an expression")
        return _expression(inner[0])
    if isinstance(part, nodes.If) and not part.elif_:
        return ["if", _expression(part.test), _body(part.body), _body(part.else_)]
    raise UnsupportedError(type(part).__name__)


def _is_blank(node):
    if isinstance(node, nodes.TemplateData):
        return not node.data.strip()
    return isinstance(node, nodes.Output) and all(map(_is_blank, node.nodes))


def _expression(node):
    if isinstance(node, nodes.TemplateData):
        return node.data.strip()
    if isinstance(node, nodes.Const):
        return text(node.value)
    if isinstance(node, nodes.Name):
        return variable(node.name)
    if isinstance(node, nodes.Not):
        return ["not", _expression(node.node)]
    if isinstance(node, (nodes.And, nodes.Or)):
        name = "and" if isinstance(node, nodes.And) else "or"
        operands = []
        for side in (_expression(node.left), _expression(node.right)):
            operands.extend(side[1:] if side[0] == name else [side])
        return [name, *operands]
    if isinstance(node, nodes.CondExpr):
        return ["if", _expression(node.test), _expression(node.expr1), _expression(node.expr2)]
    if isinstance(node, nodes.Filter):
        return _filter(_expression(node.node), node)
    if isinstance(node, nodes.Compare) and len(node.ops) == 1:
        return _compare(_expression(node.expr), node.ops[0])
    raise UnsupportedError(type(node).__name__)


def _filter(operand, node):
    # All values are texts, and the operations see to the rest. An address of
    # Kolla's is a plain one, which ipaddr('address') does not change.
    if node.name in ("bool", "int", "string", "ansible.utils.ipaddr"):
        return operand
    if node.name == "default" and is_variable(operand) and len(node.args) == 1:
        return ["default", operand, _expression(node.args[0])]
    raise UnsupportedError(node.name)


def _compare(left, operand):
    if operand.op in ("in", "notin") and isinstance(operand.expr, nodes.List):
        found = ["or", *(["eq", left, _expression(item)] for item in operand.expr.items)]
        return found if operand.op == "in" else ["not", found]
    if operand.op in ("eq", "ne"):
        equal = ["eq", left, _expression(operand.expr)]
        return equal if operand.op == "eq" else ["not", equal]
    raise UnsupportedError(operand.op)
