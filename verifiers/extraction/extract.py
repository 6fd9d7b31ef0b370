r"""Finding the final answer in a completion by an ordered list of rules; the first that finds one decides.

    answer_tag    the last <answer>...</answer>
    boxed         the last \boxed{...} or \fbox{...}; boxes joined by `,` `and` `or` are one list
    hashes        what follows the last ####, to the end of the line
    answer_is     what follows the last "the answer is", to the end of the sentence; "option C is right"
    bold          the last **...**
    last_formula  the last formula in math mode, if no number follows
    last_number   the last number, with its unit
    short_text    the whole of one short line, or of one that starts with a choice letter
    {after: T}    what follows the last T, to the end of the line
    {regex: R}    the last match of R: its group 1, or the whole

`strict` (for training) takes a tag or a box only; `lenient` (for evaluation) takes all named rules in
this order. The thinking part is never searched. The rules are in `rules.py` and `boxes.py`. The text around
an answer can make it wrong (`objections.py`).
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from ...sandbox.errors import TaskError, UnknownNameError
from ..completion import SEARCHED_CHARS, Extracted, thinking_end
from ..verdict import Reason
from .boxes import AnswerSpan, boxed, unboxed
from .objections import objection
from .rules import PLAIN_TEXT, RULES, Rule, last_match, line_after, tail_of

PLAIN_CHARS = 20_000
"""Rules for plain text search only this many characters at the end."""

ExtractSpec = str | Sequence[str | Mapping[str, Any]]
"""The name of a preset, or an ordered list of rules."""
WHOLE: tuple[str, Rule] = ("whole", lambda text: AnswerSpan(0, len(text)))
"""The rule that takes the whole text, for verifiers that need no extraction."""
PRESETS: dict[str, tuple[str, ...]] = {"strict": ("answer_tag", "boxed"), "lenient": tuple(RULES)}


def rules_of(extract: ExtractSpec, where: str = "extract") -> list[tuple[str, Rule]]:
    """Return the (name, rule) pairs of a preset or of a list of rules.

    Args:
        extract: a preset or an ordered list of rules (see the module).
        where: the file, line and key of `extract`, for messages.

    Raises:
        UnknownNameError: there is no such preset or rule.
        TaskError: a rule is malformed.
    """
    if not isinstance(extract, str | list | tuple):
        raise TaskError(
            f"{where}: expected a preset ({', '.join(PRESETS)}) or a list of rules, such as"
            f" [answer_tag, boxed] (given: {extract!r})"
        )
    if isinstance(extract, str):
        if extract not in PRESETS:
            raise UnknownNameError.of("extraction preset", extract, PRESETS, where=where)
        return [(name, RULES[name]) for name in PRESETS[extract]]
    return [_rule(rule, where) for rule in extract]


def _rule(rule: str | Mapping[str, Any], where: str) -> tuple[str, Rule]:
    if isinstance(rule, str):
        if rule not in RULES:
            known = [*RULES, "{after: TEXT}", "{regex: R}"]
            raise UnknownNameError.of("extraction rule", rule, known, where=where)
        return rule, RULES[rule]
    if not isinstance(rule, Mapping) or len(rule) != 1 or next(iter(rule)) not in ("after", "regex"):
        raise TaskError(
            f"{where}: expected a rule's name ({', '.join(RULES)}), {{after: TEXT}} or {{regex: R}}"
            f" (given: {rule!r})"
        )
    kind, value = next(iter(rule.items()))
    if not isinstance(value, str) or not value:
        raise TaskError(f"{where}: {kind} needs a text to look for (given: {value!r}); put it in quotes")
    try:
        return f"{kind} {value!r}", line_after(value) if kind == "after" else last_match(value)
    except re.error as error:
        raise TaskError(
            f"{where}: {value!r} is not a regular expression: {error}; correct it, or give a literal text"
            " with {after: TEXT}"
        ) from error


_kept_rules = lru_cache(maxsize=64)(rules_of)


def ready_rules(extract: ExtractSpec) -> list[tuple[str, Rule]]:
    """Return the same as `rules_of`, which need not look up a preset again for every completion."""
    return _kept_rules(extract) if isinstance(extract, str) else rules_of(extract)


def extract_answer(text: str, *, extract: ExtractSpec = "strict") -> Extracted:
    r"""Find the final answer in a completion.

        >>> from markscheme.verifiers import extract_answer
        >>> found = extract_answer(r"<think>6 * 7 ...</think> So it is \boxed{42}.")
        >>> found.text, found.rule
        ('42', 'boxed')
        >>> extract_answer("The answer is 42.").reason  # `strict` takes tags and boxes only
        <Reason.NO_ANSWER: 'no_answer'>
        >>> extract_answer("The answer is 42.", extract="lenient").text
        '42'
        >>> extract_answer(r"It is not \boxed{42}.").reason
        <Reason.DENIED: 'denied'>
        >>> extract_answer(r"It is \boxed{42} or 43.").reason
        <Reason.AMBIGUOUS: 'ambiguous'>

    Args:
        text: the completion, together with what the chat template wrote before it (an opened `<think>`).
        extract: `strict`, `lenient`, or an ordered list of rules such as `["boxed", {"after": "A: "}]`.

    Raises:
        UnknownNameError: there is no such preset or rule.
        TaskError: a rule is malformed.
    """
    return extract_by(ready_rules(extract), text)


def extract_by(rules: Sequence[tuple[str, Rule]], text: str) -> Extracted:
    """Find the final answer by the (name, rule) pairs that `rules_of` returned."""
    offset = max(0, len(text) - SEARCHED_CHARS, thinking_end(text))
    body = text[offset:]
    if "<" in body:
        # Comments become spaces, so that all spans stay right.
        body = _COMMENT.sub(lambda match: " " * len(match.group()), body)
        body = _END_TOKENS.sub("", body)
    for name, rule in rules:
        skipped = max(0, len(body) - PLAIN_CHARS) if name in PLAIN_TEXT else 0
        span = rule(body[skipped:] if skipped else body)
        if span is None:
            continue
        if skipped:
            span = AnswerSpan(span.start + skipped, span.end + skipped, span.closed)
        if name not in ("boxed", "whole") and not name.startswith("regex"):
            span = _inner_box(body, span)
        return _extracted(name, body, span, offset)
    return Extracted(None, reason=Reason.NO_ANSWER)


def _extracted(name: str, body: str, span: AnswerSpan, offset: int) -> Extracted:
    """Return the answer at `span`, cleaned as its rule needs, and the reason if it is wrong already."""
    answer = body[span.start : span.end].strip()
    if "box" in answer:
        answer = unboxed(answer)
    if name in PLAIN_TEXT:
        answer = answer.strip("*_ ").rstrip(",;:").strip()
        answer = tail_of(answer).strip("*_ ").rstrip(",;:")
        answer = re.sub(r"</\w+>$", "", answer)
    elif not span.closed:
        answer = answer.rstrip("*$.").strip()
    if name == "whole":
        reason = None
    elif answer:
        reason = objection(body, span)
    else:
        reason = Reason.EMPTY
    return Extracted(answer, name, (span.start + offset, span.end + offset), reason, span.closed)


_COMMENT = re.compile(r"<!--(?:(?!-->).)*-->", re.DOTALL)
_END_TOKENS = re.compile(
    r"(?:\s{0,9}(?:</?s>|<eos>|<end_of_turn>|<\|[a-z_]{1,30}\|>|<｜[^<>｜]{1,30}｜>)){1,9}\s*\Z"
)
"""End-of-sequence tokens that an engine left in the text."""


def _inner_box(text: str, span: AnswerSpan) -> AnswerSpan:
    """Return the span of the box inside what a rule found, if it has one: a tag may hold a whole sentence."""
    inner = boxed(text[span.start : span.end])
    if inner is None:
        return span
    return AnswerSpan(span.start + inner.start, span.start + inner.end, span.closed and inner.closed)
