"""Finding the boundaries between steps, with one function for each way to split (see `SplitPolicy.by`)."""

import io
import re
import tokenize
from collections.abc import Callable, Iterator

from ..programs.find_code import extract_program
from .unbroken_spans import unbroken_spans

Boundaries = Iterator[tuple[int, int]]
"""The end of the earlier step and the start of the later one, for every boundary between two steps."""

_LINE_END = re.compile(r"\r\n?|\n")
_NUMBERED = re.compile(
    r"^[#>*_ \t]*(?:step[ \t]+\d{1,4}\b|\(?\d{1,3}[.)][ \t])", re.MULTILINE | re.IGNORECASE
)
_SENTENCE_END = re.compile(r"(?<![.!?])[.!?]{1,40}[\"')\]*_]{0,8}(?=\s)|[。！？]{1,40}[」』”）]{0,8}|\n")
_ABBREVIATED = re.compile(
    r"(?:\b(?:e\.g|i\.e|cf|vs|etc|approx|eq|eqs|fig|no|mr|mrs|ms|dr|prof|st|resp|ex|ch|sec|al)"
    r"|(?:^|\s)(?-i:[A-Z])|(?:^|\n)[ \t]*\(?\d{1,3})\.$",
    re.IGNORECASE,
)
"""Matches a full stop that ends no sentence: after an abbreviation, an initial, or a list item's number."""


def _lines(text: str, low: int, high: int, separator: str) -> Boundaries:
    ends = _LINE_END.finditer(text, low, high)
    yield from _outside_spans(text, low, high, ((end.start(), end.end()) for end in ends))


def _separated(text: str, low: int, high: int, separator: str) -> Boundaries:
    """Cut after a separator, but before spaces at its end: tokenizers join those with the next word."""
    length = len(separator.rstrip(" "))
    starts = (low + match.start() for match in re.finditer(re.escape(separator), text[low:high]))
    yield from _outside_spans(text, low, high, ((start, start + length) for start in starts))


def _numbered(text: str, low: int, high: int, separator: str) -> Boundaries:
    starts = (low + match.start() for match in _NUMBERED.finditer(text[low:high]))
    yield from _outside_spans(text, low, high, ((start, start) for start in starts if start > low))


def _sentences(text: str, low: int, high: int, separator: str) -> Boundaries:
    yield from _outside_spans(text, low, high, _sentence_ends(text, low, high))


def _sentence_ends(text: str, low: int, high: int) -> Boundaries:
    for match in _SENTENCE_END.finditer(text, low, high):
        if match.group() == "\n":
            yield match.start(), match.end()
            continue
        following = text[match.end() : match.end() + 80].lstrip(" \t")
        if following[:1].islower():  # the sentence continues
            continue
        stop = match.start() + 1
        if match.group() == "." and _ABBREVIATED.search(text, max(low, match.start() - 8), stop):
            continue
        yield match.end(), match.end()


def _code_lines(text: str, low: int, high: int, separator: str) -> Boundaries:
    """Cut the program into logical lines; the prose around it has no steps.

    If no code is marked, all of the answer is taken for code. After the last statement that can be parsed,
    code is cut at every line break.
    """
    found = extract_program(text)
    if found.reason is not None or found.span is None:  # there is no program
        yield from _lines(text, low, high, separator)
        return
    first, last = max(found.span[0], low), min(found.span[1], high)
    if first >= last:  # the program is in the other part, and this one has no steps
        yield low, high
        return
    yield low, first  # skips the prose before the program
    for line_end in _logical_line_ends(text[first:last]):
        yield first + line_end, min(first + line_end + 1, last)
    yield last, high  # and the prose after it


def _logical_line_ends(code: str) -> list[int]:
    """Return where the last line of each statement ends; comments and blank lines belong to the next one."""
    starts = [0, *(match.end() for match in re.finditer("\n", code))]
    ends: list[int] = []
    line = 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(code).readline):
            if token.type == tokenize.NEWLINE:
                line = token.end[0]
                ends.append(starts[line] - 1 if line < len(starts) else len(code))
    except (tokenize.TokenError, SyntaxError):  # from here on, every line break is an end
        pass
    read = starts[line] if line < len(starts) else len(code)
    return [*ends, *(match.start() for match in re.finditer("\n", code) if match.start() >= read)]


BOUNDARIES: dict[str, Callable[[str, int, int, str], Boundaries]] = {
    "lines": _lines,
    "separator": _separated,
    "numbered": _numbered,
    "sentences": _sentences,
    "code": _code_lines,
}
"""By name: a function from (text, low, high, separator) to the boundaries between `low` and `high`."""


def _outside_spans(text: str, low: int, high: int, boundaries: Boundaries) -> Boundaries:
    """Yield the boundaries outside of unbroken spans; boundaries and spans are in ascending order."""
    spans = unbroken_spans(text, low, high)
    span = next(spans, None)
    for end, cut in boundaries:
        while span is not None and span[1] <= end:
            span = next(spans, None)
        if span is None or cut <= span[0]:
            yield end, cut
