r"""Formulas as numbers: in floating point, and with many digits where that has to be certain.

Values are complex. Each comes with what is needed to compare it: how large the terms were that may
have cancelled, and whether a real formula left the reals.
"""

import cmath
import threading
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

from .evaluate import FLOATS, Notes, evaluate
from .tokens import Node, TooLarge

DIGITS = (50, 150)
"""Two values are equal if both precisions say so; the first settles most that differ."""


@dataclass(slots=True)
class Value:
    """A value with what is needed to compare it."""

    value: Any
    largest: Any
    """The largest term of any sum on the way: what was cancelled is not known better than that."""
    strayed: bool
    """Whether a real formula left the reals on the way."""

    def differs_from(self, other: "Value") -> bool:
        """Whether two values in floating point differ for certain."""
        size, noise = max(abs(self.value), abs(other.value)), max(self.largest, other.largest)
        return abs(self.value - other.value) > size * 1e-6 + noise * 1e-9

    def as_fraction(self) -> Fraction | None:
        """Return a real value of 50 digits as a fraction; None if it is not real.

        Raises:
            TooLarge: terms cancel until nothing is certain.
        """
        value, noise = self.value, self.largest * 1e-42
        if noise > abs(value) * 1e-15 and noise > 1e-20:
            raise TooLarge("a cancellation")
        if abs(value) <= noise:
            return Fraction(0)
        if abs(value.imag) > 1e-40 * (abs(value) + 1):
            return None
        sign, mantissa, exponent, _ = value.real._mpf_
        if abs(exponent) > 1e5:
            raise TooLarge("a value")
        return Fraction(-int(mantissa) if sign else int(mantissa)) * Fraction(2) ** int(exponent)


def in_floats(node: Node, point: dict[str, complex]) -> Value:
    """Evaluate in floating point.

    Raises:
        OverflowError, ZeroDivisionError, ValueError: no float stands for it.
    """
    notes = Notes()
    value = complex(evaluate(node, point, FLOATS, notes))
    if not cmath.isfinite(value):
        raise OverflowError
    return Value(value, notes.largest, notes.strayed and not _imaginary(node))


def high_precision(node: Node, point: dict[str, complex], digits: int = DIGITS[0]) -> Value:
    """Evaluate with many digits.

    Raises:
        TooLarge: a cap is passed. ArithmeticError, ValueError: it has no value.
    """
    context = _precise(digits)
    notes = Notes(careful=digits == DIGITS[0])
    value = context.mpc(
        evaluate(node, {name: context.mpmathify(x) for name, x in point.items()}, context, notes)
    )
    return Value(value, notes.largest, notes.strayed)


def equal_in_digits(one: Node, two: Node, point: dict[str, complex]) -> bool:
    """Whether two formulas agree at a point to nearly all digits, less those that cancel.

    Raises:
        TooLarge: a cap is passed. ArithmeticError: one has no value there.
    """
    size, noise = 0.0, 0.0
    for digits in DIGITS:
        try:
            a, b = high_precision(one, point, digits), high_precision(two, point, digits)
        except ValueError as error:
            raise ArithmeticError(str(error)) from error
        size, last_place = max(abs(a.value), abs(b.value)), _precise(digits).mpf(10) ** (8 - digits)
        noise = max(a.largest, b.largest) * last_place
        if abs(a.value - b.value) > max(size * last_place, noise):
            return False
    if noise > size * 1e-30 and noise > 1e-60:
        raise TooLarge("a cancellation")
    return True


@lru_cache(maxsize=1024)
def _imaginary(node: Node) -> bool:
    return node == ("const", (), "i") or any(map(_imaginary, node.args))


_thread = threading.local()


def _precise(digits: int) -> Any:
    """Return this thread's own mpmath context: the global one's precision is everybody's."""
    if not hasattr(_thread, "contexts"):
        _thread.contexts = {}
    if digits not in _thread.contexts:
        from mpmath.ctx_mp import MPContext

        context: Any = MPContext()
        context.dps = digits + 5
        _thread.contexts[digits] = context
    return _thread.contexts[digits]
