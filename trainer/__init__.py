"""What does it teach? Advantages, loss, engines, the training loop and the command line.

Names load on first use (PEP 562): the command line answers without torch.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .objective.outcome_advantages import outcome_advantages
    from .objective.policy_loss import policy_loss
    from .objective.process_advantages import process_advantages
    from .run.train import train

_HOME = {
    "outcome_advantages": "objective.outcome_advantages",
    "policy_loss": "objective.policy_loss",
    "process_advantages": "objective.process_advantages",
    "train": "run.train",
}

__all__ = ["outcome_advantages", "policy_loss", "process_advantages", "train"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
