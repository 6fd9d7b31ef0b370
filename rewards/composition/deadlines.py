"""`timeout_s` for synchronous rewards and verifiers: they run in worker processes that can be killed.

A worker process imports the function by name, as the task does. Functions that cannot be imported by name
(lambdas, nested functions, notebook cells) are therefore refused when the scheme is built.
"""

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...sandbox.deadline.pool import shared_pool, with_deadline
from ...sandbox.deadline.server import Target
from ...sandbox.errors import DeadlineError, TaskError
from ...tasks.registry import resolve
from ...tasks.schema import Task
from ...verifiers.verdict import VERIFIERS
from .registry import REWARDS, Component, component_of

MEMORY_MB = 8192
"""MiB that one call may allocate (Linux)."""
Lists = tuple[list[Any], ...]
"""The arguments of many calls: problems, completions and, for marks of steps, the steps' texts."""


@dataclass(frozen=True)
class Address:
    """How another process finds a component."""

    use: str
    """As in the task file, or `module:name`."""
    folder: str
    """The folder that relative files start from."""

    @property
    def target(self) -> Target:
        """What a worker process is asked to load."""
        return f"{__name__}:load", (self.use, self.folder)


def address_of(task: Task, use: str, component: Component, where: str) -> Address:
    """Return where a worker process finds a component.

    Raises:
        TaskError: it cannot be imported from another process; the message says why.
    """
    shared_pool().warm(__name__)  # then a kill costs only a fork and the import of the function's module
    decorated = {**REWARDS.decorated, **VERIFIERS.decorated}
    if use not in decorated:
        return Address(use, str(task.folder.resolve()))
    function = component.function
    name = getattr(function, "__qualname__", "")
    module = sys.modules.get(getattr(function, "__module__", ""))
    file = getattr(module, "__file__", None)
    why = None
    if not name or "<" in name:
        why = "is a lambda or is defined inside another function"
    elif module is None or module.__name__ == "__main__" or file is None:
        why = "is defined in a notebook or in the script that runs"
    if why is not None:
        raise TaskError(
            f"{where}: {use!r} {why}, so a worker process cannot import it, and only a worker process can"
            " be stopped in time; define it at the top level of a file and say `use: file.py:name`"
        )
    assert module is not None
    found = importlib.util.find_spec(module.__name__) if "." not in module.__name__ else module.__spec__
    importable = found is not None and found.origin == file
    return Address(f"{module.__name__ if importable else Path(str(file)).resolve()}:{name}", "/")


def load(use: str, folder: str) -> Callable[..., Any]:
    """In a worker: return the component's function, to be called with its parameters as a mapping."""
    component = component_of(resolve(use, [REWARDS, VERIFIERS], folder=Path(folder), where=use), use, use)
    return lambda *arguments: component.function(*arguments[:-1], **arguments[-1])


def run_each(address: Address, parameters: dict[str, Any], timeout_s: float, lists: Lists) -> list[Any]:
    """Call a function once per row, each call within `timeout_s`, in parallel.

    Returns:
        The results in order; an exception stands in the place of a call that failed.
    """
    calls = [(*row, parameters) for row in zip(*lists, strict=True)]
    return with_deadline(address.target, calls, timeout_s=timeout_s, memory_mb=MEMORY_MB)


def run_batch(address: Address, parameters: dict[str, Any], timeout_s: float, lists: Lists) -> Any:
    """Call a batch function within `timeout_s` per row.

    If the call is killed, every row runs again by itself, so that only the slow ones pay.

    Returns:
        What the function returned, or an exception; after a kill, a list of what it returned for each
        row alone.
    """
    count = len(lists[0])
    limit = timeout_s * max(count, 1)
    whole = with_deadline(address.target, [(*lists, parameters)], timeout_s=limit, memory_mb=MEMORY_MB)[0]
    if not isinstance(whole, DeadlineError | MemoryError) or count < 2:
        return whole
    calls = [(*([value] for value in row), parameters) for row in zip(*lists, strict=True)]
    alone = with_deadline(address.target, calls, timeout_s=timeout_s, memory_mb=MEMORY_MB)
    return [_only(result) for result in alone]


def _only(result: Any) -> Any:
    """Return the one value of a list of one; anything else stays as it is, and is reported as a bug."""
    return result[0] if isinstance(result, list | tuple) and len(result) == 1 else result
