"""`verify_steps`: is each step right, by a rule? One verdict of three values a step.

None says that the rule cannot tell: the step states nothing that it could judge. No model is asked here;
those are in rewards/.
"""

from collections.abc import Callable, Sequence
from typing import Any

from ...sandbox.errors import RewardError, UnknownNameError
from ...tasks.generators.addition import check_lines
from ...tasks.problem import Problem
from ..verdict import Verdict, verdict_of
from .arithmetic import judge_arithmetic
from .program_lines import judge_code_as_solution, judge_code_runs
from .split import SplitPolicy, split_steps

StepCheck = Callable[[Problem, list[str]], Sequence[bool | Verdict | None]]
"""A check of your own: from a problem and the texts of a completion's steps to one mark a step."""


def judge_addition(problems: Sequence[Problem], steps: Sequence[Sequence[str]]) -> list[list[Verdict]]:
    """Judge the lines of `addition`'s traces: each by the problem's digits and the line before it."""
    return [
        _by_function(check_lines, problem, list(row)) for problem, row in zip(problems, steps, strict=True)
    ]


CHECKS: dict[str, Callable[..., list[list[Verdict]]]] = {
    "arithmetic": judge_arithmetic,
    "code_runs": judge_code_runs,
    "code_as_solution": judge_code_as_solution,
    "addition_lines": judge_addition,
}

_NO_PROBLEM = Problem(id="none", prompt="")


def verify_steps(
    completion: str,
    *,
    check: str | StepCheck = "arithmetic",
    split: SplitPolicy | str = "lines",
    problem: Problem | None = None,
    prefill: str = "",
) -> list[Verdict]:
    """Judge each step of a completion.

    Args:
        completion: the whole text.
        check: `arithmetic`, `code_runs`, `code_as_solution`, `addition_lines`, or a function
            `(problem, texts) -> one bool, None or Verdict a step`.
        split: see `split_steps`.
        problem: what was asked, for checks that look at it.
        prefill: see `split_steps`.

    Returns:
        One Verdict a step, in the order of `split_steps`; its evidence has the `span` in characters.

    Raises:
        UnknownNameError: no such check. RewardError: a check of your own gave something else.
    """
    steps = split_steps(completion, split, prefill=prefill)
    texts = [completion[step.start : step.end] for step in steps]
    verdicts = judge_steps(check, [problem or _NO_PROBLEM], [texts])[0]
    for step, text, verdict in zip(steps, texts, verdicts, strict=True):
        verdict.extracted = text
        verdict.evidence = {**verdict.evidence, "span": (step.start, step.end)}
    return verdicts


def judge_steps(
    check: str | StepCheck, problems: Sequence[Problem], texts: Sequence[Sequence[str]], **more: Any
) -> list[list[Verdict]]:
    """Judge the steps of many completions; `more` goes to a built-in check (a sandbox and limits).

    Raises:
        As `verify_steps`.
    """
    if not isinstance(check, str):
        return [_by_function(check, problem, list(row)) for problem, row in zip(problems, texts, strict=True)]
    if check not in CHECKS:
        raise UnknownNameError.of("step check", check, CHECKS)
    return [[_own(verdict) for verdict in row] for row in CHECKS[check](problems, texts, **more)]


def _by_function(function: StepCheck, problem: Problem, texts: list[str]) -> list[Verdict]:
    marks = function(problem, texts)
    if isinstance(marks, str | bytes | dict) or len(marks) != len(texts):
        count = "no list" if isinstance(marks, str | bytes | dict) else f"{len(marks)} marks"
        raise RewardError(
            f"a step check gives one mark for each step (given: {count} for {len(texts)} steps)"
        )
    return [_verdict(mark) for mark in marks]


def _verdict(mark: Any) -> Verdict:
    if isinstance(mark, Verdict):
        return _own(mark)
    if mark is not None and not isinstance(mark, bool):
        raise RewardError(f"a step check gives bool, None or Verdict for a step (given: {mark!r})")
    return verdict_of(mark)


def _own(verdict: Verdict) -> Verdict:
    """Return the caller's own copy: checks share verdicts among steps."""
    return Verdict(
        verdict.correct,
        verdict.reason,
        verdict.extracted,
        verdict.tier,
        verdict.share,
        verdict.worth,
        dict(verdict.evidence),
        verdict.seconds,
    )
