"""`verify_program`: does a program pass its tests? The oracle stays on our side.

Expected values never enter the process that runs the program. It returns plain data (`codec.py` in
sandbox/), which is compared here; asserts are split by their syntax tree; what cannot be split, and
test modules, run in a process of their own that calls the program. Judging in the program's own
process, where it can reach the tests, must be asked for (`integrity="shared"`), and the verdict says so.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ...sandbox.cases import Called, run_calls, run_cases
from ...sandbox.errors import InfraError, TaskError
from ...sandbox.execution import Execution, Limits, RunVerdict
from ...sandbox.executor import Executor
from ...sandbox.sandbox import shared_sandbox
from ...sandbox.test_runs import TestRun, run_tests
from ..verdict import Reason, Verdict
from .same_value import same_output, same_value
from .split_asserts import packed_arguments
from .test_schema import Asserts, Calls, ProgramTests, Pytest, Stdio, Unittest, program_tests

Integrity = Literal["separate", "shared"]
SHOWN = 500
"""Characters of an output or an error that a verdict keeps."""

_REASONS = {
    RunVerdict.ERROR: Reason.ERROR,
    RunVerdict.COMPILE_ERROR: Reason.COMPILE_ERROR,
    RunVerdict.TIMEOUT: Reason.TIMEOUT,
    RunVerdict.WALL_TIMEOUT: Reason.TIMEOUT,
    RunVerdict.MEMORY: Reason.MEMORY,
    RunVerdict.OUTPUT_LIMIT: Reason.OUTPUT_LIMIT,
    RunVerdict.KILLED: Reason.KILLED,
}


@dataclass(slots=True)
class Case:
    """What came of one case."""

    passed: bool | None
    """None: not reached, since an earlier one failed."""
    reason: Reason = Reason.PASSED
    said: str = ""
    """The error, or what was given instead of what was expected."""


_NOT_REACHED = Case(None, Reason.UNDECIDED)


def verify_program(
    code: str,
    tests: Any,
    *,
    limits: Limits | None = None,
    sandbox: Executor | None = None,
    stop_early: bool = False,
    integrity: Integrity = "separate",
) -> Verdict:
    """Run a program against its tests.

    Args:
        code: Python source.
        tests: plain data (`program_tests.py`): `{type: asserts | calls | stdio | unittest | pytest, ...}`.
        limits: of each case; None = the sandbox's own.
        sandbox: None = one that everything in this process shares.
        stop_early: end at the first case that fails; `share` is then None.
        integrity: `shared` runs asserts and test modules in the program's own process. It can then
            read and forge them.

    Returns:
        A Verdict whose `share` is that of the cases that passed, and whose evidence has `cases` (each
        passed, failed or not reached), the first that failed, and `tier`. `correct` is None only where
        the sandbox failed, twice.

    Raises:
        TaskError: the tests are none, or do not parse. DataError: the code is no text. SandboxError:
            no safe sandbox can be started here.
    """
    typed = program_tests(tests)
    sandbox = sandbox or shared_sandbox()
    started = time.perf_counter()
    try:
        cases = _JUDGES[type(typed)](
            _Run(sandbox, code, limits or sandbox.limits, stop_early, integrity), typed
        )
    except InfraError as error:
        return Verdict(None, Reason.UNAVAILABLE, evidence={"error": str(error)})
    verdict = _summed(cases)
    verdict.evidence |= {"tier": str(sandbox.tier)}
    if integrity == "shared":
        verdict.evidence |= {"integrity": integrity}
    verdict.seconds = time.perf_counter() - started
    return verdict


@dataclass(frozen=True, slots=True)
class _Run:
    sandbox: Executor
    code: str
    limits: Limits
    stop_early: bool
    integrity: Integrity


def _summed(cases: Sequence[Case]) -> Verdict:
    failed = next((i for i, case in enumerate(cases) if case.passed is False), None)
    reached = [case for case in cases if case.passed is not None]
    verdict = Verdict(failed is None and len(reached) == len(cases), Reason.PASSED, tier="tests")
    verdict.evidence = {"cases": [case.passed for case in cases]}
    if len(reached) == len(cases):
        verdict.share = sum(case.passed is True for case in cases) / len(cases)
    if failed is not None:
        verdict.reason = cases[failed].reason
        verdict.evidence["first_failed"] = {
            "case": failed,
            "reason": str(verdict.reason),
            "said": cases[failed].said,
        }
    return verdict


def _stdio(run: _Run, tests: Stdio) -> list[Case]:
    def right(place: int, execution: Execution) -> bool:
        return execution.verdict == RunVerdict.OK and same_output(
            tests.cases[place].stdout,
            execution.stdout,
            whitespace=tests.whitespace,
            float_tolerance=tests.float_tolerance,
        )

    stdins = [case.stdin for case in tests.cases]
    executions = run_cases(
        run.sandbox,
        run.code,
        stdins,
        right=right,
        limits=run.limits,
        stop_early=run.stop_early,
        prelude=tests.prelude,
    )
    return [_printed(execution, right, place) for place, execution in enumerate(executions)]


def _printed(execution: Execution | None, right: Callable[[int, Execution], bool], place: int) -> Case:
    if execution is None:
        return _NOT_REACHED
    if right(place, execution):
        return Case(True)
    if execution.verdict == RunVerdict.OK:
        return Case(False, Reason.FAILED, f"printed {execution.stdout[:SHOWN]!r}")
    return Case(False, _REASONS[execution.verdict], (execution.stderr or execution.verdict)[-SHOWN:])


def _calls(run: _Run, tests: Calls) -> list[Case]:
    def right(place: int, called: Called) -> bool:
        return not called.raised and same_value(
            tests.cases[place].expected,
            called.value[0],
            float_tolerance=tests.float_tolerance,
            exact_types=tests.exact_types,
        )

    asked = [[(tests.entry, packed_arguments(case.args, case.kwargs))] for case in tests.cases]
    return _called(run, asked, right, tests.prelude)[0]


def _called(
    run: _Run,
    asked: Sequence[Sequence[tuple[str, bytes]]],
    right: Callable[[int, Called], bool],
    prelude: str,
    *,
    in_sequence: bool = False,
) -> tuple[list[Case], list[Called | None]]:
    """Make calls; return what came of each case, and what it gave."""

    def safely(place: int, called: Called) -> bool:
        try:
            return right(place, called)
        except (TypeError, ValueError, ArithmeticError, RecursionError, LookupError):
            return False

    outcomes = run_calls(
        run.sandbox,
        run.code,
        asked,
        prelude=prelude,
        in_sequence=in_sequence,
        right=safely,
        limits=run.limits,
        stop_early=run.stop_early,
    )
    cases = []
    for place, called in enumerate(outcomes):
        if called is None:
            cases.append(_NOT_REACHED)
        elif safely(place, called):
            cases.append(Case(True))
        elif called.raised:
            cases.append(Case(False, _REASONS.get(called.verdict, Reason.ERROR), called.error[-SHOWN:]))
        else:
            given = called.value[0] if len(called.value) == 1 else called.value
            cases.append(Case(False, Reason.FAILED, f"gave {_shown(given)}"))
    return cases, outcomes


def _shown(value: Any) -> str:
    try:
        return repr(value)[:SHOWN]
    except (ValueError, RecursionError):  # a number of too many digits
        return f"a {type(value).__name__}"


def _asserts(run: _Run, tests: Asserts) -> list[Case]:
    """Judge asserts here, from what calls gave; all of them beside the program if one needs that."""
    plan = tests.plan
    splits = [split for split in plan.splits if split is not None]
    if len(splits) < len(plan.asserts) or run.integrity == "shared":
        return _asserts_beside(run, tests)

    def right(place: int, called: Called) -> bool:
        return not called.raised and splits[place].holds(called.value)

    prelude = "\n".join(filter(None, (plan.prelude, tests.prelude)))
    calls = [split.calls for split in splits]
    cases, outcomes = _called(run, calls, right, prelude, in_sequence=True)
    objects = any(outcome is not None and outcome.raised == "NotPlainError" for outcome in outcomes)
    if objects and run.sandbox.serves_tests:
        return _asserts_beside(run, tests)  # its objects may still be what the tests ask for
    return cases


def _asserts_beside(run: _Run, tests: Asserts) -> list[Case]:
    """Run asserts in a process beside the program's, one after the other."""
    plan = tests.plan
    cases = [_NOT_REACHED] * len(plan.asserts)
    beside = list(range(len(cases)))
    while beside:
        done = _beside(
            run, "asserts", plan.setup, tests.prelude, asserts=plan.asserts, only=beside, names=plan.called
        )
        for outcome in done.outcomes:
            if outcome.case in beside:
                cases[outcome.case] = _tested(outcome.passed, outcome.error)
                beside.remove(outcome.case)
        if beside:  # the program ended at the next: on with those behind it, in a fresh one
            cases[beside.pop(0)] = _ended(done)
            if done.tests_fail or done.verdict == RunVerdict.COMPILE_ERROR or not done.outcomes:
                for place in beside:
                    cases[place] = _ended(done)
                break
        if run.stop_early and any(case.passed is False for case in cases):
            break
    return cases


