"""How parts become one value: pure functions, with unknowns handled as Kleene does.

An unknown part (`value=None`) takes the total away only if it could change it: 0 x None = 0, and
False and None = False. One rule covers every form: put the unknown's lowest and highest value in
turn; if the total stays the same, that is the total, else there is none.
"""

import math
import statistics
from collections.abc import Sequence
from itertools import product as corners

LARGEST = 1e300
"""Stands for an endless range in the corner rule (0 x infinity would be no number)."""

Term = tuple[float | None, float, tuple[float, float]]
"""(value or None, weight, (lowest, highest)) of one part."""


def fold(terms: Sequence[Term], how: str) -> float | None:
    """Combine weighted values; parts with weight 0 are only logged and do not count.

    Args:
        terms: the parts, those that do not apply left out.
        how: `sum` of weight x value; `min`, `product` of the same; `all_of`, `any_of`: 1 if all
            (any) of the parts reach the top of their range, else 0.

    Returns:
        The total, or None if an unknown part could change it or nothing counts.
    """
    terms = [term for term in terms if term[1] != 0]
    if not terms:
        return None
    if how == "product" and any(value == 0 for value, _, _ in terms):
        return 0.0  # also where an unknown's range is endless
    unknown = [i for i, term in enumerate(terms) if term[0] is None]
    values = [term[0] for term in terms]
    totals = set()
    for ends in corners(*(_ends(terms[i][2]) for i in unknown)):
        for i, end in zip(unknown, ends, strict=True):
            values[i] = end
        totals.add(_fold_known([(v or 0.0, w, r) for v, (_, w, r) in zip(values, terms, strict=True)], how))
        if len(totals) > 1:
            return None
    return totals.pop()


def _ends(bounds: tuple[float, float]) -> tuple[float, float]:
    return max(bounds[0], -LARGEST), min(bounds[1], LARGEST)


def _fold_known(terms: Sequence[tuple[float, float, tuple[float, float]]], how: str) -> float:
    if how in ("all_of", "any_of"):
        tops = [value >= bounds[1] for value, _, bounds in terms]
        return float(all(tops) if how == "all_of" else any(tops))
    weighted = [value * weight for value, weight, _ in terms]
    if how == "min":
        return min(weighted)
    return math.prod(weighted) if how == "product" else math.fsum(weighted)


def renormalised(weights: Sequence[float], applies: Sequence[bool]) -> list[float]:
    """Share the weight of parts that do not apply among the others, in proportion.

    The sum of absolute weights stays what it was, so rows of different kinds stay comparable.
    """
    kept = math.fsum(abs(w) for w, use in zip(weights, applies, strict=True) if use)
    scale = math.fsum(map(abs, weights)) / kept if kept else 1.0
    return [w * scale if use else 0.0 for w, use in zip(weights, applies, strict=True)]


def ensemble(values: Sequence[float | None], reduce: str) -> float | None:
    """Return the mean, median or minimum of members' values; None if any is unknown."""
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return None
    return {"mean": statistics.fmean, "median": statistics.median, "min": min}[reduce](known)


def total_range(terms: Sequence[tuple[float, tuple[float, float]]], how: str) -> tuple[float, float]:
    """Return the lowest and highest total of (weight, range) pairs."""
    if how in ("all_of", "any_of"):
        return 0.0, 1.0
    ends = [sorted((weight * low, weight * high)) for weight, (low, high) in terms if weight]
    if not ends:
        return 0.0, 0.0
    if how == "sum":
        return math.fsum(low for low, _ in ends), math.fsum(high for _, high in ends)
    if how == "min":
        return min(low for low, _ in ends), min(high for _, high in ends)
    products = [math.prod(corner) for corner in corners(*(map(_clamped, pair) for pair in ends))]
    return min(products), max(products)


def _clamped(value: float) -> float:
    return max(-LARGEST, min(LARGEST, value))
