"""`verify_steps`: judging each step of a completion by a rule.

Each step gets a verdict with three values; None means that the step states nothing that the rule could
judge. Models that judge steps (process reward models) are in `rewards/models/`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ...sandbox.errors import RewardError, UnknownNameError
from ...tasks.generators.addition import check_lines
from ...tasks.problem import Problem
from ..verdict import Verdict, verdict_of
from .arithmetic import judge_arithmetic
from .program_lines import judge_code_as_solution, judge_code_runs
from .split import SplitPolicy, split_steps

StepCheck = Callable[[Problem, list[str]], Sequence[bool | Verdict | None]]
"""A function from the problem and the texts of a completion's steps to one mark per step."""


def judge_addition(problems: Sequence[Problem], steps: Sequence[Sequence[str]]) -> list[list[Verdict]]:
    """Judge each line of an `addition` trace by the problem's digits and the line before it."""
    return [
        _checked(check_lines, problem, list(texts)) for problem, texts in zip(problems, steps, strict=True)
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
    r"""Judge each step of a completion.

        >>> from markscheme.verifiers import verify_steps
        >>> for verdict in verify_steps("16 - 3 = 13 eggs are left.\n13 * 2 = 27 dollars\nSo she earns 27."):
        ...     print(verdict, verdict.evidence["span"])
        Verdict(right: passed, '16 - 3 = 13 eggs are left.') (0, 26)
        Verdict(wrong: failed, '13 * 2 = 27 dollars') (27, 46)
        Verdict(undecided: nothing_to_check, 'So she earns 27.') (47, 63)

    Args:
        completion: the completion as the policy wrote it.
        check: a function `(problem, texts) -> one bool, None or Verdict per step`, or one of
            `arithmetic` (equations between numbers), `code_runs` (a program up to this line runs without an
            error), `code_as_solution` (a line does the same as that of the problem's solution) and
            `addition_lines` (the carry lines of the task `addition`).
        split: how the text becomes steps; see `split_steps`.
        problem: the problem that was asked, for checks that read it: its numbers, tests or solution.
        prefill: the start of the answer that the chat template wrote; see `split_steps`.

    Returns:
        One verdict per step, in order. Its evidence has `span`, the characters (start, end) of the step.

    Raises:
        UnknownNameError: there is no check of this name.
        TaskError: there is no such way to split.
        RewardError: `check` is a function and did not return one mark per step.
    """
    steps = split_steps(completion, split, prefill=prefill)
    texts = [completion[step.start : step.end] for step in steps]
    verdicts = judge_steps(check, [problem or _NO_PROBLEM], [texts])[0]
    for step, text, verdict in zip(steps, texts, verdicts, strict=True):
        verdict.extracted = text
        verdict.evidence["span"] = (step.start, step.end)
    return verdicts


def judge_steps(
    check: str | StepCheck, problems: Sequence[Problem], texts: Sequence[Sequence[str]], **options: Any
) -> list[list[Verdict]]:
    """Judge the steps of many completions; `options` (`sandbox` and `limits`) are for checks that run code.

    Raises:
        UnknownNameError, RewardError: as for `verify_steps`.
    """
    if not isinstance(check, str):
        return [_checked(check, problem, list(row)) for problem, row in zip(problems, texts, strict=True)]
    if check not in CHECKS:
        raise UnknownNameError.of("step check", check, CHECKS)
    return [[_copy(verdict) for verdict in row] for row in CHECKS[check](problems, texts, **options)]


def _checked(check: StepCheck, problem: Problem, texts: list[str]) -> list[Verdict]:
    marks = check(problem, texts)
    is_list = not isinstance(marks, str | bytes | dict)
    if not is_list or len(marks) != len(texts):
        given = f"{len(marks)} marks" if is_list else f"a {type(marks).__name__}"
        raise RewardError(
            f"a step check must return a list with one bool, None or Verdict per step (given: {given} for"
            f" {len(texts)} steps)"
        )
    return [_verdict(mark) for mark in marks]


def _verdict(mark: Any) -> Verdict:
    if isinstance(mark, Verdict):
        return _copy(mark)
    if mark is not None and not isinstance(mark, bool):
        raise RewardError(f"a step check must return bool, None or Verdict for each step (given: {mark!r})")
    return verdict_of(mark)


def _copy(verdict: Verdict) -> Verdict:
    """Return a copy that the caller may change: checks give several steps the same verdict object."""
    return replace(verdict, evidence=dict(verdict.evidence))
