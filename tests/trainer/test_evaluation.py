"""The statistics of an evaluation: pass@k and confidence intervals."""

from itertools import combinations

import numpy as np
import pytest

from markscheme.rewards.offline.evaluation import pass_at_k
from markscheme.rewards.offline.measures import mean_rate, wilson_interval


def test_pass_at_k_is_the_share_of_all_draws_with_a_right_sample() -> None:
    for n, right in ((5, 0), (5, 1), (6, 3), (4, 4)):
        for k in range(1, n + 1):
            draws = list(combinations([1] * right + [0] * (n - right), k))
            assert pass_at_k(n, right, k) == pytest.approx(sum(map(any, draws)) / len(draws))
    with pytest.raises(ValueError, match="expected"):
        pass_at_k(4, 5, 1)


def test_confidence_intervals() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)
    assert wilson_interval(8, 10) == pytest.approx((0.4901625, 0.9433178), abs=1e-6)  # Wilson 1927
    assert wilson_interval(10, 10)[1] == 1.0
    assert wilson_interval(0, 10)[0] == 0.0
    # Equal values have no spread; then the interval is Wilson's.
    equal = mean_rate(np.ones(10))
    assert (equal.low, equal.high) == wilson_interval(10, 10)
    # Else it is Student's with 99 degrees of freedom: 0.5025189 is the sample std of fifty zeros and fifty ones.
    halves = mean_rate(np.array([0.0, 1.0] * 50))
    assert (halves.low + halves.high) / 2 == pytest.approx(0.5)
    assert halves.high - halves.low == pytest.approx(2 * 1.984217 * 0.5025189 / 10, abs=1e-6)
