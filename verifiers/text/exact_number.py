r"""The `number` tier: exact numbers, read as fractions and compared by the form of the reference.

It reads integers of any size, thousands (`1,234` `1 234` `1.234.567`), decimals with a point or a comma,
repeating decimals, fractions, mixed numbers, percent, currency, scientific notation, and scale words
(`2 million`, `12k`).

The form of the reference decides how exact an answer must be (`same_number`):

- An exact reference (an integer, a fraction) accepts an equal value. Unless it is a whole number, it also
  accepts a decimal with at least six significant digits, all of them right (`stands_for`).
- A decimal reference accepts every value that rounds to it. **Half-way values round both ways**: 0.335 is
  accepted for the reference 0.34 and also for 0.33. The answer 0.34 is not accepted for the reference 0.335,
  which has three decimals. `_accepts` decides this.
- A percentage equals the fraction that it means (50% and 0.5) and, from 1 up, the number that it prints
  (50% and 50, but not 0.5% and 0.5).
"""

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

from ..verdict import Judge, Reason, Verdict, equal_or_different

ANSWER_CHARS = 1000
"""Longer answers are not evaluated. (Python itself does not read integers of more than 4,300 digits.)"""
SIGNIFICANT = 6
"""Significant digits that a decimal must show to stand for an exact value that it does not equal."""
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
    "US$": "$", "$": "$", "USD": "$", "€": "€", "EUR": "€", "£": "£", "GBP": "£", "¥": "¥", "JPY": "¥",
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
_COMMA = re.compile(r"(?P<whole>0|[1-9]\d{0,2}(?:[. ]\d{3})*|\d+),(?P<decimals>\d+)")
_REPEATING = re.compile(
    r"(?P<whole>\d*)\.(?P<decimals>\d*?)(?:\\(?:overline|bar|dot) ?\{?(?P<bar>\d+)\}?|\((?P<round>\d+)\)"
    r"|(?P<dots>(?P<unit>\d{1,6}?)(?P=unit)+) ?\\ldots)"
)
_PART = r"[-+]?\d+"
_FRACTION = re.compile(
    rf"(?P<top>{_PART})\s*(?:/|out of)\s*(?P<bottom>{_PART})"
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
    if text.isdigit():
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


def same_number(reference: Number, answer: Number) -> bool:
    """Return whether an answer is accepted for a reference, by the rules at the top of this file.

    >>> half_way = read_number("0.335")
    >>> same_number(read_number("0.33"), half_way), same_number(read_number("0.34"), half_way)
    (True, True)
    >>> same_number(half_way, read_number("0.34"))  # the reference shows three decimals
    False
    """
    if reference.percent == answer.percent:
        return _accepts(reference, answer, reference.value, answer.value)
    # One of the two is a percentage. It may mean the number that it prints, but not below 1: there the
    # bare number is a fraction of its own, and 0.5 is not 0.5%.
    if abs(reference.value) >= 1 and _accepts(reference, answer, reference.value, answer.value):
        return True
    expected = reference.value / 100 if reference.percent else reference.value
    value = answer.value / 100 if answer.percent else answer.value
    if expected == value:
        return True
    decimals = answer.decimals
    if decimals is not None:  # 33.3% shows three decimals of the fraction 0.333
        decimals = max(decimals + (2 if answer.percent else 0), 0)
    return _accepts(reference, replace(answer, decimals=decimals), expected, value)


def _accepts(reference: Number, answer: Number, expected: Fraction, value: Fraction) -> bool:
    """Return whether a value is accepted for the expected one, by the forms in which both are written.

    The values are arguments of their own, because a percentage may mean a hundredth of the number it prints.
    """
    if expected == value:
        return True
    if reference.decimals is not None:
        scale = Fraction(10) ** reference.decimals
        if reference.percent and not answer.percent and expected != reference.value:
            scale *= 100  # the reference 33.3% is compared as 0.333, whose last digit is two places lower
        # At most half a unit of the reference's last digit: `<=`, so that half-way values round both ways.
        return abs(expected - value) * 2 * scale <= 1
    return expected.denominator != 1 and stands_for(answer, value, expected)


def stands_for(answer: Number, value: Fraction, exact: Fraction) -> bool:
    """Return whether a decimal shows enough digits of an exact value, all of them right.

    The last digit may be rounded (an error of at most half a unit) or cut off (less than one unit).
    """
    if answer.decimals is None or answer.digits < SIGNIFICANT:
        return False
    error = (value - exact) * Fraction(10) ** answer.decimals
    if 15 <= answer.digits <= 17 and abs(value - exact) < abs(exact) * 3 / 10**16:
        return True  # printed from a double, whose last digits carry rounding errors (epsilon is 2.2e-16)
    return abs(error) * 2 <= 1 or (abs(value) < abs(exact) and abs(error) < 1)


def read_safely(text: str) -> Number | None:
    """Return what `read_number` returns, and None for a division by zero too."""
    try:
        return read_number(text)
    except DivisionByZero:
        return None


_SHORT_COMMA = re.compile(r"[-+]?\d*[1-9]\d*,\d")


def compare(reference: str, answer: str, judge: Judge) -> Verdict | None:
    """Compare two numbers; None if either side is not a number.

    The reference `2,5` is a list: before a single digit, a comma is decimal only after a zero, as in `0,5`.
    """
    try:
        target = None if _SHORT_COMMA.fullmatch(reference) else read_number(reference)
    except DivisionByZero:
        return Verdict(None, Reason.UNPARSABLE_REFERENCE)
    if target is None:
        return None
    if len(answer) > ANSWER_CHARS:
        return Verdict(False, Reason.TOO_LARGE)
    try:
        given = read_number(answer)
    except DivisionByZero:
        return Verdict(False, Reason.UNPARSABLE_ANSWER)
    if given is None:
        return None
    degrees = "circ" in reference or "circ" in answer
    if target.currency != given.currency and target.currency and given.currency:
        return Verdict(False, Reason.UNITS_DIFFER)
    if target.percent != given.percent and (target.currency or given.currency or degrees):
        return Verdict(False, Reason.UNITS_DIFFER)
    values = {"reference": str(target.value), "answer": str(given.value)}
    return equal_or_different(same_number(target, given), **values)
