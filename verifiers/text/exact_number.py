r"""Reading exact numbers as fractions, with what their spelling says about precision and unit.

These are read: integers of any size, thousands (`1,234` `1 234` `1.234.567`), decimals (with a
comma only behind thousands, `1.234,5`), repeating decimals, fractions, mixed numbers, percent, currency,
scientific notation, and scale words (`2 million`, `12k`).
"""

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

ANSWER_CHARS = 1000
"""Longer answers are not evaluated. (Python itself does not read integers of more than 4,300 digits.)"""
MAX_EXPONENT = 400
"""Larger powers of ten are left to the `formula` tier, which never writes them out."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number, with what its spelling says about its precision and its unit."""

    value: Fraction
    """The exact value of what is printed: 50 for `50%`."""
    decimals: int | None = None
    """Digits after the point of a decimal, negative for `1.5 million` (-5); None for exact forms."""
    percent: bool = False
    """Whether a percent sign or word follows the number."""
    currency: str = ""
    """A currency sign or code, as `CURRENCY` spells it; empty if there is none."""
    digits: int = 0
    """Significant digits that a decimal shows; meaningless if `decimals` is None."""


CURRENCY = {
    "US$": "$", "R$": "R$", "$": "$", "USD": "$", "€": "€", "EUR": "€", "£": "£", "GBP": "£", "¥": "¥",
    "JPY": "¥",
    "₹": "₹", "INR": "₹", "Rs.": "₹", "Rs": "₹", "₩": "₩", "₽": "₽", "CHF": "CHF", "CAD": "CAD",
    "AUD": "AUD",
}  # fmt: skip
"""Every spelling of a currency, with the spelling to which it is normalised."""
_SIGNS = "|".join(re.escape(sign) for sign in sorted(CURRENCY, key=len, reverse=True))
_BEFORE = re.compile(rf"([-+]?)\s*({_SIGNS})(?=[-\s\d.,\\(])\s*")
_AFTER = re.compile(r"\s*(?<![A-Za-z])([$€£¥₹₩₽]|USD|EUR|GBP|JPY|INR|CHF|CAD|AUD)$")
_PERCENT = re.compile(r"\s*(?:%|\bper\s?cent(?:age)?|\bpercents|\bpct\.?)$", re.IGNORECASE)

_GROUPS = (
    r"[1-9]\d{0,2}(?:(?P<mark>[, _'])\d{3}(?:(?P=mark)\d{3})*"  # 1,234 (thin spaces are plain ones by now)
    r"|(?:\.\d{3}){2,}"  # 1.234.567; `1.234` alone is a decimal
    r"|(?:,\d{2})+,\d{3})"  # 1,23,456, as in India
)
_PLAIN = re.compile(rf"(?P<whole>{_GROUPS}|\d+)?(?:\.(?P<decimals>\d*))?")
_COMMA = re.compile(r"(?P<whole>[1-9]\d{0,2}(?:[. ]\d{3})+),(?P<decimals>\d+)")
_REPEATING = re.compile(
    r"(?P<whole>\d*)\.(?P<decimals>\d*?)(?:\\(?:overline|bar|dot) ?\{?(?P<bar>\d+)\}?|\((?P<round>\d+)\)"
    r"|(?P<dots>(?P<unit>\d{1,6}?)(?P=unit)+) ?\\ldots)"
)
_PART = r"[-+]?\d+"
_FRACTION = re.compile(
    rf"(?P<top>{_PART})\s*(?:/|out of|in(?= \d))\s*(?P<bottom>{_PART})"
    rf"|\\frac ?\{{ ?(?P<up>{_PART}) ?\}} ?\{{ ?(?P<down>{_PART}) ?\}}"
)
_MIXED = re.compile(
    r"(?P<whole>\d+)(?: and)?(?: (?P<top>[1-9]\d*) ?/ ?(?P<bottom>\d+)"
    r"| ?\\frac ?\{ ?(?P<up>[1-9]\d*) ?\} ?\{ ?(?P<down>\d+) ?\})"
)
_SCIENTIFIC = re.compile(
    r"(?:(?P<mantissa>\d+(?:\.\d*)?|\.\d+)\s*(?:[eE]|(?:\\times|\\cdot|[*x])\s*10\s*(?:\^|\*\*)\s*)"
    r"|10\s*(?:\^|\*\*)\s*)"
    r"(?P<brace>[{(])?\s*(?P<exponent>[-+]?\d{1,9})\s*(?(brace)[)}])"
)
SCALE = {
    "hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12, "lakh": 10**5,
    "crore": 10**7, "dozen": 12, "score": 20, "k": 10**3, "M": 10**6,
}  # fmt: skip
"""Factors of the words and letters that may follow a number. Words match in any case, letters exactly."""
_SCALED = re.compile(rf"(.*\d) ?((?i:{'|'.join(word for word in SCALE if len(word) > 1)}))s?|(.*\d)([kM])")


class DivisionByZero(ValueError):
    """A text is a fraction with the denominator 0, so it has no value."""


