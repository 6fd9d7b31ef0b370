"""Comparing what a program printed or returned with what its tests expect."""

import math
import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

NUMBERS = (int, float, complex, Decimal, Fraction)
_COMPARED_BY_EQUALITY = (str, bytes, set | frozenset, datetime, date, time, timedelta)


def same_output(
    expected: str, given: str, *, whitespace: str = "lines", float_tolerance: float = 0.0
) -> bool:
    """Return whether a program printed the expected text.

    The number of lines always counts, except for empty lines at the end (which count too under `exact`).

    Args:
        expected: the output that the test expects.
        given: the output of the program.
        whitespace: `exact` compares character by character; `lines` ignores white space at the ends of
            lines; `tokens` also ignores how much white space there is between words. With a tolerance,
            `exact` compares as `lines` does.
        float_tolerance: relative and absolute tolerance for expected words that are numbers with a point or
            an exponent. Whole numbers are always compared exactly.
    """
    if whitespace == "exact" and not float_tolerance:
        return expected == given
    expected_lines, given_lines = _lines(expected), _lines(given)
    if len(expected_lines) != len(given_lines):
        return False
    if whitespace == "lines" and not float_tolerance:
        return expected_lines == given_lines
    return all(
        _same_line(one, other, whitespace, float_tolerance)
        for one, other in zip(expected_lines, given_lines, strict=True)
    )


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.replace("\r\n", "\n").rstrip().split("\n")]


def _same_line(expected: str, given: str, whitespace: str, tolerance: float) -> bool:
    if expected == given:
        return True
    if whitespace != "tokens" and _spacing(expected) != _spacing(given):
        return False
    expected_words, given_words = expected.split(), given.split()
    return len(expected_words) == len(given_words) and all(
        _same_word(one, other, tolerance) for one, other in zip(expected_words, given_words, strict=True)
    )


def _spacing(line: str) -> str:
    """Return a line with every word replaced by `x`, to compare nothing but its white space."""
    return re.sub(r"\S+", "x", line)


def _same_word(expected: str, given: str, tolerance: float) -> bool:
    if expected == given:
        return True
    if not tolerance or not any(c in expected for c in ".eE"):
        return False
    try:
        return math.isclose(float(expected), float(given), rel_tol=tolerance, abs_tol=tolerance)
    except ValueError:
        return False


def same_value(expected: Any, given: Any, *, float_tolerance: float = 0.0, exact_types: bool = False) -> bool:
    """Return whether a returned value is the expected one; both are plain data.

    A bool never equals a number. Unless `exact_types` is set, a list equals a tuple of the same items,
    and 2 equals 2.0. `float_tolerance` is relative and absolute; it applies where either side is a float.
    """
    if isinstance(expected, bool) or isinstance(given, bool) or expected is None or given is None:
        return expected is given
    if exact_types and type(expected) is not type(given):
        return False
    if isinstance(expected, NUMBERS) and isinstance(given, NUMBERS):
        return _same_number(expected, given, float_tolerance)
    if isinstance(expected, list | tuple) and isinstance(given, list | tuple):
        return len(expected) == len(given) and all(
            same_value(one, other, float_tolerance=float_tolerance, exact_types=exact_types)
            for one, other in zip(expected, given, strict=True)
        )
    if isinstance(expected, dict) and isinstance(given, dict):
        return expected.keys() == given.keys() and all(
            same_value(value, given[key], float_tolerance=float_tolerance, exact_types=exact_types)
            for key, value in expected.items()
        )
    same_kind = any(isinstance(expected, kind) and isinstance(given, kind) for kind in _COMPARED_BY_EQUALITY)
    return same_kind and bool(expected == given)


def _same_number(expected: Any, given: Any, tolerance: float) -> bool:
    if expected == given or (expected != expected and given != given):  # NaN counts as equal to NaN
        return True
    if not tolerance or not (isinstance(expected, float) or isinstance(given, float)):
        return False
    try:
        return math.isclose(expected, given, rel_tol=tolerance, abs_tol=tolerance)
    except (TypeError, OverflowError):
        return False
