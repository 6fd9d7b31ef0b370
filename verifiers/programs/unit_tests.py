"""The reward for code: unit tests, all of them, a share, or named subsets."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator

from ...sandbox.errors import TaskError
from ...sandbox.execution import Limits
from ...sandbox.remote import shared_executor
from ...tasks.problem import Completion, Problem
from ..completion import whole_answer
from ..verdict import Reason, Verdict, verifier
from .find_code import extract_program
from .test_schema import ProgramTests
from .verify import Integrity, tests_fault, typed_tests, verify_program


def _weights(score: Any) -> Any:
    if isinstance(score, Mapping) and not (
        score and all(w >= 0 for w in score.values()) and sum(score.values()) > 0
    ):
        raise ValueError("subsets need weights of 0 or more, and one above 0")
    return score


ScoreBy = Annotated[Literal["all", "share"] | dict[str, float], AfterValidator(_weights)]


@verifier("unit_tests", tests_fault=tests_fault, batch=True)
def unit_tests(
    problems: Sequence[Problem],
    completions: Sequence[Completion],
    *,
    score: ScoreBy = "all",
    limits: Limits | None = None,
    integrity: Integrity = "separate",
    sandbox_url: str | None = None,
) -> list[Verdict | TaskError]:
    """Run the program of each completion against its problem's tests, in the sandbox.

    `score` says what a program is worth: `all` = 1 if it passes everything; `share` = the share of cases
    that it passes; `{easy: 1, hard: 2}` = each subset of the tests' `subsets`, by weight, that it
    passes whole. It is *right* only if it passes everything. `limits` are the task's own unless the
    entry gives others.
    """
    sandbox = shared_executor(sandbox_url)

    def judge(pair: tuple[Problem, Completion]) -> Verdict | TaskError:
        problem, completion = pair
        try:
            tests = typed_tests(problem.tests)
            worth = _worth_of(score, tests)
        except TaskError as error:
            return error
        found = extract_program(whole_answer(problem, completion))
        if found.reason is not None or found.text is None:
            return Verdict(False, found.reason or Reason.NO_ANSWER, worth=None)
        if not found.closed and completion.finish_reason == "length":
            return Verdict(False, Reason.NO_ANSWER, extracted=found.text)
        verdict = verify_program(
            found.text, tests, limits=limits, sandbox=sandbox, stop_early=score == "all", integrity=integrity
        )
        verdict.extracted = found.text
        if verdict.correct is not None:
            verdict.worth = worth(verdict)
        return verdict

    return sandbox.map(judge, list(zip(problems, completions, strict=True)))


def _worth_of(score: ScoreBy, tests: ProgramTests) -> Any:
    """Return the function from a verdict to its worth.

    Raises:
        TaskError: the tests have no subset of that name.
    """
    if score == "all":
        return lambda verdict: None
    if score == "share":
        return lambda verdict: verdict.share
    assert not isinstance(score, str)
    unknown = set(score) - set(tests.subsets)
    if unknown:
        known = ", ".join(sorted(tests.subsets)) or "none"
        raise TaskError(f"the tests have no subset {sorted(unknown)[0]!r} (they have: {known})")

    def worth(verdict: Verdict) -> float:
        cases = verdict.evidence["cases"]
        whole = {name: all(cases[place] is True for place in tests.subsets[name]) for name in score}
        return sum(weight for name, weight in score.items() if whole[name]) / sum(score.values())

    return worth
