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
from collections.abc import Callable, Iterator, Mapping, Sequence
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
    # An answer opened after that was cut off: what it would have said is not known.
    if end < 0 or text.find("<answer>", end) >= 0:
        return None
    start = text.rfind("<answer>", 0, end)
    return (start + len("<answer>"), end) if start >= 0 else None


def _boxed(text: str) -> Span | None:
    """Return the content of the last box; where boxes are joined, from the first to the last."""
    last = _last_box(text, len(text))
    if last is None:
        return None
    start, end, command = last
    while (before := _last_box(text, command)) is not None:
        if not _JOINED.fullmatch(text[before[1] + 1 : command].strip(" \n$")):
            break
        start, command = before[0], before[2]
    return start, end


_BOX = re.compile(r"\\f?boxed\s*\{")
_JOINED = re.compile(r",?\s?(?:and|or)|,|,?\s?\\text\{\s?(?:and|or)\s?\}")


def _last_box(text: str, before: int) -> tuple[int, int, int] | None:
    """Return (content start, content end, command start) of the last box that closes by `before`."""
    command = before
    while (command := max(text.rfind("\\boxed", 0, command), text.rfind("\\fboxed", 0, command))) >= 0:
        match = _BOX.match(text, command)
        if match is None and re.match(r"\\f?boxed[A-Za-z]", text[command : command + 9]):
            continue  # another command
        end = _closing_brace(text, match.end(), before) if match else None
        # An unclosed last box was cut off: what it would have said is not known.
        return (match.end(), end, command) if match and end is not None else None
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
        span = last[0].span(1 if compiled.groups else 0) if last else (-1, -1)
        return span if span[0] >= 0 else None

    return find


def _not_a_label(find: Callable[[str], Iterator[re.Match[str]]]) -> Rule:
    """Take the last match that is not a heading: `**Answer:**`, `#### Final Answer`."""

    def last(text: str) -> Span | None:
        for match in reversed(list(find(text))):
            words, after = match[1].strip(), text[match.end() : match.end() + 1]
            heading = words.endswith(":") or (after in (":", "\n") and re.search(r"\d", words) is None)
            if not (heading and len(words) > 2):
                return match.span(1)
        return None

    return last


_NUMBER = re.compile(
    r"(?:(?<![\w)\]}])[-−–] ?)?[$€£]?(?:\d[\d,]*(?:\.\d+)?|\.\d+)(?: \d{3}(?!\d))*(?: \d+/\d+|/\d+)?%?"
)


def _last_number(text: str) -> Span | None:
    """Take the last number with all that is attached to it: a piece of `x^2` would be another."""
    found = deque(_NUMBER.finditer(text), maxlen=1)
    if not found:
        return None
    start, end = found[0].span()
    while start > 0 and not text[start - 1].isspace() and text[start - 1] not in "*_([=:,":
        start -= 1
    while end < len(text) and not text[end].isspace() and text[end] not in "*_,;:!?":
        end += 1
    return start, end


_BOLD = re.compile(r"\*\*([^*\n]{1,300})\*\*")
_HASHES = re.compile(r"####([^\n]*)")

RULES: dict[str, Rule] = {
    "answer_tag": _answer_tag,
    "boxed": _boxed,
    "hashes": _not_a_label(_HASHES.finditer),
    "answer_is": _last_match(
        r"\banswer[ *_]{0,9}(?:is|:|=)[ :*_]{0,9}([^\s][^\n]{0,299}?)(?=[.!?]?[ *_]{0,9}(?:\n|$)|[.!?] )",
        re.IGNORECASE,
    ),
    "bold": _not_a_label(_BOLD.finditer),
    "last_number": _last_number,
}
PLAIN_TEXT = ("hashes", "answer_is", "bold", "last_number")
"""Rules whose find may wear emphasis or end in punctuation."""
WHOLE: tuple[str, Rule] = ("whole", lambda text: (0, len(text)))
PRESETS: dict[str, tuple[str, ...]] = {"strict": ("answer_tag", "boxed"), "lenient": tuple(RULES)}


def rules_of(extract: ExtractSpec, where: str = "extract") -> list[tuple[str, Rule]]:
    """Return the (name, rule) pairs that a preset or a list of rules means.

    Raises:
        UnknownNameError: no such preset or rule. TaskError: a rule is malformed.
    """
    if not isinstance(extract, str | list | tuple):
        raise TaskError(f"{where}: expected a preset or a list of rules (given: {extract!r})")
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
    if not isinstance(rule, Mapping) or len(rule) != 1 or next(iter(rule)) not in ("after", "regex"):
        raise TaskError(f"{where}: expected a rule's name, {{after: TEXT}} or {{regex: R}} (given: {rule!r})")
    kind, value = next(iter(rule.items()))
    if not isinstance(value, str) or not value:
        raise TaskError(f"{where}: {kind} needs a text (given: {value!r})")
    try:
        return f"{kind} {value!r}", _line_after(value) if kind == "after" else _last_match(value)
    except re.error as error:
        raise TaskError(f"{where}: {value!r} is not a regular expression: {error}") from error


_kept_rules = lru_cache(maxsize=64)(rules_of)


def ready_rules(extract: ExtractSpec) -> list[tuple[str, Rule]]:
    """Return what `rules_of` does; a preset's rules are looked up once."""
    return _kept_rules(extract) if isinstance(extract, str) else rules_of(extract)


def extract_answer(text: str, *, extract: ExtractSpec = "strict") -> Extracted:
    """Find the final answer in a completion.

    Args:
        text: the completion, with what a template put before it (an opened `<think>`).
        extract: `strict`, `lenient`, or an ordered list of rules (see the module).
    """
    return extract_by(ready_rules(extract), text)


def extract_by(rules: Sequence[tuple[str, Rule]], text: str) -> Extracted:
    """Find the final answer by rules that `rules_of` gave."""
    offset = max(0, len(text) - MAX_CHARS, thinking_end(text))
    body = text[offset:]
    for name, find in rules:
        span = find(body)
        if span is None:
            continue
        if name != "boxed" and name != "whole" and not name.startswith("regex"):
            span = _inner_box(body, span)
        found = _unbox_list(body[span[0] : span[1]].strip())
        found = found.strip("*_ ").rstrip(",;:").strip() if name in PLAIN_TEXT else found
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


_BETWEEN = re.compile(
    r"\}([ $\n]{0,20}(?:,? ?(?:and|or)|,|,? ?\\text\{ ?(?:and|or) ?\})[ $\n]{0,20})\\f?boxed {0,9}\{"
)


def _unbox_list(found: str) -> str:
    r"""Drop the box commands between joined boxes: `1}, \boxed{2` is `1, 2`."""
    return _BETWEEN.sub(r"\1", found)
