r"""Finding the value with which a text ends that reconsiders its answer, as in `\boxed{42}. Wait, it is 17`.

A text that only checks its answer takes nothing back: `Let me verify: 2 * 5 + 3 = 13. Correct.`
"""

import re
from collections import deque

from .boxes import AnswerSpan
from .last_formula import last_formula
from .last_number import last_number
from .sentences import sentence_end, sentence_start

_TAKING_BACK = re.compile(
    r"\b(?:wait|oops|corrected|correction|sorry|apolog(?:ies|i[sz]e)|nope|no\b(?=[,:.])|edit|update(?=:)"
    r"|revised(?=:)|hold on|(?:scratch|strike) that|never ?mind|make that|or rather|my mistake|upon review"
    r"|(?:up)?on (?:second thought|(?:further )?re(?:flection|view|consideration))"
    r"|let me (?:correct|re-?(?:read|consider|think))|re-?reading|looking (?:at it )?again"
    r"|i (?:made (?:a|an) (?:\w+ )?(?:mistake|error)|mean|meant|forgot|missed|overlooked|double-?counted"
    r"|mis(?:read|counted|calculated))"
    r"|(?:the|this) (?:question|problem|task) (?:actually )?(?:asks?|wants?|says)|however,? we (?:need"
    r"|must|have)"
    r"|en fait|perdón|pardon|eigentlich|moment|espera|attendez|je me suis trompé|errei|me equivoqué"
    r"|нет|подождите)\b|不对|等一下|等等|抱歉|更正|哦不|但是?(?:题目|问题)|いや|間違え",
    re.IGNORECASE,
)
"""Matches words after which a text states another value than before, if it states any."""
_CHECKING = re.compile(
    r"\b(?:hm+|actually|in fact|let me (?:re-?check|check|double[- ]check|verify))\b|其实", re.IGNORECASE
)
"""Matches words with which a text checks its answer or corrects it."""
_CONCLUDES = re.compile(
    r"(?:\b(?:so|therefore|thus|hence|giving|(?:it|which) gives|it(?:['’]s| is)"
    r"|(?:it|this|that) (?:should|must|has to) be)\b|应为|应该是|应是|改为|而是|所以)[^.!?\n]*$",
    re.IGNORECASE,
)
"""Matches a sentence that concludes, up to its value."""
_CONFIRMS = re.compile(
    r"✓|✔|\b(?:correct(?! (?:answer|value|result|total|count|number|sum|one)\b)|right(?! (?:answer|value))"
    r"|verified|confirms?|confirmed|as (?:required|expected|needed|desired|given|claimed)|checks? out|works"
    r"|consistent|holds|satisf\w+|matches|yes|good|agrees|still)\b|正确(?!的|答案|结果|值)|成立|符合|无误",
    re.IGNORECASE,
)
"""Matches in a sentence that checks an answer and agrees with it."""
_REJECTED = re.compile(r",? (?:and )?(?:not|rather than|instead of) \S+")


def second_thought(text: str, start: int, stop: int, value: str) -> AnswerSpan | None:
    """Return the span of the other value with which text[start:stop], after the answer `value`, ends.

    None if it does not reconsider the answer, repeats it, or says that a check agrees with it.
    """
    taken_back, checking = (pattern.search(text, start, stop) for pattern in (_TAKING_BACK, _CHECKING))
    if taken_back is None and checking is None:
        return None
    first = min(cue.start() for cue in (taken_back, checking) if cue is not None)
    rest = text[first:stop]
    if _LETTERS.fullmatch(value):
        other = _last_of(_LETTER, rest)
    else:
        other = last_formula(rest) or last_number(rest) or _last_of(_WORD, rest)
    if other is None:
        return None
    low, high = sentence_start(rest, other.start), sentence_end(rest, other.end, len(rest))
    agrees = _CONFIRMS.search(rest, low) is not None and not _IS_RIGHT.match(rest, other.end)
    result = rest.rfind("=", low, other.start) if taken_back else -1  # `so 12 * 4 = 48` repeats no 12
    if agrees or has_value(_REJECTED.sub("", rest[max(low, result) : high]), value):
        return None
    if taken_back is None and other.start > 20 and not _CONCLUDES.search(rest[: other.start]):
        return None
    return AnswerSpan(first + other.start, first + other.end)


_IS_RIGHT = re.compile(r"[*$)]{0,3} is (?:right|correct)\b")
_LETTERS = re.compile(r"\W{0,4}[A-J](?:[^A-Za-z]+[A-J])*\W{0,4}")
_LETTER = re.compile(
    r"(?<![A-Za-z\d.'’])[*(]{0,3}([A-J])[*)]{0,3}"
    r"(?=[\s.,!。，]*$|,? (?:is|fits|would|seems|makes|works|must|since|because|as)\b)"
)
_WORD = re.compile(
    r"\b(?:it['’]s|it is|actually|meant|should be|no,|sorry,) "
    r"\*{0,2}(yes|no|true|false|(?-i:[A-Z])[a-zà-ÿ]+)\*{0,2}[.!]?\s*$",
    re.IGNORECASE,
)


def _last_of(pattern: re.Pattern[str], text: str) -> AnswerSpan | None:
    found = deque(pattern.finditer(text), maxlen=1)
    return AnswerSpan(*found[0].span(1)) if found else None


def has_value(text: str, value: str) -> bool:
    """Return whether a value stands in a text, and not as a piece of another one."""
    return value != "" and re.search(rf"(?<![\w.−-]){re.escape(value)}(?![\w/]|\.\d)", text) is not None
