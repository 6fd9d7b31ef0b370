"""The inputs that all objectives share, and their checks.

An objective is a function `(LossInputs, LossSettings) -> (loss, stats)`.

Shapes: `_B` completions of a batch, `_T` their tokens, padded on the right; a mask marks those that count.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import get_args

import torch
from torch import Tensor

from .settings import Aggregate, Kl, LossSettings, Ratio


@dataclass(frozen=True)
class LossInputs:
    """A batch of sampled completions, token by token."""

    logprobs_BT: Tensor
    """`[B, T]`, log-probabilities of the sampled tokens under the policy, with gradient."""
    old_logprobs_BT: Tensor
    """`[B, T]`, the same under the policy before the update; ignored by `reinforce`."""
    advantages_BT: Tensor
    """`[B, T]`, or `[B, 1]` where all tokens of a completion share one."""
    mask_BT: Tensor
    """`[B, T]`, 1 for tokens that the policy wrote, 0 for padding and for text of a tool or a template."""
    weights_BT: Tensor | None = None
    """`[B, T]`, importance weights, multiplied into the surrogate but not into the KL; None = all 1."""
    ref_logprobs_BT: Tensor | None = None
    """`[B, T]`, log-probabilities under the reference; needed if `kl_coef` is above 0."""
    denominator: float | None = None
    """The number by which the sum over tokens is divided; see `aggregated`, also for the default."""

    def in_float64(self) -> "LossInputs":
        """Return the same inputs in float64, with zeros wherever the mask is 0.

        Padding may hold any value, even infinities, which would make sums and gradients NaN. A token with
        such a value is masked out too; `not_finite` says how many there are.
        """
        mask = torch.where(self._finite(), self.mask_BT.to(torch.float64), 0.0)

        def masked(tensor: Tensor) -> Tensor:
            return torch.where(mask > 0, tensor.to(torch.float64), 0.0)

        return LossInputs(
            logprobs_BT=masked(self.logprobs_BT),
            old_logprobs_BT=masked(self.old_logprobs_BT),
            advantages_BT=masked(self.advantages_BT.expand_as(mask)),
            mask_BT=mask,
            weights_BT=None if self.weights_BT is None else masked(self.weights_BT),
            ref_logprobs_BT=None if self.ref_logprobs_BT is None else masked(self.ref_logprobs_BT),
            denominator=self.denominator,
        )

    def _finite(self) -> Tensor:
        """Return where every value of a token is finite, `[B, T]`."""
        given = (
            self.logprobs_BT,
            self.old_logprobs_BT,
            self.advantages_BT,
            self.weights_BT,
            self.ref_logprobs_BT,
        )
        finite = torch.ones_like(self.logprobs_BT, dtype=torch.bool)
        for tensor in given:
            if tensor is not None:
                finite = finite & tensor.isfinite()
        return finite

    def not_finite(self) -> Tensor:
        """Return the share of the unmasked tokens with a value that is infinite or NaN."""
        counted = self.mask_BT > 0
        return (counted & ~self._finite()).sum().double() / counted.sum().clamp(min=1)


LARGEST_LOG_RATIO = 20.0
"""Logarithms of ratios are limited to this size (a ratio of 5e8), so that no exponential overflows."""


def bounded(log_ratio_BT: Tensor) -> Tensor:
    """Return logarithms of ratios, limited to `LARGEST_LOG_RATIO`; beyond it they have no gradient."""
    return log_ratio_BT.clamp(-LARGEST_LOG_RATIO, LARGEST_LOG_RATIO)


Objective = Callable[[LossInputs, LossSettings], tuple[Tensor, dict[str, Tensor]]]
"""Returns the loss (a scalar) and statistics without gradient, by name."""


def check_inputs(inputs: LossInputs, settings: LossSettings) -> None:
    """Check that the shapes match, the names in the settings are known, and a KL has its reference.

    Raises:
        ValueError: one of these does not hold.
    """
    shape, advantages = tuple(inputs.logprobs_BT.shape), tuple(inputs.advantages_BT.shape)
    others = {
        "old_logprobs_BT": inputs.old_logprobs_BT,
        "mask_BT": inputs.mask_BT,
        "ref_logprobs_BT": inputs.ref_logprobs_BT,
    }
    for name, tensor in others.items():
        if tensor is not None and tuple(tensor.shape) != shape:
            raise ValueError(
                f"{name} must have the shape of logprobs_BT, {shape} (given: {tuple(tensor.shape)})"
            )
    if len(shape) != 2 or advantages not in (shape, (shape[0], 1)):
        raise ValueError(
            "logprobs_BT must be [B, T], and advantages_BT [B, T] or [B, 1]"
            f" (given: {shape} and {advantages})"
        )
    choices = {
        "ratio": (settings.ratio, get_args(Ratio)),
        "kl": (settings.kl, get_args(Kl)),
        "aggregate": (settings.aggregate, get_args(Aggregate)),
    }
    for name, (value, known) in choices.items():
        if value not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)} (given: {value!r})")
    if settings.kl_coef and inputs.ref_logprobs_BT is None:
        raise ValueError(f"kl_coef {settings.kl_coef} needs ref_logprobs_BT (given: None)")
