"""Rewards that mark steps: a function of a completion's steps becomes a reward like any other.

The function gets the texts of the steps and gives one value a step. What this file adds is the splitting,
the marks with their spans (`Score.steps`), the check that there are as many values as steps, and the
completion's own value: the smallest mark, their product, the last, or the mean.
"""

import inspect
import math
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from ...sandbox.errors import RewardError
from ...tasks.problem import Completion, Problem
from ...verifiers.steps.split import Step, split_policy, split_steps
from ...verifiers.verdict import Reason, Verdict
from ..score import Score, Status, StepMark

Split = Annotated[Any, AfterValidator(split_policy)]
Reduce = Literal["min", "product", "last", "mean"]
Range = tuple[float, float]

OPTIONS: dict[str, tuple[Any, Any]] = {
    "split": (Split, "lines"),
    "reduce": (Reduce, "min"),
    "max_steps": (Annotated[int, Field(ge=1)], 256),
    "part": (Literal["all", "thinking", "answer"], "all"),
}
"""Parameters of every reward that marks steps: how to split; how marks become one value; above how many
steps a completion is `too_large`; which part's steps are marked."""


def marking_steps(
    function: Callable[..., Any], bounds: Range, *, batch: bool, is_async: bool
) -> Callable[..., Any]:
    """Return a batch function of problems and completions from one that marks steps.

    `function(problem, completion, texts, **parameters)` gives one value a step: a number within
    `bounds`, bool (the highest or the lowest), Verdict, or None for a step that it cannot judge. With
    `batch` it takes lists of these and gives a list of such lists; in the place of one may stand a
    Score (for a completion that cannot be marked) or an exception.
    """
    if not all(map(math.isfinite, bounds)):
        raise RewardError(f"{function.__name__}: marks of steps need a finite range (given: {list(bounds)})")

    def prepared(problems: Sequence[Problem], completions: Sequence[Completion], options: dict[str, Any]):
        own = {name: options.pop(name, default) for name, (_, default) in OPTIONS.items()}
        policy = split_policy(own["split"])
        rows = [split_steps(c.text, policy, prefill=c.prefill) for c in completions]
        wanted = [[s for s in row if own["part"] in ("all", s.part)] for row in rows]
        unmarkable = [_unmarkable(row, own["max_steps"]) for row in wanted]
        able = [i for i, reason in enumerate(unmarkable) if reason is None]
        texts = [[completions[i].text[s.start : s.end] for s in wanted[i]] for i in able]
        lists = [problems[i] for i in able], [completions[i] for i in able], texts
        return own, wanted, unmarkable, able, lists

    def finished(state: Any, results: Sequence[Any]) -> list[Any]:
        own, wanted, scores, able, _ = state
        if len(results) != len(able):
            raise RewardError(f"returned marks of {len(results)} completions for {len(able)}")
        for i, values in zip(able, results, strict=True):
            scores[i] = _scored(wanted[i], values, own["reduce"], bounds)
        return scores

    def marked(problems: Sequence[Problem], completions: Sequence[Completion], **options: Any) -> list[Any]:
        state = prepared(problems, completions, options)
        lists = state[-1]
        if batch:
            return finished(state, function(*lists, **options) if lists[0] else [])
        return finished(state, [_safely(function, *row, options) for row in zip(*lists, strict=True)])

    async def marked_async(
        problems: Sequence[Problem], completions: Sequence[Completion], **options: Any
    ) -> list[Any]:
        state = prepared(problems, completions, options)
        lists = state[-1]
        if batch:
            return finished(state, await function(*lists, **options) if lists[0] else [])
        results = []
        for row in zip(*lists, strict=True):
            try:
                results.append(await function(*row, **options))
            except Exception as error:
                results.append(error)
        return finished(state, results)

    return _with_parameters(marked_async if is_async else marked, function)


def _with_parameters(made: Callable[..., Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """Give the made function the parameters of the one that it calls, and those of all that mark steps."""
    own = [p for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]
    if taken := next((p.name for p in own if p.name in OPTIONS), None):
        raise RewardError(f"{function.__name__}: all that mark steps have a parameter {taken!r} already")
    kinds, defaults = ({name: option[i] for name, option in OPTIONS.items()} for i in (0, 1))
    parameter = inspect.Parameter
    added = [parameter(n, parameter.KEYWORD_ONLY, default=defaults[n], annotation=kinds[n]) for n in OPTIONS]
    lists = [parameter(name, parameter.POSITIONAL_OR_KEYWORD) for name in ("problems", "completions")]
    made.__signature__ = inspect.Signature([*lists, *own, *added])  # pyright: ignore[reportFunctionMemberAccess]
    made.__annotations__ = {**getattr(function, "__annotations__", {}), **kinds}
    made.__kwdefaults__ = {**(getattr(function, "__kwdefaults__", None) or {}), **defaults}
    made.__doc__, made.__module__ = function.__doc__, function.__module__
    made.__name__, made.__qualname__ = function.__name__, function.__qualname__
    return made


def _safely(function: Callable[..., Any], problem: Any, completion: Any, texts: Any, options: Any) -> Any:
    try:
        return function(problem, completion, texts, **options)
    except Exception as error:
        return error


def _unmarkable(steps: Sequence[Step], most: int) -> Score | None:
    if not steps:
        return Score(None, Status.NO_ANSWER, reason="the completion has no steps")
    if len(steps) > most:
        return Score(
            None, Status.TOO_LARGE, reason=f"{len(steps)} steps; at most {most} are marked (max_steps)"
        )
    return None


def _scored(steps: Sequence[Step], values: Any, reduce: Reduce, bounds: Range) -> Any:
    """Return a completion's Score from its steps' values; what is no list of values stays what it is."""
    if isinstance(values, Score | BaseException):
        return values
    if isinstance(values, str | bytes | dict) or not isinstance(values, Sequence):
        return RewardError(f"one that marks steps gives a list of values (it gave {type(values).__name__})")
    if len(values) != len(steps):
        return RewardError(f"gave {len(values)} marks for {len(steps)} steps")
    marks = []
    for place, (step, value) in enumerate(zip(steps, values, strict=True)):
        mark = _mark(step, value, bounds)
        if isinstance(mark, str):
            return RewardError(f"step {place + 1}: {mark}")
        marks.append(mark)
    judged = [mark for mark in marks if mark.status is not Status.NOT_APPLICABLE]
    value = reduced([mark.value for mark in judged], reduce, bounds)
    if value is not None:
        return Score(value, steps=marks)
    unknown = next((mark for mark in judged if mark.value is None), None)
    if unknown is None:
        return Score(None, Status.NOT_APPLICABLE, reason="no step could be judged", steps=marks)
    return Score(None, unknown.status, reason=unknown.reason, steps=marks)


def _mark(step: Step, value: Any, bounds: Range) -> StepMark | str:
    if value is None:
        return StepMark(step, None, Status.NOT_APPLICABLE)
    if isinstance(value, bool) or str(getattr(value, "dtype", "")) in ("bool", "torch.bool"):
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


def reduced(values: Sequence[float | None], reduce: Reduce, bounds: Range) -> float | None:
    """Return a completion's value from its steps'; None where an unknown one could change it.

    `min` and `product` are settled by a step at the bottom (0) whatever the others are (Kleene).
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
