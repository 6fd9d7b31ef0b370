"""Evaluating the part of an assert that stays on our side, in a small and bounded subset of Python.

The values come from a program that may be hostile, and the expressions from a data set. So an expression can
use only a few pure functions, and methods of text, numbers and containers. The size of powers of integers,
repeated sequences and ranges is limited.
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

MAX_ITEMS = 10_000_000
"""The most items of a sequence or range that an expression may create."""
MAX_BITS = 1 << 20
"""The most bits of an integer that an expression may create with a power."""


class OutsideError(Exception):
    """An expression is not in this subset of Python."""


def _bounded_power(base: Any, exponent: Any) -> Any:
    if isinstance(base, int) and isinstance(exponent, int) and base.bit_length() * abs(exponent) > MAX_BITS:
        raise OverflowError("a power that is too large")
    return base**exponent


def _bounded_pow(base: Any, exponent: Any, modulus: Any = None) -> Any:
    if modulus is None:
        return _bounded_power(base, exponent)
    return pow(base, exponent, modulus)


def _bounded_product(left: Any, right: Any) -> Any:
    for sequence, count in ((left, right), (right, left)):
        repeats = isinstance(count, int) and isinstance(sequence, str | bytes | list | tuple)
        if repeats and len(sequence) * count > MAX_ITEMS:
            raise OverflowError("a sequence that is too long")
    return left * right


def _bounded_remainder(left: Any, right: Any) -> Any:
    if isinstance(left, str | bytes):  # text % value formats it, and a format can ask for any width
        raise OverflowError("a format that is not the tests' own")
    return left % right


def _bounded_sum(items: Any, start: Any = 0) -> Any:
    if not isinstance(start, int | float | complex | Decimal | Fraction):
        raise OverflowError("a sum of sequences")
    return sum(items, start)


def _bounded_range(*arguments: int) -> range:
    result = range(*arguments)
    if len(result) > MAX_ITEMS:
        raise OverflowError("a range that is too long")
    return result


_PURE = (
    abs, all, any, bin, bool, bytes, chr, complex, dict, divmod, enumerate, float, frozenset, hex, int,
    isinstance, len, list, max, min, oct, ord, repr, reversed, round, set, sorted, str, tuple, type, zip,
    Counter, Decimal, Fraction, OrderedDict, deque,
)  # fmt: skip
FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{function.__name__: function for function in _PURE},
    "sum": _bounded_sum,
    "range": _bounded_range,
    "pow": _bounded_pow,
}
_UNBOUNDED = ("factorial", "comb", "perm", "prod")
MODULES: dict[str, Mapping[str, Any]] = {
    "math": {name: value for name, value in vars(math).items() if name[0] != "_" and name not in _UNBOUNDED},
    "cmath": {name: value for name, value in vars(cmath).items() if name[0] != "_"},
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
    ast.In: lambda item, container: item in container,
    ast.NotIn: lambda item, container: item not in container,
}  # fmt: skip

Names = Mapping[str, Any]
"""The meaning of each name in an expression: a function, or for a module the mapping of its functions."""


def evaluate(node: ast.expr, known: Mapping[ast.expr, Any], names: Names) -> Any:
    """Return the value of an expression.

    Args:
        node: the expression.
        known: values of some of its subexpressions, such as the program's answers to its calls.
        names: the functions and modules that the expression may use.

    Raises:
        OutsideError: the expression is not in this subset of Python.
        Exception: anything else that Python raises when it evaluates the expression.
    """
    if node in known:
        return known[node]
    handler = _HANDLERS.get(type(node))
    if handler is None:
        raise OutsideError(f"{type(node).__name__} is not evaluated here")
    return handler(node, lambda inner: evaluate(inner, known, names), names)


def check(node: ast.AST, known: Mapping[ast.expr, Any], names: Names) -> None:
    """Check that an expression is in this subset of Python, without evaluating it.

    Of `known`, only the keys are read: the subexpressions whose values will be known.

    Raises:
        OutsideError: the expression is not in this subset.
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
        raise OutsideError(f"operator {type(node).__name__} is not evaluated here")
    for child in ast.iter_child_nodes(node):
        check(child, known, names)


def _no_value(node: ast.expr) -> Any:
    raise OutsideError("no value is known")


def _check_call(node: ast.Call, known: Mapping[ast.expr, Any], names: Names) -> None:
    function = node.func
    if isinstance(function, ast.Attribute):
        if function.attr in _METHODS and not _is_in_module(function, names):
            check(function.value, known, names)
        else:
            _attribute(function, _no_value, names)
    elif isinstance(function, ast.Name):
        _name(function, _no_value, names)
    else:
        raise OutsideError("a call of a function that has no name")
    if any(isinstance(arg, ast.Starred) for arg in node.args) or any(k.arg is None for k in node.keywords):
        raise OutsideError("starred arguments")
    for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
        check(argument, known, names)


