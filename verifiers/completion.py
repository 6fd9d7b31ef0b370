"""What every verifier of a completion needs: the whole answer, the end of its thinking, what was found."""

import re
from dataclasses import dataclass

from ..tasks.problem import Completion, Problem
from .verdict import Reason

SEARCHED_CHARS = 100_000
"""Only this many characters at the end of a completion are searched: an answer stands at the end."""

Span = tuple[int, int]
"""Where something stands: characters [start, end)."""


@dataclass(slots=True)
class Extracted:
    """What extraction found. `text` is None when no rule found anything."""

    text: str | None
    rule: str = ""
    """The rule that found it."""
    span: Span | None = None
    """Where it stands in the completion: characters [start, end)."""
    reason: Reason | None = None
    """no_answer or empty, where `text` cannot be judged; denied, ambiguous or contradicts, where the
    completion does not stand by it."""
    closed: bool = True
    """False where the box or tag was never closed: a text that was cut off may have gone on."""


def whole_answer(problem: Problem, completion: Completion) -> str:
    """Return the answer from its first tag on, whoever wrote it: the template or the policy."""
    if completion.prefill:
        return completion.prefill + completion.text
    opened = re.search(r"<think>\s{0,20}$", problem.prompt[-40:]) if isinstance(problem.prompt, str) else None
    return opened.group() + completion.text if opened else completion.text


_THINKING = re.compile(
    r"<(?P<closed>/)?(?:think(?:ing)?|reasoning|thoughts?|seed:think|scratchpad)\s{0,9}>|<\|(?:begin|(?P<ended>end))_of_thought\|>",
    re.IGNORECASE,
)
_BRACKETED = (("[THINK]", "[/THINK]"), ("◁think▷", "◁/think▷"))


def thinking_end(text: str) -> int:
    """Return where the thinking part ends: all of the text if it was opened and never closed."""
    after, opened = 0, -1
    for mark in _THINKING.finditer(text) if "<" in text else ():
        if mark["closed"] or mark["ended"]:
            after = mark.end()
        else:
            opened = mark.start()
    for opening, closing in _BRACKETED:
        if (at := text.rfind(opening)) >= 0:
            opened = max(opened, at)
            end = text.find(closing, at)
            after = max(after, end + len(closing) if end >= 0 else 0)
    return len(text) if opened >= after and opened >= 0 else after
