r"""Tier 3, notations with rules of their own: number bases, clock times, ratios.

A base counts: `204_5` is neither `204` nor `204_7`. `2:30` and `14:30` are times if both sides read
so, and `2:3` and `4:6` one ratio.
"""

import re
from dataclasses import dataclass

_BASE_WORDS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
               "eleven": 11, "twelve": 12, "sixteen": 16, "bin": 2, "oct": 8, "dec": 10, "hex": 16}  # fmt: skip
_BASED = re.compile(
    r"(?P<sign>-?)\(?(?P<digits>[0-9A-Fa-f][0-9A-Fa-f ,]*(?:\.[0-9A-Fa-f]+)?)\)? ?"
    r"(?:_ ?\{? ?\(?(?P<sub>\d{1,2}|[a-z]{3,7})\)? ?\}?|,? ?\(?(?:in )?base[- ](?P<word>\d{1,2}|[a-z]{3,7})\)?)"
)
_PREFIXED = re.compile(r"(?P<sign>-?)0(?P<kind>[bBoOxX])(?P<digits>[0-9A-Fa-f]+)")


def read_base(text: str) -> tuple[int, str] | None:
    """Return (base, digits without leading zeros) of `1011_2`, `1F_{16}`, `12 (base 5)`, `0xFF`."""
    if match := _PREFIXED.fullmatch(text):
        base, digits = {"b": 2, "o": 8, "x": 16}[match["kind"].lower()], match["digits"]
    elif match := _BASED.fullmatch(text):
        named = match["sub"] or match["word"]
        base = int(named) if named.isdigit() else _BASE_WORDS.get(named, 0)
        digits = re.sub(r"[ ,]", "", match["digits"])
    else:
        return None
    if not 2 <= base <= 36 or any(int(digit, 36) >= base for digit in digits.replace(".", "")):
        return None
    return base, match["sign"] + (digits.lstrip("0") or "0").lower()


_TIME = re.compile(
    r"(?P<hour>\d{1,2})(?::(?P<minute>\d{2})(?::(?P<second>\d{2}))?)? ?(?P<half>[ap]\.? ?m\.?)?"
    r"|(?P<name>noon|midnight)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Clock:
    """A clock time; `half` is `a`, `p` or empty."""

    seconds: int
    half: str


def read_time(text: str) -> Clock | None:
    """Read `2:30`, `14:30`, `2:30 p.m.`, `3 PM`, `noon`."""
    match = _TIME.fullmatch(text)
    if match is None or not (match["minute"] or match["half"] or match["name"]):
        return None
    if match["name"]:
        return Clock(43200 if match["name"].lower() == "noon" else 0, "p" if match["name"].lower() == "noon" else "a")
    hour, minute, second = int(match["hour"]), int(match["minute"] or 0), int(match["second"] or 0)
    half = match["half"][0].lower() if match["half"] else ""
    if hour > 23 or minute > 59 or second > 59 or (half and not 1 <= hour <= 12):
        return None
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    return Clock(hour * 3600 + minute * 60 + second, half or ("p" if hour > 12 else ""))


def same_time(one: Clock, two: Clock) -> bool:
    """Compare two times; where only one says a.m. or p.m., `2:30` may be either."""
    if one.half and two.half:
        return one.seconds == two.seconds
    return one.seconds == two.seconds or (
        min(one.seconds, two.seconds) + 43200 == max(one.seconds, two.seconds) and "p" in (one.half, two.half)
    )


_TERM = r"[^:;,=<>|]{1,80}"
_RATIO = re.compile(rf"{_TERM}(?: ?: ?{_TERM})+|\d+(?:\.\d+)? to \d+(?:\.\d+)?(?: to \d+(?:\.\d+)?)*")


def read_ratio(text: str) -> tuple[str, ...] | None:
    """Return the terms of `2:3`, `2 to 3`, `1 : \\sqrt{3} : 2`; None if it is no ratio."""
    if (":" not in text and " to " not in text) or not _RATIO.fullmatch(text) or "\\{" in text:
        return None
    terms = tuple(term.strip() for term in re.split(r":| to ", text))
    return terms if all(re.search(r"[\d\\a-z]", term) for term in terms) else None
