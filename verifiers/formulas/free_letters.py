r"""Tier 4, letters that may be others: constants of integration, and integers that run.

`\frac{x^3}{3} + C` and `\frac{x^3}{3} + K` are one family, and so are `k\pi` and `n\pi`. Where a letter
does more than that (`\frac{1}{2}ab\sin C`), another one makes another formula.
"""

import re
from itertools import permutations

from .equality import equal
from .finite_field import names_in
from .tokens import Node

_OWN = frozenset(["C", "C_1", "C_2", "C_3", "c_1", "c_2", "c_3"])
_OTHER = _OWN | {"c", "K", "k", "A", "B", "D"}
_VARIABLES = frozenset("x y z t u v s theta phi".split())
_INTEGERS = frozenset(["k", "n"])
_MORE_INTEGERS = _INTEGERS | {"m"}


def equal_but_for_letters(target: Node, given: Node) -> bool:
    """Say whether formulas are equal with other letters for free constants or for one running integer.

    Raises:
        TooLarge: evaluating would pass a cap. ArithmeticError: neither has a value anywhere.
    """
    own, others = names_in(target), names_in(given)
    mine, theirs = own & _OWN, (others & _OTHER) - (own - _OWN)
    if mine and len(mine) == len(theirs) <= 3 and (len(mine) > 1 or mine != theirs):
        return _are_free(target, mine) and _equal_under(target, given, mine, theirs)
    if len(own) == len(others) == 1 and own != others and _has_pi(target) and _has_pi(given):
        allowed = _MORE_INTEGERS if target.op == given.op == "add" else _INTEGERS
        return own | others <= allowed and _equal_under(target, given, own, others)
    return False


def _equal_under(target: Node, given: Node, mine: frozenset[str], theirs: frozenset[str]) -> bool:
    pairs = (dict(zip(sorted(theirs), order, strict=True)) for order in permutations(sorted(mine)))
    return any(equal(target, _relabelled(given, pair)) for pair in pairs)


def _are_free(node: Node, constants: frozenset[str]) -> bool:
    """Whether each constant is a term, or the factor of a term that varies, and stands nowhere else."""
    terms = node.args if node.op == "add" else (node,)
    if not any(_varies(term) for term in terms):
        return False
    for constant in constants:
        with_it = [term for term in terms if constant in names_in(term)]
        if len(with_it) != 1 or not _is_free(with_it[0], constant, alone=node.op == "add"):
            return False
    return True


def _is_free(term: Node, constant: str, *, alone: bool) -> bool:
    if term.op == "sym":
        return alone
    if term.op == "neg":
        return _is_free(term.args[0], constant, alone=alone)
    factors = [arg for arg in term.args if constant in names_in(arg)]
    if term.op != "mul" or len(factors) != 1 or factors[0].op != "sym":
        return False
    return any(_varies(arg) and (alone or arg.op in ("pow", "call")) for arg in term.args)


def _varies(node: Node) -> bool:
    return bool(names_in(node) & _VARIABLES)


def _has_pi(node: Node) -> bool:
    return node == ("const", (), "pi") or any(map(_has_pi, node.args))


def _relabelled(node: Node, names: dict[str, str]) -> Node:
    if node.op == "sym":
        return Node("sym", value=names.get(node.value, node.value))
    return node._replace(args=tuple(_relabelled(arg, names) for arg in node.args))


def renamed(text: str, old: str, new: str) -> str | None:
    """Write another letter for a variable; None where the new one is in use already."""
    if old == new:
        return text
    if re.search(rf"(?<![A-Za-z\\]){re.escape(new)}(?![A-Za-z])", text):
        return None
    return re.sub(rf"(?<![A-Za-z\\]){re.escape(old)}(?![A-Za-z])", lambda _: new, text)
