"""Outcome-mode advantages: rewards of completions in, their group-relative advantages out. Pure functions.

Shapes: `_P` problems, `_G` completions of one problem (a group).
"""

from collections.abc import Sequence
from typing import get_args

import torch
from torch import Tensor

from .settings import Std

Rewards = Tensor | Sequence[float] | Sequence[Sequence[float]]


def outcome_advantages(
    rewards_PG: Rewards, *, std: Std = "population", eps: float = 0.0, std_floor: float = 0.0
) -> Tensor:
    """Return the advantages A = (r - mean(r)) / (std(r) + eps), with mean and std over each group.

    DeepSeekMath (arXiv 2402.03300), section 4.1.2; the paper names neither the kind of std nor an
    eps. Every token of a completion gets its completion's advantage.

        >>> from markscheme.trainer import outcome_advantages
        >>> outcome_advantages([[1.0, 0.0, 0.0, 1.0], [1.0, 1.0, 1.0, 1.0]]).tolist()
        [[1.0, -1.0, -1.0, 1.0], [0.0, 0.0, 0.0, 0.0]]

    Args:
        rewards_PG: `[P, G]`, or `[G]` for one group. NaN marks a completion that is left out: it gets 0
            and does not count in mean and std.
        std: what divides the centred rewards: `population` (the variance divides by G); `sample` (by G - 1,
            as in TRL); `batch` (population std of all rewards of the batch, with each group's own mean: Lite
            PPO, arXiv 2508.08221); `none` (no division: Dr. GRPO, arXiv 2503.20783).
        eps: added to the std.
        std_floor: the std counts as at least this, so that the noise of a model's scores, which never tie, is
            not blown up to advantages of full size in a group that is all right or all wrong.

    Returns:
        The same shape, device and dtype (float64 for sequences and whole numbers), computed in float64, also
        for rewards as large as 1e300 or as small as 1e-300. Exact zeros for a group whose rewards are equal
        up to rounding, and for a completion that is alone in its group.

    Raises:
        ValueError: infinite rewards, a negative eps or std_floor, an unknown std, or no group dimension.
    """
    given = rewards_PG if isinstance(rewards_PG, Tensor) else torch.tensor(rewards_PG, dtype=torch.float64)
    if not given.dtype.is_floating_point:
        given = given.to(torch.float64)
    _check(given, std, eps, std_floor)
    if not given.numel():
        return torch.zeros_like(given)
    unscaled = given.to(torch.float64)
    # Powers of two, by which dividing changes no digit, bring squares into the range of float64.
    scale = power_of_two(unscaled, None if std == "batch" else -1)
    rewards, scaled_eps, floor = unscaled / scale, eps / scale, std_floor / scale
    counts = ~rewards.isnan()
    n = counts.sum(-1, keepdim=True)
    zeroed = rewards.nan_to_num(0.0)
    mean = zeroed.sum(-1, keepdim=True) / n.clamp(min=1)
    flat = equal_to_rounding(rewards, (-1,), given.dtype)
    centred = torch.where(counts & (n > 1) & ~flat, zeroed - mean, 0.0)
    if std == "none":
        return (centred * scale).to(given.dtype)
    if std == "batch":
        known = rewards[counts]
        spread = known.std(correction=0) if known.numel() > 1 else torch.zeros((), dtype=torch.float64)
    else:
        correction = 1 if std == "sample" else 0
        spread = (centred.square().sum(-1, keepdim=True) / (n - correction).clamp(min=1)).sqrt()
    spread = torch.maximum(spread, floor)
    divisor = spread + scaled_eps
    scaled = centred / torch.where(divisor > 0, divisor, 1.0)
    return scaled.to(device=given.device, dtype=given.dtype)


def power_of_two(values: Tensor, over: int | None = None) -> Tensor:
    """Return a power of two near the largest absolute value, overall or per row; 1 if that is 0."""
    sizes = values.nan_to_num(0.0).abs()
    largest = sizes.amax() if over is None else sizes.amax(over, keepdim=True)
    exponent = torch.frexp(largest).exponent.clamp(-1000, 1000)
    return torch.ldexp(torch.ones_like(largest), torch.where(largest > 0, exponent, 0))


def _check(rewards: Tensor, std: str, eps: float, std_floor: float) -> None:
    if rewards.dim() == 0:
        raise ValueError(f"rewards need a group dimension, [P, G] or [G] (given: the number {rewards})")
    if std not in get_args(Std):
        raise ValueError(f"std must be one of {', '.join(get_args(Std))} (given: {std!r})")
    if not eps >= 0:
        raise ValueError(f"eps must be 0 or more (given: {eps})")
    if not std_floor >= 0:
        raise ValueError(f"std_floor must be 0 or more (given: {std_floor})")
    if torch.isinf(rewards).any():
        raise ValueError("rewards must be finite (given: an infinite one); use NaN to leave a completion out")


def equal_to_rounding(values: Tensor, over: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Return whether all values along the dimensions `over` (which are kept) are equal up to rounding.

    Rounding is that of `dtype`, or of float32 if `dtype` is coarser, in which other numbers than equal ones
    seldom come that close; NaN does not count. Without this check, the rewards 0.1 + 0.2 and 0.3, which
    differ by rounding only, would be scaled to advantages of about 1 and -1.
    """
    high = values.nan_to_num(-torch.inf).amax(over, keepdim=True)
    low = values.nan_to_num(torch.inf).amin(over, keepdim=True)
    eps = min(torch.finfo(dtype).eps, torch.finfo(torch.float32).eps)
    return high - low <= 4 * eps * torch.maximum(high.abs(), low.abs())
