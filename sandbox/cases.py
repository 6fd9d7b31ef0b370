"""Running many cases of one program, in as few processes as possible.

Nothing in a program's process knows an expected value, and nothing here depends on one: a case's only outcome
is the one with which its process accepted it, and which cases run when depends on how the program behaves
alone. So there is no second look from which a program could learn what was wrong.

All cases of a process share the limits of one case. What a process has done within them, each of its cases
has done within them, whatever the program claims about its clock. If a case meets a limit in a process in
which others ran before it, that says nothing about the case, so it begins the next process, with limits of
its own. The same holds for a case that fails after others, since these may have left something in its way.
But once a case has failed at the beginning of a process too, failures count wherever they occur.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .execution import Execution, Limits, RunVerdict
from .executor import Executor, encoded, text_of
from .job import Job, Report
from .wire.codec import TooLargeError
from .wire.records import DEFINED, ENDED, MEMORY, RAISED, VALUE, Record


@dataclass(slots=True)
class Outcome:
    """How one case ended."""

    verdict: RunVerdict
    answer: bytes | memoryview = b""
    """What the program printed; or, for calls, the codec's text of a list with the value of each call. The
    latter is empty unless `verdict` is `ok`."""
    error: str = ""
    """The exception's type and text, or the end of the standard error."""
    raised: str = ""
    """For calls: the exception's type, or the run's verdict (such as `timeout`) if there was no answer."""
    ended_process: bool = False
    """Whether the process of the program ended during this case."""


Judge = Callable[[Sequence[tuple[int, Outcome]]], list[Any]]
"""Returns the results to keep of some cases, given the number and the outcome of each. A result is falsy if
the case is wrong. It is called once for every case."""
_SLICES, _SLICE = 7, 1 / 32
"""When cases are late, so many others are tried with this share of the limits, to see whether any ends."""
_LATE_IN_A_ROW = 3
"""A program some of whose cases have ended may be late in so many cases in a row before that."""
_LATE = (RunVerdict.TIMEOUT, RunVerdict.WALL_TIMEOUT)
_SHARED = (*_LATE, RunVerdict.MEMORY, RunVerdict.OUTPUT_LIMIT)
"""Verdicts of limits that the cases of a process share."""


def run_cases(
    sandbox: Executor,
    code: str,
    stdins: Sequence[str],
    *,
    judge: Judge,
    limits: Limits | None = None,
    stop_early: bool = False,
    prelude: str = "",
) -> list[Any]:
    """Run a program once for each input.

    Args:
        sandbox: the executor that runs it.
        code: Python source, run as `__main__`.
        stdins: the standard input of each case.
        judge: see `Judge`.
        limits: the limits of each case; None = the executor's own.
        stop_early: stop at the first case that is wrong.
        prelude: code that is executed before the program, in its namespace.

    Returns:
        What `judge` returned for each case, in order; None for cases that were not reached.

    Raises:
        InfraError: the executor itself failed.
    """
    limits = limits or sandbox.limits
    inputs = [encoded(stdin) for stdin in stdins]
    text_of(code, "code")

    def attempt(cases: Sequence[int], limits: Limits) -> list[Outcome]:
        chosen = [inputs[case] for case in cases]
        report = sandbox.do(Job(code, limits, prelude=prelude, inputs=chosen))
        return _printed(sandbox, report, limits, len(cases))

    return _Schedule(attempt, judge, limits, stop_early, fresh=True).run(len(inputs))


