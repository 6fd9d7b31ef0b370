r"""Checking whether the text around an answer speaks against it.

`The answer is not \boxed{7}` denies the answer, `\boxed{7} ... that is wrong` retracts it, and
`\boxed{7} or 8` offers another one. All three are wrong, just as they are for the same words inside an answer
(`text/commitment.py`): a policy that could hedge would be paid for whichever value is right.
"""

import re
from collections.abc import Sequence

from ..verdict import Reason
from .boxes import AnswerSpan
from .lead_ins import lead_ins
from .places import place_at
from .sentences import CHANGED_BEFORE, is_denied

_DENIED_AFTER = re.compile(
    r"[\s$*)\]\\.,]{0,6}(?:which |that |but (?:that|this|it) )?(?:"
    r"(?:is|was|are|seems|looks|would be|must be|should be|can be)(?: [a-z]+ly)? "
    r"(?:wrong|incorrect|false|impossible|invalid|mistaken|right\b.{0,20}\bnot|rejected|excluded|discarded"
    r"|ruled out|extraneous|(?:a |one |my )(?:[a-z]+ )?(?:mistake|error|trap|option|candidate|attempt|guess))\b"
    r"|(?:does not|doesn['’]t|do not|don['’]t|did not|didn['’]t) (?:work|satisfy|hold)\b|fails?\b"
    r"|(?:(?:is|was|are|seems|looks|would) not(?: be)?|(?:is|was|are|would)n['’]t(?: be)?"
    r"|can(?:not|['’]t) be)"
    r"(?: [a-z]+ly)?(?: (?:the |my |a )?(?:correct|right|true|valid|possible|answer|solution|final|it|so)\b"
    r"|[\s$]*(?:[.,;!?]|$))|(?:是|为)?(?:错|不对|不正确)|(?:では|じゃ)(?:な|あ)|[이가는은]? ?아[니닙])",
    re.IGNORECASE,
)
"""Matches denials of the answer itself; `9, which is not prime` and `2/3, which cannot be simplified` deny
nothing."""
_LAST = re.compile(r"[}$).*\s\\\]]{0,9}")
"""Closing characters after an answer that ends the completion."""
_RETRACTED = re.compile(
    r"\b(?:that|this|it|which|the above|my (?:answer|choice|result|value|box)|the answer above|the "
    r"previous answer)(?:'s|’s| is"
    r"| was)(?: [a-z]+ly)?"
    r" (?:wrong|incorrect|not (?:correct|right|the answer)|a mistake|mistaken)\b|\bscratch that\b"
    r"|\b(?:ignore|disregard) (?:the|that|this|my) (?:[a-z]+ )?(?:above|answer|value|box|result|previous)\b",
    re.IGNORECASE,
)
_OFFERED_BEFORE = re.compile(
    r"[\d)}\w][\s$*.]{0,4}\bor(?: else| perhaps| maybe| possibly)?[\s$*(\\\[]{0,6}$", re.IGNORECASE
)
_OFFERED_AFTER = re.compile(
    r"[\s$*)\]\\]{0,6},? ?\(?\bor\b(?! (?:equivalently|simply|about|approximately|roughly"
    r"|in other words|more precisely|if you|just|better|exactly))"
    r"[\s$*(\\\[]{0,6}(?:[-\d]|\\|(?:perhaps|maybe|possibly|else)\b)",
    re.IGNORECASE,
)
_RECONSIDERED = re.compile(
    r"\b(?:wait|hm+|actually|oops|correction|sorry|no,|edit|on second thought|scratch that|i made (?:a|an) "
    r"(?:\w+ )?(?:mistake|error)"
    r"|en fait|perdón|pardon|eigentlich|moment)\b|不对|等一下|等等|抱歉|更正|其实",
    re.IGNORECASE,
)
"""Matches words after which an answer may be taken back."""
_INSTEAD = re.compile(
    r"\b(?:it|that|this|(?:correct|right|actual|true|real|final) [a-z]+|answer|value|result|sum|total)"
    r"(?:['’]s| is| was| should be| must be| would be| has to be| equals)(?: (?:really|actually|in "
    r"fact))? (?=[\d$\\(-])"
    r"|\b[Nn]o, (?=[-$\\(]?\d)|(?:应为|应该是|应是|改为|而是)(?=[\s$\d-])",
    re.IGNORECASE,
)
"""Matches what leads to another value after such words."""
_MISTAKE = re.compile(
    r"\bi made (?:a|an) (?:\w+ )?(?:mistake|error)\b|\bthat(?:'s| is| was) (?:not right|wrong)\b"
    r"|\bcorrection\b|有误|算错|不对，(?!因)",
    re.IGNORECASE,
)
_BEFORE, _AFTER, _LATER = 60, 60, 1000
"""How many characters are read for a denial or an alternative before an answer, for the same after it, and for
a retraction."""
MAX_LATER = 4
"""At most this many later values are compared."""


