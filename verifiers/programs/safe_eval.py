"""Evaluating what an assert says of plain data: a small part of Python, on our side, with bounds.

The data come from a hostile program and the expressions from a data set. So there are no names but
a few pure functions, no attributes but methods of text and mappings, and nothing that grows without
bound.
"""

import ast
import cmath
import math
import operator
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

MOST = 10_000_000
"""Items of a sequence that an expression may make,"""
MOST_BITS = 1 << 20
"""and bits of a number."""


class OutsideError(Exception):
    """An expression is not of this small language."""


def _bounded_power(base: Any, exponent: Any) -> Any:
    if isinstance(base, int) and isinstance(exponent, int) and base.bit_length() * abs(exponent) > MOST_BITS:
        raise OverflowError("a power that is too large")
    return base**exponent


def _bounded_product(left: Any, right: Any) -> Any:
    for sequence, count in ((left, right), (right, left)):
        if (
            isinstance(count, int)
            and isinstance(sequence, str | bytes | list | tuple)
            and len(sequence) * count > MOST
        ):
            raise OverflowError("a sequence that is too long")
    return left * right


def _bounded_remainder(left: Any, right: Any) -> Any:
    if isinstance(left, str | bytes):  # formatting: a width could ask for any length
        raise OverflowError("a format that is not the tests' own")
    return left % right


def _bounded_sum(items: Any, start: Any = 0) -> Any:
    if not isinstance(start, int | float | complex | Decimal | Fraction):
        raise OverflowError("a sum of sequences")
    return sum(items, start)


def _bounded_range(*arguments: int) -> range:
    made = range(*arguments)
    if len(made) > MOST:
        raise OverflowError("a range that is too long")
    return made


FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{
        f.__name__: f for f in (abs, all, any, bin, bool, bytes, chr, complex, dict, divmod, enumerate, float)
    },
    **{
        f.__name__: f
        for f in (frozenset, hex, int, isinstance, len, list, max, min, oct, ord, repr, reversed)
    },
    **{f.__name__: f for f in (round, set, sorted, str, tuple, type, zip)},
    **{f.__name__: f for f in (Counter, Decimal, Fraction, OrderedDict, deque)},
    "sum": _bounded_sum,
    "range": _bounded_range,
    "pow": lambda base, exponent, modulus=None: (
        _bounded_power(base, exponent) if modulus is None else pow(base, exponent, modulus)
    ),
}
MODULES: dict[str, Mapping[str, Any]] = {
    "math": {
        n: f for n, f in vars(math).items() if n not in ("factorial", "comb", "perm", "prod") and n[0] != "_"
    },
    "cmath": {n: f for n, f in vars(cmath).items() if n[0] != "_"},
    "collections": {"Counter": Counter, "OrderedDict": OrderedDict, "deque": deque},
    "decimal": {"Decimal": Decimal},
    "fractions": {"Fraction": Fraction},
}
_METHODS = frozenset(
    "lower upper strip lstrip rstrip split splitlines startswith endswith count index find title capitalize"
    " swapcase isdigit isalpha isupper islower isalnum items keys values get most_common union intersection"
    " difference symmetric_difference issubset issuperset as_integer_ratio bit_length is_integer".split()
)
_OPERATORS: dict[type, Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: _bounded_product, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: _bounded_remainder, ast.Pow: _bounded_power,
    ast.BitAnd: operator.and_, ast.BitOr: operator.or_, ast.BitXor: operator.xor,
    ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Not: operator.not_, ast.Invert: operator.invert,
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Is: operator.is_, ast.IsNot: operator.is_not,
    ast.In: lambda item, of: item in of, ast.NotIn: lambda item, of: item not in of,
}  # fmt: skip


def evaluate(node: ast.expr, known: Mapping[ast.expr, Any], names: Mapping[str, Any]) -> Any:
    """Return an expression's value.

    Args:
        node: the expression.
        known: values of some of its nodes.
        names: functions and modules that it may use.

    Raises:
        OutsideError: it is not of this language. Any other: as Python raises it.
    """
    if node in known:
        return known[node]
    handler = _HANDLERS.get(type(node))
    if handler is None:
        raise OutsideError(f"{type(node).__name__} is not evaluated here")
    return handler(node, lambda inner: evaluate(inner, known, names), names)


def check(node: ast.AST, known: Mapping[ast.expr, Any], names: Mapping[str, Any]) -> None:
    """Look whether an expression is of this language, whatever values it meets.

    Raises:
        OutsideError: it is not.
    """
    if node in known:
        return
    if isinstance(node, ast.Name):
        _name(node, _no_value, names)
        return
    if isinstance(node, ast.Attribute):
        _attribute(node, _no_value, names)
        return
    if isinstance(node, ast.Call):
        _check_call(node, known, names)
        return
    if isinstance(node, ast.expr) and type(node) not in _HANDLERS:
        raise OutsideError(f"{type(node).__name__} is not evaluated here")
    if isinstance(node, ast.operator | ast.unaryop | ast.cmpop) and type(node) not in _OPERATORS:
        raise OutsideError(type(node).__name__)
    for child in ast.iter_child_nodes(node):
        check(child, known, names)


