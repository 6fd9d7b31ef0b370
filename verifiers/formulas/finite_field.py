"""Exact comparison: rational functions as elements of a finite field, rational constants as fractions.

Numbers are taken modulo a large prime; each name, pi and e become random elements, and exponents are
reduced by Fermat's little theorem. Different residues mean different formulas. Equal residues at two points
mean equal formulas, except for a negligible chance: by the Schwartz-Zippel lemma, at most the degree divided
by PRIME (about 1e33) at each point. The prime is drawn at random in every process, because a policy could add
a multiple of a known one to its answer.
"""

import random
from fractions import Fraction
from functools import lru_cache

from .tokens import Node, TooLarge

MAX_BITS = 1 << 13
"""Largest size, in bits, of an exponent or of a constant that is worked out exactly."""
MAX_FACTORIAL = 4000
"""Largest factorial in the field."""
MAX_EXACT_FACTORIAL = 500
"""Largest factorial as a fraction; 500! has 3,768 bits."""
MAX_EXACT_BINOMIAL = 1000

_SECRET = random.SystemRandom()


def _random_prime(bits: int) -> int:
    """Return a random prime, found by Fermat's test.

    Among numbers of 110 bits, composites that pass this test for all four bases (mostly Carmichael numbers)
    are rarer than one in 1e15 primes.
    """
    while True:
        number = _SECRET.getrandbits(bits) | 1 << (bits - 1) | 1
        if all(pow(base, number - 1, number) == 1 for base in (2, 3, 5, 7)):
            return number


PRIME = _random_prime(110)
_SEED = _SECRET.getrandbits(64)


class Irrational(ValueError):
    """The formula is not a rational function with whole exponents, so the field cannot represent it."""


def names_in(node: Node) -> frozenset[str]:
    """Return the names in a formula: those of its variables, and of unknown functions (`f()`)."""
    if node.op == "sym":
        return frozenset([node.value])
    if not node.args:
        return frozenset()
    names = frozenset[str]().union(*map(names_in, node.args))
    is_unknown_function = node.op == "call" and node.value.endswith("()")
    return names | {node.value} if is_unknown_function else names


@lru_cache(maxsize=4096)
def _residue_of_name(name: str, point: int) -> int:
    return random.Random(f"{_SEED}/{name}/{point}").randrange(2, PRIME)


def residue(node: Node, point: int) -> int:
    """Return a formula's value modulo PRIME.

    Args:
        node: the formula.
        point: any whole number; each gives the names other random values.

    Raises:
        Irrational: it has roots, functions or the like.
        TooLarge: an exponent is too large.
        ZeroDivisionError: a denominator is 0 at this point.
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
    if op == "call" and node.value.endswith("()"):
        # An unknown function is replaced by an arbitrary one that is not linear.
        weighted = sum((i + 1) * residue(arg, point) for i, arg in enumerate(args))
        return pow(weighted + _residue_of_name(node.value, point), 7, PRIME)
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
    """Return the value of a constant that is a whole number.

    Raises:
        Irrational: the formula is not a whole number.
        TooLarge: it has more than MAX_BITS.
    """
    value = rational(node)
    if value.denominator != 1:
        raise Irrational("an exponent that is not whole")
    return value.numerator


def rational(node: Node) -> Fraction:
    """Return the exact value of a rational constant.

    Raises:
        Irrational: the formula is not a rational constant.
        TooLarge: it has more than MAX_BITS.
        ZeroDivisionError: a denominator is 0.
    """
    op, args = node.op, node.args
    if op == "num":
        return node.value
    if op == "neg":
        return -rational(args[0])
    if op in ("add", "mul"):
        total = rational(args[0])
        for arg in args[1:]:
            total = _limited(total + rational(arg) if op == "add" else total * rational(arg))
        return total
    if op == "div":
        return rational(args[0]) / rational(args[1])
    if op == "pow":
        base, exponent = rational(args[0]), exponent_of(args[1])
        bits = max(base.numerator.bit_length(), base.denominator.bit_length())
        if bits > 1 and bits * abs(exponent) > MAX_BITS:
            raise TooLarge("a power")
        return base**exponent
    if op == "fact" and node.value == 1:
        n = exponent_of(args[0])
        if 0 <= n <= MAX_EXACT_FACTORIAL:
            return _limited(Fraction(_product(1, n)))
    if op == "binom":
        n, k = exponent_of(args[0]), exponent_of(args[1])
        if 0 <= k <= n <= MAX_EXACT_BINOMIAL:
            return _limited(Fraction(_product(n - k + 1, n), _product(1, k)))
    raise Irrational(op)


def _product(first: int, last: int) -> int:
    product = 1
    for factor in range(first, last + 1):
        product *= factor
    return product


def _limited(value: Fraction) -> Fraction:
    if value.numerator.bit_length() > MAX_BITS or value.denominator.bit_length() > MAX_BITS:
        raise TooLarge("a constant")
    return value