@lru_cache(maxsize=4096)
def read_number(text: str) -> Number | None:
    """Read a normalised text (see `normalise.py`) as a number; None if it is not one.

    >>> number = read_number("12.50%")
    >>> number.value, number.decimals, number.percent
    (Fraction(25, 2), 2, True)

    Raises:
        DivisionByZero: the text is a fraction with the denominator 0.
    """
    if len(text) > ANSWER_CHARS or not any(c.isdigit() for c in text):
        return None
    if text.isdecimal():
        return Number(Fraction(int(text)))
    text, currency = _take_currency(text.removesuffix("^\\circ").rstrip())
    percent = bool(_PERCENT.search(text))
    text = _PERCENT.sub("", text)
    sign, body = _sign(text)
    number = _read_unsigned(body) if body is not None else None
    if number is None or (sign > 0 and not percent and not currency):
        return number
    return replace(number, value=sign * number.value, percent=percent, currency=currency)


def _take_currency(text: str) -> tuple[str, str]:
    """Split a currency off either end; return the rest and the currency, empty if there is none."""
    if before := _BEFORE.match(text):
        return before[1] + text[before.end() :], CURRENCY[before[2]]
    if after := _AFTER.search(text):
        return text[: after.start()], CURRENCY[after[1]]
    return text, ""


def _sign(text: str) -> tuple[int, str | None]:
    """Return the sign (1 or -1) and the text without it and without brackets around it.

    The text is None where two signs follow each other: `--3` is not read.
    """
    text = text.strip()
    sign = 1
    for _ in range(2):  # a sign before the brackets and one inside them: -(-3)
        if text[:1] in ("-", "+"):
            sign, text = (-sign if text[0] == "-" else sign), text[1:].lstrip()
            if text[:1] in ("-", "+"):
                return sign, None
        while text[:1] + text[-1:] in ("()", "{}") and not re.search(r"[, ()]", text[1:-1]):
            text = text[1:-1].strip()
    return sign, text


def _read_unsigned(text: str) -> Number | None:
    if text.isdecimal():
        return Number(Fraction(int(text)))
    if match := _SCALED.fullmatch(text):
        amount, word, short_amount, letter = match.groups()
        return _times(_read_unsigned(amount or short_amount), SCALE[letter or word.lower()])
    if (match := _PLAIN.fullmatch(text)) and (match["whole"] or match["decimals"]):
        return _decimal(re.sub(r"\D", "", match["whole"] or "0"), match["decimals"] or "")
    if match := _MIXED.fullmatch(text):
        top, bottom = int(match["top"] or match["up"]), int(match["bottom"] or match["down"])
        if top >= bottom > 0:
            return None  # `3 7/2` is not a mixed number
        return Number(int(match["whole"]) + _over(top, bottom))
    if match := _FRACTION.fullmatch(text):
        return Number(_over(int(match["top"] or match["up"]), int(match["bottom"] or match["down"])))
    if match := _COMMA.fullmatch(text):  # after _PLAIN, which has taken `1,234` as thousands
        return _decimal(re.sub(r"\D", "", match["whole"]), match["decimals"])
    if (match := _SCIENTIFIC.fullmatch(text)) and abs(int(match["exponent"])) <= MAX_EXPONENT:
        whole, _, decimals = (match["mantissa"] or "1").partition(".")
        return _scaled(_decimal(whole or "0", decimals), int(match["exponent"]))
    if match := _REPEATING.fullmatch(text):
        return Number(_repeating(match))
    return None


def _decimal(whole: str, decimals: str) -> Number:
    """Return the number that has these digits before and after its point."""
    digits = len((whole + decimals).lstrip("0"))
    value = Fraction(int((whole or "0") + decimals), 10 ** len(decimals))
    return Number(value, len(decimals) or None, digits=digits)


def _scaled(number: Number, exponent: int) -> Number:
    """Return a number times a power of ten, which moves the place of its last digit."""
    decimals = None if number.decimals is None else number.decimals - exponent
    return replace(number, value=number.value * Fraction(10) ** exponent, decimals=decimals)


def _times(number: Number | None, factor: int) -> Number | None:
    """Return a number times the factor of a scale word; None for None."""
    if number is None:
        return None
    written = str(factor)
    if written.strip("0") == "1":  # a power of ten
        return _scaled(number, len(written) - 1)
    return replace(number, value=number.value * factor)  # a dozen and a score move no digits


def _repeating(match: re.Match[str]) -> Fraction:
    r"""Return the value of `0.1\overline{6}`, `0.1(6)` or `0.666\ldots`."""
    whole, lead = int(match["whole"] or 0), match["decimals"]
    block = match["bar"] or match["round"] or match["unit"]
    scale = 10 ** len(lead)
    return whole + Fraction(int(lead or 0), scale) + Fraction(int(block), scale * (10 ** len(block) - 1))


def _over(top: int, bottom: int) -> Fraction:
    if bottom == 0:
        raise DivisionByZero
    return Fraction(top, bottom)


def read_safely(text: str) -> Number | None:
    """Return what `read_number` returns, and None for a division by zero too."""
    try:
        return read_number(text)
    except DivisionByZero:
        return None
