"""Reading the unit after a value: `km/h`, `square cm`, `m s^{-2}`, `red apples`.

Words that are not in the table of units (`table.py`) are nouns, unless they say something about the value
(`spelling/lexicon.py`).
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from ..spelling.latex_names import CONSTANTS, FUNCTIONS, GREEK
from ..spelling.lexicon import is_plain
from .table import FOREIGN_NAMES, UNITS, Dimensions

UNIT_CHARS = 60
"""Longer texts are not read as units."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit, with the nouns that are counted, if any."""

    factor: Fraction = Fraction(1)
    """The factor that converts a value to base units."""
    dimensions: Dimensions = ()
    """The base dimensions and their powers, sorted: `(("length", 1), ("time", -1))` for `km/h`."""
    nouns: frozenset[str] = frozenset()
    """The words that are not in the table of units, in the singular: `red` and `apple`."""
    generic: int = 0
    """The power of the word `unit`: 2 for `square units`, which agrees with every unit of area; else 0."""
    name: str = ""
    """The name of the last unit, as in the table; it distinguishes the scales of temperature."""

    def agrees_with(self, other: "Unit") -> bool:
        """Return whether both units measure the same thing, so that values can be converted."""
        if self.generic or other.generic:
            return self._has_power(other.generic) if other.generic else other._has_power(self.generic)
        if {self.name, other.name} == {"pound", "£"}:
            return True  # `pound` is in the table as a mass, but may be money
        if "Hz" in (self.name, other.name) and self.dimensions != other.dimensions:
            return False  # a hertz is a full turn a second: 4 rad/s is not 4 Hz
        if bool(self.nouns) != bool(other.nouns) and not (self.dimensions and other.dimensions):
            return False  # 12 radians are not 12 oranges
        return _without_radians(self.dimensions) == _without_radians(other.dimensions) and (
            self.nouns <= other.nouns or other.nouns <= self.nouns
        )

    def _has_power(self, power: int) -> bool:
        """Return whether `units`, `square units` or `cubic units` (1, 2, 3) may stand for this unit."""
        if self.generic:
            return self.generic == power
        return power == 1 or not self.dimensions or self.dimensions == (("length", power),)


def _without_radians(dimensions: Dimensions) -> Dimensions:
    """Return dimensions without the radian, which is a plain number: 5 rad/s is 5 s^-1."""
    if ("radian", 1) not in dimensions or (len(dimensions) > 1 and "time" not in dict(dimensions)):
        return dimensions
    return tuple(pair for pair in dimensions if pair != ("radian", 1))


_SYNONYMS = {"sq": "square", "cu": "cubic", "cubed": "cubic", "squared": "square", "kgs": "kg", "kms": "km",
             "cms": "cm", "mins": "min", "hrs": "hr", "secs": "sec", "lbs": "lb",
             "inches": "inch", "feet": "feet", "°": "°", **FOREIGN_NAMES}  # fmt: skip
_FILLERS = frozenset(
    "of the an in each every total more left away long old tall wide high deep remaining"
    " altogether all them different distinct possible on at times".split()
)
"""Words in a unit that neither measure nor name anything."""
_BEFORE_UNITS = frozenset("light metric fluid nautical us american imperial astronomical working".split())
"""Words that may stand before a unit and are a part of its name."""
_FORMULA_NAMES = frozenset(name.lower() for name in (*FUNCTIONS, *GREEK, *CONSTANTS) if len(name) > 1) - {
    "min",
    "max",
}
_PIECE = re.compile(
    r"(?P<join> ?(?:/|\\cdot|\\times|[*]) ?|-(?=[a-z])| |)\(?"
    r"(?P<word>\^\\circ(?: ?[CF](?![a-z]))?|(?:[A-Za-z]|\\mu )?\\Omega|\\mu [A-Za-z]+|\\unit\{[A-Za-z]\}"
    r"|[^\W\d_][^\W\d_'’]*\.?|[$€£¥₹¢])"
    r"(?P<power> ?\^ ?\{? ?-?\d ?\}?|(?<=[a-z])[23](?![\d/])|)\)?"
)
_DEGREES = re.compile(r"(?:degrees?|\^\\circ) ?(c|f)(?:elsius|ahrenheit)?\b", re.IGNORECASE)


_ELECTRON_VOLTS = re.compile(r"electron[- ]?volts?\b", re.IGNORECASE)


def pieces_of(text: str) -> list[re.Match[str]] | None:
    """Split a unit into its words; each match has the `word`, the `join` before it and its `power`.

    None if the text has anything else in it, or brackets that do not match.
    """
    if not text or len(text) > UNIT_CHARS or text.count("(") != text.count(")"):
        return None
    found, at = [], 0
    while at < len(text):
        match = _PIECE.match(text, at)
        if match is None:
            return None
        found.append(match)
        at = match.end()
    return found


