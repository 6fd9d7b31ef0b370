r"""Reading descriptions of sets of real numbers: intervals, unions, inequalities, exceptions.

`-2 < x \le 7`, `x \in (-2, 7]`, `(-2, 7]` and `\{x \mid -2 < x \le 7\}` describe the same set. What they are
read into, and how two sets are compared, is in `intervals.py`.
"""

import re
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from ..formulas.equality import real_constant
from ..formulas.parser import parse
from ..formulas.tokens import Unreadable
from ..spelling.latex_names import IN_REAL_LINE, REAL_LINE
from .intervals import REAL_NUMBERS, Piece, Region, complement, intersection, merged
from .outline import FLIPPED, Shape, is_relation, read_shape, split_at

_LETTER = re.compile(r"(?:[A-Za-z]|\\(?!in|le|ge|pi|ne)[a-z]+)(?:_\{?[A-Za-z0-9,+-]+\}?)?'*")
_INFINITE = re.compile(r"([-+]?) ?(?:\\infty|infty|infinity|inf|oo)", re.IGNORECASE)
_REALS = re.compile(
    rf"{REAL_LINE}|\\R|(?:the )?(?:set of )?all (?:the )?real(?:s| numbers)"
    r"|\( ?-\\infty ?, ?\+?\\infty ?\)"
)
_HALF_REALS = re.compile(
    REAL_LINE + r" ?(?:\^|_) ?\{? ?(?P<sign>[+-]|> ?0|< ?0) ?\}?|(?:all )?(?P<word>positive"
    r"|negative) real(?:s| numbers)"
)
_EXCEPT = re.compile(
    r"(?P<whole>.+?),? ?(?:\\setminus|\\backslash|-|\\|except(?: for)?|other than"
    r"|excluding) ?(?:\\\{(?P<set>.*)\\\}|\{(?P<plain>.*)\}|(?P<bare>[-\d\\].*))"
)
_SETMINUS = re.compile(
    r"\\(?:setminus|backslash)(?![a-z])|(?<=[)\]}])\s?\\(?=\s?[(\[\\{])|(?<=[)\]}])\s?-(?=\s?\\\{)"
)
_ORDER = ("<", ">", r"\le", r"\ge")


def is_region(text: str) -> bool:
    """Return whether a text must be a set of real numbers; `(1, 2)` may also be a point."""
    if _REALS.fullmatch(text) or _HALF_REALS.fullmatch(text) or _from_exceptions(text) is not None:
        return True
    shape = read_shape(text)
    if shape is None:
        return False
    if shape.kind == "relation":
        return any(mark in (*_ORDER, r"\ne", r"\in") for mark in shape.marks)
    if shape.kind == "list":
        return any(is_relation(item) and is_region(item) for item in shape.items)
    is_set_builder = shape.kind == "set" and len(shape.items) == 1 and ("|" in text or ":" in text)
    return shape.kind == "union" or is_set_builder


def read_region(text: str, *, loose: bool = True) -> Region | None:
    r"""Read inequalities, intervals, unions or `x \in ...` as a set of real numbers; else return None.

    >>> [piece] = read_region(r"-2 < x \le 7").pieces
    >>> piece.low, piece.high, piece.low_open, piece.high_open
    (Fraction(-2, 1), Fraction(7, 1), True, False)

    Args:
        text: a normalised text.
        loose: whether a pair in brackets, `(1, 2)`, is read as an interval.

    Raises:
        TooLarge: evaluating an endpoint would exceed a limit.
    """
    if _REALS.fullmatch(text):
        return REAL_NUMBERS
    if half := _HALF_REALS.fullmatch(text):
        is_positive = half["sign"] in ("+", ">0", "> 0") or half["word"] == "positive"
        return _half_line("", ">" if is_positive else "<", Fraction(0), "0")
    without_points = _from_exceptions(text)
    if without_points is not None:
        return without_points
    shape = read_shape(text)
    if shape is None:
        return None
    if shape.kind == "relation":
        return _from_relation(shape)
    if shape.kind == "list":
        return _from_list(shape)
    if shape.kind == "union":
        return _union([read_region(item) for item in shape.items])
    if shape.kind == "set":
        return _from_set(shape)
    if shape.kind == "bracket" and loose and len(shape.items) == 2 and "<" not in shape.marks:
        return _interval(shape.items[0], shape.items[1], shape.marks[0] != "[", shape.marks[1] != "]")
    return None


