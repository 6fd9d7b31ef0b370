r"""Splitting a completion into steps: spans of its text, in characters and in bytes.

A step ends behind its separator (`cut`), and steps tile the text: what stands between two of them
(blank lines, tags) belongs to the earlier one, what stands before the first belongs to that. No step is
empty, none crosses the end of the thinking part, and nothing is cut inside a closed code fence, formula
or LaTeX environment. Spans, never token ids, are what policy and reward model exchange: `step_tokens.py`.
"""

import io
import re
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ...sandbox.errors import TaskError, did_you_mean
from ...tasks.validation import first_fault
from ..completion import thinking_end
from ..programs.find_code import extract_program
from .unbroken_spans import kept_whole

Part = Literal["thinking", "answer"]
By = Literal["lines", "separator", "numbered", "sentences", "code"]


class SplitPolicy(BaseModel):
    """How a text becomes steps."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    by: By = "lines"
    """`lines`; `separator` (a text of your own); `numbered` (`Step 2:`, `2.`, at the start of a line);
    `sentences` (lines are cut too); `code` (the program's logical lines)."""
    separator: str = Field(default="\n\n", min_length=1)
    """Of `separator`."""
    min_chars: int = Field(default=1, ge=1)
    """A step with fewer characters, white space not counted, is joined to the one before it."""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        return {"by": given} if isinstance(given, str) else given


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a text: `text[start:end]`; what follows up to `cut` separates it from the next."""

    start: int
    end: int
    cut: int
    """In characters, as `start` and `end`."""
    byte_start: int
    byte_end: int
    byte_cut: int
    """The same in UTF-8."""
    part: Part


def split_steps(text: str, policy: "SplitPolicy | str" = "lines", *, prefill: str = "") -> list[Step]:
    """Return the steps of a completion, in order; none where it has nothing but white space and tags.

    Args:
        text: as the policy wrote it.
        policy: how to split, or its `by` alone.
        prefill: the start of the answer that the chat template wrote; it may have opened the thinking.

    Raises:
        TaskError: no such policy.
    """
    policy = split_policy(policy)
    thought = max(0, thinking_end(prefill + text) - len(prefill))
    pieces: list[tuple[int, int, int, Part]] = []
    parts: tuple[tuple[int, int, Part], ...] = ((0, thought, "thinking"), (thought, len(text), "answer"))
    for low, high, part in parts:
        for start, end, cut in _pieces(text, low, high, policy):
            joins = pieces and pieces[-1][3] == part
            if joins and len(re.sub(r"\s", "", text[start:end])) < policy.min_chars:
                pieces[-1] = (pieces[-1][0], end, cut, part)
            else:
                pieces.append((start, end, cut, part))
    if pieces:  # a part that has nothing but tags belongs to the step before it
        pieces[-1] = (*pieces[-1][:2], len(text), pieces[-1][3])
    return _with_bytes(text, pieces)


def whole(text: str) -> Step:
    """Return a text as one step, empty or not."""
    return Step(
        0, len(text), len(text), 0, size := len(text.encode("utf-8", "surrogatepass")), size, "answer"
    )


def split_policy(given: "SplitPolicy | str | dict[str, Any]") -> SplitPolicy:
    """Return a policy from its short form.

    Raises:
        TaskError: it is none; close matches are shown.
    """
    if isinstance(given, SplitPolicy):
        return given
    try:
        return SplitPolicy.model_validate(given)
    except ValidationError as error:
        near = did_you_mean(given, get_args(By)) if isinstance(given, str) else ""
        known = ", ".join(get_args(By))
        raise TaskError(f"split: {first_fault(error)}{near} (known: {known})") from error


def _with_bytes(text: str, pieces: list[tuple[int, int, int, Any]]) -> list[Step]:
    if text.isascii():
        return [Step(start, end, cut, start, end, cut, part) for start, end, cut, part in pieces]
    places = sorted({place for piece in pieces for place in piece[:3]})
    in_bytes, before, length = {}, 0, 0
    for place in places:
        length += len(text[before:place].encode("utf-8", "surrogatepass"))
        in_bytes[place], before = length, place
    return [
        Step(start, end, cut, in_bytes[start], in_bytes[end], in_bytes[cut], part)
        for start, end, cut, part in pieces
    ]


_NAMES = ("think", "thinking", "thought", "answer", "code")
_TAGS = re.compile(rf"(?:\s|</?(?:{'|'.join(_NAMES)})>)*")
_CLOSERS = tuple(f"<{slash}{name}>" for name in _NAMES for slash in ("/", ""))


def _pieces(text: str, low: int, high: int, policy: SplitPolicy) -> Iterator[tuple[int, int, int]]:
    """Yield (start, end, cut) of what has content between `low` and `high`; cuts tile up to `high`."""
    found: list[list[int]] = []
    begin = low
    for end, cut in (*_BOUNDARIES[policy.by](text, low, high, policy), (high, high)):
        start = _TAGS.match(text, begin, end).end() if policy.by != "code" else _skipped(text, begin, end)  # pyright: ignore[reportOptionalMemberAccess]
        last = _without_tags(text, start, end)
        if start < last:
            found.append([start, last, cut])
        elif found:
            found[-1][2] = cut
        begin = cut
    for piece in found:
        yield piece[0], piece[1], piece[2]


def _without_tags(text: str, start: int, end: int) -> int:
    """Return where a step's text ends: white space and tags at its end separate it from the next."""
    while True:
        end = start + len(text[start:end].rstrip())
        tag = next((tag for tag in _CLOSERS if text.endswith(tag, start, end)), "")
        if not tag:
            return end
        end -= len(tag)


def _skipped(text: str, begin: int, end: int) -> int:
    """Return where the first line that is not blank starts, margin included; `end` where there is none."""
    blank = len(text[begin:end]) - len(text[begin:end].lstrip())
    if begin + blank == end:
        return end
    return max(begin, text.rfind("\n", begin, begin + blank) + 1)


Boundaries = Iterator[tuple[int, int]]
"""Where a step's text ends, and where the next one's begins."""

_LINE = re.compile(r"\r\n?|\n")
_NUMBERED = re.compile(
    r"^[#>*_ \t]*(?:step[ \t]+\d{1,4}\b|\(?\d{1,3}[.)][ \t])", re.MULTILINE | re.IGNORECASE
)
_SENTENCE = re.compile(r"(?<![.!?])[.!?]{1,40}[\"')\]*_]{0,8}(?=\s)|[。！？]{1,40}[」』”）]{0,8}|\n")
_ABBREVIATED = re.compile(
    r"(?:\b(?:e\.g|i\.e|cf|vs|etc|approx|eq|eqs|fig|no|mr|mrs|ms|dr|prof|st|resp|ex|ch|sec|al)"
    r"|(?:^|\s)(?-i:[A-Z])|(?:^|\n)[ \t]*\(?\d{1,3})\.$",
    re.IGNORECASE,
)


def _lines(text: str, low: int, high: int, policy: SplitPolicy) -> Boundaries:
    yield from _outside(text, low, high, ((m.start(), m.end()) for m in _LINE.finditer(text, low, high)))


def _separated(text: str, low: int, high: int, policy: SplitPolicy) -> Boundaries:
    """Cut behind a separator, but before spaces at its end: those are one token with the next word."""
    length = len(policy.separator.rstrip(" "))
    found = re.finditer(re.escape(policy.separator), text[low:high])
    yield from _outside(text, low, high, ((low + m.start(), low + m.start() + length) for m in found))


def _numbers(text: str, low: int, high: int, policy: SplitPolicy) -> Boundaries:
    found = (low + m.start() for m in _NUMBERED.finditer(text[low:high]))
    yield from _outside(text, low, high, ((at, at) for at in found if at > low))


def _sentences(text: str, low: int, high: int, policy: SplitPolicy) -> Boundaries:
    def found() -> Boundaries:
        for match in _SENTENCE.finditer(text, low, high):
            if match.group() == "\n":
                yield match.start(), match.end()
                continue
            following = text[match.end() : match.end() + 80].lstrip(" \t")
            short = match.group() == "." and _ABBREVIATED.search(
                text, max(low, match.start() - 8), match.start() + 1
            )
            if not (following[:1].islower() or short):
                yield match.end(), match.end()

    yield from _outside(text, low, high, found())


def _code_lines(text: str, low: int, high: int, policy: SplitPolicy) -> Boundaries:
    """Cut the program into logical lines, and nothing else: prose around it has no steps of its own.

    A completion without marked code is code as a whole; what does not parse is cut line by line.
    """
    found = extract_program(text)
    if found.reason is not None or found.span is None:  # nothing that is marked as a program
        yield from _lines(text, low, high, policy)
        return
    first, last = max(found.span[0], low), min(found.span[1], high)
    if first >= last:  # the program is in the other part
        yield low, high
        return
    yield low, first
    for at in _logical_lines(text[first:last]):
        yield first + at, min(first + at + 1, last)
    yield last, high


def _logical_lines(code: str) -> list[int]:
    """Return where each statement's last line ends; comments and blank lines go to what follows."""
    starts = [0, *(m.end() for m in re.finditer("\n", code))]
    ends: list[int] = []
    line = 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(code).readline):
            if token.type == tokenize.NEWLINE:
                line = token.end[0]
                ends.append(starts[line] - 1 if line < len(starts) else len(code))
    except (tokenize.TokenError, SyntaxError):  # IndentationError included
        pass
    read = starts[line] if line < len(starts) else len(code)
    return [*ends, *(m.start() for m in re.finditer("\n", code) if m.start() >= read)]


_BOUNDARIES: dict[str, Callable[[str, int, int, SplitPolicy], Boundaries]] = {
    "lines": _lines,
    "separator": _separated,
    "numbered": _numbers,
    "sentences": _sentences,
    "code": _code_lines,
}


def _outside(text: str, low: int, high: int, boundaries: Boundaries) -> Boundaries:
    """Drop boundaries inside fences and formulas that are closed; an open one keeps nothing together."""
    kept = kept_whole(text, low, high)
    inside = next(kept, None)
    for end, cut in boundaries:
        while inside is not None and inside[1] <= end:
            inside = next(kept, None)
        if inside is None or cut <= inside[0]:
            yield end, cut
