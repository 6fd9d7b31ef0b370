"""Runs of tests that use a program like a module: unittest and pytest modules, and asserts that need it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from .errors import SandboxError
from .execution import Execution, Limits, RunVerdict
from .executor import Executor, text_of
from .wire.records import COMPILE, MEMORY, TESTS
from .worker import Job


@dataclass(slots=True)
class Tested:
    """The outcome of one test."""

    name: str
    passed: bool
    error: str = ""
    """Why it failed."""
    case: int | None = None
    """If the test is an assert: its place among the asserts."""


@dataclass(slots=True)
class TestRun:
    """The outcome of a run of tests."""

    __test__ = False  # pytest would otherwise collect this class

    outcomes: list[Tested] = field(default_factory=list)
    """Those of the tests that ended, in order."""
    complete: bool = False
    """Whether all tests were run; if not, the program could not be defined, or ended early."""
    verdict: RunVerdict = RunVerdict.OK
    """How the program ended; `ok` if it answered until the tests were done."""
    error: str = ""
    """Why the program could not be defined, or ended early."""
    tests_fail: bool = False
    """Whether the fault lies with the tests: they cannot be run."""


def run_tests(
    sandbox: Executor,
    code: str,
    kind: str,
    tests: str,
    *,
    asserts: Sequence[str] = (),
    only: Sequence[int] | None = None,
    count: int = 1,
    prelude: str = "",
    shared: bool = False,
    limits: Limits | None = None,
    names: Sequence[str] = (),
) -> TestRun:
    """Run tests against a program.

    Args:
        sandbox: the executor that runs both.
        code: the program.
        kind: `asserts`, `unittest` or `pytest`.
        tests: the tests' module; for asserts, the code that precedes them.
        asserts: statements, each of which is a test.
        only: the places of the asserts to run; None = all.
        count: about how many tests there are. All together may use that many times the limits.
        prelude: code that is executed before the program, in its namespace.
        shared: whether the tests run in the program's own process, where it can read what they expect.
        limits: of each test; None = the executor's own.
        names: functions of the program that the tests call although they have a built-in's name.

    Raises:
        InfraError: the executor itself failed.
        SandboxError: the tests need pytest, which is not installed.
    """
    if kind == "pytest" and find_spec("pytest") is None:
        raise SandboxError("tests of type pytest need pytest, which is not installed: pip install pytest")
    limits = limits or sandbox.limits
    places = list(range(len(asserts)) if only is None else only)
    job = Job(
        text_of(code, "code"),
        limits,
        "shared" if shared else "serve",
        prelude,
        tests={
            "kind": kind,
            "code": tests,
            "asserts": list(asserts),
            "only": places,
            "names": list(names),
        },
        cases=max(count, len(places), 1),
        preload=() if kind == "asserts" else (kind,),
    )
    report = sandbox.do(job)
    return _read(sandbox.execution(report, limits), report.records)


def _read(ended: Execution, records: Sequence[dict[str, Any]]) -> TestRun:
    """Return the outcome that records and the program's end add up to."""
    run = TestRun()
    for record in records:
        failed = record.get("failed")
        if "test" in record:
            run.outcomes.append(_tested(record))
        elif record.get("done") is True:
            run.complete = True
        elif isinstance(failed, str):
            run.error = str(record.get("error"))
            run.tests_fail = failed == TESTS
            verdicts = {COMPILE: RunVerdict.COMPILE_ERROR, MEMORY: RunVerdict.MEMORY}
            run.verdict = verdicts.get(failed, RunVerdict.ERROR)
    if not run.complete and not run.error:
        run.error = ended.stderr[-2000:] or f"the program ended before its tests ({ended.verdict})"
        # When tests end early, the worker kills the program that they used: a SIGKILL is not its own doing.
        killed_by_us = ended.verdict == RunVerdict.KILLED and ended.signal == 9
        run.verdict = RunVerdict.ERROR if ended.verdict == RunVerdict.OK or killed_by_us else ended.verdict
    return run


def _tested(record: dict[str, Any]) -> Tested:
    place = record.get("case")
    return Tested(
        name=str(record["test"]),
        passed=record.get("passed") is True,
        error=str(record.get("error", "")),
        case=place if isinstance(place, int) else None,
    )
