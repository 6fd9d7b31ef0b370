"""Judging every case of a program's tests, with one function for each kind of tests.

Expected values never enter the process that runs the program. For `stdio`, `calls` and asserts that can be
split, the program returns plain data (`sandbox/wire/codec.py`), which is compared here. Other asserts and
test modules run in a separate test process that calls the program (`sandbox/oracle/run_tests.py`). The only
exception is a `shared` submission, whose tests run in the program's own process.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ...sandbox.cases import Called, run_calls, run_cases
from ...sandbox.execution import Execution, Limits, RunVerdict
from ...sandbox.executor import Executor
from ...sandbox.test_runs import TestRun, run_tests
from ..verdict import Reason
from .same_value import same_output, same_value
from .split_asserts import Call, packed_arguments
from .test_schema import Asserts, Calls, ProgramTests, Pytest, Stdio, Unittest

SHOWN_CHARS = 500
"""Characters of an output or an error that a case keeps."""

_REASONS = {
    RunVerdict.ERROR: Reason.ERROR,
    RunVerdict.COMPILE_ERROR: Reason.COMPILE_ERROR,
    RunVerdict.TIMEOUT: Reason.TIMEOUT,
    RunVerdict.WALL_TIMEOUT: Reason.TIMEOUT,
    RunVerdict.MEMORY: Reason.MEMORY,
    RunVerdict.OUTPUT_LIMIT: Reason.OUTPUT_LIMIT,
    RunVerdict.KILLED: Reason.KILLED,
}


@dataclass(frozen=True, slots=True)
class Case:
    """The result of one case."""

    passed: bool | None
    """None = not run, because an earlier case failed."""
    reason: Reason = Reason.PASSED
    message: str = ""
    """For a failed case: the error, or what the program printed or returned."""


_NOT_REACHED = Case(None, Reason.UNDECIDED)


@dataclass(frozen=True, slots=True)
class Submission:
    """A program that is to be judged, and how to run it."""

    sandbox: Executor
    code: str
    limits: Limits
    """The limits of each case."""
    stop_early: bool
    """Whether to stop at the first case that fails."""
    shared: bool
    """Whether asserts and test modules run in the program's own process."""


def judge_cases(submission: Submission, tests: ProgramTests) -> list[Case]:
    """Run a program against its tests and return the result of every case, in order.

    Raises:
        InfraError: the sandbox failed twice.
        DataError: the code is not text.
        SandboxError: the sandbox cannot run tests of this kind.
    """
    return _JUDGES[type(tests)](submission, tests)


def _judge_stdio(submission: Submission, tests: Stdio) -> list[Case]:
    def is_right(index: int, execution: Execution) -> bool:
        return execution.verdict == RunVerdict.OK and same_output(
            tests.cases[index].stdout,
            execution.stdout,
            whitespace=tests.whitespace,
            float_tolerance=tests.float_tolerance,
        )

    executions = run_cases(
        submission.sandbox,
        submission.code,
        [case.stdin for case in tests.cases],
        right=is_right,
        limits=submission.limits,
        stop_early=submission.stop_early,
        prelude=tests.prelude,
    )
    cases = []
    for index, execution in enumerate(executions):
        if execution is None:
            cases.append(_NOT_REACHED)
        elif is_right(index, execution):
            cases.append(Case(True))
        elif execution.verdict == RunVerdict.OK:
            cases.append(Case(False, Reason.FAILED, f"printed {execution.stdout[:SHOWN_CHARS]!r}"))
        else:
            error = execution.stderr or execution.verdict
            cases.append(Case(False, _REASONS[execution.verdict], error[-SHOWN_CHARS:]))
    return cases


def _judge_calls(submission: Submission, tests: Calls) -> list[Case]:
    def is_right(index: int, called: Called) -> bool:
        return not called.raised and same_value(
            tests.cases[index].expected,
            called.value[0],
            float_tolerance=tests.float_tolerance,
            exact_types=tests.exact_types,
        )

    calls = [[(tests.entry, packed_arguments(case.args, case.kwargs))] for case in tests.cases]
    cases, _ = _judge_answers(submission, calls, is_right, tests.prelude)
    return cases


