r"""Reading the answer at a place where one is stated, such as `Josh's house is now worth $200,000`.

A place is the text after a lead-in (`lead_ins.py`), or the contents of a tag. It is read once:

1. Its first sentence counts.
2. Remarks behind the value are cut off: `, which is even`, `(since 6*7=42)`. A remark that offers another
   value (`, or maybe 43`) stays, so that the answer is rejected for it.
3. If exactly one value is emphasised, that is the answer. Otherwise, if the sentence starts with words, it is
   the value after its last verb; else the sentence is the value.
"""

import re
from collections import deque

from ..completion import AnswerSpan
from ..spelling.east_asian import CHARACTERS
from .last_number import last_number
from .sentences import (
    ADJUSTED,
    GIVES_UP,
    HAS_VALUE,
    NO_SOLUTION,
    SWAYING,
    sentence_end,
    without_remark,
)
from .words_before import (
    DOUBTED_BEFORE,
    MODIFIED_BEFORE,
    is_denied,
)

PLACE_CHARS = 400
"""How far, in characters, the answer at a place may reach."""
_EMPHASIS = re.compile(r"\*\*([^*\n]{1,200})\*\*")
_LETTER_AND_WORDS = re.compile(
    rf"(?:选项?|選項?)? ?(\(?[A-J]\)?|[①-⑩]) ?(?:选?项)?(?!或|和|、|与)(?:[{CHARACTERS}（]|है)"
)
"""Matches a choice letter with words of a language that does not separate them: `B是对的`."""
_CHANGES_BOLD = re.compile(r"\s*(?:million|billion|thousand|dozen|hundred|or|and|[-+*/^=<>,]|\\)")
_CJK_WORDS = re.compile(f"[{CHARACTERS}]{{3}}")
_SENTENCE = re.compile(rf"[A-Za-z]{{2,}} [a-z]{{3,}} |{_CJK_WORDS.pattern}")
"""Matches in a sentence of several words; `in 5 days` alone is a value."""
_VERB = re.compile(
    r"(?:\b(?:is|are|be|equals?|was|were|ist|sind|beträgt|lautet|es|son|est|sont|é|è)\b|равн[аоы]?\b|составляет"
    r"|(?<!\d)[:：]|[:：](?!\d)|为|是|等于|は|が"
    r"|\b(?:gives?|get|has|have|had|makes?|costs?|becomes?|remains?|needs?|reads|worth|namely|exactly|leaves?|chose|choose"
    r"|pick|select)\b|有|得)"
    r"[:：]?[ \t]*(?:(?:now|only|exactly|therefore|thus|then|simply|just|equal|to|about|approximately"
    r"|roughly|around"
    r"|letter|option|choice|also|donc|aproximadamente|environ|etwa|also|jetzt)\b ?){0,3}",
    re.IGNORECASE,
)
_VALUE_START = re.compile(
    r"[*_\"'“(\[{\s]*(?:[-+−±√π∞∅$€£¥\d\\{(|]|[A-J](?![A-Za-z])|[A-Za-z](?:_\w+)?\s?[=<>∈≤≥])"
)
_LEADING = re.compile(
    r"(?:therefore|thus|hence|so|then|for sure|definitely|certainly|clearly|simply|indeed|just|exactly"
    r"|option|choice"
    r"|letter|approximately|about|also|now|(?:a|la|die|der) (?=(?:letra|lettre|lettera|buchstabe)"
    r" [A-J]\b)|donc|daher|entonces|opción|opção|opzione|letra|lettre|lettera"
    r"|buchstabe|вариант),? (?=\S)",
    re.IGNORECASE,
)
_WORDS = re.compile(r"[^\W\d_]{2}|[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af]|[A-Za-z]\w* [a-z]")


