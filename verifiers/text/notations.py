r"""Tier 3, notations with rules of their own: bases, clock times, ratios, remainders, congruences.

A base counts: `204_5` is neither `204` nor `204_7`, though it is `54_{10}`. `2:30` and `14:30` are
times, `2:3` and `4:6` one ratio, `17 R 3` a quotient with a remainder.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..verdict import Judge, Verdict, said
from .lexicon import UNITS as NUMBER_WORDS

_BASE_WORDS = {
    **{word: value for word, value in NUMBER_WORDS.items() if 2 <= value <= 12},
    "sixteen": 16, "bin": 2, "oct": 8, "dec": 10, "hex": 16,
}  # fmt: skip
_DIGITS = r"(?:\d[0-9A-Fa-f]*(?:[ ,][0-9A-Fa-f]{3,4})*|[A-Fa-f][0-9A-Fa-f]+)(?:\.[0-9A-Fa-f]+)?"
_BASED = re.compile(
    rf"(?P<sign>-?)\(?(?P<digits>{_DIGITS})\)? ?"
    r"(?:_ ?\{? ?\(?(?P<sub>\d{1,2}|[a-z]{3,7})\)? ?\}?|,? ?\(?(?:in )?base[- ](?P<word>\d{1,2}"
    r"|[a-z]{3,7})\)?)"
)
MAX_DIGITS = 1000
_PREFIXED = re.compile(r"(?P<sign>-?)0(?P<kind>[bBoOxX])(?P<digits>[0-9A-Fa-f]+)")


def compare(reference: str, answer: str, judge: Judge) -> Verdict | None:
    """Compare where one side is in one of the notations; None where none is."""
    congruent = _congruence(reference), _congruence(answer)
    if congruent != (None, None):
        one, two = congruent
        return said(one is not None and two is not None and _same_congruence(one, two, judge))
    divided = _remainder(reference), _remainder(answer)
    if divided != (None, None):
        return said(divided[0] == divided[1])
    based, other = read_base(reference), read_base(answer)
    if based is not None and other is not None:
        return said(_same_base(based, other))
    if based is not None:
        return _one_base(based, answer, judge, flipped=False)
    if other is not None:
        return _one_base(other, reference, judge, flipped=True)
    times = _times(reference, answer)
    return _ratios(reference, answer, judge) if times is None else times


def read_base(text: str) -> tuple[int, str] | None:
    """Return (base, digits without leading zeros) of `1011_2`, `1F_{16}`, `12 (base 5)`, `0xFF`."""
    if match := _PREFIXED.fullmatch(text):
        base, digits = {"b": 2, "o": 8, "x": 16}[match["kind"].lower()], match["digits"]
    elif match := _BASED.fullmatch(text):
        named = match["sub"] or match["word"]
        base = int(named) if named.isdigit() else _BASE_WORDS.get(named, 0)
        digits = re.sub(r"[ ,]", "", match["digits"])
        if match["sub"] and digits[0].isalpha() and base != 16:
            return None  # a_{12} is an element of a sequence
    else:
        return None
    if (
        not 2 <= base <= 36
        or len(digits) > MAX_DIGITS
        or any(int(digit, 36) >= base for digit in digits.replace(".", ""))
    ):
        return None
    return base, match["sign"] + (digits.lstrip("0") or "0").lower()


def _same_base(one: tuple[int, str], two: tuple[int, str]) -> bool:
    if "." in one[1] + two[1]:
        return one == two
    return int(one[1], one[0]) == int(two[1], two[0])


def _one_base(based: tuple[int, str], plain: str, judge: Judge, *, flipped: bool) -> Verdict:
    """Compare a number in a base with one that shows none: decimal ones only are alike."""
    if based[0] != 10:
        return said(False)
    return judge(plain, based[1]) if flipped else judge(based[1], plain)


_CONGRUENCE = re.compile(
    r"(?:(?P<left>[^=<>]*?) ?(?:\\equiv|=) ?)?(?P<right>[^=<>]+?) ?\\pmod ?\{(?P<modulus>\w+)\}"
)


def _congruence(text: str) -> tuple[str, str, str] | None:
    r"""Return (left, right, modulus) of `p \equiv 1 \pmod 4`."""
    match = _CONGRUENCE.fullmatch(text) if "pmod" in text else None
    return (
        None if match is None else ((match["left"] or "").strip(), match["right"].strip(), match["modulus"])
    )


def _same_congruence(one: tuple[str, str, str], two: tuple[str, str, str], judge: Judge) -> bool:
    if one[2] != two[2] or (one[0] and two[0] and one[0].replace(" ", "") != two[0].replace(" ", "")):
        return False
    residues = [re.fullmatch(r"-?\d{1,30}", side[1]) for side in (one, two)]
    if all(residues) and one[2].isdigit() and int(one[2]):
        return (int(one[1]) - int(two[1])) % int(one[2]) == 0
    return judge(one[1], two[1]).correct is True


_REMAINDER = re.compile(r"(\d{1,30}),? ?(?:R|r|remainder|rem\.?|with (?:a )?remainder(?: of)?) ?(\d{1,30})")


def _remainder(text: str) -> tuple[int, int] | None:
    """Return (quotient, remainder) of `17 R 3`."""
    match = _REMAINDER.fullmatch(text)
    return None if match is None else (int(match[1]), int(match[2]))


_TIME = re.compile(
    r"(?P<hour>\d{1,2})(?::(?P<minute>\d{2})(?::(?P<second>\d{2}))?)?(?P<clock> o'clock)?"
    r" ?(?P<half>[ap]\.? ?m\.?)?"
    r"|(?:12 )?(?P<name>noon|midnight)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Clock:
    """A clock time, in seconds from midnight."""

    seconds: int
    either: bool
    """It may be a.m. or p.m.: an hour from 1 to 12 without either."""


def read_time(text: str) -> Clock | None:
    """Read `2:30`, `14:30`, `2:30 p.m.`, `3 PM`, `3 o'clock`, `noon`."""
    match = _TIME.fullmatch(text)
    if match is None or not (match["minute"] or match["half"] or match["name"] or match["clock"]):
        return None
    if match["name"]:
        return Clock(43200 if match["name"].lower() == "noon" else 0, either=False)
    hour, minute, second = int(match["hour"]), int(match["minute"] or 0), int(match["second"] or 0)
    half = match["half"][0].lower() if match["half"] else ""
    if hour > 23 or minute > 59 or second > 59 or (half and not 1 <= hour <= 12):
        return None
    either = not half and 1 <= hour <= 12 and not match["hour"].startswith("0")
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    return Clock(hour * 3600 + minute * 60 + second, either)


def same_time(one: Clock, two: Clock) -> bool:
    """Compare two times; where one says neither a.m. nor p.m., `2:30` may be either."""
    return one.seconds == two.seconds or (
        one.either != two.either and one.seconds % 43200 == two.seconds % 43200
    )


def _times(reference: str, answer: str) -> Verdict | None:
    """Compare times; what only may be one (`2:30`) is a ratio against a ratio."""
    one, two = read_time(reference), read_time(answer)
    if one is not None and two is not None:
        return said(same_time(one, two))
    if two is not None and not two.either:
        return said(False)
    return said(False) if one is not None and not (one.either and _in_lowest_terms(reference)) else None


def _in_lowest_terms(text: str) -> bool:
    """Whether `3:20` may be a ratio too: `4:30`, which is 2:15, is a time."""
    terms = re.fullmatch(r"(\d+):(\d+)", text)
    return terms is not None and terms[2][0] != "0" and math.gcd(int(terms[1]), int(terms[2])) == 1


_OUTSIDE_RATIOS = re.compile(r"[;,=<>|]|\\\{|[ap]\.?m\b")
_SPOKEN_RATIO = re.compile(r"\d+(?:\.\d+)? to \d+(?:\.\d+)?(?: to \d+(?:\.\d+)?)*")
MAX_TERMS = 12


def read_ratio(text: str) -> tuple[str, ...] | None:
    r"""Return the terms of `2:3`, `2 to 3`, `1 : \sqrt{3} : 2`; None if it is no ratio."""
    if ":" in text and _OUTSIDE_RATIOS.search(text) is None:
        terms = tuple(term.strip() for term in text.split(":"))
    elif " to " in text and _SPOKEN_RATIO.fullmatch(text):
        terms = tuple(text.split(" to "))
    else:
        return None
    if not 2 <= len(terms) <= MAX_TERMS or any(re.match(r"0\d", term) for term in terms):
        return None  # 7:05 is a time
    return terms if all(re.search(r"[\d\\a-z]", term) and len(term) <= 80 for term in terms) else None


def _ratios(reference: str, answer: str, judge: Judge) -> Verdict | None:
    one, two = read_ratio(reference), read_ratio(answer)
    if one is None and two is None:
        return None
    if one is not None and two is not None:
        return said(_same_ratio(one, two, judge))
    terms, plain = (one, answer) if one is not None else (two, reference)
    if terms is None or len(terms) != 2 or read_time(reference if one is not None else answer) is not None:
        return said(False)
    quotient = f"({terms[0]})/({terms[1]})"
    return judge(quotient, plain) if one is not None else judge(plain, quotient)


def _same_ratio(one: Sequence[str], two: Sequence[str], judge: Judge) -> bool:
    """Compare two ratios term by term, across: a : b = c : d where ad = bc, and 0 stands against 0."""
    if len(one) != len(two):
        return False
    if any("ldots" in term for term in (*one, *two)):
        return all(judge(a, b).correct is True for a, b in zip(one, two, strict=True))
    zeros = [[judge("0", term).correct is True for term in terms] for terms in (one, two)]
    if zeros[0] != zeros[1] or all(zeros[0]):
        return False
    at = zeros[0].index(False)
    return all(
        judge(f"({a})*({two[at]})", f"({b})*({one[at]})").correct is True
        for a, b in zip(one, two, strict=True)
    )
