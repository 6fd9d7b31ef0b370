r"""The tiers, cheapest first; the first one that can tell decides.

    0 claims     empty, hedged, denied, alternatives: wrong, whatever the value
    1 text       the same text after normalisation; words, number words, choice letters
    2 number     exact numbers; quantities with units
    3 structure  bases, times, ratios; lists, sets, tuples, intervals, matrices, relations
    4 algebra    formulas: in a finite field, then at points, then with 50 digits
    5 last       math-verify in a worker that can be killed

Each tier takes normalised texts and returns a Verdict, or None for "not mine". Parts of structures
are judged by all tiers but the last. Results are kept per (reference, answer).
"""

import re
import threading
from collections.abc import Callable, Sequence

from . import structure
from .algebra import equal, has_value, names_in, real_constant
from .claims import alternatives, offence
from .exact_number import MAX_CHARS, DivisionByZero, Number, read_number, same_number, stands_for
from .expression import Node, TooLarge, Unreadable, parse
from .normal_form import normalise
from .notations import read_base, read_ratio, read_time, same_time
from .shape import levels, read_shape
from .units import Quantity, converted, split_unit
from .verdict import Reason, Verdict
from .words import other_letters, read_choice, same_text, spelt_number

Tier = Callable[[str, str], Verdict | None]

MAX_PARTS = 3000
"""Comparisons of parts for one answer; more is too large."""
_work = threading.local()


def _said(same: bool, reason: Reason | None = None, **evidence: str) -> Verdict:
    return Verdict(same, reason or (Reason.EQUAL if same else Reason.DIFFERENT), evidence=evidence)


def _claims(reference: str, answer: str) -> Verdict | None:
    reason = offence(reference, answer)
    if reason is not None:
        return Verdict(False, reason)
    offered = alternatives(reference, answer)
    if offered is None:
        return None
    verdicts = [judge(reference, part) for part in offered]
    return _said(True) if all(v.correct is True for v in verdicts) else Verdict(False, Reason.AMBIGUOUS)


def _text(reference: str, answer: str) -> Verdict | None:
    if reference == answer or reference.replace(" ", "") == answer.replace(" ", "") != "" and not _digits_meet(reference, answer):
        return _said(True)
    if (choice := _choice(reference, answer)) is not None:
        return choice
    spelt, given = spelt_number(reference), spelt_number(answer)
    if (spelt is None) != (given is None):
        one = " ".join(filter(None, spelt)) if spelt else reference
        two = " ".join(filter(None, given)) if given else answer
        if re.match(r"[-\d\\$]", one) and re.match(r"[-\d\\$]", two):
            return judge(one, two)
    alike = same_text(reference, answer)
    return None if alike is None else _said(alike)


def _digits_meet(reference: str, answer: str) -> bool:
    """Whether taking the spaces out would join numbers: `1 2` is not `12`."""
    return re.search(r"\d +\d", reference) is not None or re.search(r"\d +\d", answer) is not None


def _choice(reference: str, answer: str) -> Verdict | None:
    target, given = read_choice(reference), read_choice(answer)
    if target is None or given is None:
        labelled, other = (target, answer) if given is None else (given, reference)
        if labelled is None or not labelled[1]:
            return None
        return judge(labelled[1], other) if given is None else judge(other, labelled[1])
    if not target[1] and other_letters(given[1], given[0]):
        return Verdict(False, Reason.AMBIGUOUS)
    if target[0] != given[0]:
        return _said(False)
    try:
        one, two = read_number(target[1]), read_number(given[1])
    except DivisionByZero:
        one = two = None
    if one is not None and two is not None and not same_number(one, two):
        return Verdict(False, Reason.CONTRADICTS)
    return _said(True)


_COMMA_LIST = re.compile(r"[-+]?\d*[1-9]\d*,\d")


