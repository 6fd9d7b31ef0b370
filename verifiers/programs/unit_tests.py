"""The built-in verifier `unit_tests`: it judges the program in a completion by its problem's tests."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator

from ...sandbox.errors import TaskError
from ...sandbox.execution import Limits
from ...sandbox.remote import shared_executor
from ...tasks.problem import Completion, Problem
from ..completion import ThinkingMark, whole_answer
from ..verdict import Reason, Verdict, verifier
from .find_code import extract_program
from .tests_schema import ProgramTests
from .verify import Integrity, tests_fault, typed_tests, verify_program


def _check_weights(score: Any) -> Any:
    if isinstance(score, Mapping):
        weights = score.values()
        if not (all(weight >= 0 for weight in weights) and 0 < sum(weights) < math.inf):
            raise ValueError("subsets need finite weights of 0 or more, and at least one above 0")
    return score


ScoreBy = Annotated[Literal["all", "share"] | dict[str, float], AfterValidator(_check_weights)]


@verifier("unit_tests", tests_fault=tests_fault, batch=True)
def unit_tests(
    problems: Sequence[Problem],
    completions: Sequence[Completion],
    *,
    score: ScoreBy = "all",
    limits: Limits | None = None,
    integrity: Integrity = "separate",
    sandbox_url: str | None = None,
    thinking: Sequence[ThinkingMark] = (),
) -> list[Verdict | TaskError]:
    """Judge the program in a completion by running its problem's unit tests in the sandbox.

    A completion is right only if its program passes every case; `score` decides the worth of one that passes
    some of them. In a task: `{use: unit_tests, score: share}`.

    Args:
        problems: the problems, each with its tests in `problem.tests`. If these cannot be used, a TaskError
            takes the place of the verdict.
        completions: one per problem. `extract_program` finds the program; one that was cut off by the token
            limit inside its code block does not count as an answer.
        score: the worth of a program. `all`: 1 if it passes every case, else 0. `share`: the share of cases
            that it passes. A mapping such as `{easy: 1, hard: 2}` gives weights to `subsets` of the tests:
            the worth is the weight of the subsets that it passes completely, divided by the sum of all
            weights.
        limits: the limits of each case; by default those of the task.
        integrity: `separate` keeps expected values out of the program's process. `shared` runs asserts and
            test modules inside it, where the program can read and forge them.
        sandbox_url: a SandboxFusion server that runs the programs; by default the one that the task names,
            or else the local sandbox.
        thinking: further marks of the thinking part; by default those of the task.
    """
    sandbox = shared_executor(sandbox_url)

    def judge(pair: tuple[Problem, Completion]) -> Verdict | TaskError:
        problem, completion = pair
        try:
            tests = typed_tests(problem.tests)
            _check_subsets(score, tests)
        except TaskError as error:
            return error
        found = extract_program(whole_answer(problem, completion, thinking), thinking=thinking)
        if found.reason is not None or found.text is None:
            return Verdict(False, found.reason or Reason.NO_ANSWER)
        if not found.closed and completion.finish_reason == "length":
            return Verdict(False, Reason.NO_ANSWER, extracted=found.text)
        verdict = verify_program(
            found.text, tests, limits=limits, sandbox=sandbox, stop_early=score == "all", integrity=integrity
        )
        verdict.extracted = found.text
        if verdict.correct is not None:
            verdict.worth = _worth(verdict, score, tests)
        return verdict

    return sandbox.map(judge, list(zip(problems, completions, strict=True)))


def _check_subsets(score: ScoreBy, tests: ProgramTests) -> None:
    """Check that the tests have every subset that `score` names.

    Raises:
        TaskError: they lack one.
    """
    if isinstance(score, str):
        return
    unknown = sorted(set(score) - set(tests.subsets))
    if unknown:
        known = ", ".join(sorted(tests.subsets)) or "none"
        raise TaskError(
            f"the tests have no subset {unknown[0]!r} (they have: {known}); add it, or drop its weight"
        )


def _worth(verdict: Verdict, score: ScoreBy, tests: ProgramTests) -> float | None:
    """Return what a judged program is worth; None = 1 if it is right, else 0."""
    if score == "all":
        return None
    if score == "share":
        return verdict.share
    assert not isinstance(score, str)
    passed = verdict.evidence["cases"]
    earned = 0.0
    for name, weight in score.items():
        if all(passed[case] is True for case in tests.subsets[name]):
            earned += weight
    return earned / sum(score.values())