def constant_of(text: str) -> Fraction | None:
    r"""Return the value of a real constant, to 50 digits if it is irrational; None for other texts.

    >>> constant_of(r"\frac{1}{2} + 1"), constant_of("x + 1")
    (Fraction(3, 2), None)

    Raises:
        TooLarge: evaluating the text would exceed a limit.
    """
    try:
        return real_constant(parse(text))
    except (Unreadable, ArithmeticError):
        return None


def _union(regions: Sequence[Region | None], variable: str = "") -> Region | None:
    """Return the union of regions; None if one of them is None."""
    pieces: list[Piece] = []
    for region in regions:
        if region is None:
            return None
        pieces += region.pieces
    return merged(pieces, variable)


def _interval(low: str, high: str, low_open: bool, high_open: bool, variable: str = "") -> Region | None:
    """Return the interval between two texts; None if they are not its ends in this order."""
    bottom = _end(low, "-", is_open=low_open)
    if bottom is None:
        return None
    top = _end(high, "", is_open=high_open)
    if top is None:
        return None
    (first, low_text), (last, high_text) = bottom, top
    if first is not None and last is not None and first > last:
        return None
    return Region((Piece(first, last, low_open, high_open, (low_text, high_text)),), variable)


def _end(text: str, sign: str, *, is_open: bool) -> tuple[Fraction | None, str] | None:
    """Return the value and the text of an interval's end, (None, "") for infinity, or None for other texts.

    Infinity must have the given sign (`-` or nothing), and its end of the interval must be open.
    """
    if infinite := _INFINITE.fullmatch(text):
        is_fitting = infinite[1].replace("+", "") == sign and is_open
        return (None, "") if is_fitting else None
    value = constant_of(text)
    return None if value is None else (value, text)


_MEMBER = re.compile(rf"[A-Za-z](?:{IN_REAL_LINE})?")


def _from_set(shape: Shape) -> Region | None:
    r"""Read `\{x \mid x > 3\}` by its condition, and `\{1, 2\}` as points."""
    parts, _ = split_at(", ".join(shape.items), re.compile(r"\||:(?!=)"))
    if len(parts) == 2:
        if not _MEMBER.fullmatch(parts[0]):
            return None
        condition = re.sub(rf",? ?[a-z]{IN_REAL_LINE}$", "", parts[1])
        return read_region(condition, loose=False)
    pieces = []
    for item in shape.items:
        value = constant_of(item)
        if value is None:
            return None
        pieces.append(Piece(value, value, False, False, (item, item)))
    return merged(pieces) if pieces else None


def _from_relation(shape: Shape) -> Region | None:
    r"""Read `x \in (1, 2)`, `x < 3`, `3 > x` or `1 < x \le 2`."""
    items, marks = shape.items, shape.marks
    if marks == (r"\in",):
        inner = read_region(items[1])
        if inner is None or not _LETTER.fullmatch(items[0]):
            return None
        return Region(inner.pieces, items[0])
    if any(mark not in (*_ORDER, r"\ne") for mark in marks):
        return None
    if len(items) == 2:
        if not _is_variable(items[0]) and _is_variable(items[1]):
            items, marks = items[::-1], (FLIPPED.get(marks[0], marks[0]),)
        return _from_one_sign(items[0], marks[0], items[1])
    if len(items) != 3 or not _LETTER.fullmatch(items[1]) or r"\ne" in marks:
        return None
    if marks[0] in (">", r"\ge"):
        items, marks = items[::-1], tuple(FLIPPED[mark] for mark in marks[::-1])
    if any(mark not in ("<", r"\le") for mark in marks):
        return None
    return _interval(items[0], items[2], marks[0] == "<", marks[1] == "<", items[1])


_ABSOLUTE = re.compile(r"\| ?(?P<letter>[A-Za-z]) ?(?:(?P<sign>[-+]) ?(?P<shift>[^|]+?))? ?\|")


def _is_variable(text: str) -> bool:
    return _LETTER.fullmatch(text) is not None or _ABSOLUTE.fullmatch(text) is not None


