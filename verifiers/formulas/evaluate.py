r"""Evaluating a formula at a point, in floats or in one of mpmath's contexts.

Values are complex. If a real formula leaves the reals (by a root or logarithm of a negative number), the
notes record it; odd roots of negative numbers are real. Limits are checked before every step that could take
unbounded time or memory, and before every step whose result could lose a term below the working precision.
"""

import cmath
import math
from typing import Any

from .tokens import Node, TooLarge

MAX_EXPONENT_BITS = 1e6
"""Largest power, in bits, and largest argument of `exp`, when values have many digits."""
MAX_ANGLE = 1e60
"""Largest argument of a trigonometric function, and of all others without a limit of their own."""
MAX_FLOAT_ANGLE = 1e12
"""The same for trigonometric functions in floats, which hold such an angle only to about 1e-4."""
MAX_FACTORIAL = 1e9
MAX_DOUBLE_FACTORIAL = 300
MAX_GAMMA = 1e4
MAX_HYPERBOLIC = 150
MAX_DEGREE = 1000
"""Largest degree of a root."""
WIDEST = 1e140
"""Largest quotient of two terms of a sum: a smaller term would be lost in 150 digits."""
SMALLEST = 1e-60
"""Smallest argument or exponent other than 0: the cosine of a smaller one, say, would be 1 in all digits.
A value that should be 0, but was rounded, is about 1e-55, and passes."""


class Notes:
    """What one evaluation records besides its value."""

    __slots__ = ("careful", "largest", "left_reals")

    def __init__(self, *, careful: bool = False) -> None:
        self.largest: Any = 0.0
        """The largest term of any sum."""
        self.left_reals = False
        """Whether a real formula left the reals."""
        self.careful = careful
        """Whether to refuse steps that could lose a term below the working precision."""


class _Floats:
    """The part of mpmath's interface that `evaluate` needs, for floats."""

    pi, e, j = math.pi, math.e, 1j
    sin, cos, tan = cmath.sin, cmath.cos, cmath.tan
    sinh, cosh, tanh = cmath.sinh, cmath.cosh, cmath.tanh
    asin, acos, atan = cmath.asin, cmath.acos, cmath.atan
    asinh, acosh, atanh = cmath.asinh, cmath.acosh, cmath.atanh
    ln, exp, sqrt = cmath.log, cmath.exp, cmath.sqrt
    mpf = staticmethod(float)
    arg = staticmethod(cmath.phase)

    @staticmethod
    def gamma(x: complex) -> float:
        return math.gamma(x.real)


FLOATS: Any = _Floats()

_TRIGONOMETRIC = frozenset("sin cos tan sec csc cot".split())
_RECIPROCALS = {"sec": "cos", "csc": "sin", "cot": "tan", "coth": "tanh"}


def evaluate(node: Node, point: dict[str, Any], lib: Any, notes: Notes) -> Any:
    """Return a formula's value at a point, which gives a value to every name in it.

    `lib` computes the functions: `FLOATS`, or one of mpmath's contexts. `notes` is filled in.

    Raises:
        TooLarge: a limit is exceeded.
        ArithmeticError, ValueError: the formula has no value there.
    """
    op, args = node.op, node.args
    if op == "num":
        numerator, denominator = node.value.numerator, node.value.denominator
        if lib is FLOATS:
            return numerator / denominator
        return lib.mpf(numerator) / denominator
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
    if node.value.endswith("()"):
        # An unknown function is replaced by an arbitrary one that satisfies no identity, such as
        # f(x + y) = f(x) + f(y). Its name has a value at the point, so that different names differ.
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
        raise TooLarge("a sum of terms too different in size")
    return sum(values[1:], values[0])


def _size(value: Any) -> float:
    try:
        return float(abs(value))
    except OverflowError:
        return math.inf


def _constant(name: str, lib: Any) -> Any:
    if name == "inf":
        raise ValueError("infinity is not a number")
    # Multiplying turns mpmath's lazy constants into numbers.
    return {"pi": lib.pi, "e": lib.e, "i": lib.j}[name] * 1


def _is_real(value: Any) -> bool:
    return (not isinstance(value, complex) and not hasattr(value, "_mpc_")) or value.imag == 0


def _power(base: Any, exponent: Any, node: Node, lib: Any, notes: Notes) -> Any:
    """Return a power; `node` is the exponent's formula, in which an odd root can be recognised."""
    if base == 0:
        if exponent == 0:
            return lib.mpf(1)
        if exponent.real > 0:
            return base
        raise ZeroDivisionError
    if lib is not FLOATS and abs(exponent) * (abs(lib.log(abs(base), 2)) + 1) > MAX_EXPONENT_BITS:
        raise TooLarge("a power")
    if notes.careful and exponent != 0 and abs(exponent) < SMALLEST:
        raise TooLarge("an exponent too close to 0")
    is_whole = _size(exponent) < 1e15 and _is_real(exponent) and exponent.real == int(exponent.real)
    if is_whole and lib is FLOATS and abs(exponent) < 1e6:
        return base ** int(exponent.real)
    if not is_whole and _is_real(base) and base.real < 0:
        odd_root = _odd_root(node)
        if odd_root is not None and _is_real(exponent):
            top, bottom = odd_root
            return (-1) ** top * abs(base) ** (lib.mpf(top) / bottom)
        notes.left_reals = True
        base = base * (1 + 0 * lib.j)  # a complex number, so that the power is complex too
    return base**exponent


