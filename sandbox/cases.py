"""Many cases of one program: a batch in one process, and fresh ones where that does not settle it.

Nothing in a program's process knows an answer, so a batch in which all cases are right is right,
whatever one case left behind for the next. Where one is wrong, that might be for what an earlier
case left. Then every case but the first, which nothing ran before, is judged by a run of its own, and
by nothing else: were only the wrong ones run again, a program that notices would know which they are.
Asserts are other: they mean to run one after the other, and keep what came of each.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .execution import Execution, Limits, RunVerdict
from .executor import Executor, encoded, text_of
from .wire.codec import decode
from .worker import Job, Report


@dataclass(slots=True)
class Called:
    """What the calls of one case gave."""

    value: Any = None
    """A list of plain data, one for each call; meaningless unless `raised` is empty."""
    raised: str = ""
    """The exception's type, or the verdict of the run that never answered (`timeout`)."""
    error: str = ""
    """The exception's type and text."""
    cpu_s: float = 0.0
    verdict: RunVerdict = RunVerdict.OK
    """`error` where it raised."""


PATIENCE = 2
"""A program that has passed its time limit so often, each time in another process, is not run on the
rest of its cases: they count as late too."""
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
        sandbox: where.
        code: Python source, run as `__main__`.
        stdins: standard inputs.
        right: whether a case's outcome is right; asked once or twice a case.
        limits: of each case.
        stop_early: end at the first case that is wrong for sure.
        prelude: code that the program may count on.

    Returns:
        Outcomes in order; None for cases that were not reached.

    Raises:
        InfraError: a worker was lost twice.
    """
    limits = limits or sandbox.limits
    inputs = [encoded(stdin) for stdin in stdins]
    text_of(code, "code")

    def attempt(cases: Sequence[int]) -> list[Execution]:
        some = [inputs[case] for case in cases]
        report = sandbox.do(Job(code, limits, prelude=prelude, inputs=some, cases=len(some)))
        return _executions(sandbox, report, limits, len(some))

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
        sandbox: where.
        code: Python source, run as a module named `solution`.
        cases: each of one call or several, as (entry, marshalled (args, kwargs)); an entry is `f`,
            `a.b` or `Solution().method`.
        prelude: code that the program may count on.
        in_sequence: cases follow each other in one process, as asserts do; else each stands alone.
        right: whether a case's outcome is right.
        limits: of each case.
        stop_early: end at the first case that is wrong for sure.

    Returns:
        Outcomes in order, the value of each the list of what its calls gave; None for cases that were
        not reached.

    Raises:
        InfraError: a worker was lost twice.
    """
    limits = limits or sandbox.limits
    text_of(code, "code")

    def attempt(group: Sequence[int]) -> list[Called]:
        numbered = [(place, list(cases[case])) for place, case in enumerate(group)]
        report = sandbox.do(Job(code, limits, "calls", prelude, calls=numbered, cases=len(group)))
        return _answers(sandbox, report, limits, [len(cases[case]) for case in group])

    settle = _in_sequence if in_sequence else _independent
    return settle(len(cases), attempt, right, stop_early)


Attempt = Callable[[Sequence[int]], list[Any]]
"""Runs cases in one process: the outcomes of those that it came to, in order."""
Right = Callable[[int, Any], bool]


def _independent(count: int, attempt: Attempt, right: Right, stop_early: bool) -> list[Any]:
    """Run all cases at once; unless all are right, all but the first alone, which ran alone anyhow."""
    outcomes = attempt(range(count)) if count else []
    settled: list[Any] = [outcomes[0] if case == 0 else None for case in range(count)]
    wrong = [case for case, outcome in enumerate(outcomes) if not right(case, outcome)]
    if not wrong and len(outcomes) == count:
        return outcomes
    if _shared(outcomes, count):
        return outcomes
    first_is_wrong = wrong[:1] == [0]
    if stop_early and first_is_wrong:
        return settled
    late = int(first_is_wrong and outcomes[0].verdict in _LATE)
    suspects = [case for case in (*wrong, *range(len(outcomes), count)) if case]
    for case in (*suspects, *(case for case in range(1, count) if case not in set(suspects))):
        settled[case] = outcome = attempt([case])[0]
        if right(case, outcome):
            continue
        if stop_early:
            return settled
        late += outcome.verdict in _LATE
        if late >= PATIENCE:
            return [outcome if known is None else known for known in settled]
    return settled


