"""Corrections for a sampler whose probabilities differ from the trainer's. Pure functions.

An engine with its own kernels, another precision or older weights samples from a distribution mu, while
the trainer computes gradients for pi_old. Importance weights pi_old / mu correct for that in expectation.
Cutting off large weights keeps the variance small, at the price of some bias.

Shapes: `_B` completions of a batch, `_T` their tokens, padded on the right.
"""

import torch
from torch import Tensor

from .settings import Correction, Level

PUBLISHED: dict[tuple[Correction, Level], tuple[float, float]] = {
    # Yao et al. 2025, "Your efficient RL framework secretly brings you off-policy RL training"
    ("truncate", "token"): (0.0, 2.0),
    # IcePop, 2025
    ("mask", "token"): (0.5, 2.0),
    # TRL 1.16
    ("truncate", "sequence"): (0.0, 3.0),
    ("mask", "sequence"): (0.0, 3.0),
}
"""The (low, high) bounds of the weights as their authors published them; the defaults."""


def importance_weights(
    old_logprobs_BT: Tensor,
    sampled_logprobs_BT: Tensor,
    mask_BT: Tensor,
    *,
    kind: Correction = "truncate",
    level: Level = "token",
    low: float | None = None,
    high: float | None = None,
) -> Tensor:
    """Return the importance weight pi_old / mu of every token, cut off at bounds.

    Args:
        old_logprobs_BT: log-probabilities of the sampled tokens under the trainer's policy before the update.
        sampled_logprobs_BT: the same as the sampler reported them.
        mask_BT: 1 for tokens that the policy wrote, else 0.
        kind: `truncate` (clamped to [low, high]), `mask` (0 outside of [low, high]), `none` (all 1).
        level: `token`, or `sequence` (every token gets the product over its completion's tokens).
        low: lower bound; None = as published.
        high: upper bound; None = as published.

    Returns:
        `[B, T]`, without gradient, in the dtype of `old_logprobs_BT`; 1 where the mask is 0.
    """
    if kind == "none":
        return torch.ones_like(old_logprobs_BT)
    counted_BT = mask_BT > 0
    log_ratio = torch.where(counted_BT, (old_logprobs_BT - sampled_logprobs_BT).detach().double(), 0.0)
    if level == "sequence":
        log_ratio = log_ratio.sum(-1, keepdim=True).expand_as(log_ratio)
    published_low, published_high = PUBLISHED[kind, level]
    low = published_low if low is None else low
    high = published_high if high is None else high
    ratio = log_ratio.exp()
    if kind == "truncate":
        cut = ratio.clamp(low, high)
    else:
        cut = torch.where((ratio >= low) & (ratio <= high), ratio, 0.0)
    return torch.where(counted_BT, cut, 1.0).to(old_logprobs_BT.dtype)


def off_policy_mask(
    logprobs_BT: Tensor, sampled_logprobs_BT: Tensor, advantages_BT: Tensor, mask_BT: Tensor, *, delta: float
) -> Tensor:
    """Return a factor per completion, `[B, 1]`: 0 if it is to be dropped, else 1.

    DeepSeek-V3.2 (arXiv 2512.02556), equation 9: a completion is dropped if its advantage is negative and the
    policy has moved away from it, mean_t log(mu / pi) > delta (nats).
    """
    counted_BT = mask_BT > 0
    gap = torch.where(counted_BT, (sampled_logprobs_BT - logprobs_BT).detach().double(), 0.0).sum(-1)
    gap = gap / counted_BT.sum(-1).clamp(min=1)
    negative = torch.where(counted_BT, advantages_BT, 0.0).sum(-1) < 0
    return (~(negative & (gap > delta)))[:, None].to(logprobs_BT.dtype)


def mismatch(logprobs_BT: Tensor, sampled_logprobs_BT: Tensor, mask_BT: Tensor) -> dict[str, Tensor]:
    """Return how much the log-probabilities of trainer and sampler differ on the sampled tokens, in nats.

    `mismatch_mean` and `mismatch_max` are the mean and maximum of the absolute difference. `mismatch_k3`
    estimates KL(mu || pi) by the mean of x - log x - 1 with x = pi / mu. All are 0 if no token counts.
    """
    counted_BT = mask_BT > 0
    difference = (logprobs_BT - sampled_logprobs_BT).detach().double()[counted_BT]
    difference = difference[difference.isfinite()]
    if not difference.numel():
        return dict.fromkeys(("mismatch_mean", "mismatch_max", "mismatch_k3"), torch.zeros(()))
    size = difference.abs()
    return {
        "mismatch_mean": size.mean(),
        "mismatch_max": size.max(),
        "mismatch_k3": (torch.expm1(difference) - difference).mean(),
    }
