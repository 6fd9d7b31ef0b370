"""Splitting a completion into steps: spans of its text, in characters and in bytes.

The text of a step is `text[start:end]`, and `cut` is where the next step may begin. Steps tile the text:
blank lines and tags between two steps belong to the earlier one, and those before the first step belong to
the first. No step is empty, none crosses the end of the thinking part, and none is cut inside a closed code
fence, formula or LaTeX environment.

Policy and reward model may have different tokenizers, so they exchange these spans and never token ids.
`token_positions.py` finds the spans in the sampled ids.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ...sandbox.errors import TaskError, did_you_mean
from ...tasks.validation import first_fault
from ..completion import thinking_end
from .boundaries import BOUNDARIES

Part = Literal["thinking", "answer"]
By = Literal["lines", "separator", "numbered", "sentences", "code"]


class SplitPolicy(BaseModel):
    """How a text is split into steps. In a task, the value of `by` alone is enough: `split: lines`."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    by: By = "lines"
    """What a step is. `lines`: a line. `separator`: the text up to the next `separator`. `numbered`: an item
    whose line starts with `Step 2` or `2.`. `sentences`: a sentence; a line break ends one too. `code`: a
    logical line of the program."""
    separator: str = Field(default="\n\n", min_length=1)
    """The text that ends a step, with `by: separator`."""
    min_chars: int = Field(default=1, ge=1)
    """A step with fewer characters than this, not counting white space, is joined to the step before it in
    the same part (thinking or answer)."""

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, given: Any) -> Any:
        return {"by": given} if isinstance(given, str) else given


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a text."""

    start: int
    """Where its text starts, in characters."""
    end: int
    """Where its text ends, in characters."""
    cut: int
    """Where the white space and tags after it end, in characters; the next step starts there or later."""
    byte_start: int
    """`start` in bytes of UTF-8."""
    byte_end: int
    """`end` in bytes of UTF-8."""
    byte_cut: int
    """`cut` in bytes of UTF-8."""
    part: Part
    """Whether it is in the thinking part or in the answer."""


def split_steps(text: str, policy: SplitPolicy | str = "lines", *, prefill: str = "") -> list[Step]:
    r"""Return the steps of a completion, in order.

        >>> from markscheme.verifiers.steps.split import SplitPolicy, split_steps
        >>> text = "<think>7+6=13\n\n3+5=8</think>So 81."
        >>> for step in split_steps(text):
        ...     print(step.part, step.start, step.end, step.cut, text[step.start : step.end])
        thinking 7 13 15 7+6=13
        thinking 15 20 28 3+5=8
        answer 28 34 34 So 81.
        >>> [text[step.start : step.end] for step in split_steps(text, SplitPolicy(min_chars=6))]
        ['7+6=13\n\n3+5=8', 'So 81.']

    Args:
        text: the completion as the policy wrote it.
        policy: how to split; a text such as `lines` is the policy with this `by`.
        prefill: the start of the answer that the chat template wrote; it may have opened the thinking part.

    Returns:
        The steps; an empty list if the text has nothing but white space and tags.

    Raises:
        TaskError: there is no such policy.
    """
    policy = split_policy(policy)
    thought = max(0, thinking_end(prefill + text) - len(prefill))
    parts: tuple[tuple[int, int, Part], ...] = ((0, thought, "thinking"), (thought, len(text), "answer"))
    pieces: list[tuple[int, int, int, Part]] = []
    for low, high, part in parts:
        for start, end, cut in _pieces(text, low, high, policy):
            can_join = pieces and pieces[-1][3] == part
            if can_join and len(re.sub(r"\s", "", text[start:end])) < policy.min_chars:
                pieces[-1] = (pieces[-1][0], end, cut, part)
            else:
                pieces.append((start, end, cut, part))
    if pieces:  # if the answer has no steps, its tags belong to the last step of the thinking part
        start, end, _, part = pieces[-1]
        pieces[-1] = (start, end, len(text), part)
    return _with_bytes(text, pieces)


def whole(text: str) -> Step:
    """Return a text as one step, even if it is empty."""
    length, length_in_bytes = len(text), len(_utf8(text))
    return Step(0, length, length, 0, length_in_bytes, length_in_bytes, "answer")


def split_policy(given: SplitPolicy | str | dict[str, Any]) -> SplitPolicy:
    """Return a policy from the form that it has in a task.

    Raises:
        TaskError: there is no such policy; the message shows the nearest names.
    """
    if isinstance(given, SplitPolicy):
        return given
    try:
        return SplitPolicy.model_validate(given)
    except ValidationError as error:
        near = did_you_mean(given, get_args(By)) if isinstance(given, str) else ""
        known = ", ".join(get_args(By))
        raise TaskError(f"split: {first_fault(error)}{near} (known: {known})") from error


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")  # lone surrogates can come from JSON


def _with_bytes(text: str, pieces: list[tuple[int, int, int, Part]]) -> list[Step]:
    """Return the steps with their positions in bytes, encoding each character once."""
    if text.isascii():
        return [Step(start, end, cut, start, end, cut, part) for start, end, cut, part in pieces]
    in_bytes: dict[int, int] = {}
    previous = length = 0
    for position in sorted({position for *positions, _ in pieces for position in positions}):
        length += len(_utf8(text[previous:position]))
        in_bytes[position] = length
        previous = position
    return [
        Step(start, end, cut, in_bytes[start], in_bytes[end], in_bytes[cut], part)
        for start, end, cut, part in pieces
    ]


_TAG_NAMES = ("think", "thinking", "thought", "answer", "code")
_LEADING = re.compile(rf"(?:\s|</?(?:{'|'.join(_TAG_NAMES)})>)*")
_TAGS = tuple(f"<{slash}{name}>" for name in _TAG_NAMES for slash in ("/", ""))


def _pieces(text: str, low: int, high: int, policy: SplitPolicy) -> Iterator[tuple[int, int, int]]:
    """Yield (start, end, cut) of every step between `low` and `high`; the last cut is `high`."""
    start_of = _code_start if policy.by == "code" else _text_start
    found: list[list[int]] = []
    begin = low
    for end, cut in (*BOUNDARIES[policy.by](text, low, high, policy.separator), (high, high)):
        start = start_of(text, begin, end)
        last = _end_without_tags(text, start, end)
        if start < last:
            found.append([start, last, cut])
        elif found:  # nothing but white space and tags: they belong to the step before
            found[-1][2] = cut
        begin = cut
    for start, end, cut in found:
        yield start, end, cut


def _text_start(text: str, begin: int, end: int) -> int:
    """Return where the white space and tags at `begin` end."""
    match = _LEADING.match(text, begin, end)
    return match.end() if match else begin


def _code_start(text: str, begin: int, end: int) -> int:
    """Return where the first line that is not blank starts, with its indentation; `end` if all are blank."""
    blank = len(text[begin:end]) - len(text[begin:end].lstrip())
    if begin + blank == end:
        return end
    return max(begin, text.rfind("\n", begin, begin + blank) + 1)


def _end_without_tags(text: str, start: int, end: int) -> int:
    """Return where the text of a step ends, before the white space and tags at its end."""
    while True:
        end = start + len(text[start:end].rstrip())
        tag = next((tag for tag in _TAGS if text.endswith(tag, start, end)), None)
        if tag is None:
            return end
        end -= len(tag)
