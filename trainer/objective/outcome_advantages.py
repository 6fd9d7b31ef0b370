"""Group-relative advantages: rewards in, advantages out. Pure functions.

Shapes: `_P` problems, `_G` completions of one problem (a group).
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

Std = Literal["population", "sample", "batch", "none"]
Rewards = Tensor | Sequence[float] | Sequence[Sequence[float]]


def outcome_advantages(rewards_PG: Rewards, *, std: Std = "population", eps: float = 0.0) -> Tensor:
    """Return A = (r - mean(r)) / (std(r) + eps), mean and std over each group.

    DeepSeekMath (arXiv 2402.03300), section 4.1.2; the paper names neither the kind of std nor an
    eps. Every token of a completion gets its completion's advantage.

    Args:
        rewards_PG: `[P, G]`, or `[G]` for one group. NaN marks a row that is left out: it gets 0
            and stays out of the statistics.
        std: `population` (1/G); `sample` (1/(G-1), TRL's); `batch` (population std of all rewards
            that count, group means: Lite PPO, arXiv 2508.08221); `none` (Dr. GRPO, 2503.20783).
        eps: added to the std.

    Returns:
        Same shape, device and dtype (float64 for sequences and whole numbers). A group of equal
        rewards (to within rounding of the input's dtype) and a lone row give exact zeros. Computed
        in float64.

    Raises:
        ValueError: infinite rewards, a negative eps, an unknown std, or no group dimension.
    """
    given = rewards_PG if isinstance(rewards_PG, Tensor) else torch.tensor(rewards_PG, dtype=torch.float64)
    if not given.dtype.is_floating_point:
        given = given.to(torch.float64)
    if given.dim() == 0:
        raise ValueError("rewards need a group dimension: [P, G] or [G] (given: a single number)")
    if std not in ("population", "sample", "batch", "none"):
        raise ValueError(f"std must be population, sample, batch or none (given: {std!r})")
    if not eps >= 0:
        raise ValueError(f"eps must not be negative (given: {eps})")
    if torch.isinf(given).any():
        raise ValueError("rewards must be finite; NaN marks a row to leave out (given: an infinite reward)")
    rewards = given.to(torch.float64)
    counts = ~rewards.isnan()
    n = counts.sum(-1, keepdim=True)
    zeroed = rewards.nan_to_num(0.0)
    mean = zeroed.sum(-1, keepdim=True) / n.clamp(min=1)
    centred = torch.where(counts & (n > 1) & ~_flat(rewards, given.dtype), zeroed - mean, 0.0)
    if std == "none":
        return centred.to(given.dtype)
    if std == "batch":
        known = rewards[counts]
        spread = known.std(correction=0) if known.numel() > 1 else torch.zeros((), dtype=torch.float64)
    else:
        correction = 1 if std == "sample" else 0
        spread = (centred.square().sum(-1, keepdim=True) / (n - correction).clamp(min=1)).sqrt()
    scaled = centred / torch.where(spread + eps > 0, spread + eps, 1.0)
    return scaled.to(device=given.device, dtype=given.dtype)


def _flat(rewards_PG: Tensor, dtype: torch.dtype) -> Tensor:
    """Return `[P, 1]`: whether a group's rewards are equal to within rounding of `dtype`.

    Without this, 0.1 + 0.2 beside 0.3 would be a difference of one whole standard deviation.
    """
    high = rewards_PG.nan_to_num(-torch.inf).amax(-1, keepdim=True)
    low = rewards_PG.nan_to_num(torch.inf).amin(-1, keepdim=True)
    precision = torch.finfo(dtype).eps
    return high - low <= 4 * precision * torch.maximum(high.abs(), low.abs())
