r"""Tier 4, deciding: formulas by the policy. What is parsed is compared by `algebra.py`.

A decimal stands for an exact constant as `exact_number.py` says. A sum or product of plain numbers
that the reference has worked out is `unevaluated`. Constants of integration and running integers
may have other letters. Integrals, sums, limits and matrices in formulas are left to the last tier.
"""

import re

from ..text.exact_number import Number, read_safely, same_number, stands_for
from ..verdict import Judge, Reason, Verdict, said
from .equality import equal, has_value, real_constant
from .finite_field import names_in
from .free_letters import equal_but_for_letters, renamed
from .parser import parse
from .tokens import Node, Unreadable

_OPERATORS = re.compile(
    r"\\(?:i{0,3}nt|oint|sum|prod|lim|det)(?![A-Za-z])|\\begin ?\{vmatrix\}"
    r"|\\frac ?\{ ?d[^{}]*\} ?\{ ?d ?[a-z]"
)
_FOREIGN = re.compile(r"\\(?:i{0,3}nt|oint|sum|prod|lim|begin|det)(?![A-Za-z])")


def compare(reference: str, answer: str, judge: Judge) -> Verdict | None:
    """Compare two formulas; None for what only the last tier may read."""
    if _OPERATORS.search(answer) and not _OPERATORS.search(reference):
        return Verdict(False, Reason.UNEVALUATED)
    target, given = read(reference), read(answer)
    if target is None or given is None:
        return _unread(reference, answer, target, given)
    try:
        same = (
            equal(target, given)
            or _approximates(reference, answer, target, given)
            or equal_but_for_letters(target, given)
            or _equal_as_meant(reference, answer)
        )
    except ArithmeticError:
        valued = has_value(target) and has_value(given)
        return said(False) if valued else Verdict(False, Reason.UNPARSABLE_ANSWER)
    if same and literal(target) and unevaluated(given):
        return Verdict(False, Reason.UNEVALUATED)
    return said(same)


_OVER_LETTERS = re.compile(r"/([A-Za-z]{2,3})(?![A-Za-z(])")


def _equal_as_meant(reference: str, answer: str) -> bool:
    """Whether formulas are equal where `t/RC` means t over RC, in either."""
    meant = [_OVER_LETTERS.sub(r"/(\1)", text) for text in (reference, answer)]
    readings = {(meant[0], answer), (reference, meant[1]), (meant[0], meant[1])} - {(reference, answer)}
    pairs = [(read(one), read(two)) for one, two in readings]
    return any(one is not None and two is not None and equal(one, two) for one, two in pairs)


def read(text: str) -> Node | None:
    """Parse a formula; None if it is none.

    Raises:
        TooLarge: it passes a cap.
    """
    try:
        return parse(text)
    except Unreadable:
        return None


def can_be_read(text: str) -> bool:
    """Whether this tier or the last one may read a text."""
    return read(text) is not None or _FOREIGN.search(text) is not None


def _unread(reference: str, answer: str, target: Node | None, given: Node | None) -> Verdict | None:
    """Judge where a side is no formula of ours: what is malformed is wrong, the rest goes on."""
    foreign = [_FOREIGN.search(text) is not None for text in (reference, answer)]
    if any(foreign) and (target is not None or foreign[0]) and (given is not None or foreign[1]):
        answer = _with_its_letter(reference, answer)
        if reference.replace(" ", "") == answer.replace(" ", ""):
            return said(True)
        bounds = [_bounds(text) for text in (reference, answer)]
        return said(False) if bounds[0] != bounds[1] and all(bounds) else None
    return Verdict(False, Reason.UNPARSABLE_ANSWER) if given is None else said(False)


_BOUND = re.compile(
    r"\\(i{0,3}nt|oint|sum|prod|lim) ?((?:[_^] ?(?:\{(?:[^{}]|\{[^{}]*\})*\}|\\?[A-Za-z]+|.) ?)*)"
)


def _bounds(text: str) -> list[tuple[str, str]]:
    return sorted((name, re.sub(r"[ {}]", "", bounds)) for name, bounds in _BOUND.findall(text))


_RUNNING = re.compile(
    r"\\(?:sum|prod) ?_ ?\{? ?([a-z]) ?=|d ?([a-z])(?![A-Za-z])|\\lim ?_ ?\{? ?([a-z]) ?\\to"
)


def _with_its_letter(reference: str, answer: str) -> str:
    r"""Write `\sum_k` with the letter of the reference's `\sum_n`."""
    one, two = _RUNNING.search(reference), _RUNNING.search(answer)
    if one is None or two is None or one.lastindex != two.lastindex:
        return answer
    letter, other = one[one.lastindex or 1], two[two.lastindex or 1]
    if letter == other:
        return answer
    spelt = re.sub(rf"d ?{other}(?![A-Za-z])", f"d {other}", answer)  # `dx` is one word
    return (renamed(spelt, other, letter) or answer).replace(f"d {letter}", f"d{letter}")


def _approximates(reference: str, answer: str, target: Node, given: Node) -> bool:
    """Judge a decimal against an exact constant: by the reference's form (`exact_number.py`)."""
    one, two = read_safely(reference), read_safely(answer)
    if one is not None and one.decimals is not None and (value := real_constant(given)) is not None:
        return same_number(one, Number(value))
    if two is not None and two.decimals is not None and (exact := real_constant(target)) is not None:
        return exact.denominator != 1 and stands_for(two, two.value, exact)
    return False


def literal(node: Node) -> bool:
    """Whether a formula is a number as written: nothing in it is left to work out."""
    return node.op == "num" or (
        node.op in ("neg", "div") and all(arg.op in ("num", "neg") and literal(arg) for arg in node.args)
    )


def unevaluated(node: Node) -> bool:
    r"""Whether work is left anywhere: a sum or product of plain numbers, a fraction of fractions.

    Powers, factorials and binomials are forms that an answer may have; `2 + 1/3` is a mixed number.
    """
    if node.op in ("add", "mul") and len(plain := [arg for arg in node.args if _is_plain_number(arg)]) > 1:
        mixed = (
            node.op == "add"
            and len(plain) == 2
            and plain[0].op == "num"
            and plain[1].op == "div"
            and literal(plain[1])
        )
        return not mixed
    if node.op == "div" and any(arg.op == "div" for arg in node.args):
        return True
    return any(map(unevaluated, node.args))


def _is_plain_number(node: Node) -> bool:
    r"""Whether a formula comes to a fraction without a form of its own: `17`, `17^1`, `\sqrt{289}`."""
    if literal(node):
        return True
    if names_in(node) or _has_a_form(node):
        return False
    value = real_constant(node)
    return value is not None and value.denominator < 10**12


def _has_a_form(node: Node) -> bool:
    """Whether a power, a factorial or a binomial in it is worth writing."""
    if node.op == "const":
        return True
    values = [real_constant(arg) for arg in node.args] if node.op in ("pow", "fact", "binom") else []
    if node.op == "pow" and values[0] not in (None, 0, 1, -1) and values[1] not in (None, 0, 1, -1):
        return True
    if node.op == "fact" and values[0] is not None and values[0] > 2:
        return True
    if (
        node.op == "binom"
        and values[0] is not None
        and values[1] is not None
        and 1 < values[1] < values[0] - 1
    ):
        return True
    return any(map(_has_a_form, node.args))
