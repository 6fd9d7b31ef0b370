"""Running one component over many completions: faults become data, values are checked.

A column is the list of one entry's parts, one a completion. Nothing here raises for what a
component does, unless its entry says `on_failure: {...: stop}`.
"""

import math
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...sandbox.errors import DeadlineError, InfraError, MemoryLimitError, RewardError, SandboxError
from ...tasks.problem import Completion, Problem
from ...verifiers.verdict import Reason, Verdict, Verifier
from ..score import COMPLETIONS_FAULT, STATUS_OF_REASON, Part, Score, Status
from .deadlines import Address, run_batch, run_each
from .event_loop import run_all
from .registry import Component, range_of

ATTEMPTS = 2
"""Calls before a failure of ours (`infra_error`) stands."""

_REASONS = {True: Reason.PASSED, False: Reason.FAILED, None: Reason.UNDECIDED}
_OK, _ABSTAIN, _BUG = Status.OK, Status.ABSTAIN, Status.BUG
_OTHER_FAULTS = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError, DeadlineError)


@dataclass(frozen=True)
class Term:
    """An entry of a task, resolved and typed."""

    name: str
    component: Component
    parameters: dict[str, Any]
    bounds: tuple[float, float]
    """Lowest and highest value, after clipping."""
    clip: tuple[float, float] | None = None
    timeout_s: float | None = None
    on_failure: dict[str, float | str] = field(default_factory=dict)
    where: str = ""
    address: Address | None = None
    """Where a worker process finds the function, if it is synchronous and has a deadline."""


def run_column(
    term: Term, problems: Sequence[Problem], completions: Sequence[Completion], weight: float
) -> list[Part]:
    """Return one part a completion, in order.

    Raises:
        RewardError: a failure whose policy is `stop`. SandboxError: no safe sandbox can be started.
    """
    start = time.perf_counter()
    results = _call(term, problems, completions)
    if refused := next((result for result in results if isinstance(result, SandboxError)), None):
        raise refused  # no row can be judged: there is nothing to go on with
    seconds = (time.perf_counter() - start) / max(len(completions), 1)
    make = _from_verdict if isinstance(term.component, Verifier) else _from_value
    low, high = range_of(term.component)
    parts = []
    for result in results:
        if type(result) is float and low <= result <= high:  # the common case, kept short
            part = Part(result, weight, _OK, "", seconds)
        else:
            part = make(term, result)
            part.weight, part.seconds = weight, seconds
        if part.status is not _OK:
            apply_policy(part, term.on_failure, term.bounds, term.where)
        if term.clip is not None and part.value is not None:
            part.value = min(max(part.value, term.clip[0]), term.clip[1])
        parts.append(part)
    return parts


def _call(term: Term, problems: Sequence[Problem], completions: Sequence[Completion]) -> list[Any]:
    """Return what the component gave for each completion; an exception stands in its place."""
    component, parameters = term.component, term.parameters
    function = component.function
    if component.batch:
        return _call_batch(term, problems, completions)
    if component.is_async:
        calls = [
            lambda p=p, c=c: function(p, c, **parameters) for p, c in zip(problems, completions, strict=True)
        ]
        return _retried(len(calls), lambda rows: run_all([calls[i] for i in rows], term.timeout_s))
    if term.address is not None and term.timeout_s is not None:
        where, limit = term.address, term.timeout_s
        return _retried(
            len(completions),
            lambda rows: run_each(
                where, parameters, limit, [problems[i] for i in rows], [completions[i] for i in rows]
            ),
        )
    return _retried(
        len(completions), lambda rows: _run_each(function, parameters, problems, completions, rows)
    )


def _run_each(
    function: Callable[..., Any],
    parameters: dict[str, Any],
    problems: Sequence[Any],
    completions: Sequence[Any],
    rows: Sequence[int],
) -> list[Any]:
    """Call one after the other; an exception costs its neighbours nothing."""
    results: list[Any] = []
    while len(results) < len(rows):
        try:
            for i in rows[len(results) :]:
                results.append(function(problems[i], completions[i], **parameters))
        except (Exception, SystemExit) as error:
            results.append(error)
    return results


def _retried(count: int, run: Callable[[Sequence[int]], list[Any]]) -> list[Any]:
    """Run rows 0..count-1, and those that failed by our fault once more."""
    results = run(range(count))
    for _ in range(ATTEMPTS - 1):
        failed = [
            i for i, result in enumerate(results) if isinstance(result, Exception) and _is_infra(result)
        ]
        if failed:
            for i, result in zip(failed, run(failed), strict=True):
                results[i] = result
    return results


