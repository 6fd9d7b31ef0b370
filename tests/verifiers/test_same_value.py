"""Comparing a program's output and its values with the expected ones."""

from typing import Any

import pytest

from markscheme.verifiers.programs.same_value import (
    Numbers,
    Sameness,
    Whitespace,
    same_answer,
    same_output,
    same_value,
)

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
    ("1", "1\x1c", "lines", 0, False),  # white space of Unicode is not white space of a line
    ("1", "\x851", "tokens", 0, False),
    ("40.0", "4_0.0", "tokens", 1e-6, False),
    ("1", " 1", "lines", 0, False),
    ("1\n2", "\n 1 \n2 \n\n", "trimmed", 0, True),
    ("1\n2", "1\n\n2", "trimmed", 0, False),
    ("1\n2", " 1\n\n 2", "nonblank", 0, True),
    ("1  2", "1 2", "nonblank", 0, False),
]


@pytest.mark.parametrize(("expected", "given", "whitespace", "tolerance", "same"), OUTPUTS)
def test_outputs_are_compared_as_declared(
    expected: str, given: str, whitespace: Whitespace, tolerance: float, same: bool
) -> None:
    assert same_output(expected, given.encode(), whitespace=whitespace, float_tolerance=tolerance) is same


NUMBERS: list[tuple[str, str, Numbers, bool]] = [
    # expected, given, how numbers are compared, whether they are the same
    ("2", "2.0", "text", False),
    ("2 3", "2.0  3e0", "value", True),
    ("0.5", ".50", "value", True),
    ("x 2", "x 2.0", "value", False),  # a line that is not all numbers
    ("9007199254740992", "9007199254740993", "value", False),
    ("1000000", "1000001", "close", False),  # a whole number is exact
    ("0.333333", "0.3333333333", "close", True),
    ("0.333333", "0.3334", "close", False),
    ("2", "2.0", "close", True),
    ("0.5 0.333333", "0.5 0.3333333333", "close", False),  # only where a number stands alone
    ("1e999", "1e998", "value", False),
    ("nan", "NaN", "value", False),
]


@pytest.mark.parametrize(("expected", "given", "numbers", "same"), NUMBERS)
def test_numbers_are_compared_as_declared(expected: str, given: str, numbers: Numbers, same: bool) -> None:
    assert same_output(expected, given.encode(), whitespace="trimmed", numbers=numbers) is same


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
    assert same_value(expected, given, Sameness(exact_types=True)) is same_types


@pytest.mark.parametrize(
    ("expected", "given", "sameness", "same"),
    [
        (1000, 1000.9, Sameness(float_tolerance=0.001), False),  # a whole number is exact
        (1000.0, 1000.9, Sameness(float_tolerance=0.001), True),
        (True, 1, Sameness(bool_is_number=True), True),
        ([True], [0], Sameness(bool_is_number=True), False),
        ([4], 4, Sameness(wrapped=True), True),
        ([4], [4], Sameness(wrapped=True), True),
        ([4, 5], 4, Sameness(wrapped=True), False),
    ],
)
def test_an_answer_is_compared_as_declared(expected: Any, given: Any, sameness: Sameness, same: bool) -> None:
    assert same_answer(expected, [given], sameness) is same
