"""`timeout_s` for synchronous rewards and verifiers: they run in worker processes that can be killed.

A worker finds the function by its name, as the task does, so what has no name elsewhere (a lambda,
a nested function, a notebook's cell) is refused when the scheme is built.
"""

import importlib.util
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...sandbox.deadline.pool import shared_pool, with_deadline
from ...sandbox.deadline.server import Target
from ...sandbox.errors import DeadlineError, TaskError
from ...tasks.problem import Completion, Problem
from ...tasks.registry import resolve
from ...tasks.schema import Task
from ...verifiers.verdict import VERIFIERS
from .registry import REWARDS, Component, component_of

MEMORY_MB = 8192
"""What one call may allocate (Linux)."""


@dataclass(frozen=True)
class Address:
    """How another process finds a component: what `use:` says, and the folder that files start from."""

    use: str
    folder: str

    @property
    def target(self) -> Target:
        """What a worker is asked to load."""
        return f"{__name__}:load", (self.use, self.folder)


def address_of(task: Task, use: str, component: Component, where: str) -> Address:
    """Return where a worker finds a component.

    Raises:
        TaskError: it cannot be named from another process; says why.
    """
    shared_pool().warm(__name__)  # so that a kill costs a fork, and the import of the function's own module
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
            f"{where}: {use!r} {why}, so a worker process cannot find it by name, and only there can it be"
            " stopped in time; put it at the top of a file and say `use: file.py:name`"
        )
    assert module is not None
    found = importlib.util.find_spec(module.__name__) if "." not in module.__name__ else module.__spec__
    importable = found is not None and found.origin == file
    return Address(f"{module.__name__ if importable else Path(str(file)).resolve()}:{name}", "/")


def load(use: str, folder: str) -> Callable[[Any, Any, dict[str, Any]], Any]:
    """In a worker: return the component's function, to be called with its parameters as a mapping."""
    function = component_of(
        resolve(use, [REWARDS, VERIFIERS], folder=Path(folder), where=use), use, use
    ).function
    return lambda problems, completions, parameters: function(problems, completions, **parameters)


def run_each(
    address: Address,
    parameters: dict[str, Any],
    timeout_s: float,
    problems: Sequence[Problem],
    completions: Sequence[Completion],
) -> list[Any]:
    """Call a per-sample function once for each completion, each within `timeout_s`, in parallel.

    Returns:
        The results in order; an exception stands in its place.
    """
    calls = [(p, c, parameters) for p, c in zip(problems, completions, strict=True)]
    return with_deadline(address.target, calls, timeout_s=timeout_s, memory_mb=MEMORY_MB)


def run_batch(
    address: Address,
    parameters: dict[str, Any],
    timeout_s: float,
    problems: Sequence[Problem],
    completions: Sequence[Completion],
) -> Any:
    """Call a batch function within `timeout_s` a completion; one that is killed runs again one by one.

    Returns:
        What the function returned, or an exception, or after a kill the list of what it gave for
        each completion alone.
    """
    lists = list(problems), list(completions)
    limit = timeout_s * max(len(completions), 1)
    whole = with_deadline(address.target, [(*lists, parameters)], timeout_s=limit, memory_mb=MEMORY_MB)[0]
    if not isinstance(whole, DeadlineError | MemoryError) or len(completions) < 2:
        return whole
    calls = [([p], [c], parameters) for p, c in zip(*lists, strict=True)]
    alone = with_deadline(address.target, calls, timeout_s=timeout_s, memory_mb=MEMORY_MB)
    return [_only(result) for result in alone]


def _only(result: Any) -> Any:
    """Return the one value of a list of one; what is no such list stays, and is told as a bug."""
    return result[0] if isinstance(result, list | tuple) and len(result) == 1 else result
