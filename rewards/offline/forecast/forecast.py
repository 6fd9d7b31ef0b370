"""`signal_forecast`: how much a training would learn from problems, by group size, before it is run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ....sandbox.errors import DataError
from ..measures import Z, wilson_interval
from .composition import (
    GRID,
    Array,
    Counts,
    beta_binomial,
    binomial,
    cells_of,
    fit_beta_binomial,
    hypergeometric,
    mixture,
)

GROUP_SIZES = (4, 8, 16, 32, 64)
Model = Literal["mixture", "beta_binomial"]


@dataclass(frozen=True)
class SignalForecast:
    """What to expect of groups of one size. A group is mixed if it has marks of both kinds."""

    mixed: float
    """Share of groups that are marked mixed; only these have advantages."""
    low: float
    """Lower end of the interval of `mixed` for problems like these. It is a 95 % interval up to the number of
    samples; above it, where samples cannot show everything, it held the truth in 80 to 97 % of our trials."""
    high: float
    abs_advantage: float
    """Mean |advantage| of a completion, for marks of two values and `std: population`: 0 in groups that are
    not mixed, else 2 sqrt(m (1 - m)) with m the share marked right."""
    phantom: float
    """Share of the mixed groups whose completions are in truth all right or all wrong."""
    wrong_sign: float
    """Share of all |advantage| that is on wrong completions with a positive advantage or on right ones with
    a negative one."""
    standard_error: float
    """Of `mixed`, over problems."""

    def prediction(self, groups: int) -> tuple[float, float]:
        """Return the 95 % interval of the share that is mixed among `groups` groups of a run."""
        variance = self.standard_error**2 + self.mixed * (1 - self.mixed) / groups
        half = Z * variance**0.5
        return max(0.0, self.mixed - half), min(1.0, self.mixed + half)


def signal_forecast(
    counts: Counts,
    *,
    group_sizes: Sequence[int] = GROUP_SIZES,
    false_positive: float = 0.0,
    false_negative: float = 0.0,
    model: Model = "mixture",
    bootstraps: int = 200,
    seed: int = 0,
) -> dict[int, SignalForecast]:
    """Forecast the signal that groups of some sizes would give.

    Up to the number of samples, the share of mixed groups is the exact hypergeometric estimate,
    1 - mean_i [C(r_i, G) + C(k_i - r_i, G)] / C(k_i, G), which needs no model. Above it, the pass rates are
    taken from a nonparametric mixture of binomials; see `composition.py`. Intervals are from a bootstrap over
    problems, which also corrects the bias of the mixture. The samples must be drawn as the training will draw
    its own: temperature, length, prompt.

        >>> from markscheme.rewards import signal_forecast
        >>> forecast = signal_forecast([(0, 8), (2, 8), (5, 8), (8, 8)])
        >>> round(forecast[8].mixed, 3), round(forecast[4].abs_advantage, 3)
        (0.5, 0.393)

    Args:
        counts: (right, samples) per problem; right in truth, if the next two are given.
        group_sizes: completions per group.
        false_positive: probability that the verifier marks a wrong completion right.
        false_negative: probability that it marks a right completion wrong.
        model: for groups larger than the number of samples; `beta_binomial` is a shape that real pass rates
            often do not have (`composition.beta_binomial_fit` tests it).
        bootstraps: draws of the bootstrap.
        seed: of the bootstrap.

    Raises:
        DataError: counts, sizes or rates are out of their range.
    """
    if any(size < 2 for size in group_sizes):
        raise DataError(f"a group needs 2 or more completions (given: {list(group_sizes)})")
    if not (0 <= false_positive <= 1 and 0 <= false_negative <= 1):
        raise DataError(
            "false_positive and false_negative are probabilities from 0 to 1"
            f" (given: {false_positive}, {false_negative})"
        )
    cells = cells_of(counts)
    shares_DK = cells.draws(bootstraps, np.random.default_rng(seed))
    weights_DJ = mixture(cells, shares_DK) if max(group_sizes) > cells.samples_K.min() else None
    forecasts = {}
    for size in group_sizes:
        if size <= cells.samples_K.min():
            right_D = shares_DK @ hypergeometric(cells, size)
        elif model == "mixture":
            assert weights_DJ is not None
            right_D = _less_bias(weights_DJ @ binomial(GRID, size))
        else:
            fits = [fit_beta_binomial(cells, shares_K) for shares_K in shares_DK]
            right_D = np.stack([beta_binomial(alpha, beta, size) for alpha, beta in fits])
        forecasts[size] = _forecast(right_D, size, false_positive, false_negative, cells.problems)
    return forecasts


def _less_bias(right_D: Array) -> Array:
    """Return the estimates with the first, that of the data, less the bias that the resampled ones show.

    Their mean is about as far from the first as the first is from the truth (Efron 1982). Far above the
    number of samples, the mixture alone tends to find too few mixed groups, since it takes problems without a
    right sample for hopeless.
    """
    if len(right_D) < 2:
        return right_D
    corrected = np.maximum(2 * right_D[0] - right_D[1:].mean(axis=0), 0.0)
    return np.concatenate([corrected[None] / corrected.sum(), right_D[1:]])


def _forecast(right_D: Array, size: int, a: float, b: float, problems: int) -> SignalForecast:
    """Return the forecast from P(c of the group are right), `[D, size + 1]`, under the verifier's errors."""
    seen = marked_groups(size, a, b)
    mixed_D = right_D @ seen.mixed
    mixed, error = float(mixed_D[0]), 0.0
    if len(mixed_D) > 2:  # about the estimate, so that what is left of a bias widens the interval
        error = float(np.sqrt(((mixed_D[1:] - mixed) ** 2).mean()))
    low, high = max(0.0, mixed - Z * error), min(1.0, mixed + Z * error)
    if error < 0.1 / problems:  # all problems are alike, so that resampling them shows nothing
        low, high = wilson_interval(mixed * problems, problems)
    right = right_D[0]
    total = float(right @ seen.advantage)
    flat = float(right[0] * seen.mixed[0] + right[-1] * seen.mixed[-1])
    wrong = float(right @ seen.wrong)
    return SignalForecast(
        mixed=min(max(mixed, 0.0), 1.0),
        low=low,
        high=high,
        abs_advantage=total,
        phantom=flat / mixed if mixed > 1e-12 else 0.0,
        wrong_sign=wrong / total if total > 1e-12 else 0.0,
        standard_error=error,
    )


