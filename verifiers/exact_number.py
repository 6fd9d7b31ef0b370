r"""Tier 2: exact numbers, read with `Fraction` and compared by the reference's form.

Read here: integers of any size, thousands (`1,234` `1 234` `1\,234`), decimals, fractions, mixed
numbers, percent, currency. Not read here: units, scientific notation, words; further tiers do.

The reference decides the form. An exact reference is met by an equal value, or by a decimal that
is right in every digit it shows and shows at least six significant ones. A reference that is
itself a decimal is met by whatever rounds to it. A percent sign matches the fraction that it means
and the bare number that it prints.
"""

import re
from dataclasses import dataclass
from fractions import Fraction

MAX_CHARS = 1000
"""Longer answers are not evaluated. (Python itself refuses integers over 4,300 digits.)"""

SIGNIFICANT = 6
"""Digits that a decimal must show to stand for an exact value that it does not equal."""

VULGAR = {
    "½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅖": "2/5", "⅗": "3/5",
    "⅘": "4/5", "⅙": "1/6", "⅚": "5/6", "⅐": "1/7", "⅛": "1/8", "⅜": "3/8", "⅝": "5/8", "⅞": "7/8",
    "⅑": "1/9", "⅒": "1/10",
}  # fmt: skip
"""Fractions that are one character."""


@dataclass(frozen=True, slots=True)
class Number:
    """An exact value with what its spelling promised."""

    value: Fraction
    decimals: int | None = None
    """Digits after the point of a decimal; None for integers and fractions."""
    percent: bool = False
    currency: str = ""
    """`$`, `€`, ... or empty."""


_CURRENCY = {
    "$": "$", "US$": "$", "USD": "$", "dollar": "$", "dollars": "$",
    "€": "€", "EUR": "€", "euro": "€", "euros": "€",
    "£": "£", "GBP": "£", "pound": "£", "pounds": "£",
    "¥": "¥", "JPY": "¥", "yen": "¥", "₹": "₹", "INR": "₹", "rupee": "₹", "rupees": "₹",
}  # fmt: skip
_BEFORE = re.compile(r"^([-+]?)\s*(US\$|[$€£¥₹]|(?:USD|EUR|GBP|JPY|INR)(?=[\s\d]))\s*")
_AFTER = re.compile(r"\s*(?<![A-Za-z])([€£¥₹]|USD|EUR|GBP|JPY|INR|dollars?|euros?|pounds?|yen|rupees?)$")
_PERCENT = re.compile(r"\s*(?:%|\bper\s?cent)$")
_GROUPS = r"[1-9]\d{0,2}(?P<mark>[, _'])\d{3}(?:(?P=mark)\d{3})*"  # NFKC made thin spaces plain
_PLAIN = re.compile(rf"(?P<whole>{_GROUPS}|\d+)?(?:\.(?P<decimals>\d*))?")
_FRACTION = re.compile(r"(?P<top>[-+]?\d+)\s*/\s*(?P<bottom>[-+]?\d+)")
_MIXED = re.compile(r"(?P<whole>\d+) (?P<top>[1-9]\d*)/(?P<bottom>\d+)")


class DivisionByZero(ValueError):
    """The text spells a fraction over zero: no value at all."""


def read_number(text: str) -> Number | None:
    """Read a normalised text (see `normal_form.py`) as a number; None if it is not one.

    Raises:
        DivisionByZero: a fraction with denominator 0.
    """
    if len(text) > MAX_CHARS or not any(c.isdigit() for c in text):
        return None
    text, currency = _take_currency(text)
    percent = bool(_PERCENT.search(text))
    text = _PERCENT.sub("", text)
    sign, body = _sign(text)
    if body is None:
        return None
    number = _read_unsigned(body)
    if number is None:
        return None
    value, decimals = number
    return Number(sign * value, decimals, percent, currency)


def _take_currency(text: str) -> tuple[str, str]:
    before, after = _BEFORE.match(text), _AFTER.search(text)
    if before:
        return before.group(1) + text[before.end() :], _CURRENCY[before.group(2)]
    if after:
        return text[: after.start()], _CURRENCY[after.group(1)]
    return text, ""


def _sign(text: str) -> tuple[int, str | None]:
    """Split a sign off; brackets around a signed number fall away."""
    text = text.strip()
    sign = 1
    for _ in range(2):
        if text[:1] in ("-", "+"):
            sign, text = (-sign if text[0] == "-" else sign), text[1:].lstrip()
            if text[:1] in ("-", "+"):
                return sign, None
        if text.startswith("(") and text.endswith(")") and not re.search(r"[, ]", text):
            text = text[1:-1].strip()
    return sign, text


def _read_unsigned(text: str) -> tuple[Fraction, int | None] | None:
    if match := _MIXED.fullmatch(text):
        whole, top, bottom = (int(match[name]) for name in ("whole", "top", "bottom"))
        return (whole + _over(top, bottom), None) if top < bottom or not bottom else None
    if match := _FRACTION.fullmatch(text):
        return _over(int(match["top"]), int(match["bottom"])), None
    match = _PLAIN.fullmatch(text)
    if not match or not (match["whole"] or match["decimals"]):
        return None
    whole = re.sub(r"\D", "", match["whole"] or "0")
    if match["decimals"] is None:
        return Fraction(int(whole)), None
    places = len(match["decimals"])
    return Fraction(int(whole + match["decimals"]), 10**places), places or None


def _over(top: int, bottom: int) -> Fraction:
    if bottom == 0:
        raise DivisionByZero
    return Fraction(top, bottom)


def same_number(reference: Number, answer: Number) -> bool:
    """Say whether `answer` meets `reference` by the policy of the module."""
    if _meets(reference, answer, reference.value, answer.value):
        return True
    if reference.percent == answer.percent:
        return False
    # One of them is a percentage: as the fraction it means (the bare number was tried above).
    r, a = (n.value / 100 if n.percent else n.value for n in (reference, answer))
    shift = 2 * int(answer.percent)  # 33.3% shows three decimals of the fraction
    return r == a or _meets(reference, _shifted(answer, shift), r, a)


def _shifted(number: Number, places: int) -> Number:
    """Return the number with its decimal places counted after moving the point."""
    decimals = number.decimals
    return Number(number.value, None if decimals is None else max(decimals + places, 0))


def _meets(reference: Number, answer: Number, r: Fraction, a: Fraction) -> bool:
    if r == a:
        return True
    if reference.decimals is not None:
        scale = 10**reference.decimals * (
            100 if reference.percent and not answer.percent and r != reference.value else 1
        )
        return abs(r - a) * 2 * scale <= 1
    if answer.decimals is None or _significant(answer, a) < SIGNIFICANT:
        return False
    # Right in every digit shown: cut off or rounded, so within one unit of the last place.
    error = (a - r) * 10**answer.decimals
    return abs(error) * 2 <= 1 or (abs(a) < abs(r) and abs(error) < 1)


def _significant(number: Number, value: Fraction) -> int:
    """Return how many significant digits the spelling shows."""
    return len(str(abs(int(value * 10 ** (number.decimals or 0)))))
