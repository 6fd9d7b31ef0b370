r"""Deciding whether two formulas are equal as functions of their variables.

Rational functions are compared in a finite field (`finite_field.py`), which is exact however large
their numbers are. Roots, logarithms and the like are compared at points: first in floats, which can
refute equality, then with many digits, which confirms it. Points are real, and those at which either formula
leaves the reals are skipped if there are others: `\sqrt{x^2}` is `|x|`.
"""

import random
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any

from .finite_field import PRIME, Irrational, inverse, names_in, rational, residue
from .numeric_values import Value, equal_in_digits, high_precision, in_floats
from .tokens import Node, TooLarge


def equal(one: Node, two: Node) -> bool:
    """Return whether two formulas are equal.

    Raises:
        TooLarge: evaluating them would exceed a limit.
        ArithmeticError: there is no point at which both have a value.
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
"""The ranges from which variables are drawn, in turn: a domain may be narrow, and signs matter."""
_FAR_RANGES = ((300.0, 3000.0), (-30000.0, -3000.0))
"""Further ranges, for formulas such as `|x - 1000|` that may have another form far away."""
_HALVES = ((-12, 12),) * 6
r"""Bounds, in halves, of further points for formulas with steps: `\lfloor x \rfloor` and
`\lceil x \rceil - 1` differ at whole numbers only, which random points miss."""
_WHOLE_RANGES = ((1, 12), (2, 40), (-9, 9), (20, 300))
_INTEGER_NAMES = frozenset("n k m j".split())
r"""Names that stand for integers in a piecewise formula, such as `\lfloor n/2 \rfloor`."""
_COMPLEX_NAMES = ("z", "w", "z_1", "z_2")
"""Names that stand for complex numbers where moduli, conjugates or real parts are taken."""
_ROUNDS = 3
"""How many points are drawn from each range."""
_ENOUGH_POINTS = 3
"""Points that are enough for a comparison, once all ranges have been tried."""


def points_for(*nodes: Node) -> list[dict[str, complex]]:
    """Return the points at which formulas are compared: the same ones every time.

    Variables are real, but whole where a formula is about integers, and `_COMPLEX_NAMES` are complex in
    formulas that take moduli or parts of complex numbers.
    """
    names = frozenset().union(*map(names_in, nodes))
    if not names:
        return [{}]
    rng = random.Random("points")
    complex_names = _COMPLEX_NAMES if _calls_any(nodes, _PARTS_OF_COMPLEX) else ()
    is_pieced = _calls_any(nodes, _PIECEWISE)
    if _calls_any(nodes, _OF_INTEGERS) or (names <= _INTEGER_NAMES and is_pieced):
        return [
            {name: complex(rng.randint(*ends)) for name in sorted(names)}
            for ends in _WHOLE_RANGES * 2 * _ROUNDS
        ]
    ranges = (*_FAR_RANGES, *_RANGES) if is_pieced else _RANGES
    halves = _HALVES if _calls_any(nodes, _STEPS) else ()

    def drawn(low: float, high: float, name: str) -> complex:
        value: complex = rng.uniform(low, high)
        if name in complex_names:
            value += 1j * rng.uniform(0.3, 2)
        return value

    points: list[dict[str, complex]] = []
    for _ in range(_ROUNDS):
        points += [{name: complex(rng.randint(*ends) / 2) for name in sorted(names)} for ends in halves]
        points += [{name: drawn(*ends, name) for name in sorted(names)} for ends in ranges]
    return points


_OF_INTEGERS = frozenset(["gcd", "lcm"])
_STEPS = frozenset(["floor", "ceil"])
_PIECEWISE = _STEPS | {"abs", "min", "max", "sign"}
_PARTS_OF_COMPLEX = frozenset(["abs", "re", "im", "conj", "arg"])


def _calls_any(nodes: Iterable[Node], functions: frozenset[str]) -> bool:
    """Return whether any of the functions is used anywhere in formulas; bars count as `abs`."""
    return any(
        (node.value if node.op == "call" else node.op) in functions or _calls_any(node.args, functions)
        for node in nodes
    )


def _equal_at_points(one: Node, two: Node) -> bool:
    points = points_for(one, two)
    shared: list[dict[str, complex]] = []  # where both have a value, and floats show no difference
    complex_points: list[dict[str, complex]] = []  # where one of them leaves the reals
    for i, point in enumerate(points):
        if i >= len(points) // _ROUNDS and len(shared) >= _ENOUGH_POINTS:
            break
        try:
            a, b = in_floats(one, point), in_floats(two, point)
        except (ZeroDivisionError, ValueError):
            continue
        except OverflowError:
            shared.append(point)  # too large for floats; many digits decide
            continue
        if a.left_reals or b.left_reals:
            complex_points.append(point)
            continue
        if a.differs_from(b):
            return False
        shared.append(point)
    if not shared:  # nowhere real: compare principal values
        shared = complex_points[:_ENOUGH_POINTS]
    if not shared:
        raise ArithmeticError("the formulas have no value at any of the points")
    return _confirmed(one, two, shared)


_CONFIRMATIONS = 2


def _confirmed(one: Node, two: Node, points: list[dict[str, complex]]) -> bool:
    """Return whether two formulas agree in many digits at the first points where that can be evaluated.

    Raises:
        TooLarge: evaluating would exceed a limit at every point.
    """
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


def has_value(node: Node) -> bool:
    """Return whether a formula has a value at any of the points."""
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
    """Return the sign (1 or -1) of `one / two` if that is a real constant other than 0; None if it is not.

    Raises:
        TooLarge: evaluating would exceed a limit.
    """
    try:
        residues = {residue(one, point) * inverse(residue(two, point)) % PRIME for point in range(3)}
        if len(residues) > 1 or 0 in residues:
            return None
        exact = True
    except (Irrational, ZeroDivisionError):
        exact = False
    ratios = _ratios(one, two, in_floats)
    if not ratios or any(abs(ratio - ratios[0]) > 1e-8 * abs(ratios[0]) for ratio in ratios):
        return None
    if not exact:
        precise = _ratios(one, two, high_precision, _ENOUGH_POINTS)
        if not precise or any(abs(ratio - precise[0]) > abs(precise[0]) * 1e-30 for ratio in precise):
            return None
    ratio = ratios[0]
    is_real = abs(ratio.imag) < 1e-9 * abs(ratio)  # false for a ratio of 0
    if not is_real:
        return None
    return 1 if ratio.real > 0 else -1


def has_constant_difference(one: Node, two: Node) -> bool:
    """Return whether `one - two` is the same number at all points where both are real.

    Raises:
        TooLarge: evaluating would exceed a limit.
    """
    difference = Node("add", (one, Node("neg", (two,))))
    values = []
    for point in points_for(difference):
        try:
            value = high_precision(difference, point)
        except (ArithmeticError, ValueError):
            continue
        if not value.left_reals:
            values.append(value.value)
        if len(values) == 2 * _ENOUGH_POINTS:
            break
    if len(values) < _ENOUGH_POINTS:
        return False
    return all(abs(value - values[0]) < 1e-25 * (1 + abs(values[0])) for value in values[1:])


def _ratios(
    one: Node, two: Node, evaluate: Callable[..., Value], enough: int = len(_RANGES) * _ROUNDS
) -> list[Any]:
    """Return the quotients of two formulas at up to `enough` points.

    Unless both are constants, a single quotient proves nothing, so the list is then empty.
    """
    ratios: list[Any] = []
    for point in points_for(one, two):
        try:
            a, b = evaluate(one, point), evaluate(two, point)
            if not (a.left_reals or b.left_reals or abs(b.value) < 1e-9):
                ratios.append(a.value / b.value)
        except (ArithmeticError, ValueError):
            continue
        if len(ratios) == enough:
            break
    return ratios if len(ratios) > 1 or not names_in(one) | names_in(two) else []


def real_constant(node: Node) -> Fraction | None:
    """Return the value of a real constant, exactly if it is rational, else to about 50 digits.

    None for a formula with variables, and for one that is not real or has no value.

    Raises:
        TooLarge: evaluating would exceed a limit.
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
