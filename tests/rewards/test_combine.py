"""Combining parts: tables computed by hand, and the rule of unknown parts against brute force."""

import math
from itertools import product

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from markscheme.rewards.composition.combine import Bounds, Weighted, applying, ensemble, fold, total_range

UNIT = (0.0, 1.0)
"""The range of most rewards."""


def parts_of(*values: float | None, weights: tuple[float, ...] = ()) -> list[Weighted]:
    """Return parts with these values, with the weight 1 unless weights are given."""
    weights = weights or (1.0,) * len(values)
    return [(value, weight, UNIT) for value, weight in zip(values, weights, strict=True)]


@pytest.mark.parametrize(
    ("parts", "how", "total"),
    [
        (parts_of(1.0, 0.5, weights=(1.0, 0.1)), "sum", 1.05),
        (parts_of(1.0, None, weights=(1.0, 0.1)), "sum", None),
        (parts_of(1.0, None, weights=(1.0, 0.0)), "sum", 1.0),  # 0 x None = 0
        (parts_of(0.0, None), "product", 0.0),  # 0 x None = 0
        (parts_of(1.0, None), "product", None),
        (parts_of(0.5, 0.5), "product", 0.25),
        (parts_of(0.0, None), "min", 0.0),
        (parts_of(0.5, None), "min", None),
        (parts_of(0.5, 0.7), "min", 0.5),
        (parts_of(0.0, None), "all_of", 0.0),  # False and None = False
        (parts_of(1.0, None), "all_of", None),
        (parts_of(1.0, 1.0), "all_of", 1.0),
        (parts_of(1.0, 0.9), "all_of", 0.0),
        (parts_of(1.0, None), "any_of", 1.0),  # True or None = True
        (parts_of(0.0, None), "any_of", None),
        (parts_of(0.0, 0.5), "any_of", 0.0),
        ([], "sum", None),
        (parts_of(1.0, weights=(0.0,)), "sum", None),
        ([(0.0, 1.0, UNIT), (None, 1.0, (-math.inf, math.inf))], "product", 0.0),
        ([(None, 1.0, (1.0, 1.0))], "sum", 1.0),  # it can have one value only
        ([(None, 1e100, (-math.inf, math.inf))] * 2, "sum", None),
        ([(1e250, 1e100, (0.0, math.inf))], "sum", math.inf),  # too large for a float
        ([(None, 1.0, (0.0, math.inf))], "all_of", 0.0),  # no value reaches an infinite top
        ([(None, 1.0, (0.0, math.inf)), (1.0, 1.0, UNIT)], "any_of", 1.0),
    ],
)
def test_parts_are_folded_into_a_total(parts: list[Weighted], how: str, total: float | None) -> None:
    assert fold(parts, how) == pytest.approx(total)


GRID = [0.0, 0.25, 0.5, 1.0]
"""Values that an unknown part is tried with."""
VALUE = st.one_of(st.none(), st.sampled_from(GRID))
HOW = st.sampled_from(["sum", "min", "product", "all_of", "any_of"])


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(VALUE, st.sampled_from([0.0, 0.5, 1.0, 2.0])), min_size=1, max_size=4), HOW)
def test_a_total_is_known_if_and_only_if_no_unknown_part_can_change_it(
    parts: list[tuple[float | None, float]], how: str
) -> None:
    assume(any(weight != 0 for _, weight in parts))
    weights = [weight for _, weight in parts]
    choices = [GRID if value is None else [value] for value, _ in parts]
    totals = {fold(parts_of(*values, weights=tuple(weights)), how) for values in product(*choices)}
    expected = totals.pop() if len(totals) == 1 else None
    assert fold([(value, weight, UNIT) for value, weight in parts], how) == expected


PENALTY = (-1.0, 0.0)
INFINITE = (-math.inf, math.inf)