def _beside(run: _Run, kind: str, tests: str, prelude: str, **more: Any) -> TestRun:
    return run_tests(
        run.sandbox,
        run.code,
        kind,
        tests,
        prelude=prelude,
        shared=run.integrity == "shared",
        limits=run.limits,
        **more,
    )


def _module(run: _Run, tests: Unittest | Pytest) -> list[Case]:
    done = _beside(run, tests.type, tests.code, tests.prelude, count=tests.count)
    cases = [_tested(outcome.passed, outcome.error) for outcome in done.outcomes]
    if not done.complete or not cases:
        missing = max(tests.count - len(cases), 1)
        cases += [_ended(done)] * missing
    return cases


def _tested(passed: bool, error: str) -> Case:
    return Case(True) if passed else Case(False, Reason.FAILED, error[-SHOWN:])


def _ended(done: TestRun) -> Case:
    reason = _REASONS.get(done.verdict, Reason.ERROR)
    return Case(False, reason, done.error[-SHOWN:] or "none of the tests ran")


_JUDGES: dict[type, Callable[[_Run, Any], list[Case]]] = {
    Asserts: _asserts,
    Calls: _calls,
    Stdio: _stdio,
    Unittest: _module,
    Pytest: _module,
}


def tests_fault(tests: Any) -> str | None:
    """Say why a program cannot be judged by these tests, or None."""
    try:
        program_tests(tests)
    except TaskError as error:
        return str(error)
    return None


def typed_tests(tests: Any) -> ProgramTests:
    """Return a problem's tests.

    Raises:
        TaskError: it has none that can be used.
    """
    if tests is None:
        raise TaskError("there are no tests to judge by; set `problem.tests` in the task")
    return program_tests(tests)
