"""The cost of evaluating an assert in this process, on answers of a program that may be hostile."""

import ast
from collections.abc import Collection, Mapping
from enum import Enum
from typing import Any

_FUNCTIONS = frozenset(
    "abs all any bool dict enumerate float frozenset int isinstance len list max min ord repr reversed round"
    " set sorted str sum tuple type zip Counter".split()
)
_OF_MODULES = frozenset("isclose fabs floor ceil sqrt trunc isnan isinf isfinite Counter".split())
"""Functions of modules, by their last name. Those that are left out, such as `comb` or `Fraction`, can take
long for arguments of a few bytes."""
_OPERATORS = (ast.Add, ast.Sub, ast.Div, ast.FloorDiv, ast.Mod, ast.BitAnd, ast.BitOr, ast.BitXor)
_EQUALITY = (ast.Eq, ast.NotEq, ast.Is, ast.IsNot)
_COMPARISONS = (*_EQUALITY, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn)
_PARTS = (
    ast.List,
    ast.Tuple,
    ast.Set,
    ast.Dict,
    ast.IfExp,
    ast.Subscript,
    ast.Slice,
    ast.BoolOp,
    ast.UnaryOp,
)


class Cost(Enum):
    """How the cost of an evaluation grows with the size of the answers, which is that of their text."""

    BOUNDED = "in proportion to their size, whatever they are"
    BOUNDED_IF_SIMPLE = "in proportion to their size, if they are numbers, text and containers of them"
    UNBOUNDED = "without bound"


def cost_of(test: ast.expr, answers: Collection[ast.AST], names: Mapping[str, Any]) -> Cost:
    """Return the cost of evaluating an assert's condition.

    Args:
        test: the condition, which `safe_eval.check` has accepted.
        answers: its subexpressions that stand for answers of the program.
        names: the functions and modules that it may use.
    """
    if _is_equality(test, answers):
        return Cost.BOUNDED
    return Cost.BOUNDED_IF_SIMPLE if _is_bounded(test, answers, names) else Cost.UNBOUNDED


def _holds_answer(node: ast.AST, answers: Collection[ast.AST]) -> bool:
    return any(inner in answers for inner in ast.walk(node))


def _is_equality(node: ast.expr, answers: Collection[ast.AST]) -> bool:
    """Return whether whole answers are only tested for equality, identity and truth."""
    if node in answers or not _holds_answer(node, answers):
        return True
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.Not) and _is_equality(node.operand, answers)
    if isinstance(node, ast.BoolOp):
        return all(_is_equality(value, answers) for value in node.values)
    if isinstance(node, ast.Compare):
        sides = (node.left, *node.comparators)
        return all(isinstance(op, _EQUALITY) for op in node.ops) and all(
            side in answers or not _holds_answer(side, answers) for side in sides
        )
    return False


def _is_bounded(node: ast.AST, answers: Collection[ast.AST], names: Mapping[str, Any]) -> bool:
    """Return whether every operation on the way from an answer to the result takes linear time."""
    if node in answers or not _holds_answer(node, answers):
        return True
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Name):
            good = node.func.id in _FUNCTIONS and not (node.func.id == "round" and len(node.args) > 1)
            inner: list[ast.AST] = []
        elif isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
            is_module = isinstance(names.get(node.func.value.id), Mapping)
            good = not is_module or node.func.attr in _OF_MODULES
            inner = []
        else:
            good = isinstance(node.func, ast.Attribute)
            inner = [node.func.value] if isinstance(node.func, ast.Attribute) else []
        parts = [*inner, *node.args, *(keyword.value for keyword in node.keywords)]
        return good and all(_is_bounded(part, answers, names) for part in parts)
    if isinstance(node, ast.BinOp):
        is_format = isinstance(node.left, ast.Constant) and isinstance(node.left.value, str)
        good = isinstance(node.op, _OPERATORS) and not is_format
    elif isinstance(node, ast.Compare):
        good = all(isinstance(op, _COMPARISONS) for op in node.ops)
    else:
        good = isinstance(node, _PARTS)
    if not good:
        return False
    children = (child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr))
    return all(_is_bounded(child, answers, names) for child in children)
