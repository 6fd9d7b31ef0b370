"""Many cases of one program: a batch in one process, then what failed alone, in a fresh one.

Nothing in a program's process knows an answer, so a case that is right in the batch is right,
whatever an earlier case left behind. One that is wrong might be so for what an earlier case left:
it is believed only where it ran first in its process.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .codec import decode
from .errors import InfraError
from .execution import Execution, Limits, RunVerdict
from .executor import Executor, encoded, text_of
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
_LATE = (RunVerdict.TIMEOUT, RunVerdict.WALL_TIMEOUT)


def run_cases(
    sandbox: Executor, code: str, stdins: Sequence[str], *,
    right: Callable[[int, Execution], bool], limits: Limits | None = None, stop_early: bool = False,
    prelude: str = "",
) -> list[Execution | None]:  # fmt: skip
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
    body = {"mode": "stdio", "code": text_of(code, "code"), "prelude": prelude}

    def attempt(cases: Sequence[int]) -> list[Execution]:
        job = Job(body, limits, [inputs[case] for case in cases], len(cases))
        report = sandbox.do(job)
        return _executions(sandbox, report, limits, len(cases))

    return _settled(len(inputs), attempt, right, stop_early)


def run_calls(
    sandbox: Executor, code: str, cases: Sequence[Sequence[tuple[str, bytes]]], *, prelude: str = "",
    right: Callable[[int, Called], bool], limits: Limits | None = None, stop_early: bool = False,
) -> list[Called | None]:  # fmt: skip
    """Define a program once and call its functions.

    Args:
        sandbox: where.
        code: Python source, run as a module named `solution`.
        cases: each of one call or several, as (entry, marshalled (args, kwargs)); an entry is `f`,
            `a.b` or `Solution().method`.
        prelude: code that the program may count on.
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

    def attempt(group: Sequence[int]) -> list[Called]:
        numbered = [(place, list(cases[case])) for place, case in enumerate(group)]
        body = {"mode": "calls", "code": text_of(code, "code"), "prelude": prelude, "cases": numbered}
        report = sandbox.do(Job(body, limits, cases=len(group)))
        return _answers(sandbox, report, limits, len(group))

    return _settled(len(cases), attempt, right, stop_early)


def _settled(
    count: int, attempt: Callable[[Sequence[int]], list[Any]], right: Callable[[int, Any], bool],
    stop_early: bool,
) -> list[Any]:  # fmt: skip
    """Run all cases at once, those that failed alone, and go on behind one that ended its process.

    A program that has passed its time limit in PATIENCE fresh processes is not tried any further: the
    cases that it has not passed count as late too.
    """
    settled: list[Any] = [None] * count
    late = 0
    groups = deque([list(range(count))] if count else [])
    while groups:
        group = groups.popleft()
        outcomes = attempt(group)
        if not outcomes:
            raise InfraError("a program's cases came back without any outcome")
        alone: list[int] = []
        for place, outcome in enumerate(outcomes):
            case = group[place]
            if right(case, outcome):
                settled[case] = outcome
            elif place == 0 or outcome is outcomes[0]:  # the same: what all of them share has failed
                settled[case] = outcome
                if stop_early:
                    return settled
                late += outcome.verdict in _LATE
                if late >= PATIENCE:
                    return [outcome if known is None else known for known in settled]
            else:
                alone.append(case)
        if rest := group[len(outcomes) :]:
            groups.appendleft(rest)
        groups.extendleft([case] for case in reversed(alone))
    return settled


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
                0, int(status) << 8, float(cpu), float(wall), report.kib, *sliced, _failure(report, len(made))
            )
            out, err = int(to_out), int(to_err)
        except (KeyError, TypeError, ValueError):
            continue
        made.append(sandbox.execution(alone, limits))
        if len(made) == count:
            return made
    if made and report.status == 0:
        return made  # it stopped early, for the threads that a case left
    last = Report(
        report.cause, report.status, report.cpu_s, report.wall_s, report.kib,
        report.stdout[out:], report.stderr[err:],
        [record for record in report.records if "failed" in record][-1:],
    )  # fmt: skip
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


def _answers(sandbox: Executor, report: Report, limits: Limits, count: int) -> list[Called]:
    made: list[Called] = []
    for record in report.records:
        if record.get("case") == len(made) and len(made) < count:
            made.append(_answer(record))
    if len(made) == count:
        return made
    ended = sandbox.execution(report, limits)
    error = ended.detail.get("error") or ended.stderr[-2000:] or f"the program ended ({ended.verdict})"
    verdict = RunVerdict.ERROR if ended.verdict == RunVerdict.OK else ended.verdict
    last = Called(raised=verdict.value, error=error, cpu_s=ended.cpu_s, verdict=verdict)
    if report.running < 0 and not made:  # before any call: the definitions fail for all of them
        return [last] * count
    return [*made, last]


def _answer(record: dict[str, Any]) -> Called:
    seconds = record.get("seconds")
    cpu = seconds[0] if isinstance(seconds, list) and seconds and isinstance(seconds[0], float) else 0.0
    if "value" not in record:
        raised = str(record.get("raised"))
        verdict = RunVerdict.MEMORY if raised == "MemoryError" else RunVerdict.ERROR
        return Called(raised=raised, error=str(record.get("error"))[:2000], cpu_s=cpu, verdict=verdict)
    try:
        return Called(decode(record["value"]), cpu_s=cpu)
    except (ValueError, TypeError) as error:
        return Called(raised="NotPlainError", error=str(error)[:200], cpu_s=cpu, verdict=RunVerdict.ERROR)
