"""Combining parts: tables by hand, and the rule of unknowns as a property."""

import math
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markscheme.rewards.composition.combine import ensemble, fold, renormalised, total_range

U = (0.0, 1.0)


def terms(*values: float | None, weights: tuple[float, ...] = ()) -> list:
    return [(v, w, U) for v, w in zip(values, weights or (1.0,) * len(values), strict=True)]


@pytest.mark.parametrize(
    ("parts", "how", "total"),
    [
        (terms(1.0, 0.5, weights=(1.0, 0.1)), "sum", 1.05),
        (terms(1.0, None, weights=(1.0, 0.1)), "sum", None),
        (terms(1.0, None, weights=(1.0, 0.0)), "sum", 1.0),  # 0 x None = 0
        (terms(0.0, None), "product", 0.0),  # 0 x None = 0
        (terms(1.0, None), "product", None),
        (terms(0.5, 0.5), "product", 0.25),
        (terms(0.0, None), "min", 0.0),
        (terms(0.5, None), "min", None),
        (terms(0.5, 0.7), "min", 0.5),
        (terms(0.0, None), "all_of", 0.0),  # False and None = False
        (terms(1.0, None), "all_of", None),
        (terms(1.0, 1.0), "all_of", 1.0),
        (terms(1.0, 0.9), "all_of", 0.0),
        (terms(1.0, None), "any_of", 1.0),  # True or None = True
        (terms(0.0, None), "any_of", None),
        (terms(0.0, 0.5), "any_of", 0.0),
        ([], "sum", None),
        (terms(1.0, weights=(0.0,)), "sum", None),
        ([(0.0, 1.0, U), (None, 1.0, (-math.inf, math.inf))], "product", 0.0),
        ([(None, 1.0, (1.0, 1.0))], "sum", 1.0),  # it can have one value only
    ],
)
def test_folds(parts: list, how: str, total: float | None) -> None:
    assert fold(parts, how) == (None if total is None else pytest.approx(total))


VALUE = st.one_of(st.none(), st.sampled_from([0.0, 0.25, 0.5, 1.0]))
HOW = st.sampled_from(["sum", "min", "product", "all_of", "any_of"])


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(VALUE, st.sampled_from([0.0, 0.5, 1.0, 2.0])), min_size=1, max_size=4), HOW)
def test_a_total_is_known_exactly_if_no_unknown_can_change_it(
    parts: list[tuple[float | None, float]], how: str
) -> None:
    """Against brute force: every unknown put to each of a grid of its values."""
    if all(weight == 0 for _, weight in parts):
        return
    grid = [0.0, 0.25, 0.5, 1.0]
    choices = [[value] if value is not None else grid for value, _ in parts]
    totals = {
        fold([(v, w, U) for v, (_, w) in zip(chosen, parts, strict=True)], how)
        for chosen in product(*choices)
    }
    found = fold([(value, weight, U) for value, weight in parts], how)
    assert found == (totals.pop() if len(totals) == 1 else None)


def test_weights_of_what_does_not_apply_go_to_the_others() -> None:
    assert renormalised([1.0, 1.0, 0.1], [True, False, True]) == pytest.approx([2.1 / 1.1, 0.0, 0.21 / 1.1])
    assert renormalised([1.0, -0.5], [True, True]) == [1.0, -0.5]
    assert renormalised([1.0], [False]) == [0.0]


def test_ensembles() -> None:
    assert ensemble([0.0, 0.5, 1.0, 0.1], "mean") == pytest.approx(0.4)
    assert ensemble([0.0, 0.5, 1.0], "median") == 0.5
    assert ensemble([0.0, 0.5], "min") == 0.0
    assert ensemble([0.5, None], "mean") is None
    assert ensemble([], "mean") is None


@pytest.mark.parametrize(
    ("parts", "how", "ends"),
    [
        ([(1.0, U), (0.1, U)], "sum", (0.0, 1.1)),
        ([(1.0, U), (-0.5, U)], "sum", (-0.5, 1.0)),
        ([(1.0, U), (1.0, (-1.0, 0.0))], "product", (-1.0, 0.0)),
        ([(1.0, U), (1.0, (-1.0, 0.0))], "min", (-1.0, 0.0)),
        ([(1.0, U)], "all_of", (0.0, 1.0)),
        ([(0.0, U)], "sum", (0.0, 0.0)),
    ],
)
def test_ranges(parts: list, how: str, ends: tuple[float, float]) -> None:
    assert total_range(parts, how) == pytest.approx(ends)
