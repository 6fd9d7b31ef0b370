"""Reading numbers in words: `twenty-one`, `two thirds`, `three and a half`, `a dozen`, `minus five`."""

import re
from fractions import Fraction

from ..spelling.lexicon import BELOW_TWENTY, LARGE, PARTS, TENS

_FILLERS = ("and", "a", "an")
_KNOWN = frozenset(
    [*BELOW_TWENTY, *TENS, *LARGE, *PARTS, *(part + "s" for part in PARTS), *_FILLERS,
     "halves", "hundred", "minus", "negative", "point", "over", "dozen"]
)  # fmt: skip
_WORDS = re.compile(r"[A-Za-z]+")


def spelt_number(text: str) -> tuple[str, str] | None:
    """Read the number words at the start of a text; return the number in digits and the rest, or None.

    >>> spelt_number("twenty-one apples")
    ('21', 'apples')
    >>> spelt_number("2 and a half")
    ('5/2', '')
    """
    sign = text[:1] if text[:1] == "-" else ""
    body = text[len(sign) :].lstrip()
    if len(text) > 200 or not body[:1].isalnum():
        return None
    if " and " in body and (mixed := re.fullmatch(r"(\d+) and (?:a |an |one )?([a-z]+(?: [a-z]+)?)", body)):
        words = mixed[2].split()
        part = _value(["one", *words] if len(words) == 1 else words)
        if part is None or part >= 1:
            return None
        return sign + _in_digits(int(mixed[1]) + part), ""
    words, end = _leading(body)
    value, rest = _value(words), body[end:].strip()
    if value is None or (sign and value <= 0) or _is_ordinal(words, rest):
        return None
    return sign + _in_digits(value), rest


_RESTATED = re.compile(r"(.{1,40}?) ?\(([A-Za-z0-9][A-Za-z0-9 -]{0,40})\)( [a-z][a-z ]{0,40})?")


def without_restatement(text: str) -> str:
    """Return `21` for `21 (twenty-one)` and for `twenty-one (21)`; any other text as it is."""
    match = _RESTATED.fullmatch(text) if ")" in text else None
    if match is None:
        return text
    outside, inside = (_with_digits(part) for part in match.groups()[:2])
    has_words = (outside, inside) != match.groups()[:2]
    return outside + (match[3] or "") if outside == inside and has_words else text


def _with_digits(text: str) -> str:
    """Return a text in digits if it is nothing but number words; any other text as it is."""
    spelt = spelt_number(text)
    if spelt is None or spelt[1]:
        return text
    return spelt[0]


def _is_ordinal(words: list[str], rest: str) -> bool:
    """Return whether the last word is an ordinal and not a fraction: `a third party`, `twenty first`."""
    is_part = words[-1].removesuffix("s") in PARTS and words[-1] not in ("half", "halves")
    return is_part and bool(rest) and not re.match(r"(?:of|an?)\b", rest)


def _leading(text: str) -> tuple[list[str], int]:
    """Return the number words that a text starts with, in lower case, and the index where they end."""
    words: list[str] = []
    ends = [0]
    for match in _WORDS.finditer(text):
        word = match.group().lower()
        if word not in _KNOWN or not re.fullmatch(r"[\s,-]*", text[ends[-1] : match.start()]):
            break
        words.append(word)
        ends.append(match.end())
    while words and words[-1] in _FILLERS:
        words.pop()
        ends.pop()
    return words, ends[-1]


def _in_digits(value: Fraction) -> str:
    return str(value.numerator) if value.denominator == 1 else f"{value.numerator}/{value.denominator}"


def _value(words: list[str]) -> Fraction | None:
    """Return the value of number words; None if they do not make one number."""
    if not words:
        return None
    if words[0] in ("minus", "negative"):
        rest = _value(words[1:])
        return -rest if rest is not None and rest > 0 else None
    if words[-1] == "dozen":
        count = Fraction(1) if words[:-1] in ([], ["a"], ["one"]) else _value(words[:-1])
        return None if count is None else 12 * count
    for mark in ("over", "point"):
        if mark in words:
            at = words.index(mark)
            return _around(mark, _value(words[:at]), words[at + 1 :])
    last = "half" if words[-1] == "halves" else words[-1].removesuffix("s")
    if last in PARTS and words[-1] not in BELOW_TWENTY:
        return _in_parts(words, last)
    whole = _whole(words)
    return None if whole is None else Fraction(whole)


def _around(mark: str, before: Fraction | None, after: list[str]) -> Fraction | None:
    """Return the value of `two over three` or `three point one four`."""
    if mark == "over":
        bottom = _value(after)
        return None if before is None or not bottom else before / bottom
    digits = [str(BELOW_TWENTY[word]) for word in after if BELOW_TWENTY.get(word, 10) < 10]
    if before is None or not digits or len(digits) != len(after):
        return None
    return before + Fraction(int("".join(digits)), 10 ** len(digits))


def _in_parts(words: list[str], part: str) -> Fraction | None:
    """Return the value of words that end in a part: `two thirds` (the part is `third`)."""
    if words == ["halves"]:
        return None
    value = _fraction(words[:-1], PARTS[part])
    is_plural = words[-1] != part
    if value is not None and value > 1 and not is_plural and "and" not in words:
        return None  # `twenty third` is the 23rd and not 20/3
    return value


def _fraction(words: list[str], bottom: int) -> Fraction | None:
    """Return the value of the words before a part: `two` (thirds), `three and a` (half), `a` (quarter).

    Only `half` may have no words before it: a bare `third` is an ordinal.
    """
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
    """Return the value of `one hundred and twenty three thousand and five`; None for other words."""
    total = 0  # thousands, millions and so on that are complete
    current = 0  # what has been read since
    below = 100  # the next small number must be below this: `two three` are two numbers
    seen = False
    for word in words:
        size = BELOW_TWENTY.get(word, TENS.get(word))
        if size is not None:
            if size >= below or (size >= 10 and below < 100):
                return None
            current += size
            below = 10 if word in TENS else 0
        elif word == "hundred":
            current = max(current, 1) * 100
            below = 100
        elif word in LARGE:
            total += max(current, 1) * LARGE[word]
            current = 0
            below = 100
        elif word in ("and", "a"):
            continue
        else:
            return None
        seen = True
    return total + current if seen else None