def _odd_root(node: Node) -> tuple[int, int] | None:
    """Return (p, q) of a literal exponent p/q with odd q, whose power of a negative number is real."""
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
    """Return a root. A degree that is an `int` was written as a whole number; others were evaluated."""
    if _is_real(value) and value.real < 0:
        if isinstance(degree, int) and degree % 2:
            return -(abs(value) ** (lib.mpf(1) / degree))
        notes.left_reals = True
        value = value * (1 + 0 * lib.j)
    if _size(degree) > MAX_DEGREE:
        raise TooLarge("the degree of a root")
    if isinstance(degree, int) and degree == 2:
        return lib.sqrt(value)
    if value == 0:
        return value
    return value ** (lib.mpf(1) / degree)


def _factorial(value: Any, step: int, lib: Any) -> Any:
    """Return `n!` (step 1), also between whole numbers, or `n!!` (step 2)."""
    if not _is_real(value) or value.real < 0:
        raise ValueError("the factorial of a negative or complex number")
    if value.real > MAX_FACTORIAL:
        raise TooLarge("a factorial")
    n = value.real
    if step == 1:
        return lib.gamma(n + 1)
    if n != int(n) or n > MAX_DOUBLE_FACTORIAL:
        raise TooLarge("a double factorial")
    product = lib.mpf(1)
    for factor in range(int(n), 0, -2):
        product *= factor
    return product


def _call(name: str, values: list[Any], lib: Any, notes: Notes) -> Any:
    x = values[0]
    if lib is not FLOATS:
        _check_argument(name, _size(x), notes)
    elif name in _TRIGONOMETRIC and _size(x) > MAX_FLOAT_ANGLE:
        raise OverflowError
    if name in _RECIPROCALS:
        return 1 / getattr(lib, _RECIPROCALS[name])(x)
    if name in ("ln", "log"):
        if x == 0:
            raise ZeroDivisionError
        if _is_real(x) and x.real < 0:
            notes.left_reals = True
        return lib.ln(x) if name == "ln" else lib.ln(x) / lib.ln(lib.mpf(10))
    if name in ("asin", "acos", "atanh"):
        if _is_real(x) and abs(x) > 1:
            notes.left_reals = True
    elif name == "acosh":
        if _is_real(x) and x.real < 1:
            notes.left_reals = True
    elif name == "acot":
        return lib.pi / 2 - lib.atan(x)
    elif name in ("floor", "ceil", "sign", "re", "im"):
        return _of_real(name, x, lib)
    elif name in _OF_SEVERAL:
        return _of_several(name, values, lib)
    elif name == "cis":
        return lib.cos(x) + lib.j * lib.sin(x)
    elif name == "conj":
        return x.conjugate()
    return getattr(lib, name)(x)


_OF_SEVERAL = ("min", "max", "gcd", "lcm")
_OF_ANY_SIZE = ("ln", "log", "floor", "ceil", "sign", "re", "im", *_OF_SEVERAL, "conj", "arg")
_LARGEST_ARGUMENT = {
    **dict.fromkeys(("sinh", "cosh", "tanh", "coth"), MAX_HYPERBOLIC),
    "gamma": MAX_GAMMA,
    "exp": MAX_EXPONENT_BITS,
}


def _check_argument(name: str, size: float, notes: Notes) -> None:
    """Check that an argument does not take too long, and can be distinguished from 0.

    Raises:
        TooLarge: it takes too long, or cannot be distinguished.
    """
    if name in _OF_ANY_SIZE:
        return
    if size > _LARGEST_ARGUMENT.get(name, MAX_ANGLE) or (notes.careful and 0 < size < SMALLEST):
        raise TooLarge(f"an argument of {name}")


def _of_real(name: str, x: Any, lib: Any) -> Any:
    if name in ("re", "im"):
        return x.real if name == "re" else x.imag
    if not _is_real(x) or _size(x) > 1e15:
        raise ValueError(f"{name} of a number that is complex or too large")
    if name == "sign":
        return lib.mpf((x.real > 0) - (x.real < 0))
    nearest = round(float(x.real))
    tolerance = 1e-12 if lib is FLOATS else 1e-40
    if abs(x.real - nearest) < tolerance:  # a whole number but for rounding
        return lib.mpf(nearest)
    rounded = math.floor if name == "floor" else math.ceil
    return lib.mpf(rounded(x.real))


def _of_several(name: str, values: list[Any], lib: Any) -> Any:
    if not all(map(_is_real, values)):
        raise ValueError(f"{name} of complex numbers")
    reals = [value.real for value in values]
    if name == "min":
        return min(reals)
    if name == "max":
        return max(reals)
    if any(value != int(value) or abs(value) > 1e15 for value in reals):
        raise ValueError(f"{name} of numbers that are not whole, or too large")
    common = math.gcd if name == "gcd" else math.lcm
    return lib.mpf(common(*map(int, reals)))