@dataclass(frozen=True)
class MarkedGroups:
    """What a verifier makes of groups with 0, 1, ..., G right completions; each field is `[G + 1]`."""

    mixed: Array
    """Probability that they are marked mixed."""
    advantage: Array
    """Mean |advantage| of a completion."""
    wrong: Array
    """The part of it that has the wrong sign."""


def marked_groups(size: int, a: float, b: float) -> MarkedGroups:
    """Return the expected marks of groups, exactly.

    Of c right completions u are marked right, u ~ Binomial(c, 1 - b) and of the
    others v, v ~ Binomial(G - c, a).
    With m = u + v, a completion that is marked right has the advantage sqrt((G - m) / m), any other
    -sqrt(m / (G - m)).
    """
    mixed, advantage, wrong = np.zeros(size + 1), np.zeros(size + 1), np.zeros(size + 1)
    for c in range(size + 1):
        u = np.arange(c + 1)[:, None]
        v = np.arange(size - c + 1)[None]
        chance = binomial(np.array([1 - b]), c).T * binomial(np.array([a]), size - c)
        m = u + v
        is_mixed = (m > 0) & (m < size)
        up = np.sqrt((size - m) / np.maximum(m, 1)) * is_mixed
        down = np.sqrt(m / np.maximum(size - m, 1)) * is_mixed
        mixed[c] = (chance * is_mixed).sum()
        advantage[c] = (chance * (m * up + (size - m) * down)).sum() / size
        wrong[c] = (chance * (v * up + (c - u) * down)).sum() / size
    return MarkedGroups(mixed, advantage, wrong)


def mixed_chances(counts: Counts, size: int) -> dict[tuple[int, int], float]:
    """Return, for each (right, samples), the chance that a new group of such a problem is mixed.

    The pass rate of a problem has the mixture of all problems as its prior; the chance is the mean of
    1 - p^G - (1 - p)^G over the posterior (empirical Bayes).
    """
    cells = cells_of(counts)
    prior_J = mixture(cells, (cells.problems_K / cells.problems)[None])[0]
    chance_J = 1 - GRID**size - (1 - GRID) ** size
    chances = {}
    for right, samples in zip(cells.right_K.tolist(), cells.samples_K.tolist(), strict=True):
        posterior_J = prior_J * binomial(GRID, samples)[:, right]
        chances[right, samples] = float(posterior_J @ chance_J / posterior_J.sum())
    return chances
