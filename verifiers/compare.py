r"""The tiers, cheapest first; the first one that can tell decides.

    0 claims      empty, hedged, denied, alternatives: wrong, whatever the value
    1 words       the same text after normalisation; words, number words, choice letters
    2 number      exact numbers
    3 notation    bases, times, ratios, remainders, congruences
      quantity    values with units
      structure   lists, sets, tuples, intervals, matrices, relations
    4 formula     in a finite field, then at points, then with many digits
    5 last        math-verify in a worker that can be killed (`last_tier.py`)

Each takes normalised texts and returns a Verdict, or None for "not mine". Parts of structures are
judged by all tiers but the last.
"""

import re
import threading

from . import claims, exact_number, formulas, notations, quantities, structure, words
from .algebra import names_in
from .exact_number import MAX_CHARS, DivisionByZero, read_number
from .expression import TooLarge
from .normal_form import normalise
from .notations import read_base
from .shape import levels, read_shape
from .units import split_unit
from .verdict import Reason, Verdict
from .words import read_choice

TIERS = (
    ("claims", claims.compare),
    ("words", words.compare),
    ("number", exact_number.compare),
    ("notation", notations.compare),
    ("quantity", quantities.compare),
    ("structure", structure.compare),
    ("formula", formulas.compare),
)

MAX_PARTS = 3000
"""Comparisons of parts for one answer; more is too large."""
_work = threading.local()


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
    for name, compare in TIERS:
        verdict = compare(reference, answer, judge)
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
    return None if readable(text) else "cannot be read as a value; mark such rows with another verifier, or leave them out"


def readable(text: str) -> bool:
    """Whether a normalised text can be read by any tier."""
    if split_unit(text) is not None or read_choice(text) is not None or read_base(text) is not None:
        return True
    shape = read_shape(text)
    if shape is not None:
        return all(item == r"\ldots" or len(item) < len(text) and readable(item) for item in shape.items)
    try:
        return formulas.readable(text)
    except TooLarge:
        return True


def restates(reference: str, answer: str, prompt: str) -> bool:
    """Whether an answer repeats a calculation of the prompt where the reference has its result."""
    target, text = normalise(reference), normalise(answer)
    if target == text or text.replace(" ", "") not in normalise(prompt).replace(" ", ""):
        return False
    if read_base(target) is not None:
        return read_base(target) != read_base(text)
    one, two = formulas.read(target), formulas.read(text)
    return one is not None and two is not None and formulas.literal(one) and not formulas.literal(two) and not names_in(two)
