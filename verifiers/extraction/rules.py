r"""Tier 0, the rules: where a final answer may stand. Each looks once, from the right.

A rule takes the text behind the thinking part and returns a Find, or None. Bounded work on any
text: nothing here goes back over what it has read.
"""

import re
from collections import deque
from collections.abc import Callable, Iterator

from ..text.lexicon import DENIALS, HEDGES, LARGE, RETRACTIONS, words_of
from ..units.reader import read_unit
from .boxes import Find, boxed

Rule = Callable[[str], Find | None]

_OPENED = re.compile(r"<(?:final[_ ]?)?answer>", re.IGNORECASE)
_CLOSED = re.compile(r"</(?:final[_ ]?)?answer>", re.IGNORECASE)


def answer_tag(text: str) -> Find | None:
    """Take the last <answer>...</answer>; one that was never closed goes to the end of the text."""
    opened = deque(_OPENED.finditer(text), maxlen=2) if "<" in text else None
    if not opened:
        return None
    start = opened[-1].end()
    closed = _CLOSED.search(text, start)
    if closed is None:
        return Find(start, len(text), closed=False)
    again = _CLOSED.match(text, closed.end())
    if again is not None and len(opened) == 2 and _CLOSED.search(text, opened[0].end(), start) is None:
        return Find(opened[0].end(), again.start())  # one tag within another
    return Find(start, closed.start())


def line_after(marker: str) -> Rule:
    """Take what follows the last marker, to the end of the line."""

    def find(text: str) -> Find | None:
        at = text.rfind(marker)
        if at < 0:
            return None
        start = at + len(marker)
        end = text.find("\n", start)
        return Find(start, len(text) if end < 0 else end)

    return find


def last_match(pattern: str, flags: int = 0) -> Rule:
    """Take the last match: its group 1, or the whole."""
    compiled = re.compile(pattern, flags)

    def find(text: str) -> Find | None:
        last = deque(compiled.finditer(text), maxlen=1)
        span = last[0].span(1 if compiled.groups else 0) if last else (-1, -1)
        return Find(*span) if span[0] >= 0 else None

    return find


def _not_a_label(find: Callable[[str], Iterator[re.Match[str]]]) -> Rule:
    """Take the last match that is not a heading: `**Answer:**`, `#### Final Answer`."""

    def last(text: str) -> Find | None:
        for match in reversed(list(find(text))):
            words, after = match[1].strip(), text[match.end() : match.end() + 1]
            heading = words.endswith((":", "：")) or (
                after in (":", "：", "\n") and re.search(r"\d", words) is None
            )
            if words and not (heading and len(words) > 2):
                return Find(*match.span(1))
        return None

    return last


_NUMBER = re.compile(
    r"(?:(?<![\w)\]}])(?:[-−–] ?|(?i:minus|negative) ))?[$€£]?"
    r"(?:\d+(?:\.\d+)? ?(?:×|\\times|x|\*) ?10 ?(?:\^ ?\{?[-−]?\d+\}?|[⁻⁰¹²³⁴-⁹]+)"
    r"|\d{1,2}:\d{2}(?::\d{2})?(?: ?(?i:[ap]\.?m\b\.?))?"
    r"|(?:\d[\d,]*(?:\.\d+)?|\.\d+)(?: \d{3}(?!\d))*(?: \d+/\d+|/\d+)?%?)"
)
_NO_ANSWER = re.compile(
    r"(?:_\{?|(?i:\b(?:step|case|part|question|problem|example|figure|equation|section|line) ))$"
)
_NUMBERING = re.compile(r"(?:^|\n)[ *#]{0,6}$")
_NEXT_WORDS = re.compile(
    r" ?(\^\\circ|°)? ?(?:[A-Za-zµ²³/^]+(?=[\s.,;:!?)*]|$))(?: (?:per [a-z]+|(?:of )?dollars"
    r"|cents)(?=[\s.,;:!?)*]|$))?"
)


def last_number(text: str) -> Find | None:
    """Take the last number with all that is attached to it: a piece of `x^2` would be another value.

    Indices, and the numbers of steps and list items, are none.
    """
    if _CHOICE_LINE.fullmatch(text):
        return None
    found: re.Match[str] | None = None
    for match in _NUMBER.finditer(text):
        before = text[max(match.start() - 12, 0) : match.start()]
        if not _NO_ANSWER.search(before) and not (
            _NUMBERING.search(before) and re.match(r"[.)](?:\s|$)", text[match.end() :])
        ):
            found = match
    if found is None:
        return None
    start, end = found.span()
    while start > 0 and not text[start - 1].isspace() and text[start - 1] not in "*_([=:,，：":
        start -= 1
    while end < len(text) and not text[end].isspace() and text[end] not in "*_,;:!?，。；：！？":
        end += 1
    if (power := _POWER_OF_UNIT.fullmatch(text[start:end])) and read_unit(power[1]) is not None:
        value = _VALUE_BEFORE.search(text[max(start - 24, 0) : start])
        start -= len(value.group()) if value else 0
    return Find(start, _with_unit(text, end))


