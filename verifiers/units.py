r"""Tier 2: quantities. A value with a unit, converted where the dimensions agree.

`5 km` `5\text{ km/h}` `3 ft 4 in` `12 apples` `15 cm^2` `50 cents`. A unit that only one side shows
is ignored; two different units are not equal; convertible ones are converted. Words that are no
known unit are nouns: `5 apples` and `5 red apples` agree, `5 apples` and `5 pears` do not. Bare
single letters (`5 m`, `2 g h`) may be units or variables: see `Unit.bare`.
"""

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

from .exact_number import SCALE, DivisionByZero, read_number
from .unit_table import UNITS, Dimensions


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit: a factor to the base units, their dimensions, and nouns that are no unit."""

    factor: Fraction = Fraction(1)
    dimensions: Dimensions = ()
    nouns: frozenset[str] = frozenset()
    generic: int = 0
    """`square units` is 2: fits any unit of that power."""
    name: str = ""
    """The last unit's name, for temperatures."""
    bare: bool = False
    """Single letters in plain type, which may be variables too."""

    def agrees_with(self, other: "Unit") -> bool:
        """Whether both measure the same thing, so that values can be converted."""
        if self.generic or other.generic:
            return self._fits(other.generic) if other.generic else other._fits(self.generic)
        if {self.name, other.name} == {"pound", "£"}:
            return True
        return _without_radians(self.dimensions) == _without_radians(other.dimensions) and (
            self.nouns <= other.nouns or other.nouns <= self.nouns
        )

    def _fits(self, power: int) -> bool:
        if self.generic:
            return self.generic == power
        lengths = dict(self.dimensions).get("length", 1)
        return power == 1 or len(self.dimensions) != 1 or lengths == power


def _without_radians(dimensions: Dimensions) -> Dimensions:
    return tuple(pair for pair in dimensions if pair[0] != "radian")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value's text and its unit."""

    value: str
    unit: Unit


_SYNONYMS = {"sq": "square", "cu": "cubic", "cubed": "cubic", "squared": "square", "kgs": "kg", "kms": "km", "cms": "cm",
             "mins": "min", "hrs": "hr", "secs": "sec", "lbs": "lb", "inches": "inch", "feet": "feet", "°": "°"}  # fmt: skip
_LETTERS = frozenset("m g s h L N J W V A K C".split())
"""Units that may stand behind a number as one bare letter."""
_FILLER = frozenset(
    "of the an in each every total more left away long old tall wide high deep remaining altogether all them"
    " different distinct possible".split()
)
_COUNTS = frozenset(
    "hundred thousand million billion trillion lakh crore dozen score half halve third quarter fourth fifth sixth seventh eighth"
    " ninth tenth hundredth thousandth ten mil pair couple double triple twice squared cubed factorial percent percentage pct mille"
    " power root times plus minus over point infinity infinite".split()
)
"""Words that change the value: no unit, no noun."""
_CLAIMS = re.compile(
    r"\b(?:not?|or|and|nor|but|if|is|are|was|maybe|never|none|wrong|false|incorrect|isn't|either|than|when|where|for|otherwise|else|mod"
    r"|remainder|base|to|from|between|with|without|by|so|because|since|iff|unless)\b",
    re.IGNORECASE,
)
_WORD = r"(?:\^\\circ(?: ?[CF](?![a-z]))?|(?:[A-Za-z]|\\mu )?\\Omega|\\mu [A-Za-z]+|\\unit\{[A-Za-z]\}|[A-Za-z][A-Za-z'’-]*\.?|[$€£¥₹¢])"
_POWER = r"(?: ?\^ ?\{? ?-?\d ?\}?|(?<=[a-z])[23](?![\d/]))"
_JOIN = r"(?: ?(?:/|\\cdot|\\times|[*]) ?|-(?=[a-z])| )"
_PIECE = re.compile(rf"(?P<join>{_JOIN}?)\(?(?P<word>{_WORD})(?P<power>{_POWER}?)\)?")
_UNIT = rf"\(?{_WORD}{_POWER}?(?:{_JOIN}\(?{_WORD}{_POWER}?\)?)*\)?"
_TAIL = re.compile(rf"(?P<before>[\d}})%]|\\(?:pi|infty))(?P<gap> ?)(?P<unit>{_UNIT})$")
_DEGREES = re.compile(r"(?:degrees?|\^\\circ) ?(c|f)(?:elsius|ahrenheit)?\b", re.IGNORECASE)


@lru_cache(maxsize=1024)
def read_unit(text: str) -> Unit | None:
    """Read what stands behind a value; None if it is no unit and no noun."""
    if not text or len(text) > 60 or _CLAIMS.search(text):
        return None
    text = _DEGREES.sub(lambda match: rf"^\circ {match[1].upper()}", text)
    factor, powers, nouns, generic = Fraction(1), dict[str, int](), set[str](), 0
    sign, wait, last, at, bare = 1, 0, "", 0, True
    while at < len(text):
        match = _PIECE.match(text, at)
        if match is None or match.end() == at:
            return None
        word, at = match["word"], match.end()
        if word.lower() in ("per", "a") or match["join"].strip() == "/":
            sign, bare = -1, False
            if word.lower() in ("per", "a"):
                continue
        plain = word.lower().rstrip(".")
        plain = _SYNONYMS.get(plain, plain)
        if plain in ("square", "cubic"):
            wait = 2 if plain == "square" else 3
            if at >= len(text) and last:  # metres squared, metres per second squared
                factor *= UNITS[last][0] ** (sign * (wait - 1))
                for name, count in UNITS[last][1]:
                    powers[name] += sign * (wait - 1) * count
                wait = 0
            continue
        power = int(re.sub(r"[^-\d]", "", match["power"])) if match["power"] else (wait or 1)
        wait = 0
        bare = bare and len(word) == 1 and power > 0
        if known := _known(word):
            last = known
            factor *= UNITS[known][0] ** (sign * power)
            for name, count in UNITS[known][1]:
                powers[name] = powers.get(name, 0) + sign * power * count
        elif plain in ("unit", "units"):
            generic = power
        elif plain not in _FILLER:
            if len(plain) < 2 or _singular(plain) in _COUNTS or plain in _COUNTS or power != 1:
                return None
            nouns.add(_singular(plain) if sign == 1 else f"per {_singular(plain)}")
    if wait:
        return None
    dimensions = tuple(sorted((name, count) for name, count in powers.items() if count))
    return Unit(factor, dimensions, frozenset(nouns), generic, last, bare)


