"""Calling a component's function for many completions; a failed call costs its neighbours nothing."""

from collections.abc import Callable, Sequence
from typing import Any

from ...sandbox.errors import DeadlineError, InfraError, RewardError
from .deadlines import Lists, run_batch, run_each
from .entries import Composite, Entry
from .event_loop import run_all

ATTEMPTS = 2
"""Calls that are made before a failure of our side (`infra_error`) stands."""

_AUTHORS_FAULT = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)


def call(entry: Entry, lists: Lists) -> list[Any]:
    """Call an entry's function for every row.

    Args:
        entry: of a reward or verifier.
        lists: the function's positional arguments, one list each, all of one length.

    Returns:
        What the function returned for each row, in order. An exception stands in the place of a call
        that failed; calls that failed by our own fault have been tried again.
    """
    component, parameters = entry.component, entry.parameters
    assert not isinstance(component, Composite)
    function, count, limit = component.function, len(lists[0]), entry.declared.timeout_s
    if component.batch:
        return _call_batch(entry, lists)
    if component.is_async:
        calls = [lambda row=row: function(*row, **parameters) for row in zip(*lists, strict=True)]
        return _retried(count, lambda rows: run_all([calls[i] for i in rows], limit))
    if entry.address is not None and limit is not None:
        address = entry.address
        return _retried(count, lambda rows: run_each(address, parameters, limit, _some(lists, rows)))
    return _retried(count, lambda rows: _one_by_one(function, parameters, _some(lists, rows)))


def _some(lists: Lists, rows: Sequence[int]) -> Lists:
    if len(rows) == len(lists[0]):  # all of them, as nearly always
        return lists
    return tuple([values[i] for i in rows] for values in lists)


def _one_by_one(function: Callable[..., Any], parameters: dict[str, Any], lists: Lists) -> list[Any]:
    results: list[Any] = []
    rows = list(zip(*lists, strict=True))
    while len(results) < len(rows):
        try:  # outside of the loop: entering it for every row would cost as much as a cheap reward
            for row in rows[len(results) :]:
                results.append(function(*row, **parameters))
        except (Exception, SystemExit) as error:
            results.append(error)
    return results


def _retried(count: int, run: Callable[[Sequence[int]], list[Any]]) -> list[Any]:
    """Run rows 0 to count-1, and once more those that failed by our fault."""
    results = run(range(count))
    for _ in range(ATTEMPTS - 1):
        failed = [i for i, made in enumerate(results) if isinstance(made, Exception) and is_infra(made)]
        if failed:
            for i, result in zip(failed, run(failed), strict=True):
                results[i] = result
    return results


def _call_batch(entry: Entry, lists: Lists) -> list[Any]:
    component, parameters = entry.component, entry.parameters
    assert not isinstance(component, Composite)
    function, limit, count = component.function, entry.declared.timeout_s, len(lists[0])
    if component.is_async:
        result = _retried(1, lambda _: run_all([lambda: function(*lists, **parameters)], None))[0]
    elif entry.address is not None and limit is not None:
        address = entry.address
        result = _retried(1, lambda _: [run_batch(address, parameters, limit, lists)])[0]
    else:
        whole = tuple([values] for values in lists)
        result = _retried(1, lambda _: _one_by_one(function, parameters, whole))[0]
    if isinstance(result, BaseException):
        return [result] * count
    try:
        values = None if isinstance(result, str | bytes | dict) else list(result)
    except Exception:  # the iteration of somebody else's object may raise anything
        values = None
    if values is not None and len(values) == count:
        return values
    if values is None:
        said = f"a batch function returns a list of values (it returned {type(result).__name__})"
    else:
        said = f"a batch function returns one value per completion (it returned {len(values)} for {count})"
    return [RewardError(said)] * count


def is_infra(error: BaseException) -> bool:
    """Whether an error is a failure of our side or of the network; a missing file is the author's fault."""
    if isinstance(error, InfraError):
        return True
    return isinstance(error, OSError) and not isinstance(error, (*_AUTHORS_FAULT, DeadlineError))
