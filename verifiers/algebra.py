r"""Tier 4, deciding: are two formulas equal as functions of their variables?

First in a finite field: numbers, names, pi and e as independent elements, powers by Fermat. That is
exact for rational functions however large their numbers are: different residues mean different
formulas, and equal ones at two points mean equal ones but for a chance of 1e-17 (Schwartz-Zippel).
Roots, logarithms and the rest are compared at points in floating point, which refutes, and then
with 50 digits, which confirms. Points are real where both sides are: `\sqrt{x^2}` is `|x|`.
"""

import random
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache

from .expression import Node, TooLarge
from .numeric import equal_in_digits, high_precision, in_floats

PRIME = (1 << 89) - 1
MAX_BITS = 1 << 13
"""Of an exponent, or of a constant that is worked out exactly."""
MAX_FACTORIAL = 20_000


class Irrational(ValueError):
    """No element of the field stands for this formula."""


def names_in(node: Node) -> frozenset[str]:
    """Return the names of the variables of a formula."""
    if node.op == "sym":
        return frozenset([node.value])
    found: frozenset[str] = frozenset().union(*map(names_in, node.args)) if node.args else frozenset()
    return found | {node.value} if node.op == "call" and node.value.endswith("()") else found


def equal(one: Node, two: Node) -> bool:
    """Say whether two formulas are equal.

    Raises:
        TooLarge: evaluating would pass a cap. ArithmeticError: neither has a value anywhere.
    """
    if one == two:
        return True
    try:
        return all(residue(one, point) == residue(two, point) for point in range(2))
    except (Irrational, ZeroDivisionError):
        return _equal_at_points(one, two)


@lru_cache(maxsize=4096)
def _residue_of_name(name: str, point: int) -> int:
    return random.Random(f"{name}/{point}").randrange(2, PRIME)


def residue(node: Node, point: int) -> int:
    """Return a formula's value in the field of PRIME elements, at the point-th choice of its names.

    Raises:
        Irrational: it has roots, functions or the like. TooLarge: an exponent is.
    """
    op, args = node.op, node.args
    if op == "num":
        return node.value.numerator * pow(node.value.denominator, -1, PRIME) % PRIME
    if op == "sym" or (op == "const" and node.value in ("pi", "e")):
        return _residue_of_name(f"{op} {node.value}", point)
    if op == "add":
        return sum(residue(arg, point) for arg in args) % PRIME
    if op == "neg":
        return -residue(args[0], point) % PRIME
    if op == "mul":
        product = 1
        for arg in args:
            product = product * residue(arg, point) % PRIME
        return product
    if op == "div":
        return residue(args[0], point) * _inverse(residue(args[1], point)) % PRIME
    if op == "pow":
        return _power(residue(args[0], point), exponent_of(args[1]))
    if op == "fact" and node.value == 1:
        return _factorial(exponent_of(args[0]))
    if op == "binom":
        return _binomial(exponent_of(args[0]), exponent_of(args[1]))
    if op == "call" and node.value.endswith("()"):  # an unknown function: any that is not linear
        value = sum((i + 1) * residue(arg, point) for i, arg in enumerate(args)) + _residue_of_name(node.value, 0)
        return pow(value, 7, PRIME)
    raise Irrational(op)


def _inverse(value: int) -> int:
    if value == 0:
        raise ZeroDivisionError
    return pow(value, -1, PRIME)


def _power(base: int, exponent: int) -> int:
    if base == 0:
        if exponent < 0:
            raise ZeroDivisionError
        return int(exponent == 0)
    return pow(base, exponent % (PRIME - 1), PRIME)


@lru_cache(maxsize=256)
def _factorial(n: int) -> int:
    if not 0 <= n <= MAX_FACTORIAL:
        raise Irrational("factorial")
    product = 1
    for factor in range(2, n + 1):
        product = product * factor % PRIME
    return product


def _binomial(n: int, k: int) -> int:
    if not 0 <= k <= n:
        raise Irrational("binomial")
    return _factorial(n) * _inverse(_factorial(k) * _factorial(n - k) % PRIME) % PRIME


def exponent_of(node: Node) -> int:
    """Return a whole constant.

    Raises:
        Irrational: it is none. TooLarge: it is over MAX_BITS.
    """
    value = rational(node)
    if value.denominator != 1:
        raise Irrational("a broken exponent")
    return value.numerator


def rational(node: Node) -> Fraction:
    """Return a rational constant exactly.

    Raises:
        Irrational: it is none. TooLarge: it is over MAX_BITS. ZeroDivisionError: as it says.
    """
    op, args = node.op, node.args
    if op == "num":
        return node.value
    if op == "neg":
        return -rational(args[0])
    if op in ("add", "mul"):
        total = rational(args[0])
        for arg in args[1:]:
            total = _sized(total + rational(arg) if op == "add" else total * rational(arg))
        return total
    if op == "div":
        return rational(args[0]) / rational(args[1])
    if op == "pow":
        base, exponent = rational(args[0]), exponent_of(args[1])
        bits = max(base.numerator.bit_length(), base.denominator.bit_length())
        if bits > 1 and bits * abs(exponent) > MAX_BITS:
            raise TooLarge("a power")
        return base**exponent
    if op == "fact" and node.value == 1 and 0 <= (n := exponent_of(args[0])) <= 500:
        return _sized(Fraction(_product(1, n)))
    if op == "binom":
        n, k = exponent_of(args[0]), exponent_of(args[1])
        if 0 <= k <= n <= 1000:
            return _sized(Fraction(_product(n - k + 1, n), _product(1, k)))
    raise Irrational(op)