def _no_value(node: ast.expr) -> Any:
    raise OutsideError("no value is known")


def _check_call(node: ast.Call, known: Mapping[ast.expr, Any], names: Mapping[str, Any]) -> None:
    function = node.func
    if isinstance(function, ast.Attribute) and function.attr in _METHODS and not _of_module(function, names):
        check(function.value, known, names)
    elif isinstance(function, ast.Attribute):
        _attribute(function, _no_value, names)
    elif isinstance(function, ast.Name):
        _name(function, _no_value, names)
    else:
        raise OutsideError("a call of what a call gave")
    if any(isinstance(arg, ast.Starred) for arg in node.args) or any(k.arg is None for k in node.keywords):
        raise OutsideError("starred arguments")
    for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
        check(argument, known, names)


def _of_module(node: ast.Attribute, names: Mapping[str, Any]) -> bool:
    return isinstance(node.value, ast.Name) and isinstance(names.get(node.value.id), Mapping)


Inner = Callable[[ast.expr], Any]


def _name(node: ast.Name, inner: Inner, names: Mapping[str, Any]) -> Any:
    if node.id not in names or isinstance(names[node.id], Mapping):
        raise OutsideError(f"name {node.id!r}")
    return names[node.id]


def _call(node: ast.Call, inner: Inner, names: Mapping[str, Any]) -> Any:
    if isinstance(node.func, ast.Name):
        function = _name(node.func, inner, names)
    else:
        function = _attribute_of(node.func, inner, names)
    kwargs = {str(keyword.arg): inner(keyword.value) for keyword in node.keywords}
    return function(*map(inner, node.args), **kwargs)


def _attribute_of(node: ast.expr, inner: Inner, names: Mapping[str, Any]) -> Any:
    if not isinstance(node, ast.Attribute):
        raise OutsideError("a call of what has no name")
    if isinstance(node.value, ast.Name) and isinstance(module := names.get(node.value.id), Mapping):
        if node.attr not in module:
            raise OutsideError(f"{node.value.id}.{node.attr}")
        return module[node.attr]
    if node.attr not in _METHODS:
        raise OutsideError(f"method {node.attr!r}")
    return getattr(inner(node.value), node.attr)


def _attribute(node: ast.Attribute, inner: Inner, names: Mapping[str, Any]) -> Any:
    if isinstance(node.value, ast.Name) and isinstance(names.get(node.value.id), Mapping):
        return _attribute_of(node, inner, names)
    raise OutsideError(f"attribute {node.attr!r}")


def _compare(node: ast.Compare, inner: Inner, names: Mapping[str, Any]) -> bool:
    left = inner(node.left)
    for operation, right_node in zip(node.ops, node.comparators, strict=True):
        right = inner(right_node)
        if not _OPERATORS[type(operation)](left, right):
            return False
        left = right
    return True


def _boolean(node: ast.BoolOp, inner: Inner, names: Mapping[str, Any]) -> Any:
    value: Any = None
    for part in node.values:
        value = inner(part)
        if bool(value) is isinstance(node.op, ast.Or):
            return value
    return value


def _subscript(node: ast.Subscript, inner: Inner, names: Mapping[str, Any]) -> Any:
    if isinstance(node.slice, ast.Slice):
        ends = (node.slice.lower, node.slice.upper, node.slice.step)
        return inner(node.value)[slice(*(None if end is None else inner(end) for end in ends))]
    return inner(node.value)[inner(node.slice)]


def _dict(node: ast.Dict, inner: Inner, names: Mapping[str, Any]) -> Any:
    if any(key is None for key in node.keys):
        raise OutsideError("**")
    return {
        inner(key): inner(value) for key, value in zip(node.keys, node.values, strict=True) if key is not None
    }


_HANDLERS: dict[type, Callable[[Any, Inner, Mapping[str, Any]], Any]] = {
    ast.Constant: lambda node, inner, names: node.value,
    ast.Name: _name,
    ast.List: lambda node, inner, names: [inner(item) for item in node.elts],
    ast.Tuple: lambda node, inner, names: tuple(inner(item) for item in node.elts),
    ast.Set: lambda node, inner, names: {inner(item) for item in node.elts},
    ast.Dict: _dict,
    ast.UnaryOp: lambda node, inner, names: _OPERATORS[type(node.op)](inner(node.operand)),
    ast.BinOp: lambda node, inner, names: _operated(node, inner),
    ast.BoolOp: _boolean,
    ast.Compare: _compare,
    ast.IfExp: lambda node, inner, names: inner(node.body if inner(node.test) else node.orelse),
    ast.Subscript: _subscript,
    ast.Call: _call,
    ast.Attribute: _attribute,
}


def _operated(node: ast.BinOp, inner: Inner) -> Any:
    if isinstance(node.op, ast.Mod) and isinstance(node.left, ast.Constant):
        return operator.mod(node.left.value, inner(node.right))
    operation = _OPERATORS.get(type(node.op))
    if operation is None:
        raise OutsideError(type(node.op).__name__)
    return operation(inner(node.left), inner(node.right))