def _known(word: str) -> str:
    """Return the table's name of a unit, or an empty string."""
    if word.startswith("^\\circ"):
        return {"C": "°C", "F": "°F"}.get(word[-1], "°")
    plain = re.sub(r"\\unit\{(.)\}", r"\1", word.replace("\\mu ", "u")).rstrip(".")
    for name in (plain, _SYNONYMS.get(plain.lower(), ""), plain.lower(), _singular(plain.lower())):
        if name in UNITS and (len(name) > 2 or name == plain or plain.lower() in _SYNONYMS):
            return name
    return ""


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word in ("halves", "halve"):
        return "half"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word


_SEPARATE = re.compile(r", |;|(?<![A-Za-z])(?:and|or)(?![A-Za-z])|[=<>]|\\(?:le|ge|ne|in|cup|to|begin|end)(?![a-z])")
_FUNCTION = re.compile(r"sin|cos|tan|sec|csc|cot|[-+*/]\s*[^-+*/]")
_FRACTION_UNIT = re.compile(rf" ?\\frac ?\{{ ?({_UNIT}) ?\}} ?\{{ ?({_UNIT}) ?\}}$")
_SCALE_WORD = re.compile(
    rf"(?P<number>.*\d) ?(?P<scale>{'|'.join(word for word in SCALE if len(word) > 1)})s?(?: (?:of )?(?P<rest>[A-Za-z].*))?$", re.IGNORECASE
)


@lru_cache(maxsize=4096)
def split_unit(text: str) -> Quantity | None:
    """Split `15 cm^2` into the value's text and the unit; None if there is no unit."""
    if len(text) > 300:
        return None
    if (found := _money(text) or _several(text)) is not None:
        return found
    if (match := _SCALE_WORD.fullmatch(text)) and match["rest"]:
        inner = split_unit(f"1 {match['rest']}")
        return None if inner is None or inner.value != "1" else Quantity(f"{match['number']} {match['scale']}", inner.unit)
    if (match := _FRACTION_UNIT.search(text)) and text[: match.start()][-1:] in (*"0123456789})",):
        text = f"{text[: match.start()]} {match[1]}/{match[2]}"
    match = _TAIL.search(text)
    if match is None:
        return None
    value, unit = text[: match.start("unit")].rstrip(), match["unit"].strip("() ") if match["unit"][0] == "(" else match["unit"]
    if _SEPARATE.search(value) or (unit.startswith("^") and _FUNCTION.search(value)):
        return None
    made = read_unit(unit)
    if made is None:
        return None
    plain = _plain_value(value)
    letters = made.bare and set(re.findall("[A-Za-z]", unit)) <= _LETTERS
    if made.bare and not (plain and match["gap"] and letters):
        return None
    if made.nouns and not (plain and match["gap"] and len(re.findall(r"[A-Za-z]+", unit)[0]) > 2):
        return None
    return _with_currency(Quantity(value, made))


def _plain_value(value: str) -> bool:
    """Whether a value is one number, whatever its spelling."""
    try:
        return read_number(value) is not None
    except DivisionByZero:
        return False


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
    try:
        number = read_number(text)
    except DivisionByZero:
        return None
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
    arc = names[0] in ("^\\circ", "degrees", "degree")
    primes = {"'": "arcmin", '"': "arcsec", "minutes": "arcmin", "seconds": "arcsec"} if arc else {"'": "ft", '"': "in"}
    units = [read_unit(primes.get(name, name)) for name in names]
    first, total, size = units[0], Fraction(0), None
    for match, unit in zip(found, units, strict=True):
        number = read_number(match[1])
        if unit is None or first is None or number is None or unit.nouns or not unit.dimensions or unit.bare and len(found) < 2:
            return None
        if unit.dimensions != first.dimensions or (size is not None and unit.factor >= size):
            return None
        total, size = total + number.value * unit.factor, unit.factor
    assert first is not None
    return Quantity(str(total / first.factor), replace(first, bare=False))


_ZERO_POINTS = {"K": Fraction(0), "°C": Fraction(27315, 100), "°F": Fraction(45967, 100) * Fraction(5, 9)}


def converted(value: Fraction, unit: Unit, to: Unit) -> Fraction:
    """Return a value in another unit of the same dimensions; temperatures by their zero points."""
    if unit.name in _ZERO_POINTS and to.name in _ZERO_POINTS and unit.dimensions == (("temperature", 1),):
        kelvin = value * unit.factor + _ZERO_POINTS[unit.name]
        return (kelvin - _ZERO_POINTS[to.name]) / to.factor
    return value * unit.factor / to.factor
