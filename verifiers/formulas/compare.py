r"""The `formula` tier: comparing formulas, that is, all answers with operators in them.

Formulas are equal if they are equal as functions (`equality.py`). Beyond that, a decimal is accepted for an
exact constant by the rules of `compare_numbers.py`, and constants of integration and running integers may
have other letters. A sum or product of plain numbers is `unevaluated` if the reference is a number or a
fraction. Integrals, sums, limits and matrices inside formulas are left to math-verify.
"""

import re
from fractions import Fraction

from ..policy import Decimals, Judge
from ..text.compare_numbers import same_number
from ..text.exact_number import Number, read_safely
from ..verdict import Reason, Verdict, equal_or_different
from .equality import equal, has_value, real_constant
from .finite_field import names_in
from .free_letters import equal_but_for_letters, renamed
from .parser import parse
from .tokens import Node, Unreadable

# Operators that are still to be evaluated: an answer with one is unfinished if the reference has none.
_OPERATORS = re.compile(
    r"\\(?:i{0,3}nt|oint|sum|prod|lim|det)(?![A-Za-z])|\\begin ?\{vmatrix\}"
    r"|\\frac ?\{ ?d[^{}]*\} ?\{ ?d ?[a-z]"
)
# Commands that our parser does not read, but math-verify may.
_FOREIGN = re.compile(r"\\(?:i{0,3}nt|oint|sum|prod|lim|begin|det)(?![A-Za-z])")


def compare(reference: str, answer: str, judge: Judge) -> Verdict | None:
    """Compare two formulas; None for those that only math-verify may be able to read."""
    if _OPERATORS.search(answer) and not _OPERATORS.search(reference):
        return Verdict(False, Reason.UNEVALUATED)
    target, given = read(reference), read(answer)
    if target is None or given is None:
        return _compare_unread(reference, answer, target, given)
    try:
        same = (
            equal(target, given)
            or _approximates(reference, answer, target, given, judge.policy.decimals)
            or equal_but_for_letters(target, given)
            or _equal_as_meant(reference, answer)
        )
    except ArithmeticError:
        if has_value(target) and has_value(given):
            return equal_or_different(False)
        return Verdict(False, Reason.UNPARSABLE_ANSWER)
    if same and literal(target) and unevaluated(given):
        return Verdict(False, Reason.UNEVALUATED)
    return equal_or_different(same)


_OVER_LETTERS = re.compile(r"/ ?([A-Za-z](?:(?: |_\w)?[A-Za-z]){1,2})(?![A-Za-z(_])")


def _equal_as_meant(reference: str, answer: str) -> bool:
    """Return whether formulas are equal if `t/RC` means `t/(RC)` in one of them or in both."""
    meant_reference = _OVER_LETTERS.sub(r"/(\1)", reference)
    meant_answer = _OVER_LETTERS.sub(r"/(\1)", answer)
    readings = {(meant_reference, answer), (reference, meant_answer), (meant_reference, meant_answer)}
    readings.discard((reference, answer))
    pairs = [(read(one), read(two)) for one, two in readings]
    return any(one is not None and two is not None and equal(one, two) for one, two in pairs)


def read(text: str) -> Node | None:
    """Return the tree of a formula; None if the text is not one.

    Raises:
        TooLarge: the formula exceeds a limit.
    """
    try:
        return parse(text)
    except Unreadable:
        return None


def can_be_read(text: str) -> bool:
    """Return whether this tier can read a text, or math-verify might."""
    return read(text) is not None or is_foreign(text)


def is_foreign(text: str) -> bool:
    """Return whether a text has an operator, such as an integral, that only math-verify may read."""
    return _FOREIGN.search(text) is not None


def _compare_unread(reference: str, answer: str, target: Node | None, given: Node | None) -> Verdict | None:
    """Compare two texts of which the parser could not read at least one.

    None if such a text has an integral, a sum or the like, so that math-verify may read it. Anything else
    that cannot be read is malformed, and wrong.
    """
    reference_is_foreign = _FOREIGN.search(reference) is not None
    answer_is_foreign = _FOREIGN.search(answer) is not None
    is_malformed = (target is None and not reference_is_foreign) or (given is None and not answer_is_foreign)
    if is_malformed or not (reference_is_foreign or answer_is_foreign):
        return Verdict(False, Reason.UNPARSABLE_ANSWER) if given is None else equal_or_different(False)
    answer = _with_letter_of(reference, answer)
    if reference.replace(" ", "") == answer.replace(" ", ""):
        return equal_or_different(True)
    own_bounds, other_bounds = _bounds(reference), _bounds(answer)
    if own_bounds and other_bounds and own_bounds != other_bounds:
        return equal_or_different(False)
    return None


