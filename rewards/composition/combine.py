"""The arithmetic that turns parts into one value: pure functions, in which parts may be unknown.

As in Kleene's three-valued logic, an unknown part (value None) makes the total unknown only if it could
change it: 0 x None = 0, and False and None = False. One rule covers every way of combining: its lowest and
highest values are put in its place; if both give the same total, that is the total, else there is none.
"""

import math
import statistics
from collections.abc import Sequence
from itertools import product as corners

LARGEST = 1e300
"""Takes the place of an infinite bound in the rule above, since 0 x infinity is not a number."""
Bounds = tuple[float, float]
"""The lowest and the highest value of a range."""
Weighted = tuple[float | None, float, Bounds]
"""A part: its value or None, its weight, its range."""


def fold(parts: Sequence[Weighted], how: str) -> float | None:
    """Combine weighted values; parts with weight 0 are only logged and do not count.

    Args:
        parts: the parts, without those that do not apply.
        how: `sum`, `min` or `product` of weight x value; or `all_of` or `any_of`: 1 if all or any of the
            parts reach the top of their range, else 0.

    Returns:
        The total, or None if an unknown part could change it or no part counts.
    """
    parts = [part for part in parts if part[1] != 0]
    if not parts:
        return None
    if how == "product" and any(value == 0 for value, _, _ in parts):
        return 0.0  # whatever the unknown parts are, even with infinite bounds
    unknown = [i for i, part in enumerate(parts) if part[0] is None]
    values = [part[0] for part in parts]
    totals = set()
    for ends in corners(*(_finite(parts[i][2]) for i in unknown)):
        for i, end in zip(unknown, ends, strict=True):
            values[i] = end
        known = [(value or 0.0, part[1], part[2]) for value, part in zip(values, parts, strict=True)]
        totals.add(_fold_known(known, how))
        if len(totals) > 1:
            return None
    return totals.pop()


def _finite(bounds: Bounds) -> Bounds:
    return max(bounds[0], -LARGEST), min(bounds[1], LARGEST)


def _fold_known(parts: Sequence[tuple[float, float, Bounds]], how: str) -> float:
    if how in ("all_of", "any_of"):
        tops = [value >= bounds[1] for value, _, bounds in parts]
        return float(all(tops) if how == "all_of" else any(tops))
    weighted = [value * weight for value, weight, _ in parts]
    if how == "min":
        return min(weighted)
    return math.prod(weighted) if how == "product" else math.fsum(weighted)


def renormalised(weights: Sequence[float], applies: Sequence[bool]) -> list[float]:
    """Distribute the weight of parts that do not apply among the others, in proportion to their weights.

    The sum of absolute weights stays the same, so that rows of different kinds stay comparable.
    """
    pairs = list(zip(weights, applies, strict=True))
    kept = math.fsum(abs(weight) for weight, part_applies in pairs if part_applies)
    scale = math.fsum(map(abs, weights)) / kept if kept else 1.0
    return [weight * scale if part_applies else 0.0 for weight, part_applies in pairs]


def ensemble(values: Sequence[float | None], reduce: str) -> float | None:
    """Return the mean, median or minimum of members' values; None if any is unknown."""
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return None
    return {"mean": statistics.fmean, "median": statistics.median, "min": min}[reduce](known)


def total_range(parts: Sequence[tuple[float, Bounds]], how: str) -> Bounds:
    """Return the lowest and highest total of parts, each given by its weight and its range."""
    if how in ("all_of", "any_of"):
        return 0.0, 1.0
    ends = [sorted((weight * low, weight * high)) for weight, (low, high) in parts if weight]
    if not ends:
        return 0.0, 0.0
    if how == "sum":
        return math.fsum(low for low, _ in ends), math.fsum(high for _, high in ends)
    if how == "min":
        return min(low for low, _ in ends), min(high for _, high in ends)
    products = [math.prod(corner) for corner in corners(*(_finite((low, high)) for low, high in ends))]
    return min(products), max(products)
