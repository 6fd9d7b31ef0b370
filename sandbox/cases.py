"""Running many cases of one program: all of them in one process first, then in fresh ones where needed.

Nothing in a program's process knows an expected value. So if all cases of a batch are right, the program is
right, whatever one case may have left behind for the next. If one is wrong, the reason may be something that
an earlier case left behind. Then each case is judged by a run of its own, except the first, before which
nothing ran. This includes the cases that were right: if only the wrong ones were run again, a program could
detect that and learn which cases it had failed.

Asserts are different: they are meant to run one after the other, so each outcome counts as it came out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .execution import Execution, Limits, RunVerdict
from .executor import Executor, encoded, text_of
from .job import Job, Report
from .wire.codec import decode
from .wire.protocol import BY_ITSELF


@dataclass(slots=True)
class Called:
    """The outcome of one case that consists of calls."""

    value: Any = None
    """A list with the plain data that each call returned; meaningless unless `raised` is empty."""
    raised: str = ""
    """The exception's type, or the run's verdict (such as `timeout`) if the program never answered; empty if
    all calls returned."""
    error: str = ""
    """The exception's type and text."""
    cpu_s: float = 0.0
    verdict: RunVerdict = RunVerdict.OK
    """`error` if the program raised an exception."""


_MOST_TIMEOUTS = 2
"""After this many time-outs in different processes, the program's remaining cases count as time-outs too."""
_LATE = (RunVerdict.TIMEOUT, RunVerdict.WALL_TIMEOUT)


def run_cases(
    sandbox: Executor,
    code: str,
    stdins: Sequence[str],
    *,
    right: Callable[[int, Execution], bool],
    limits: Limits | None = None,
    stop_early: bool = False,
    prelude: str = "",
) -> list[Execution | None]:
    """Run a program once for each input.

    Args:
        sandbox: the executor that runs it.
        code: Python source, run as `__main__`.
        stdins: the standard input of each case.
        right: returns whether a case's outcome is right; called once or twice per case.
        limits: the limits of each case; None = the executor's own.
        stop_early: stop at the first case that is certainly wrong.
        prelude: code that is executed before the program, in its namespace.

    Returns:
        The outcomes in order; None for cases that were not reached.

    Raises:
        InfraError: the executor itself failed.
    """
    limits = limits or sandbox.limits
    inputs = [encoded(stdin) for stdin in stdins]
    text_of(code, "code")

    def attempt(cases: Sequence[int]) -> list[Execution]:
        chosen = [inputs[case] for case in cases]
        report = sandbox.do(Job(code, limits, prelude=prelude, inputs=chosen, cases=len(cases)))
        return _executions(sandbox, report, limits, len(cases))

    return _independent(len(inputs), attempt, right, stop_early)


def run_calls(
    sandbox: Executor,
    code: str,
    cases: Sequence[Sequence[tuple[str, bytes]]],
    *,
    prelude: str = "",
    in_sequence: bool = False,
    right: Callable[[int, Called], bool],
    limits: Limits | None = None,
    stop_early: bool = False,
) -> list[Called | None]:
    """Define a program once and call its functions.

    Args:
        sandbox: the executor that runs it.
        code: Python source, run as a module named `solution`.
        cases: each is one or several calls, as (entry, packed arguments); an entry is `f`, `a.b` or
            `Solution().method`. See `Job.calls`.
        prelude: code that is executed before the program, in its namespace.
        in_sequence: whether cases follow each other in one process, as asserts do, or are independent.
        right: returns whether a case's outcome is right.
        limits: the limits of each case; None = the executor's own.
        stop_early: stop at the first case that is certainly wrong.

    Returns:
        The outcomes in order; None for cases that were not reached.

    Raises:
        InfraError: the executor itself failed.
    """
    limits = limits or sandbox.limits
    text_of(code, "code")

    def attempt(group: Sequence[int]) -> list[Called]:
        numbered = [(place, list(cases[case])) for place, case in enumerate(group)]
        report = sandbox.do(Job(code, limits, "calls", prelude, calls=numbered, cases=len(group)))
        return _outcomes(sandbox, report, limits, [len(cases[case]) for case in group])

    run = _in_sequence if in_sequence else _independent
    return run(len(cases), attempt, right, stop_early)


Attempt = Callable[[Sequence[int]], list[Any]]
"""Runs the cases of these numbers in one process; returns the outcomes of those that it reached, in order."""
Right = Callable[[int, Any], bool]
"""Returns whether a case's outcome is right."""


