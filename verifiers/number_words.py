"""Numbers in words: `twenty-one`, `two thirds`, `three and a half`, `a dozen`, `XII`."""

import re
from fractions import Fraction

_UNITS = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
    "seventeen": 17, "eighteen": 18, "nineteen": 19,
}  # fmt: skip
_TENS = {
    "twenty": 20, "thirty": 30, "forty": 40, "fourty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80,
    "ninety": 90,
}  # fmt: skip
_LARGE = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_PARTS = {
    "half": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9,
    "tenth": 10, "eleventh": 11, "twelfth": 12, "twentieth": 20, "hundredth": 100, "thousandth": 1000,
}  # fmt: skip
_SMALL = ("and", "a", "an")
_KNOWN = frozenset(
    [*_UNITS, *_TENS, *_LARGE, *_PARTS, *(part + "s" for part in _PARTS), "halves", "hundred", *_SMALL, "minus", "negative", "point",
     "over", "dozen"]
)  # fmt: skip
_WORDS = re.compile(r"[A-Za-z]+")


def spelt_number(text: str) -> tuple[str, str] | None:
    """Read number words at the start of a text: (digits, the rest), or None.

    `twenty-one apples` gives ("21", "apples"), `two thirds` ("2/3", ""), `2 and a half` ("5/2", "").
    """
    if len(text) > 200 or not text[:1].isalnum() and text[:1] != "-":
        return None
    if _ROMAN.fullmatch(text) and len(text) > 1:
        return str(_roman(text)), ""
    if mixed := re.fullmatch(r"(\d+) and (?:a |an |one )?([a-z]+(?: [a-z]+)?)", text):
        part = _value(("one " + mixed[2]).split() if " " not in mixed[2] else mixed[2].split())
        return None if part is None or part >= 1 else (_written(int(mixed[1]) + part), "")
    words, end = _leading(text)
    value = _value(words)
    return None if value is None else (_written(value), text[end:].strip())


def _leading(text: str) -> tuple[list[str], int]:
    """Return the number words that a text starts with, and where they end."""
    words, ends = list[str](), [0]
    for match in _WORDS.finditer(text):
        word = match.group().lower()
        if word not in _KNOWN or not re.fullmatch(r"[\s,-]*", text[ends[-1] : match.start()]):
            break
        words.append(word)
        ends.append(match.end())
    while words and words[-1] in _SMALL:
        words.pop()
        ends.pop()
    return words, ends[-1]


def _written(value: Fraction) -> str:
    return str(value.numerator) if value.denominator == 1 else f"{value.numerator}/{value.denominator}"


_ROMAN = re.compile(r"M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})")
_NUMERALS = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}


def _roman(text: str) -> int:
    values = [_NUMERALS[letter] for letter in text]
    return sum(-v if v < after else v for v, after in zip(values, [*values[1:], 0], strict=True))


def _value(words: list[str]) -> Fraction | None:
    if not words:
        return None
    if words[0] in ("minus", "negative"):
        rest = _value(words[1:])
        return None if rest is None else -rest
    if words[-1] == "dozen":
        many = Fraction(1) if words[:-1] in ([], ["a"], ["one"]) else _value(words[:-1])
        return None if many is None else 12 * many
    for mark in ("over", "point"):
        if mark in words:
            at = words.index(mark)
            return _joined(mark, _value(words[:at]), words[at + 1 :])
    last = "half" if words[-1] == "halves" else words[-1].removesuffix("s")
    if last in _PARTS and words[-1] not in _UNITS:
        return _fraction(words[:-1], _PARTS[last])
    whole = _whole(words)
    return None if whole is None else Fraction(whole)


def _joined(mark: str, top: Fraction | None, after: list[str]) -> Fraction | None:
    """`two over three`, `three point one four`."""
    if mark == "over":
        bottom = _value(after)
        return None if top is None or not bottom else top / bottom
    digits = [str(_UNITS[word]) for word in after if _UNITS.get(word, 10) < 10]
    if top is None or not digits or len(digits) != len(after):
        return None
    return top + Fraction(int("".join(digits)), 10 ** len(digits))


def _fraction(words: list[str], bottom: int) -> Fraction | None:
    """`two` thirds, `three and a` half, `a` quarter; an ordinal alone (`third`) is no number."""
    if words[-1:] in (["a"], ["an"], ["one"]):
        before = words[:-1]
        if not before:
            return Fraction(1, bottom)
        whole = _whole(before[:-1]) if before[-1] == "and" else None
        return None if whole is None else whole + Fraction(1, bottom)
    if "and" in words and "hundred" not in words:
        at = words.index("and")
        whole, top = _whole(words[:at]), _whole(words[at + 1 :])
        return None if whole is None or top is None else whole + Fraction(top, bottom)
    if not words:
        return Fraction(1, 2) if bottom == 2 else None
    top = _whole(words)
    return None if top is None else Fraction(top, bottom)


def _whole(words: list[str]) -> int | None:
    """`one hundred and twenty three thousand and five`; None for what is no cardinal."""
    total, current, seen, room = 0, 0, False, 100
    for word in words:
        size = _UNITS.get(word, _TENS.get(word))
        if size is not None:
            if size >= room or (size >= 10 and room < 100):
                return None  # `two three`, `twenty twelve`: two numbers
            current, room, seen = current + size, (10 if word in _TENS else 0), True
        elif word == "hundred":
            current, room, seen = max(current, 1) * 100, 100, True
        elif word in _LARGE:
            total, current, room, seen = total + max(current, 1) * _LARGE[word], 0, 100, True
        elif word not in _SMALL[:2]:
            return None
    return total + current if seen else None