def _from_one_sign(left: str, mark: str, right: str) -> Region | None:
    r"""Read `x < 3`, `x \ne \pm 1` or `|x - 1| \le 2`."""
    if mark == r"\ne":
        shape = read_shape(right)
        has_parts = shape is not None and shape.kind in ("plus_minus", "list", "set")
        points = shape.items if shape is not None and has_parts else (right,)
        return _real_line_without(points, left) if _LETTER.fullmatch(left) else None
    value = constant_of(right)
    if value is None:
        return None
    if _LETTER.fullmatch(left):
        return _half_line(left, mark, value, right)
    absolute = _ABSOLUTE.fullmatch(left)
    if absolute is None or value < 0:
        return None
    return _from_absolute_value(absolute, mark, value, right)


def _from_absolute_value(absolute: re.Match[str], mark: str, radius: Fraction, text: str) -> Region | None:
    r"""Read `|x - 1| \le 2` as an interval and `|x - 1| > 2` as two half-lines."""
    variable = absolute["letter"]
    middle = constant_of(f"-({absolute['sign'] or ''}{absolute['shift'] or 0})")
    if middle is None:
        return None
    if max(middle.denominator, radius.denominator) < 10**12:
        low, high = str(middle - radius), str(middle + radius)
    else:  # the value of an irrational number, which its text gives exactly
        low, high = f"{middle}-({text})", f"{middle}+({text})"
    if mark in ("<", r"\le"):
        return _interval(low, high, mark == "<", mark == "<", variable)
    below = _interval(r"-\infty", low, True, mark == ">")
    above = _interval(high, r"\infty", mark == ">", True)
    return _union([below, above], variable)


def _half_line(variable: str, mark: str, value: Fraction, text: str) -> Region:
    is_open = mark in ("<", ">")
    if mark in ("<", r"\le"):
        return Region((Piece(None, value, True, is_open, ("", text)),), variable)
    return Region((Piece(value, None, is_open, True, (text, "")),), variable)


def _from_list(shape: Shape) -> Region | None:
    r"""Read `x < 1 or x > 3` as a union, `x > 1 and x < 3` as an intersection, `x \ne 1, 2` as exceptions."""
    first = read_shape(shape.items[0])
    if first is not None and first.kind == "relation" and first.marks == (r"\ne",):
        points = [first.items[1], *(item for item in shape.items[1:] if read_shape(item) is None)]
        if len(points) == len(shape.items) and _LETTER.fullmatch(first.items[0]):
            return _real_line_without(points, first.items[0])
    found = [read_region(item, loose=False) for item in shape.items]
    regions = [region for region in found if region is not None]
    variables = {region.variable for region in regions}
    if len(regions) != len(found) or len(variables) != 1:
        return None
    variable = variables.pop()
    common = intersection(regions, variable)
    # `x < 1, x > 3` lists the parts of a set: no number is in both, so nobody means their intersection.
    return _union(regions, variable) if "or" in shape.marks or not common.pieces else common


def _from_exceptions(text: str) -> Region | None:
    r"""Read `\mathbb{R} \setminus \{1, 2\}` or `all real numbers except 1 and 2`; else return None."""
    match = _EXCEPT.fullmatch(text)
    if match is not None and _REALS.fullmatch(match["whole"].strip()):
        points = match["set"] or match["plain"] or match["bare"]
        if points:
            return _real_line_without(split_at(points, re.compile(r",| and "))[0])
    if _SETMINUS.search(text) is None:
        return None
    parts, _ = split_at(text, _SETMINUS)
    if len(parts) != 2 or not all(parts):
        return None
    whole, removed = read_region(parts[0]), read_region(parts[1])
    return (
        None
        if whole is None or removed is None
        else intersection([whole, complement(removed)], whole.variable)
    )


def _real_line_without(texts: Sequence[str], variable: str = "") -> Region | None:
    """Return all real numbers except some points; None if one of their texts is not a constant."""
    points: list[tuple[Fraction, str]] = []
    for text in texts:
        value = constant_of(text)
        if value is not None:
            points.append((value, text))
    if not points or len(points) < len(texts):
        return None
    ends: list[tuple[Fraction | None, str]] = [(None, ""), *sorted(points), (None, "")]
    gaps = [
        Piece(low, high, True, True, (low_text, high_text))
        for (low, low_text), (high, high_text) in pairwise(ends)
    ]
    return Region(tuple(gaps), variable)
