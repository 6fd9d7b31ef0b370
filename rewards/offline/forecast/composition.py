"""How many completions of a group are right: its distribution for any group size, from samples.

Each problem i was sampled k_i times, and r_i of its completions are right. `Cells` holds the distinct (r, k)
with the number of problems of each. All estimates are linear in these numbers, so the bootstrap over problems
draws new numbers and needs no loop over problems.

Shapes: `_D` draws of the bootstrap (the first is the data itself), `_K` cells, `_J` grid of pass rates.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....sandbox.errors import DataError

Array = NDArray[np.float64]
GRID = np.concatenate([[1e-6], np.arange(1, 200) / 200, [1 - 1e-6]])
"""The pass rates that a mixture may hold."""
ROUNDS = 500
"""Rounds of expectation maximisation."""


@dataclass(frozen=True)
class Cells:
    """The distinct (right, samples) of some problems, and how many problems have each."""

    right_K: NDArray[np.integer[Any]]
    samples_K: NDArray[np.integer[Any]]
    problems_K: NDArray[np.integer[Any]]

    @classmethod
    def of(cls, counts: Sequence[tuple[int, int]]) -> "Cells":
        """Return the cells of (right, samples), one pair per problem.

        Raises:
            DataError: there are no problems, or not 0 <= right <= samples with 1 or more samples.
        """
        for right, samples in counts:
            if not 0 <= right <= samples or samples < 1:
                raise DataError(
                    "counts need 0 <= right <= samples and 1 or more samples per problem"
                    f" (given: {right} right of {samples})"
                )
        if not counts:
            raise DataError("there are no problems to forecast from; give (right, samples) of one or more")
        tally = sorted(Counter((int(right), int(samples)) for right, samples in counts).items())
        columns = np.array([(right, samples, count) for (right, samples), count in tally])
        return cls(*columns.T)

    @classmethod
    def tallied(cls, right: NDArray[np.integer[Any]], samples: NDArray[np.integer[Any]]) -> "Cells":
        """Return the cells of two arrays, with an item for each problem."""
        pairs, problems = np.unique(np.stack([right, samples], axis=1), axis=0, return_counts=True)
        return cls(pairs[:, 0], pairs[:, 1], problems)

    @property
    def problems(self) -> int:
        """The number of problems."""
        return int(self.problems_K.sum())

    def draws(self, bootstraps: int, rng: np.random.Generator) -> Array:
        """Return shares of problems per cell, `[D, K]`: those of the data, then of resampled problems."""
        shares = self.problems_K / self.problems
        resampled = rng.multinomial(self.problems, shares, size=bootstraps) / self.problems
        return np.concatenate([shares[None], resampled])


Counts = Sequence[tuple[int, int]] | Cells
"""(right, samples) of each problem, one by one or tallied."""


def cells_of(counts: Counts) -> Cells:
    """Return counts as cells; see `Cells.of` for errors."""
    return counts if isinstance(counts, Cells) else Cells.of(counts)


def hypergeometric(cells: Cells, size: int) -> Array:
    """Return P(c of `size` completions are right), `[K, size + 1]`, drawn from a cell's own samples.

    C(r, c) C(k - r, size - c) / C(k, size): unbiased, without a model; needs size <= k.
    """
    table = np.zeros((len(cells.right_K), size + 1))
    for row, (right, samples) in enumerate(
        zip(cells.right_K.tolist(), cells.samples_K.tolist(), strict=True)
    ):
        for c in range(max(0, size - samples + right), min(right, size) + 1):
            ways = math.comb(right, c) * math.comb(samples - right, size - c)
            table[row, c] = ways / math.comb(samples, size)
    return table


def binomial(rates: Array, size: int) -> Array:
    """Return P(c of `size` are right) for each pass rate, `[len(rates), size + 1]`."""
    c = np.arange(size + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        # 0 log 0 is 0 here, as a rate of 0 or 1 leaves only one outcome.
        of_right = np.where(c == 0, 0.0, c * np.log(rates)[:, None])
        of_wrong = np.where(c == size, 0.0, (size - c) * np.log1p(-rates)[:, None])
    return np.exp(_log_ways(size) + of_right + of_wrong)


def _log_ways(size: int) -> Array:
    """Return the logarithms of the binomial coefficients of `size`."""
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, size + 1)))])
    return logs[-1] - logs - logs[::-1]


def mixture(cells: Cells, shares_DK: Array) -> Array:
    """Return the weights of the pass rates in `GRID`, `[D, J]`, that make the cells likeliest.

    The nonparametric maximum-likelihood estimate of a mixture of binomials (Laird 1978), by expectation
    maximisation from equal weights.
    """
    pmf_of = {int(samples): binomial(GRID, int(samples)) for samples in np.unique(cells.samples_K)}
    likelihood_KJ = np.stack(
        [
            pmf_of[samples][:, right]
            for right, samples in zip(cells.right_K.tolist(), cells.samples_K.tolist(), strict=True)
        ]
    )
    weights_DJ = np.full((len(shares_DK), len(GRID)), 1 / len(GRID))
    for _ in range(ROUNDS):
        expected_DK = weights_DJ @ likelihood_KJ.T
        weights_DJ *= (shares_DK / np.maximum(expected_DK, 1e-300)) @ likelihood_KJ
    return weights_DJ


def beta_binomial(alpha: float, beta: float, size: int) -> Array:
    """Return P(c of `size` are right), `[size + 1]`, for pass rates from Beta(alpha, beta)."""

    def rising(start: float) -> Array:
        return np.concatenate([[0.0], np.cumsum(np.log(start + np.arange(size)))])

    return np.exp(_log_ways(size) + rising(alpha) + rising(beta)[::-1] - rising(alpha + beta)[-1])


def fit_beta_binomial(cells: Cells, shares_K: Array) -> tuple[float, float]:
    """Return the (alpha, beta) of greatest likelihood, found by a compass search over their logarithms."""

    def loss(point: tuple[float, float]) -> float:
        pmf_of = {int(k): beta_binomial(math.exp(point[0]), math.exp(point[1]), int(k)) for k in kinds}
        likelihoods = [pmf_of[k][r] for r, k in zip(rights, samples, strict=True)]
        return -float(shares_K @ np.log(np.maximum(likelihoods, 1e-300)))

    kinds, rights, samples = set(cells.samples_K.tolist()), cells.right_K.tolist(), cells.samples_K.tolist()
    best, step = (0.0, 0.0), 2.0
    lowest = loss(best)
    while step > 0.005:
        around = [(best[0] + x * step, best[1] + y * step) for x in (-1, 0, 1) for y in (-1, 0, 1) if x or y]
        inside = [point for point in around if max(map(abs, point)) < 12]
        losses = [loss(point) for point in inside]
        if losses and min(losses) < lowest:
            lowest = min(losses)
            best = inside[losses.index(lowest)]
        else:
            step /= 2
    return math.exp(best[0]), math.exp(best[1])


def beta_binomial_fit(counts: Counts, *, seed: int = 0, draws: int = 39) -> float:
    """Return the p-value of a test of fit of the beta-binomial; below .05 it does not fit.

    A parametric bootstrap of the likelihood ratio against the observed shares; each draw is fitted anew.
    """
    cells = cells_of(counts)
    rng = np.random.default_rng(seed)
    sizes = {
        samples: int(cells.problems_K[cells.samples_K == samples].sum())
        for samples in np.unique(cells.samples_K).tolist()
    }

    def divergence(observed: Cells) -> tuple[float, tuple[float, float]]:
        """Return the log likelihood ratio of the observed shares over the best beta-binomial."""
        alpha, beta = fit_beta_binomial(observed, observed.problems_K / observed.problems)
        ratio = 0.0
        for right, samples, count in zip(
            observed.right_K.tolist(), observed.samples_K.tolist(), observed.problems_K.tolist(), strict=True
        ):
            expected = max(float(beta_binomial(alpha, beta, samples)[right]), 1e-300)
            ratio += count * math.log(count / sizes[samples] / expected)
        return ratio, (alpha, beta)

    seen, (alpha, beta) = divergence(cells)
    larger = 0
    for _ in range(draws):
        drawn = []
        for samples, problems in sizes.items():
            chances = beta_binomial(alpha, beta, samples)
            tally = rng.multinomial(problems, chances / chances.sum())
            right = np.flatnonzero(tally)
            drawn.append(np.stack([right, np.full(len(right), samples), tally[right]]))
        larger += divergence(Cells(*np.concatenate(drawn, axis=1)))[0] >= seen
    return (1 + larger) / (draws + 1)