_POWER_OF_UNIT = re.compile(r"((?:[A-Za-z]{1,9}/)?[A-Za-z]{1,9}(?:\^\{?[23]\}?|[²³]))\.?")
_VALUE_BEFORE = re.compile(r"(?<![^\s($])[-−]?\d[\d.,]*(?:/\d+)? ?$")
_CHOICE_LINE = re.compile(r"\s*\*{0,2}\(?[A-J](?:[).:]\*{0,2}|\*{2}) [^\n]{1,200}\s*")
"""A line that starts with a choice letter is that choice, with its text."""


def _with_unit(text: str, end: int) -> int:
    """Return where the unit, or a word such as `million`, behind a number ends."""
    match = _NEXT_WORDS.match(text, end)
    if match is None or match.end() == end:
        return end
    word = match.group().strip()
    unit = read_unit(word)
    measures = (
        unit is not None and bool(unit.dimensions) and not unit.nouns and word not in ("in", "a", "A", "s")
    )
    return match.end() if measures or word.lower() in (*LARGE, "hundred", "dozen", "percent") else end


_FORMULA = re.compile(
    r"\$\$([^$]{1,400})\$\$|(?<![\\$])\$([^$\n]{1,400})\$|\\\(((?:(?!\\[(\[])[^\n]){1,400}?)\\\)|\\\[((?:(?!\\[(\[]).){1,400}?)\\\]",
    re.DOTALL,
)


def last_formula(text: str) -> Find | None:
    """Take the last formula in math mode, if no number stands behind it."""
    found = deque(_FORMULA.finditer(text), maxlen=1)
    if not found or _CHOICE_LINE.fullmatch(text) or re.search(r"\d", text[found[0].end() :]):
        return None
    group = next(i for i in range(1, 5) if found[0][i] is not None)
    return Find(*found[0].span(group))


MAX_SHORT = 40


def short_text(text: str) -> Find | None:
    """Take the whole of a text of one short line: `B`, `Yes.`, `five`."""
    stripped = text.strip()
    short = len(stripped) <= MAX_SHORT and "\n" not in stripped and len(stripped.split()) <= 5
    if not stripped or not (short or _CHOICE_LINE.fullmatch(text)):
        return None
    start = text.index(stripped)
    return Find(start, start + len(stripped))


_BOLD = re.compile(r"\*\*([^*\n]{1,300})\*\*")
_HASHES = re.compile(r"####([^\n]*)")
_ANSWER_IS = (
    r"(?:\b(?:answers?|solutions?|roots|correct (?:option|choice))[ *_]{0,9}(?:to [^\n.:]{1,80} )?"
    r"(?:is|are|:|=|would be|should be|must be|turns out to be)|答案(?:是|为|應為|应为)?[:：]?"
    r"|故选[:：]?)[ :：*_]{0,9}([^\s][^\n]{0,299}?)"
    r"(?=[.!?。]?[ *_]{0,9}(?:\n|$)|[.!?] (?![\d])|,? (?:because|since|as) )"
)

_CHOSEN = r"\b(?i:option|choice|answer) \(?([A-J])\)? is (?:the )?(?:correct|right|best)\b"
_stated, _chosen = last_match(_ANSWER_IS, re.IGNORECASE), last_match(_CHOSEN)


def answer_is(text: str) -> Find | None:
    """Take what follows the last "the answer is", or the letter of the last "option C is correct"."""
    found = [find for find in (_stated(text), _chosen(text)) if find is not None]
    return max(found, default=None)


RULES: dict[str, Rule] = {
    "answer_tag": answer_tag,
    "boxed": boxed,
    "hashes": _not_a_label(_HASHES.finditer),
    "answer_is": answer_is,
    "bold": _not_a_label(_BOLD.finditer),
    "last_formula": last_formula,
    "last_number": last_number,
    "short_text": short_text,
}
PLAIN_TEXT = ("hashes", "answer_is", "bold", "last_formula", "last_number", "short_text")
"""Rules whose find may wear emphasis, end in punctuation, or be a whole sentence."""

_TAIL = re.compile(
    r"(?:\b(?:is|are|be|equals|gives|was|get|have|has)\b|=|:)\s+(?:approximately |about |exactly "
    r"|equal to )?(?=\S)",
    re.IGNORECASE,
)


def tail_of(sentence: str) -> str:
    """Return what a sentence comes down to: `The largest n is 34` says `34`."""
    if len(sentence.split()) < 3 or not re.match(r"[A-Za-z*]", sentence) or _CHOICE_LINE.fullmatch(sentence):
        return sentence
    marks = list(_TAIL.finditer(sentence))
    while marks and sentence[marks[-1].start()] == "=":
        marks.pop()  # `x = 2` stays whole
    if not marks or words_of(sentence[: marks[-1].end()]) & (DENIALS | HEDGES | RETRACTIONS):
        return sentence
    rest = sentence[marks[-1].end() :].strip()
    return rest if re.match(r"[\d$\\(\[{+-]|.{1,30}$", rest) else sentence
