"""Judging tests that use the program as a module: unittest, pytest, and asserts that are more than calls.

They run in a process of their own, which calls the program in its process (`sandbox/oracle/run_tests.py`).
The only exception is a `shared` submission, whose tests run in the program's own process.
"""

from typing import Any

from ...sandbox.oracle_client import Tested, TestRun, run_tests
from ..verdict import Reason
from .asserts.given import given_by
from .results import NOT_REACHED, REASONS, SHOWN_CHARS, Case, Submission
from .tests_schema import Asserts, Pytest, Unittest


def judge_unsplit_asserts(submission: Submission, tests: Asserts) -> list[Case]:
    """Run asserts one after the other in the test process.

    If the program ends or is killed during an assert, that assert has failed, and the rest run against a
    newly started program.
    """
    plan = tests.plan
    cases = [NOT_REACHED] * len(plan.asserts)
    remaining = list(range(len(cases)))
    barren = 0
    while remaining:
        run = _run_tests(
            submission,
            "asserts",
            plan.setup,
            tests.prelude,
            asserts=plan.asserts,
            only=remaining,
            names=plan.called,
            given=plan.given,
        )
        for outcome in run.outcomes:
            if outcome.place in remaining:
                cases[outcome.place] = _tested(outcome)
                remaining.remove(outcome.place)
        if remaining:
            cases[remaining.pop(0)] = _ended(run)
            barren = 0 if run.outcomes else barren + 1
            if _is_hopeless(run, barren):
                for index in remaining:
                    cases[index] = _ended(run)
                break
        if submission.stop_early and any(case.passed is False for case in cases):
            break
    return cases


def judge_module(submission: Submission, tests: Unittest | Pytest) -> list[Case]:
    """Run a test module.

    If the program ends or is killed during a test, that test has failed, and the rest run against a newly
    started program.
    """
    cases: list[Case] = []
    done, barren = 0, 0
    given = given_by(tests.prelude, (tests.code,))
    while True:
        run = _run_tests(
            submission,
            tests.type,
            tests.code,
            tests.prelude,
            count=max(tests.count, _PARAMETERS),
            skip=done,
            given=given,
        )
        cases += [_tested(outcome) for outcome in run.outcomes if outcome.passed is not None]
        done += sum(outcome.place is not None for outcome in run.outcomes)
        if run.complete or (submission.stop_early and any(case.passed is False for case in cases)):
            break
        cases.append(_ended(run))
        done += 1
        barren = 0 if run.outcomes else barren + 1
        if _is_hopeless(run, barren):
            cases += [_ended(run)] * (tests.count - len(cases))
            break
    return cases or [_ended(run)] * tests.count


_PARAMETERS = 256
"""A test function may have so many sets of parameters without using up the limits of all tests together. Each
test has limits of its own in any case, which the tests' process keeps."""
_MOST_BARREN = 3
"""After so many runs in a row in which no test ended, the remaining tests count as the last one."""


def _is_hopeless(run: TestRun, barren: int) -> bool:
    """Return whether the tests that remain would end as this run did."""
    return run.tests_fail or not run.defined or barren >= _MOST_BARREN


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


def _tested(outcome: Tested) -> Case:
    return Case(True) if outcome.passed else Case(False, Reason.FAILED, outcome.error[-SHOWN_CHARS:])


def _ended(run: TestRun) -> Case:
    """Return the result of a test during which, or before which, the program ended."""
    reason = REASONS.get(run.verdict, Reason.ERROR)
    return Case(False, reason, run.error[-SHOWN_CHARS:] or "none of the tests ran")
