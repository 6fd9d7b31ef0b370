"""Comparing what a program printed or returned with what its tests expect.

The source of this file is also run inside the sandbox, by itself, to compare values that are too large to be
compared here (`judge_answers.py`). So it may import nothing from this package.
"""

import math
import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

NUMBERS = (int, float, complex, Decimal, Fraction)
_COMPARED_BY_EQUALITY = (str, bytes, set | frozenset, datetime, date, time, timedelta)


Whitespace = Literal["exact", "lines", "tokens", "trimmed", "nonblank"]
Numbers = Literal["text", "value", "close"]
_SPACE = b" \t\r\f\v"
_WORD = re.compile(rb"[^ \t\r\f\v]+")
_NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")
_CLOSE = (1e-5, 1e-8)
"""The relative and absolute tolerance of `close` numbers: those of numpy.allclose, which APPS uses."""


def same_output(
    expected: str,
    given: bytes,
    whitespace: Whitespace = "lines",
    numbers: Numbers = "text",
    float_tolerance: float = 0.0,
) -> bool:
    """Return whether a program printed the expected text.

    White space is that of ASCII: other characters, such as separators, are part of a word. The time that this
    takes is that of reading the output once, however many lines or words it has.

    Args:
        expected: the output that the test expects.
        given: the output of the program.
        whitespace: which white space counts; see `Stdio.whitespace`.
        numbers: how lines of numbers are compared; see `Stdio.numbers`.
        float_tolerance: relative and absolute tolerance for expected words that are numbers with a point or
            an exponent. Whole numbers are always compared exactly.
    """
    wanted = expected.encode(errors="surrogatepass")
    if wanted == given:
        return True
    if whitespace == "exact" and not float_tolerance:
        return False
    ends = _SPACE + b"\n"
    wanted, given = wanted.rstrip(ends), given.rstrip(ends)
    if whitespace in ("trimmed", "nonblank"):
        wanted, given = wanted.lstrip(ends), given.lstrip(ends)
    if whitespace == "nonblank":
        wanted, given = _without_blank_lines(wanted), _without_blank_lines(given)
    if wanted.count(b"\n") != given.count(b"\n"):
        return False
    return all(
        _same_line(one.rstrip(_SPACE), other.rstrip(_SPACE), whitespace, numbers, float_tolerance)
        for one, other in zip(wanted.split(b"\n"), given.split(b"\n"), strict=True)
    )


def _without_blank_lines(text: bytes) -> bytes:
    return re.sub(rb"\n[ \t\r\f\v]*(?=\n)", b"", text)


def _same_line(expected: bytes, given: bytes, whitespace: str, numbers: str, tolerance: float) -> bool:
    if whitespace in ("trimmed", "nonblank"):
        expected, given = expected.lstrip(_SPACE), given.lstrip(_SPACE)
    if expected == given:
        return True
    if numbers == "close":
        return _are_close(expected, given)
    spacing_counts = whitespace != "tokens" and numbers == "text"
    if whitespace != "tokens" and numbers == "text" and not tolerance:
        return False
    end, end_given = 0, 0  # of the word before, on each side
    words = _WORD.finditer(given)
    for word in _WORD.finditer(expected):
        other = next(words, None)
        if other is None or not _same_word(word[0], other[0], numbers, tolerance):
            return False
        if spacing_counts and expected[end : word.start()] != given[end_given : other.start()]:
            return False
        end, end_given = word.end(), other.end()
    return next(words, None) is None


def _same_word(expected: bytes, given: bytes, numbers: str, tolerance: float) -> bool:
    if expected == given and numbers == "text":
        return True
    if not (_NUMBER.fullmatch(expected) and _NUMBER.fullmatch(given)):
        return False
    if numbers == "value":  # exact, unlike a comparison of floats
        return len(given) <= len(expected) + _MOST_ZEROS and Decimal(expected.decode()) == Decimal(
            given.decode()
        )
    if not tolerance or not any(c in expected for c in b".eE"):
        return False
    return math.isclose(float(expected), float(given), rel_tol=tolerance, abs_tol=tolerance)


_MOST_ZEROS = 1000
"""A number that is longer than the expected one by more characters than this is another number."""


def _are_close(expected: bytes, given: bytes) -> bool:
    """Return whether two lines hold one number each, and these are close; whole numbers must be equal."""
    if len(given) > len(expected) + _MOST_ZEROS:
        return False
    if not (_NUMBER.fullmatch(expected) and _NUMBER.fullmatch(given)):
        return False
    one, other = Decimal(expected.decode()), Decimal(given.decode())
    if one == other:
        return True
    relative, absolute = _CLOSE
    is_whole = expected.lstrip(b"+-").isdigit()
    return not is_whole and abs(float(other) - float(one)) <= absolute + relative * abs(float(one))


@dataclass(frozen=True)
class Sameness:
    """Which returned values count as the expected ones; see `Calls` for each field."""

    float_tolerance: float = 0.0
    exact_types: bool = False
    bool_is_number: bool = False
    wrapped: bool = False


def same_answer(expected: Any, answers: list[Any], sameness: Sameness) -> bool:
    """Return whether the only answer is the expected value, or if `wrapped` its only item."""
    (answer,) = answers
    is_wrapped = sameness.wrapped and isinstance(expected, list) and len(expected) == 1
    if is_wrapped and same_value(expected[0], answer, sameness):
        return True
    return same_value(expected, answer, sameness)


def same_value(expected: Any, given: Any, sameness: Sameness = Sameness()) -> bool:
    """Return whether a returned value is the expected one; both are plain data.

    Unless `sameness` says otherwise, a bool never equals a number, a list equals a tuple of the same items,
    and 2 equals 2.0. The tolerance is relative and absolute; it applies where the expected number is a float.
    """
    if expected is None or given is None:
        return expected is given
    if (isinstance(expected, bool) or isinstance(given, bool)) and not sameness.bool_is_number:
        return expected is given
    if sameness.exact_types and type(expected) is not type(given):
        return False
    if isinstance(expected, NUMBERS) and isinstance(given, NUMBERS):
        return _same_number(expected, given, sameness.float_tolerance)
    if isinstance(expected, list | tuple) and isinstance(given, list | tuple):
        return len(expected) == len(given) and all(
            same_value(one, other, sameness) for one, other in zip(expected, given, strict=True)
        )
    if isinstance(expected, dict) and isinstance(given, dict):
        return expected.keys() == given.keys() and all(
            same_value(value, given[key], sameness) for key, value in expected.items()
        )
    same_kind = any(isinstance(expected, kind) and isinstance(given, kind) for kind in _COMPARED_BY_EQUALITY)
    return same_kind and bool(expected == given)


def _same_number(expected: Any, given: Any, tolerance: float) -> bool:
    if expected == given or (expected != expected and given != given):  # NaN counts as equal to NaN
        return True
    if not tolerance or not isinstance(expected, float):
        return False
    try:
        return math.isclose(expected, given, rel_tol=tolerance, abs_tol=tolerance)
    except (TypeError, OverflowError):
        return False
