"""Clock times and dates: `2:30 p.m.` and `14:30`, `March 14, 2025` and `14 March 2025`."""

import math
import re
from dataclasses import dataclass

from ..verdict import Verdict, equal_or_different

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = r"(?P<month{}>jan|feb|mar|apr|may|jun|jul|aug|sept?|oct|nov|dec)[a-z]{{0,6}}\.?"
_DATE = re.compile(
    rf"{_MONTH.format('')} (?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?:,? (?P<year>\d{{4}}))?"
    rf"|(?P<first>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? {_MONTH.format('_after')}(?:,? "
    rf"(?P<year_after>\d{{4}}))?",
    re.IGNORECASE,
)


_NUMERIC_DATE = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})|(\d{1,2})/(\d{1,2})/(\d{4})")
"""Matches `2024-01-15` and, with the month first, `01/15/2024`."""
_RANGE = re.compile(
    r"(?P<low>[$€£]?\d[\d,.]*(?<![,.]))[-–](?P<high>[$€£]?\d[\d,.]*)(?: ?(?P<unit>[A-Za-z]{3,}|%))?"
)
"""Matches a range or a score: `10-15 minutes`, `1914-1918`, `3-2`."""


def _same_range(one: re.Match[str], two: re.Match[str] | None) -> Verdict:
    """Compare two ranges by their ends; a unit that only one of them has is ignored."""
    if two is None:
        return equal_or_different(False)
    units = {one["unit"], two["unit"]} - {None}
    return equal_or_different((one["low"], one["high"]) == (two["low"], two["high"]) and len(units) < 2)


def _date(text: str) -> tuple[int, int, str] | None:
    """Return the month, the day and the year (or an empty text) of `March 14, 2025` or `14 March`."""
    if text[:1].isdigit() and text[-1:].isdigit() and (numeric := _NUMERIC_DATE.fullmatch(text)) is not None:
        year, month, day = numeric.group(1, 2, 3) if numeric[1] else numeric.group(6, 4, 5)
        return (int(month) - 1, int(day), year) if 1 <= int(month) <= 12 and 1 <= int(day) <= 31 else None
    match = _DATE.fullmatch(text) if len(text) < 30 and " " in text else None
    if match is None:
        return None
    month = (match["month"] or match["month_after"])[:3].lower()
    return (
        _MONTHS.index(month),
        int(match["day"] or match["first"]),
        match["year"] or match["year_after"] or "",
    )


_TIME = re.compile(
    r"(?P<hour>\d{1,2})(?::(?P<minute>\d{2})(?::(?P<second>\d{2}))?)?(?P<clock> o'clock)?"
    r" ?(?P<half>[ap]\.? ?m\.?)?"
    r"|(?:12 )?(?P<name>noon|midnight)",
    re.IGNORECASE,
)
_HALF_DAY = 12 * 3600


@dataclass(frozen=True)
class Clock:
    """A clock time."""

    seconds: int
    """From midnight, 0 to 86,399."""
    either: bool
    """Whether it may be a.m. or p.m.: its hour is from 1 to 12, and neither is given."""


def read_time(text: str) -> Clock | None:
    """Read `2:30`, `14:30`, `2:30 p.m.`, `3 PM`, `3 o'clock` or `noon`; None for other texts."""
    match = _TIME.fullmatch(text)
    if match is None or not (match["minute"] or match["half"] or match["name"] or match["clock"]):
        return None
    if match["name"]:
        return Clock(_HALF_DAY if match["name"].lower() == "noon" else 0, either=False)
    hour, minute, second = int(match["hour"]), int(match["minute"] or 0), int(match["second"] or 0)
    half = match["half"][0].lower() if match["half"] else ""
    if hour > 23 or minute > 59 or second > 59 or (half and not 1 <= hour <= 12):
        return None
    either = not half and 1 <= hour <= 12 and not match["hour"].startswith("0")
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    return Clock(hour * 3600 + minute * 60 + second, either)


def same_time(one: Clock, two: Clock) -> bool:
    """Return whether two times are the same; if only one says a.m. or p.m., the other may be either."""
    if one.seconds == two.seconds:
        return True
    return one.either != two.either and one.seconds % _HALF_DAY == two.seconds % _HALF_DAY


def compare_times(reference: str, answer: str) -> Verdict | None:
    """Compare dates or clock times; None if neither side is surely one: `3:20` may also be a ratio."""
    date = _date(reference)
    other_date = _date(answer) if date is not None else None
    if date is not None and (other_date is not None or date[2]):
        return equal_or_different(date == other_date)
    ends = _RANGE.fullmatch(reference) if "-" in reference[1:] else None
    if ends is not None:
        return _same_range(ends, _RANGE.fullmatch(answer))
    one, two = read_time(reference), read_time(answer)
    if one is not None and two is not None:
        return equal_or_different(same_time(one, two))
    if two is not None and re.fullmatch(r"\d{1,2}", reference) and two.seconds % 3600 == 0:
        return equal_or_different(int(reference) in (two.seconds // 3600, two.seconds // 3600 % 12 or 12))
    if two is not None and not two.either:
        return equal_or_different(False)
    if one is not None and not (one.either and _in_lowest_terms(reference)):
        return equal_or_different(False)
    return None


def _in_lowest_terms(text: str) -> bool:
    """Return whether a text may be a reduced ratio: `3:20` may be, `4:30` would be 2:15."""
    terms = re.fullmatch(r"(\d+):(\d+)", text)
    return terms is not None and terms[2][0] != "0" and math.gcd(int(terms[1]), int(terms[2])) == 1
