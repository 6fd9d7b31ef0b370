r"""Checking whether the text around an answer speaks against it.

`The answer is not \boxed{7}` denies the answer, `\boxed{7} ... that is wrong` retracts it, and
`\boxed{7} or 8` offers another one. All three are wrong, just as they are for the same words inside an answer
(`text/commitment.py`): a policy that could hedge would be paid for whichever value is right.
"""

import re

from ..verdict import Reason
from .boxes import AnswerSpan

_ADVERB = r"(?: be| equal(?: to)?| simply| just| exactly| necessarily| actually)?"
_DENIED_BEFORE = re.compile(
    r"(?:\b(?:not|never|neither|cannot|instead of|rather than|no longer)|n['’]t"
    r"|\b(?:wrong|incorrect|false|rejected|invalid)(?: [a-z]+){0,2}?(?: is| was| are)?:?"
    rf"|\\n(?:e|eq|ot ?=)(?![a-z])|[≠]|!=){_ADVERB}[\s$*(\\\[]{{0,6}}$",
    re.IGNORECASE,
)
_DENIED_AFTER = re.compile(
    r"[\s$*)\]\\.,]{0,6}(?:which |that |but (?:that|this|it) )?(?:"
    r"(?:is|was|are|seems|looks|would be)(?: [a-z]+ly)? "
    r"(?:wrong|incorrect|false|impossible|invalid|a mistake|mistaken|right\b.{0,20}\bnot)\b"
    r"|(?:(?:is|was|are|seems|looks|would) not(?: be)?|(?:is|was|are|would)n['’]t(?: be)?"
    r"|can(?:not|['’]t) be)"
    r"(?: [a-z]+ly)?(?: (?:the |my |a )?(?:correct|right|true|valid|possible|answer|solution|final|it|so)\b"
    r"|[\s$]*(?:[.,;!?]|$)))",
    re.IGNORECASE,
)
"""Matches denials of the answer itself; `9, which is not prime` and `2/3, which cannot be simplified` deny
nothing."""
_CUE = re.compile(
    r"not|n['’]t|never|neither|\\ne|≠|!=|wrong|ncorrect|false|nvalid|reject|instead|rather|longer"
)
"""`_DENIED_BEFORE`, which is slower, matches only texts that match this pattern too."""
_LAST = re.compile(r"[}$).*\s\\\]]{0,9}")
"""Closing characters after an answer that ends the completion."""
_RETRACTED = re.compile(
    r"\b(?:that|this|it|which|the above|my answer|the answer above|the previous answer)(?:'s|’s| is"
    r"| was)(?: [a-z]+ly)?"
    r" (?:wrong|incorrect|not (?:correct|right|the answer)|a mistake|mistaken)\b|\bscratch that\b",
    re.IGNORECASE,
)
_OFFERED_BEFORE = re.compile(
    r"[\d)}\w][\s$*.]{0,4}\bor(?: else| perhaps| maybe| possibly)?[\s$*(\\\[]{0,6}$", re.IGNORECASE
)
_OFFERED_AFTER = re.compile(
    r"[\s$*)\]\\]{0,6},? ?\bor\b(?! (?:equivalently|simply|about|approximately|roughly"
    r"|in other words|more precisely|if you|just|better|exactly))"
    r"[\s$*(\\\[]{0,6}(?:[-\d]|\\|(?:perhaps|maybe|possibly|else)\b)",
    re.IGNORECASE,
)
_BEFORE, _AFTER, _LATER = 60, 60, 2000
"""How many characters are read for a denial or an alternative before and after an answer, and for a
retraction after it."""


def objection(text: str, span: AnswerSpan) -> Reason | None:
    """Return why the text around the answer at `span` makes it wrong; None if nothing speaks against it."""
    before = text[max(span.start - _BEFORE, 0) : span.start]
    if before.endswith("{"):
        before = before[: max(before.rfind("\\"), 0)]  # the box's own command
    if _CUE.search(before.lower()) and _DENIED_BEFORE.search(before):
        return Reason.DENIED
    if "or" in before[-24:] and _OFFERED_BEFORE.search(before[-24:]):
        return Reason.AMBIGUOUS
    if _LAST.fullmatch(text, span.end):
        return None
    after = text[span.end : span.end + _AFTER].removeprefix("}")
    if after.startswith("</"):
        after = after[after.find(">") + 1 :]
    if _DENIED_AFTER.match(after):
        return Reason.DENIED
    if _OFFERED_AFTER.match(after):
        return Reason.AMBIGUOUS
    if _RETRACTED.search(text, span.end, span.end + _LATER):
        return Reason.CONTRADICTS
    return None
