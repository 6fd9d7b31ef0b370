r"""Tier 0 of an answer: what it commits to. Hedges, denials and alternatives are wrong, whatever the value.

A policy that could name several values, or take one back, would collect on each of them.
"""

import re

from .verdict import Judge, Reason, Verdict, said
from .words import is_text, meaning

_HEDGE = re.compile(
    r"\b(?:either|maybe|perhaps|possibly|probably|might be|could be|not sure|i guess|i think|unsure|presumably|i believe|likely)\b|\?$",
    re.IGNORECASE,
)
_DENIAL = re.compile(
    r"(?<![A-Za-z])(?:not|isn't|isnt|aren't|never|neither|nor|cannot|can't|wrong|incorrect|but|rather than|instead of|no longer)(?![A-Za-z])"
    r"|^no[, ]|\\neg(?![a-z])",
    re.IGNORECASE,
)
_UNEQUAL = re.compile(r"^(?:[A-Za-z]\w* ?)?\\n(?:e|eq|ot)(?![A-Za-z])")
_OR = re.compile(r",? (?<![A-Za-z])or(?![A-Za-z]) ", re.IGNORECASE)
_SEVERAL = re.compile(
    r"[,;<>]|\b(?:or|and|not|no)\b|\\(?:[pm]{2}|cup|\{|ne|le|ge|in|begin|emptyset|mathbb|langle)(?![a-z])|^[\[(].*[\])]$"
)
_TRUTH = re.compile(r"yes|no|true|false", re.IGNORECASE)


def compare(reference: str, answer: str, judge: Judge) -> Verdict | None:
    """Refuse an answer that does not commit itself, where the reference does; else None."""
    reason = _offence(reference, answer)
    if reason is not None:
        return Verdict(False, reason)
    if " or " not in answer.lower() or _SEVERAL.search(reference) or (is_text(answer) and " or " in reference.lower()):
        return None
    offered = [judge(reference, part.strip()).correct is True for part in _OR.split(answer)]
    return said(True) if all(offered) else Verdict(False, Reason.AMBIGUOUS)


def _offence(reference: str, answer: str) -> Reason | None:
    if not answer:
        return Reason.EMPTY
    if not re.search(r"[A-Za-z?]", answer):
        return None
    if meaning(reference) is not None and (meaning(answer) is not None or _TRUTH.match(answer)):
        return None
    if _HEDGE.search(answer) and not _HEDGE.search(reference):
        return Reason.AMBIGUOUS
    if _UNEQUAL.search(answer) and not re.search(r"\\n(?:e|ot|eq)", reference):
        return Reason.DENIED if not _SEVERAL.search(reference) else None
    return Reason.DENIED if _DENIAL.search(answer) and not _DENIAL.search(reference) else None
