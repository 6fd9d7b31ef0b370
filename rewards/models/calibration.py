"""Calibration of an outcome reward model's scores, which by themselves have neither a level nor a unit.

A Bradley-Terry model learns differences between completions of one prompt. Platt scaling makes its score an
estimate of the probability that the completion is right; standardising gives scores a mean of 0 and a
standard deviation of 1. Both are fitted on held-out completions and kept in the model's folder.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from ...sandbox.errors import RewardError

Calibration = Literal["none", "sigmoid", "platt", "standardised"]
"""`none`: the raw score; `sigmoid`: its logistic function; `platt`: sigmoid(a score + b); `standardised`:
(score - mean) / std."""
BOUNDS: dict[str, tuple[float, float]] = {
    "none": (-math.inf, math.inf),
    "sigmoid": (0.0, 1.0),
    "platt": (0.0, 1.0),
    "standardised": (-math.inf, math.inf),
}
"""The range of calibrated scores."""


def fit_platt(scores: Sequence[float], right: Sequence[bool]) -> tuple[float, float]:
    """Return a and b of sigmoid(a score + b), by maximum likelihood with Platt's smoothed targets.

    Platt (1999), section 2.2, by Newton's method (Lin, Lin and Weng 2007). It needs both kinds of rows.
    """
    x, y = np.asarray(scores, float), np.asarray(right, bool)
    positives, negatives = int(y.sum()), int((~y).sum())
    target = np.where(y, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    design = np.stack([x, np.ones_like(x)], 1)
    weights = np.array([0.0, math.log((positives + 1) / (negatives + 1))])
    for _ in range(100):
        p = sigmoid(design @ weights)
        gradient = design.T @ (p - target)
        hessian = (design * (p * (1 - p))[:, None]).T @ design + 1e-9 * np.eye(2)
        change = np.linalg.solve(hessian, gradient)
        weights = weights - change * min(1.0, 10.0 / max(float(np.abs(change).max()), 1e-12))
        if float(np.abs(change).max()) < 1e-9:
            break
    return float(weights[0]), float(weights[1])


def sigmoid(values: Any) -> Any:
    """Return the logistic function of numbers, without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * np.asarray(values, float)))


def check_calibration(kind: Calibration, about: Mapping[str, Any], name: str) -> None:
    """Raise a RewardError if a model's folder does not have what a calibration needs."""
    if kind not in ("platt", "standardised"):
        return
    fitted = about.get("calibration")
    values = fitted.get(kind) if isinstance(fitted, dict) else None
    numbers = [one for one in values or () if isinstance(one, int | float) and math.isfinite(one)]
    if not isinstance(values, list) or not len(values) == len(numbers) == 2:
        raise RewardError(
            f"{name}: calibration {kind!r} needs values that `markscheme train-rm` fits on held-out pairs and"
            " keeps in rm.json, and this model has none; use `sigmoid` or `none`"
        )


def calibrated(scores: Sequence[float], kind: Calibration, about: Mapping[str, Any]) -> list[float]:
    """Return scores as a calibration makes them; `about` is the content of the model's rm.json."""
    if kind == "none":
        return list(scores)
    if kind == "sigmoid":
        return sigmoid(scores).tolist()
    first, second = about["calibration"][kind]
    if kind == "platt":
        return sigmoid(first * np.asarray(scores) + second).tolist()
    return ((np.asarray(scores) - first) / max(second, 1e-12)).tolist()
