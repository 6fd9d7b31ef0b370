r"""Tier 3, regions: intervals, unions and inequalities in one variable as sets of real numbers.

`-2 < x \le 7`, `x \in (-2, 7]`, `(-2, 7]` and `\{x \mid -2 < x \le 7\}` are one region.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from ..formulas.equality import real_constant
from ..formulas.parser import parse
from ..formulas.tokens import Unreadable
from ..text.latex_names import REAL_LINE
from .outline import FLIPPED, Shape, read_shape, split_at

Same = Callable[[str, str], bool | None]
"""Judges two texts by all tiers."""


@dataclass(frozen=True)
class Piece:
    """An interval of the real line, or a point; None = endless."""

    low: Fraction | None
    high: Fraction | None
    low_open: bool
    high_open: bool
    texts: tuple[str, str]
    """The ends as written, empty where endless."""


@dataclass(frozen=True)
class Region:
    """A set of real numbers, as sorted pieces that do not touch."""

    pieces: tuple[Piece, ...]
    variable: str = ""


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
_LESS = re.compile(
    r"(?P<whole>.+?),? ?(?:\\setminus|\\backslash|-|\\|except(?: for)?|other than"
    r"|excluding) ?(?:\\\{(?P<set>.*)\\\}|\{(?P<plain>.*)\}|(?P<bare>[-\d\\].*))"
)
_ORDER = ("<", ">", r"\le", r"\ge")


def is_region(text: str) -> bool:
    """Whether a text describes a set of real numbers by more than a pair of brackets."""
    if (
        _REALS.fullmatch(text)
        or _HALF_REALS.fullmatch(text)
        or (_LESS.fullmatch(text) and _without_points(text) is not None)
    ):
        return True
    shape = read_shape(text)
    if shape is None:
        return False
    if shape.kind == "relation":
        return any(mark in (*_ORDER, r"\ne", r"\in") for mark in shape.marks)
    if shape.kind == "list":
        return any(
            (inner := read_shape(item)) is not None and inner.kind == "relation" and is_region(item)
            for item in shape.items
        )
    return shape.kind == "union" or (
        shape.kind == "set" and len(shape.items) == 1 and ("|" in text or ":" in text)
    )


def read_region(text: str, *, loose: bool = True) -> Region | None:
    r"""Read inequalities, intervals, unions and `x \in ...` as a region; None for what is none.

    Args:
        text: a normalised text.
        loose: `(1, 2)` is an interval.

    Raises:
        TooLarge: an endpoint is.
    """
    if _REALS.fullmatch(text):
        return Region((Piece(None, None, True, True, ("", "")),))
    if half := _HALF_REALS.fullmatch(text):
        above = (half["sign"] or "") in ("+", ">0", "> 0") or half["word"] == "positive"
        return _half_line("", ">" if above else "<", Fraction(0), "0")
    if (removed := _without_points(text)) is not None:
        return removed
    shape = read_shape(text)
    if shape is None:
        return None
    if shape.kind == "relation":
        return _from_relation(shape)
    if shape.kind == "list":
        return _from_list(shape)
    if shape.kind == "union":
        found = [read_region(item) for item in shape.items]
        return (
            merged([piece for region in found if region for piece in region.pieces]) if all(found) else None
        )
    if shape.kind == "set":
        return _from_set(shape)
    if shape.kind == "bracket" and loose and len(shape.items) == 2 and "<" not in shape.marks:
        return _interval(shape.items[0], shape.items[1], shape.marks[0] != "[", shape.marks[1] != "]")
    return None


def constant_of(text: str) -> Fraction | None:
    """Return the value of a text that is a real constant, else None."""
    try:
        return real_constant(parse(text))
    except (Unreadable, ArithmeticError):
        return None


def _interval(low: str, high: str, low_open: bool, high_open: bool, variable: str = "") -> Region | None:
    ends: list[Fraction | None] = []
    texts = []
    for text, endless, is_open in ((low, "-", low_open), (high, "", high_open)):
        if match := _INFINITE.fullmatch(text):
            if match[1].replace("+", "") != endless or not is_open:
                return None
            ends.append(None)
            texts.append("")
            continue
        value = constant_of(text)
        if value is None:
            return None
        ends.append(value)
        texts.append(text)
    first, last = ends
    if first is not None and last is not None and first > last:
        return None
    return Region((Piece(first, last, low_open, high_open, (texts[0], texts[1])),), variable)


_MEMBER = re.compile(r"[A-Za-z](?: ?\\in ?\\mathbb ?\{?R\}?)?")


def _from_set(shape: Shape) -> Region | None:
    parts, _ = split_at(", ".join(shape.items), re.compile(r"\||:(?!=)"))
    if len(parts) == 2:
        if not _MEMBER.fullmatch(parts[0]):
            return None
        return read_region(re.sub(r",? ?[a-z] ?\\in ?\\mathbb ?\{?R\}?$", "", parts[1]), loose=False)
    pieces = []
    for item in shape.items:
        value = constant_of(item)
        if value is None:
            return None
        pieces.append(Piece(value, value, False, False, (item, item)))
    return merged(pieces) if pieces else None


def _from_relation(shape: Shape) -> Region | None:
    items, marks = shape.items, shape.marks
    if marks == (r"\in",):
        inner = read_region(items[1])
        return None if inner is None or not _LETTER.fullmatch(items[0]) else Region(inner.pieces, items[0])
    if any(mark not in (*_ORDER, r"\ne") for mark in marks):
        return None
    if len(items) == 2:
        if not _variable(items[0]) and _variable(items[1]):
            items, marks = items[::-1], (FLIPPED.get(marks[0], marks[0]),)
        return _one_sign(items[0], marks[0], items[1])
    if len(items) != 3 or not _LETTER.fullmatch(items[1]) or r"\ne" in marks:
        return None
    if marks[0] in (">", r"\ge"):
        items, marks = items[::-1], tuple(FLIPPED[mark] for mark in marks[::-1])
    if any(mark not in ("<", r"\le") for mark in marks):
        return None
    return _interval(items[0], items[2], marks[0] == "<", marks[1] == "<", items[1])


def _variable(text: str) -> bool:
    return _LETTER.fullmatch(text) is not None or _ABSOLUTE.fullmatch(text) is not None


_ABSOLUTE = re.compile(r"\| ?(?P<letter>[A-Za-z]) ?(?:(?P<sign>[-+]) ?(?P<shift>[^|]+?))? ?\|")


def _one_sign(left: str, mark: str, right: str) -> Region | None:
    r"""Read `x < 3`, `x \ne \pm 1`, `|x - 1| \le 2`."""
    if mark == r"\ne":
        shape = read_shape(right)
        texts = shape.items if shape is not None and shape.kind in ("plus_minus", "list", "set") else (right,)
        return _real_line_without(texts, left) if _LETTER.fullmatch(left) else None
    value = constant_of(right)
    if value is None:
        return None
    if _LETTER.fullmatch(left):
        return _half_line(left, mark, value, right)
    absolute = _ABSOLUTE.fullmatch(left)
    if absolute is None or value < 0:
        return None
    middle = constant_of(f"-({absolute['sign'] or ''}{absolute['shift'] or 0})")
    if middle is None:
        return None
    if max(middle.denominator, value.denominator) < 10**12:
        low, high = str(middle - value), str(middle + value)
    else:  # not rational
        low, high = f"{middle}-({right})", f"{middle}+({right})"
    if mark in ("<", r"\le"):
        return _interval(low, high, mark == "<", mark == "<", absolute["letter"])
    sides = _interval(r"-\infty", low, True, mark == ">"), _interval(high, r"\infty", mark == ">", True)
    return (
        merged([piece for side in sides if side for piece in side.pieces], absolute["letter"])
        if all(sides)
        else None
    )


def _half_line(variable: str, mark: str, value: Fraction, text: str) -> Region:
    strict = mark in ("<", ">")
    if mark in ("<", r"\le"):
        return Region((Piece(None, value, True, strict, ("", text)),), variable)
    return Region((Piece(value, None, strict, True, (text, "")),), variable)


def _from_list(shape: Shape) -> Region | None:
    r"""Read `x < 1 or x > 3` as a union, `x > 1 and x < 3` as what is in both, `x \ne 1, 2` as both."""
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
    if "or" in shape.marks:
        return merged([piece for region in regions for piece in region.pieces], variable)
    together = list(regions[0].pieces)
    for region in regions[1:]:
        both = [_both(one, two) for one in together for two in region.pieces]
        together = [piece for piece in both if piece is not None]
    return merged(together, variable)


def _both(one: Piece, two: Piece) -> Piece | None:
    """Return what two pieces share."""
    bottom = one if _low(one) >= _low(two) else two
    top = one if _high(one) <= _high(two) else two
    piece = Piece(bottom.low, top.high, bottom.low_open, top.high_open, (bottom.texts[0], top.texts[1]))
    if piece.low is None or piece.high is None or piece.low < piece.high:
        return piece
    return piece if piece.low == piece.high and not (piece.low_open or piece.high_open) else None


def _low(piece: Piece) -> tuple[int, Fraction, int]:
    return (0, Fraction(0), 0) if piece.low is None else (1, piece.low, int(piece.low_open))


def _high(piece: Piece) -> tuple[int, Fraction, int]:
    return (2, Fraction(0), 0) if piece.high is None else (1, piece.high, -int(piece.high_open))


def merged(pieces: list[Piece], variable: str = "") -> Region:
    """Return the union of pieces."""
    whole: list[Piece] = []
    for piece in sorted(pieces, key=_low):
        last = whole[-1] if whole else None
        if last is None or not _touch(last, piece):
            whole.append(piece)
        elif _high(piece) > _high(last):
            whole[-1] = Piece(
                last.low, piece.high, last.low_open, piece.high_open, (last.texts[0], piece.texts[1])
            )
    return Region(tuple(whole), variable)


def _touch(last: Piece, piece: Piece) -> bool:
    if last.high is None or piece.low is None or piece.low < last.high:
        return True
    return piece.low == last.high and not (piece.low_open and last.high_open)


def _without_points(text: str) -> Region | None:
    r"""Read `\mathbb{R} \setminus \{1, 2\}`, `all real numbers except 1 and 2`."""
    match = _LESS.fullmatch(text)
    if match is None or not _REALS.fullmatch(match["whole"].strip()):
        return None
    inner = match["set"] or match["plain"] or match["bare"]
    return _real_line_without(split_at(inner, re.compile(r",| and "))[0])


def _real_line_without(texts: "list[str] | tuple[str, ...]", variable: str = "") -> Region | None:
    points = sorted((value, text) for text in texts if (value := constant_of(text)) is not None)
    if len(points) != len(texts) or not points:
        return None
    edges: list[tuple[Fraction | None, str]] = [(None, ""), *points, (None, "")]
    return Region(tuple(Piece(a, b, True, True, (s, t)) for (a, s), (b, t) in pairwise(edges)), variable)


def same_region(one: Region, two: Region, same: Same) -> bool:
    """Compare two regions piece by piece; endpoints by all tiers."""
    if len(one.pieces) != len(two.pieces) or (one.variable and two.variable and one.variable != two.variable):
        return False
    return all(
        (a.low_open, a.high_open) == (b.low_open, b.high_open)
        and all(
            s == t or (bool(s) == bool(t) and same(s, t) is True)
            for s, t in zip(a.texts, b.texts, strict=True)
        )
        for a, b in zip(one.pieces, two.pieces, strict=True)
    )
