r"""Tier 2: quantities. A value with a unit, converted where the dimensions agree.

`5 km` `5\text{ km/h}` `3 ft 4 in` `12 apples` `15 cm^2` `50 cents`. A unit that only one side shows
is ignored; two different units are not equal; convertible ones are converted. Words that are no
known unit are nouns: `5 apples` and `5 red apples` agree, `5 apples` and `5 pears` do not.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from .exact_number import DivisionByZero, read_number
from .unit_table import UNITS, Dimensions


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit: a factor to the base units, their dimensions, and nouns that are no unit."""

    factor: Fraction = Fraction(1)
    dimensions: Dimensions = ()
    nouns: frozenset[str] = frozenset()
    generic: bool = False
    """`square units`: fits any unit."""
    name: str = ""

    def agrees_with(self, other: "Unit") -> bool:
        """Whether both measure the same thing, so that values can be converted."""
        if self.generic or other.generic or {self.name.rstrip("s"), other.name} == {"pound", "£"}:
            return True
        return self.dimensions == other.dimensions and (self.nouns <= other.nouns or other.nouns <= self.nouns)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value's text and its unit."""

    value: str
    unit: Unit


_SYNONYMS = {"sq": "square", "cu": "cubic", "cubed": "cubic", "squared": "square", "kgs": "kg", "kms": "km", "cms": "cm",
             "mins": "min", "hrs": "hr", "secs": "sec", "lbs": "lb", "inches": "inch", "feet": "feet"}  # fmt: skip
_GENERIC = ("unit", "units")
_FILLER = frozenset(
    "of the a an in each every total more left away long old tall wide high deep remaining altogether all".split()
)
_CLAIMS = re.compile(
    r"\b(?:not?|or|and|nor|but|if|is|are|was|maybe|never|none|wrong|false|incorrect|isn't|either|than|when|where|for)\b",
    re.IGNORECASE,
)
_WORD = r"(?:\^\\circ(?: ?[CF](?![a-z]))?|[A-Za-z][A-Za-z'’-]*\.?|[$€£¥₹¢]|\\Omega)"
_POWER = r"(?: ?\^ ?\{? ?-?\d ?\}?|(?<=[a-z])[23](?![\d/]))"
_JOIN = r"(?: ?(?:/|\\cdot|\\times|[*])  ?| ?(?:/|\\cdot|\\times|[*]) ?|-(?=[a-z])| )"
_PIECE = re.compile(rf"(?P<join>{_JOIN}?)\(?(?P<word>{_WORD})(?P<power>{_POWER}?)\)?")
_TAIL = re.compile(
    rf"(?P<before>[\d}})%]|\\(?:pi|infty)|illion|ousand|hundred)(?P<gap> ?)(?P<unit>\(?{_WORD}{_POWER}?(?:{_JOIN}\(?{_WORD}{_POWER}?)*\)?)$"
)
_FUNCTION = re.compile(r"sin|cos|tan|sec|csc|cot|[-+*/]")


@lru_cache(maxsize=1024)
def read_unit(text: str) -> Unit | None:
    """Read what stands behind a value; None if it is no unit and no noun."""
    if not text or len(text) > 60 or _CLAIMS.search(text):
        return None
    text = re.sub(r"(?:degrees?|\^\\circ) ?(c|f)(?:elsius|ahrenheit)?\b", lambda m: rf"^\circ {m[1].upper()}", text, flags=re.I)
    factor, powers, nouns, generic = Fraction(1), dict[str, int](), set[str](), False
    sign, wait, last, at = 1, 0, "", 0
    while at < len(text):
        match = _PIECE.match(text, at)
        if match is None or match.end() == at:
            return None
        word, at = match["word"], match.end()
        if word.lower() in ("per", "a") or match["join"].strip() == "/":
            sign = -1
            if word.lower() in ("per", "a"):
                continue
        plain = _SYNONYMS.get(word.lower().rstrip("."), word.lower().rstrip("."))
        if plain in ("square", "cubic"):
            wait = 2 if plain == "square" else 3
            if at >= len(text) and last:  # metres squared
                factor *= UNITS[last][0] ** (wait - 1)
                powers = {name: count * wait for name, count in powers.items()}
            continue
        power = int(re.sub(r"[^-\d]", "", match["power"])) if match["power"] else (wait or 1)
        wait = 0
        known = _known(word)
        if known:
            last = known
            factor *= UNITS[known][0] ** (sign * power)
            for name, count in UNITS[known][1]:
                powers[name] = powers.get(name, 0) + sign * power * count
        elif plain in _GENERIC:
            generic = True
        elif plain not in _FILLER:
            if len(plain) < 2:
                return None
            nouns.add(_singular(plain) if sign == 1 else f"per {_singular(plain)}")
    dimensions = tuple(sorted((name, count) for name, count in powers.items() if count))
    return Unit(factor, dimensions, frozenset(nouns), generic, last)


