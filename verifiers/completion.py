"""What all verifiers of completions use: the text to judge, the end of its thinking, an extracted answer."""

import re
from dataclasses import dataclass

from ..tasks.problem import Completion, Problem
from .verdict import Reason

SEARCHED_CHARS = 100_000
"""Only this many characters at the end of a completion are searched, since answers come last."""

Span = tuple[int, int]
"""A place in a text: characters [start, end)."""


@dataclass(slots=True)
class Extracted:
    """The result of looking for a final answer in a completion."""

    text: str | None
    """The answer; None if no rule found one."""
    rule: str = ""
    """Name of the rule that found it."""
    span: Span | None = None
    """Its place in the completion."""
    reason: Reason | None = None
    """Why the answer is wrong without being compared: there is none (`no_answer`, `empty`), or the text
    around it speaks against it (`denied`, `ambiguous`, `contradicts`). None = it can be compared."""
    closed: bool = True
    """False if the box or tag was never closed: a completion that was cut off might have gone on."""


def whole_answer(problem: Problem, completion: Completion) -> str:
    """Return the completion, preceded by what the chat template wrote of it, such as an opened `<think>`.

    That part is the completion's `prefill`, or, for a prompt that is text, a `<think>` at its end.
    """
    if completion.prefill:
        return completion.prefill + completion.text
    if not isinstance(problem.prompt, str):
        return completion.text
    opened = re.search(r"<think>\s{0,20}$", problem.prompt[-40:])
    return opened.group() + completion.text if opened else completion.text


_THINKING = re.compile(
    r"<(?P<closed>/)?(?:think(?:ing)?|reasoning|thoughts?|seed:think|scratchpad)\s{0,9}>|<\|(?:begin|(?P<ended>end))_of_thought\|>",
    re.IGNORECASE,
)
_BRACKETED = (("[THINK]", "[/THINK]"), ("◁think▷", "◁/think▷"))


def thinking_end(text: str) -> int:
    """Return the index at which the thinking part ends: 0 without one, `len(text)` if it is never closed."""
    end_of_last, last_opened = 0, -1
    if "<" in text:
        for mark in _THINKING.finditer(text):
            if mark["closed"] or mark["ended"]:
                end_of_last = mark.end()
            else:
                last_opened = mark.start()
    for opening, closing in _BRACKETED:
        opened_at = text.rfind(opening)
        if opened_at >= 0:
            last_opened = max(last_opened, opened_at)
            closed_at = text.find(closing, opened_at)
            if closed_at >= 0:
                end_of_last = max(end_of_last, closed_at + len(closing))
    never_closed = last_opened >= end_of_last and last_opened >= 0
    return len(text) if never_closed else end_of_last