def _judge_answers(
    submission: Submission,
    calls: Sequence[Sequence[Call]],
    compare: Callable[[int, Called], bool],
    prelude: str,
    *,
    in_sequence: bool = False,
) -> tuple[list[Case], list[Called | None]]:
    """Make the calls of every case; return the results, and the outcomes by which they were judged."""

    def is_right(index: int, called: Called) -> bool:
        try:
            return compare(index, called)
        except (TypeError, ValueError, ArithmeticError, RecursionError, LookupError):
            return False  # a hostile value, such as one nested too deeply to compare

    outcomes = run_calls(
        submission.sandbox,
        submission.code,
        calls,
        prelude=prelude,
        in_sequence=in_sequence,
        right=is_right,
        limits=submission.limits,
        stop_early=submission.stop_early,
    )
    cases = []
    for index, called in enumerate(outcomes):
        if called is None:
            cases.append(_NOT_REACHED)
        elif is_right(index, called):
            cases.append(Case(True))
        elif called.raised:
            reason = _REASONS.get(called.verdict, Reason.ERROR)
            cases.append(Case(False, reason, called.error[-SHOWN_CHARS:]))
        else:
            value = called.value[0] if len(called.value) == 1 else called.value
            cases.append(Case(False, Reason.FAILED, f"gave {_shown(value)}"))
    return cases, outcomes


def _shown(value: Any) -> str:
    try:
        return repr(value)[:SHOWN_CHARS]
    except (ValueError, RecursionError):  # Python refuses to print integers of more than 4300 digits
        return f"a {type(value).__name__}"


def _judge_asserts(submission: Submission, tests: Asserts) -> list[Case]:
    """Judge asserts from the program's answers; if one cannot be split, run all in the test process.

    Asserts may rely on what earlier ones did, so they are never divided between the two ways.
    """
    plan = tests.plan
    splits = [split for split in plan.splits if split is not None]
    if len(splits) < len(plan.asserts) or submission.shared:
        return _judge_unsplit_asserts(submission, tests)

    def is_right(index: int, called: Called) -> bool:
        return not called.raised and splits[index].holds(called.value)

    prelude = "\n".join(filter(None, (plan.prelude, tests.prelude)))
    calls = [split.calls for split in splits]
    cases, outcomes = _judge_answers(submission, calls, is_right, prelude, in_sequence=True)
    gave_objects = any(outcome is not None and outcome.raised == "NotPlainError" for outcome in outcomes)
    if gave_objects and submission.sandbox.serves_tests:
        # Objects of the program's own classes are not plain data, but may still be what the asserts want.
        return _judge_unsplit_asserts(submission, tests)
    return cases


def _judge_unsplit_asserts(submission: Submission, tests: Asserts) -> list[Case]:
    """Run asserts one after the other in the test process.

    If the program ends or is killed during an assert, that assert has failed, and the rest run against a
    newly started program. If not even one assert of an attempt was completed, all the rest fail without a
    run, because the program or the setup most likely does not run at all.
    """
    plan = tests.plan
    cases = [_NOT_REACHED] * len(plan.asserts)
    remaining = list(range(len(cases)))
    while remaining:
        run = _run_tests(
            submission,
            "asserts",
            plan.setup,
            tests.prelude,
            asserts=plan.asserts,
            only=remaining,
            names=plan.called,
        )
        for outcome in run.outcomes:
            if outcome.case in remaining:
                cases[outcome.case] = _tested(outcome.passed, outcome.error)
                remaining.remove(outcome.case)
        if remaining:
            cases[remaining.pop(0)] = _ended(run)
            is_hopeless = run.tests_fail or run.verdict == RunVerdict.COMPILE_ERROR or not run.outcomes
            if is_hopeless:
                for index in remaining:
                    cases[index] = _ended(run)
                break
        if submission.stop_early and any(case.passed is False for case in cases):
            break
    return cases


def _judge_module(submission: Submission, tests: Unittest | Pytest) -> list[Case]:
    """Run a test module; tests that were not completed count as failed."""
    run = _run_tests(submission, tests.type, tests.code, tests.prelude, count=tests.count)
    cases = [_tested(outcome.passed, outcome.error) for outcome in run.outcomes]
    if not run.complete or not cases:
        missing = max(tests.count - len(cases), 1)
        cases += [_ended(run)] * missing
    return cases


def _run_tests(submission: Submission, kind: str, tests: str, prelude: str, **options: Any) -> TestRun:
    return run_tests(
        submission.sandbox,
        submission.code,
        kind,
        tests,
        prelude=prelude,
        shared=submission.shared,
        limits=submission.limits,
        **options,
    )


def _tested(passed: bool, error: str) -> Case:
    return Case(True) if passed else Case(False, Reason.FAILED, error[-SHOWN_CHARS:])


def _ended(run: TestRun) -> Case:
    """Return the result of a test during which, or before which, the program ended."""
    reason = _REASONS.get(run.verdict, Reason.ERROR)
    return Case(False, reason, run.error[-SHOWN_CHARS:] or "none of the tests ran")


_JUDGES: dict[type, Callable[[Submission, Any], list[Case]]] = {
    Asserts: _judge_asserts,
    Calls: _judge_calls,
    Stdio: _judge_stdio,
    Unittest: _judge_module,
    Pytest: _judge_module,
}
