"""Many cases of one program: first all of them in one process, then fresh processes where that is not enough.

Nothing in a program's process knows an expected value. So if all cases of a batch are right, the program is
right, whatever one case may have left behind for the next. If one is wrong, the reason may be something that
an earlier case left behind. Then each case is judged by a run of its own, except the first, before which
nothing ran. This includes the cases that were right: if only the wrong ones were run again, a program could
detect that and learn which cases it had failed.

Asserts are different: they are meant to run one after the other, and each outcome counts as it was.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .execution import Execution, Limits, RunVerdict
from .executor import Executor, encoded, text_of
from .wire.codec import decode
from .wire.protocol import BY_ITSELF
from .worker import Job, Report


@dataclass(slots=True)
class Called:
    """The outcome of one case that consists of calls."""

    value: Any = None
    """A list with the plain data that each call returned; meaningless unless `raised` is empty."""
    raised: str = ""
    """The exception's type, or the run's verdict (such as `timeout`) if the program never answered."""
    error: str = ""
    """The exception's type and text."""
    cpu_s: float = 0.0
    verdict: RunVerdict = RunVerdict.OK
    """`error` if the program raised an exception."""


PATIENCE = 2
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
        right: whether a case's outcome is right. Called once or twice per case.
        limits: of each case; None = the executor's own.
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
        sandbox: the executor that runs it.
        code: Python source, run as a module named `solution`.
        cases: each is one or several calls, as (entry, packed (args, kwargs)); an entry is `f`, `a.b` or
            `Solution().method`.
        prelude: code that is executed before the program, in its namespace.
        in_sequence: whether cases follow each other in one process, as asserts do, or are independent.
        right: whether a case's outcome is right.
        limits: of each case; None = the executor's own.
        stop_early: stop at the first case that is certainly wrong.

    Returns:
        The outcomes in order, each with the list of what its calls returned; None for cases that were not
        reached.

    Raises:
        InfraError: the executor itself failed.
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
"""Runs some cases in one process, and returns the outcomes of those that it reached, in order."""
Right = Callable[[int, Any], bool]


def _independent(count: int, attempt: Attempt, right: Right, stop_early: bool) -> list[Any]:
    """Run all cases in one process; unless all are right, run all but the first again, each in its own."""
    outcomes = attempt(range(count)) if count else []
    wrong = [case for case, outcome in enumerate(outcomes) if not right(case, outcome)]
    if not wrong and len(outcomes) == count:
        return outcomes
    if _same_for_all(outcomes, count):
        return outcomes
    settled: list[Any] = [outcomes[0], *(None for _ in range(1, count))]
    first_is_wrong = wrong[:1] == [0]
    if stop_early and first_is_wrong:
        return settled
    late = int(first_is_wrong and outcomes[0].verdict in _LATE)
    # The cases that were wrong or not reached come first, so that `stop_early` has less to run.
    suspects = [case for case in (*wrong, *range(len(outcomes), count)) if case]
    others = [case for case in range(1, count) if case not in set(suspects)]
    for case in (*suspects, *others):
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
    """Run cases one after the other in one process, and the rest in a new one whenever it ends."""
    settled: list[Any] = []
    late = 0
    while len(settled) < count:
        start = len(settled)
        outcomes = attempt(range(start, count))
        for outcome in outcomes:
            settled.append(outcome)
            if stop_early and not right(len(settled) - 1, outcome):
                return [*settled, *(None for _ in range(len(settled), count))]
        if _same_for_all(outcomes, count - start):
            break
        late += outcomes[-1].verdict in _LATE
        if late >= PATIENCE:
            settled += [outcomes[-1]] * (count - len(settled))
    return settled


def _same_for_all(outcomes: Sequence[Any], count: int) -> bool:
    """Whether all cases share one outcome, since the program could not even be defined."""
    return 1 < count == len(outcomes) and all(outcome is outcomes[0] for outcome in outcomes)


def _executions(sandbox: Executor, report: Report, limits: Limits, count: int) -> list[Execution]:
    """Return the executions of the cases that were run: those that left a record, and the one after them."""
    if count == 1:
        return [sandbox.execution(report, limits)]
    executions: list[Execution] = []
    out, err = 0, 0
    for record in report.records:
        try:
            status, (out_end, err_end), (cpu, wall) = record["status"], record["ends"], record["seconds"]
            alone = Report(
                BY_ITSELF,
                (int(status) & 0xFF) << 8,
                float(cpu),
                float(wall),
                report.kib,
                report.stdout[out : int(out_end)],
                report.stderr[err : int(err_end)],
                _failure(report, len(executions)),
            )
            out, err = int(out_end), int(err_end)
        except (KeyError, TypeError, ValueError, OverflowError):  # not a case's record, or a forged one
            continue
        executions.append(sandbox.execution(alone, limits))
        if len(executions) == count:
            return executions
    if executions and report.status == 0:
        return executions  # it stopped early because a case left threads running
    failures = [record for record in report.records if "failed" in record][-1:]
    last = replace(report, stdout=report.stdout[out:], stderr=report.stderr[err:], records=failures)
    return [*executions, sandbox.execution(last, limits)]


def _failure(report: Report, case: int) -> list[dict[str, Any]]:
    """Return the record that says why a case failed, if there is one; it precedes the case's own record."""
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
    """Return the outcomes of the cases that were run, in order; `calls` = each case's number of calls."""
    answers: list[Called] = []
    count = len(calls)
    for record in report.records:
        if len(answers) < count and record.get("case") == len(answers):
            answers.append(_answer(record, calls[len(answers)]))
    if len(answers) == count:
        return answers
    ended = sandbox.execution(report, limits)
    error = ended.detail.get("error") or ended.stderr[-2000:] or f"the program ended ({ended.verdict})"
    verdict = RunVerdict.ERROR if ended.verdict == RunVerdict.OK else ended.verdict
    last = Called(raised=verdict.value, error=error, cpu_s=ended.cpu_s, verdict=verdict)
    if report.running < 0 and not answers:  # before any call: the definitions fail for every case
        return [last] * count
    return [*answers, last]


def _answer(record: dict[str, Any], calls: int) -> Called:
    """Return the outcome that a case's record holds. The record may be forged, so every part is checked."""
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