def _independent(count: int, attempt: Attempt, right: Right, stop_early: bool) -> list[Any]:
    """Run all cases in one process; unless all are right, run all but the first again, each in its own."""
    outcomes = attempt(range(count)) if count else []
    wrong = [case for case, outcome in enumerate(outcomes) if not right(case, outcome)]
    if not wrong and len(outcomes) == count:
        return outcomes
    if _is_undefined(outcomes, count):
        return outcomes
    settled: list[Any] = [outcomes[0], *[None] * (count - 1)]
    first_is_wrong = wrong[:1] == [0]
    if stop_early and first_is_wrong:
        return settled
    late = int(first_is_wrong and outcomes[0].verdict in _LATE)
    # The cases that were wrong or not reached come first, so that `stop_early` has less to run.
    suspects = [case for case in (*wrong, *range(len(outcomes), count)) if case != 0]
    others = sorted(set(range(1, count)) - set(suspects))
    for case in (*suspects, *others):
        outcome = attempt([case])[0]
        settled[case] = outcome
        if right(case, outcome):
            continue
        if stop_early:
            return settled
        late += outcome.verdict in _LATE
        if late >= _MOST_TIMEOUTS:
            return [outcome if known is None else known for known in settled]
    return settled


def _in_sequence(count: int, attempt: Attempt, right: Right, stop_early: bool) -> list[Any]:
    """Run cases one after the other in one process; if it ends early, run the rest in a new one."""
    settled: list[Any] = []
    late = 0
    while len(settled) < count:
        start = len(settled)
        outcomes = attempt(range(start, count))
        for outcome in outcomes:
            settled.append(outcome)
            if stop_early and not right(len(settled) - 1, outcome):
                return [*settled, *[None] * (count - len(settled))]
        if _is_undefined(outcomes, count - start):
            break
        late += outcomes[-1].verdict in _LATE
        if late >= _MOST_TIMEOUTS:
            settled += [outcomes[-1]] * (count - len(settled))
    return settled


def _is_undefined(outcomes: Sequence[Any], count: int) -> bool:
    """Whether the program could not be defined; `_outcomes` then returns one object for all cases.

    A single case needs no such shortcut: there are no other cases to settle.
    """
    return 1 < count == len(outcomes) and all(outcome is outcomes[0] for outcome in outcomes)


def _executions(sandbox: Executor, report: Report, limits: Limits, count: int) -> list[Execution]:
    """Return the executions of the cases that were run: those that left a record, and the one after them."""
    if count == 1:
        return [sandbox.execution(report, limits)]
    executions: list[Execution] = []
    out, err = 0, 0  # where the running case's output begins
    failures: list[dict[str, Any]] = []
    for record in report.records:
        if "failed" in record:  # why the case failed whose own record comes next
            failures = [record]
            continue
        try:
            out_end, err_end = map(int, record["ends"])
            cpu, wall = map(float, record["seconds"])
            case_report = Report(
                cause=BY_ITSELF,
                status=(int(record["status"]) & 0xFF) << 8,
                cpu_s=cpu,
                wall_s=wall,
                kib=report.kib,
                stdout=report.stdout[out:out_end],
                stderr=report.stderr[err:err_end],
                records=failures,
            )
        except (KeyError, TypeError, ValueError, OverflowError):  # not a case's record, or a forged one
            continue
        out, err, failures = out_end, err_end, []
        executions.append(sandbox.execution(case_report, limits))
        if len(executions) == count:
            return executions
    if executions and report.status == 0:
        return executions  # it stopped early because a case left threads running
    last = replace(report, stdout=report.stdout[out:], stderr=report.stderr[err:], records=failures)
    return [*executions, sandbox.execution(last, limits)]


def _outcomes(sandbox: Executor, report: Report, limits: Limits, call_counts: Sequence[int]) -> list[Called]:
    """Return the outcomes of the cases that were run, in order; `call_counts` has one number per case."""
    outcomes: list[Called] = []
    count = len(call_counts)
    for record in report.records:
        if len(outcomes) < count and record.get("case") == len(outcomes):
            outcomes.append(_outcome(record, call_counts[len(outcomes)]))
    if len(outcomes) == count:
        return outcomes
    ended = sandbox.execution(report, limits)
    error = ended.detail.get("error") or ended.stderr[-2000:] or f"the program ended ({ended.verdict})"
    verdict = RunVerdict.ERROR if ended.verdict == RunVerdict.OK else ended.verdict
    last = Called(raised=verdict.value, error=error, cpu_s=ended.cpu_s, verdict=verdict)
    if report.running < 0 and not outcomes:  # before any call: the definitions fail for every case
        return [last] * count
    return [*outcomes, last]


def _outcome(record: dict[str, Any], call_count: int) -> Called:
    """Return the outcome that a case's record holds. The record may be forged, so every part is checked."""
    seconds = record.get("seconds")
    cpu = seconds[0] if isinstance(seconds, list) and seconds and isinstance(seconds[0], float) else 0.0
    if "value" not in record:
        raised = str(record.get("raised"))
        verdict = RunVerdict.MEMORY if raised == "MemoryError" else RunVerdict.ERROR
        return Called(raised=raised, error=str(record.get("error"))[:2000], cpu_s=cpu, verdict=verdict)
    try:
        value = decode(record["value"])
        if not isinstance(value, list) or len(value) != call_count:
            raise ValueError(f"not the answers of {call_count} calls")
        return Called(value, cpu_s=cpu)
    except (ValueError, TypeError, AttributeError) as error:
        return Called(raised="NotPlainError", error=str(error)[:200], cpu_s=cpu, verdict=RunVerdict.ERROR)
