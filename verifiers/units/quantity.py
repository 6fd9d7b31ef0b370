r"""Tier 2: quantities. A value with a unit, converted where the dimensions agree.

`5 km` `5\text{ km/h}` `3 ft 4 in` `12 apples` `15 cm^2` `50 cents`. A unit that only one side shows
is ignored; two different units are not equal; convertible ones are converted. `5 apples` and
`5 red apples` agree, `5 apples` and `5 pears` do not. One bare letter behind a plain number and a
space is a unit (`5 m`, `9.8 m/s^2`); more of them are variables (`2 g h`).
"""

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

from ..text.exact_number import SCALE, read_safely
from .reader import UNIT_CHARS, Unit, pieces_of, read_unit


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value's text and its unit."""

    value: str
    unit: Unit


_SEPARATE = re.compile(
    r", |;|(?<![A-Za-z])(?:and|or)(?![A-Za-z])|[=<>]|\\(?:le|ge|ne|in|cup|to|begin|end)(?![a-z])"
)
_FUNCTION = re.compile(r"sin|cos|tan|sec|csc|cot|[-+*/]\s*[^-+*/]")
_FRACTION_UNIT = re.compile(r" ?\\frac ?\{ ?([^{}]{1,30}) ?\} ?\{ ?([^{}]{1,30}) ?\}$")
_SCALE_WORD = re.compile(
    rf"(?P<number>.*\d) ?(?P<scale>{'|'.join(word for word in SCALE if len(word) > 1)})s?"
    r"(?: (?:of )?(?P<rest>[A-Za-z].*))?$",
    re.IGNORECASE,
)
_VALUE_END = re.compile(r"[\d})%]|\\(?:pi|infty)(?![a-z])")
_DECIMAL = re.compile(r"[-+]?\d[\d,. ]*(?:(?:[eE]| ?(?:\\times|\\cdot|\*) ?10 ?\^ ?\{? ?)[-+]?\d+ ?\}?)?")
_LETTERS = frozenset("m g s h L N J W V A K C".split())
"""Units that may stand behind a number as one bare letter."""
_PAIRS = frozenset([("N", "m"), ("J", "s"), ("N", "s"), ("W", "h"), ("C", "m"), ("V", "m")])


@lru_cache(maxsize=4096)
def split_unit(text: str) -> Quantity | None:
    """Split `15 cm^2` into the value's text and the unit; None if there is no unit."""
    if len(text) > 300 or re.search(r"[A-Za-z$€£¥₹¢'\"]", text) is None:
        return None
    if (found := _money(text) or _several(text)) is not None:
        return found
    if (match := _SCALE_WORD.fullmatch(text)) and match["rest"]:
        inner = split_unit(f"1 {match['rest']}")
        return (
            None
            if inner is None or inner.value != "1"
            else Quantity(f"{match['number']} {match['scale']}", inner.unit)
        )
    if (match := _FRACTION_UNIT.search(text)) and text[: match.start()][-1:] in (*"0123456789})",):
        text = f"{text[: match.start()]} {match[1].strip()}/{match[2].strip()}"
    for end in _VALUE_END.finditer(text, max(len(text) - UNIT_CHARS - 8, 0)):
        if re.match(r"[eE][-+]?\d", text[end.end() :]):
            continue  # 1.2e3
        pieces = pieces_of(text[end.end() :])
        if pieces is not None:  # the first place is where the whole unit starts
            return _split_at(text[: end.end()], text[end.end() :], pieces)
    return None


