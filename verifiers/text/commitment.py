"""The `claims` tier: an answer that does not commit itself to one value is wrong, whatever the values are.

Hedges (`maybe 5`), denials (`not 5`), retractions (`5, wait, 6`) and alternatives (`5 or 6`) would let a
policy collect the reward of several guesses with one answer. Words that the reference uses too are allowed,
and so are alternatives if the reference itself may have several values.
"""

import re

from ..policy import Judge
from ..spelling.lexicon import ALTERNATIVES, DENIALS, HEDGES, RETRACTIONS, words_of
from ..verdict import Reason, Verdict, equal_or_different
from .choice_letters import read_choice
from .words import TRUTHS, is_text, meaning, truth_of

_LETTER = re.compile(r"[^\W\d_]")
_UNEQUAL = re.compile(r"^(?:[A-Za-z]\w* ?)?\\n(?:e|eq|ot)(?![A-Za-z])")
_OR = re.compile(r",? (?<![A-Za-z])or(?![A-Za-z]) ", re.IGNORECASE)
_SEVERAL = re.compile(
    r"[,;<>]|\b(?:or|and|not|no|except|excluding|other|real|reals)\b"
    r"|\\(?:[pm]{2}|cup|\{|ne|le|ge|in|begin|emptyset|mathbb|langle|setminus)(?![a-z])|^[\[(].*[\])]$"
)
"""Matches in a reference that may have more than one value."""
_UNSURE = re.compile("可能|也许|大概|或许|かもしれ|아마")
"""Matches words of doubt in languages that do not separate words."""
MAX_OFFERS = 16
"""An answer is split at this many `or`s at most."""


def compare(reference: str, answer: str, judge: Judge) -> Verdict | None:
    """Return the verdict on an answer that does not commit itself although the reference does, else None.

    It is wrong, unless it offers one value several times (`1/2 or 0.5`) and each of its parts is right.
    """
    reason = _offence(reference, answer)
    if reason is not None:
        return Verdict(False, reason)
    if (
        " or " not in answer.lower()
        or _SEVERAL.search(reference)
        or (is_text(answer) and " or " in reference.lower())
    ):
        return None
    offers = _OR.split(answer, MAX_OFFERS)
    all_right = all(judge(reference, offer.strip()).correct is True for offer in offers)
    all_right = all_right and all(judge(offers[0].strip(), offer.strip()).correct for offer in offers[1:])
    if all_right and len(set(map(_left_side, offers))) == 1:
        return equal_or_different(True)
    return Verdict(False, Reason.AMBIGUOUS)


def _left_side(text: str) -> str:
    """Return the text before the last `=`, because `x = 5 or y = 5` offers two different statements."""
    return text.rpartition("=")[0].strip()


def _offence(reference: str, answer: str) -> Reason | None:
    """Return why an answer does not commit itself; None if it does, or only `or` joins several values."""
    if not answer:
        return Reason.EMPTY
    if answer[-1] == "?" and not reference.endswith("?"):
        return Reason.AMBIGUOUS
    if _LETTER.search(answer) is None:
        return None
    if meaning(reference) is not None and (
        meaning(answer) is not None or (meaning(reference) in TRUTHS and truth_of(answer))
    ):
        return None  # `no` and `no solution` deny nothing here: the `words` tier compares them
    if not answer.isascii() and _UNSURE.search(answer) and not _UNSURE.search(reference):
        return Reason.AMBIGUOUS
    choice = read_choice(answer)
    if choice is not None and choice[1]:
        return None  # the text after a letter belongs to the option and may say anything
    if _UNEQUAL.search(answer) and not re.search(r"\\n(?:e|ot|eq)(?![a-z])", reference):
        return None if _SEVERAL.search(reference) else Reason.DENIED
    words = words_of(answer) - words_of(reference)
    if words & RETRACTIONS:
        return Reason.CONTRADICTS
    if words & DENIALS:
        return Reason.DENIED
    if words & (HEDGES | ALTERNATIVES - {"or"}):
        return Reason.AMBIGUOUS
    return None
