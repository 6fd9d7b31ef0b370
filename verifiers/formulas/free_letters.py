r"""Comparing formulas up to letters that may be chosen freely: constants of integration and running integers.

`\frac{x^3}{3} + C` and `\frac{x^3}{3} + K` are the same family of functions, and `k\pi` and `n\pi` are the
same set of numbers. If a letter is anything else (such as the angle in `\frac{1}{2}ab\sin C`), another letter
makes another formula.
"""

import re
from itertools import permutations

from ..spelling.latex_names import CONSTANTS, FUNCTIONS, GREEK
from .equality import equal, has_constant_difference
from .finite_field import names_in
from .tokens import Node

_CONSTANTS = frozenset(["C", "C_1", "C_2", "C_3", "c_1", "c_2", "c_3"])
"""Names of constants of integration in a reference."""
_ANY_CONSTANTS = _CONSTANTS | {"c", "K", "k", "A", "B", "D"}
"""Names that an answer may give to constants of integration."""
_VARIABLES = frozenset("x y z t u v s theta phi".split())
_INTEGERS = frozenset(["k", "n"])
_MORE_INTEGERS = _INTEGERS | {"m"}


def equal_but_for_letters(target: Node, given: Node) -> bool:
    """Return whether formulas are equal once free constants, or one running integer, are renamed.

    Raises:
        TooLarge: evaluating them would exceed a limit.
        ArithmeticError: there is no point at which both have a value.
    """
    own, others = names_in(target), names_in(given)
    constants = own & _CONSTANTS
    replacements = (others & _ANY_CONSTANTS) - (own - _CONSTANTS)
    may_be_renamed = len(constants) > 1 or constants != replacements
    if constants and _are_free(target, constants):
        can_match = len(constants) == len(replacements) <= 3 and may_be_renamed
        if can_match and _equal_if_renamed(target, given, constants, replacements):
            return True
        if len(constants) == len(others & _ANY_CONSTANTS) == 1:
            return _differ_by_a_constant(target, given)
    if len(own) == len(others) == 1 and own != others and _has_pi(target) and _has_pi(given):
        allowed = _MORE_INTEGERS if target.op == given.op == "add" else _INTEGERS
        return own | others <= allowed and _equal_if_renamed(target, given, own, others)
    return False


def _differ_by_a_constant(target: Node, given: Node) -> bool:
    """Return whether two sums, each with a free constant as a term, differ by a constant only."""
    one, two = _without_constant(target), _without_constant(given)
    return one is not None and two is not None and has_constant_difference(one, two)


def _without_constant(node: Node) -> Node | None:
    """Return a sum without the constant that is one of its terms; None if it has no such term."""
    if node.op != "add":
        return None
    rest = tuple(term for term in node.args if not (term.op == "sym" and term.value in _ANY_CONSTANTS))
    if len(rest) != len(node.args) - 1:
        return None
    return rest[0] if len(rest) == 1 else Node("add", rest)


def _equal_if_renamed(target: Node, given: Node, names: frozenset[str], replacements: frozenset[str]) -> bool:
    """Return whether some assignment of `names` to the `replacements` in `given` makes the formulas equal."""
    for order in permutations(sorted(names)):
        renaming = dict(zip(sorted(replacements), order, strict=True))
        if equal(target, _with_names(given, renaming)):
            return True
    return False


def _are_free(node: Node, constants: frozenset[str]) -> bool:
    """Return whether each constant is in one term only: as the term, or as a factor of one that varies."""
    inner = [arg for arg in node.args if constants <= names_in(arg)] if node.op == "mul" else []
    if len(inner) == 1 and inner[0].op == "add":
        return _are_free(inner[0], constants)  # e^{-x}(C_1 \cos x + C_2 \sin x)
    terms = node.args if node.op == "add" else (node,)
    if not any(_varies(term) for term in terms):
        return False
    for constant in constants:
        with_it = [term for term in terms if constant in names_in(term)]
        if len(with_it) != 1 or not _is_free(with_it[0], constant, in_sum=node.op == "add"):
            return False
    return True


def _is_free(term: Node, constant: str, *, in_sum: bool) -> bool:
    if term.op == "sym":
        return in_sum
    if term.op == "neg":
        return _is_free(term.args[0], constant, in_sum=in_sum)
    factors = [arg for arg in term.args if constant in names_in(arg)]
    if term.op != "mul" or len(factors) != 1 or factors[0].op != "sym":
        return False
    return any(_varies(arg) and (in_sum or arg.op in ("pow", "call")) for arg in term.args)


def _varies(node: Node) -> bool:
    return bool(names_in(node) & _VARIABLES)


def _has_pi(node: Node) -> bool:
    return node == ("const", (), "pi") or any(map(_has_pi, node.args))


def _with_names(node: Node, names: dict[str, str]) -> Node:
    if node.op == "sym":
        return Node("sym", value=names.get(node.value, node.value))
    return node._replace(args=tuple(_with_names(arg, names) for arg in node.args))


_RUN = re.compile(r"\\[A-Za-z]+|[A-Za-z]+")
_NAMES = frozenset([*FUNCTIONS, *CONSTANTS, *GREEK, "sqrt"]) - {"e", "i"}


def renamed(text: str, old: str, new: str) -> str | None:
    """Return a text with another letter for a variable; None if the text uses the new letter already.

    The variable may be part of a product, as c is in `cx`. Commands, functions and longer words stay.
    """
    if old == new:
        return text
    runs = [run.group() for run in _RUN.finditer(text) if _is_product(run.group())]
    if len(new) == 1 and any(new in run for run in runs):
        return None
    return _RUN.sub(lambda run: run[0].replace(old, new) if _is_product(run[0]) else run[0], text)


def _is_product(run: str) -> bool:
    return len(run) <= 3 and run[0] != "\\" and run not in _NAMES
