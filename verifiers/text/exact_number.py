r"""Tier 2: exact numbers, read with `Fraction` and compared by the reference's form.

Read here: integers of any size, thousands (`1,234` `1 234` `1.234.567`), decimals (a comma too),
repeating decimals, fractions, mixed numbers, percent, currency, scientific notation, `2 million`, `12k`.

The reference decides the form. An exact reference is met by an equal value, or, if it is no whole
number, by a decimal that is right in every digit it shows and shows at least six significant
ones. A reference that is itself a decimal is met by whatever rounds to it. A percent sign matches
the fraction that it means and the bare number that it prints.
"""

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

from ..verdict import Judge, Reason, Verdict, said

ANSWER_CHARS = 1000
"""Longer answers are not evaluated. (Python itself refuses integers over 4,300 digits.)"""

SIGNIFICANT = 6
"""Digits that a decimal must show to stand for an exact value that it does not equal."""

MAX_EXPONENT = 400
"""Larger powers of ten are left to the algebra, which never writes them out."""


@dataclass(frozen=True, slots=True)
class Number:
    """An exact value with what its spelling promised."""

    value: Fraction
    decimals: int | None = None
    """Digits after the point of a decimal (fewer than 0: a power of ten); None for exact forms."""
    percent: bool = False
    currency: str = ""
    """`$`, `€`, ... or empty."""
    digits: int = 0
    """Significant digits that a decimal shows."""


CURRENCY = {
    "US$": "$", "$": "$", "USD": "$", "€": "€", "EUR": "€", "£": "£", "GBP": "£", "¥": "¥", "JPY": "¥",
    "₹": "₹", "INR": "₹", "Rs.": "₹", "Rs": "₹", "₩": "₩", "₽": "₽", "CHF": "CHF", "CAD": "CAD",
    "AUD": "AUD",
}  # fmt: skip
_SIGNS = "|".join(re.escape(sign) for sign in sorted(CURRENCY, key=len, reverse=True))
_BEFORE = re.compile(rf"([-+]?)\s*({_SIGNS})(?=[-\s\d.,\\(])\s*")
_AFTER = re.compile(r"\s*(?<![A-Za-z])([$€£¥₹₩₽]|USD|EUR|GBP|JPY|INR|CHF|CAD|AUD)$")
_PERCENT = re.compile(r"\s*(?:%|\bper\s?cent(?:age)?|\bpercents|\bpct\.?)$", re.IGNORECASE)

_GROUPS = (  # NFKC made thin spaces plain; 1.234.567; 1,23,456
    r"[1-9]\d{0,2}(?:(?P<mark>[, _'])\d{3}(?:(?P=mark)\d{3})*|(?:\.\d{3}){2,}"
    r"|(?:,\d{2})+,\d{3})"
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
    r"(?:(?P<mantissa>\d+(?:\.\d*)?|\.\d+)\s*(?:[eE]|(?:\\times|\\cdot|[*x])\s*10\s*(?:\^|\*\*)\s*)|10\s*(?:\^|\*\*)\s*)"
    r"(?P<brace>[{(])?\s*(?P<exponent>[-+]?\d{1,9})\s*(?(brace)[)}])"
)
SCALE = {
    "hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12, "lakh": 10**5,
    "crore": 10**7, "dozen": 12, "score": 20, "k": 10**3, "M": 10**6,
}  # fmt: skip
_SCALED = re.compile(rf"(.*\d) ?((?i:{'|'.join(word for word in SCALE if len(word) > 1)}))s?|(.*\d)([kM])")


class DivisionByZero(ValueError):
    """The text spells a fraction over zero: no value at all."""


