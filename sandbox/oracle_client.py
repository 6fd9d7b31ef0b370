"""Running tests that use a program as a module: unittest, pytest, and asserts that are more than calls."""

import json
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from .errors import SandboxError
from .execution import Execution, Limits, RunVerdict
from .executor import Executor, text_of
from .job import Job
from .wire.records import COMPILE, DONE, FAILED, MEMORY, TESTED, TESTS, Record


@dataclass(frozen=True, slots=True)
class Given:
    """What a prompt gives to the program, and its tests use as it is there, whatever the program defines."""

    names: tuple[str, ...]
    """Functions, constants and imports, which the tests' process has for itself."""
    classes: tuple[str, ...]
    """Classes, whose objects the program's process has, of the prompt's class."""


NOTHING_GIVEN = Given((), ())


@dataclass(slots=True)
class Tested:
    """The outcome of one test."""

    name: str
    passed: bool | None
    """None = it was skipped, whatever the program does, and says nothing about it."""
    error: str = ""
    """Why it failed."""
    place: int | None = None
    """The test's place among the tests, or the assert's among the asserts; None for what is not a test."""


@dataclass(slots=True)
class TestRun:
    """The outcome of a run of tests."""

    __test__ = False  # pytest would otherwise collect this class

    outcomes: list[Tested] = field(default_factory=list)
    """The outcomes of the tests that ended, in order."""
    complete: bool = False
    """Whether all tests were run; if not, the program could not be defined, or ended early."""
    verdict: RunVerdict = RunVerdict.OK
    """How the program ended; `ok` if it answered until the tests were done."""
    error: str = ""
    """Why the program could not be defined, or ended early; empty if all tests were run."""
    defined: bool = True
    """Whether the program could be defined."""
    tests_fail: bool = False
    """Whether the tests are to blame, because they cannot be run."""


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
    skip: int = 0,
    given: Given = NOTHING_GIVEN,
) -> TestRun:
    """Run tests against a program.

    Args:
        sandbox: the executor that runs the program and the tests.
        code: Python source of the program.
        kind: `asserts`, `unittest` or `pytest`.
        tests: source of the tests' module; for asserts, the code that precedes them.
        asserts: statements, each of which is a test.
        only: the places of the asserts to run; None = all.
        count: about how many tests there are. All together may use that many times the limits.
        prelude: code that is executed before the program, in its namespace.
        shared: whether the tests run in the program's own process, where it can read what they expect.
        limits: the limits of each test; None = the executor's own.
        names: functions of the program that the tests call although they have a built-in's name.
        skip: how many tests of a module to leave out, because they have been run.
        given: what the prelude defines for the tests too.

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
            "skip": skip,
            "prelude": prelude,
            "given": list(given.names),
            "classes": list(given.classes),
        },
        given=given.classes,
        count=max(count, len(places), 1),
        preload=() if kind == "asserts" else (kind,),
    )
    report = sandbox.do(job)
    return _test_run(sandbox.execution(report, limits), report.records)


def _test_run(ended: Execution, records: Sequence[Record]) -> TestRun:
    """Return the outcome of a run, from the way in which the program ended and from the tests' records."""
    run = TestRun()
    for record in records:
        if record.kind == TESTED:
            run.outcomes.append(_tested(json.loads(record.text())))
        elif record.kind == DONE:
            run.complete = True
        elif record.kind == FAILED:
            failed, run.error = record.parts()
            run.tests_fail = failed == TESTS
            run.defined = failed == TESTS
            verdicts = {COMPILE: RunVerdict.COMPILE_ERROR, MEMORY: RunVerdict.MEMORY}
            run.verdict = verdicts.get(failed, RunVerdict.ERROR)
    if not run.complete and not run.error:
        run.error = ended.stderr[-2000:] or f"the program ended before its tests ({ended.verdict})"
        # When tests end early, the worker kills the program that they used, which is not the program's fault.
        killed_by_us = ended.verdict == RunVerdict.KILLED and ended.signal == signal.SIGKILL
        run.verdict = RunVerdict.ERROR if ended.verdict == RunVerdict.OK or killed_by_us else ended.verdict
    return run


def _tested(record: dict[str, Any]) -> Tested:
    place = record.get("place")
    passed = record.get("passed")
    return Tested(
        name=str(record["test"]),
        passed=passed if passed is None else passed is True,
        error=str(record.get("error", "")),
        place=place if isinstance(place, int) else None,
    )
