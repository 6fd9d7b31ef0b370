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
from functools import lru_cache

from ..formulas import compare as formulas
from ..formulas.finite_field import names_in
from ..formulas.tokens import TooLarge
from ..structures import compare as structure
from ..structures.outline import levels, read_shape
from ..structures.real_sets import is_region
from ..text import commitment as claims
from ..text import exact_number, notations, words
from ..text.choice_letters import read_choice
from ..text.exact_number import ANSWER_CHARS, DivisionByZero, read_number
from ..text.latex_names import COMMANDS
from ..text.normalise import normalise
from ..text.notations import read_base, read_ratio, read_time
from ..units import compare as quantities
from ..units.quantity import split_unit
from ..verdict import Reason, Verdict

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
        verdict = _judge(reference, answer)
    except (TooLarge, RecursionError):
        if not outermost:
            raise
        verdict = Verdict(False, Reason.TOO_LARGE, tier="claims")
    finally:
        if outermost:
            _work.left = None
    if outermost and verdict.correct is not True and fault_of(reference) is not None:
        return Verdict(None, Reason.UNPARSABLE_REFERENCE, tier=verdict.tier)
    return verdict


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
    return fault_of(normalise(reference))


@lru_cache(maxsize=4096)
def fault_of(text: str) -> str | None:
    """Do what `reference_fault` does for a normalised text."""
    if not text:
        return "is empty"
    if len(text) > 10 * ANSWER_CHARS:
        return f"has {len(text)} characters (at most {10 * ANSWER_CHARS})"
    try:
        read_number(text)
        if re.search(r"[\\^_{}]", text) and levels(text) is None and read_shape(text) is None:
            return "has brackets that do not match"
        known = _can_be_read(text)
    except DivisionByZero:
        return "divides by zero"
    except (TooLarge, RecursionError):
        return "is too large to judge by"
    return (
        None
        if known
        else "cannot be read as a value; mark such rows with another verifier, or leave them out"
    )


def _can_be_read(text: str) -> bool:
    """Whether a tier can read a normalised text, or it is words or notation that a reader knows."""
    readers = (read_number, split_unit, read_choice, read_base, read_time, read_ratio)
    if (
        _WORD.search(text)
        or words.meaning(text) is not None
        or any(read(text) is not None for read in readers)
    ):
        return True
    shape = read_shape(text)
    if shape is not None and is_region(text):
        return True
    if shape is not None and all(
        item == r"\ldots" or (len(item) < len(text) and _can_be_read(item)) for item in shape.items
    ):
        return True
    return formulas.can_be_read(_ORDER.sub("", text)) or _is_notation(text)


_ORDER = re.compile(r"\^ ?\{ ?\([^{}]*\) ?\}")
"""Of a derivative: read as text only."""
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{3}")


def _is_notation(text: str) -> bool:
    r"""Whether LaTeX is made of known commands, as `A \cap B` is, with letters or digits between them."""
    found = re.findall(r"\\([A-Za-z]+)", text)
    return (
        bool(found)
        and set(found) <= COMMANDS
        and re.search(r"[A-Za-z0-9]", re.sub(r"\\[A-Za-z]+", "", text)) is not None
    )


def restates(reference: str, answer: str, prompt: str) -> bool:
    """Whether an answer repeats a calculation of the prompt where the reference has its result."""
    target, text = normalise(reference), normalise(answer)
    if target == text or text.replace(" ", "") not in normalise(prompt).replace(" ", ""):
        return False
    if read_base(target) is not None:
        return read_base(target) != read_base(text)
    one, two = formulas.read(target), formulas.read(text)
    return (
        one is not None
        and two is not None
        and formulas.literal(one)
        and not formulas.literal(two)
        and not names_in(two)
    )
