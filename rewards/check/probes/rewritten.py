"""Metamorphic checks: right answers that are written in other ways, which must keep their marks."""

import json
import re
from collections.abc import Iterator

from ....tasks.problem import Completion
from ...scheme import MarkScheme
from .forms import Form, Forms, Sampled

_FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")
LOST = 0.5
"""Share of the ways of writing above which the scheme counts as accepting one text only."""


def rewritten(one: Sampled, form: Form) -> Iterator[tuple[str, str]]:
    """Yield right completions in other ways of writing, each with what was changed."""
    answer, before = one.right, form.before(one)
    is_number = re.fullmatch(r"-?\d+", answer)
    is_word = answer.isalpha() and answer.isascii() and len(answer) > 1
    has_room = form.name not in ("bare", "solution")
    yield "a line break after the text", form(one, answer) + "\n"
    yield "Windows line breaks", form(one, answer).replace("\n", "\r\n")
    if is_json(answer):
        yield "JSON with other spaces", before + form.wrap(one, json.dumps(json.loads(answer), indent=2))
        return
    if has_room:
        yield "spaces around the answer", before + form.wrap(one, f" {answer} ")
    if form.name in ("box", "tag"):
        yield "a sentence around the answer", f"{before}So the final answer is {form.wrap(one, answer)}."
    if is_word:
        yield "a full stop after a word", before + form.wrap(one, f"{answer}.")
        yield "a word in other letters", before + form.wrap(one, answer.swapcase())
    if is_number:
        yield "`.0` after a whole number", before + form.wrap(one, f"{answer}.0")
        yield "full-width digits", before + form.wrap(one, answer.translate(_FULL_WIDTH))
        yield "dollar signs around a number", before + form.wrap(one, f"${answer}$")
        yield r"\text{} around a number", before + form.wrap(one, rf"\text{{{answer}}}")


def is_json(text: str) -> bool:
    """Return whether a text is a JSON object or list."""
    try:
        return isinstance(json.loads(text), dict | list)
    except ValueError:
        return False


def rewritten_program(one: Sampled, form: Form) -> Iterator[tuple[str, str]]:
    """Yield right programs in other ways of writing, each with what was changed."""
    code = one.right
    yield "Windows line breaks", form(one, code.replace("\n", "\r\n"))
    yield "blank lines at the end", form(one, code + "\n\n")
    yield "a comment before the program", form(one, "# a comment\n" + code)
    if form.name == "program":
        yield "a sentence around the program", f"Here it is:\n{form(one, code)}\nThat is all."


def lost_by_rewriting(
    scheme: MarkScheme, forms: Forms, *, programs: bool
) -> tuple[dict[str, float], list[tuple[str, Sampled, str]]]:
    """Return the share of right answers that each way of writing loses, and examples of those that are lost.

    Args:
        scheme: the scheme.
        forms: how the scheme reads answers.
        programs: whether answers are programs.
    """
    write = rewritten_program if programs else rewritten
    rows = [
        (change, one, text)
        for one, score in forms.scores
        if scheme.is_right(score) is True
        for change, text in write(one, forms.best)
    ]
    scores = scheme.score([one.problem for _, one, _ in rows], [Completion(text) for _, _, text in rows])
    tried: dict[str, list[bool]] = {}
    lost = []
    for row, score in zip(rows, scores, strict=True):
        kept = scheme.is_right(score) is True
        tried.setdefault(row[0], []).append(kept)
        if not kept:
            lost.append(row)
    return {change: 1 - sum(kept) / len(kept) for change, kept in tried.items()}, lost
