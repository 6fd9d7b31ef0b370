"""The optimizer loop of all reward models: batches of examples in, a changed model out."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Generic, TypeVar

import torch

from ...rewards.models.readable import Unreadable
from ...sandbox.errors import RewardError
from ..models.optimizer import rate_at

T = TypeVar("T")
HEADS = ("score.", "classifier.")
"""Prefixes of the head's weights in transformers' classifiers."""
Progress = Callable[[int, int, float], None]
"""Called after every optimizer step with (steps done, steps in all, loss in nats)."""


@dataclass(frozen=True)
class Fitting:
    """How a reward model is fitted, with AdamW."""

    lr: float = 1e-4
    """Learning rate at the end of the warm-up. After that it falls linearly towards 0, which it would reach
    one step after the last one."""
    head_lr: float | None = None
    """Learning rate of the head, which has more to learn than a pretrained backbone; None = `lr`."""
    weight_decay: float = 0.01
    warmup: float = 0.05
    """Share of the optimizer steps over which the learning rate rises linearly; at least one step."""


@dataclass
class Examples(Generic[T]):
    """What a model can learn from, and how many rows are left out because it cannot read them."""

    items: list[T] = field(default_factory=list)
    too_long: int = 0
    """Rows that exceed the model's context; they are not cut."""
    unreadable: int = 0
    """Rows with a special token of the model in their text, or with much text that its tokenizer does not
    know."""

    def leave_out(self, error: Unreadable) -> None:
        """Count a row that is not read."""
        if error.too_long:
            self.too_long += 1
        else:
            self.unreadable += 1


def check_folder(out: Path) -> None:
    """Raise a RewardError if a model cannot be written to a folder, before it is trained."""
    if out.exists() and not out.is_dir():
        raise RewardError(f"{out} is a file, and a model is written to a folder; give another -o")


def epochs_of(items: Sequence[T], size: int, epochs: int, name: str) -> list[list[T]]:
    """Return batches of `size` items for some passes over them, each in another order; `name` seeds it."""
    batches = []
    for epoch in range(epochs):
        order = list(items)
        Random(f"{name}/{epoch}").shuffle(order)
        batches += [order[begin : begin + size] for begin in range(0, len(order), size)]
    return batches


def fit(
    model: Any,
    batches: Sequence[Sequence[T]],
    backward: Callable[[Sequence[T]], float],
    fitting: Fitting,
    progress: Progress | None = None,
) -> list[float]:
    """Take one optimizer step for each batch, and return their losses.

    The model stays in evaluation mode, without dropout, so that training and scoring compute the same.

    Args:
        model: the torch module; only its parameters that require a gradient change.
        batches: the examples of each step.
        backward: computes the gradients of a batch, and returns its loss.
        fitting: learning rate, weight decay and warm-up.
        progress: called after every step.

    Raises:
        RewardError: a loss is not finite, or the weights are not at the end.
    """
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    heads = [p for name, p in trained.items() if name.startswith(HEADS)]
    others = [p for name, p in trained.items() if not name.startswith(HEADS)]
    rates = (fitting.head_lr or fitting.lr, fitting.lr)
    groups: list[Any] = [{"params": heads}, {"params": others}]
    optimizer = torch.optim.AdamW(groups, lr=fitting.lr, weight_decay=fitting.weight_decay)
    warmup_steps = max(1, round(fitting.warmup * len(batches)))
    losses: list[float] = []
    for step, batch in enumerate(batches, 1):
        for group, lr in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate_at(
                step, lr=lr, steps=len(batches), warmup_steps=warmup_steps, schedule="linear"
            )
        optimizer.zero_grad()
        losses.append(backward(batch))
        if not math.isfinite(losses[-1]):
            raise RewardError(
                f"the reward model's loss is {losses[-1]} at update {step}; lower its learning rate"
                f" (now {fitting.lr:g})"
            )
        torch.nn.utils.clip_grad_norm_(trained.values(), 1.0)
        optimizer.step()
        if progress is not None:
            progress(step, len(batches), losses[-1])
    if not all(bool(torch.isfinite(parameter).all()) for parameter in trained.values()):
        raise RewardError(
            f"the reward model's weights are not finite after {len(batches)} updates; lower its learning rate"
            f" (now {fitting.lr:g})"
        )
    return losses
