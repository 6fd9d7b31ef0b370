"""Comparing a program's output and its values with the expected ones."""

from typing import Any

import pytest

from markscheme.verifiers.programs.same_value import same_output, same_value

OUTPUTS = [
    # expected, given, whitespace, tolerance, whether they are the same
    ("1\n", "1", "lines", 0, True),
    ("1\n2\n", "1\n2\n\n\n", "lines", 0, True),
    ("1 2\n", "1 2   \n", "lines", 0, True),
    ("1\r\n2", "1\n2\n", "lines", 0, True),
    ("1 2\n", "1  2\n", "lines", 0, False),
    ("1 2\n", "1  2\n", "tokens", 0, True),
    ("1 2\n", "1\n2\n", "tokens", 0, False),
    ("1\n2\n", "1\n", "lines", 0, False),
    ("1\n", "1\n2\n", "lines", 0, False),
    ("1\n\n2\n", "1\n2\n", "tokens", 0, False),
    ("1", "1\n", "exact", 0, False),
    ("", "", "lines", 0, True),
    ("", "\n", "lines", 0, True),
    ("0.5", "0.50000000001", "lines", 1e-6, True),
    ("0.5", "0.51", "lines", 1e-6, False),
    ("0.5", "nan", "lines", 1e-6, False),
    ("5", "5.0000000001", "lines", 1e-6, False),  # a whole number is exact
    ("5", "6", "lines", 0.5, False),
    ("a 0.5", "a  0.5", "lines", 1e-6, False),
    ("YES", "Yes", "tokens", 0, False),
]


@pytest.mark.parametrize(("expected", "given", "whitespace", "tolerance", "same"), OUTPUTS)
def test_outputs_are_compared_as_declared(
    expected: str, given: str, whitespace: str, tolerance: float, same: bool
) -> None:
    assert same_output(expected, given, whitespace=whitespace, float_tolerance=tolerance) is same


VALUES: list[tuple[Any, Any, bool, bool]] = [
    # expected, given, whether they are the same, and whether also with `exact_types`
    (1, 1, True, True),
    (1, 1.0, True, False),
    (1, True, False, False),
    (True, 1, False, False),
    (None, 0, False, False),
    (0, None, False, False),
    ([1, [2]], (1, (2,)), True, False),
    ([1], [1, 2], False, False),
    ("1", 1, False, False),
    ({"a": 1}, {"a": 1.0}, True, False),
    ({"a": 1}, {"a": True}, False, False),
    ({1, 2}, {2, 1}, True, True),
    ({1}, frozenset({1}), True, False),
    ([1], {1}, False, False),
    (float("nan"), float("nan"), True, True),
    (b"a", "a", False, False),
    ("ab", ["a", "b"], False, False),
    (10**400, 1e300, False, False),
]


@pytest.mark.parametrize(("expected", "given", "same", "same_types"), VALUES)
def test_values_are_compared_with_their_types(
    expected: Any, given: Any, same: bool, same_types: bool
) -> None:
    assert same_value(expected, given) is same
    assert same_value(expected, given, exact_types=True) is same_types