def _split_at(value: str, behind: str, pieces: list[re.Match[str]]) -> Quantity | None:
    if _SEPARATE.search(value) or (behind.lstrip().startswith("^") and _FUNCTION.search(value.lstrip("-+ "))):
        return None
    words, gap = [piece["word"] for piece in pieces], behind[0] == " "
    plain = read_safely(value) is not None
    if all(len(word) == 1 and word.isalpha() for word in words):
        joined = len(pieces) == 1 or (
            len(pieces) == 2
            and ("/" in pieces[1]["join"] or "-" in pieces[1]["power"] or tuple(words) in _PAIRS)
        )
        apart = gap or "," in value
        if not (apart and joined and set(words) <= _LETTERS and _DECIMAL.fullmatch(value)):
            return None
    made = read_unit(behind.strip())
    if (
        made is None
        or (made.nouns and not (plain and gap and (len(words[0]) > 2 or words[0] == "of" or made.dimensions)))
        or (words == ["in"] and not plain)
    ):
        return None
    if pieces[0]["join"].strip() == "/" and _money(value) is None:
        return None
    return _with_currency(Quantity(value, made))


def _with_currency(quantity: Quantity) -> Quantity:
    """Read `$5 per hour`: the sign before the number belongs to the unit."""
    money = _money(quantity.value)
    if money is None:
        return quantity
    unit, dimensions = quantity.unit, dict(quantity.unit.dimensions)
    for name, count in money.unit.dimensions:
        dimensions[name] = dimensions.get(name, 0) + count
    merged = tuple(sorted((name, count) for name, count in dimensions.items() if count))
    if quantity.unit.dimensions == money.unit.dimensions:  # `$5 dollars`
        return Quantity(money.value, unit)
    return Quantity(money.value, replace(unit, dimensions=merged, factor=unit.factor * money.unit.factor))


def _money(text: str) -> Quantity | None:
    if not re.match(r"[-+]?[^\W\d_]{0,3}[.$€£¥₹₩₽]? ?\d", text) or text[:1].isdigit():
        return None
    number = read_safely(text)
    if number is None or not number.currency:
        return None
    unit = read_unit(number.currency)
    return None if unit is None else Quantity(re.sub(r"[^-+\d.,/ A-Za-z]|US|Rs\.?", "", text).strip(), unit)


_PARTS = re.compile(r"(\d[\d.,]*(?: ?/ ?\d+)?) ?(\^\\circ|'|\"|[A-Za-z]+)\.?(?:,? and |, | |(?=\d)|$)")


def _several(text: str) -> Quantity | None:
    """Read `3 ft 4 in`, `5'10"`, `2 hours and 30 minutes`: one dimension, the larger unit first."""
    found = list(_PARTS.finditer(text))
    if len(found) < 2 or "".join(match.group() for match in found) != text:
        return None
    names = [match[2] for match in found]
    units = [read_unit(_within(names[0]).get(name, name)) for name in names]
    first, total, size = units[0], Fraction(0), None
    for match, unit in zip(found, units, strict=True):
        number = read_safely(match[1])
        if unit is None or first is None or number is None or unit.nouns or not unit.dimensions:
            return None
        if unit.dimensions != first.dimensions or (size is not None and unit.factor >= size):
            return None
        total, size = total + number.value * unit.factor, unit.factor
    assert first is not None
    return Quantity(str(total / first.factor), first)


def _within(largest: str) -> dict[str, str]:
    r"""Return what short names mean behind a larger unit: `\'` is feet, but minutes of arc behind degrees."""
    if largest in ("^\\circ", "degrees", "degree"):
        return {"'": "arcmin", '"': "arcsec", "minutes": "arcmin", "seconds": "arcsec"}
    return {"m": "min"} if largest in ("h", "hr", "hrs", "hour", "hours") else {"'": "ft", '"': "in"}


_ZERO_POINTS = {"K": Fraction(0), "°C": Fraction(27315, 100), "°F": Fraction(45967, 100) * Fraction(5, 9)}


def converted(value: Fraction, unit: Unit, to: Unit) -> Fraction:
    """Return a value in another unit of the same dimensions; temperatures by their zero points."""
    if unit.name in _ZERO_POINTS and to.name in _ZERO_POINTS and unit.dimensions == (("temperature", 1),):
        kelvin = value * unit.factor + _ZERO_POINTS[unit.name]
        return (kelvin - _ZERO_POINTS[to.name]) / to.factor
    return value * unit.factor / to.factor
