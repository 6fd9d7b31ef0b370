r"""Quantities: splitting an answer into a value and its unit, and converting values.

Examples are `5 km`, `5\text{ km/h}`, `3 ft 4 in`, `12 apples`, `15 cm^2` and `50 cents`. Nouns count as
units: `5 apples` and `5 red apples` agree, `5 apples` and `5 pears` do not. One bare letter after a plain
number and a space is a unit (`5 m`, `9.8 m/s^2`); several of them are variables (`2 g h`).
"""

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

from ..text.exact_number import SCALE, read_safely
from .reader import UNIT_CHARS, Unit, pieces_of, read_unit


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value and its unit."""

    value: str
    """The text of the value, which may be any formula."""
    unit: Unit


_SEPARATE = re.compile(
    r", |;|(?<![A-Za-z])(?:and|or)(?![A-Za-z])|[=<>]|\\(?:le|ge|ne|in|cup|to|begin|end|approx|equiv)(?![a-z])"
)
_IN_FORMULA = re.compile(r"sin|cos|tan|sec|csc|cot|[-+*/]\s*[^-+*/]")
r"""Matches in a formula before a degree sign that belongs to its last number only: `\sin 30^\circ`."""
_FRACTION_UNIT = re.compile(r" ?\\frac ?\{ ?([^{}]{1,30}) ?\} ?\{ ?([^{}]{1,30}) ?\}$")
_SCALE_WORD = re.compile(
    rf"(?P<number>.*\d) ?(?P<scale>{'|'.join(word for word in SCALE if len(word) > 1)})s?"
    r"(?: (?:of )?(?P<rest>[A-Za-z].*))?$",
    re.IGNORECASE,
)
_ENDS_OF_VALUES = tuple("0123456789})")
_VALUE_END = re.compile(r"[\d})%]|\\(?:pi|infty|circ)(?![a-z])")
_DECIMAL = re.compile(r"[-+]? ?\d[\d,. ]*(?:(?:[eE]| ?(?:\\times|\\cdot|\*) ?10 ?\^ ?\{? ?)[-+]?\d+ ?\}?)?")
_LETTERS = frozenset("m g s h L N J W V A K C".split())
"""Units that a bare letter after a number may be."""
_PAIRS = frozenset([("N", "m"), ("J", "s"), ("N", "s"), ("W", "h"), ("C", "m"), ("V", "m")])
"""Two bare letters that are a unit together; other pairs are variables."""


@lru_cache(maxsize=4096)
def split_unit(text: str, *, letters: bool = False) -> Quantity | None:
    """Split `15 cm^2` into the text of its value and its unit; None if there is no unit.

    With `letters`, any unit may be one bare letter, such as `0.25 M`; otherwise only common ones may.

    >>> quantity = split_unit("15 cm^2")
    >>> quantity.value, quantity.unit.factor, quantity.unit.dimensions
    ('15', Fraction(1, 10000), (('length', 2),))
    >>> split_unit("2 g h") is None
    True
    """
    if len(text) > 300 or _LETTER_OR_SIGN.search(text) is None:
        return None
    if short := _FEET_OR_INCHES.fullmatch(text):
        unit = read_unit("ft" if short[2] == "'" else "in")
        return None if unit is None else Quantity(short[1], unit)
    found = _money(text) or _several(text)
    if found is not None:
        return found
    scaled = _SCALE_WORD.fullmatch(text)
    if scaled and scaled["rest"]:
        inner = split_unit(f"1 {scaled['rest']}")
        if inner is None or inner.value != "1":
            return None
        return Quantity(f"{scaled['number']} {scaled['scale']}", inner.unit)
    fraction = _FRACTION_UNIT.search(text)
    if fraction and text[: fraction.start()].endswith(_ENDS_OF_VALUES):
        text = f"{text[: fraction.start()]} {fraction[1].strip()}/{fraction[2].strip()}"
    for end in _VALUE_END.finditer(text, max(len(text) - UNIT_CHARS - 8, 0)):
        if re.match(r"[eE][-+]?\d", text[end.end() :]):
            continue  # the e of 1.2e3
        pieces = pieces_of(text[end.end() :])
        if (
            pieces is not None
            and text[end.end()] == "^"
            and _IN_FORMULA.search(text[: end.end()].lstrip("-+ "))
        ):
            continue  # the degree sign of a part, as in `2\cos 40^\circ m`
        if pieces is not None:  # the first place where a value ends and only a unit may follow
            return _split_at(text[: end.end()], text[end.end() :], pieces, letters=letters)
    return None


def _split_at(value: str, rest: str, pieces: list[re.Match[str]], *, letters: bool) -> Quantity | None:
    """Return the quantity of a value and the words after it; None if they are not its unit."""
    is_angle = rest.lstrip().startswith("^")
    if _SEPARATE.search(value) or (is_angle and _IN_FORMULA.search(value.lstrip("-+ "))):
        return None
    words = [piece["word"] for piece in pieces]
    has_space = rest[0] == " "
    is_number = read_safely(value) is not None
    are_letters = all(len(word) == 1 and word.isalpha() for word in words)
    are_units = letters and has_space and is_number
    if are_letters and not (are_units or _letters_are_units(value, words, pieces, has_space=has_space)):
        return None
    unit = read_unit(rest.strip())
    if unit is None or (words == ["in"] and not is_number):
        return None
    if unit.nouns:
        starts_well = len(words[0]) > 2 or words[0] == "of" or bool(unit.dimensions)
        stands_apart = has_space or rest[0] == "/"
        is_value = is_number or _VARIABLE.search(value) is None
        if not (is_value and stands_apart and starts_well):
            return None
    if pieces[0]["join"].strip() == "/" and _money(value) is None and not (is_number and len(words[0]) > 3):
        return None  # `$5/hour` and `70/quiz` have units; `5/x` is a quotient
    return _with_currency(Quantity(value, unit))


def _letters_are_units(value: str, words: list[str], pieces: list[re.Match[str]], *, has_space: bool) -> bool:
    """Return whether bare letters after a value are units (`9.8 m/s^2`) and not variables (`2 g h`)."""
    if len(pieces) == 1:
        are_joined = True
    elif len(pieces) == 2:
        is_divided = "/" in pieces[1]["join"] or "-" in pieces[1]["power"]
        are_joined = is_divided or tuple(words) in _PAIRS
    else:
        are_joined = False
    stand_apart = has_space or "," in value or words == ["m", "s"]
    return stand_apart and are_joined and set(words) <= _LETTERS and _DECIMAL.fullmatch(value) is not None


def _with_currency(quantity: Quantity) -> Quantity:
    """Return a quantity whose unit includes the currency before its value: `$5 per hour`."""
    money = _money(quantity.value)
    if money is None:
        return quantity
    unit = quantity.unit
    if unit.dimensions == money.unit.dimensions:  # `$5 dollars`
        return Quantity(money.value, unit)
    powers = dict(unit.dimensions)
    for name, power in money.unit.dimensions:
        powers[name] = powers.get(name, 0) + power
    dimensions = tuple(sorted((name, power) for name, power in powers.items() if power))
    return Quantity(money.value, replace(unit, dimensions=dimensions, factor=unit.factor * money.unit.factor))


def _money(text: str) -> Quantity | None:
    """Read an amount of money with its sign or code in front, `$5` or `US$ 5`; None for other texts."""
    if text[:1].isdigit() or not re.match(r"[-+]?[^\W\d_]{0,3}[.$€£¥₹₩₽]? ?\d", text):
        return None
    number = read_safely(text)
    if number is None or not number.currency:
        return None
    unit = read_unit(number.currency)
    if unit is None:
        return None
    return Quantity(re.sub(r"[^-+\d.,/ A-Za-z]|US|Rs\.?", "", text).strip(), unit)


_VARIABLE = re.compile(r"(?<![\\A-Za-z])[A-Za-z]")
_LETTER_OR_SIGN = re.compile(r"[^\W\d_]|[$€£¥₹¢'\"]")
_FEET_OR_INCHES = re.compile(r"(\d[\d.,]*(?: ?\d+/\d+)?) ?(['\"])")
_PARTS = re.compile(r"(\d[\d.,]*(?: ?/ ?\d+)?) ?(\^\\circ|'|\"|[A-Za-z]+)\.?(?:,? and |, | |(?=\d)|$)")


def _several(text: str) -> Quantity | None:
    """Read `3 ft 4 in`, `5'10"` or `2 hours and 30 minutes` as one value in the first unit.

    All units must have the same dimension, and each must be smaller than the one before it.
    """
    found = list(_PARTS.finditer(text))
    if len(found) < 2 or "".join(match.group() for match in found) != text:
        return None
    names = [match[2] for match in found]
    meanings = _short_names_after(names[0])
    units = [read_unit(meanings.get(name, name)) for name in names]
    largest = units[0]
    total = Fraction(0)
    previous: Fraction | None = None
    for match, unit in zip(found, units, strict=True):
        number = read_safely(match[1])
        if unit is None or largest is None or number is None or unit.nouns or not unit.dimensions:
            return None
        if unit.dimensions != largest.dimensions or (previous is not None and unit.factor >= previous):
            return None
        total += number.value * unit.factor
        previous = unit.factor
    assert largest is not None
    return Quantity(str(total / largest.factor), largest)


def _short_names_after(largest: str) -> dict[str, str]:
    """Return the units that short names mean after a larger one: `'` is an arcminute after degrees."""
    if largest in ("^\\circ", "degrees", "degree"):
        return {"'": "arcmin", '"': "arcsec", "minutes": "arcmin", "seconds": "arcsec"}
    if largest in ("h", "hr", "hrs", "hour", "hours"):
        return {"m": "min"}
    return {"'": "ft", '"': "in"}


_ZERO_POINTS = {"K": Fraction(0), "°C": Fraction(27315, 100), "°F": Fraction(45967, 100) * Fraction(5, 9)}
"""The temperatures at which the scales have their zero, in kelvin."""


def converted(value: Fraction, unit: Unit, to: Unit) -> Fraction:
    """Return a value in another unit of the same dimensions.

    A temperature is a point on a scale, so 25 °C is 298.15 K. In every other unit, such as °C/s, only the
    factor counts.

    >>> converted(Fraction(25), read_unit("degrees C"), read_unit("K"))
    Fraction(5963, 20)
    """
    if unit.name in _ZERO_POINTS and to.name in _ZERO_POINTS and unit.dimensions == (("temperature", 1),):
        kelvin = value * unit.factor + _ZERO_POINTS[unit.name]
        return (kelvin - _ZERO_POINTS[to.name]) / to.factor
    return value * unit.factor / to.factor
