"""The forecast of a training's signal: against enumeration, published values and problems of known pass rates."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markscheme.rewards import signal_forecast
from markscheme.rewards.offline.forecast.composition import (
    GRID,
    Cells,
    beta_binomial,
    beta_binomial_fit,
    binomial,
    fit_beta_binomial,
    hypergeometric,
    mixture,
)
from markscheme.rewards.offline.forecast.forecast import marked_groups, mixed_chances
from markscheme.sandbox import DataError


@given(st.integers(1, 7), st.data())
def test_the_hypergeometric_share_is_that_of_all_subsets(samples: int, data: st.DataObject) -> None:
    right = data.draw(st.integers(0, samples))
    size = data.draw(st.integers(1, samples))
    marks = [1] * right + [0] * (samples - right)
    sums = [sum(chosen) for chosen in itertools.combinations(marks, size)]
    expected = [sums.count(c) / len(sums) for c in range(size + 1)]
    assert hypergeometric(Cells.of([(right, samples)]), size)[0] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("rate", "a", "b", "mixed", "phantom", "wrong_sign"),
    [
        # Checked by simulation to .006: pass rate, errors, share seen mixed, phantom, wrong sign by |advantage|.
        (0.02, 0.01, 0.0, 0.215, 0.306, 0.164),
        (0.02, 0.05, 0.0, 0.436, 0.657, 0.355),
        (0.02, 0.0, 0.05, 0.142, 0.0, 0.001),
        (0.2, 0.05, 0.0, 0.889, 0.064, 0.083),
        (0.5, 0.05, 0.05, 0.992, 0.003, 0.050),
        (0.9, 0.0, 0.05, 0.714, 0.203, 0.155),
        (0.9, 0.02, 0.10, 0.811, 0.302, 0.241),
    ],
)
def test_errors_of_a_verifier_make_phantom_groups_and_wrong_signs(
    rate: float, a: float, b: float, mixed: float, phantom: float, wrong_sign: float
) -> None:
    right, seen = binomial(np.array([rate]), 8)[0], marked_groups(8, a, b)
    found = float(right @ seen.mixed)
    flat = right[0] * seen.mixed[0] + right[-1] * seen.mixed[-1]
    assert found == pytest.approx(mixed, abs=6e-4)
    assert flat / found == pytest.approx(phantom, abs=6e-4)
    assert right @ seen.wrong / (right @ seen.advantage) == pytest.approx(wrong_sign, abs=6e-4)


@settings(max_examples=20)
@given(st.integers(2, 5), st.floats(0, 0.4), st.floats(0, 0.4), st.data())
def test_marked_groups_are_the_enumeration_of_all_marks(
    size: int, a: float, b: float, data: st.DataObject
) -> None:
    c = data.draw(st.integers(0, size))
    truth = [1] * c + [0] * (size - c)
    mixed = advantage = wrong = 0.0
    for marks in itertools.product((0, 1), repeat=size):
        chances = [
            (1 - b if m else b) if t else (a if m else 1 - a) for m, t in zip(marks, truth, strict=True)
        ]
        chance, mean = math.prod(chances), sum(marks) / size
        if 0 < mean < 1:
            mixed += chance
            scale = math.sqrt(mean * (1 - mean))
            advantages = [(m - mean) / scale for m in marks]
            advantage += chance * sum(map(abs, advantages)) / size
            wrong += (
                chance * sum(abs(x) for x, t in zip(advantages, truth, strict=True) if (x > 0) != t) / size
            )
    seen = marked_groups(size, a, b)
    assert (seen.mixed[c], seen.advantage[c], seen.wrong[c]) == pytest.approx((mixed, advantage, wrong))


def test_the_forecast_is_right_where_the_pass_rates_are_known() -> None:
    """600 problems: a heap that is always solved, and a hump; the beta-binomial does not fit them."""
    rng = np.random.default_rng(0)
    rates = np.where(rng.random(600) < 0.3, 1.0, rng.beta(4, 8, 600))
    counts = [(int(right), 8) for right in rng.binomial(8, rates)]
    forecast = signal_forecast(counts)
    for size, one in forecast.items():
        truth = float((1 - rates**size - (1 - rates) ** size).mean())
        assert one.mixed == pytest.approx(truth, abs=0.03), size
        assert one.low <= truth <= one.high
        share = np.arange(size + 1) / size
        chances = np.stack([binomial(np.array([rate]), size)[0] for rate in rates]).mean(axis=0)
        assert one.abs_advantage == pytest.approx(
            float(chances @ (2 * np.sqrt(share * (1 - share)))), abs=0.02
        )
    assert forecast[8].phantom == forecast[8].wrong_sign == 0
    assert beta_binomial_fit(counts) < 0.05
    beta = signal_forecast(counts, model="beta_binomial", bootstraps=2)
    assert beta[64].mixed > forecast[64].mixed + 0.05


def test_predictions_hold_what_runs_show() -> None:
    """95 % intervals for 24 groups, over 100 draws of samples and of groups."""
    rng = np.random.default_rng(1)
    rates = np.where(rng.random(160) < 0.3, 1.0, rng.beta(2, 4, 160))
    held = 0
    for draw in range(100):
        counts = [(int(right), 8) for right in rng.binomial(8, rates)]
        low, high = signal_forecast(counts, group_sizes=[16], seed=draw, bootstraps=60)[16].prediction(24)
        right = rng.binomial(16, rng.choice(rates, 24))
        held += low <= ((right > 0) & (right < 16)).mean() <= high
    assert held >= 88  # 95 are expected; fewer than 88 happens once in 250 times


def test_a_beta_binomial_is_found_where_it_is_the_truth() -> None:
    rng = np.random.default_rng(2)
    counts = [(int(right), 8) for right in rng.binomial(8, rng.beta(0.6, 0.8, 3000))]
    cells = Cells.of(counts)
    alpha, beta = fit_beta_binomial(cells, cells.problems_K / cells.problems)
    assert (alpha, beta) == pytest.approx((0.6, 0.8), rel=0.1)
    assert beta_binomial_fit(counts) > 0.05
    assert beta_binomial(1.0, 1.0, 4) == pytest.approx([0.2] * 5)


def test_the_mixture_is_the_likeliest() -> None:
    cells = Cells.of([(0, 4)] * 10 + [(4, 4)] * 10)
    weights = mixture(cells, (cells.problems_K / cells.problems)[None])[0]
    assert weights[[0, -1]].sum() == pytest.approx(1, abs=0.02)
    assert weights @ GRID == pytest.approx(0.5)


def test_problems_of_other_sample_numbers_and_hopeless_ones() -> None:
    forecast = signal_forecast([(0, 4), (4, 4), (1, 2)], group_sizes=[2, 4])
    assert forecast[2].mixed == pytest.approx(1 / 3)
    flat = signal_forecast([(0, 4)] * 20, group_sizes=[4])[4]
    assert (flat.mixed, flat.low, flat.abs_advantage) == (0, 0, 0)
    assert 0.1 < flat.high < 0.2  # Wilson's interval of none of 20
    chances = mixed_chances([(0, 8), (4, 8), (8, 8)] * 20, 8)
    assert chances[4, 8] > 0.95 > 0.1 > chances[0, 8]


@pytest.mark.parametrize(
    ("counts", "options", "said"),
    [
        ([], {}, "there are no problems"),
        ([(3, 2)], {}, r"given: 3 right of 2"),
        ([(0, 0)], {}, "1 or more samples"),
        ([(1, 2)], {"group_sizes": [1]}, "2 or more completions"),
        ([(1, 2)], {"false_positive": 2.0}, "from 0 to 1"),
    ],
)
def test_wrong_counts_are_told(counts: list[tuple[int, int]], options: dict[str, float], said: str) -> None:
    with pytest.raises(DataError, match=said):
        signal_forecast(counts, **options)  # type: ignore[arg-type]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=12),
    st.floats(0, 0.5),
    st.floats(0, 0.5),
    st.integers(0, 9),
)
def test_a_forecast_is_always_possible(rights: list[int], a: float, b: float, seed: int) -> None:
    counts = [(right, 4) for right in rights]
    forecast = signal_forecast(counts, false_positive=a, false_negative=b, seed=seed, bootstraps=20)
    for one in forecast.values():
        assert 0 <= one.low <= one.mixed + 1e-9 <= one.high + 2e-9 <= 1 + 3e-9
        assert 0 <= one.abs_advantage <= 1 + 1e-9
        assert 0 <= one.phantom <= 1 + 1e-9
        assert 0 <= one.wrong_sign <= 1 + 1e-9


def test_thousands_of_samples_are_no_problem() -> None:
    assert signal_forecast([(1000, 2000), (1, 1)], group_sizes=[8], bootstraps=5)[8].mixed > 0.4
    assert mixed_chances([(600, 1100)], 8)[600, 1100] > 0.98
    assert binomial(np.array([0.0, 1.0, 0.5]), 2) == pytest.approx(
        np.array([[1, 0, 0], [0, 0, 1], [0.25, 0.5, 0.25]])
    )
