"""The verifier `json_equal`: JSON in a completion that must have the values of the reference."""

import json
from collections.abc import Sequence
from typing import Any

from ..tasks.problem import Completion, Problem
from .completion import ThinkingMark
from .format import answer_json
from .verdict import Reason, Verdict, equal_or_different, verifier


def _reference_fault(reference: str) -> str | None:
    try:
        json.loads(reference)
    except (ValueError, RecursionError) as error:
        return f"is not JSON ({error})"
    return None


@verifier("json_equal", reference_fault=_reference_fault)
def json_equal(problem: Problem, completion: Completion, *, thinking: Sequence[ThinkingMark] = ()) -> Verdict:
    """Check that the answer after the thinking part is JSON with the same values as the reference.

    The JSON is either the whole answer, or in its last code fence. The order of keys does not count, that of
    lists does. 2 and 2.0 are the same number; `true` is no number, and a text is never one. An object that
    has a key twice is wrong, whichever value would count.

    In a task: `{use: json_equal}`

    Args:
        problem: its references are JSON texts; the same values as one of them are right.
        completion: the completion; its `prefill` counts too.
        thinking: further marks of the thinking part; an entry without it takes the task's own.
    """
    text, value = answer_json(problem, completion, thinking)
    if isinstance(value, ValueError):
        reason = Reason.UNPARSABLE_ANSWER if text.strip() else Reason.NO_ANSWER
        return Verdict(False, reason, text[:200], "json", evidence={"error": str(value)[:200]})
    same = any(_same(json.loads(reference), value) for reference in problem.references)
    verdict = equal_or_different(same)
    verdict.extracted, verdict.tier = text[:200], "json"
    return verdict


def _same(one: Any, other: Any) -> bool:
    """Return whether two JSON values are the same."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one == other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return type(one) is type(other) and one == other
