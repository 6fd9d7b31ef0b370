r"""Tier 0: finding the final answer in a completion by an ordered list of rules.

    answer_tag    the last <answer>...</answer>
    boxed         the last \boxed{...} or kin; boxes joined by `,` `and` `or` are one list
    hashes        what follows the last ####, to the end of the line
    answer_is     what follows the last "the answer is", to the end of the sentence; "option C is right"
    bold          the last **...**
    last_formula  the last formula in math mode, if no number follows
    last_number   the last number, with its unit
    short_text    the whole of one short line, or of one that starts with a choice letter
    {after: T}    what follows the last T, to the end of the line
    {regex: R}    the last match of R: its group 1, or the whole

The first rule that finds something wins (`extract_rules.py`, `boxes.py`), and what the text around
says of it counts (`contexts.py`). Text inside the thinking part never does. `strict` (for training)
takes tag or box only; `lenient` (for evaluation) all.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from ...sandbox.errors import TaskError, UnknownNameError
from ..completion import SEARCHED_CHARS, Extracted, thinking_end
from ..verdict import Reason
from .boxes import Find, boxed, unboxed
from .objections import objection
from .rules import PLAIN_TEXT, RULES, Rule, last_match, line_after, tail_of

PLAIN_CHARS = 20_000
"""Rules for plain text search no more than this many characters at the end."""

ExtractSpec = str | Sequence[str | Mapping[str, Any]]
WHOLE: tuple[str, Rule] = ("whole", lambda text: Find(0, len(text)))
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
        return f"{kind} {value!r}", line_after(value) if kind == "after" else last_match(value)
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
    offset = max(0, len(text) - SEARCHED_CHARS, thinking_end(text))
    body = text[offset:]
    if "<" in body:
        body = _END_TOKENS.sub("", _COMMENT.sub(lambda match: " " * len(match.group()), body))
    for name, rule in rules:
        skipped = max(0, len(body) - PLAIN_CHARS) if name in PLAIN_TEXT else 0
        find = rule(body[skipped:] if skipped else body)
        if find is None:
            continue
        if skipped:
            find = Find(find.start + skipped, find.end + skipped, find.closed)
        if name not in ("boxed", "whole") and not name.startswith("regex"):
            find = _inner_box(body, find)
        return _extracted(name, body, find, offset)
    return Extracted(None, reason=Reason.NO_ANSWER)


def _extracted(name: str, body: str, find: Find, offset: int) -> Extracted:
    found = body[find.start : find.end].strip()
    if "box" in found:
        found = unboxed(found)
    if name in PLAIN_TEXT:
        found = re.sub(
            r"</\w+>$", "", tail_of(found.strip("*_ ").rstrip(",;:").strip()).strip("*_ ").rstrip(",;:")
        )
    elif not find.closed:
        found = found.rstrip("*$.").strip()
    reason = None if name == "whole" else objection(body, find) if found else Reason.EMPTY
    return Extracted(found, name, (find.start + offset, find.end + offset), reason, find.closed)


_COMMENT = re.compile(r"<!--(?:(?!-->).)*-->", re.DOTALL)
_END_TOKENS = re.compile(
    r"(?:\s{0,9}(?:</?s>|<eos>|<end_of_turn>|<\|[a-z_]{1,30}\|>|<｜[^<>｜]{1,30}｜>)){1,9}\s*\Z"
)


def _inner_box(text: str, find: Find) -> Find:
    """Return the box inside what a rule found, if there is one: a tag may hold a whole sentence."""
    inner = boxed(text[find.start : find.end])
    if inner is None:
        return find
    return Find(find.start + inner.start, find.start + inner.end, find.closed and inner.closed)
