"""The `number` tier: numbers, compared and rounded by the form of the reference.

The form of the reference decides how exact an answer must be (`same_number`):

- An exact reference (an integer, a fraction) accepts an equal value. Unless it is a whole number, it also
  accepts a decimal with at least six significant digits, all of them right (`stands_for`).
- A decimal reference accepts every value that rounds to it. **Half-way values round both ways**: 0.335 is
  accepted for the reference 0.34 and also for 0.33. The answer 0.34 is not accepted for the reference 0.335,
  which has three decimals. `_accepts` decides this.
- A percentage equals the fraction that it means (50% and 0.5) and, from 1 up, the number that it prints
  (50% and 50, but not 0.5% and 0.5).
"""

import re
from dataclasses import replace
from fractions import Fraction

from ..verdict import Judge, Reason, Verdict, equal_or_different
from .exact_number import ANSWER_CHARS, DivisionByZero, Number, read_number

SIGNIFICANT = 6
"""Significant digits that a decimal must show to stand for an exact value that it does not equal."""
_SHORT_COMMA = re.compile(r"[-+]?\d*[1-9]\d*,\d")


def compare(reference: str, answer: str, judge: Judge) -> Verdict | None:
    """Compare two numbers; None if either side is not a number.

    The reference `2,5` is a list: before a single digit, a comma is decimal only after a zero, as in `0,5`.
    """
    try:
        target = None if _SHORT_COMMA.fullmatch(reference) else read_number(reference)
    except DivisionByZero:
        return Verdict(None, Reason.UNPARSABLE_REFERENCE)
    if target is None:
        return None
    if len(answer) > ANSWER_CHARS:
        return Verdict(False, Reason.TOO_LARGE)
    try:
        given = read_number(answer)
    except DivisionByZero:
        return Verdict(False, Reason.UNPARSABLE_ANSWER)
    if given is None:
        return None
    degrees = "circ" in reference or "circ" in answer
    if target.currency != given.currency and target.currency and given.currency:
        return Verdict(False, Reason.UNITS_DIFFER)
    if target.percent != given.percent and (target.currency or given.currency or degrees):
        return Verdict(False, Reason.UNITS_DIFFER)
    values = {"reference": str(target.value), "answer": str(given.value)}
    return equal_or_different(same_number(target, given), **values)


def same_number(reference: Number, answer: Number) -> bool:
    """Return whether an answer is accepted for a reference, by the rules at the top of this file.

    >>> half_way = read_number("0.335")
    >>> same_number(read_number("0.33"), half_way), same_number(read_number("0.34"), half_way)
    (True, True)
    >>> same_number(half_way, read_number("0.34"))  # the reference shows three decimals
    False
    """
    if reference.percent == answer.percent:
        return _accepts(reference, answer, reference.value, answer.value)
    # One of the two is a percentage. It may mean the number that it prints, but not below 1: there the
    # bare number is a fraction of its own, and 0.5 is not 0.5%.
    if abs(reference.value) >= 1 and _accepts(reference, answer, reference.value, answer.value):
        return True
    expected = reference.value / 100 if reference.percent else reference.value
    value = answer.value / 100 if answer.percent else answer.value
    if expected == value:
        return True
    decimals = answer.decimals
    if decimals is not None:  # 33.3% shows three decimals of the fraction 0.333
        decimals = max(decimals + (2 if answer.percent else 0), 0)
    return _accepts(reference, replace(answer, decimals=decimals), expected, value)


def _accepts(reference: Number, answer: Number, expected: Fraction, value: Fraction) -> bool:
    """Return whether a value is accepted for the expected one, by the forms in which both are written.

    The values are arguments of their own, because a percentage may mean a hundredth of the number it prints.
    """
    if expected == value:
        return True
    if reference.decimals is not None:
        scale = Fraction(10) ** reference.decimals
        if reference.percent and not answer.percent and expected != reference.value:
            scale *= 100  # the reference 33.3% is compared as 0.333, whose last digit is two places lower
        # At most half a unit of the reference's last digit: `<=`, so that half-way values round both ways.
        return abs(expected - value) * 2 * scale <= 1
    return expected.denominator != 1 and stands_for(answer, value, expected)


def stands_for(answer: Number, value: Fraction, exact: Fraction) -> bool:
    """Return whether a decimal shows enough digits of an exact value, all of them right.

    The last digit may be rounded (an error of at most half a unit) or cut off (less than one unit).
    """
    if answer.decimals is None or answer.digits < SIGNIFICANT:
        return False
    error = (value - exact) * Fraction(10) ** answer.decimals
    if 15 <= answer.digits <= 17 and abs(value - exact) < abs(exact) * 3 / 10**16:
        return True  # printed from a double, whose last digits carry rounding errors (epsilon is 2.2e-16)
    return abs(error) * 2 <= 1 or (abs(value) < abs(exact) and abs(error) < 1)