def _product(first: int, last: int) -> int:
    product = 1
    for factor in range(first, last + 1):
        product *= factor
    return product


def _sized(value: Fraction) -> Fraction:
    if value.numerator.bit_length() > MAX_BITS or value.denominator.bit_length() > MAX_BITS:
        raise TooLarge("a constant")
    return value


_RANGES = ((0.4, 2.2), (-2.3, -0.4), (0.1, 0.9), (2.5, 8.0), (-0.9, 0.9), (-9.0, 9.0), (10.0, 40.0), (-40.0, -10.0))
"""Where variables are drawn from, in turn: a domain may be narrow, and signs matter."""
_ENOUGH = 3
"""Points that must be met; all ranges are tried once in any case."""


def points_for(*nodes: Node) -> list[dict[str, complex]]:
    """Return points at which formulas are compared; the same ones every time.

    Variables are real, but for z and w where moduli or parts of complex numbers are taken.
    """
    names = frozenset().union(*map(names_in, nodes))
    if not names:
        return [{}]
    rng = random.Random("points")
    complex_names = _COMPLEX_NAMES if any(map(_has_complex_parts, nodes)) else ()
    return [
        {name: rng.uniform(*bounds) + (1j * rng.uniform(0.3, 2) if name in complex_names else 0) for name in sorted(names)}
        for bounds in _RANGES * 3
    ]


_COMPLEX_NAMES = ("z", "w", "z_1", "z_2")


def _has_complex_parts(node: Node) -> bool:
    return node.op == "abs" or (node.op == "call" and node.value in ("re", "im", "conj", "arg")) or any(map(_has_complex_parts, node.args))


def _equal_at_points(one: Node, two: Node) -> bool:
    points = points_for(one, two)
    met: list[dict[str, complex]] = []
    strayed: list[dict[str, complex]] = []
    for i, point in enumerate(points):
        if i >= len(_RANGES) and len(met) >= _ENOUGH:
            break
        try:
            a, b = in_floats(one, point), in_floats(two, point)
        except (ZeroDivisionError, ValueError):
            continue
        except OverflowError:
            met.append(point)  # left to the 50 digits
            continue
        if a.strayed or b.strayed:
            strayed.append(point)
            continue
        if a.differs_from(b):
            return False
        met.append(point)
    if not met:  # nowhere real: principal values
        met = strayed[:_ENOUGH]
    if not met:
        raise ArithmeticError("no value at any point")
    return all(equal_in_digits(one, two, point) for point in met[:: max(len(met) - 1, 1)])


def has_value(node: Node) -> bool:
    """Whether a formula has a value at any of the points."""
    for point in points_for(node):
        try:
            in_floats(node, point)
        except OverflowError:
            return True
        except (ArithmeticError, ValueError):
            continue
        return True
    return False


def constant_ratio(one: Node, two: Node) -> int | None:
    """Say whether one formula is a constant multiple of the other: the sign of the factor, or None.

    Raises:
        TooLarge: evaluating would pass a cap.
    """
    try:
        ratios = {residue(one, point) * _inverse(residue(two, point)) % PRIME for point in range(3)}
        if len(ratios) > 1 or 0 in ratios:
            return None
    except (Irrational, ZeroDivisionError):
        pass
    ratio = _float_ratio(one, two)
    return None if ratio is None else (1 if ratio > 0 else -1)


def _float_ratio(one: Node, two: Node) -> float | None:
    ratios: list[complex] = []
    for point in points_for(one, two):
        try:
            a, b = in_floats(one, point), in_floats(two, point)
            if a.strayed or b.strayed or abs(b.value) < 1e-9:
                continue
            ratios.append(a.value / b.value)
        except (ArithmeticError, ValueError):
            continue
    if not ratios or (len(ratios) < 2 and names_in(one) | names_in(two)):
        return None
    if any(abs(ratio - ratios[0]) > 1e-8 * abs(ratios[0]) for ratio in ratios):
        return None
    return ratios[0].real if abs(ratios[0].imag) < 1e-9 * abs(ratios[0]) and ratios[0] else None


def real_constant(node: Node) -> Fraction | None:
    """Return a real constant to 50 digits; None for what has variables or is not real.

    Raises:
        TooLarge: evaluating would pass a cap.
    """
    if names_in(node):
        return None
    try:
        return rational(node)
    except (Irrational, ZeroDivisionError):
        pass
    try:
        return high_precision(node, {}).as_fraction()
    except (ArithmeticError, ValueError):
        return None