def value_in(text: str, start: int, end: int) -> AnswerSpan:
    """Return the span of the value that a sentence states; that of the whole sentence if it has none."""
    therefore = deque(_THEREFORE.finditer(text, start, end), maxlen=1)
    adjusted = deque(ADJUSTED.finditer(text, start, end), maxlen=1)
    low, high = _trimmed(
        text, max([start, *(match[0].end() for match in (therefore, adjusted) if match)]), end
    )
    rejected = _NOT_BUT.match(text, low, high)
    low = rejected.end() if rejected else low
    while leading := _LEADING.match(text, low, high):
        low = leading.end()
    low, high = _trimmed(text, low, low + len(without_remark(text[low:high])))
    bold = [match for match in _EMPHASIS.finditer(text, low, high) if HAS_VALUE.search(match[1])]
    if len(bold) == 1 and not _CHANGES_BOLD.match(text, bold[0].end(), high):
        before = text[low : bold[0].start()].strip()
        if not before or _WORDS.match(before) or before.endswith((" is", " are", " equals", "=")):
            return AnswerSpan(*bold[0].span(1))
    chain = _CHAIN.match(text, low, high)
    if chain is not None and not re.search(r"\b(?:and|or|when|if|for)\b", chain[0]):
        return AnswerSpan(*_trimmed(text, chain.end(), high))
    letter = _LETTER_AND_WORDS.match(text, low, high)
    if letter is not None:
        return AnswerSpan(*letter.span(1))
    if not (_WORDS.match(text[low:high]) or _CJK_WORDS.search(text, low, high)):
        return AnswerSpan(low, high)
    return _stated_in_words(text, low, high)


def _stated_in_words(text: str, low: int, high: int) -> AnswerSpan:
    """Return the span of the value after the last verb of a sentence, its last name or its last number.

    That of the whole sentence if it has none of these, or if its words change the value.
    """
    verbs = [
        verb
        for verb in _VERB.finditer(text, low, high)
        if verb.end() < high
        and _VALUE_START.match(text, verb.end(), high)
        and not _in_math(text[low : verb.start()])
    ]
    if verbs:
        before = text[low : verbs[-1].end()]
        if is_denied(before) or DOUBTED_BEFORE.search(before) or MODIFIED_BEFORE.search(before):
            return AnswerSpan(low, high)
        return AnswerSpan(*_trimmed(text, verbs[-1].end(), high))
    name = _IS_NAME.match(text, low, high) or NO_SOLUTION.search(text, low, high)
    if name is not None:
        return AnswerSpan(*name.span(1))
    is_sentence = _SENTENCE.search(text, low, high) is not None and not DESCRIBES.match(text, low, high)
    number = last_number(text[low:high]) if is_sentence else None
    is_changed = number is not None and (
        MODIFIED_BEFORE.search(text[low : low + number.start]) or SWAYING.search(text, low + number.end, high)
    )
    if number is None or is_changed or GIVES_UP.search(text, low, high):
        return AnswerSpan(low, high)
    return AnswerSpan(low + number.start, low + number.end)


_NOT_BUT = re.compile(
    r"(?:not|nicht|no|pas|non|не|不是) ?[^.,\n]{1,40},? ?(?:but(?: rather)? |sondern |sino |mais |ma |а "
    r"|而是)(?=[-$\\\d(])"
)
"""Matches a value that is rejected before the right one: `nicht 12, sondern 14`."""
_THEREFORE = re.compile(r"[,，;；] ?(?:故|所以|因此|从而|即)(?=[^,，;；]*[\dA-Z$\\]|百分之)")
"""Matches up to the conclusion of a sentence: `两根之积为 $-3$，故 $m=-3$`."""
_IS_NAME = re.compile(
    r"[A-Z][^.\d$\\]{1,120}?(?: is| are| was| were| will be) (?:named |called "
    r"|an? )?([A-Z][a-z'’]+(?: [A-Z][a-z'’]+){0,2})$"
)
"""Matches a sentence that ends with a name: `The pianist is Carol`."""
_CHAIN = re.compile(r"[^$\\\n]*\d ?[A-Za-z]{3,}[^$\\\n]*= ?(?=[$€£\d.-])")
"""Matches a calculation with units in words, up to its result: `28 days / 7 days/week = 4 weeks`."""


def _in_math(before: str) -> bool:
    has_dollar = (before.count("$") - before.count(r"\$")) % 2 == 1
    return has_dollar or before.count(r"\(") > before.count(r"\)")


def _trimmed(text: str, low: int, high: int) -> tuple[int, int]:
    """Return a span without the space, the punctuation and the unmatched emphasis around it."""
    while low < high and (text[low] in ' \t\n_:：,，#"“' or text.startswith("> ", low)):
        low += 1
    while high > low and text[high - 1] in ' \t\n_:：,，;；。"”.':
        if text[high - 2 : high] == "..":
            break
        high -= 1
    while high > low and text[high - 1] in ")）}$" and _closes_too_much(text[low:high]):
        high -= 1
    if text.count('"', low, high) % 2:  # a value in JSON
        high = text.find('"', low, high)
    if text.count("**", low, high) % 2:  # emphasis that a lead-in opened, or that is never closed
        at = text.find("**", low, high)
        if at == low:
            low += 2
        elif _SAYS_NO_MORE.fullmatch(text, at + 2, high):
            high = at
    return low, high


