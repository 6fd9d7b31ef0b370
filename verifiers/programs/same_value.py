"""Is it the expected output? Printed text by a declared policy, returned values by another."""

import math
import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

NUMBERS = (int, float, complex, Decimal, Fraction)


def same_output(
    expected: str, given: str, *, whitespace: str = "lines", float_tolerance: float = 0.0
) -> bool:
    """Compare printed text. The number of lines counts, empty ones at the end aside.

    Args:
        expected: what should be printed.
        given: what was.
        whitespace: `exact`, `lines` (not at ends of lines) or `tokens` (nor between words).
        float_tolerance: relative and absolute, for expected words that are numbers with a point or
            an exponent.
    """
    if whitespace == "exact" and not float_tolerance:
        return expected == given
    wanted, found = _lines(expected), _lines(given)
    if len(wanted) != len(found):
        return False
    if whitespace == "lines" and not float_tolerance:
        return wanted == found
    return all(_same_line(a, b, whitespace, float_tolerance) for a, b in zip(wanted, found, strict=True))


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.replace("\r\n", "\n").rstrip().split("\n")]


def _same_line(expected: str, given: str, whitespace: str, tolerance: float) -> bool:
    if expected == given:
        return True
    if whitespace != "tokens" and _gaps(expected) != _gaps(given):
        return False
    wanted, found = expected.split(), given.split()
    return len(wanted) == len(found) and all(
        _same_word(a, b, tolerance) for a, b in zip(wanted, found, strict=True)
    )


def _gaps(line: str) -> str:
    """Return a line with all words alike: what is left is where the white space stands."""
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
    """Compare a returned value with an expected one; both are plain data.

    A bool is never a number. Unless `exact_types`, a tuple is as good as a list, and 2.0 as 2.
    """
    if isinstance(expected, bool) or isinstance(given, bool) or expected is None or given is None:
        return expected is given
    if exact_types and type(expected) is not type(given):
        return False
    if isinstance(expected, NUMBERS) and isinstance(given, NUMBERS):
        return _same_number(expected, given, float_tolerance)
    if isinstance(expected, list | tuple) and isinstance(given, list | tuple):
        return len(expected) == len(given) and all(
            same_value(a, b, float_tolerance=float_tolerance, exact_types=exact_types)
            for a, b in zip(expected, given, strict=True)
        )
    if isinstance(expected, dict) and isinstance(given, dict):
        return expected.keys() == given.keys() and all(
            same_value(value, given[key], float_tolerance=float_tolerance, exact_types=exact_types)
            for key, value in expected.items()
        )
    kinds = (str, bytes, set | frozenset, datetime, date, time, timedelta)
    return any(isinstance(expected, k) and isinstance(given, k) for k in kinds) and bool(expected == given)


def _same_number(expected: Any, given: Any, tolerance: float) -> bool:
    if expected == given or (expected != expected and given != given):
        return True
    if not tolerance or not (isinstance(expected, float) or isinstance(given, float)):
        return False
    try:
        return math.isclose(expected, given, rel_tol=tolerance, abs_tol=tolerance)
    except (TypeError, OverflowError):
        return False
