"""Running one reward or verifier on many completions, checking its values, and turning failures into data.

A component's failure raises no error here, but becomes the status of a part. There are two exceptions, after
which no row can be judged: a failure whose `on_failure` says `stop`, and a sandbox that cannot start.
"""

import math
import sys
import time
import traceback
from typing import Any

from ...sandbox.errors import DeadlineError, MemoryLimitError, RewardError, SandboxError
from ...verifiers.verdict import Reason, Verdict, Verifier, verdict_of
from ..score import COMPLETIONS_FAULT, STATUS_OF_REASON, Part, Score, Status
from .calls import call, is_infra
from .entries import Bounds, Composite, Entry, Rows
from .mark_steps import mark_steps
from .reward_functions import range_of

_OK = Status.OK
_LARGEST = sys.float_info.max
"""The largest finite number: a range may be infinite, but a value may not."""


def run_component(entry: Entry, rows: Rows) -> list[Part]:
    """Return one part per completion, in order.

    Raises:
        RewardError: there was a failure whose `on_failure` is `stop`.
        SandboxError: no safe sandbox can be started.
    """
    start = time.perf_counter()
    if entry.steps is not None:
        results = mark_steps(entry, rows)
    else:
        results = call(entry, (list(rows.problems), list(rows.completions)))
    seconds = (time.perf_counter() - start) / max(len(results), 1)
    assert not isinstance(entry.component, Composite)
    is_verifier = isinstance(entry.component, Verifier)
    low, high = range_of(entry.component, entry.parameters)
    lowest, highest = max(low, -_LARGEST), min(high, _LARGEST)
    parts = []
    for result in results:
        if type(result) is float and lowest <= result <= highest:  # a short way for the common case
            part = Part(result, seconds=seconds)
        elif isinstance(result, SandboxError):
            raise result
        else:
            part = _from_verdict(result) if is_verifier else _from_value(result, (low, high))
            part.seconds = seconds
            if part.status is not _OK:
                set_worth_of_failure(part, entry)
        parts.append(part)
    if entry.declared.clip is not None:
        for part in parts:
            entry.clip(part)
    return parts


def set_worth_of_failure(part: Part, entry: Entry) -> None:
    """Give a failed part what its failure is worth: by the entry's `on_failure`, or else by its status.

    Raises:
        RewardError: `on_failure` is `stop` for this status.
    """
    worth = entry.declared.on_failure.get(part.status.value)
    if worth == "stop":
        raise RewardError(
            f"{entry.where}: {part.status}: {part.reason} (on_failure says stop); fix the cause, or give"
            f" {part.status} a number or leave_out in `on_failure`"
        )
    if worth == "leave_out":
        part.value = None
    elif worth is not None:
        part.value = float(worth)
    elif part.status in COMPLETIONS_FAULT:
        # A range without a lowest value cannot punish a failure, so the row is left out.
        part.value = entry.bounds[0] if math.isfinite(entry.bounds[0]) else None


def _from_exception(error: BaseException) -> Part:
    if isinstance(error, DeadlineError):
        status = Status.TIMEOUT
    elif isinstance(error, MemoryLimitError):
        status = Status.MEMORY
    else:
        status = Status.INFRA_ERROR if is_infra(error) else Status.BUG
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    reason = f"{type(error).__name__}: {error}"
    return Part(None, status=status, reason=reason, detail={"traceback": "".join(lines)})


def _bug(reason: str) -> Part:
    return Part(None, status=Status.BUG, reason=reason)


def _from_verdict(result: Any) -> Part:
    if isinstance(result, BaseException):
        return _from_exception(result)
    if result is None or isinstance(result, bool):
        result = verdict_of(result)
    if not isinstance(result, Verdict):
        return _bug(f"returned {result!r}; a verifier returns bool, None or Verdict")
    reason = str(result.reason)
    if result.correct is None:
        status = Status.INFRA_ERROR if result.reason == Reason.UNAVAILABLE else Status.ABSTAIN
        return Part(None, status=status, reason=reason, verdict=result)
    try:
        worth = float(result.correct if result.worth is None else result.worth)
    except (TypeError, ValueError, OverflowError):
        worth = math.nan
    if not 0 <= worth <= 1:  # NaN too
        return _bug(f"returned a verdict worth {result.worth!r}; a verdict is worth 0 to 1")
    status = _OK if worth > 0 else STATUS_OF_REASON.get(result.reason, _OK)
    return Part(worth, status=status, reason=reason, verdict=result)


def _from_value(result: Any, bounds: Bounds) -> Part:
    if isinstance(result, BaseException):
        return _from_exception(result)
    part = Part(None)
    if isinstance(result, Score):
        try:
            part.status = Status(result.status)
        except ValueError:
            return _bug(f"returned the unknown status {result.status!r} (known: {', '.join(Status)})")
        part.reason, part.detail, part.steps = result.reason, result.detail, result.steps
        if part.status is not _OK:
            return part
        result = result.value
    if result is None or isinstance(result, str):
        return _bug(f"returned {result!r}; a reward returns a number or a Score")
    try:
        value = float(result)
    except Exception as error:  # converting an object of unknown type may raise anything
        return _bug(f"returned {type(result).__name__}, not a number: {error}")
    if math.isnan(value) or math.isinf(value):
        return _bug(f"returned {value}; a reward returns a finite number")
    if not bounds[0] <= value <= bounds[1]:
        return _bug(f"returned {value}, outside its declared range {list(bounds)}")
    part.value = value
    return part
