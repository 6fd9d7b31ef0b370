"""Built-in rewards that mark steps: by a rule, or by marks that the row already has."""

from collections.abc import Sequence
from typing import Any, Literal

from ...sandbox.errors import RewardError
from ...sandbox.execution import Limits
from ...sandbox.remote import shared_executor
from ...tasks.problem import Completion, Problem
from ...verifiers.steps.verify import judge_steps
from ...verifiers.verdict import Verdict
from ..composition.reward_functions import reward

Check = Literal["arithmetic", "code_runs", "code_as_solution", "addition_lines"]


@reward("step_checker", batch=True, steps=True)
def step_checker(
    problems: Sequence[Problem],
    completions: Sequence[Completion],
    steps: Sequence[Sequence[str]],
    *,
    check: Check,
    limits: Limits | None = None,
    sandbox_url: str | None = None,
) -> list[list[Verdict]]:
    """Mark each step of a completion right (1) or wrong (0) by a rule, without a model.

    A step that the rule cannot judge gets no mark.

    In a task: `{use: step_checker, check: arithmetic, split: lines}`

    Args:
        problems: one problem per completion.
        completions: not used beyond their steps.
        steps: the texts of each completion's steps.
        check: the rule. `arithmetic`: the equations between numbers in the step are true. `code_runs`: the
            program up to this line runs without an error on the inputs of the problem's tests.
            `code_as_solution`: if the line replaces the same line of the reference solution, every variable
            keeps its value. `addition_lines`: the step follows from the lines before it, in the task
            `addition`.
        limits: the resources of programs that a check runs; null = the task's `limits:`.
        sandbox_url: address of a SandboxFusion server to run programs on; null = the task's `sandbox:`.
    """
    if not check.startswith("code_"):
        return judge_steps(check, problems, steps)
    return judge_steps(check, problems, steps, sandbox=shared_executor(sandbox_url), limits=limits)


@reward("step_scores", steps=True)
def step_scores(
    problem: Problem, completion: Completion, steps: Sequence[str], *, column: str = "step_scores"
) -> list[Any]:
    """Use marks of steps that are already in the row, such as those of another tool or of people.

    In a task: `{use: step_scores, column: marks, split: lines}`

    Args:
        problem: the problem, whose row has the marks.
        completion: not used beyond its steps.
        steps: the texts of the steps.
        column: the column with the marks: a list with one number from 0 to 1 per step, or null for no mark.

    Raises:
        RewardError: there is no such column, or it does not have one mark per step.
    """
    marks = problem.info.get(column)
    if not isinstance(marks, list):
        columns = ", ".join(problem.info)
        raise RewardError(
            f"step_scores: the row has no list of marks in column {column!r} (columns: {columns}); name the"
            " column with `column:`"
        )
    if len(marks) != len(steps):
        raise RewardError(
            f"step_scores: column {column!r} has {len(marks)} marks and the completion {len(steps)} steps;"
            " set `split:` to how the text was split when the marks were made"
        )
    return marks
