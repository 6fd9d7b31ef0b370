"""Tests that call a program through stand-ins, from a process of their own: what came of each."""

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
    """What came of one test."""

    name: str
    passed: bool
    error: str = ""
    """Why it failed."""
    case: int | None = None
    """The place of an assert."""


@dataclass(slots=True)
class TestRun:
    """What came of a run of tests."""

    __test__ = False  # not one of pytest's

    outcomes: list[Tested] = field(default_factory=list)
    """Of the tests that ended, in order."""
    complete: bool = False
    """Whether all tests were run: the program did not end, or was ended, before."""
    verdict: RunVerdict = RunVerdict.OK
    """What became of the program: `ok` while it could answer."""
    error: str = ""
    """What kept the program from being defined, or ended it."""
    tests_fail: bool = False
    """The tests themselves do not run."""


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
        sandbox: where.
        code: the program.
        kind: `asserts`, `unittest` or `pytest`.
        tests: the tests' module; for asserts, what stands before them.
        asserts: statements, each a test.
        only: the asserts to run, by place; None = all.
        count: about how many tests there are: in all they may take as many times the limits.
        prelude: code that the program may count on.
        shared: in the program's own process, where it can read what is expected.
        limits: of each test.
        names: functions of the program that have a built-in's name and are meant.

    Raises:
        InfraError: a worker was lost twice. SandboxError: the tests need pytest, which is not installed.
    """
    if kind == "pytest" and find_spec("pytest") is None:
        raise SandboxError("tests of type pytest need pytest: pip install pytest")
    limits = limits or sandbox.limits
    places = list(range(len(asserts)) if only is None else only)
    beside: dict[str, Any] = {
        "kind": kind,
        "code": tests,
        "asserts": list(asserts),
        "only": places,
        "names": list(names),
    }
    job = Job(
        text_of(code, "code"),
        limits,
        "shared" if shared else "serve",
        prelude,
        tests=beside,
        cases=max(count, len(places), 1),
        preload=() if kind == "asserts" else (kind,),
    )
    report = sandbox.do(job)
    return _read(sandbox.execution(report, limits), report.records)


def _read(ended: Execution, records: Sequence[dict[str, Any]]) -> TestRun:
    run = TestRun()
    for record in records:
        if "test" in record:
            place = record.get("case")
            run.outcomes.append(
                Tested(
                    str(record["test"]),
                    record.get("passed") is True,
                    str(record.get("error", "")),
                    place if isinstance(place, int) else None,
                )
            )
        elif record.get("done") is True:
            run.complete = True
        elif isinstance(kind := record.get("failed"), str):
            run.error = str(record.get("error"))
            run.tests_fail = kind == TESTS
            run.verdict = {COMPILE: RunVerdict.COMPILE_ERROR, MEMORY: RunVerdict.MEMORY}.get(
                kind, RunVerdict.ERROR
            )
    if not run.complete and not run.error:
        run.error = ended.stderr[-2000:] or f"the program ended before its tests ({ended.verdict})"
        killed_by_us = ended.verdict == RunVerdict.KILLED and ended.signal == 9
        run.verdict = RunVerdict.ERROR if ended.verdict == RunVerdict.OK or killed_by_us else ended.verdict
    return run
