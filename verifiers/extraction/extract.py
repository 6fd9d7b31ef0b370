r"""Finding the final answer in a completion by an ordered list of rules; the first that finds one decides.

    answer_tag    the last <answer>...</answer>
    boxed         the last \boxed{...} or \fbox{...}; boxes joined by `,` `and` `or` are one list
    hashes        what follows the last ####, to the end of the line
    answer_is     what follows the last "the answer is", to the end of the sentence; "option C is right"
    bold          the last **...**
    chosen_letter the choice letter that prose chooses
    last_formula  the last formula in math mode, if no number follows
    last_number   the last number, with its unit
    short_text    the whole of one short line, or of one that starts with a choice letter
    {after: T}    what follows the last T, to the end of the line
    {regex: R}    the last match of R: its group 1, or the whole

`strict` (for training) takes a tag or a box only; `lenient` (for evaluation) takes what the first four rules
find last, and else the others in this order. The thinking part is never searched. The rules are in `rules.py`
and `boxes.py`. The text around an answer can make it wrong (`objections.py`).
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import regex

from ...sandbox.errors import TaskError, UnknownNameError
from ..completion import (
    END_TOKENS,
    SEARCHED_CHARS,
    THINKING,
    TURN_END,
    AnswerSpan,
    Extracted,
    Marks,
    ThinkingMark,
    thinking_end,
    thinking_marks,
)
from ..prose.lead_ins import names_answer
from ..prose.places import PLACE_CHARS, is_value, value_in
from ..prose.words_before import (
    is_supposed,
)
from ..spelling.east_asian import CHARACTERS
from ..verdict import Reason
from .boxes import boxed, unboxed
from .later_values import later_values
from .objections import (
    nothing_follows,
    objection_after,
    objection_before,
    retraction,
    values_offered_before,
)
from .rules import PLAIN_TEXT, RULES, STATED, Rule, last_match, line_after

PLAIN_CHARS = 20_000
"""Rules for plain text search only this many characters at the end."""

ExtractRule = str | Mapping[str, Any]
ExtractSpec = str | Sequence[ExtractRule | Sequence[ExtractRule]]
"""The name of a preset, or an ordered list of rules and of lists of rules."""
WHOLE: tuple[tuple[str, Rule]] = (("whole", lambda text: AnswerSpan(0, len(text))),)
"""The rule that takes the whole text, for verifiers that need no extraction."""
Group = tuple[tuple[str, Rule], ...]
"""Rules with their names; the one that finds the latest answer decides. Usually it is a single rule."""
PRESETS: dict[str, tuple[Any, ...]] = {
    "strict": ("answer_tag", "boxed"),
    "lenient": (STATED, *(name for name in RULES if name not in STATED)),
}


def rules_of(extract: ExtractSpec, where: str = "extract") -> list[Group]:
    """Return the groups of rules of a preset, or of a list of rules.

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
        extract = PRESETS[extract]
    return [_group(rule, where) for rule in extract]


def _group(rule: ExtractRule | Sequence[ExtractRule], where: str) -> Group:
    """Return a rule as a group of its own, or the rules of a list as one group."""
    rules = (rule,) if isinstance(rule, str | Mapping) else rule
    named = [_rule(each, where) for each in rules]
    return tuple(
        (name, find if name == "boxed" or name.startswith("regex") else _with_inner_box(name, find))
        for name, find in named
    )


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
    except regex.error as error:
        raise TaskError(
            f"{where}: {value!r} is not a regular expression: {error}; correct it, or give a literal text"
            " with {after: TEXT}"
        ) from error


_kept_rules = lru_cache(maxsize=64)(rules_of)


def ready_rules(extract: ExtractSpec) -> list[Group]:
    """Return the same as `rules_of`, which need not look up a preset again for every completion."""
    return _kept_rules(extract) if isinstance(extract, str) else rules_of(extract)


