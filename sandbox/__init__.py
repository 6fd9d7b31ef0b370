"""Running untrusted programs, and what every folder shares with it: the error tree.

The sandbox itself (`Sandbox`, `Limits`, `Execution`) is not built yet; nothing here runs
model-written code.
"""

from .errors import (
    DataError,
    InfraError,
    MarkschemeError,
    PolicyError,
    RewardError,
    RunError,
    TaskError,
    UnknownNameError,
)

__all__ = [
    "DataError",
    "InfraError",
    "MarkschemeError",
    "PolicyError",
    "RewardError",
    "RunError",
    "TaskError",
    "UnknownNameError",
]
