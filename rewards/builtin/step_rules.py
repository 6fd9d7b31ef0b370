"""Built-in rewards that mark steps by a rule, or by marks that a file brings along."""

from collections.abc import Sequence
from typing import Any, Literal

from ...sandbox.errors import RewardError
from ...sandbox.execution import Limits
from ...sandbox.remote import shared_executor
from ...tasks.problem import Completion, Problem
from ...verifiers.steps.verify import judge_steps
from ...verifiers.verdict import Verdict
from ..composition.registry import reward

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
    """Mark each step 1 or 0 by a rule; a step that the rule cannot judge gets no mark.

    Args:
        problems: the problems that were asked.
        completions: the answers.
        steps: the texts of each answer's steps.
        check: `arithmetic`, `code_runs`, `code_as_solution` or `addition_lines`.
        limits: for the programs that a check runs; the task's own by default.
        sandbox_url: a SandboxFusion server to run them on; the task's own by default.
    """
    if not check.startswith("code_"):
        return judge_steps(check, problems, steps)
    return judge_steps(check, problems, steps, sandbox=shared_executor(sandbox_url), limits=limits)


@reward("step_scores", steps=True)
def step_scores(
    problem: Problem, completion: Completion, steps: Sequence[str], *, column: str = "step_scores"
) -> list[Any]:
    """Take marks from 0 to 1 that the row brings in a column: one a step, null for one without.

    Raises:
        RewardError: there is no such column, or it has another number of marks than there are steps.
    """
    marks = problem.info.get(column)
    if not isinstance(marks, list):
        columns = ", ".join(problem.info)
        raise RewardError(f"the row has no list of marks in column {column!r} (columns: {columns})")
    if len(marks) != len(steps):
        raise RewardError(
            f"column {column!r} has {len(marks)} marks and the completion {len(steps)} steps: split it as the"
            " marks were made (`split:`), nothing is shifted"
        )
    return marks