def _known(word: str) -> str:
    """Return the table's name of a unit, or an empty string."""
    if word.startswith("^\\circ"):
        return {"C": "°C", "F": "°F"}.get(word[-1], "°")
    plain = word.rstrip(".")
    for name in (plain, _SYNONYMS.get(plain.lower(), ""), plain.lower(), _singular(plain.lower())):
        if name in UNITS and (len(name) > 2 or name == plain or plain.lower() in _SYNONYMS):
            return name
    return ""


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word


@lru_cache(maxsize=4096)
def split_unit(text: str) -> Quantity | None:
    """Split `15 cm^2` into the value's text and the unit; None if there is no unit."""
    if len(text) > 300:
        return None
    if (money := _money(text)) is not None or (money := _several(text)) is not None:
        return money
    match = _TAIL.search(text)
    if match is None:
        return None
    value, unit = text[: match.start("unit")].rstrip(), match["unit"].strip("() ") if match["unit"][0] == "(" else match["unit"]
    if unit.startswith("^") and _FUNCTION.search(value):  # an angle inside a formula
        return None
    letter = len(unit) == 1 and unit.isalpha()
    if letter and (unit not in UNITS or not match["gap"]):  # `5m` is algebra, `5 m` is not
        return None
    made = read_unit(unit)
    if made is None or (made.nouns and not (match["gap"] and _takes_noun(value, unit))):
        return None
    return Quantity(value, made)


def _takes_noun(value: str, unit: str) -> bool:
    """Whether unknown words behind a value may be a noun: behind a plain number, and no `xy`."""
    plain = re.fullmatch(r"[-+]?[$€£¥₹]?[\d., _/%]+(?:[mb]illion|thousand|hundred)?|\\frac ?\{\d+\} ?\{\d+\}", value)
    return plain is not None and len(re.findall(r"[A-Za-z]+", unit)[0]) > 2


def _money(text: str) -> Quantity | None:
    if text[-1:].isdigit() and not text[:1].isdigit():
        try:
            number = read_number(text)
        except DivisionByZero:
            return None
        if number is not None and number.currency:
            unit = read_unit(number.currency)
            return None if unit is None else Quantity(re.sub(r"[^-+\d.,/ ]", "", text), unit)
    return None


_PARTS = re.compile(r"(\d[\d.,]*(?: ?/ ?\d+)?) ?(\^\\circ|[A-Za-z]+)\.?(?:,? and |, | |$)")


def _several(text: str) -> Quantity | None:
    """Read `3 ft 4 in`, `2 hours and 30 minutes`: quantities of one dimension, the larger unit first."""
    found = list(_PARTS.finditer(text))
    if len(found) < 2 or "".join(match.group() for match in found) != text:
        return None
    units = [read_unit(match[2]) for match in found]
    first, total, size = units[0], Fraction(0), None
    for match, unit in zip(found, units, strict=True):
        number = read_number(match[1])
        if unit is None or first is None or number is None or unit.nouns or not unit.dimensions:
            return None
        if unit.dimensions != first.dimensions or (size is not None and unit.factor >= size):
            return None
        total, size = total + number.value * unit.factor, unit.factor
    assert first is not None
    value = total / first.factor
    return Quantity(str(value), first)


_ZERO_POINTS = {"K": Fraction(0), "°C": Fraction(27315, 100), "°F": Fraction(45967, 100) * Fraction(5, 9)}


def converted(value: Fraction, unit: Unit, to: Unit) -> Fraction:
    """Return a value in another unit of the same dimensions; temperatures by their zero points."""
    if unit.name in _ZERO_POINTS and to.name in _ZERO_POINTS and unit.dimensions == (("temperature", 1),):
        kelvin = value * unit.factor + _ZERO_POINTS[unit.name]
        return (kelvin - _ZERO_POINTS[to.name]) / to.factor
    return value * unit.factor / to.factor
