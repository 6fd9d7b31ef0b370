"""`compare`: whether two schemes, or two runs, differ by more than chance."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...sandbox.errors import DataError
from .measures import student_quantile
from .table import Floats, ScoreTable

SIGN_FLIPS = 10_000
LEVEL = 0.05
"""p below which a difference is more than chance."""
FEWEST = 6
"""Problems below which no pattern of signs is rarer than `LEVEL`."""
POWER_80 = 0.841621
"""The quantile of the normal distribution at 80 %."""


@dataclass(frozen=True)
class Difference:
    """How much B is above A in one quantity."""

    name: str
    """`right` (the share of right completions) or `value` (the mean score)."""
    a: float
    b: float
    difference: float
    low: float
    high: float
    """The 95 % interval of the difference."""
    p: float
    """Probability of a difference as large by chance, if A and B were alike."""
    detectable: float | None
    """The true difference that so many problems would show four times out of five. None if they are fewer
    than `FEWEST`, too few for any difference to be more than chance, or do not differ among each other."""


@dataclass(frozen=True)
class Comparison:
    """Two files of scores, compared problem by problem."""

    problems: int
    """Problems that both have."""
    differences: list[Difference]

    def regressed(self, fail_below: float) -> bool:
        """Return whether B's share right is more than `fail_below` below A's, and by more than chance."""
        return any(
            one.name == "right" and one.difference < -fail_below and one.p < LEVEL for one in self.differences
        )


def compare(a: ScoreTable, b: ScoreTable, *, seed: int = 0) -> Comparison:
    """Compare two tables of scores on the problems that both have.

    Completions of one problem are alike, so each problem counts once, with the difference of its means. The
    interval is Student's; p comes from flipping the signs of the differences at random, which is exact if A
    and B are alike, whatever the distribution.

    Raises:
        DataError: there are fewer than two problems to compare.
    """
    means_a, means_b = _means(a), _means(b)
    common = sorted(means_a.keys() & means_b.keys())
    differences = []
    for i, name in enumerate(("right", "value")):
        first, second = (np.array([means[key][i] for key in common]) for means in (means_a, means_b))
        known = np.isfinite(first) & np.isfinite(second)
        if known.sum() >= 2:
            differences.append(_difference(name, first[known], second[known], np.random.default_rng(seed)))
    if not differences:
        raise DataError(
            f"a comparison needs two or more problems that both files have marks of (common: {len(common)})"
        )
    return Comparison(len(common), differences)


def _means(table: ScoreTable) -> dict[int, tuple[float, float]]:
    """Return the share right and the mean value of every problem, by the problem's hash; NaN if unknown."""
    size = len(table.problem_hashes)
    judged, valued = table.mark >= 0, np.isfinite(table.value)

    def mean(values: NDArray[Any], known: NDArray[np.bool_]) -> Floats:
        count = np.bincount(table.problem[known], minlength=size)
        total = np.bincount(table.problem[known], values[known], size)
        return np.divide(total, count, out=np.full(size, np.nan), where=count > 0)

    rows = zip(
        table.problem_hashes.tolist(), mean(table.mark, judged), mean(table.value, valued), strict=True
    )
    return {key: (float(right), float(value)) for key, right, value in rows}


def _difference(name: str, a: Floats, b: Floats, rng: np.random.Generator) -> Difference:
    apart = b - a
    difference = float(apart.mean())
    error, quantile = float(apart.std(ddof=1)) / len(apart) ** 0.5, student_quantile(len(apart) - 1)
    return Difference(
        name,
        float(a.mean()),
        float(b.mean()),
        difference,
        difference - quantile * error,
        difference + quantile * error,
        _sign_flips(apart, rng),
        (quantile + POWER_80) * error if error > 1e-12 and len(apart) >= FEWEST else None,
    )


def _sign_flips(apart: Floats, rng: np.random.Generator) -> float:
    """Return the share of random sign flips whose sum is as large as that of the differences (both sides)."""
    moved = apart[apart != 0]
    observed = abs(moved.sum())
    if not len(moved):
        return 1.0
    larger = 0
    for _ in range(10):  # in pieces, which take less memory
        signs = rng.choice((-1.0, 1.0), size=(SIGN_FLIPS // 10, len(moved)))
        larger += int((np.abs(signs @ moved) >= observed - 1e-12).sum())
    return (1 + larger) / (1 + SIGN_FLIPS)
