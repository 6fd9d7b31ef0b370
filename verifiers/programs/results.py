"""A program that is to be judged, and the results of its cases."""

from collections.abc import Sequence
from dataclasses import dataclass

from ...sandbox.cases import Outcome
from ...sandbox.execution import Limits, RunVerdict
from ...sandbox.executor import Executor
from ..verdict import Reason

SHOWN_CHARS = 500
"""Characters of an output or an error that a case keeps."""

REASONS = {
    RunVerdict.ERROR: Reason.ERROR,
    RunVerdict.COMPILE_ERROR: Reason.COMPILE_ERROR,
    RunVerdict.TIMEOUT: Reason.TIMEOUT,
    RunVerdict.WALL_TIMEOUT: Reason.TIMEOUT,
    RunVerdict.MEMORY: Reason.MEMORY,
    RunVerdict.OUTPUT_LIMIT: Reason.OUTPUT_LIMIT,
    RunVerdict.KILLED: Reason.KILLED,
}
"""The reason of a case that failed because of how its run ended."""


@dataclass(frozen=True, slots=True)
class Case:
    """The result of one case."""

    passed: bool | None
    """None = not run, because an earlier case failed."""
    reason: Reason = Reason.PASSED
    message: str = ""
    """For a failed case: the error, or what the program printed or returned."""

    def __bool__(self) -> bool:
        return self.passed is True


NOT_REACHED = Case(None, Reason.UNDECIDED)


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


def complete(cases: Sequence[Case | None]) -> list[Case]:
    """Return the results of all cases, given those of the cases that were reached."""
    return [NOT_REACHED if case is None else case for case in cases]


def failed_run(outcome: Outcome) -> Case:
    """Return the result of a case whose run did not end well."""
    return Case(False, REASONS[outcome.verdict], outcome.error[-SHOWN_CHARS:])
