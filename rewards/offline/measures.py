"""Measures of agreement between marks and labels: pure functions of arrays, without a model or torch."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Z = 1.959964
"""The quantile of the normal distribution for a two-sided 95 % interval."""


def wilson_interval(successes: float, trials: float, z: float = Z) -> tuple[float, float]:
    """Return the 95 % Wilson score interval of a proportion (Wilson 1927); (0, 1) without trials.

    Both may be fractions, for an effective number of trials; `z` is another quantile than the normal one.
    """
    if trials <= 0:
        return 0.0, 1.0
    share = successes / trials
    scale = 1 + z * z / trials
    centre = (share + z * z / (2 * trials)) / scale
    half = z / scale * float(np.sqrt(max(share * (1 - share), 0.0) / trials + z * z / (4 * trials * trials)))
    # At the ends the formula gives exactly 0 and 1, which rounding would miss.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == trials else min(1.0, centre + half)
    return low, high


@dataclass(frozen=True)
class Rate:
    """A share with its 95 % interval; the share is None without trials."""

    share: float | None
    low: float
    high: float
    trials: int
    """The rows that it was counted over."""

    def __str__(self) -> str:
        return "-" if self.share is None else f"{self.share:.3f} [{self.low:.3f}, {self.high:.3f}]"


def rate(
    hits: NDArray[np.bool_], clusters: NDArray[np.integer], weights: NDArray[np.float64] | None = None
) -> Rate:
    """Return a (weighted) share with an interval that allows for rows of one cluster being alike.

    It is the Wilson interval at the effective number of rows: that at which independent rows would have the
    variance that the ratio of sums over clusters has (linearised; Cochran, Sampling Techniques, section 9A),
    and never more than the rows there are (Kish's number, where they are weighted). A share of 0 or 1 says
    nothing of how alike rows are; then it is the number of clusters. The quantile is Student's.

    Args:
        hits: for each row, whether it counts.
        clusters: the problem that each row belongs to, as integers from 0.
        weights: 0 or more, such as |advantage|; None = all 1.
    """
    weights = np.ones(len(hits)) if weights is None else weights
    total = float(weights.sum())
    if total <= 0:
        return Rate(None, 0.0, 1.0, len(hits))
    share = float((weights * hits).sum()) / total
    trials = total**2 / float((weights**2).sum())
    count = int((np.bincount(clusters) > 0).sum())
    if not 0 < share < 1:
        trials = min(trials, count)
    elif count > 1:
        residuals = np.bincount(clusters, weights * (hits - share))
        variance = float((residuals**2).sum()) * count / (count - 1) / total**2
        if variance > 0:
            trials = min(trials, share * (1 - share) / variance)
    share = min(max(share, 0.0), 1.0)
    z = student_quantile(max(count - 1, 1))
    return Rate(share, *wilson_interval(share * trials, trials, z), len(hits))


def student_quantile(freedom: float) -> float:
    """Return the quantile of Student's t for a two-sided 95 % interval, to within 1 % from 2 degrees on.

    Cornish-Fisher's expansion around the normal quantile (Abramowitz and Stegun, 26.7.5).
    """
    g1 = (Z**3 + Z) / 4
    g2 = (5 * Z**5 + 16 * Z**3 + 3 * Z) / 96
    g3 = (3 * Z**7 + 19 * Z**5 + 17 * Z**3 - 15 * Z) / 384
    g4 = (79 * Z**9 + 776 * Z**7 + 1482 * Z**5 - 1920 * Z**3 - 945 * Z) / 92160
    return Z + g1 / freedom + g2 / freedom**2 + g3 / freedom**3 + g4 / freedom**4


def mean_rate(values: NDArray[np.float64]) -> Rate:
    """Return the mean of one value per problem, each from 0 to 1, with its 95 % Student interval.

    If all values are equal, that interval would have no width, and Wilson's is returned instead.
    """
    if not len(values):
        return Rate(None, 0.0, 1.0, 0)
    mean = float(values.mean())
    if np.ptp(values) < 1e-12:
        return Rate(mean, *wilson_interval(round(mean * len(values)), len(values)), len(values))
    half = student_quantile(len(values) - 1) * float(values.std(ddof=1)) / len(values) ** 0.5
    return Rate(mean, max(0.0, mean - half), min(1.0, mean + half), len(values))


def auroc(marks: ArrayLike, labels: ArrayLike) -> float | None:
    """Return the area under the ROC curve; None if all labels are the same.

    Computed from ranks, as the Mann-Whitney U statistic over the number of right-wrong pairs; tied marks
    share their mean rank.
    """
    values, is_right = np.asarray(marks, float), np.asarray(labels, bool)
    positives = int(is_right.sum())
    negatives = len(is_right) - positives
    if not positives or not negatives:
        return None
    rank_sum = float(_mean_ranks(values)[is_right].sum())
    return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)


@dataclass(frozen=True)
class Bin:
    """A bin of a calibration curve."""

    mark: float
    """The mean mark in it."""
    right: float
    """The share that is right in it."""
    rows: int


def calibration(marks: ArrayLike, labels: ArrayLike, bins: int = 10) -> list[Bin]:
    """Return the calibration curve: bins of equal width over marks from 0 to 1; empty ones are left out."""
    values, is_right = np.asarray(marks, float), np.asarray(labels, float)
    numbers = np.minimum((values * bins).astype(int), bins - 1)
    members = [np.flatnonzero(numbers == number) for number in range(bins)]
    return [Bin(float(values[m].mean()), float(is_right[m].mean()), len(m)) for m in members if len(m)]


def ece(marks: ArrayLike, labels: ArrayLike, bins: int = 10) -> float | None:
    """Return the expected calibration error; None if there are no marks.

    The sum over bins b of n_b / n |accuracy_b - mean mark_b| (arXiv 1706.04599, equation 3), with bins of
    equal width; the mark is taken as the confidence that the answer or step is right.
    """
    curve = calibration(marks, labels, bins)
    total = sum(one.rows for one in curve)
    return sum(one.rows * abs(one.right - one.mark) for one in curve) / total if total else None


def balanced_accuracy(marked: ArrayLike, labels: ArrayLike) -> float | None:
    """Return the mean of the accuracies on right and on wrong ones; None if one kind is missing."""
    is_marked, is_right = np.asarray(marked, bool), np.asarray(labels, bool)
    if is_right.all() or not is_right.any():
        return None
    return float((is_marked[is_right].mean() + 1 - is_marked[~is_right].mean()) / 2)


def f1(erroneous: float | None, correct: float | None) -> float | None:
    """Return the harmonic mean of two shares; 0 if both are 0, None if one is missing."""
    if erroneous is None or correct is None:
        return None
    return 2 * erroneous * correct / (erroneous + correct) if erroneous + correct else 0.0


def spearman(one: ArrayLike, other: ArrayLike) -> float | None:
    """Return Spearman's rank correlation, with mean ranks for ties; None if one of the two is constant."""
    ranks = [_mean_ranks(np.asarray(values, float)) for values in (one, other)]
    centred = [rank - rank.mean() for rank in ranks] if len(ranks[0]) else ranks
    scale = float(np.sqrt((centred[0] ** 2).sum() * (centred[1] ** 2).sum()))
    return float((centred[0] * centred[1]).sum()) / scale if scale > 0 else None


def _mean_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rank of each value, from 1; tied values share their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]


def bootstrap_interval(values: ArrayLike, *, rounds: int = 2000, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % percentile interval of a mean, by resampling its values; one value per problem.

    (NaN, NaN) without values.
    """
    sample = np.asarray(values, float)
    if not len(sample):
        return float("nan"), float("nan")
    drawn = np.random.default_rng(seed).integers(len(sample), size=(rounds, len(sample)))
    low, high = np.quantile(sample[drawn].mean(1), [0.025, 0.975])
    return float(low), float(high)
