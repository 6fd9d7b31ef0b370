r"""The extraction rules: one function per form in which a final answer is given.

A rule takes the text after the thinking part and returns the span of an answer, or None. All rules prefer
the last candidate. Each takes linear time, whatever a model writes; the exception is a `{regex: R}` of the
task's author.
"""

import re
from collections import deque
from collections.abc import Callable

from ..text.lexicon import DENIALS, HEDGES, LARGE, RETRACTIONS, words_of
from ..units.reader import read_unit
from .boxes import AnswerSpan, boxed

Rule = Callable[[str], AnswerSpan | None]
"""Returns the span of the answer that it finds in a text."""

_OPENED = re.compile(r"<(?:final[_ ]?)?answer>", re.IGNORECASE)
_CLOSED = re.compile(r"</(?:final[_ ]?)?answer>", re.IGNORECASE)


def answer_tag(text: str) -> AnswerSpan | None:
    """Find the contents of the last <answer>...</answer>; one that was never closed ends with the text."""
    opened = deque(_OPENED.finditer(text), maxlen=2) if "<" in text else None
    if not opened:
        return None
    start = opened[-1].end()
    closed = _CLOSED.search(text, start)
    if closed is None:
        return AnswerSpan(start, len(text), closed=False)
    again = _CLOSED.match(text, closed.end())
    if again is not None and len(opened) == 2 and _CLOSED.search(text, opened[0].end(), start) is None:
        return AnswerSpan(opened[0].end(), again.start())  # one tag within another: the outer one counts
    return AnswerSpan(start, closed.start())


def line_after(marker: str) -> Rule:
    """Return a rule that finds what follows the last `marker`, to the end of the line."""

    def find(text: str) -> AnswerSpan | None:
        at = text.rfind(marker)
        if at < 0:
            return None
        start = at + len(marker)
        end = text.find("\n", start)
        return AnswerSpan(start, len(text) if end < 0 else end)

    return find


def last_match(pattern: str, flags: int = 0) -> Rule:
    """Return a rule that finds the last match of a pattern: its group 1, or the whole if it has no groups."""
    compiled = re.compile(pattern, flags)
    group = 1 if compiled.groups else 0

    def find(text: str) -> AnswerSpan | None:
        last = deque(compiled.finditer(text), maxlen=1)
        if not last:
            return None
        start, end = last[0].span(group)
        return AnswerSpan(start, end) if start >= 0 else None  # the group may have taken no part in the match

    return find


def _last_but_headings(pattern: re.Pattern[str]) -> Rule:
    """Return a rule that finds group 1 of the last match which is not a heading.

    `**Answer:**` and `#### Final Answer` are headings.
    """

    def find(text: str) -> AnswerSpan | None:
        for match in reversed(list(pattern.finditer(text))):
            words = match[1].strip()
            next_character = text[match.end() : match.end() + 1]
            ends_line = next_character in (":", "：", "\n") and re.search(r"\d", words) is None
            is_heading = words.endswith((":", "：")) or ends_line
            if words and not (is_heading and len(words) > 2):
                return AnswerSpan(*match.span(1))
        return None

    return find


_NUMBER = re.compile(
    r"(?:(?<![\w)\]}])(?:[-−–] ?|(?i:minus|negative) ))?[$€£]?"
    r"(?:\d+(?:\.\d+)? ?(?:×|\\times|x|\*) ?10 ?(?:\^ ?\{?[-−]?\d+\}?|[⁻⁰¹²³⁴-⁹]+)"
    r"|\d{1,2}:\d{2}(?::\d{2})?(?: ?(?i:[ap]\.?m\b\.?))?"
    r"|(?:\d[\d,]*(?:\.\d+)?|\.\d+)(?: \d{3}(?!\d))*(?: \d+/\d+|/\d+)?%?)"
)
# A number after one of these is a label.
_LABEL_BEFORE = re.compile(
    r"(?:_\{?|(?i:\b(?:step|case|part|question|problem|example|figure|equation|section|line) ))$"
)
_LINE_START = re.compile(r"(?:^|\n)[ *#]{0,6}$")
_NEXT_WORDS = re.compile(
    r" ?(\^\\circ|°)? ?(?:[A-Za-zµ²³/^]+(?=[\s.,;:!?)*]|$))(?: (?:per [a-z]+|(?:of )?dollars"
    r"|cents)(?=[\s.,;:!?)*]|$))?"
)
_ITEM_MARK = re.compile(r"[.)](?:\s|$)")


def last_number(text: str) -> AnswerSpan | None:
    """Find the last number with all that is attached to it: a piece of `x^2` would be another value.

    Indices (`x_2`), numbers of steps and figures (`step 3`) and numbers of list items do not count.
    """
    if _CHOICE_LINE.fullmatch(text):
        return None
    last: re.Match[str] | None = None
    for match in _NUMBER.finditer(text):
        before = text[max(match.start() - 12, 0) : match.start()]
        if _LABEL_BEFORE.search(before):
            continue
        if not (_LINE_START.search(before) and _ITEM_MARK.match(text, match.end())):
            last = match
    if last is None:
        return None
    start, end = last.span()
    while start > 0 and not text[start - 1].isspace() and text[start - 1] not in "*_([=:,，：":
        start -= 1
    while end < len(text) and not text[end].isspace() and text[end] not in "*_,;:!?，。；：！？":
        end += 1
    power = _POWER_OF_UNIT.fullmatch(text[start:end])
    if power is not None and read_unit(power[1]) is not None:  # the number was the 2 of `5 m^2`
        value = _VALUE_BEFORE.search(text[max(start - 24, 0) : start])
        start -= len(value.group()) if value else 0
    return AnswerSpan(start, _end_with_unit(text, end))


