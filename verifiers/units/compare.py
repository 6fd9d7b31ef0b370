"""Tier 2, deciding: values with units. What `units.py` reads is compared here."""

import re
from fractions import Fraction

from ..formulas.finite_field import names_in
from ..formulas.parser import parse
from ..formulas.tokens import TooLarge, Unreadable
from ..text.exact_number import Number, read_safely, same_number
from ..verdict import Judge, Reason, Verdict, said
from .quantity import Quantity, converted, split_unit
from .reader import Unit
from .table import UNITS

_ANGLE, _RADIAN = (("angle", 1),), (("radian", 1),)


def compare(reference: str, answer: str, judge: Judge) -> Verdict | None:
    """Compare where at least one side has a unit; None where none has."""
    target, given = split_unit(reference), split_unit(answer)
    if target is None and given is None:
        return None
    if target is None:
        assert given is not None
        return (
            None
            if _is_product(answer, given, reference)
            else _one_sided(given, reference, judge, flipped=True)
        )
    if given is None:
        return (
            None
            if _is_product(reference, target, answer)
            else _one_sided(target, answer, judge, flipped=False)
        )
    if _ANGLE in (target.unit.dimensions, given.unit.dimensions) and _RADIAN in (
        target.unit.dimensions,
        given.unit.dimensions,
    ):
        return judge(_in_radians(target), _in_radians(given))
    if not target.unit.agrees_with(given.unit):
        return Verdict(False, Reason.UNITS_DIFFER)
    if _same_scale(target.unit, given.unit):
        return judge(target.value, given.value)
    one, two = read_safely(target.value), read_safely(given.value)
    if one is None or two is None:
        return judge(target.value, f"({given.value})*({given.unit.factor / target.unit.factor})")
    value = converted(two.value, given.unit, target.unit)
    return said(same_number(one, Number(value, two.decimals, digits=two.digits)))


def _is_product(text: str, quantity: Quantity, other: str) -> bool:
    """Whether a unit's letters are variables, since they are in the other side: `2 m` against `m + m`."""
    try:
        names = names_in(parse(other))
    except (Unreadable, TooLarge):
        return False
    unit = text[len(quantity.value) :]
    letters = re.findall("[A-Za-z]", unit)
    return bool(names & set(letters)) and (unit[0] != " " or len(letters) == 1)


def _same_scale(one: Unit, two: Unit) -> bool:
    temperatures = one.name != two.name and one.dimensions == (("temperature", 1),)
    return (
        (one.factor == two.factor and not temperatures)
        or bool(one.generic or two.generic)
        or {one.name, two.name} == {"pound", "£"}
    )


def _one_sided(quantity: Quantity, other: str, judge: Judge, *, flipped: bool) -> Verdict | None:
    """Ignore a unit that only one side shows; degrees against no plain number are an angle."""
    value = quantity.value
    if (letter := _letter(quantity)) and re.search(rf"[ }})]{letter}$", other):  # \sqrt{2} m
        other = other[:-1].rstrip()
    elif ("%" in other and "%" not in value) or (read_safely(other) or Number(Fraction(0))).currency:
        return Verdict(False, Reason.UNITS_DIFFER)
    if quantity.unit.dimensions == _ANGLE and "pi" in other:
        value = _in_radians(quantity)
    elif quantity.unit.nouns and re.search(r"[A-Za-z]", other) and not re.search(r"[\d\\]", other):
        return None  # words against words: `5 apples` and `none`
    return judge(other, value) if flipped else judge(value, other)


def _letter(quantity: Quantity) -> str:
    """Return a unit's letter if it is one letter and nothing else."""
    name, unit = quantity.unit.name, quantity.unit
    alone = len(name) == 1 and name.isalpha() and unit.dimensions == UNITS[name][1] and not unit.nouns
    return name if alone else ""


def _in_radians(quantity: Quantity) -> str:
    if quantity.unit.dimensions == _RADIAN:
        return f"({quantity.value})"
    return rf"({quantity.value})\pi/180*({quantity.unit.factor})"