def extract_answer(
    text: str, *, extract: ExtractSpec = "strict", thinking: Sequence[ThinkingMark] = ()
) -> Extracted:
    r"""Find the final answer in a completion.

        >>> from markscheme.verifiers import extract_answer
        >>> found = extract_answer(r"<think>6 * 7 ...</think> So it is \boxed{42}.")
        >>> found.text, found.rule
        ('42', 'boxed')
        >>> extract_answer("The answer is 42.").reason  # `strict` takes tags and boxes only
        <Reason.NO_ANSWER: 'no_answer'>
        >>> extract_answer("So the answer is:\n\n**42 apples**, as I said.", extract="lenient").text
        '42 apples'
        >>> extract_answer(r"It is not \boxed{42}.").reason
        <Reason.DENIED: 'denied'>
        >>> extract_answer(r"It is \boxed{42} or 43.").later  # must match the reference too
        ('43',)

    Args:
        text: the completion, together with what the chat template wrote before it (an opened `<think>`).
        extract: `strict`, `lenient`, or an ordered list of rules such as `["boxed", {"after": "A: "}]`. Of
            rules in a list of their own, the one that finds the latest answer decides.
        thinking: further marks of the thinking part, which is never searched: the names of tags, or pairs of
            an opening and a closing text.

    Raises:
        UnknownNameError: there is no such preset or rule.
        TaskError: a rule is malformed.
    """
    return extract_by(ready_rules(extract), text, thinking_marks(thinking))


def extract_by(groups: Sequence[Group], text: str, marks: Marks = THINKING) -> Extracted:
    """Find the final answer by the groups of rules that `rules_of` returned."""
    offset = max(0, len(text) - SEARCHED_CHARS, thinking_end(text, marks))
    body = text[offset:]
    if "<" in body:
        body = _without_marks(body)
    if "~" in body:  # one character is found much more quickly than two are
        body = _STRUCK.sub(_blank, body)
    if "`" in body or not body.isascii():
        body = _FULL_WIDTH.sub(lambda letter: chr(ord(letter[0]) - 0xFEE0), _DECORATION.sub(_blank, body))
    try:
        for group in groups:
            best, found_by = None, ""
            for name, rule in group:
                span = rule(body)
                if span is not None and (best is None or _is_later(body, span, name, best)):
                    best, found_by = span, name
            if best is not None:
                return _extracted(found_by, body, best, offset)
    except TimeoutError:  # a pattern of the task's author
        return Extracted(None, reason=Reason.TIMEOUT)
    return Extracted(None, reason=Reason.NO_ANSWER)


def _without_marks(body: str) -> str:
    """Return a text without comments and special tokens; they become spaces, so that all spans stay right."""
    if "<!--" in body:
        end = body.rfind("-->") + 3  # nothing that is never closed is searched again and again
        body = _COMMENT.sub(_blank, body[:end]) + body[end:]
    if "<<" in body:
        body = _CALCULATOR.sub(_blank, body)
    if "<|" in body or "<｜" in body:
        body = _CHANNEL_TOKENS.sub(_blank, body)
        body = body.replace("<|begin_of_box|>", " " * 9 + r"\boxed{").replace(
            "<|end_of_box|>", "}" + " " * 13
        )
        turn_end = TURN_END.search(body)
        body = body[: turn_end.start()] if turn_end else body
    body = _EMPHASIS.sub(_blank, _DELETED.sub(_blank, body))
    return END_TOKENS.sub("", body) if body.rstrip().endswith(">") else body


def _with_inner_box(name: str, rule: Rule) -> Rule:
    """Return a rule that finds the box in what `rule` finds, if it has one: a tag may hold a whole sentence.

    Rules for plain text search the end of the text only.
    """
    searched = PLAIN_CHARS if name in PLAIN_TEXT else SEARCHED_CHARS

    def find(body: str) -> AnswerSpan | None:
        skipped = max(0, len(body) - searched)
        span = rule(body[skipped:] if skipped else body)
        if span is None:
            return None
        start, end = span.start + skipped, span.end + skipped
        inner = boxed(body[start:end])
        if inner is None:
            return AnswerSpan(start, end, span.closed)
        return AnswerSpan(start + inner.start, start + inner.end, span.closed and inner.closed)

    return find


