r"""Tier 0 of an answer: what it commits to. Hedges, denials and alternatives are wrong, whatever the value.

A policy that could name several values, or take one back, would collect on each of them.
"""

import re

from .verdict import Reason
from .words import is_text, meaning

_HEDGE = re.compile(
    r"\b(?:either|maybe|perhaps|possibly|probably|might be|could be|not sure|i guess|i think|unsure|presumably)\b|\?$",
    re.IGNORECASE,
)
_DENIAL = re.compile(
    r"(?<![A-Za-z])(?:not|isn't|isnt|aren't|never|neither|nor|cannot|can't|wrong|incorrect|except|but|rather than|instead of)(?![A-Za-z])"
    r"|^no[, ]",
    re.IGNORECASE,
)
_UNEQUAL = re.compile(r"^(?:[A-Za-z]\w* ?)?\\n(?:e|eq|ot)(?![A-Za-z])")
_OR = re.compile(r",? (?<![A-Za-z])or(?![A-Za-z]) ", re.IGNORECASE)
_SEVERAL = re.compile(
    r"[,;<>]|\b(?:or|and|not|no)\b|\\(?:[pm]{2}|cup|\{|ne|le|ge|in|begin|emptyset|mathbb|langle)(?![a-z])|^[\[(].*[\])]$"
)


def offence(reference: str, answer: str) -> Reason | None:
    """Say how a normalised answer fails to commit itself, where the reference is one single value."""
    if not answer:
        return Reason.EMPTY
    if "\\" not in answer and not re.search(r"[A-Za-z?]", answer):
        return None
    if meaning(reference) is not None and meaning(answer) is not None:
        return None
    if _HEDGE.search(answer) and not _HEDGE.search(reference):
        return Reason.AMBIGUOUS
    if _UNEQUAL.search(answer) and not re.search(r"\\n(?:e|ot|eq)", reference):
        return Reason.DENIED if not _SEVERAL.search(reference) else None
    if _DENIAL.search(answer) and not _DENIAL.search(reference):
        return Reason.DENIED
    return None


def alternatives(reference: str, answer: str) -> list[str] | None:
    """Return what an answer offers with `or`, where the reference is one single value."""
    if " or " not in answer.lower() or _SEVERAL.search(reference):
        return None
    parts = [part.strip() for part in _OR.split(answer)]
    if len(parts) < 2 or (is_text(answer) and " or " in reference.lower()):
        return None
    return parts
