"""Running untrusted programs under limits, calling trusted code with a deadline, and all error classes.

`Sandbox` runs untrusted programs. `with_deadline` calls trusted functions and kills a call that takes too
long. The error classes of the whole project are here because every other folder may import from this one,
which imports from none of them.
"""

from typing import TYPE_CHECKING

from .lazy_imports import lazy_names

if TYPE_CHECKING:
    from .deadline.shared import with_deadline
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

_HOMES = {
    **dict.fromkeys((name for name in __all__ if name.endswith("Error")), "markscheme.sandbox.errors"),
    "Execution": "markscheme.sandbox.execution",
    "Limits": "markscheme.sandbox.execution",
    "RemoteSandbox": "markscheme.sandbox.remote",
    "Sandbox": "markscheme.sandbox.sandbox",
    "with_deadline": "markscheme.sandbox.deadline.shared",
}
__getattr__, __dir__ = lazy_names(__name__, _HOMES)
