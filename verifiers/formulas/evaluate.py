r"""Evaluating a formula at a point, in floats or in any number system that mpmath offers.

Values are complex. Where a real formula leaves the reals (the root or logarithm of a negative
number) the notes say so, and odd roots of negative numbers are the real ones. Caps stand before
every step that could grow, and before every step that could hide a term behind the digits.
"""

import cmath
import math
from typing import Any

from .tokens import Node, TooLarge

MAX_EXPONENT_BITS = 1e6
"""Of a power or an exponential with 50 digits."""
MAX_ANGLE = 1e60
MAX_FACTORIAL = 1e9
MAX_GAMMA = 1e4
WIDEST = 1e140
"""Largest by smallest term of a sum: a wider one hides the small term behind 150 digits."""
SMALLEST = 1e-60
"""Argument or exponent that is not 0: a smaller one hides behind 1. What should be 0 is about 1e-55."""
MAX_HYPERBOLIC = 150
MAX_DEGREE = 1000


class Notes:
    """Mutable notes of one evaluation."""

    __slots__ = ("careful", "largest", "strayed")

    def __init__(self, *, careful: bool = False) -> None:
        self.largest: Any = 0.0
        self.strayed = False
        self.careful = careful
        """Refuse what would hide behind the digits: in the first of the two precisions."""


class _Floats:
    """What `evaluate` needs of a number system, for floats; mpmath's contexts have it already."""

    pi, e, j = math.pi, math.e, 1j
    sin, cos, tan, sinh, cosh, tanh = cmath.sin, cmath.cos, cmath.tan, cmath.sinh, cmath.cosh, cmath.tanh
    asin, acos, atan, asinh, acosh, atanh = (
        cmath.asin,
        cmath.acos,
        cmath.atan,
        cmath.asinh,
        cmath.acosh,
        cmath.atanh,
    )
    ln, exp, sqrt = cmath.log, cmath.exp, cmath.sqrt
    mpf, arg = staticmethod(float), staticmethod(cmath.phase)

    @staticmethod
    def gamma(x: complex) -> float:
        return math.gamma(x.real)


FLOATS: Any = _Floats()

_TRIG = frozenset("sin cos tan sec csc cot".split())
_DERIVED = {"sec": "cos", "csc": "sin", "cot": "tan", "coth": "tanh"}


def evaluate(node: Node, point: dict[str, Any], lib: Any, notes: Notes) -> Any:
    """Return a formula's value at a point in a number system.

    Raises:
        TooLarge: a cap is passed. ArithmeticError, ValueError: it has no value there.
    """
    op, args = node.op, node.args
    if op == "num":
        numerator, denominator = node.value.numerator, node.value.denominator
        return numerator / denominator if lib is FLOATS else lib.mpf(numerator) / denominator
    if op == "sym":
        return point[node.value]
    if op == "const":
        return _constant(node.value, lib)
    values = [evaluate(arg, point, lib, notes) for arg in args]
    if op in ("mul", "neg", "div", "abs", "add"):
        return _arithmetic(op, values, notes)
    if op == "pow":
        return _power(values[0], values[1], args[1], lib, notes)
    if op == "root":
        return _root(values[0], node.value or values[1], lib, notes)
    if op == "fact":
        return _factorial(values[0], node.value, lib)
    if op == "binom":
        top = _factorial(values[0], 1, lib)
        return top / (_factorial(values[1], 1, lib) * _factorial(values[0] - values[1], 1, lib))
    if node.value.endswith("()"):  # an unknown function: any that satisfies no identity
        mixed = sum((value * (i + 1) for i, value in enumerate(values)), point[node.value])
        return lib.sin(mixed * lib.mpf(1.37)) + mixed * mixed * lib.mpf(0.31)
    return _call(node.value, values, lib, notes)


def _arithmetic(op: str, values: list[Any], notes: Notes) -> Any:
    if op == "div":
        return values[0] / values[1]
    if op == "neg":
        return -values[0]
    if op == "abs":
        return abs(values[0])
    if op == "mul":
        product = values[0]
        for value in values[1:]:
            product = product * value
        return product
    sizes = [abs(value) for value in values]
    notes.largest = max(notes.largest, *sizes)
    if notes.careful and max(sizes) > min((size for size in sizes if size), default=1) * WIDEST:
        raise TooLarge("a sum")
    return sum(values[1:], values[0])


def _size(value: Any) -> float:
    try:
        return float(abs(value))
    except OverflowError:
        return math.inf


def _constant(name: str, lib: Any) -> Any:
    if name == "inf":
        raise ValueError("infinity is no number")
    return {"pi": lib.pi, "e": lib.e, "i": lib.j}[name] * 1


def _real(value: Any) -> bool:
    return (not isinstance(value, complex) and not hasattr(value, "_mpc_")) or value.imag == 0


def _power(base: Any, exponent: Any, node: Node, lib: Any, notes: Notes) -> Any:
    if base == 0:
        if exponent == 0:
            return lib.mpf(1)
        if exponent.real > 0:
            return base
        raise ZeroDivisionError
    if lib is not FLOATS and abs(exponent) * (abs(lib.log(abs(base), 2)) + 1) > MAX_EXPONENT_BITS:
        raise TooLarge("a power")
    if notes.careful and exponent != 0 and abs(exponent) < SMALLEST:
        raise TooLarge("an exponent")
    whole = _real(exponent) and exponent.real == int(exponent.real) if _size(exponent) < 1e15 else False
    if whole and lib is FLOATS and abs(exponent) < 1e6:
        return base ** int(exponent.real)
    if not whole and _real(base) and base.real < 0:
        if (odd := _odd_root(node)) is not None and _real(exponent):
            top, bottom = odd
            return (-1) ** top * abs(base) ** (lib.mpf(top) / bottom)
        notes.strayed = True
        base = base * (1 + 0 * lib.j)
    return base**exponent


