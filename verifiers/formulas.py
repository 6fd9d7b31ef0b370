r"""Tier 4, deciding: formulas by the policy. What is parsed is compared by `algebra.py`.

A decimal stands for an exact constant as `exact_number.py` says. A sum or product of plain numbers
that the reference has worked out is `unevaluated`. Constants of integration and running integers
may have other letters. Integrals, sums, limits and matrices in formulas are left to the last tier.
"""

import re
from itertools import permutations

from .algebra import equal, has_value, names_in, real_constant
from .exact_number import DivisionByZero, Number, read_number, same_number, stands_for
from .expression import Node, Unreadable, parse
from .shape import renamed
from .verdict import Judge, Reason, Verdict, said

_OPERATORS = re.compile(r"\\(?:i{0,3}nt|oint|sum|prod|lim)(?![A-Za-z])|\\frac ?\{ ?d[^{}]*\} ?\{ ?d ?[a-z]")
_FOREIGN = re.compile(r"\\(?:i{0,3}nt|oint|sum|prod|lim|begin|det)(?![A-Za-z])")


def compare(reference: str, answer: str, judge: Judge) -> Verdict | None:
    """Compare two formulas; None for what only the last tier may read."""
    if _OPERATORS.search(answer) and not _OPERATORS.search(reference):
        return Verdict(False, Reason.UNEVALUATED)
    target, given = read(reference), read(answer)
    if target is None or given is None:
        return _unread(reference, answer, target, given)
    try:
        same = equal(target, given) or _approximates(reference, answer, target, given) or _with_other_letters(reference, answer)
    except ArithmeticError:
        return said(False) if has_value(given) else Verdict(False, Reason.UNPARSABLE_ANSWER)
    if same and literal(target) and unevaluated(given):
        return Verdict(False, Reason.UNEVALUATED)
    return said(same)


def read(text: str) -> Node | None:
    """Parse a formula; None if it is none.

    Raises:
        TooLarge: it passes a cap.
    """
    try:
        return parse(text)
    except Unreadable:
        return None


def readable(text: str) -> bool:
    """Whether this tier, or a reader of words, can make something of a text."""
    return re.search(r"(?<![\\A-Za-z])[A-Za-z]{3}", text) is not None or read(text) is not None or _FOREIGN.search(text) is not None


def _unread(reference: str, answer: str, target: Node | None, given: Node | None) -> Verdict | None:
    """Judge where a side is no formula of ours: what is malformed is wrong, the rest goes on."""
    foreign = [_FOREIGN.search(text) is not None for text in (reference, answer)]
    if any(foreign) and (target is not None or foreign[0]) and (given is not None or foreign[1]):
        answer = _with_its_letter(reference, answer)
        if reference.replace(" ", "") == answer.replace(" ", ""):
            return said(True)
        bounds = [_bounds(text) for text in (reference, answer)]
        return said(False) if bounds[0] != bounds[1] and all(bounds) else None
    if target is not None:
        return Verdict(False, Reason.UNPARSABLE_ANSWER)
    return said(False) if readable(reference) else Verdict(None, Reason.UNPARSABLE_REFERENCE)


_BOUND = re.compile(r"\\(i{0,3}nt|oint|sum|prod|lim) ?((?:[_^] ?(?:\{(?:[^{}]|\{[^{}]*\})*\}|\\?[A-Za-z]+|.) ?)*)")


def _bounds(text: str) -> list[tuple[str, str]]:
    return sorted((name, re.sub(r"[ {}]", "", bounds)) for name, bounds in _BOUND.findall(text))


_RUNNING = re.compile(r"\\(?:sum|prod) ?_ ?\{? ?([a-z]) ?=|d ?([a-z])(?![A-Za-z])|\\lim ?_ ?\{? ?([a-z]) ?\\to")


def _with_its_letter(reference: str, answer: str) -> str:
    r"""Write `\sum_k` with the letter of the reference's `\sum_n`."""
    one, two = _RUNNING.search(reference), _RUNNING.search(answer)
    if one is None or two is None or one.lastindex != two.lastindex:
        return answer
    letter, other = one[one.lastindex or 1], two[two.lastindex or 1]
    return renamed(re.sub(rf"d ?{other}(?![A-Za-z])", f"d {other}", answer), other, letter).replace(f"d {letter}", f"d{letter}") if letter != other else answer


_CONSTANTS = frozenset(["C", "C_1", "C_2", "C_3", "c", "c_1", "c_2", "c_3", "K", "k", "A", "B", "D"])
_FIRST = frozenset(["C", "C_1", "C_2", "C_3", "c_1", "c_2", "c_3"])
_INTEGERS = frozenset(["k", "n", "m"])


def _with_other_letters(reference: str, answer: str) -> bool:
    """Whether formulas are equal but for the names of constants of integration or running integers."""
    target, given = parse(reference), parse(answer)
    own, others = names_in(target), names_in(given)
    mine, theirs = own & _FIRST, (others & _CONSTANTS) - (own - _FIRST)
    if mine and len(mine) == len(theirs) <= 3:
        pairs = [dict(zip(sorted(theirs), order, strict=True)) for order in permutations(sorted(mine))]
        return any(equal(target, _relabelled(given, pair)) for pair in pairs)
    mine, theirs = own & _INTEGERS, others & _INTEGERS
    periodic = r"\pi" in reference and r"\pi" in answer
    if periodic and len(mine) == len(theirs) == 1 and mine != theirs:
        return equal(target, _relabelled(given, {next(iter(theirs)): next(iter(mine))}))
    return False


def _relabelled(node: Node, names: dict[str, str]) -> Node:
    if node.op == "sym":
        return Node("sym", value=names.get(node.value, node.value))
    return node._replace(args=tuple(_relabelled(arg, names) for arg in node.args))


def _approximates(reference: str, answer: str, target: Node, given: Node) -> bool:
    """Judge a decimal against an exact constant: by the reference's form (`exact_number.py`)."""
    try:
        one, two = read_number(reference), read_number(answer)
    except DivisionByZero:
        return False
    if one is not None and one.decimals is not None and (value := real_constant(given)) is not None:
        return same_number(one, Number(value))
    if two is not None and two.decimals is not None and (exact := real_constant(target)) is not None:
        return exact.denominator != 1 and stands_for(two, two.value, exact)
    return False


def literal(node: Node) -> bool:
    """Whether a formula is a number as written: nothing in it is left to work out."""
    return node.op == "num" or (node.op in ("neg", "div") and all(arg.op in ("num", "neg") and literal(arg) for arg in node.args))


def unevaluated(node: Node) -> bool:
    """Whether a sum or product of plain numbers is left to work out anywhere; `2 + 1/3` is a mixed number."""
    if node.op in ("add", "mul") and len(plain := [arg for arg in node.args if literal(arg)]) > 1:
        return not (node.op == "add" and len(plain) == 2 and plain[0].op == "num" and plain[1].op == "div")
    return any(map(unevaluated, node.args))
