r"""Checking whether the text around an answer speaks against it.

`The answer is not \boxed{7}` denies the answer, `\boxed{7} ... that is wrong` retracts it, and
`\boxed{7} or 8` offers another one. All three are wrong, just as they are for the same words inside an answer
(`text/commitment.py`): a policy that could hedge would be paid for whichever value is right.
"""

import re
from collections.abc import Sequence

from ..completion import AnswerSpan
from ..prose.sentences import has_any
from ..prose.words_before import CHANGED_BEFORE, DOUBTED_BEFORE, is_denied, may_speak_against
from ..verdict import Reason
from .second_thoughts import LATER_CHARS

_DENIED_AFTER = re.compile(
    r"[\s$*)\]\\.,]{0,6}(?:which |that |but (?:that|this|it) )?(?:"
    r"(?:is|was|are|seems|looks|would be|must be|should be|can be)(?: [a-z]+ly)? "
    r"(?:wrong|incorrect|false|impossible|invalid|mistaken|right\b.{0,20}\bnot|rejected|excluded|discarded"
    r"|ruled out|extraneous"
    r"|(?:a |one |my )(?:[a-z]+ )?(?:mistake|error|trap|option|candidate|attempt|guess)"
    r"|(?:my|the) (?:earlier|previous|original|initial|first) (?:answer|result|value|choice))\b"
    r"|\(?(?:placeholder|random guess|just a guess)\b|\((?:wrong|incorrect|not sure|\?)\)|[✗✘✖❌]"
    r"|for (?:instance|example)\W*$"
    r"|(?:does not|doesn['’]t|do not|don['’]t|did not|didn['’]t) (?:work|satisfy|hold)\b|fails?\b"
    r"|(?:(?:is|was|are|seems|looks|would) not(?: be)?|(?:is|was|are|would)n['’]t(?: be)?"
    r"|can(?:not|['’]t) be)"
    r"(?: [a-z]+ly)?(?: (?:the |my |a )?(?:correct|right|true|valid|possible|answer|solution|final|it|so)\b"
    r"|[\s$]*(?:[.,;!?]|$))"
    r"|(?:是|为)?(?:错|不对|不正确|舍去|不合)|(?:では|じゃ)(?:な|あ)|[이가는은]? ?아[니닙])",
    re.IGNORECASE,
)
"""Matches denials of the answer itself; `9, which is not prime` and `2/3, which cannot be simplified` deny
nothing."""
_LAST = re.compile(
    r"[}$).*\s\\\]]{0,9}(?:(?:square |cubic )?(?:units|feet|inches|miles|meters|centimeters|cm|gallons"
    r"|liters|pounds"
    r"|seconds|minutes|hours|days|weeks|years|degrees|dollars|cents|ways|students|people)\.?\s{0,9})?"
)
"""Closing characters after an answer that ends the completion, and a usual noun, which changes nothing."""
_RETRACTED = re.compile(
    r"(?:(?:^|[.!?\n]|\b(?:wait|no|hm+|oops|actually|sorry),?)[\s$*)\]\\]*"
    r"(?:that|this|it)(?: answer| value| result)?"
    r"|\b(?:the above|my (?:answer|choice|result|value|box)|the answer above|the previous answer))"
    r"(?:'s|’s| is| was)(?: [a-z]+ly)?"
    r" (?:wrong|incorrect|not (?:correct|right|the answer)|a mistake|mistaken)\b|\bscratch that\b"
    r"|\b(?:that|this|it) (?:(?:does not|doesn['’]t) (?:look|seem)|(?:cannot|can['’]t) be) (?:right"
    r"|correct)\b"
    r"|\b(?:but|however,?) (?:that|this|it) (?:violates|contradicts|is impossible)\b"
    r"|\b(?:second thought|reflection),? (?:(?:this|that|it) is wrong|ignore (?:this|that|it))\b"
    r"|\b(?:this|that|it) (?:is|was) (?:only |just |merely )?a (?:placeholder|random)"
    r"|\bi (?:do not|don['’]t) (?:think|believe) (?:this|that|it)(?:['’]s| is) (?:right|correct|the answer)"
    r"|\bnot (?:my|the) final answer\b|\bi made (?:this|that|it) up\b|\bi['’]m (?:just |only )?guessing\b"
    r"|但(?:是)?(?:这|此)(?:与[^。\n]{0,12}矛盾|不符合|不满足)"
    r"|\bi (?:take (?:that|it|this) back|retract)\b"
    r"|\b(?:ignore|disregard) (?:the|that|this|my) (?:(?!negative|other|second|latter|extraneous)[a-z]+"
    r" )?(?:above|answer|value|box|result|previous)\b"
    r"(?!(?: [a-z]+)? [$-]?\d)",
    re.IGNORECASE,
)
_OFFERED_BEFORE = re.compile(
    r"[\d)}\w][\s$*.(]{0,4}(?:\\text ?\{ ?)?\bor(?: else| perhaps| maybe|"
    r" possibly)?[\s$*(\\\[]{0,6}$",
    re.IGNORECASE,
)
_SAME_BEFORE = re.compile(r"(\$[^$\n]{1,40}\$|-?\d[\d.,/]*%?),? or (?:\$|\\\(|\\\[)?(?:\\f?boxed ?\{)?$")
_MISTAKE = re.compile(
    r"\bi made (?:a|an) (?:\w+ )?(?:mistake|error)\b(?! earlier)|\bcorrection(?=:)|有误|算错"
    r"|不对，(?!因)",
    re.IGNORECASE,
)
_OPENING = re.compile(r"(?:<(?:final[_ ]?)?answer>|####+)\s*$", re.IGNORECASE)
"""Matches what opens an answer that is in no box."""
_BEFORE, _AFTER = 60, 60
"""How many characters are read for a denial or an alternative before an answer, and for one after it."""


