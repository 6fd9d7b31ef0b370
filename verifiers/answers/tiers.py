r"""Judging an answer against a reference by tiers, the cheapest first; the first that can tell decides.

| tier | what it compares |
|---|---|
| `claims` | answers that commit to no value (empty, hedged, denied, several): wrong, whatever they say |
| `words` | the same text after normalisation; words, number words, choice letters |
| `number` | exact numbers |
| `notation` | number bases, times, ratios, remainders, congruences |
| `quantity` | values with units |
| `structure` | lists, sets, tuples, intervals, matrices, relations |
| `formula` | formulas: in a finite field, else at points in floats, then with many digits |
| `last` | what is left, by math-verify in a worker process that can be killed (`math_verify.py`) |

A tier is a function of two normalised texts. It returns a Verdict, or None if it cannot compare them. The
parts of a structure are judged by all tiers but the last.
"""

import re
import threading
from functools import lru_cache

from ..formulas import compare as formulas
from ..formulas.finite_field import names_in
from ..formulas.tokens import TooLarge
from ..policy import Policy
from ..spelling.latex_names import COMMANDS
from ..spelling.normalise import normalise
from ..spelling.question import gives_as_task
from ..structures import compare as structures
from ..structures.outline import levels, read_shape
from ..structures.real_sets import is_region
from ..text import commitment, compare_numbers, notations, words
from ..text.chemistry import read_chemistry
from ..text.choice_letters import read_choice
from ..text.exact_number import ANSWER_CHARS, DivisionByZero, read_number
from ..text.notations import read_base, read_ratio, without_names
from ..text.times import read_time
from ..text.words import closed_up
from ..units import compare as quantities
from ..units.quantity import split_unit
from ..verdict import Reason, Verdict
from . import math_verify

TIERS = (
    ("claims", commitment.compare),
    ("words", words.compare),
    ("number", compare_numbers.compare),
    ("notation", notations.compare),
    ("quantity", quantities.compare),
    ("structure", structures.compare),
    ("formula", formulas.compare),
)
"""All tiers but the last, which `compare.py` asks if none of these can tell."""

MAX_PARTS = 3000
"""At most this many comparisons of parts are made for one answer; one that needs more is too large."""
MAX_REFERENCE = 10 * ANSWER_CHARS
"""Longest reference, in characters, that is judged by."""
_work = threading.local()
"""`left`: how many comparisons this thread may still make for the answer that it is judging, or None."""


class TierJudge:
    """Judges two normalised texts by all tiers but the last; `undecided` if none can tell.

    Tiers call it again for the parts of what they read.
    """

    def __init__(self, policy: Policy):
        self.policy = policy

    def without_question(self) -> "TierJudge":
        """Return a judge that does not know the question, for texts that were taken from it."""
        return TierJudge(self.policy._replace(question=""))

    def __call__(self, reference: str, answer: str) -> Verdict:
        """Return the verdict on an answer, or on a part of one."""
        outermost = getattr(_work, "left", None) is None
        _work.left = MAX_PARTS if outermost else _work.left - 1
        try:
            verdict = self._by_first_tier(reference, answer)
        except (TooLarge, RecursionError):
            if not outermost:
                raise
            verdict = Verdict(False, Reason.TOO_LARGE, tier="claims")
        finally:
            if outermost:
                _work.left = None
        if outermost and verdict.correct is not True:
            fault = fault_of(reference)
            if fault is not None:
                evidence = {"reference": fault}
                return Verdict(None, Reason.UNPARSABLE_REFERENCE, tier=verdict.tier, evidence=evidence)
        return verdict

    def _by_first_tier(self, reference: str, answer: str) -> Verdict:
        if _work.left < 0:
            raise TooLarge("too many comparisons of parts")
        for name, compare in TIERS:
            verdict = compare(reference, answer, self)
            if verdict is not None:
                # A tier that asks about parts may return the verdict of an inner tier, with its name.
                verdict.tier = verdict.tier or name
                return verdict
        return Verdict(None, Reason.UNDECIDED)