def run_calls(
    sandbox: Executor,
    code: str,
    cases: Sequence[Sequence[tuple[str, bytes]]],
    *,
    prelude: str = "",
    in_sequence: bool = False,
    judge: Judge,
    limits: Limits | None = None,
    stop_early: bool = False,
) -> list[Any]:
    """Define a program and call its functions.

    Args:
        sandbox: the executor that runs it.
        code: Python source, run as a module named `solution`.
        cases: each is one or several calls, as (entry, packed arguments); an entry is `f`, `a.b`,
            `Solution().method` or `Solution?.method`. See `Job.calls`.
        prelude: code that is executed before the program, in its namespace.
        in_sequence: whether cases follow each other on one module, as asserts do; else each has its own.
        judge: see `Judge`.
        limits: the limits of each case; None = the executor's own.
        stop_early: stop at the first case that is wrong.

    Returns:
        What `judge` returned for each case, in order; None for cases that were not reached.

    Raises:
        InfraError: the executor itself failed.
    """
    limits = limits or sandbox.limits
    text_of(code, "code")

    def attempt(group: Sequence[int], limits: Limits) -> list[Outcome]:
        numbered = [(place, list(cases[case])) for place, case in enumerate(group)]
        job = Job(code, limits, "calls", prelude, calls=numbered, fresh=not in_sequence)
        return _called(sandbox, sandbox.do(job), limits, len(group))

    return _Schedule(attempt, judge, limits, stop_early, fresh=not in_sequence).run(len(cases))