def _in_sequence(count: int, attempt: Attempt, right: Right, stop_early: bool) -> list[Any]:
    """Run cases one after the other, in one process for as long as it lasts."""
    settled: list[Any] = []
    late = 0
    while len(settled) < count:
        start = len(settled)
        outcomes = attempt(range(start, count))
        for outcome in outcomes:
            settled.append(outcome)
            if stop_early and not right(len(settled) - 1, outcome):
                return [*settled, *(None for _ in range(len(settled), count))]
        if _shared(outcomes, count - start):
            break
        late += outcomes[-1].verdict in _LATE
        if late >= PATIENCE:
            settled += [outcomes[-1]] * (count - len(settled))
    return settled


def _shared(outcomes: Sequence[Any], count: int) -> bool:
    """Whether one outcome stands for all cases: the program could not be defined."""
    return 1 < count == len(outcomes) and all(outcome is outcomes[0] for outcome in outcomes)


def _executions(sandbox: Executor, report: Report, limits: Limits, count: int) -> list[Execution]:
    """Return the executions of the cases that were run, in order: those with a record, and the last."""
    if count == 1:
        return [sandbox.execution(report, limits)]
    made: list[Execution] = []
    out, err = 0, 0
    for record in report.records:
        try:
            status, (to_out, to_err), (cpu, wall) = record["status"], record["ends"], record["seconds"]
            sliced = report.stdout[out : int(to_out)], report.stderr[err : int(to_err)]
            alone = Report(
                0,
                (int(status) & 0xFF) << 8,
                float(cpu),
                float(wall),
                report.kib,
                *sliced,
                _failure(report, len(made)),
            )
            out, err = int(to_out), int(to_err)
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
        made.append(sandbox.execution(alone, limits))
        if len(made) == count:
            return made
    if made and report.status == 0:
        return made  # it stopped early, for the threads that a case left
    last = Report(
        report.cause,
        report.status,
        report.cpu_s,
        report.wall_s,
        report.kib,
        report.stdout[out:],
        report.stderr[err:],
        [record for record in report.records if "failed" in record][-1:],
    )
    return [*made, sandbox.execution(last, limits)]


def _failure(report: Report, case: int) -> list[dict[str, Any]]:
    """Return what the program's process said of why this case failed: it stands before the case's record."""
    seen = -1
    previous: dict[str, Any] = {}
    for record in report.records:
        if "status" in record:
            seen += 1
            if seen == case:
                return [previous] if "failed" in previous else []
        previous = record
    return []


def _answers(sandbox: Executor, report: Report, limits: Limits, calls: Sequence[int]) -> list[Called]:
    """Return what the cases that were run gave, in order; `calls` = how many calls each has."""
    made: list[Called] = []
    count = len(calls)
    for record in report.records:
        if len(made) < count and record.get("case") == len(made):
            made.append(_answer(record, calls[len(made)]))
    if len(made) == count:
        return made
    ended = sandbox.execution(report, limits)
    error = ended.detail.get("error") or ended.stderr[-2000:] or f"the program ended ({ended.verdict})"
    verdict = RunVerdict.ERROR if ended.verdict == RunVerdict.OK else ended.verdict
    last = Called(raised=verdict.value, error=error, cpu_s=ended.cpu_s, verdict=verdict)
    if report.running < 0 and not made:  # before any call: the definitions fail for all of them
        return [last] * count
    return [*made, last]


def _answer(record: dict[str, Any], calls: int) -> Called:
    seconds = record.get("seconds")
    cpu = seconds[0] if isinstance(seconds, list) and seconds and isinstance(seconds[0], float) else 0.0
    if "value" not in record:
        raised = str(record.get("raised"))
        verdict = RunVerdict.MEMORY if raised == "MemoryError" else RunVerdict.ERROR
        return Called(raised=raised, error=str(record.get("error"))[:2000], cpu_s=cpu, verdict=verdict)
    try:
        value = decode(record["value"])
        if not isinstance(value, list) or len(value) != calls:
            raise ValueError(f"not the answers of {calls} calls")
        return Called(value, cpu_s=cpu)
    except (ValueError, TypeError, AttributeError) as error:
        return Called(raised="NotPlainError", error=str(error)[:200], cpu_s=cpu, verdict=RunVerdict.ERROR)