@pytest.mark.parametrize(
    ("how", "bounds", "weights", "applies", "counted"),
    [
        # The weights that count now; None = nothing counts for this part.
        ("sum", [UNIT, UNIT, UNIT], [1, 1, 0.1], [1, 0, 1], [2.1 / 1.1, None, 0.21 / 1.1]),
        ("sum", [UNIT, UNIT], [1, -0.5], [1, 1], [1, -0.5]),
        ("sum", [UNIT, PENALTY], [2, 1], [1, 0], [2, 1]),  # a penalty hands on nothing
        ("sum", [UNIT, UNIT], [2, -1], [1, 0], [2, -1]),  # nor does a reward with a negative weight
        ("sum", [UNIT, UNIT, PENALTY], [1, 1, 1], [1, 0, 1], [2, None, 1]),  # and none is scaled
        ("sum", [UNIT, (0.0, 10.0)], [1, 0.1], [1, 0], [2, None]),  # shares of the highest total,
        ("sum", [UNIT, (0.0, 10.0)], [1, 0.1], [0, 1], [None, 0.2]),  # not of the weights
        ("sum", [(-1.0, 1.0), UNIT], [1, 1], [1, 0], [1, None]),  # the lowest total would become -2
        ("sum", [(-1.0, 1.0), (-0.5, 1.0)], [1, 1], [1, 0], [1.5, None]),
        ("sum", [UNIT, INFINITE], [1, 1], [1, 0], [1, None]),
        ("sum", [UNIT, UNIT], [0, 1], [1, 0], [None, None]),  # no part that counts applies
        ("min", [UNIT, (0.0, 0.5)], [1, 1], [1, 0], [1, 1]),
        ("product", [UNIT, INFINITE], [1, 2], [1, 0], [1, 2]),
        ("all_of", [UNIT, UNIT], [1, 1], [1, 0], [1, None]),
    ],
)
def test_what_counts_on_a_row_to_which_some_parts_do_not_apply(
    how: str,
    bounds: list[Bounds],
    weights: list[float],
    applies: list[int],
    counted: list[float | None],
) -> None:
    parts = [(None, weight, range_) for weight, range_ in zip(weights, bounds, strict=True)]
    now = applying(parts, [bool(one) for one in applies], how)
    assert [None if part is None else part[1] for part in now] == [
        None if weight is None else pytest.approx(weight) for weight in counted
    ]


def test_a_part_that_does_not_apply_counts_as_its_best_value_in_min_and_product() -> None:
    for how, bounds, total in (("min", (0.0, 0.5), 0.5), ("product", (0.0, 3.0), 2.4)):
        now = applying([(0.8, 1.0, UNIT), (None, 1.0, bounds)], [True, False], how)
        assert fold([part for part in now if part is not None], how) == pytest.approx(total)
    now = applying([(0.8, 1.0, UNIT), (None, 2.0, INFINITE)], [True, False], "product")
    assert fold([part for part in now if part is not None], "product") == pytest.approx(0.8)


def test_an_ensemble_reduces_known_values_only() -> None:
    assert ensemble([0.0, 0.5, 1.0, 0.1], "mean") == pytest.approx(0.4)
    assert ensemble([0.0, 0.5, 1.0], "median") == 0.5
    assert ensemble([0.0, 0.5], "min") == 0.0
    assert ensemble([0.5, None], "mean") is None
    assert ensemble([], "mean") is None


@pytest.mark.parametrize(
    ("parts", "how", "bounds"),
    [
        ([(1.0, UNIT), (0.1, UNIT)], "sum", (0.0, 1.1)),
        ([(1.0, UNIT), (-0.5, UNIT)], "sum", (-0.5, 1.0)),
        ([(1.0, UNIT), (1.0, (-1.0, 0.0))], "product", (-1.0, 0.0)),
        ([(1.0, UNIT), (1.0, (-1.0, 0.0))], "min", (-1.0, 0.0)),
        ([(1.0, UNIT)], "all_of", (0.0, 1.0)),
        ([(0.0, UNIT)], "sum", (0.0, 0.0)),
        ([(1.0, (1.0, 5.0))], "sum", (1.0, 5.0)),
        ([(1.0, (1.0, 5.0)), (1.0, UNIT)], "sum", (0.0, 6.0)),  # the first may not apply
        ([(1.0, (0.0, math.inf)), (1.0, UNIT)], "product", (0.0, math.inf)),
        ([(1.0, (-2.0, 3.0)), (-1.0, (-1.0, 4.0)), (0.5, (2.0, 2.0))], "product", (-12.0, 8.0)),
    ],
)
def test_the_range_of_a_total(
    parts: list[tuple[float, Bounds]], how: str, bounds: tuple[float, float]
) -> None:
    assert total_range(parts, how) == pytest.approx(bounds)
