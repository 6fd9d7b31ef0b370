"""Tier 4, exactly: formulas as elements of a finite field, and rational constants as fractions.

Numbers, names, pi and e are independent elements, powers go by Fermat. Different residues mean
different formulas; equal ones at two points mean equal ones but for a chance of 1e-30
(Schwartz-Zippel). The field is drawn anew in every process, so that no answer can be made to
vanish in it.
"""

import random
from fractions import Fraction
from functools import lru_cache

from .tokens import Node, TooLarge

MAX_BITS = 1 << 13
"""Of an exponent, or of a constant that is worked out exactly."""
MAX_FACTORIAL = 4000

_SECRET = random.SystemRandom()


def _random_prime(bits: int) -> int:
    """Return a random prime; Fermat's test to these bases passes a composite once in 1e20."""
    while True:
        number = _SECRET.getrandbits(bits) | 1 << (bits - 1) | 1
        if all(pow(base, number - 1, number) == 1 for base in (2, 3, 5, 7)):
            return number


PRIME = _random_prime(110)
_SEED = _SECRET.getrandbits(64)


class Irrational(ValueError):
    """No element of the field stands for this formula."""


def names_in(node: Node) -> frozenset[str]:
    """Return the names of the variables of a formula."""
    if node.op == "sym":
        return frozenset([node.value])
    found: frozenset[str] = frozenset().union(*map(names_in, node.args)) if node.args else frozenset()
    return found | {node.value} if node.op == "call" and node.value.endswith("()") else found


@lru_cache(maxsize=4096)
def _residue_of_name(name: str, point: int) -> int:
    return random.Random(f"{_SEED}/{name}/{point}").randrange(2, PRIME)


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
        return residue(args[0], point) * inverse(residue(args[1], point)) % PRIME
    if op == "pow":
        return _power(residue(args[0], point), exponent_of(args[1]))
    if op == "fact" and node.value == 1:
        return _factorial(exponent_of(args[0]))
    if op == "binom":
        return _binomial(exponent_of(args[0]), exponent_of(args[1]))
    if op == "call" and node.value.endswith("()"):  # an unknown function: any that is not linear
        value = sum((i + 1) * residue(arg, point) for i, arg in enumerate(args)) + _residue_of_name(
            node.value, point
        )
        return pow(value, 7, PRIME)
    raise Irrational(op)


def inverse(value: int) -> int:
    """Return 1/value in the field."""
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
    return _factorial(n) * inverse(_factorial(k) * _factorial(n - k) % PRIME) % PRIME


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