def _is_in_module(node: ast.Attribute, names: Names) -> bool:
    return isinstance(node.value, ast.Name) and isinstance(names.get(node.value.id), Mapping)


Evaluate = Callable[[ast.expr], Any]
"""Returns the value of a subexpression."""


def _name(node: ast.Name, value_of: Evaluate, names: Names) -> Any:
    if node.id not in names or isinstance(names[node.id], Mapping):
        raise OutsideError(f"name {node.id!r}")
    return names[node.id]


def _call(node: ast.Call, value_of: Evaluate, names: Names) -> Any:
    if isinstance(node.func, ast.Name):
        function = _name(node.func, value_of, names)
    else:
        function = _function_or_method(node.func, value_of, names)
    kwargs = {str(keyword.arg): value_of(keyword.value) for keyword in node.keywords}
    return function(*map(value_of, node.args), **kwargs)


def _function_or_method(node: ast.expr, value_of: Evaluate, names: Names) -> Any:
    """Return the function or method of an expression such as `math.floor` or `<value>.lower`."""
    if not isinstance(node, ast.Attribute):
        raise OutsideError("a call of a function that has no name")
    module = names.get(node.value.id) if isinstance(node.value, ast.Name) else None
    if isinstance(module, Mapping):
        if node.attr not in module:
            raise OutsideError(f"{ast.unparse(node)} is not evaluated here")
        return module[node.attr]
    if node.attr not in _METHODS:
        raise OutsideError(f"method {node.attr!r}")
    return getattr(value_of(node.value), node.attr)


def _attribute(node: ast.Attribute, value_of: Evaluate, names: Names) -> Any:
    if _is_in_module(node, names):
        return _function_or_method(node, value_of, names)
    raise OutsideError(f"attribute {node.attr!r}")


def _binary(node: ast.BinOp, value_of: Evaluate, names: Names) -> Any:
    if isinstance(node.op, ast.Mod) and isinstance(node.left, ast.Constant):
        return operator.mod(node.left.value, value_of(node.right))  # formatting by the tests' own text
    operation = _OPERATORS.get(type(node.op))
    if operation is None:
        raise OutsideError(f"operator {type(node.op).__name__} is not evaluated here")
    return operation(value_of(node.left), value_of(node.right))


def _compare(node: ast.Compare, value_of: Evaluate, names: Names) -> bool:
    left = value_of(node.left)
    for operation, right_node in zip(node.ops, node.comparators, strict=True):
        right = value_of(right_node)
        if not _OPERATORS[type(operation)](left, right):
            return False
        left = right
    return True


def _boolean(node: ast.BoolOp, value_of: Evaluate, names: Names) -> Any:
    """Return the value of `and` or `or`, evaluated up to the operand that decides it."""
    deciding = isinstance(node.op, ast.Or)
    value: Any = None
    for part in node.values:
        value = value_of(part)
        if bool(value) is deciding:
            return value
    return value


def _conditional(node: ast.IfExp, value_of: Evaluate, names: Names) -> Any:
    return value_of(node.body) if value_of(node.test) else value_of(node.orelse)


def _subscript(node: ast.Subscript, value_of: Evaluate, names: Names) -> Any:
    container = value_of(node.value)
    if isinstance(node.slice, ast.Slice):
        ends = (node.slice.lower, node.slice.upper, node.slice.step)
        return container[slice(*(None if end is None else value_of(end) for end in ends))]
    return container[value_of(node.slice)]


def _dict(node: ast.Dict, value_of: Evaluate, names: Names) -> Any:
    if any(key is None for key in node.keys):  # `{**other}` has a key of None
        raise OutsideError("**")
    pairs = zip(node.keys, node.values, strict=True)
    return {value_of(key): value_of(value) for key, value in pairs if key is not None}


_HANDLERS: dict[type, Callable[[Any, Evaluate, Names], Any]] = {
    ast.Constant: lambda node, value_of, names: node.value,
    ast.Name: _name,
    ast.List: lambda node, value_of, names: [value_of(item) for item in node.elts],
    ast.Tuple: lambda node, value_of, names: tuple(value_of(item) for item in node.elts),
    ast.Set: lambda node, value_of, names: {value_of(item) for item in node.elts},
    ast.Dict: _dict,
    ast.UnaryOp: lambda node, value_of, names: _OPERATORS[type(node.op)](value_of(node.operand)),
    ast.BinOp: _binary,
    ast.BoolOp: _boolean,
    ast.Compare: _compare,
    ast.IfExp: _conditional,
    ast.Subscript: _subscript,
    ast.Call: _call,
    ast.Attribute: _attribute,
}
