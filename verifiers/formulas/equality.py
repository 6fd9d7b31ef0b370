r"""Tier 4, deciding: are two formulas equal as functions of their variables?

In a finite field first (`field.py`), which is exact for rational functions however large their
numbers are. Roots, logarithms and the rest are compared at points in floating point, which
refutes, and then with many digits, which confirms. Points are real where both sides are:
`\sqrt{x^2}` is `|x|`.
"""

import random
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from .finite_field import PRIME, Irrational, inverse, names_in, rational, residue
from .precision import Value, equal_in_digits, high_precision, in_floats
from .tokens import Node, TooLarge


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


_RANGES = (
    (0.4, 2.2), (-2.3, -0.4), (0.1, 0.9), (2.5, 8.0), (-0.9, 0.9), (-9.0, 9.0), (10.0, 40.0), (-40.0, -10.0),
)  # fmt: skip
"""Where variables are drawn from, in turn: a domain may be narrow, and signs matter."""
_FAR = ((300.0, 3000.0), (-30000.0, -3000.0))
"""Also, where a formula may change its form."""
_ON_STEPS = ((-12, 12),) * 6
"""Halves in these bounds also, where a formula has steps: a step is missed by all other points."""
_WHOLE_RANGES = ((1, 12), (2, 40), (-9, 9), (20, 300))
_INTEGER_NAMES = frozenset("n k m j".split())
"""Names that run through integers where a formula has steps."""
_ROUNDS = 3
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
    if any(map(_is_whole, nodes)) or (names <= _INTEGER_NAMES and any(map(_is_pieced, nodes))):
        return [
            {name: complex(rng.randint(*ends)) for name in sorted(names)}
            for ends in _WHOLE_RANGES * 2 * _ROUNDS
        ]
    ranges = (*_FAR, *_RANGES) if any(map(_is_pieced, nodes)) else _RANGES
    on_steps = _ON_STEPS if any(map(_is_stepped, nodes)) else ()

    def drawn(low: float, high: float, name: str) -> complex:
        return rng.uniform(low, high) + (1j * rng.uniform(0.3, 2) if name in complex_names else 0)

    points: list[dict[str, complex]] = []
    for _ in range(_ROUNDS):
        points += [{name: complex(rng.randint(*ends) / 2) for name in sorted(names)} for ends in on_steps]
        points += [{name: drawn(*ends, name) for name in sorted(names)} for ends in ranges]
    return points


_COMPLEX_NAMES = ("z", "w", "z_1", "z_2")


def _has_complex_parts(node: Node) -> bool:
    return (
        node.op == "abs"
        or (node.op == "call" and node.value in ("re", "im", "conj", "arg"))
        or any(map(_has_complex_parts, node.args))
    )


def _equal_at_points(one: Node, two: Node) -> bool:
    points = points_for(one, two)
    met: list[dict[str, complex]] = []
    strayed: list[dict[str, complex]] = []
    for i, point in enumerate(points):
        if i >= len(points) // _ROUNDS and len(met) >= _ENOUGH:
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
    return _confirmed(one, two, met)


_CONFIRMATIONS = 2


def _confirmed(one: Node, two: Node, points: list[dict[str, complex]]) -> bool:
    """Whether two formulas agree with many digits at points, less those where a cap is passed."""
    confirmed, too_large = 0, None
    for point in points:
        try:
            if not equal_in_digits(one, two, point):
                return False
        except TooLarge as error:
            too_large = error
            continue
        confirmed += 1
        if confirmed == _CONFIRMATIONS:
            break
    if not confirmed and too_large is not None:
        raise too_large
    return True


def _is_whole(node: Node) -> bool:
    return (node.op == "call" and node.value in ("gcd", "lcm")) or any(map(_is_whole, node.args))


def _is_pieced(node: Node) -> bool:
    pieced = node.op == "abs" or (node.op == "call" and node.value in ("min", "max", "floor", "ceil", "sign"))
    return pieced or any(map(_is_pieced, node.args))


def _is_stepped(node: Node) -> bool:
    return (node.op == "call" and node.value in ("floor", "ceil")) or any(map(_is_stepped, node.args))


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
        ratios = {residue(one, point) * inverse(residue(two, point)) % PRIME for point in range(3)}
        if len(ratios) > 1 or 0 in ratios:
            return None
        exact = True
    except (Irrational, ZeroDivisionError):
        exact = False
    found = _ratios(one, two, in_floats)
    if not found or any(abs(ratio - found[0]) > 1e-8 * abs(found[0]) for ratio in found):
        return None
    if not exact:
        precise = _ratios(one, two, high_precision, _ENOUGH)
        if not precise or any(abs(ratio - precise[0]) > abs(precise[0]) * 1e-30 for ratio in precise):
            return None
    real = abs(found[0].imag) < 1e-9 * abs(found[0])
    return (1 if found[0].real > 0 else -1) if real and found[0] else None


def _ratios(
    one: Node, two: Node, evaluate: Callable[..., Value], enough: int = len(_RANGES) * _ROUNDS
) -> list[Any]:
    """Return the quotients of two formulas at points, at least two unless both are constant."""
    found: list[Any] = []
    for point in points_for(one, two):
        try:
            a, b = evaluate(one, point), evaluate(two, point)
            if not (a.strayed or b.strayed or abs(b.value) < 1e-9):
                found.append(a.value / b.value)
        except (ArithmeticError, ValueError):
            continue
        if len(found) == enough:
            break
    return found if len(found) > 1 or not names_in(one) | names_in(two) else []


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
