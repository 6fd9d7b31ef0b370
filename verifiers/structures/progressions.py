r"""Comparing solutions that repeat, as sets of numbers: `\pm\frac{\pi}{3} + 2k\pi` for all integers.

A formula that is linear in its integer, perhaps with other numbers for odd ones (`(-1)^n a + n\pi`), gives
one or two arithmetic progressions. Each has an offset and a period. Two families are equal if they have the
same offsets within a period that all of their progressions have in common.
"""

from fractions import Fraction
from math import lcm

from ..formulas.free_letters import renamed
from .outline import read_shape
from .real_sets import constant_of

_NEAR = Fraction(1, 10**30)
"""Constants are known to 50 digits."""
MAX_OFFSETS = 720
"""Families with more offsets are not compared here."""
Progression = tuple[Fraction, Fraction]
"""An offset and a period."""


def same_numbers(one: str, two: str, letter: str) -> bool | None:
    r"""Return whether two families give the same numbers, if `letter` runs through all integers.

    None if one of them does not consist of arithmetic progressions.

    >>> same_numbers(r"x = 2k\pi or x = \pi + 2k\pi", r"k\pi", "k")
    True
    """
    families = [_progressions(text, letter) for text in (one, two)]
    if not all(families):
        return None
    unit = abs(families[0][0][1])
    ratios = [
        Fraction(abs(period) / unit).limit_denominator(1000) for family in families for _, period in family
    ]
    periods = [abs(period) for family in families for _, period in family]
    if any(abs(ratio * unit - period) > _NEAR for ratio, period in zip(ratios, periods, strict=True)):
        return False  # such as the periods 1 and \pi
    common = Fraction(lcm(*(ratio.numerator for ratio in ratios)), 1) * unit
    if sum(common / period for period in periods) > MAX_OFFSETS:
        return None
    first, second = (_offsets(family, common) for family in families)
    return first == second


def _progressions(text: str, letter: str) -> list[Progression]:
    """Return the progressions of a formula or of a list of formulas; empty if it has any other part."""
    found: list[Progression] = []
    for formula in _parts(text):
        values = [constant_of(renamed(formula, letter, f"({n})") or "") for n in range(-2, 4)]
        if None in values:
            return []
        for start in (0, 1):  # even and odd integers
            a, b, c = (Fraction(value or 0) for value in values[start::2])
            if a == b or abs(c - b - (b - a)) > _NEAR:
                return []
            found.append((a, b - a))
    return found


def _parts(text: str) -> list[str]:
    r"""Return the formulas of `x = a` or `x = b`; `\pm a` has two."""
    shape = read_shape(text)
    if shape is None:
        return [text]
    if shape.kind == "relation" and set(shape.marks) == {"="}:
        return _parts(shape.items[-1])
    if shape.kind in ("list", "set", "plus_minus"):
        return [part for item in shape.items for part in _parts(item)]
    return [text]


def _offsets(family: list[Progression], common: Fraction) -> set[int]:
    """Return all offsets within a common period, in a unit that is far above the error of constants."""
    scale = 10**20
    found = set()
    for offset, period in family:
        for step in range(round(common / abs(period))):
            found.add(round((offset + step * abs(period)) / common % 1 * scale) % scale)
    return found
