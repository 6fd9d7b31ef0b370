"""Running code under limits, and what every folder shares with it: the error tree.

`workers.py` gives trusted code a hard deadline. The sandbox for untrusted programs (`Sandbox`,
`Limits`, `Execution`) is not built yet; nothing here runs model-written code.
"""

from .errors import (
    DataError,
    DeadlineError,
    InfraError,
    MarkschemeError,
    MemoryLimitError,
    PolicyError,
    RewardError,
    RunError,
    TaskError,
    UnknownNameError,
)
from .workers import with_deadline

__all__ = [
    "DataError",
    "DeadlineError",
    "InfraError",
    "MarkschemeError",
    "MemoryLimitError",
    "PolicyError",
    "RewardError",
    "RunError",
    "TaskError",
    "UnknownNameError",
    "with_deadline",
]