def _number(reference: str, answer: str) -> Verdict | None:
    try:
        target = None if _COMMA_LIST.fullmatch(reference) else read_number(reference)
    except DivisionByZero:
        return Verdict(None, Reason.UNPARSABLE_REFERENCE)
    if target is None:
        return None
    if len(answer) > MAX_CHARS:
        return Verdict(False, Reason.TOO_LARGE)
    try:
        given = read_number(answer)
    except DivisionByZero:
        return Verdict(False, Reason.UNPARSABLE_ANSWER)
    if given is None:
        return None
    if target.currency and given.currency and target.currency != given.currency:
        return Verdict(False, Reason.UNITS_DIFFER)
    return _said(same_number(target, given), reference=str(target.value), answer=str(given.value))


def _quantity(reference: str, answer: str) -> Verdict | None:
    target, given = split_unit(reference), split_unit(answer)
    if target is None and given is None:
        return None
    if target is None:
        assert given is not None
        return _one_sided(given, reference, answer, flipped=True)
    if given is None:
        return _one_sided(target, answer, reference, flipped=False)
    if not target.unit.agrees_with(given.unit):
        return Verdict(False, Reason.UNITS_DIFFER)
    same_scale = target.unit.factor == given.unit.factor and target.unit.name == given.unit.name
    if same_scale or target.unit.dimensions != given.unit.dimensions or target.unit.generic or given.unit.generic or not target.unit.dimensions:
        return judge(target.value, given.value)
    one, two = read_number(target.value), read_number(given.value)
    if one is None or two is None:
        scale = given.unit.factor / target.unit.factor
        return judge(target.value, f"({given.value})*({scale})")
    value = converted(two.value, given.unit, target.unit)
    return _said(same_number(one, Number(value, two.decimals, digits=two.digits)))


def _one_sided(quantity: Quantity, other: str, whole: str, *, flipped: bool) -> Verdict | None:
    """Ignore a unit that only one side shows; degrees against no plain number are an angle."""
    value = quantity.value
    if quantity.unit.dimensions == (("angle", 1),) and "pi" in other:
        value = rf"({value})\pi/180*{quantity.unit.factor}"
    elif quantity.unit.nouns and re.search(r"[A-Za-z]", other) and not re.search(r"\d", other):
        return None  # words against words: `5 apples` and `none`
    return judge(other, value) if flipped else judge(value, other)


def _notation(reference: str, answer: str) -> Verdict | None:
    base, other = read_base(reference), read_base(answer)
    if base is not None or other is not None:
        plain = {reference, answer} - {r for r in (reference, answer) if read_base(r)}
        if base is not None and other is not None:
            return _said(base == other)
        if base is not None and base[0] == 10 or other is not None and other[0] == 10:
            return judge((base or other)[1], plain.pop())  # pyright: ignore[reportOptionalSubscript]
        return _said(False)
    time, said = read_time(reference), read_time(answer)
    if time is not None and said is not None:
        return _said(same_time(time, said))
    ratio, given = read_ratio(reference), read_ratio(answer)
    if ratio is None and given is None:
        return None
    if ratio is not None and given is not None:
        return _said(_same_ratio(ratio, given))
    terms, plain = (ratio, answer) if ratio is not None else (given, reference)
    if terms is None or len(terms) != 2:
        return _said(False)
    return judge(plain, f"({terms[0]})/({terms[1]})")


def _same_ratio(one: Sequence[str], two: Sequence[str]) -> bool:
    """Compare two ratios term by term, across: a : b = c : d where ad = bc."""
    if len(one) != len(two):
        return False
    if any("ldots" in term for term in (*one, *two)):
        return all(judge(a, b).correct is True for a, b in zip(one, two, strict=True))
    pairs = zip(one[1:], two[1:], strict=True)
    return all(judge(f"({a})*({two[0]})", f"({b})*({one[0]})").correct is True for a, b in pairs)


def _structure(reference: str, answer: str) -> Verdict | None:
    outcome = structure.compare(reference, answer, lambda one, two: judge(one, two).correct)
    if outcome is None or isinstance(outcome, bool):
        return None if outcome is None else _said(outcome)
    return Verdict(False, outcome)


