r"""Tier 0, the rules: where a final answer may stand. Each looks once, from the right.

A rule takes the text behind the thinking part and returns a Find, or None. Bounded work on any
text: nothing here goes back over what it has read.
"""

import re
from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple


class Find(NamedTuple):
    """Where an answer stands: characters [start, end)."""

    start: int
    end: int
    closed: bool = True
    """False where the box or tag was never closed."""


Rule = Callable[[str], Find | None]


def answer_tag(text: str) -> Find | None:
    """Take the last <answer>...</answer>; one that was never closed goes to the end of the text."""
    start = text.rfind("<answer>")
    if start < 0:
        return None
    start += len("<answer>")
    end = text.find("</answer>", start)
    return Find(start, end) if end >= 0 else Find(start, len(text), closed=False)


_BOX = re.compile(r"\\(?:f?boxed|f(?:rame)?box|beginboxed)(?![A-Za-z])\s*(?:\[[^\]\n]{0,40}\]\s*)?")
_WORD = re.compile(r"\\?[^\s$\\{}]{1,40}")
_JOINED = re.compile(r"\}[\s$]{0,20}(?:,?\s?(?:and|or)|,|,?\s?\\text\s?\{\s?(?:and|or)\s?\})[\s$]{0,20}$")


def boxed(text: str) -> Find | None:
    r"""Take the last \boxed{...} or one of its kin; boxes that are joined, from the first to the last.

    `\boxed 5` takes one word. A box that was never closed goes to the end of its line.
    """
    last = _last_box(text, len(text))
    if last is None:
        return None
    find, command = last
    start = find.start
    while find.closed and (joined := _JOINED.search(text[max(command - 60, 0) : command])) is not None:
        other = _last_box(text, command)
        if other is None or other[0].end != max(command - 60, 0) + joined.start():
            break
        start, command = other[0].start, other[1]
    return find._replace(start=start)


def _last_box(text: str, before: int) -> tuple[Find, int] | None:
    """Return the last box whose command stands before a place, and where the command starts."""
    at = before
    while (at := text.rfind("box", 0, at)) >= 0:
        slash = text.rfind("\\", max(at - 6, 0), at)
        match = _BOX.match(text, slash) if slash >= 0 else None
        if match is None:
            continue  # another command, or no command at all
        if text[match.end() : match.end() + 1] == "{":
            return _braced(text, match.end() + 1, before), slash
        word = _WORD.match(text, match.end())
        return (Find(word.start(), word.end()), slash) if word else None
    return None


_BRACE = re.compile(r"\\[{}\\]|[{}]")
_CLOSING = re.compile(r"\s{0,9}(?:\$|\\\)|\\\]|</answer>)")


def _braced(text: str, start: int, stop: int) -> Find:
    depth = 1
    for match in _BRACE.finditer(text, start, stop):
        brace = match.group()
        depth += (brace == "{") - (brace == "}")
        if depth == 0:
            return Find(start, match.start())
    line = text.find("\n", start, stop)
    end = stop if line < 0 else line
    closing = _CLOSING.search(text, start, end)
    return Find(start, closing.start() if closing else end, closed=False)


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
            heading = words.endswith(":") or (after in (":", "\n") and re.search(r"\d", words) is None)
            if words and not (heading and len(words) > 2):
                return Find(*match.span(1))
        return None

    return last


_NUMBER = re.compile(
    r"(?:(?<![\w)\]}])[-−–] ?)?[$€£]?(?:\d[\d,]*(?:\.\d+)?|\.\d+)(?: \d{3}(?!\d))*(?: \d+/\d+|/\d+)?%?"
)


def last_number(text: str) -> Find | None:
    """Take the last number with all that is attached to it: a piece of `x^2` would be another."""
    found = deque(_NUMBER.finditer(text), maxlen=1)
    if not found:
        return None
    start, end = found[0].span()
    while start > 0 and not text[start - 1].isspace() and text[start - 1] not in "*_([=:,":
        start -= 1
    while end < len(text) and not text[end].isspace() and text[end] not in "*_,;:!?":
        end += 1
    return Find(start, end)


_FORMULA = re.compile(r"\$\$([^$]{1,400})\$\$|(?<![\\$])\$([^$\n]{1,400})\$|\\\(([^\n]{1,400}?)\\\)|\\\[(.{1,400}?)\\\]", re.DOTALL)


def last_formula(text: str) -> Find | None:
    """Take the last formula in math mode, if no number stands behind it."""
    found = deque(_FORMULA.finditer(text), maxlen=1)
    if not found or re.search(r"\d", text[found[0].end() :]):
        return None
    group = next(i for i in range(1, 5) if found[0][i] is not None)
    return Find(*found[0].span(group))


_BOLD = re.compile(r"\*\*([^*\n]{1,300})\*\*")
_HASHES = re.compile(r"####([^\n]*)")
_ANSWER_IS = (
    r"\banswer[ *_]{0,9}(?:to [^\n.:]{1,80} )?(?:is|are|:|=|would be|should be)[ :*_]{0,9}([^\s][^\n]{0,299}?)"
    r"(?=[.!?]?[ *_]{0,9}(?:\n|$)|[.!?] (?![\d]))"
)

RULES: dict[str, Rule] = {
    "answer_tag": answer_tag,
    "boxed": boxed,
    "hashes": _not_a_label(_HASHES.finditer),
    "answer_is": last_match(_ANSWER_IS, re.IGNORECASE),
    "bold": _not_a_label(_BOLD.finditer),
    "last_formula": last_formula,
    "last_number": last_number,
}
PLAIN_TEXT = ("hashes", "answer_is", "bold", "last_formula", "last_number")
"""Rules whose find may wear emphasis, end in punctuation, or be a whole sentence."""

_TAIL = re.compile(r"(?:\b(?:is|are|be|equals|gives|was|get|have|has)\b|=|:)\s+(?:approximately |about |exactly |equal to )?(?=\S)", re.IGNORECASE)


def tail_of(sentence: str) -> str:
    """Return what a sentence comes down to: `The largest n is 34` says `34`."""
    if len(sentence.split()) < 3 or not re.match(r"[A-Za-z*]", sentence):
        return sentence
    marks = list(_TAIL.finditer(sentence))
    while marks and sentence[marks[-1].start()] == "=":
        marks.pop()  # `x = 2` stays whole
    rest = sentence[marks[-1].end() :].strip() if marks else sentence
    return rest if re.match(r"[\d$\\(\[{+-]|.{1,30}$", rest) else sentence
