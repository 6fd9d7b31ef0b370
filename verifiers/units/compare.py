"""The `quantity` tier: comparing values with units, converted if their dimensions agree.

If only one side has a unit, it is ignored. Values whose units cannot be converted into each other are not
equal (`units_differ`). Splitting a text into value and unit is in `quantity.py`.
"""

import re

from ..formulas.finite_field import names_in
from ..formulas.parser import parse
from ..formulas.tokens import TooLarge, Unreadable
from ..policy import Judge
from ..text.compare_numbers import same_number
from ..text.exact_number import Number, read_safely
from ..verdict import Reason, Verdict, equal_or_different
from .quantity import Quantity, converted, split_unit
from .reader import Unit
from .table import UNITS

_RELATION = re.compile(r"[=<>]|\\(?:approx|le|ge|ne|in|equiv)(?![a-z])")
_QUOTIENT = re.compile(r"\d / ?[A-Za-z]")
_ANGLE, _RADIAN = (("angle", 1),), (("radian", 1),)


def compare(reference: str, answer: str, judge: Judge) -> Verdict | None:
    """Compare two texts if at least one has a unit; return None if neither has."""
    target, given = split_unit(reference), split_unit(answer)
    if target is None and given is None:
        return None
    if target is None or given is None:
        target, given = _with_letters(reference, answer, target, given)
    if target is not None and given is not None:
        return _both_have_units(target, given, judge)
    if target is not None:
        if _is_product(reference, target, answer):
            return None
        return _one_has_a_unit(target, answer, judge, flipped=False)
    assert given is not None
    if _is_product(answer, given, reference):
        return None
    return _one_has_a_unit(given, reference, judge, flipped=True)


def _with_letters(
    reference: str, answer: str, target: Quantity | None, given: Quantity | None
) -> tuple[Quantity | None, Quantity | None]:
    """Read bare letters on one side, `0.25 M`, as a unit if the other side has a unit of the same kind."""
    known, text = (target, answer) if given is None else (given, reference)
    found = split_unit(text, letters=True)
    if known is None or found is None or found.unit.nouns or not found.unit.agrees_with(known.unit):
        return target, given
    return (target, found) if given is None else (found, given)


def _both_have_units(target: Quantity, given: Quantity, judge: Judge) -> Verdict:
    if {target.unit.dimensions, given.unit.dimensions} == {_ANGLE, _RADIAN}:
        return judge(_in_radians(target), _in_radians(given))
    if not target.unit.agrees_with(given.unit):
        return Verdict(False, Reason.UNITS_DIFFER)
    if _same_scale(target.unit, given.unit):
        return judge(target.value, given.value)
    expected, number = read_safely(target.value), read_safely(given.value)
    if expected is None or number is None:  # a formula, such as \sqrt{2}
        return judge(target.value, f"({given.value})*({given.unit.factor / target.unit.factor})")
    value = converted(number.value, given.unit, target.unit)
    number = Number(value, number.decimals, digits=number.digits)
    return equal_or_different(same_number(expected, number, judge.policy.decimals))


def _is_product(text: str, quantity: Quantity, other: str) -> bool:
    """Return whether the letters of a unit are variables of the other side: `2 m` against `m + m`."""
    try:
        names = names_in(parse(other))
    except (Unreadable, TooLarge):
        return False
    unit = text[len(quantity.value) :]
    letters = re.findall("[A-Za-z]", unit)
    return bool(names & set(letters)) and (unit[0] != " " or len(letters) == 1)


def _same_scale(one: Unit, two: Unit) -> bool:
    """Return whether values in two units that agree can be compared as they are."""
    if one.generic or two.generic:
        return True
    if {one.name, two.name} == {"pound", "£"}:
        return True  # `pound` is in the table as a mass, but may be money
    if one.name != two.name and one.dimensions == (("temperature", 1),):
        return False  # kelvin and degrees Celsius have the same factor, but different zero points
    return one.factor == two.factor


def _one_has_a_unit(quantity: Quantity, other: str, judge: Judge, *, flipped: bool) -> Verdict | None:
    """Compare a quantity with a text without a unit, ignoring the unit as far as that is safe.

    `flipped` says that the quantity is the answer.
    """
    if _RELATION.search(other):
        return (
            None  # `d = 24 mm` against `24 cm`: its value may have a unit, which the `structure` tier finds
        )
    if _QUOTIENT.search(other):
        return Verdict(False, Reason.UNITS_DIFFER)  # `14 /mm`
    value = quantity.value
    letter = _letter(quantity)
    if letter and re.search(rf"[ }})]{letter}$", other):
        other = other[:-1].rstrip()  # `\sqrt{2} m`, which `split_unit` reads as a product
    else:
        number = read_safely(other)
        has_percent = "%" in other and "%" not in value
        if has_percent or (number is not None and number.currency):
            return Verdict(False, Reason.UNITS_DIFFER)
    if quantity.unit.dimensions == _ANGLE and "pi" in other:
        value = _in_radians(quantity)
    elif quantity.unit.nouns and re.search(r"[A-Za-z]", other) and not re.search(r"[\d\\]", other):
        return None  # `5 apples` against `none`: other tiers compare words
    return judge(other, value) if flipped else judge(value, other)


def _letter(quantity: Quantity) -> str:
    """Return the unit if it is a single letter to the power of one, else an empty string."""
    unit = quantity.unit
    name = unit.name
    is_letter = len(name) == 1 and name.isalpha() and unit.dimensions == UNITS[name][1] and not unit.nouns
    return name if is_letter else ""


def _in_radians(quantity: Quantity) -> str:
    r"""Return an angle in radians as a formula: `(90)\pi/180*(1)` for 90 degrees."""
    if quantity.unit.dimensions == _RADIAN:
        return f"({quantity.value})"
    return rf"({quantity.value})\pi/180*({quantity.unit.factor})"
