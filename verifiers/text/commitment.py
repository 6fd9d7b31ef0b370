r"""Tier 0 of an answer: what it commits to. Hedges, denials and alternatives are wrong, whatever the value.

A policy that could name several values, or take one back, would collect on each of them.
"""

import re

from ..verdict import Judge, Reason, Verdict, said
from .choice_letters import read_choice
from .lexicon import ALTERNATIVES, DENIALS, HEDGES, RETRACTIONS, words_of
from .words import TRUTHS, is_text, meaning, truth_of

_UNEQUAL = re.compile(r"^(?:[A-Za-z]\w* ?)?\\n(?:e|eq|ot)(?![A-Za-z])")
_OR = re.compile(r",? (?<![A-Za-z])or(?![A-Za-z]) ", re.IGNORECASE)
_SEVERAL = re.compile(
    r"[,;<>]|\b(?:or|and|not|no|except|excluding|other|real|reals)\b"
    r"|\\(?:[pm]{2}|cup|\{|ne|le|ge|in|begin|emptyset|mathbb|langle|setminus)(?![a-z])|^[\[(].*[\])]$"
)
"""A reference that may stand for more than one value."""
MAX_OFFERS = 16


def compare(reference: str, answer: str, judge: Judge) -> Verdict | None:
    """Refuse an answer that does not commit itself, where the reference does; else None."""
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
    same = (
        all(judge(reference, part.strip()).correct is True for part in offers)
        and len(set(map(_head, offers))) == 1
    )
    return said(True) if same else Verdict(False, Reason.AMBIGUOUS)


def _head(text: str) -> str:
    """Return what a value is given to, if it is: `x = 5 or y = 5` says two things."""
    return text.rpartition("=")[0].strip()


def _offence(reference: str, answer: str) -> Reason | None:
    if not answer:
        return Reason.EMPTY
    if answer[-1] == "?" and not reference.endswith("?"):
        return Reason.AMBIGUOUS
    if not re.search(r"[A-Za-z]", answer):
        return None
    if meaning(reference) is not None and (
        meaning(answer) is not None or (meaning(reference) in TRUTHS and truth_of(answer))
    ):
        return None
    if (labelled := read_choice(answer)) is not None and labelled[1]:
        return None  # the text behind a letter is the option's, and may say anything
    if _UNEQUAL.search(answer) and not re.search(r"\\n(?:e|ot|eq)(?![a-z])", reference):
        return None if _SEVERAL.search(reference) else Reason.DENIED
    words = words_of(answer) - words_of(reference)
    if words & RETRACTIONS:
        return Reason.CONTRADICTS
    if words & DENIALS:
        return Reason.DENIED
    return Reason.AMBIGUOUS if words & (HEDGES | ALTERNATIVES - {"or"}) else None
