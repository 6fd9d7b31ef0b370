"""Optimizers by name, and the learning rate of each step."""

import math
from collections.abc import Sequence
from typing import Any

import torch

from ...sandbox.errors import RunError
from ..config.run_config import AlgorithmConfig


def make_optimizer(algorithm: AlgorithmConfig, parameters: Sequence[torch.nn.Parameter]) -> Any:
    """Return the optimizer that a run names.

    Raises:
        RunError: its package is not installed, or it does not take these parameters.
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
                "algorithm.optimizer adamw_8bit needs bitsandbytes (pip install 'markscheme[adamw-8bit]');"
                f" it does not load: {error}"
            ) from error
        return AdamW8bit(parameters, **settings)
    return torch.optim.AdamW(parameters, fused=algorithm.optimizer == "adamw_fused", **settings)


def learning_rate(algorithm: AlgorithmConfig, step: int) -> float:
    """Return the learning rate of a step (from 1): a linear warm-up, then the schedule."""
    if step <= algorithm.warmup_steps:
        return algorithm.lr * step / algorithm.warmup_steps
    done = (step - 1 - algorithm.warmup_steps) / max(algorithm.steps - algorithm.warmup_steps, 1)
    if algorithm.schedule == "linear":
        return algorithm.lr * max(1 - done, 0.0)
    if algorithm.schedule == "cosine":
        return algorithm.lr * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
    return algorithm.lr