_OPERATORS = re.compile(r"\\(?:int|iint|oint|sum|prod|lim|frac ?\{ ?d ?\} ?\{ ?d)(?![A-Za-z])")


def _algebra(reference: str, answer: str) -> Verdict | None:
    if _OPERATORS.search(answer) and not _OPERATORS.search(reference):
        return Verdict(False, Reason.UNEVALUATED)
    target = _parsed(reference)
    if target is None:
        return None
    given = _parsed(answer)
    if given is None:
        return None
    try:
        same = equal(target, given) or _approximates(reference, answer, target, given)
    except ArithmeticError:
        return None if has_value(given) else Verdict(False, Reason.UNPARSABLE_ANSWER)
    if same and literal(target) and unevaluated(given):
        return Verdict(False, Reason.UNEVALUATED)
    return _said(same)


def _parsed(text: str) -> Node | None:
    try:
        return parse(text)
    except Unreadable:
        return None


def _approximates(reference: str, answer: str, target: Node, given: Node) -> bool:
    """Judge a decimal against an exact constant: by the reference's form (`exact_number.py`)."""
    try:
        one, two = read_number(reference), read_number(answer)
    except DivisionByZero:
        return False
    if one is None and two is None:
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
    """Whether a sum or product of plain numbers is left to work out anywhere in a formula."""
    if node.op in ("add", "mul"):
        plain = [arg for arg in node.args if literal(arg)]
        if len(plain) > 1:
            return True
    return any(unevaluated(arg) for arg in node.args)


TIERS: tuple[tuple[str, Tier], ...] = (
    ("claims", _claims),
    ("text", _text),
    ("number", _number),
    ("notation", _notation),
    ("quantity", _quantity),
    ("structure", _structure),
    ("algebra", _algebra),
)


def judge(reference: str, answer: str) -> Verdict:
    """Judge two normalised texts by all tiers but the last; undecided if none can tell."""
    outermost = getattr(_work, "left", None) is None
    _work.left = MAX_PARTS if outermost else _work.left - 1
    try:
        return _judge(reference, answer)
    except (TooLarge, RecursionError):
        if not outermost:
            raise
        return Verdict(False, Reason.TOO_LARGE, tier="claims")
    finally:
        if outermost:
            _work.left = None


def _judge(reference: str, answer: str) -> Verdict:
    if _work.left < 0:
        raise TooLarge("comparisons")
    for name, tier in TIERS:
        verdict = tier(reference, answer)
        if verdict is not None:
            verdict.tier = verdict.tier or name
            return verdict
    return Verdict(None, Reason.UNDECIDED)


def reference_fault(reference: str) -> str | None:
    """Say why a reference cannot be judged by, or None if it can (or only the last tier may know)."""
    text = normalise(reference)
    if not text:
        return "is empty"
    if len(text) > 10 * MAX_CHARS:
        return f"has {len(text)} characters (at most {10 * MAX_CHARS})"
    try:
        read_number(text)
    except DivisionByZero:
        return "divides by zero"
    if re.search(r"[\\^_{}]", text) and levels(text) is None and read_shape(text) is None:
        return "has brackets that do not match"
    return None


def readable(text: str) -> bool:
    """Whether the tiers can read a normalised text, so that they need not leave it to the last one."""
    if split_unit(text) is not None or read_choice(text) is not None or read_base(text) is not None:
        return True
    if re.search(r"(?<![\\A-Za-z])[A-Za-z]{3}", text):  # words
        return True
    shape = read_shape(text)
    if shape is not None:
        return all(item == r"\ldots" or len(item) < len(text) and readable(item) for item in shape.items)
    try:
        return _parsed(text) is not None
    except TooLarge:
        return True


def restates(reference: str, answer: str, prompt: str) -> bool:
    """Whether an answer repeats a calculation of the prompt where the reference has its result."""
    target, text = normalise(reference), normalise(answer)
    if target == text or text.replace(" ", "") not in normalise(prompt).replace(" ", ""):
        return False
    one, two = _parsed(target), _parsed(text)
    return one is not None and two is not None and literal(one) and not literal(two) and not names_in(two)