_BOUND = re.compile(
    r"\\(i{0,3}nt|oint|sum|prod|lim) ?((?:[_^] ?(?:\{(?:[^{}]|\{[^{}]*\})*\}|\\?[A-Za-z]+|.) ?)*)"
)


def _bounds(text: str) -> list[tuple[str, str]]:
    r"""Return the bounds of all integrals, sums, products and limits: (`int`, `_0^1`), sorted."""
    return sorted((name, re.sub(r"[ {}]", "", bounds)) for name, bounds in _BOUND.findall(text))


# The running variable of a sum, product, integral or limit.
_RUNNING = re.compile(
    r"\\(?:sum|prod) ?_ ?\{? ?([a-z]) ?=|d ?([a-z])(?![A-Za-z])|\\lim ?_ ?\{? ?([a-z]) ?\\to"
)


def _with_letter_of(reference: str, answer: str) -> str:
    r"""Return the answer's `\sum_k` with the letter of the reference's `\sum_n`, if that is possible."""
    one, two = _RUNNING.search(reference), _RUNNING.search(answer)
    if one is None or two is None or one.lastindex != two.lastindex:
        return answer
    new, old = one[one.lastindex or 1], two[two.lastindex or 1]
    if new == old:
        return answer
    spaced = re.sub(rf"d ?{old}(?![A-Za-z])", f"d {old}", answer)  # `dx` would be one word
    return (renamed(spaced, old, new) or answer).replace(f"d {new}", f"d{new}")


def _approximates(reference: str, answer: str, target: Node, given: Node, decimals: Decimals) -> bool:
    """Return whether one side is a decimal that is close enough to the constant on the other side."""
    one, two = read_safely(reference), read_safely(answer)
    if one is not None and one.decimals is not None:
        value = real_constant(given)
        if value is not None:
            return same_number(one, Number(value), decimals)
    if two is not None and two.decimals is not None:
        exact = real_constant(target)
        if exact is not None:
            return same_number(Number(exact), two, decimals)
    return False


def literal(node: Node) -> bool:
    """Return whether a formula is a number as it is written, with nothing left to work out: `-3`, `1/2`."""
    if node.op == "num":
        return True
    if node.op not in ("neg", "div"):
        return False
    return all(arg.op in ("num", "neg") and literal(arg) for arg in node.args)


def unevaluated(node: Node) -> bool:
    r"""Return whether a calculation is left undone: a sum or product of numbers, or a fraction of fractions.

    Powers, factorials and binomials are forms that an answer may have; `2 + 1/3` is a mixed number.
    """
    if node.op in ("add", "mul"):
        plain = [arg for arg in node.args if _is_plain_number(arg)]
        if len(plain) > 1:
            return not (node.op == "add" and _is_mixed_number(plain))
    if node.op == "div" and any(arg.op == "div" for arg in node.args):
        return True
    return any(map(unevaluated, node.args))


def _is_mixed_number(terms: list[Node]) -> bool:
    return len(terms) == 2 and terms[0].op == "num" and terms[1].op == "div" and literal(terms[1])


def _is_plain_number(node: Node) -> bool:
    r"""Return whether a formula equals a fraction and should be written as such: `17^1`, `\sqrt{289}`."""
    if literal(node):
        return True
    if names_in(node) or _has_form_of_its_own(node):
        return False
    value = real_constant(node)
    # The 50 digits of an irrational number, as a fraction, have a larger denominator.
    return value is not None and value.denominator < 10**12


def _has_form_of_its_own(node: Node) -> bool:
    r"""Return whether a formula contains something that an answer may keep, such as `\pi`, `2^{10}` or `5!`.

    Trivial powers, factorials and binomials (`7^1`, `2!`, `\binom{9}{1}`) do not count.
    """
    if node.op == "const":
        return True
    if node.op in ("pow", "fact", "binom"):
        values = [real_constant(arg) for arg in node.args]
        if _is_worth_writing(node.op, values):
            return True
    return any(map(_has_form_of_its_own, node.args))


def _is_worth_writing(op: str, values: list[Fraction | None]) -> bool:
    if op == "pow":
        return all(value not in (None, 0, 1, -1) for value in values)
    top = values[0]
    if op == "fact":
        return top is not None and top > 2
    bottom = values[1]
    return top is not None and bottom is not None and 1 < bottom < top - 1
