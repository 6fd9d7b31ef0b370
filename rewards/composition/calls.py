"""Calling a component's function for many completions, so that a failed call does not affect the others."""

from collections.abc import Callable, Sequence
from typing import Any

from ...sandbox.errors import DeadlineError, InfraError, RewardError
from .deadlines import Lists, run_batch, run_each
from .entries import Composite, Entry
from .event_loop import run_all

ATTEMPTS = 2
"""How often a call is made that fails by our own fault (`infra_error`)."""
_AUTHORS_FAULT = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
"""Kinds of OSError that are mistakes of the function's author, and not failures of a network."""


def call(entry: Entry, lists: Lists) -> list[Any]:
    """Call an entry's function for every row.

    Args:
        entry: an entry whose component is a reward or a verifier.
        lists: the function's positional arguments: one list per argument, with one item per row.

    Returns:
        What the function returned for each row, in order, with an exception in place of the result of a call
        that failed. Calls that failed by our own fault have been tried again.
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
        return _retried(count, lambda rows: run_each(address, parameters, limit, _chosen(lists, rows)))
    return _retried(count, lambda rows: _one_by_one(function, parameters, _chosen(lists, rows)))


def _chosen(lists: Lists, rows: Sequence[int]) -> Lists:
    if len(rows) == len(lists[0]):  # all rows, as in nearly every call
        return lists
    return tuple([values[i] for i in rows] for values in lists)


def _one_by_one(function: Callable[..., Any], parameters: dict[str, Any], lists: Lists) -> list[Any]:
    """Call a function for each row in this process; return its results, or exceptions where it failed."""
    results: list[Any] = []
    rows = list(zip(*lists, strict=True))
    while len(results) < len(rows):
        try:  # outside the loop, because entering it for every row would cost as much as a cheap reward
            for row in rows[len(results) :]:
                results.append(function(*row, **parameters))
        except (Exception, SystemExit) as error:
            results.append(error)
    return results


def _retried(count: int, run: Callable[[Sequence[int]], list[Any]]) -> list[Any]:
    """Run rows 0 to count - 1, and those that fail by our own fault again, up to `ATTEMPTS` times in all."""
    results = run(range(count))
    for _ in range(ATTEMPTS - 1):
        failed = [i for i, result in enumerate(results) if isinstance(result, Exception) and is_infra(result)]
        if failed:
            for i, result in zip(failed, run(failed), strict=True):
                results[i] = result
    return results


def _call_batch(entry: Entry, lists: Lists) -> list[Any]:
    """Call a function that takes all rows at once; if the call fails, its exception is every row's result."""
    component, parameters = entry.component, entry.parameters
    assert not isinstance(component, Composite)
    function, limit, count = component.function, entry.declared.timeout_s, len(lists[0])
    if component.is_async:
        result = _retried(1, lambda _: run_all([lambda: function(*lists, **parameters)], None))[0]
    elif entry.address is not None and limit is not None:
        address = entry.address
        result = _retried(1, lambda _: [run_batch(address, parameters, limit, lists)])[0]
    else:
        one_row = tuple([values] for values in lists)  # whose items are the lists
        result = _retried(1, lambda _: _one_by_one(function, parameters, one_row))[0]
    if isinstance(result, BaseException):
        return [result] * count
    try:
        values = None if isinstance(result, str | bytes | dict) else list(result)
    except Exception:  # iterating over an object of unknown type may raise anything
        values = None
    if values is None:
        error = f"a batch function returns a list of values (it returned {type(result).__name__})"
    elif len(values) != count:
        error = f"a batch function returns one value per completion (it returned {len(values)} for {count})"
    else:
        return values
    return [RewardError(error)] * count


def is_infra(error: BaseException) -> bool:
    """Whether an error is our own fault, as all failures of networks are; a missing file is the author's."""
    if isinstance(error, InfraError):
        return True
    return isinstance(error, OSError) and not isinstance(error, (*_AUTHORS_FAULT, DeadlineError))
