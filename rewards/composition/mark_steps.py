"""Running a reward that marks steps, and turning its values into one Score per completion.

The reward function gets the texts of the steps and returns one value per step. This file splits the
completion, gives every mark its place in the text, and reduces the marks to the completion's own value.
"""

import math
from collections.abc import Sequence
from typing import Any

from ...sandbox.errors import RewardError
from ...verifiers.steps.split import Step, split_steps
from ...verifiers.verdict import Reason, Verdict
from ..score import Score, Status, StepMark
from .calls import call
from .entries import Bounds, Composite, Entry, Rows
from .reward_functions import range_of
from .step_options import Reduce


def mark_steps(entry: Entry, rows: Rows) -> list[Any]:
    """Return one Score per completion, with the marks of its steps, or an exception if the call failed."""
    options, component = entry.steps, entry.component
    assert options is not None
    assert not isinstance(component, Composite)
    bounds = range_of(component, entry.parameters)
    steps_of: list[list[Step]] = []
    for completion in rows.completions:
        steps = split_steps(completion.text, options.split, prefill=completion.prefill)
        steps_of.append([step for step in steps if options.part in ("all", step.part)])
    results: list[Any] = [_unmarkable(steps, options.max_steps) for steps in steps_of]
    markable = [i for i, unmarkable in enumerate(results) if unmarkable is None]
    if not markable:
        return results
    chosen = rows.only(markable)
    texts = [
        [completion.text[step.start : step.end] for step in steps_of[i]]
        for i, completion in zip(markable, chosen.completions, strict=True)
    ]
    values_of = call(entry, (list(chosen.problems), list(chosen.completions), texts))
    for i, values in zip(markable, values_of, strict=True):
        results[i] = _scored(steps_of[i], values, options.reduce, bounds)
    return results


def _unmarkable(steps: Sequence[Step], most: int) -> Score | None:
    """Return the score of a completion whose steps cannot be marked; None if they can."""
    if not steps:
        return Score(None, Status.NO_ANSWER, reason="the completion has no steps")
    if len(steps) > most:
        reason = f"{len(steps)} steps; at most {most} are marked (max_steps)"
        return Score(None, Status.TOO_LARGE, reason=reason)
    return None


def _scored(steps: Sequence[Step], values: Any, reduce: Reduce, bounds: Bounds) -> Any:
    """Return a completion's Score from the values of its steps; keep a Score or an exception as it is."""
    if isinstance(values, Score | BaseException):
        return values
    if isinstance(values, str | bytes | dict) or not isinstance(values, Sequence):
        return RewardError(
            "a reward that marks steps returns a list with one value per step"
            f" (it returned {type(values).__name__})"
        )
    if len(values) != len(steps):
        return RewardError(
            f"a reward that marks steps returns one value per step (it returned {len(values)} for"
            f" {len(steps)} steps)"
        )
    marks = []
    for number, (step, value) in enumerate(zip(steps, values, strict=True), 1):
        mark = _mark(step, value, bounds)
        if isinstance(mark, str):
            return RewardError(f"step {number}: {mark}")
        marks.append(mark)
    judged = [mark for mark in marks if mark.status is not Status.NOT_APPLICABLE]
    value = reduced([mark.value for mark in judged], reduce, bounds)
    if value is not None:
        return Score(value, steps=marks)
    unknown = next((mark for mark in judged if mark.value is None), None)
    if unknown is None:
        return Score(None, Status.NOT_APPLICABLE, reason="no step could be judged", steps=marks)
    return Score(None, unknown.status, reason=unknown.reason, steps=marks)


def _mark(step: Step, value: Any, bounds: Bounds) -> StepMark | str:
    """Return a step's mark from what a function returned for it, or a text on what is wrong with that."""
    if value is None:
        return StepMark(step, None, Status.NOT_APPLICABLE)
    is_bool = isinstance(value, bool) or str(getattr(value, "dtype", "")) in ("bool", "torch.bool")
    if is_bool:  # numpy's and torch's too
        return StepMark(step, bounds[1] if value else bounds[0])
    if isinstance(value, Verdict):
        if value.correct is None:
            ours = value.reason is Reason.UNAVAILABLE
            status = Status.INFRA_ERROR if ours else Status.NOT_APPLICABLE
            return StepMark(step, None, status, value.reason.value)
        return StepMark(step, bounds[1] if value.correct else bounds[0], reason=value.reason.value)
    try:
        number = math.nan if isinstance(value, str | bytes) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not bounds[0] <= number <= bounds[1]:  # NaN too
        return f"returned {value!r:.60}, not a number in the declared range {list(bounds)}"
    return StepMark(step, number)


def reduced(values: Sequence[float | None], reduce: Reduce, bounds: Bounds) -> float | None:
    """Return a completion's value from those of its steps; None if an unknown one could change it.

    With `min` and `product`, a step at the bottom of the range (0 for `product`) decides the value, whatever
    the unknown ones are, as in Kleene's three-valued logic.
    """
    known = [value for value in values if value is not None]
    if not known:
        return None
    if reduce == "last":
        return values[-1]
    bottom = 0.0 if reduce == "product" else bounds[0]
    if len(known) < len(values) and (reduce == "mean" or bottom not in known):
        return None
    if reduce == "mean":
        return math.fsum(known) / len(known)
    return min(known) if reduce == "min" else math.prod(known)