def reference_fault(reference: str) -> str | None:
    """Return why no answer can be judged by a reference; None if one can, or if only math-verify may know.

    A reference that only math-verify can read has its worker started, so that the first answer does not wait.
    """
    text = normalise(reference)
    if formulas.is_foreign(text):
        math_verify.warm_up()
    return fault_of(text)


_WORKED = re.compile(r"#### ?\S|<<[^<>]{1,80}=[^<>]{1,40}>>")
_BOX = re.compile(r"\\f?boxed ?\{")


def _solution_fault(text: str) -> str | None:
    """Return how to read the answer out of a reference that is a whole solution; None if it is not one.

    `COLUMN` is the column of the data that holds the solution.
    """
    if _WORKED.search(text):
        written = "{{ COLUMN.split('####')[-1] | trim }}"
    elif _BOX.search(text):
        written = "{{ COLUMN | boxed }}"
    else:
        return None
    return f'is a whole solution and not its answer; write `reference: "{written}"` in the task'


@lru_cache(maxsize=4096)
def fault_of(text: str) -> str | None:
    """Return the same as `reference_fault`, for a text that is already normalised."""
    if not text:
        return "is empty"
    if len(text) > MAX_REFERENCE:
        return f"has {len(text)} characters (at most {MAX_REFERENCE})"
    solution = _solution_fault(text)
    if solution is not None:
        return solution
    try:
        read_number(text)
        if re.search(r"[\\^_{}]", text) and levels(text) is None and read_shape(text) is None:
            return "has brackets that do not match"
        readable = _can_be_read(text)
    except DivisionByZero:
        return "divides by zero"
    except (TooLarge, RecursionError):
        return "is too large to judge by"
    if readable:
        return None
    return "cannot be read as a value; mark such rows with another verifier, or leave them out"


def _can_be_read(text: str) -> bool:
    """Return whether a tier can read a normalised text, or it is words or LaTeX that a person would know."""
    if _WORD.search(text) or words.meaning(text) is not None:
        return True
    readers = (read_number, split_unit, read_choice, read_base, read_time, read_ratio)
    if any(read(text) is not None for read in readers):
        return True
    if without_names(text)[0] or read_chemistry(text) is not None:
        return True
    shape = read_shape(text)
    if shape is not None and is_region(text):
        return True
    if shape is not None and all(_is_readable_part(item, text) for item in shape.items):
        return True
    return formulas.can_be_read(_DERIVATIVE_ORDER.sub("", text)) or _is_notation(text)


def _is_readable_part(part: str, whole: str) -> bool:
    return part == r"\ldots" or (len(part) < len(whole) and _can_be_read(part))


_DERIVATIVE_ORDER = re.compile(r"\^ ?\{ ?\([^{}]*\) ?\}")
"""Matches the order of a derivative, as in `f^{(4)}`; a reference with one can still be compared as text."""
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{3}|[^\W\d_a-zA-Z]{2}|[\u4e00-\u9fff]")


def _is_notation(text: str) -> bool:
    r"""Return whether LaTeX consists of known commands and letters or digits, as `A \cap B` does."""
    commands = re.findall(r"\\([A-Za-z]+)", text)
    if not commands or not set(commands) <= COMMANDS:
        return False
    without_commands = re.sub(r"\\[A-Za-z]+", "", text)
    return re.search(r"[A-Za-z0-9]", without_commands) is not None


def restates(target: str, given: str, question: str) -> bool:
    """Return whether an answer repeats a calculation from the question, whose result is the reference.

    All texts are normalised.
    """
    if closed_up(target) == closed_up(given):
        return False
    if gives_as_task(question, given) and not gives_as_task(question, target):
        return True
    if given.replace(" ", "") not in question.replace(" ", ""):
        return False
    base = read_base(target)
    if base is not None:
        return base != read_base(given)
    one, two = formulas.read(target), formulas.read(given)
    if one is None or two is None:
        return False
    return formulas.literal(one) and not formulas.literal(two) and not names_in(two)
