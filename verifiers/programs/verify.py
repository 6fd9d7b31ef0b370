"""`verify_program`: judging a program by its tests.

The cases of each kind of tests are judged in `judge_cases.py`. By default, expected values never enter the
process that runs the program. `integrity="shared"` runs tests in that process, where the program can reach
them; the evidence of the verdict then says so.
"""

import time
from collections.abc import Sequence
from typing import Any, Literal

from ...sandbox.errors import InfraError, TaskError
from ...sandbox.execution import Limits
from ...sandbox.executor import Executor
from ...sandbox.sandbox import shared_sandbox
from ..verdict import Reason, Verdict
from .judge_cases import Case, Submission, judge_cases
from .test_schema import ProgramTests, program_tests

Integrity = Literal["separate", "shared"]
"""Where asserts and test modules run: in a process of their own, or in the program's."""


def verify_program(
    code: str,
    tests: Any,
    *,
    limits: Limits | None = None,
    sandbox: Executor | None = None,
    stop_early: bool = False,
    integrity: Integrity = "separate",
) -> Verdict:
    r"""Run a program against its tests, in the sandbox.

        >>> from markscheme.sandbox import Limits
        >>> from markscheme.verifiers import verify_program
        >>> tests = {"type": "asserts", "asserts": ["assert square(2) == 4", "assert square(3) == 9"]}
        >>> verify_program("def square(x): return x * x", tests)
        Verdict(right: passed, 100% of cases)
        >>> constant = verify_program("def square(x): return 4", tests)
        >>> constant, constant.evidence["cases"]
        (Verdict(wrong: failed, 50% of cases), [True, False])
        >>> endless = "def square(x):\n    while True: pass"
        >>> verify_program(endless, tests, limits=Limits(cpu_s=0.1, memory_mb=256))
        Verdict(wrong: timeout, 0% of cases)

    Methods of the program's own objects do not decide, so an object that claims to equal everything fails:

        >>> always_equal = "class Yes:\n    __eq__ = lambda self, other: True\ndef square(x): return Yes()"
        >>> verify_program(always_equal, tests).correct
        False

    Args:
        code: Python source.
        tests: plain data in one of the shapes of `test_schema.py`, such as
            `{type: asserts, asserts: [...]}`, `{type: calls, ...}` or `{type: stdio, ...}`.
        limits: the limits of each case; None = the sandbox's own.
        sandbox: the sandbox to run it in; None = the one that everything in this process shares.
        stop_early: stop at the first case that fails; `share` is then None.
        integrity: `separate` keeps expected values out of the program's process. `shared` runs asserts and
            test modules inside it, where the program can read and forge them.

    Returns:
        A verdict whose `share` is the share of cases passed. Its evidence has `cases` (True for passed,
        False for failed, None for not run), `first_failed` if any failed, and `tier`, the sandbox's
        isolation. `correct` is None only if the sandbox itself failed twice.

    Raises:
        TaskError: the tests have no cases or cannot be read.
        DataError: the code is not text.
        SandboxError: no safe sandbox can be started here, or it cannot run tests of this kind.
    """
    typed = program_tests(tests)
    sandbox = sandbox or shared_sandbox()
    started = time.perf_counter()
    submission = Submission(sandbox, code, limits or sandbox.limits, stop_early, integrity == "shared")
    try:
        cases = judge_cases(submission, typed)
    except InfraError as error:
        return Verdict(None, Reason.UNAVAILABLE, evidence={"error": str(error)})
    verdict = _verdict_of(cases)
    verdict.evidence["tier"] = str(sandbox.tier)
    if integrity == "shared":
        verdict.evidence["integrity"] = integrity
    verdict.seconds = time.perf_counter() - started
    return verdict


def _verdict_of(cases: Sequence[Case]) -> Verdict:
    passed = [case.passed for case in cases]
    verdict = Verdict(all(passed), Reason.PASSED, tier="tests", evidence={"cases": passed})
    if None not in passed:
        verdict.share = passed.count(True) / len(passed)
    if False in passed:
        index = passed.index(False)
        failed = cases[index]
        verdict.reason = failed.reason
        verdict.evidence["first_failed"] = {
            "case": index,
            "reason": str(failed.reason),
            "said": failed.message,
        }
    return verdict


def tests_fault(tests: Any) -> str | None:
    """Return why a program cannot be judged by these tests, or None if it can."""
    try:
        program_tests(tests)
    except TaskError as error:
        return str(error)
    return None


def typed_tests(tests: Any) -> ProgramTests:
    """Return a problem's tests as typed data.

    Raises:
        TaskError: the problem has no tests, or they cannot be used.
    """
    if tests is None:
        raise TaskError("the problem has no tests to judge a program by; set `problem.tests` in the task")
    return program_tests(tests)
