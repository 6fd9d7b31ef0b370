"""Numbers in words: `twenty-one`, `two thirds`, `three and a half`, `a dozen`, `minus five`."""

import re
from fractions import Fraction

from .lexicon import LARGE, PARTS, TENS, UNITS

_SMALL = ("and", "a", "an")
_KNOWN = frozenset(
    [*UNITS, *TENS, *LARGE, *PARTS, *(part + "s" for part in PARTS), *_SMALL,
     "halves", "hundred", "minus", "negative", "point", "over", "dozen"]
)  # fmt: skip
_WORDS = re.compile(r"[A-Za-z]+")


def spelt_number(text: str) -> tuple[str, str] | None:
    """Read number words at the start of a text: (digits, the rest), or None.

    `twenty-one apples` gives ("21", "apples"), `two thirds` ("2/3", ""), `2 and a half` ("5/2", "").
    """
    sign = text[:1] if text[:1] == "-" else ""
    body = text[len(sign) :].lstrip()
    if len(text) > 200 or not body[:1].isalnum():
        return None
    if mixed := re.fullmatch(r"(\d+) and (?:a |an |one )?([a-z]+(?: [a-z]+)?)", body):
        part = _value(("one " + mixed[2]).split() if " " not in mixed[2] else mixed[2].split())
        return None if part is None or part >= 1 else (sign + _written(int(mixed[1]) + part), "")
    words, end = _leading(body)
    value, rest = _value(words), body[end:].strip()
    if value is None or (sign and value <= 0) or _is_ordinal(words, rest):
        return None
    return sign + _written(value), rest


_RESTATED = re.compile(r"(.{1,40}?) ?\(([A-Za-z0-9][A-Za-z0-9 -]{0,40})\)")


def without_restatement(text: str) -> str:
    """Return `21` of `21 (twenty-one)` and of `twenty-one (21)`; another text as it is."""
    match = _RESTATED.fullmatch(text) if text.endswith(")") else None
    if match is None:
        return text
    values = [
        spelt[0] if (spelt := spelt_number(part)) is not None and not spelt[1] else part
        for part in match.groups()
    ]
    return values[0] if values[0] == values[1] and (values[0], values[1]) != match.groups() else text


def _is_ordinal(words: list[str], rest: str) -> bool:
    """Whether `third` counts places and not parts: `a third party`, `twenty first`."""
    parted = words[-1].removesuffix("s") in PARTS and words[-1] != "half" and words[-1] != "halves"
    return parted and bool(rest) and not re.match(r"(?:of|an?)\b", rest)


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


def _value(words: list[str]) -> Fraction | None:
    if not words:
        return None
    if words[0] in ("minus", "negative"):
        rest = _value(words[1:])
        return -rest if rest is not None and rest > 0 else None
    if words[-1] == "dozen":
        many = Fraction(1) if words[:-1] in ([], ["a"], ["one"]) else _value(words[:-1])
        return None if many is None else 12 * many
    for mark in ("over", "point"):
        if mark in words:
            at = words.index(mark)
            return _joined(mark, _value(words[:at]), words[at + 1 :])
    last = "half" if words[-1] == "halves" else words[-1].removesuffix("s")
    if last in PARTS and words[-1] not in UNITS:
        value = None if words == ["halves"] else _fraction(words[:-1], PARTS[last])
        plural = words[-1] != last
        return (
            None if value is not None and value > 1 and not plural and "and" not in words else value
        )  # 23rd is not 20/3
    whole = _whole(words)
    return None if whole is None else Fraction(whole)


def _joined(mark: str, top: Fraction | None, after: list[str]) -> Fraction | None:
    """`two over three`, `three point one four`."""
    if mark == "over":
        bottom = _value(after)
        return None if top is None or not bottom else top / bottom
    digits = [str(UNITS[word]) for word in after if UNITS.get(word, 10) < 10]
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
        size = UNITS.get(word, TENS.get(word))
        if size is not None:
            if size >= room or (size >= 10 and room < 100):
                return None  # `two three`, `twenty twelve`: two numbers
            current, room, seen = current + size, (10 if word in TENS else 0), True
        elif word == "hundred":
            current, room, seen = max(current, 1) * 100, 100, True
        elif word in LARGE:
            total, current, room, seen = total + max(current, 1) * LARGE[word], 0, 100, True
        elif word not in _SMALL[:2]:
            return None
    return total + current if seen else None