class _Schedule:
    """The order in which the cases of one program are run.

    Args:
        attempt: runs the cases of these numbers in one process, within limits for all of them together;
            returns the outcomes of those that it reached, in order. One object for all of them means that the
            program could not be defined.
        judge: see `Judge`.
        limits: the limits of each case.
        stop_early: whether to stop at the first case that is wrong.
        fresh: whether no case depends on an earlier one, so that their order is free.
    """

    def __init__(
        self,
        attempt: Callable[[Sequence[int], Limits], list[Outcome]],
        judge: Judge,
        limits: Limits,
        stop_early: bool,
        fresh: bool,
    ):
        self._attempt, self._judge, self._limits = attempt, judge, limits
        self._stop_early, self._fresh = stop_early, fresh
        self._results: list[Any] = []
        self._waiting: list[int] = []
        self._doubts = fresh  # whether a case that failed after others is tried again
        self._late_in_a_row = 0
        self._has_ended = False  # whether any case has ended within the limits

    def run(self, count: int) -> list[Any]:
        """Run that many cases; return their results."""
        self._results, self._waiting = [None] * count, list(range(count))
        most = count  # cases of one process
        while self._waiting:
            outcomes = self._attempt(self._waiting[:most], self._limits)
            if len(outcomes) > 1 and all(outcome is outcomes[0] for outcome in outcomes):
                outcomes = [outcomes[0]] * len(self._waiting)
            else:
                kept = self._trusted(outcomes)
                if kept < len(outcomes) and outcomes[kept].verdict in _LATE:
                    most = kept  # as many as have found room in one process
                outcomes = outcomes[:kept]
            if not self._settle(self._waiting[: len(outcomes)], outcomes):
                break
            if outcomes[-1].verdict not in _LATE:
                self._late_in_a_row, self._has_ended = 0, True
                continue
            self._has_ended = self._has_ended or len(outcomes) > 1
            self._late_in_a_row += 1
            if not self._is_worth_going_on():
                self._settle(self._waiting, [outcomes[-1]] * len(self._waiting))
        return self._results

    def _trusted(self, outcomes: Sequence[Outcome]) -> int:
        """Return how many of a process's outcomes count; the case after them begins the next process."""
        for place, outcome in enumerate(outcomes):
            if outcome.verdict == RunVerdict.OK:
                continue
            if place == 0:
                self._doubts = False
            elif self._doubts or outcome.ended_process or outcome.verdict in _SHARED:
                return place
        return len(outcomes)

    def _settle(self, cases: Sequence[int], outcomes: Sequence[Outcome]) -> bool:
        """Keep the outcomes of some cases; return whether to go on."""
        cases = list(cases)
        right = True
        for case, result in zip(cases, self._judge(list(zip(cases, outcomes, strict=True))), strict=True):
            if not right and self._stop_early:
                break
            self._results[case] = result
            right = right and bool(result)
        settled = set(cases)
        self._waiting = [case for case in self._waiting if case not in settled]
        return right or not self._stop_early

    def _is_worth_going_on(self) -> bool:
        """Return whether the cases that wait may still end, after some were late in processes of their own.

        A few of them get a small share of the limits, and one gets the whole: a program none of whose cases
        ends is not made to wait for all of them.
        """
        if len(self._waiting) <= 2 or (self._has_ended and self._late_in_a_row < _LATE_IN_A_ROW):
            return True
        limits = self._limits
        slice_of_limits = replace(limits, cpu_s=limits.cpu_s * _SLICE, wall_s=limits.wall_s * _SLICE)
        waiting = self._waiting
        count = _SLICES if len(waiting) > 10 else len(waiting)
        tries = [
            (waiting[len(waiting) * place // count - 1], slice_of_limits) for place in range(1, count + 1)
        ]
        tries.append((waiting[len(waiting) // 2], limits))
        ended = False
        for case, limit in tries:
            if limit is limits and ended:
                break
            outcome = self._attempt([case], limit)[0]
            is_late = outcome.verdict in _LATE
            ended = ended or not is_late
            if self._fresh and not (is_late and limit is not limits) and not self._settle([case], [outcome]):
                self._waiting = []
        self._has_ended, self._late_in_a_row = self._has_ended or ended, 0
        return ended


def _printed(sandbox: Executor, report: Report, limits: Limits, count: int) -> list[Outcome]:
    """Return the outcomes of the cases that were run: those that left a record, and the one after them."""
    stdout, stderr = memoryview(report.stdout), memoryview(report.stderr)
    if count == 1:
        return [_of_execution(sandbox.execution(report, limits), stdout[: limits.output_bytes])]
    outcomes: list[Outcome] = []
    out, err, most = 0, 0, limits.output_bytes  # where the running case's output begins
    for record in report.records:
        if record.kind != ENDED or record.case != len(outcomes) or len(outcomes) == count:
            break  # forged
        outcome = Outcome(RunVerdict.OK, stdout[out : record.out_end])
        if record.status:
            outcome.verdict = RunVerdict.MEMORY if record.body == MEMORY.encode() else RunVerdict.ERROR
            outcome.error = str(stderr[err : record.err_end][-_SHOWN:], "utf-8", "replace")
        if max(record.out_end - out, record.err_end - err) > most:
            outcome.verdict = RunVerdict.OUTPUT_LIMIT
        outcomes.append(outcome)
        out, err = record.out_end, record.err_end
    if len(outcomes) == count or (outcomes and report.status == 0):
        return outcomes  # if some are missing, a case left threads running, and no other was begun
    last = replace(report, stdout=b"", stderr=bytes(stderr[err:]))
    ended = _of_execution(sandbox.execution(last, limits), stdout[out:][:most])
    if len(stdout) - out > most:
        ended.verdict = RunVerdict.OUTPUT_LIMIT
    ended.ended_process = True
    return [*outcomes, ended]


_SHOWN = 2000
"""Bytes at the end of the standard error that an outcome keeps."""


def _of_execution(execution: Execution, stdout: memoryview) -> Outcome:
    return Outcome(execution.verdict, stdout, execution.stderr[-_SHOWN:] or str(execution.verdict))


def _called(sandbox: Executor, report: Report, limits: Limits, count: int) -> list[Outcome]:
    """Return the outcomes of the cases that were run, in order."""
    outcomes: list[Outcome] = []
    defined = False
    for record in report.records:
        defined = defined or record.kind == DEFINED
        if record.kind in (VALUE, RAISED) and record.case == len(outcomes) < count:
            outcomes.append(_of_record(record))
    if len(outcomes) == count or (outcomes and report.status == 0):
        return outcomes
    ended = sandbox.execution(report, limits)
    verdict = RunVerdict.ERROR if ended.verdict == RunVerdict.OK else ended.verdict
    error = ended.detail.get("error") or ended.stderr[-_SHOWN:] or f"the program ended ({ended.verdict})"
    last = Outcome(verdict, error=error, raised=verdict.value, ended_process=True)
    return [*outcomes, last] if defined else [last] * count


def _of_record(record: Record) -> Outcome:
    """Return the outcome that a case's record holds. The record may be forged."""
    if record.kind == VALUE:
        return Outcome(RunVerdict.OK, record.body)
    raised, error = record.parts()
    if raised == "MemoryError":
        verdict = RunVerdict.MEMORY
    elif raised == TooLargeError.__name__:
        verdict = RunVerdict.OUTPUT_LIMIT
    else:
        verdict = RunVerdict.ERROR
    return Outcome(verdict, error=error[:_SHOWN], raised=raised[:100])
