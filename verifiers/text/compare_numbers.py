"""The `number` tier: numbers, compared and rounded by the form of the reference.

The form of the reference decides how exact an answer must be (`same_number`):

- An exact reference (an integer, a fraction) accepts an equal value. Unless it is a whole number, it also
  accepts a decimal with at least six significant digits, all of them right (`stands_for`).
- A decimal reference accepts a decimal that rounds to it, half-way values away from zero, and differs from it
  by at most 1 %: 0.335 is accepted for 0.34 and not for 0.33, and 0.149 is not accepted for 0.1. A fraction,
  or a formula, need only round to it, if the reference shows at least two significant digits: 1/3 is accepted
  for 0.33 and not for 0.3.
- A percentage equals the fraction that it means (50% and 0.5) and, from 1 up, the number that it prints
  (50% and 50, but not 0.5% and 0.5).

This is `decimals: rounded`. With `exact`, a decimal equals only its own value. With `loose`, it may differ by
1 % from what it is compared with, but integers stay exact.
"""

import re
from dataclasses import replace
from fractions import Fraction

from ..policy import Decimals, Judge
from ..verdict import Reason, Verdict, equal_or_different
from .exact_number import ANSWER_CHARS, DivisionByZero, Number, read_number

SIGNIFICANT = 6
"""Significant digits that a decimal must show to stand for an exact value that it does not equal."""


_ASKS_DOZENS = re.compile(r"\b(?:how many|number of|in) dozens?\b", re.IGNORECASE)
_DOZENS = re.compile(r"(.*\d) ?dozens?")


def compare(reference: str, answer: str, judge: Judge) -> Verdict | None:
    """Compare two numbers; None if either side is not a number."""
    try:
        target = read_number(reference)
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
    if (
        "dozen" in judge.policy.question
        and _ASKS_DOZENS.search(judge.policy.question)
        and (dozens := _DOZENS.fullmatch(answer))
    ):
        counted = read_number(dozens[1])
        if counted is not None and same_number(target, counted, judge.policy.decimals):
            return equal_or_different(True)  # the question asks for dozens, so the word is a unit
    values = {"reference": str(target.value), "answer": str(given.value)}
    return equal_or_different(same_number(target, given, judge.policy.decimals), **values)


def same_number(reference: Number, answer: Number, decimals: Decimals = "rounded") -> bool:
    """Return whether an answer is accepted for a reference, by the rules at the top of this file.

    >>> half_way = read_number("0.335")
    >>> same_number(read_number("0.33"), half_way), same_number(half_way, read_number("0.33"))
    (False, False)
    >>> same_number(read_number("3.14"), read_number("3.1416")), same_number(half_way, read_number("0.3349"))
    (True, True)
    """
    if reference.percent == answer.percent:
        return _accepts(reference, answer, reference.value, answer.value, decimals)
    # One of the two is a percentage. It may mean the number that it prints, but not below 1: there the
    # bare number is a fraction of its own, and 0.5 is not 0.5%.
    if abs(reference.value) >= 1 and _accepts(reference, answer, reference.value, answer.value, decimals):
        return True
    expected = reference.value / 100 if reference.percent else reference.value
    value = answer.value / 100 if answer.percent else answer.value
    if expected == value:
        return True
    shown = answer.decimals
    if shown is not None:  # 33.3% shows three decimals of the fraction 0.333
        shown = max(shown + (2 if answer.percent else 0), 0)
    return _accepts(reference, replace(answer, decimals=shown), expected, value, decimals)


def _accepts(
    reference: Number, answer: Number, expected: Fraction, value: Fraction, decimals: Decimals
) -> bool:
    """Return whether a value is accepted for the expected one, by the forms in which both are written.

    The values are arguments of their own, because a percentage may mean a hundredth of the number it prints.
    """
    if expected == value:
        return True
    if decimals == "exact" or (reference.decimals is None and expected.denominator == 1):
        return False
    if reference.decimals is None:
        is_near = decimals == "loose" and answer.decimals is not None and _is_near(value, expected)
        return is_near or stands_for(answer, value, expected)
    if decimals == "loose":
        return _is_near(value, expected)
    places = reference.decimals
    if reference.percent and not answer.percent and expected != reference.value:
        places += 2  # the reference 33.3% is compared as 0.333, whose last digit is two places lower
    if not (_rounds_to(value, expected, places) or _is_from_double(reference, expected, value)):
        return False
    is_exact_form = answer.decimals is None and value.denominator != 1
    return (is_exact_form and reference.digits >= 2) or _is_near(value, expected)


def _is_near(value: Fraction, expected: Fraction) -> bool:
    """Return whether a value differs from the expected one by at most 1 %."""
    return abs(value - expected) * 100 <= abs(expected)


def _rounds_to(value: Fraction, expected: Fraction, places: int) -> bool:
    """Return whether a value is rounded to the expected one; half-way values are rounded away from zero."""
    if (value < 0) != (expected < 0):
        return False
    error = (abs(value) - abs(expected)) * 2 * Fraction(10) ** places
    return -1 <= error < 1


def _is_from_double(printed: Number, value: Fraction, exact: Fraction) -> bool:
    """Return whether a number was printed from a double, whose last digits carry rounding errors."""
    epsilon = Fraction(3, 10**16)  # that of a double is 2.2e-16
    return 15 <= printed.digits <= 17 and abs(value - exact) < abs(exact) * epsilon


def stands_for(answer: Number, value: Fraction, exact: Fraction) -> bool:
    """Return whether a decimal shows enough digits of an exact value, all of them right.

    The last digit may be rounded (an error of at most half a unit) or cut off (less than one unit).
    """
    if answer.decimals is None or answer.digits < SIGNIFICANT:
        return False
    if _is_from_double(answer, value, exact):
        return True
    error = (value - exact) * Fraction(10) ** answer.decimals
    return abs(error) * 2 <= 1 or (abs(value) < abs(exact) and abs(error) < 1)