def _closes_too_much(text: str) -> bool:
    if text[-1] == "$":
        return text.replace(r"\$", "").count("$") % 2 == 1
    return sum(map(text.count, ")）]}")) > sum(map(text.count, "(（[{"))


_SAYS_NO_MORE = re.compile(rf"\W*(?:\([a-z ]+\)|[\u3040-\u309f{CHARACTERS}]{{0,4}})\W*")
"""Matches after emphasis where nothing changes the value in it."""


def place_at(text: str, start: int) -> AnswerSpan | None:
    """Return the span of the answer stated at `start`; None if nothing is stated there."""
    stop = min(len(text), start + PLACE_CHARS)
    end = sentence_end(text, start, stop)
    unfinished = _UNFINISHED.search(text[start:end])
    if unfinished is not None:  # `the smaller one is`, with the value in the next paragraph
        start = len(text) - len(text[end:].lstrip())
        end = sentence_end(text, start, min(len(text), start + PLACE_CHARS))
    if not text[start:end].strip(" \t*_:：.#>"):
        return None
    bullets = _BULLETS.match(text, start, stop)
    if bullets is not None:
        return AnswerSpan(*bullets.span(1))
    bullet = _BULLET.match(text, start, end)
    start = bullet.end() if bullet else start
    parts = _NUMBERED_PARTS.match(text, start, stop)
    if parts is not None:
        return AnswerSpan(*parts.span())
    several = _SEMICOLONS.match(text, start, stop)
    if several is not None:
        return AnswerSpan(*several.span(1))
    corrected = _CORRECTED.match(text, start, stop)
    if corrected is not None:
        return value_in(text, corrected.end(), sentence_end(text, corrected.end(), stop))
    return value_in(text, start, end)


_VALUE = re.compile(
    r"[^\w\s]{0,6}(?:\d|\\|(?-i:[A-J])(?![A-Za-z])|[a-z](?=[\W_]*$|\s*[=<>+*/^-]))|[^\W\d_][^\w\s]{1,6}\d"
    r"|(?:yes|no|true|false|none)\b",
    re.IGNORECASE,
)
_SAYS_ABOUT = re.compile(r"\b(?:more|less|fewer|times|verified|correct|confirmed|sure|certain)\b|的")
"""Matches in a text that says something about an answer, and so is none: `7 more than 35`."""


def is_value(text: str, span: AnswerSpan) -> bool:
    """Return whether a span starts with a value and not with words about it: `a multiple of 7`."""
    is_about = _SAYS_ABOUT.search(text, span.start, span.end) is not None
    return not is_about and _VALUE.match(text, span.start, span.end) is not None


DESCRIBES = re.compile(
    r"(?:[a-z]+ly )?(?:the|an?) (?:number|product|sum|set|multiple|one|same|value|first|only|prime"
    r"|[a-z]+est) [^\d]*[a-z$]",
    re.IGNORECASE,
)
"""Matches at the start of a description without a verb: `the smallest prime p with ...`."""
_UNFINISHED = re.compile(r"(?:\b(?:is|are|equals?|be|to)|=|:|：|为|是)[ \t]*$")
_BULLETS = re.compile(r"\s*((?:[-•*] \$?[A-Za-z](?:_\w)?\s?=[^\n]{1,60}(?:\n|$) ?){2,9})")
"""Matches the values of several letters, each on a line: `- $x = 2$`."""
_BULLET = re.compile(r"\s*[-•*] (?=[A-Z][a-z])")
_NUMBERED_PARTS = re.compile(r"[（(][1a][)）][^\n]+(?:\n[ *]*[（(][2-9b-e][)）][^\n]+)+")
_SEMICOLONS = re.compile(
    r"\s*((?=[^；\n]*[\d$\\])[^\s；。，]{1,40}(?:； ?(?=[^；\n]*[\d$\\])[^\s；。，]{1,40})+)(?=[。.\s]|$)"
)
"""Matches the values of several blanks: `18；6`."""
_CORRECTED = re.compile(
    r"not\b[^.!?;\n]{1,60}[.!?;] *(?:(?:instead|rather),? )?(?:it|the (?:correct |right )?answer)(?:['’]s"
    r"| is) (?=\S)",
    re.IGNORECASE,
)
"""Matches a denial that is followed by the answer: `not 15. It's 17`."""
