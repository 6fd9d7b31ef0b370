"""The rule that takes the last formula in math mode, where nothing else states an answer."""

import re

from ..completion import AnswerSpan
from ..units.reader import read_unit
from .chosen_letter import CHOICE_LINE
from .last_number import IN_WORDS
from .sentences import (
    DOUBTS,
    GIVES_UP,
    NO_SOLUTION,
    sentence_start,
    without_asides,
)
from .words_before import (
    REJECTED_BEFORE,
    SUPPOSES,
)

_FORMULA = re.compile(
    r"\$\$([^$]{1,400})\$\$|(?<![\\$])\$([^$\n]{1,400})\$|\\\(((?:(?!\\[(\[])[^\n]){1,400}?)\\\)|\\\[((?:(?!\\[(\[]).){1,400}?)\\\]",
    re.DOTALL,
)


_END_OF_PROOF = re.compile(r"\$+\s*\\(?:blacksquare|square|Box|qed)\s*\$+")
_AFTER_FORMULA = re.compile(rf"[0-9]|{GIVES_UP.pattern}|{IN_WORDS.pattern}", re.IGNORECASE)


_ATTAINED = re.compile(
    r"\b(?:attained|achieved|reached|occurs|occurring|obtained|with equality)\b[^.]{0,30}$|, (?:the|a"
    r"|an) (?:(?!\b(?:is|are|was|equals?|be|has|have)\b)[^$,.]){1,40}$",
    re.IGNORECASE,
)


def last_formula(text: str) -> AnswerSpan | None:
    """Find the last formula in math mode, unless a number follows it."""
    text = without_asides(text)
    found = [formula for formula in _FORMULA.finditer(text) if not _END_OF_PROOF.fullmatch(formula[0])]
    concluded = NO_SOLUTION.search(text, found[-1].end() if found else max(0, len(text) - 200))
    if concluded:
        return AnswerSpan(*concluded.span(concluded.lastindex or 0))
    if not found or CHOICE_LINE.fullmatch(text) or _AFTER_FORMULA.search(text, found[-1].end()):
        return None
    last = found[-1]
    if len(found) > 1 and _WHERE.search(text[found[-2].end() : last.start()]):
        found, last = found[:-1], found[-2]  # `$x^2 + C$, where $C$ is a constant`
    is_name = re.fullmatch(r"\$?\\?\(?\s*[A-Za-z]\s*\\?\)?\$?", last[0]) is not None
    if is_name and re.search(r"\d", text[sentence_start(text, last.start()) : last.start()]):
        return None  # `27 miles from city $A$`
    if len(found) > 1 and REJECTED_BEFORE.search(text[found[-2].end() : last.start()]):
        last = found[-2]
    if len(found) > 1 and _ATTAINED.search(text[found[-2].end() : last.start()]):
        last = found[-2]  # `9, attained at x = 1`
    if DOUBTS.search(text, sentence_start(text, last.start()), last.start()) or SUPPOSES.search(
        text[max(last.start() - 40, 0) : last.start()]
    ):
        return None
    for joined in _JOINED.finditer(text, max(last.start() - 200, 0)):
        if joined.start() < last.start() < joined.end() and _same_heads(joined[0]):
            return AnswerSpan(*joined.span())
    start, end = last.span(last.lastindex or 0)
    excepted = _ALL_BUT.search(text[max(last.start() - 60, 0) : last.start()])
    if excepted is not None:
        return AnswerSpan(last.start() - len(excepted[0]), last.end())
    unit = _UNIT_AFTER.match(text, last.end())
    read = read_unit(unit[1]) if unit is not None else None
    is_short = (
        _VALUE_OF_LETTER.fullmatch(text, start, end) is not None
    )  # the result of a calculation stands last
    if is_short and unit is not None and read is not None and read.dimensions and not read.nouns:
        end = unit.end()
    return AnswerSpan(start, end)


_ALL_BUT = re.compile(r"\ball (?:real numbers|reals|integers)(?: [a-z$]+)? (?:except|other than)(?: for)? $")
_VALUE_OF_LETTER = re.compile(r"(?:\s*[A-Za-z](?:_\w+)?\s*=)?[^=]{1,40}")
_UNIT_AFTER = re.compile(r" ?((?!in\b|as?\b|at\b|s\b)[A-Za-zµΩ][A-Za-zµΩ/^\d²³]{0,8})(?=[\s.,;]|$)")
_WHERE = re.compile(r"(?:^|[,;\s])where\s*$")
_ONE = r"\$[^$\n]{1,60}\$"
_JOINED = re.compile(rf"{_ONE}(?:(?:, | and | or |, and |, or ){_ONE}){{1,9}}")
"""Matches several formulas that are one answer: `$x = 2$ and $x = 3$`."""


def _same_heads(text: str) -> bool:
    """Return whether formulas that are joined all have a letter before `=`, or none has."""
    heads = [
        re.match(r"\s*(?:[A-Za-z](?:_\w+)?|\([a-z], ?[a-z]\))\s*=", part) for part in text.split("$")[1::2]
    ]
    return all(heads) or not any("=" in part for part in text.split("$")[1::2])
