"""The arithmetic that turns parts into one value: pure functions, in which parts may be unknown.

As in Kleene's three-valued logic, an unknown part (value None) makes the total unknown only if it could
change it: 0 x None = 0, and False and None = False. One rule covers every way of combining: the lowest and
the highest total are computed from the lowest and highest values of the unknown parts; if both are the same,
that is the total, else there is none.

A part that does not apply to a row is neither unknown nor 0. `applying` says what takes its place, by one
rule: a total never leaves the range that the scheme declares, and a penalty that does not apply counts as one
that found nothing to punish, so that nobody gains by it.
"""

import math
import statistics
from collections.abc import Sequence

Bounds = tuple[float, float]
"""The lowest and the highest value of a range."""
Weighted = tuple[float | None, float, Bounds]
"""A part: its value or None, its weight, its range."""


def fold(parts: Sequence[Weighted], how: str) -> float | None:
    """Combine weighted values; parts with weight 0 are only logged and do not count.

    Args:
        parts: the parts that `applying` returned.
        how: `sum`, `min` or `product` of weight x value; or `all_of` or `any_of`: 1 if all or any of the
            parts reach the top of their range, else 0.

    Returns:
        The total, or None if an unknown part could change it or no part counts. Values that are too large for
        a float make it infinite or NaN.
    """
    parts = [part for part in parts if part[1] != 0]
    if not parts:
        return None
    low, high = _combined([_possible(part, how) for part in parts], how)
    is_known = low == high or all(value is not None for value, _, _ in parts)
    return low if is_known else None


def _possible(part: Weighted, how: str) -> Bounds:
    """Return the lowest and the highest number that a part may bring into the total."""
    value, weight, bounds = part
    if how in ("all_of", "any_of"):
        top = bounds[1]
        if value is not None:
            return (1.0, 1.0) if value >= top else (0.0, 0.0)
        return float(bounds[0] >= top), float(math.isfinite(top))  # no value reaches an infinite top
    return _ends(weight, bounds if value is None else (value, value))


def _ends(weight: float, bounds: Bounds) -> Bounds:
    """Return the lowest and the highest weight x value; the weight is not 0."""
    one, other = weight * bounds[0], weight * bounds[1]
    return (one, other) if one <= other else (other, one)


def _combined(ends: Sequence[Bounds], how: str) -> Bounds:
    """Return the lowest and the highest total of numbers that each lie between two ends."""
    lows, highs = [low for low, _ in ends], [high for _, high in ends]
    if how == "sum":
        return _sum(lows), _sum(highs)
    if how in ("min", "all_of"):
        return min(lows), min(highs)
    if how == "any_of":
        return max(lows), max(highs)
    low, high = 1.0, 1.0
    for factor in ends:
        products = [_times(one, other) for one in (low, high) for other in factor]
        low, high = min(products), max(products)
    return low, high


def _sum(values: Sequence[float]) -> float:
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):  # too large for a float, or infinities of both signs
        return sum(values)


def _times(one: float, other: float) -> float:
    """Return a product in which 0 x infinity is 0, because the infinity is a bound that no value reaches."""
    return 0.0 if one == 0 or other == 0 else one * other


def applying(parts: Sequence[Weighted], applies: Sequence[bool], how: str) -> list[Weighted | None]:
    """Return what counts for each part of a row to which some of them do not apply; None = nothing.

    A penalty is a part that can never add to a total: weight x value is 0 or less. Every other part is a
    reward. In a `sum`, the rewards that apply are scaled by one factor, so that a perfect completion is worth
    the same on every row; the factor is smaller where the lowest total would otherwise leave the declared
    range, and 1 where a reward has no highest value. Penalties are not scaled, and one that does not apply
    counts as its best value, usually 0. In `min` and `product` every part that does not apply counts as its
    best value; in `all_of` and `any_of` it is left out. If no part that counts applies, nothing counts.
    """
    if not any(part_applies and part[1] != 0 for part, part_applies in zip(parts, applies, strict=True)):
        return [None] * len(parts)
    ends = [_ends(weight, bounds) for _, weight, bounds in parts]
    scale = _scale(ends, applies) if how == "sum" else 1.0
    counted: list[Weighted | None] = []
    for (value, weight, bounds), (low, high), part_applies in zip(parts, ends, applies, strict=True):
        is_reward = high > 0
        if part_applies:
            counted.append((value, weight * scale if is_reward else weight, bounds))
        elif weight == 0 or how in ("all_of", "any_of") or (how == "sum" and is_reward):
            counted.append(None)
        elif math.isfinite(high):
            counted.append((bounds[1] if weight > 0 else bounds[0], weight, bounds))
        else:  # there is no best value: the one that changes the other parts least
            counted.append((max(low, 1.0) / weight, weight, bounds) if how == "product" else None)
    return counted


def _scale(ends: Sequence[Bounds], applies: Sequence[bool]) -> float:
    """Return the factor for the rewards of a sum that apply; 1 or more."""
    rewards = [(*end, part_applies) for end, part_applies in zip(ends, applies, strict=True) if end[1] > 0]
    highest = sum(high for _, high, _ in rewards)
    kept_highest = sum(high for _, high, part_applies in rewards if part_applies)
    lowest = sum(min(low, 0.0) for low, _, _ in rewards)
    kept_lowest = sum(min(low, 0.0) for low, _, part_applies in rewards if part_applies)
    if kept_highest == 0 or not math.isfinite(highest) or not math.isfinite(kept_lowest):
        return 1.0
    scale = highest / kept_highest
    if kept_lowest < 0:
        scale = min(scale, lowest / kept_lowest)
    return scale if math.isfinite(scale) else 1.0


def ensemble(values: Sequence[float | None], reduce: str, k: float = 1.0) -> float | None:
    """Return the mean, median or minimum of members' values, or mean - k std; None if any is unknown.

    The std is that of the members (population). Reward models that disagree are unsure, and a policy that
    seeks what only one of them overrates earns less (arXiv 2312.09244, section 5). Values that are too large
    for a float make the result infinite.
    """
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return None
    try:
        if reduce == "mean_minus_std":
            return statistics.fmean(known) - k * statistics.pstdev(known)
        return {"mean": statistics.fmean, "median": statistics.median, "min": min}[reduce](known)
    except OverflowError:
        return math.inf


def total_range(parts: Sequence[tuple[float, Bounds]], how: str) -> Bounds:
    """Return the lowest and highest total of parts, each given by its weight and its range.

    A sum of several parts may lack any of its rewards where that does not apply, so that one whose lowest
    value is above 0 counts as one from 0 on.
    """
    if how in ("all_of", "any_of"):
        return 0.0, 1.0
    ends = [_ends(weight, bounds) for weight, bounds in parts if weight]
    if not ends:
        return 0.0, 0.0
    if how == "sum" and len(ends) > 1:
        ends = [(min(low, 0.0) if high > 0 else low, high) for low, high in ends]
    return _combined(ends, how)