@lru_cache(maxsize=1024)
def read_unit(text: str) -> Unit | None:
    """Read the text after a value; None if it is neither a unit nor a noun.

    >>> unit = read_unit("km/h")
    >>> unit.factor, unit.dimensions
    (Fraction(5, 18), (('length', 1), ('time', -1)))
    """
    pieces = pieces_of(
        _ELECTRON_VOLTS.sub("eV", _DEGREES.sub(lambda match: rf"^\circ {match[1].upper()}", text))
    )
    if pieces is None:
        return None
    builder = _UnitBuilder()
    for i, piece in enumerate(pieces):
        if not builder.add(piece, first=i == 0, last=i == len(pieces) - 1):
            return None
    if builder.pending_power:
        return None  # `square` without a unit after it
    return builder.unit()


class _UnitBuilder:
    """A unit while its words are read."""

    def __init__(self) -> None:
        self.factor = Fraction(1)
        self.powers: dict[str, int] = {}
        self.nouns: set[str] = set()
        self.sign = 1
        """-1 for the words after a slash or `per`."""
        self.pending_power = 0
        """The power that `square` or `cubic` gives to the next word; 0 = none."""
        self.generic = 0
        self.name = ""

    def unit(self) -> Unit:
        dimensions = tuple(sorted((name, power) for name, power in self.powers.items() if power))
        return Unit(self.factor, dimensions, frozenset(self.nouns), self.generic, self.name)

    def add(self, piece: re.Match[str], *, first: bool, last: bool) -> bool:
        """Add one word; return False if no unit has such a word."""
        word = piece["word"]
        plain = word.lower().rstrip(".")
        plain = _SYNONYMS.get(plain, plain)
        is_per = plain in ("per", "par", "por", "pro") or (
            plain in ("a", "an") and not first and not piece["power"]
        )
        if is_per or piece["join"].strip() == "/":  # `dollars per day`, `dollars a day`, `dollars/day`
            self.sign = -1
            if plain in ("per", "par", "por", "pro", "a", "an"):
                return True
        if plain in ("square", "cubic"):
            self._raise(2 if plain == "square" else 3, last=last)
            return True
        power = self.pending_power or 1
        if piece["power"]:
            power = int(re.sub(r"[^-\d]", "", piece["power"]))
        self.pending_power = 0
        if known := _known(word):
            if self.nouns and self.sign == 1 and not self.nouns <= _BEFORE_UNITS:
                return False  # `students Celsius` is no unit
            self.name = known
            self._multiply(known, power)
        elif plain in ("unit", "units"):
            self.generic = power
        elif plain in _FILLERS:
            return plain != "times" or last
        else:
            self.nouns.add(_singular(plain) if self.sign == 1 else f"per {_singular(plain)}")
            return power == 1 and len(self.nouns) <= 5 and _is_noun(plain)
        return True

    def _raise(self, power: int, *, last: bool) -> None:
        """Apply `square` or `cubic` to the next word; at the end, to the last unit (`metres squared`)."""
        if last and self.name:
            self._multiply(self.name, power - 1)
            self.pending_power = 0
        else:
            self.pending_power = power

    def _multiply(self, known: str, power: int) -> None:
        """Multiply by a power of a unit of the table."""
        factor, dimensions = UNITS[known]
        self.factor *= factor ** (self.sign * power)
        for name, count in dimensions:
            self.powers[name] = self.powers.get(name, 0) + self.sign * power * count


_POINTS: frozenset[str] = frozenset()
"""Nothing that may change a number: a `point` is a decimal point, but `points` are counted."""


def _is_noun(word: str) -> bool:
    """Return whether a word only names what is counted, which `thirteen`, `abc` and `cos` do not."""
    if len(word) < 3 or word in _FORMULA_NAMES or word in "abcdefghijklmnopqrstuvwxyz":
        return False
    if not word.isascii():
        return is_plain({word})
    with_vowel = word[:-1] if len(word) == 3 else word
    return re.search("[aeiouy]", with_vowel) is not None and is_plain(
        _POINTS if word == "points" else {word, _singular(word)}
    )


def _known(word: str) -> str:
    """Return the name under which the table has a unit, or an empty string.

    One and two letters must match in case (`MW`, `mW`); longer words are tried in lower case and in the
    singular too.
    """
    if word.startswith("^\\circ"):
        return {"C": "°C", "F": "°F"}.get(word[-1], "°")
    plain = re.sub(r"\\unit\{(.)\}", r"\1", word.replace("\\mu ", "u")).rstrip(".")
    synonym = _SYNONYMS.get(plain) or _SYNONYMS.get(plain.lower(), "")
    for name in (plain, synonym, plain.lower(), _singular(plain.lower())):
        if name in UNITS and (len(name) > 2 or name == plain or synonym):
            return name
    return ""


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith("s") and not word.endswith("ss") and len(word) > 3:
        return word[:-1]
    return word
