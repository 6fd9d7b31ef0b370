r"""Finding the final answer in a completion: an ordered list of rules, each of which can be left out.

    answer_tag   the last <answer>...</answer>
    boxed        the last \boxed{...}; boxes joined by `,` `and` `or` are one list
    hashes       what follows the last ####, to the end of the line
    answer_is    what follows the last "the answer is", to the end of the sentence
    bold         the last **...**
    last_number  the last number
    {after: T}   what follows the last T, to the end of the line
    {regex: R}   the last match of R: its group 1, or the whole

The first rule that finds something wins; each looks once, from the right. Text inside the thinking
part never counts. `strict` (for training) takes tag or box only; `lenient` (for evaluation) all.
"""

import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ..sandbox.errors import TaskError, UnknownNameError
from .verdict import Reason

MAX_CHARS = 100_000
"""Only the last so many characters are searched: an answer stands at the end."""

Span = tuple[int, int]
Rule = Callable[[str], Span | None]
ExtractSpec = str | Sequence[str | Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Extracted:
    """What extraction found. `text` is None when no rule found anything."""

    text: str | None
    rule: str = ""
    """The rule that found it."""
    span: Span | None = None
    """Where it stands in the completion: characters [start, end)."""
    reason: Reason | None = None
    """no_answer or empty, where `text` cannot be judged."""


def _answer_tag(text: str) -> Span | None:
    end = text.rfind("</answer>")
    start = text.rfind("<answer>", 0, end) if end >= 0 else -1
    return (start + len("<answer>"), end) if start >= 0 else None


def _boxed(text: str) -> Span | None:
    """Return the content of the last box; where boxes are joined, from the first to the last."""
    last = _last_box(text, len(text))
    if last is None:
        return None
    start, end, command = last
    while (before := _last_box(text, command)) is not None:
        between = text[before[1] + 1 : command]
        if not re.fullmatch(r"[\s$]*(?:,|,?\s*(?:and|or)\b|\\text\{\s*(?:and|or)\s*\})[\s$]*", between):
            break
        start, command = before[0], before[2]
    return start, end


_BOX = re.compile(r"\\f?boxed\s*\{")


def _last_box(text: str, before: int) -> tuple[int, int, int] | None:
    """Return (content start, content end, command start) of the last box that closes by `before`."""
    command = before
    while (command := max(text.rfind("\\boxed", 0, command), text.rfind("\\fboxed", 0, command))) >= 0:
        match = _BOX.match(text, command)
        if match:
            end = _closing_brace(text, match.end(), before)
            # An unclosed last box was cut off: what it would have said is not known.
            return (match.end(), end, command) if end is not None else None
    return None


def _closing_brace(text: str, start: int, stop: int) -> int | None:
    depth = 1
    for match in _BRACE.finditer(text, start, stop):
        brace = match.group()
        depth += (brace == "{") - (brace == "}")
        if depth == 0:
            return match.start()
    return None


_BRACE = re.compile(r"\\[{}\\]|[{}]")


def _line_after(marker: str) -> Rule:
    def find(text: str) -> Span | None:
        at = text.rfind(marker)
        if at < 0:
            return None
        start = at + len(marker)
        end = text.find("\n", start)
        return start, len(text) if end < 0 else end

    return find


def _last_match(pattern: str, flags: int = 0) -> Rule:
    compiled = re.compile(pattern, flags)

    def find(text: str) -> Span | None:
        last = deque(compiled.finditer(text), maxlen=1)
        return None if not last else last[0].span(1 if compiled.groups else 0)

    return find


RULES: dict[str, Rule] = {
    "answer_tag": _answer_tag,
    "boxed": _boxed,
    "hashes": _line_after("####"),
    "answer_is": _last_match(
        r"\banswer\s*(?:is|:|=)\s*:?\s*([^\n]{1,300}?)(?=[.!?]?\s*(?:\n|$)|[.!?]\s)", re.IGNORECASE
    ),
    "bold": _last_match(r"\*\*([^*\n]{1,300})\*\*"),
    "last_number": _last_match(r"(?<![\w.])[-−]?\$?\d[\d,]*(?:\.\d+)?(?:/\d+)?%?"),
}
PRESETS: dict[str, tuple[str, ...]] = {"strict": ("answer_tag", "boxed"), "lenient": tuple(RULES)}


def rules_of(extract: ExtractSpec, where: str = "extract") -> list[tuple[str, Rule]]:
    """Return the (name, rule) pairs that a preset or a list of rules means.

    Raises:
        UnknownNameError: no such preset or rule. TaskError: a rule is malformed.
    """
    if isinstance(extract, str):
        if extract not in PRESETS:
            raise UnknownNameError.of("extraction preset", extract, PRESETS, where=where)
        return [(name, RULES[name]) for name in PRESETS[extract]]
    return [_rule(rule, where) for rule in extract]


def _rule(rule: str | Mapping[str, Any], where: str) -> tuple[str, Rule]:
    if isinstance(rule, str):
        if rule not in RULES:
            raise UnknownNameError.of(
                "extraction rule", rule, [*RULES, "{after: TEXT}", "{regex: R}"], where=where
            )
        return rule, RULES[rule]
    if len(rule) != 1 or next(iter(rule)) not in ("after", "regex"):
        raise TaskError(
            f"{where}: expected a rule's name, {{after: TEXT}} or {{regex: R}} (given: {dict(rule)!r})"
        )
    kind, value = next(iter(rule.items()))
    if not isinstance(value, str) or not value:
        raise TaskError(f"{where}: {kind} needs a text (given: {value!r})")
    try:
        return f"{kind} {value!r}", _line_after(value) if kind == "after" else _last_match(value)
    except re.error as error:
        raise TaskError(f"{where}: {value!r} is not a regular expression: {error}") from error


@lru_cache(maxsize=64)
def _preset_rules(extract: str) -> list[tuple[str, Rule]]:
    return rules_of(extract)


def extract_answer(text: str, *, extract: ExtractSpec = "strict") -> Extracted:
    """Find the final answer in a completion.

    Args:
        text: the completion, with what a template put before it (an opened `<think>`).
        extract: `strict`, `lenient`, or an ordered list of rules (see the module).
    """
    rules = _preset_rules(extract) if isinstance(extract, str) else rules_of(extract)
    return extract_by(rules, text)


def extract_by(rules: Sequence[tuple[str, Rule]], text: str) -> Extracted:
    """Find the final answer by rules that `rules_of` gave."""
    offset = max(0, len(text) - MAX_CHARS, thinking_end(text))
    body = text[offset:]
    for name, find in rules:
        span = find(body)
        if span is None:
            continue
        span = span if name == "boxed" else _inner_box(body, span)
        found = _unbox_list(body[span[0] : span[1]].strip())
        reason = None if found else Reason.EMPTY
        return Extracted(found, name, (span[0] + offset, span[1] + offset), reason)
    return Extracted(None, reason=Reason.NO_ANSWER)


def thinking_end(text: str) -> int:
    """Return where the thinking part ends: all of the text if `<think>` was never closed."""
    close = text.rfind("</think>")
    after = close + len("</think>") if close >= 0 else 0
    return len(text) if text.find("<think>", after) >= 0 else after


def _inner_box(text: str, span: Span) -> Span:
    """Return the box inside what a rule found, if there is one: a tag may hold a whole sentence."""
    inner = _boxed(text[span[0] : span[1]])
    return span if inner is None else (span[0] + inner[0], span[0] + inner[1])


def _unbox_list(found: str) -> str:
    r"""Drop the box commands between joined boxes: `1}, \boxed{2` is `1, 2`."""
    return re.sub(
        r"\}([\s$]*(?:,|,?\s*(?:and|or)\b|\\text\{\s*(?:and|or)\s*\})[\s$]*)\\f?boxed\s*\{",
        r"\1",
        found,
    )