def _call_batch(term: Term, problems: Sequence[Problem], completions: Sequence[Completion]) -> list[Any]:
    function, parameters = term.component.function, term.parameters

    lists = list(problems), list(completions)
    if term.component.is_async:
        result = _retried(1, lambda _: run_all([lambda: function(*lists, **parameters)], None))[0]
    elif term.address is not None and term.timeout_s is not None:
        where, limit = term.address, term.timeout_s
        result = _retried(1, lambda _: [run_batch(where, parameters, limit, *lists)])[0]
    else:
        result = _retried(1, lambda _: _run_each(function, parameters, lists[:1], lists[1:], [0]))[0]
    if isinstance(result, BaseException):
        return [result] * len(completions)
    try:
        values = None if isinstance(result, str | bytes | dict) else list(result)
    except Exception:  # a foreign object's own iteration may raise anything
        values = None
    if values is None:
        error = RewardError(
            f"a batch function returns a list of values (it returned {type(result).__name__})"
        )
    elif len(values) != len(completions):
        error = RewardError(f"returned {len(values)} values for {len(completions)} completions")
    else:
        return values
    return [error] * len(completions)


def _is_infra(result: Any) -> bool:
    """Whether a failure is ours: said so, or of the network; a missing file is the author's."""
    return isinstance(result, InfraError | OSError) and not isinstance(result, _OTHER_FAULTS)


def _from_exception(error: BaseException) -> Part:
    status = Status.INFRA_ERROR if _is_infra(error) else _BUG
    if isinstance(error, DeadlineError | MemoryLimitError):  # in a worker process: the completion's fault
        status = Status.TIMEOUT if isinstance(error, DeadlineError) else Status.MEMORY
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    return Part(
        None,
        status=status,
        reason=f"{type(error).__name__}: {error}",
        detail={"traceback": "".join(lines)},
    )


def _from_verdict(term: Term, result: Any) -> Part:
    if isinstance(result, BaseException):
        return _from_exception(result)
    if not isinstance(result, Verdict):
        if result is not None and not isinstance(result, bool):
            return Part(
                None,
                status=_BUG,
                reason=f"returned {result!r}; a verifier returns bool, None or Verdict",
            )
        result = Verdict(result, _REASONS[result])
    reason = result.reason.value
    if result.correct is None:
        status = Status.INFRA_ERROR if result.reason is Reason.UNAVAILABLE else _ABSTAIN
        return Part(None, status=status, reason=reason, verdict=result)
    worth = float(result.correct) if result.worth is None else result.worth
    status = _OK if worth > 0 else STATUS_OF_REASON.get(result.reason, _OK)
    return Part(worth, status=status, reason=reason, verdict=result)


def _from_value(term: Term, result: Any) -> Part:
    if isinstance(result, BaseException):
        return _from_exception(result)
    part = Part(None)
    if isinstance(result, Score):
        try:
            part.status = Status(result.status)
        except ValueError:
            known = ", ".join(Status)
            return Part(None, status=_BUG, reason=f"unknown status {result.status!r} (known: {known})")
        part.reason, part.detail, part.steps, result = (
            result.reason,
            result.detail,
            result.steps,
            result.value,
        )
        if part.status is not _OK:
            return part
    if result is None or isinstance(result, str):
        return Part(None, status=_BUG, reason=f"returned {result!r}; a reward returns a number or a Score")
    try:
        value = float(result)
    except Exception as error:  # a foreign object's own conversion may raise anything
        return Part(None, status=_BUG, reason=f"returned {type(result).__name__}, not a number: {error}")
    low, high = range_of(term.component)
    if math.isnan(value) or math.isinf(value):
        return Part(None, status=_BUG, reason=f"returned {value}")
    if not low <= value <= high:
        return Part(
            None,
            status=_BUG,
            reason=f"returned {value}, outside its declared range [{low}, {high}]",
        )
    part.value = value
    return part


def apply_policy(
    part: Part, on_failure: Mapping[str, float | str], bounds: tuple[float, float], where: str
) -> None:
    """Turn a failure into its worth: the entry's own policy, or the default for its status."""
    policy = on_failure.get(part.status.value)
    if policy == "stop":
        raise RewardError(f"{where}: {part.status}: {part.reason} (on_failure says stop)")
    if policy == "leave_out":
        part.value = None
    elif policy is not None:
        part.value = float(policy)
    elif part.status in COMPLETIONS_FAULT:
        # A range without a lowest value has nothing to give here: the row is left out.
        part.value = bounds[0] if math.isfinite(bounds[0]) else None
