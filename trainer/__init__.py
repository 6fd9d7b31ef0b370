"""What does it teach? Advantages, loss, engines, the training loop and the command line.

Names load on first use (PEP 562): the command line answers without torch.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .advantage import outcome_advantages
    from .loss import policy_loss
    from .process import process_advantages
    from .run import train

_HOME = {
    "outcome_advantages": "advantage",
    "policy_loss": "loss",
    "process_advantages": "process",
    "train": "run",
}

__all__ = ["outcome_advantages", "policy_loss", "process_advantages", "train"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
