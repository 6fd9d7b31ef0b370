r"""Values of formulas: fast in floats, and reliable with many digits.

Floats can show that two formulas differ. That they are equal is confirmed with 50 and with 150 digits. A
value has what is needed to compare it: the size of the terms that may have cancelled, and whether a real
formula left the reals.
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
"""Two values are equal if they agree in both precisions; the first one refutes most that differ. Formulas
with longer numbers are compared with as many digits more.

The last 8 digits of either are left to rounding errors, hence the 1e-42 for 50 digits."""


@dataclass(slots=True)
class Value:
    """The value of a formula at a point."""

    value: Any
    """A `complex`, or mpmath's."""
    largest: Any
    """The largest term of any sum in the evaluation: after a cancellation, its rounding error remains."""
    left_reals: bool
    """Whether a real formula left the reals during the evaluation."""

    def differs_from(self, other: "Value") -> bool:
        """Return whether two values in floats differ by more than rounding can explain."""
        size = max(abs(self.value), abs(other.value))
        largest = max(self.largest, other.largest)
        return abs(self.value - other.value) > size * 1e-6 + largest * 1e-9

    def as_fraction(self) -> Fraction | None:
        """Return a value with 50 digits as a fraction; None if it is not real.

        Raises:
            TooLarge: so much cancelled that the value is uncertain, or its exponent is huge.
        """
        value, noise = self.value, self.largest * 1e-42
        if noise > abs(value) * 1e-15 and noise > 1e-20:
            raise TooLarge("a cancellation")
        if abs(value) <= noise:
            return Fraction(0)
        if abs(value.imag) > 1e-40 * (abs(value) + 1):
            return None
        sign, mantissa, exponent, _ = value.real._mpf_  # mpmath: (-1)^sign * mantissa * 2^exponent
        if abs(exponent) > 1e5:
            raise TooLarge("a constant")
        return Fraction(-int(mantissa) if sign else int(mantissa)) * Fraction(2) ** int(exponent)


def in_floats(node: Node, point: dict[str, complex]) -> Value:
    """Evaluate a formula in floats.

    Raises:
        OverflowError, ZeroDivisionError, ValueError: it has no value there that a float can hold.
    """
    notes = Notes()
    value = complex(evaluate(node, point, FLOATS, notes))
    if not cmath.isfinite(value):
        raise OverflowError
    return Value(value, notes.largest, notes.left_reals and not _has_i(node))


def high_precision(node: Node, point: dict[str, complex], digits: int = DIGITS[0]) -> Value:
    """Evaluate a formula with many digits.

    Raises:
        TooLarge: a limit is exceeded.
        ArithmeticError, ValueError: the formula has no value there.
    """
    context = _context(digits)
    notes = Notes(careful=digits == DIGITS[0])  # 50 digits come first, so 150 need not be checked again
    precise_point = {name: context.mpmathify(value) for name, value in point.items()}
    value = context.mpc(evaluate(node, precise_point, context, notes))
    return Value(value, notes.largest, notes.left_reals)


def equal_in_digits(one: Node, two: Node, point: dict[str, complex]) -> bool:
    """Return whether two formulas agree at a point, in all digits that rounding and cancellation leave.

    Raises:
        TooLarge: a limit is exceeded, or so much cancels that the comparison means nothing.
        ArithmeticError: one of them has no value there.
    """
    size, noise = 0.0, 0.0
    longest = max(_longest_numeral(one), _longest_numeral(two))
    for digits in DIGITS if longest < DIGITS[0] else (*DIGITS, DIGITS[-1] + longest):
        try:
            a, b = high_precision(one, point, digits), high_precision(two, point, digits)
        except ValueError as error:
            raise ArithmeticError(str(error)) from error
        size = max(abs(a.value), abs(b.value))
        last_place = _context(digits).mpf(10) ** (8 - digits)
        noise = max(a.largest, b.largest) * last_place
        if abs(a.value - b.value) > max(size * last_place, noise):
            return False
    if noise > size * 1e-30 and noise > 1e-60:
        raise TooLarge("a cancellation")
    return True


@lru_cache(maxsize=1024)
def _longest_numeral(node: Node) -> int:
    """Return about how many digits the longest number in a formula has."""
    if node.op == "num":
        return max(node.value.numerator.bit_length(), node.value.denominator.bit_length()) * 3 // 10
    return max(map(_longest_numeral, node.args), default=0)


@lru_cache(maxsize=1024)
def _has_i(node: Node) -> bool:
    return node == ("const", (), "i") or any(map(_has_i, node.args))


_thread = threading.local()


def _context(digits: int) -> Any:
    """Return this thread's own mpmath context, since all threads share the precision of the global one."""
    if not hasattr(_thread, "contexts"):
        _thread.contexts = {}
    if digits not in _thread.contexts:
        from mpmath.ctx_mp import MPContext

        context: Any = MPContext()
        context.dps = digits + 5
        _thread.contexts[digits] = context
    return _thread.contexts[digits]