def _odd_root(node: Node) -> tuple[int, int] | None:
    """Return (p, q) of a literal exponent p/q with odd q: its power of a negative number is real."""
    sign = 1
    while node.op == "neg":
        sign, node = -sign, node.args[0]
    if node.op == "num":
        ratio = node.value
    elif node.op == "div" and node.args[0].op == node.args[1].op == "num" and node.args[1].value:
        ratio = node.args[0].value / node.args[1].value
    else:
        return None
    return (sign * ratio.numerator, ratio.denominator) if ratio.denominator % 2 else None


def _root(value: Any, degree: Any, lib: Any, notes: Notes) -> Any:
    if _real(value) and value.real < 0:
        if isinstance(degree, int) and degree % 2:
            return -(abs(value) ** (lib.mpf(1) / degree))
        notes.strayed = True
        value = value * (1 + 0 * lib.j)
    if _size(degree) > MAX_DEGREE:
        raise TooLarge("a root")
    if isinstance(degree, int) and degree == 2:
        return lib.sqrt(value)
    if value == 0:
        return value
    return value ** (lib.mpf(1) / degree)


def _factorial(value: Any, step: int, lib: Any) -> Any:
    if not _real(value) or value.real < 0 or value.real > MAX_FACTORIAL:
        if _real(value) and value.real > MAX_FACTORIAL:
            raise TooLarge("a factorial")
        raise ValueError("a factorial of what is no natural number")
    n = value.real
    if step == 1:
        return lib.gamma(n + 1)
    if n != int(n) or n > 300:
        raise TooLarge("a double factorial")
    product = lib.mpf(1)
    for factor in range(int(n), 0, -2):
        product *= factor
    return product


def _call(name: str, values: list[Any], lib: Any, notes: Notes) -> Any:
    x = values[0]
    if name in _TRIG and _size(x) > (1e12 if lib is FLOATS else MAX_ANGLE):
        raise OverflowError if lib is FLOATS else TooLarge("an angle")
    if lib is not FLOATS:
        _check_argument(name, _size(x), notes)
    if name in _DERIVED:
        return 1 / getattr(lib, _DERIVED[name])(x)
    if name in ("ln", "log"):
        if x == 0:
            raise ZeroDivisionError
        notes.strayed = notes.strayed or (_real(x) and x.real < 0)
        return lib.ln(x) if name == "ln" else lib.ln(x) / lib.ln(lib.mpf(10))
    if name in ("asin", "acos", "atanh"):
        notes.strayed = notes.strayed or (_real(x) and abs(x) > 1)
    if name == "acosh":
        notes.strayed = notes.strayed or (_real(x) and x.real < 1)
    if name == "acot":
        return lib.pi / 2 - lib.atan(x)
    if name in ("floor", "ceil", "sign", "re", "im"):
        return _of_real(name, x, lib)
    if name in ("min", "max", "gcd", "lcm"):
        return _of_several(name, values, lib)
    if name == "cis":
        return lib.cos(x) + lib.j * lib.sin(x)
    return x.conjugate() if name == "conj" else getattr(lib, name)(x)


_HYPERBOLIC = ("sinh", "cosh", "tanh", "coth")
_OF_ANY_SIZE = ("ln", "log", "floor", "ceil", "sign", "re", "im", "min", "max", "gcd", "lcm", "conj", "arg")


def _check_argument(name: str, size: float, notes: Notes) -> None:
    """Refuse what takes too long, and what comes too near to a limit to be told from it.

    Raises:
        TooLarge: as it says.
    """
    if name in _OF_ANY_SIZE:
        return
    largest = (
        MAX_HYPERBOLIC
        if name in _HYPERBOLIC
        else {"gamma": MAX_GAMMA, "exp": MAX_EXPONENT_BITS}.get(name, MAX_ANGLE)
    )
    if size > largest or (notes.careful and 0 < size < SMALLEST):
        raise TooLarge("an argument")


def _of_real(name: str, x: Any, lib: Any) -> Any:
    if name in ("re", "im"):
        return x.real if name == "re" else x.imag
    if not _real(x) or _size(x) > 1e15:
        raise ValueError(f"{name} of what is not real, or too large")
    if name == "sign":
        return lib.mpf((x.real > 0) - (x.real < 0))
    nearest = round(float(x.real))
    if abs(x.real - nearest) < (1e-12 if lib is FLOATS else 1e-40):  # a whole number that was not hit exactly
        return lib.mpf(nearest)
    return lib.mpf(math.floor(x.real) if name == "floor" else math.ceil(x.real))


def _of_several(name: str, values: list[Any], lib: Any) -> Any:
    if not all(map(_real, values)):
        raise ValueError(f"{name} of what is not real")
    reals = [value.real for value in values]
    if name in ("min", "max"):
        return min(reals) if name == "min" else max(reals)
    if any(value != int(value) or abs(value) > 1e15 for value in reals):
        raise ValueError(f"{name} of what is not whole")
    whole = map(int, reals)
    return lib.mpf(math.gcd(*whole) if name == "gcd" else math.lcm(*whole))
