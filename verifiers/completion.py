"""What all verifiers of completions use: the text to judge, the end of its thinking, an extracted answer."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from os.path import commonprefix
from typing import NamedTuple

from ..tasks.problem import Completion, Problem
from .verdict import Reason

SEARCHED_CHARS = 100_000
"""Only this many characters at the end of a completion are searched, since answers come last."""

TURN_END = re.compile(r"<\|(?:im_end|endoftext|eot_id|end_of_text)\|>|<｜end▁of▁sentence｜>")
"""The end of the model's turn; what an engine left behind it is another turn."""
END_TOKENS = re.compile(
    r"(?:\s{0,9}(?:</?s>|<pad>|<eo[a-z]>|<end_of_turn>|<\|[a-z_]{1,30}\|>|<｜[^<>｜]{1,30}｜>)){1,9}\s*\Z"
)
"""End-of-sequence tokens that an engine left in the text."""

Span = tuple[int, int]
"""A place in a text: characters [start, end)."""


class AnswerSpan(NamedTuple):
    """The characters [start, end) of a text that are an answer."""

    start: int
    end: int
    closed: bool = True
    """False if the box or tag was never closed."""


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
    later: tuple[str, ...] = ()
    """Values that the completion states after its answer. If one of them is wrong, so is the answer."""


THINKING: tuple[tuple[str, str], ...] = (
    *((f"<{name}>", f"</{name}>") for name in (
        "think", "thinking", "reasoning", "thought", "thoughts", "analysis", "scratchpad", "reflection",
        "seed:think", "longcat_think", "inner_monologue", "planning", "thought_process",
        "reasoning_content", "rationale", "reason", "cot",
    )),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|thinking|>", "<|/thinking|>"),
    ("<|inner_prefix|>", "<|inner_suffix|>"),
    ("<|channel|>analysis", "<|channel|>final<|message|>"),
    ("<|channel|>commentary", "<|channel|>final<|message|>"),
    ("<|channel>thought", "<channel|>"),
    ("<unused94>", "<unused95>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
)  # fmt: skip
"""The marks around the thinking part of today's models: what opens it, and what closes it."""
_BARE = {"analysis": "assistantfinal", "commentary": "assistantfinal", "Thinking...": "...done thinking."}
"""Words that open the thinking part at the start of a text, and what closes it.

The first two are harmony's channels without their special tokens: `analysisWe add ...assistantfinal42`.
"""
_BARE_WORDS = tuple(_BARE)
_BARE_OPENING = re.compile(r"(analysis|commentary)(?=[A-Za-z\d\\\"'(*]| [A-Z])|(Thinking\.\.\.)(?=\n)")

ThinkingMark = str | tuple[str, str]
"""A mark that a task adds: the name of a tag, or what opens and what closes the thinking part."""
Marks = tuple[tuple[str, str], ...]


def thinking_marks(extra: Sequence[ThinkingMark]) -> Marks:
    """Return the known marks and a task's own, as pairs of texts.

    >>> thinking_marks(["plan", ("<<", ">>")])[-2:]
    (('<plan>', '</plan>'), ('<<', '>>'))
    """
    if not extra:
        return THINKING
    named = [(f"<{mark}>", f"</{mark}>") if isinstance(mark, str) else tuple(mark) for mark in extra]
    return THINKING + tuple((opening, closing) for opening, closing in named)


def whole_answer(problem: Problem, completion: Completion, thinking: Sequence[ThinkingMark] = ()) -> str:
    """Return the completion, preceded by what the chat template wrote of it, such as an opened `<think>`.

    That part is the completion's `prefill`, or, for a prompt that is text, a mark of thinking at its end.
    """
    if completion.prefill:
        return completion.prefill + completion.text
    if not isinstance(problem.prompt, str):
        return completion.text
    return opened_thinking(problem.prompt[-80:], thinking_marks(thinking)) + completion.text


def opened_thinking(prompt: str, marks: Marks = THINKING) -> str:
    """Return the mark of thinking, and the space after it, with which a prompt ends; empty if it has none."""
    body = prompt.rstrip()
    opening = next((opening for opening, _ in marks if body.endswith(opening)), "")
    return prompt[len(body) - len(opening) :] if opening else ""


def thinking_end(text: str, marks: Marks = THINKING) -> int:
    """Return the index at which the thinking part ends: 0 without one, `len(text)` if it is never closed."""
    end_of_last, last_opened = 0, -1
    if text.startswith(_BARE_WORDS) and (bare := _BARE_OPENING.match(text)):
        closing = _BARE[bare[0]]
        last_opened, at = 0, text.rfind(closing)
        end_of_last = at + len(closing) if at > 0 else 0
    for needle, pattern, closings in _KNOWN if marks is THINKING else _patterns(marks):
        if text.rfind(needle) < 0:  # on long texts quicker than `in`
            continue
        for mark in pattern.finditer(text):
            if re.sub(r"\s+>$", ">", mark.group()).lower() in closings:
                end_of_last = max(end_of_last, mark.end())
            else:
                last_opened = max(last_opened, mark.start())
    never_closed = last_opened >= end_of_last and last_opened >= 0
    return len(text) if never_closed else end_of_last


@lru_cache(maxsize=64)
def _patterns(marks: Marks) -> list[tuple[str, re.Pattern[str], frozenset[str]]]:
    """Return, for each first character: a text that all marks contain, their pattern, those that close.

    A pattern whose first character is fixed skips all other text quickly. Case does not count, nor does space
    before a final `>`.
    """
    closings = frozenset(closing.lower() for _, closing in marks)
    patterns = []
    for first in sorted({mark[0] for pair in marks for mark in pair}):
        written = sorted(
            {mark[1:] for pair in marks for mark in pair if mark[0] == first}, key=len, reverse=True
        )
        rests = [
            re.escape(rest[:-1]) + r"\s{0,9}>" if rest.endswith(">") else re.escape(rest) for rest in written
        ]
        pattern = re.compile(f"{re.escape(first)}(?i:{'|'.join(rests)})")
        # What all of these marks end with, because a bracket alone is frequent in formulas.
        ending = commonprefix([rest[::-1] for rest in written])[::-1]  # noqa: RUF071 (of characters, not of paths)
        patterns.append((ending if len(ending) > 1 else first, pattern, closings))
    return patterns


_KNOWN = _patterns(THINKING)