@lru_cache(maxsize=4096)
def read_number(text: str) -> Number | None:
    """Read a normalised text (see `normal_form.py`) as a number; None if it is not one.

    Raises:
        DivisionByZero: a fraction with denominator 0.
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
    if before := _BEFORE.match(text):
        return before[1] + text[before.end() :], CURRENCY[before[2]]
    if after := _AFTER.search(text):
        return text[: after.start()], CURRENCY[after[1]]
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
        while text[:1] + text[-1:] in ("()", "{}") and not re.search(r"[, ()]", text[1:-1]):
            text = text[1:-1].strip()
    return sign, text


def _read_unsigned(text: str) -> Number | None:
    if text.isdigit():
        return Number(Fraction(int(text)))
    if match := _SCALED.fullmatch(text):
        return _times(_read_unsigned(match[1] or match[3]), SCALE[(match[2] or "").lower() or match[4]])
    if (match := _PLAIN.fullmatch(text)) and (match["whole"] or match["decimals"]):
        return _decimal(re.sub(r"\D", "", match["whole"] or "0"), match["decimals"] or "")
    if match := _MIXED.fullmatch(text):
        whole, top, bottom = (
            int(match["whole"]),
            int(match["top"] or match["up"]),
            int(match["bottom"] or match["down"]),
        )
        return Number(whole + _over(top, bottom)) if top < bottom or not bottom else None
    if match := _FRACTION.fullmatch(text):
        return Number(_over(int(match["top"] or match["up"]), int(match["bottom"] or match["down"])))
    if match := _COMMA.fullmatch(text):
        return _decimal(re.sub(r"\D", "", match["whole"]), match["decimals"])
    if (match := _SCIENTIFIC.fullmatch(text)) and abs(int(match["exponent"])) <= MAX_EXPONENT:
        whole, _, decimals = (match["mantissa"] or "1").partition(".")
        return _scaled(_decimal(whole or "0", decimals), int(match["exponent"]))
    if match := _REPEATING.fullmatch(text):
        return Number(_repeating(match))
    return None


def _decimal(whole: str, decimals: str) -> Number:
    digits = len((whole + decimals).lstrip("0"))
    value = Fraction(int((whole or "0") + decimals), 10 ** len(decimals))
    return Number(value, len(decimals) or None, digits=digits)


def _scaled(number: Number, exponent: int) -> Number:
    value = number.value * Fraction(10) ** exponent
    return replace(
        number, value=value, decimals=None if number.decimals is None else number.decimals - exponent
    )


def _times(number: Number | None, factor: int) -> Number | None:
    """Return `1.5` million: as many decimals as the power of ten leaves."""
    if number is None:
        return None
    places = len(str(factor)) - 1 if str(factor).strip("0") == "1" else 0
    decimals = None if number.decimals is None else number.decimals - places
    return replace(number, value=number.value * factor, decimals=decimals)


def _repeating(match: re.Match[str]) -> Fraction:
    whole, lead = int(match["whole"] or 0), match["decimals"]
    block = match["bar"] or match["round"] or match["unit"]
    scale = 10 ** len(lead)
    return whole + Fraction(int(lead or 0), scale) + Fraction(int(block), scale * (10 ** len(block) - 1))


def _over(top: int, bottom: int) -> Fraction:
    if bottom == 0:
        raise DivisionByZero
    return Fraction(top, bottom)


def same_number(reference: Number, answer: Number) -> bool:
    """Say whether `answer` meets `reference` by the policy of the module."""
    if reference.percent == answer.percent:
        return _meets(reference, answer, reference.value, answer.value)
    # The number that it prints; below 1 that would be another fraction: 0.5 is no 0.5 %.
    if abs(reference.value) >= 1 and _meets(reference, answer, reference.value, answer.value):
        return True
    # One of them is a percentage: as the fraction that it means.
    r, a = (n.value / 100 if n.percent else n.value for n in (reference, answer))
    shift = 2 * int(answer.percent)  # 33.3% shows three decimals of the fraction
    shifted = None if answer.decimals is None else max(answer.decimals + shift, 0)
    return r == a or _meets(reference, replace(answer, decimals=shifted), r, a)


def _meets(reference: Number, answer: Number, r: Fraction, a: Fraction) -> bool:
    if r == a:
        return True
    if reference.decimals is not None:
        scale = Fraction(10) ** reference.decimals * (
            100 if reference.percent and not answer.percent and r != reference.value else 1
        )
        return abs(r - a) * 2 * scale <= 1
    return r.denominator != 1 and stands_for(answer, a, r)


def stands_for(answer: Number, value: Fraction, exact: Fraction) -> bool:
    """Whether a decimal shows enough digits of an exact value, each of them right.

    Cut off or rounded, so within one unit of the last place.
    """
    if answer.decimals is None or answer.digits < SIGNIFICANT:
        return False
    error = (value - exact) * Fraction(10) ** answer.decimals
    if 15 <= answer.digits <= 17 and abs(value - exact) < abs(exact) * 3 / 10**16:
        return True  # what a double prints
    return abs(error) * 2 <= 1 or (abs(value) < abs(exact) and abs(error) < 1)


_SHORT_COMMA = re.compile(r"[-+]?\d*[1-9]\d*,\d")


def read_safely(text: str) -> Number | None:
    """Read a number; what divides by zero is none."""
    try:
        return read_number(text)
    except DivisionByZero:
        return None


def compare(reference: str, answer: str, judge: Judge) -> Verdict | None:
    """Compare two numbers; None if one of them is none.

    A reference such as `2,5` is a list: one digit behind a comma is no decimal there.
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
    return said(same_number(target, given), reference=str(target.value), answer=str(given.value))
