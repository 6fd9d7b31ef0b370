"""`timeout_s` for synchronous rewards and verifiers: they run in worker processes that can be killed.

A worker process imports the function by its name. Functions that cannot be imported by name (lambdas, nested
functions, notebook cells) are therefore rejected when the scheme is built.
"""

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...sandbox.deadline.server import Target
from ...sandbox.deadline.shared import shared_pool, with_deadline
from ...sandbox.errors import DeadlineError, TaskError
from ...tasks.name_lookup import resolve
from ...tasks.schema import Task
from ...verifiers.verdict import VERIFIERS
from .reward_functions import REWARDS, Component, component_of

MEMORY_MB = 8192
"""MiB that a worker may allocate during one call (Linux only)."""
Lists = tuple[list[Any], ...]
"""The positional arguments of many calls, one list per argument: problems, completions and, for rewards that
mark steps, the texts of the steps."""


@dataclass(frozen=True)
class Address:
    """The import path of a component, for another process."""

    use: str
    """The name, as a task file would give it: `name`, `module:attr` or `file.py:attr`."""
    folder: str
    """The folder that a relative `file.py` starts from."""

    @property
    def target(self) -> Target:
        """The function to load and its arguments, in the form that `with_deadline` takes."""
        return f"{__name__}:load", (self.use, self.folder)


def address_of(task: Task, use: str, component: Component, where: str) -> Address:
    """Return the import path of a component for a worker process.

    Raises:
        TaskError: a worker process cannot import the component; the message says why.
    """
    # Imported now in the process that workers are forked from, so that replacing a killed worker costs only a
    # fork and the import of the function's own module.
    shared_pool().warm(__name__)
    if use not in REWARDS.decorated and use not in VERIFIERS.decorated:
        return Address(use, str(task.folder.resolve()))
    # Only this process knows the names of decorated functions, so the address has the module or file instead.
    function = component.function
    name = getattr(function, "__qualname__", "")
    module = sys.modules.get(getattr(function, "__module__", ""))
    file = getattr(module, "__file__", None)
    problem = None
    if not name or "<" in name:  # `<lambda>`, or `outer.<locals>.inner`
        problem = "is a lambda or is defined inside another function"
    elif module is None or module.__name__ == "__main__" or file is None:
        problem = "is defined in a notebook or in the script that runs"
    if problem is not None:
        raise TaskError(
            f"{where}: {use!r} {problem}, so a worker process cannot import it, and only a worker process can"
            " be stopped in time; define it at the top level of a file and write `use: file.py:name`"
        )
    assert module is not None
    spec = module.__spec__ if "." in module.__name__ else importlib.util.find_spec(module.__name__)
    # A module that was loaded from a path (a test file, for example) is not the one that its name finds.
    is_found_by_name = spec is not None and spec.origin == file
    source = module.__name__ if is_found_by_name else str(Path(str(file)).resolve())
    return Address(f"{source}:{name}", "/")


def load(use: str, folder: str) -> Callable[..., Any]:
    """Return a component's function; called in a worker process.

    The function takes its keyword parameters as a mapping, after the positional arguments.
    """
    component = component_of(resolve(use, [REWARDS, VERIFIERS], folder=Path(folder), where=use), use, use)
    return lambda *arguments: component.function(*arguments[:-1], **arguments[-1])


def run_each(address: Address, parameters: dict[str, Any], timeout_s: float, lists: Lists) -> list[Any]:
    """Call a function once per row, in parallel, each call within `timeout_s`.

    Returns:
        The results in order, with an exception in place of the result of each call that failed.
    """
    calls = [(*row, parameters) for row in zip(*lists, strict=True)]
    return with_deadline(address.target, calls, timeout_s=timeout_s, memory_mb=MEMORY_MB)


def run_batch(address: Address, parameters: dict[str, Any], timeout_s: float, lists: Lists) -> Any:
    """Call a function that takes whole batches, within `timeout_s` per row.

    If the call exceeds its time or memory, every row runs again by itself, so that only the rows at fault
    fail.

    Returns:
        The function's result, or an exception; if rows ran again, a list of the result of each.
    """
    count = len(lists[0])
    limit = timeout_s * max(count, 1)
    result = with_deadline(address.target, [(*lists, parameters)], timeout_s=limit, memory_mb=MEMORY_MB)[0]
    if not isinstance(result, DeadlineError | MemoryError) or count < 2:
        return result
    calls = [(*([value] for value in row), parameters) for row in zip(*lists, strict=True)]
    results = with_deadline(address.target, calls, timeout_s=timeout_s, memory_mb=MEMORY_MB)
    return [_only(one) for one in results]


def _only(result: Any) -> Any:
    """Return the single value of a batch of one; anything else is returned as it is, and becomes a bug."""
    return result[0] if isinstance(result, list | tuple) and len(result) == 1 else result
