r"""Tier 2, reading: what stands behind a value, `km/h`, `square cm`, `\text{ m}`, `red apples`.

Words that are no known unit are nouns, unless they say something about the value (`lexicon.py`).
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from ..text.latex_names import CONSTANTS, FUNCTIONS, GREEK
from ..text.lexicon import is_plain
from .table import UNITS, Dimensions

UNIT_CHARS = 60


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

    def agrees_with(self, other: "Unit") -> bool:
        """Whether both measure the same thing, so that values can be converted."""
        if self.generic or other.generic:
            return self._fits(other.generic) if other.generic else other._fits(self.generic)
        if {self.name, other.name} == {"pound", "£"}:
            return True
        if "Hz" in (self.name, other.name) and self.dimensions != other.dimensions:
            return False  # 4 rad/s are no 4 Hz
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


_SYNONYMS = {"sq": "square", "cu": "cubic", "cubed": "cubic", "squared": "square", "kgs": "kg", "kms": "km",
             "cms": "cm", "mins": "min", "hrs": "hr", "secs": "sec", "lbs": "lb",
             "inches": "inch", "feet": "feet", "°": "°"}  # fmt: skip
_FILLER = frozenset(
    "of the an in each every total more left away long old tall wide high deep remaining"
    " altogether all them different distinct possible on at times".split()
)
_FORMULAS = frozenset(name.lower() for name in (*FUNCTIONS, *GREEK, *CONSTANTS) if len(name) > 1) - {
    "min",
    "max",
}
_PIECE = re.compile(
    r"(?P<join> ?(?:/|\\cdot|\\times|[*]) ?|-(?=[a-z])| |)\(?"
    r"(?P<word>\^\\circ(?: ?[CF](?![a-z]))?|(?:[A-Za-z]|\\mu )?\\Omega|\\mu [A-Za-z]+|\\unit\{[A-Za-z]\}"
    r"|[A-Za-z][A-Za-z'’]*\.?|[$€£¥₹¢])"
    r"(?P<power> ?\^ ?\{? ?-?\d ?\}?|(?<=[a-z])[23](?![\d/])|)\)?"
)
_DEGREES = re.compile(r"(?:degrees?|\^\\circ) ?(c|f)(?:elsius|ahrenheit)?\b", re.IGNORECASE)


def pieces_of(text: str) -> list[re.Match[str]] | None:
    """Return the words of a unit with what joins them and their powers; None if it is something else."""
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
    """Read what stands behind a value; None if it is no unit and no noun."""
    pieces = pieces_of(_DEGREES.sub(lambda match: rf"^\circ {match[1].upper()}", text))
    if pieces is None:
        return None
    reading = _Reading()
    for i, piece in enumerate(pieces):
        if not reading.take(piece, first=i == 0, last=i == len(pieces) - 1):
            return None
    return reading.unit() if not reading.wait else None


class _Reading:
    """A unit while its words are read."""

    def __init__(self) -> None:
        self.factor, self.powers, self.nouns = Fraction(1), dict[str, int](), set[str]()
        self.sign, self.wait, self.generic, self.name = 1, 0, 0, ""

    def unit(self) -> Unit:
        dimensions = tuple(sorted((name, count) for name, count in self.powers.items() if count))
        return Unit(self.factor, dimensions, frozenset(self.nouns), self.generic, self.name)

    def take(self, piece: re.Match[str], *, first: bool, last: bool) -> bool:
        """Take one word; False if it is none of a unit's."""
        word = piece["word"]
        plain = word.lower().rstrip(".")
        plain = _SYNONYMS.get(plain, plain)
        if (
            piece["join"].strip() == "/"
            or plain == "per"
            or (plain in ("a", "an") and not first and not piece["power"])
        ):
            self.sign = -1
            if plain in ("per", "a", "an"):
                return True
        if plain in ("square", "cubic"):
            self.wait = 2 if plain == "square" else 3
            if last and self.name:  # metres squared, metres per second squared
                self.multiply(self.name, self.wait - 1)
                self.wait = 0
            return True
        power = int(re.sub(r"[^-\d]", "", piece["power"])) if piece["power"] else (self.wait or 1)
        self.wait = 0
        if known := _known(word):
            self.name = known
            self.multiply(known, power)
        elif plain in ("unit", "units"):
            self.generic = power
        elif plain in _FILLER:
            return plain != "times" or last
        else:
            self.nouns.add(_singular(plain) if self.sign == 1 else f"per {_singular(plain)}")
            return power == 1 and len(self.nouns) <= 5 and _is_noun(plain)
        return True

    def multiply(self, known: str, power: int) -> None:
        """Multiply by a power of a known unit."""
        factor, dimensions = UNITS[known]
        self.factor *= factor ** (self.sign * power)
        for name, count in dimensions:
            self.powers[name] = self.powers.get(name, 0) + self.sign * power * count


def _is_noun(word: str) -> bool:
    """Whether a word only names what is counted: no `thirteen`, no `abc`, no `cos`."""
    if len(word) < 3 or word in _FORMULAS or word in "abcdefghijklmnopqrstuvwxyz":
        return False
    return re.search("[aeiouy]", word[:-1] if len(word) == 3 else word) is not None and is_plain(
        {word, _singular(word)}
    )


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
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word
