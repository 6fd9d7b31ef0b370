"""The optimizers that a run can name, and the learning rate of each step."""

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch

from ...sandbox.errors import RunError
from ..config.run_config import AlgorithmConfig

Schedule = Literal["constant", "linear", "cosine"]


def make_optimizer(algorithm: AlgorithmConfig, parameters: Sequence[torch.nn.Parameter]) -> Any:
    """Return the optimizer that `algorithm.optimizer` names.

    Raises:
        RunError: it is adamw_8bit, and bitsandbytes is not installed.
    """
    settings: dict[str, Any] = {
        "lr": algorithm.lr,
        "betas": algorithm.betas,
        "weight_decay": algorithm.weight_decay,
    }
    if algorithm.optimizer == "adamw_8bit":
        try:
            from bitsandbytes.optim.adamw import AdamW8bit
        except ImportError as error:
            raise RunError(
                "algorithm.optimizer adamw_8bit needs bitsandbytes (pip install 'markscheme[adamw-8bit]'),"
                f" which does not load: {error}"
            ) from error
        return AdamW8bit(parameters, **settings)
    return torch.optim.AdamW(parameters, fused=algorithm.optimizer == "adamw_fused", **settings)


def rate_at(step: int, *, lr: float, steps: int, warmup_steps: int, schedule: Schedule) -> float:
    """Return the learning rate of a step, counted from 1: a linear warm-up, then the schedule.

    `linear` and `cosine` fall so that the rate would be 0 one step after the last one. The last step
    still learns: under `linear`, at lr / (steps - warmup_steps).
    """
    if step <= warmup_steps:
        return lr * step / warmup_steps
    progress = (step - 1 - warmup_steps) / max(steps - warmup_steps, 1)
    if schedule == "linear":
        return lr * max(1 - progress, 0.0)
    if schedule == "cosine":
        return lr * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
    return lr