def objection_before(text: str, start: int) -> Reason | None:
    """Return why the text before the answer at `start` makes it wrong; None if nothing speaks against it."""
    before = text[max(start - _BEFORE, 0) : start]
    if before[-1:] == "{":
        before = before[: max(before.rfind("\\"), 0)]  # the box's own command
    elif before.rstrip()[-1:] in (">", "#"):
        before = _OPENING.sub("", before)
    if "box" in before and _is_alternative(text, start):
        return Reason.AMBIGUOUS
    if not may_speak_against(before):
        return None
    if is_denied(before):
        return Reason.DENIED
    if CHANGED_BEFORE.search(before[-32:]) or DOUBTED_BEFORE.search(before[-32:]):
        return Reason.AMBIGUOUS
    offered = _OFFERED_BEFORE.search(before[-24:])
    return Reason.AMBIGUOUS if offered is not None and not values_offered_before(text, start) else None


def values_offered_before(text: str, start: int) -> tuple[str, ...]:
    r"""Return the other form that a text gives of its answer: `$\frac{10}{2}$` before `or $\boxed{5}$`."""
    offered = _SAME_BEFORE.search(text[max(start - _BEFORE, 0) : start])
    return (offered[1],) if offered is not None else ()


_EARLIER_BOX = re.compile(
    r"\\f?boxed\{([^{}]*)\}[^\\{}]*?"
    r"(?:\b(?:or|vs|versus|maybe|possibly|perhaps|alternatively)\b|\|)[^\\{}]*$"
    r"|\b(?:if|case|possibility)\b[^\\]{0,40}\\f?boxed\{([^{}]*)\}[^\\{}]*?\b(?:if|case|possibility)\b[^\\{}]*$",
    re.IGNORECASE,
)


def _is_alternative(text: str, start: int) -> bool:
    r"""Return whether a box is one of several: `\boxed{43}, but possibly \boxed{42}`."""
    earlier = _EARLIER_BOX.search(text, max(start - 2 * _BEFORE, 0), max(text.rfind("\\", 0, start), 0))
    return earlier is not None and not text.startswith(f"{earlier[earlier.lastindex or 0]}}}", start)


def nothing_follows(text: str, end: int) -> bool:
    """Return whether an answer that ends at `end` ends the text, but for closing characters or a noun."""
    return _LAST.fullmatch(text, end) is not None


_CONDITIONAL = re.compile(
    r"[ $*)}]{0,4}\(?(?:if|assuming|provided|unless)\b[^.\n]{1,80}\b(?:otherwise|but)\b", re.IGNORECASE
)
_BOUNDED_AFTER = re.compile(
    r"[\s$*)}]{0,4}(?:or (?:more|less|fewer|greater|higher|lower|above|below)|at (?:most|least)|to \$?\d+)\b",
    re.IGNORECASE,
)
_REJECTED_AFTER = re.compile(r"或[^。（(\n]{1,20}[（(][^）)]{0,10}舍")


def objection_after(text: str, end: int) -> Reason | None:
    """Return why the text right after an answer makes it wrong; None if it does not speak against it."""
    after = text[end : end + _AFTER].removeprefix("}")
    if after.startswith("</"):
        after = after[after.find(">") + 1 :]
    if _DENIED_AFTER.match(after):
        return Reason.DENIED
    if _CONDITIONAL.match(text, end) or _BOUNDED_AFTER.match(text, end):
        return Reason.AMBIGUOUS
    is_open = after.startswith(("?", "$?", "吗", "か", "或")) and not _REJECTED_AFTER.match(after)
    return Reason.AMBIGUOUS if is_open else None


_RETRACTION_CUES = (
    *"wrong correct mistak error n't n’t scratch gnore regard back retract violate contradict".split(),
    "impossible",
    *("not ", "placeholder", "made ", "guessing", "有误", "算错", "不对", "矛盾", "不符合", "不满足"),
)
"""Words of which every match of `_RETRACTED` and `_MISTAKE` contains one."""


def retraction(text: str, span: AnswerSpan, later: Sequence[str]) -> Reason | None:
    """Return `contradicts` if the text takes its answer back, or only admits a mistake; else None."""
    end = min(len(text), span.end + LATER_CHARS)
    if not has_any(text[span.end : end].lower(), _RETRACTION_CUES):
        return None
    value = text[span.start : span.end].strip("$ ")
    retracted = _RETRACTED.search(text, span.end, end)
    if retracted is not None and not _is_about_another(
        text[span.end : retracted.start()], retracted[0], value
    ):
        return Reason.CONTRADICTS
    if not later and _MISTAKE.search(text, span.end, end):
        return Reason.CONTRADICTS
    if len(value) > 40 or value not in text[span.end : end]:
        return None
    denied = re.compile(
        rf"(?<![\w.]){re.escape(value)}\$? (?:is|was) (?:not (?:correct|right)|wrong|incorrect)\b"
        rf"|(?:is not|isn['’]t|can['’]?(?:no)?t be) \$?{re.escape(value)}(?![\w/]|\.\d)"
    )
    return Reason.CONTRADICTS if denied.search(text, span.end, end) else None


def _is_about_another(between: str, retracted: str, value: str) -> bool:
    """Return whether `that is wrong` is said of another value: `Many say 12. That is wrong`."""
    if re.search(r"\b(?:answer|choice|result|box|take|ignore|disregard|scratch)", retracted, re.IGNORECASE):
        return False
    return re.search(r"\d|\b[A-J]\b", between.replace(value, "")) is not None