def objection_before(text: str, start: int) -> Reason | None:
    """Return why the text before the answer at `start` makes it wrong; None if nothing speaks against it."""
    before = text[max(start - _BEFORE, 0) : start]
    if before[-1:] == "{":
        before = before[: max(before.rfind("\\"), 0)]  # the box's own command
    if is_denied(before) or (before.endswith("~~") and text.find("~~", start) > 0):
        return Reason.DENIED
    if CHANGED_BEFORE.search(before):
        return Reason.AMBIGUOUS
    if "or" in before[-24:] and _OFFERED_BEFORE.search(before[-24:]):
        return Reason.AMBIGUOUS
    return None


def nothing_follows(text: str, end: int) -> bool:
    """Return whether nothing but closing characters follows an answer that ends at `end`."""
    return _LAST.fullmatch(text, end) is not None


def objection_after(text: str, end: int) -> Reason | None:
    """Return why the text right after an answer makes it wrong; None if it does not speak against it."""
    after = text[end : end + _AFTER].removeprefix("}")
    if after.startswith("</"):
        after = after[after.find(">") + 1 :]
    if _DENIED_AFTER.match(after):
        return Reason.DENIED
    is_question = after.startswith(("?", "$?"))
    return Reason.AMBIGUOUS if is_question or _OFFERED_AFTER.match(after) else None


def retraction(text: str, span: AnswerSpan, later: Sequence[str]) -> Reason | None:
    """Return `contradicts` if the text takes its answer back, or only admits a mistake; else None."""
    end = min(len(text), span.end + _LATER)
    if _RETRACTED.search(text, span.end, end) or (not later and _MISTAKE.search(text, span.end, end)):
        return Reason.CONTRADICTS
    value = text[span.start : span.end].strip("$ ")
    if len(value) > 40 or value not in text[span.end : end]:
        return None
    denied = re.compile(
        rf"(?<![\w.]){re.escape(value)}\$? (?:is|was) (?:not (?:correct|right)|wrong|incorrect)\b"
    )
    return Reason.CONTRADICTS if denied.search(text, span.end, end) else None


_SAYS_IT_IS = re.compile(r"['’]s | is | be | was |[nN]o, |equals|应|改|而是")
"""Matches in every text in which `_INSTEAD` matches, and is quicker than what is searched for before that."""
_CONCLUDED = re.compile(r"[\s$*)\]\\]{0,6}, (?:so|thus|hence|therefore) (?=[$\\(\d-])")
"""Matches right after an answer that the same sentence gives in another form: `a = 2, b = 3, so (a, b) = (2, 3)`."""
_DIGITS_OR_LETTERS = re.compile(r"[\d$A-J]")
"""Matches in every text that states a value."""


def later_values(text: str, end: int) -> tuple[str, ...]:
    """Return the values that the text after the end of an answer states: they must be right too.

    These are values after a lead-in (`so the answer is 17`) and, once the text reconsiders (`Actually, it is
    17`), after `it is` and the like.
    """
    after = text[end : end + _LATER]
    if _DIGITS_OR_LETTERS.search(after) is None:
        return ()
    places = [end + lead_in.place for lead_in in lead_ins(after) if lead_in.chosen is None]
    reconsidered = _RECONSIDERED.search(text, end, end + _LATER) if _SAYS_IT_IS.search(after) else None
    if reconsidered:
        places += [match.end() for match in _INSTEAD.finditer(text, reconsidered.start(), end + _LATER)]
    concluded = _CONCLUDED.match(text, end)
    if concluded:
        places.append(concluded.end())
    values = []
    for place in sorted(set(places))[-MAX_LATER:]:
        stated = place_at(text, place)
        if stated is not None and _VALUE.match(text, stated.start, stated.end):
            values.append(text[stated.start : stated.end])
    return tuple(values)


_VALUE = re.compile(r"[^\w\s]{0,6}(?:\d|\\(?:frac|d?frac|sqrt|pi|boxed)|[A-J](?![A-Za-z]))")
