"""Running code under limits, and what every folder shares with it: the error tree.

`Sandbox` is for programs that nobody trusts; `with_deadline` gives trusted code a hard deadline.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .deadline.pool import with_deadline
    from .errors import (
        DataError,
        DeadlineError,
        InfraError,
        LimitsError,
        MarkschemeError,
        MemoryLimitError,
        PolicyError,
        RewardError,
        RunError,
        SandboxError,
        TaskError,
        UnknownNameError,
    )
    from .execution import Execution, Limits
    from .remote import RemoteSandbox
    from .sandbox import Sandbox

_HOME = {
    "Execution": "execution",
    "Limits": "execution",
    "RemoteSandbox": "remote",
    "Sandbox": "sandbox",
    "with_deadline": "deadline.pool",
}

__all__ = [
    "DataError",
    "DeadlineError",
    "Execution",
    "InfraError",
    "Limits",
    "LimitsError",
    "MarkschemeError",
    "MemoryLimitError",
    "PolicyError",
    "RemoteSandbox",
    "RewardError",
    "RunError",
    "Sandbox",
    "SandboxError",
    "TaskError",
    "UnknownNameError",
    "with_deadline",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: a worker of the sandbox needs none of them."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME.get(name, 'errors')}"), name)