def _is_later(body: str, span: AnswerSpan, name: str, best: AnswerSpan) -> bool:
    """Return whether an answer starts later than the best; a statement counts only if it gives a value."""
    if name != "answer_is":
        return span.start >= best.start
    names = span.start >= best.end and is_value(body, span) and names_answer(body, span.start)
    return names and not is_supposed(body, span.start, otherwise=True)


_READ_AFTER, _READ_AT_END = 700, 300
"""Of what follows an answer, only so many characters at its start and at its end are read."""


def _extracted(name: str, body: str, span: AnswerSpan, offset: int) -> Extracted:
    """Return the answer at `span`, cleaned as its rule needs, and the reason if it is wrong already."""
    start, end, closed = span
    answer = body[start:end].strip()
    if "box" in answer:
        answer = unboxed(answer)
    if name == "answer_tag":
        stated = (
            value_in(answer, 0, len(answer)) if len(answer) <= PLACE_CHARS else AnswerSpan(0, len(answer))
        )
        reason = objection_before(answer, stated.start)
        if reason is not None:
            return Extracted(answer, name, (start + offset, end + offset), reason, closed)
        answer = answer[stated.start : stated.end]
    elif name != "boxed" and name in PLAIN_TEXT:
        answer = re.sub(r"</\w+>$|\*\*", "", answer).strip("*_ ").rstrip(",;:").strip()
        if name == "last_formula":
            answer = _END_OF_MATH.sub("", answer)  # `$W = 50$ J` starts after its first dollar sign
    if not closed:
        answer = answer.rstrip("*$.").strip()
    place = (start + offset, end + offset)
    if name == "whole":
        return Extracted(answer, name, place, None, closed)
    if not answer:
        return Extracted(answer, name, place, Reason.EMPTY, closed)
    reason = objection_before(body, start)
    other = values_offered_before(body, start) if " or " in body[max(start - 20, 0) : start] else ()
    if reason is not None or nothing_follows(body, end):
        return Extracted(answer, name, place, reason, closed, other)
    if len(body) - end > _READ_AFTER + _READ_AT_END:
        body = f"{body[: end + _READ_AFTER]}omitted\nomitted{body[-_READ_AT_END:]}"  # no half is a sentence
    later = later_values(body, end, answer)
    reason = objection_after(body, end) or retraction(body, span, later)
    return Extracted(answer, name, place, reason, closed, other + later)


def _blank(match: re.Match[str]) -> str:
    return " " * len(match.group())


_COMMENT = re.compile(r"<!--(?:(?!-->).)*-->", re.DOTALL)
_END_OF_MATH = re.compile(r"(?<!\\)\$|\\[)\]]")
_FULL_WIDTH = re.compile(rf"[Ａ-Ｊ]|[０-９](?<=[{CHARACTERS}０-９][０-９])")
"""Choice letters and digits as Chinese and Japanese texts may write them."""
_DECORATION = re.compile("[`\u2600-\u2715\u2719-\u274b\u274d-\u27bf\u2b00-\u2bff\ufe0f\U0001f000-\U0001faff]")
"""Backticks and emoji, which only decorate an answer."""
_CALCULATOR = re.compile(r"<<[^<>=\n]{1,120}=[^<>\n]{1,60}>>")
"""GSM8K's notes for a calculator: `9 * 2 = <<9*2=18>>18`."""
_CHANNEL_TOKENS = re.compile(r"<\|(?:START_RESPONSE|END_RESPONSE|message|channel|start|end|return)\|>")
_EMPHASIS = re.compile(r"</?(?:b|i|u|em|ins|mark|strong|center|font|span)(?: [^<>\n]{0,60})?>", re.IGNORECASE)
_DELETED = re.compile(r"<(del|strike)>[^<>\n]{1,80}</\1>")
_STRUCK = re.compile(r"~~[^~\n]{1,80}~~")