_POWER_OF_UNIT = re.compile(r"((?:[A-Za-z]{1,9}/)?[A-Za-z]{1,9}(?:\^\{?[23]\}?|[²³]))\.?")
_VALUE_BEFORE = re.compile(r"(?<![^\s($])[-−]?\d[\d.,]*(?:/\d+)? ?$")
_CHOICE_LINE = re.compile(r"\s*\*{0,2}\(?[A-J](?:[).:]\*{0,2}|\*{2}) [^\n]{1,200}\s*")
"""Matches a line that starts with a choice letter: it is that choice, with the option's text."""


def _end_with_unit(text: str, end: int) -> int:
    """Return the end of the unit, or of a word such as `million`, that follows a number; else `end`."""
    match = _NEXT_WORDS.match(text, end)
    if match is None or match.end() == end:
        return end
    word = match.group().strip()
    if word.lower() in _COUNTING_WORDS:
        return match.end()
    unit = read_unit(word)
    is_measure = unit is not None and bool(unit.dimensions) and not unit.nouns
    if is_measure and word not in ("in", "a", "A", "s"):  # these are more likely words of the sentence
        return match.end()
    return end


_COUNTING_WORDS = (*LARGE, "hundred", "dozen", "percent")

_FORMULA = re.compile(
    r"\$\$([^$]{1,400})\$\$|(?<![\\$])\$([^$\n]{1,400})\$|\\\(((?:(?!\\[(\[])[^\n]){1,400}?)\\\)|\\\[((?:(?!\\[(\[]).){1,400}?)\\\]",
    re.DOTALL,
)


def last_formula(text: str) -> AnswerSpan | None:
    """Find the last formula in math mode, unless a number follows it."""
    last = deque(_FORMULA.finditer(text), maxlen=1)
    if not last or _CHOICE_LINE.fullmatch(text) or re.search(r"\d", text[last[0].end() :]):
        return None
    return AnswerSpan(*last[0].span(last[0].lastindex or 0))


MAX_SHORT = 40


def short_text(text: str) -> AnswerSpan | None:
    """Find the whole of a text that is one short line (`B`, `Yes.`, `five`) or a choice with its text."""
    stripped = text.strip()
    is_short = len(stripped) <= MAX_SHORT and "\n" not in stripped and len(stripped.split()) <= 5
    if not stripped or not (is_short or _CHOICE_LINE.fullmatch(text)):
        return None
    start = text.index(stripped)
    return AnswerSpan(start, start + len(stripped))


_BOLD = re.compile(r"\*\*([^*\n]{1,300})\*\*")
_HASHES = re.compile(r"####([^\n]*)")
_ANSWER_IS = (
    r"(?:\b(?:answers?|solutions?|roots|correct (?:option|choice))[ *_]{0,9}(?:to [^\n.:]{1,80} )?"
    r"(?:is|are|:|=|would be|should be|must be|turns out to be)|答案(?:是|为|應為|应为)?[:：]?"
    r"|故选[:：]?)[ :：*_]{0,9}([^\s][^\n]{0,299}?)"
    r"(?=[.!?。]?[ *_]{0,9}(?:\n|$)|[.!?] (?![\d])|,? (?:because|since|as) )"
)

_CHOSEN = r"\b(?i:option|choice|answer) \(?([A-J])\)? is (?:the )?(?:correct|right|best)\b"
_stated = last_match(_ANSWER_IS, re.IGNORECASE)
_chosen = last_match(_CHOSEN)


def answer_is(text: str) -> AnswerSpan | None:
    """Find what follows the last "the answer is", or the letter of "option C is correct" if that is later."""
    candidates = [span for span in (_stated(text), _chosen(text)) if span is not None]
    return max(candidates, default=None)


RULES: dict[str, Rule] = {
    "answer_tag": answer_tag,
    "boxed": boxed,
    "hashes": _last_but_headings(_HASHES),
    "answer_is": answer_is,
    "bold": _last_but_headings(_BOLD),
    "last_formula": last_formula,
    "last_number": last_number,
    "short_text": short_text,
}
PLAIN_TEXT = ("hashes", "answer_is", "bold", "last_formula", "last_number", "short_text")
"""Rules whose result may be emphasised, end in punctuation, or be a whole sentence."""

_TAIL = re.compile(
    r"(?:\b(?:is|are|be|equals|gives|was|get|have|has)\b|=|:)\s+(?:approximately |about |exactly "
    r"|equal to )?(?=\S)",
    re.IGNORECASE,
)


def tail_of(sentence: str) -> str:
    """Return the value that a sentence ends with: `34` for `The largest n is 34`."""
    if len(sentence.split()) < 3 or not re.match(r"[A-Za-z*]", sentence) or _CHOICE_LINE.fullmatch(sentence):
        return sentence
    marks = list(_TAIL.finditer(sentence))
    while marks and sentence[marks[-1].start()] == "=":
        marks.pop()  # `x = 2` stays whole
    if not marks or words_of(sentence[: marks[-1].end()]) & (DENIALS | HEDGES | RETRACTIONS):
        return sentence
    rest = sentence[marks[-1].end() :].strip()
    is_value = re.match(r"[\d$\\(\[{+-]|.{1,30}$", rest)
    return rest if is_value else sentence
