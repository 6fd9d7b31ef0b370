r"""Tier 3, relations: assignments, equations, inequalities and the regions that they describe.

`x = 2` names a value and is worth that value; `2x + 4y = 3` is an equation and equals its multiples;
`-2 < x \le 7`, `x \in (-2, 7]` and `(-2, 7]` are one region. A chain that contradicts itself, such
as `x = 4 = 5`, is worth nothing.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from .algebra import constant_ratio, equal, names_in, real_constant
from .expression import Node, Unreadable, parse
from .shape import Shape, read_shape, split_at

Same = Callable[[str, str], bool | None]
"""Judges two texts by all tiers."""

_LETTER = r"(?:[A-Za-z]|\\(?!in|le|ge|pi|ne)[a-z]+)(?:_\{?[A-Za-z0-9,+-]+\}?)?'*"
_HEAD = re.compile(
    rf"{_LETTER}(?: ?\^ ?\{{?-1\}}? ?)?(?: ?\([^()=]*\))?|\(? ?{_LETTER}(?:, ?{_LETTER})+ ?\)?|m? ?\\(?:angle|triangle|overline|vec|frac) ?\{{?[A-Za-z]+\}}?(?:\{{d\w\}})?"
    r"|\|?[A-Z]{2,3}\|?|[A-Za-z][A-Za-z '/-]{2,60}(?:\([^()]*\))?|[dP] ?y ?/ ?d ?x|\\(?:text|Pr|det|gcd) ?\(?[^=]*\)?"
)
_VARIABLE = re.compile(_LETTER)


class Contradiction(ValueError):
    """An answer's own parts cannot be true together."""


@dataclass(frozen=True)
class Assignment:
    """`head = value`."""

    head: str
    value: str


def read_assignment(shape: Shape, same: Same) -> Assignment | None:
    """Read `x = 2`, `2 = x`, `x = 1 + 1 = 2`, `x \\approx 2`, `\\frac{1}{3} \\approx 0.33`; None if it is none.

    Raises:
        Contradiction: the chain's values differ.
    """
    if any(mark not in ("=", r"\approx", ":=", r"\cong", r"\sim", "==") for mark in shape.marks):
        return None
    parts = list(shape.items)
    head = ""
    if is_head(parts[0]) and (len(parts) > 1):
        head, parts, marks = parts[0], parts[1:], shape.marks[1:]
    elif len(parts) == 2 and is_head(parts[1]):
        return Assignment(parts[1], parts[0])
    else:
        marks = shape.marks
        if "=" in marks and _may_be_equation(parts):
            return None
    if "=" not in marks:
        return Assignment(head, parts[0])
    exact = [part for part, mark in zip(parts, ("=", *marks), strict=True) if mark == "="]
    while len(exact) > 1 and is_head(exact[0]):  # A = S_5 = 12
        exact = exact[1:]
    if any(same(exact[0], part) is False for part in exact[1:]):
        raise Contradiction(" = ".join(exact))
    return Assignment(head, exact[-1])


def is_head(text: str) -> bool:
    """Whether a text may be what a value is given to: a name, `f(x)`, `\\angle ABC`, `(x, y)`, words."""
    return _HEAD.fullmatch(text) is not None and text not in ("e", "i", r"\pi")


def same_head(one: str, two: str) -> bool:
    """Whether two heads do not contradict each other: `x` and `y` do, `x` and `Area` do not."""
    if not one or not two or not (_VARIABLE.fullmatch(one) and _VARIABLE.fullmatch(two)):
        return True
    return one.replace("{", "").replace("}", "") == two.replace("{", "").replace("}", "")


def _may_be_equation(parts: list[str]) -> bool:
    try:
        return any(names_in(parse(part)) for part in parts)
    except ValueError:
        return True


def same_equation(one: Shape, two: Shape) -> bool | None:
    """Compare two equations or inequalities of formulas: equal but for a factor."""
    if len(one.items) != len(two.items) or len(one.items) != 2:
        return _same_chain(one, two)
    signs = {"<": 1, r"\le": 2, ">": -1, r"\ge": -2, "=": 0, r"\ne": 9, "==": 0, r"\equiv": 0}
    if one.marks[0] not in signs or two.marks[0] not in signs:
        return None
    try:
        first, second = _difference(one), _difference(two)
    except Unreadable:
        return None
    if not names_in(first) or not names_in(second):
        return None
    factor = constant_ratio(first, second)
    if factor is None:
        return False
    a, b = signs[one.marks[0]], signs[two.marks[0]]
    return a == b if a in (0, 9) or b in (0, 9) else a == b * factor


def _same_chain(one: Shape, two: Shape) -> bool | None:
    flip = {"<": ">", ">": "<", r"\le": r"\ge", r"\ge": r"\le"}
    if len(one.items) != len(two.items):
        return False
    for items, marks in (
        (two.items, two.marks),
        (two.items[::-1], tuple(flip.get(mark, mark) for mark in two.marks[::-1])),
    ):
        if one.marks == marks and all(_same_formula(a, b) for a, b in zip(one.items, items, strict=True)):
            return True
    return False


def _same_formula(one: str, two: str) -> bool:
    try:
        return one == two or equal(parse(one), parse(two))
    except (Unreadable, ArithmeticError):
        return False


def _difference(shape: Shape) -> Node:
    return Node("add", (parse(shape.items[0]), Node("neg", (parse(shape.items[1]),))))


@dataclass(frozen=True)
class Piece:
    """An interval of the real line, or a point; None = endless."""

    low: Fraction | None
    high: Fraction | None
    low_open: bool
    high_open: bool
    texts: tuple[str, str]


@dataclass(frozen=True)
class Region:
    """A set of real numbers, as sorted pieces that do not touch."""

    pieces: tuple[Piece, ...]
    variable: str = ""


_INFINITE = re.compile(r"([-+]?) ?(?:\\infty|infty|infinity|inf|oo)", re.IGNORECASE)
_REALS = (r"\mathbb{R}", r"\mathbb R", r"\R", "all real numbers", "all reals", "R")


def read_region(text: str, *, loose: bool = True) -> Region | None:
    """Read inequalities, intervals, unions and `x \\in ...` as a region; None for what is none.

    Args:
        text: a normalised text.
        loose: `(1, 2)` is an interval and `\\{1, 2\\}` two points.

    Raises:
        TooLarge: an endpoint is.
    """
    if text in _REALS:
        return Region((Piece(None, None, True, True, ("", "")),))
    if (removed := _without_points(text)) is not None:
        return removed
    shape = read_shape(text)
    if shape is None:
        return None
    if shape.kind == "relation":
        return _from_relation(shape)
    if shape.kind == "list":
        return _from_list(text, shape)
    if shape.kind == "union":
        found = [read_region(item) for item in shape.items]
        pieces = [piece for region in found if region for piece in region.pieces]
        return _merged(pieces, "") if all(found) else None
    if shape.kind == "set":
        return _from_set(shape)
    if shape.kind == "bracket" and loose and len(shape.items) == 2 and "<" not in shape.marks:
        return _region(*_ends(*shape.items), shape.marks[0] == "(", shape.marks[1] == ")", shape.items)
    return None


def _ends(low: str, high: str) -> tuple[Fraction | None, Fraction | None, bool]:
    """Return both ends and whether both could be read."""
    ends: list[Fraction | None] = []
    for text, endless in ((low, "-"), (high, "")):
        if match := _INFINITE.fullmatch(text):
            if match[1].replace("+", "") != endless:
                return None, None, False
            ends.append(None)
            continue
        value = constant_of(text)
        if value is None:
            return None, None, False
        ends.append(value)
    return ends[0], ends[1], True


def constant_of(text: str) -> Fraction | None:
    """Return the value of a text that is a real constant, else None."""
    try:
        return real_constant(parse(text))
    except (Unreadable, ArithmeticError):
        return None


def _region(
    low: Fraction | None, high: Fraction | None, read: bool, low_open: bool, high_open: bool,
    texts: tuple[str, ...], variable: str = "",
) -> Region | None:  # fmt: skip
    if not read or (low is not None and high is not None and low > high):
        return None
    ends = ("" if low is None else texts[0], "" if high is None else texts[1])
    return Region((Piece(low, high, low_open or low is None, high_open or high is None, ends),), variable)


def _from_set(shape: Shape) -> Region | None:
    parts, _ = split_at(", ".join(shape.items), re.compile(r"\||:(?!=)|\\colon"))
    if len(parts) == 2:
        return read_region(parts[1].removesuffix(r", x \in \mathbb{R}"), loose=False)
    values = [constant_of(item) for item in shape.items]
    if not values or any(value is None for value in values):
        return None
    return _merged([Piece(v, v, False, False, (t, t)) for v, t in zip(values, shape.items, strict=True)], "")


def _from_relation(shape: Shape) -> Region | None:
    items, marks = shape.items, shape.marks
    if marks == (r"\in",):
        inner = read_region(items[1])
        return None if inner is None or not _VARIABLE.fullmatch(items[0]) else Region(inner.pieces, items[0])
    if any(mark not in ("<", ">", r"\le", r"\ge", r"\ne") for mark in marks):
        return None
    if len(items) == 2:
        if _VARIABLE.fullmatch(items[1]) and not _VARIABLE.fullmatch(items[0]):
            items = items[::-1]
            marks = ({"<": ">", ">": "<", r"\le": r"\ge", r"\ge": r"\le"}.get(marks[0], marks[0]),)
        if not _VARIABLE.fullmatch(items[0]) or (value := constant_of(items[1])) is None:
            return None
        return _half_line(items[0], marks[0], value, items[1])
    if len(items) != 3 or not _VARIABLE.fullmatch(items[1]) or r"\ne" in marks:
        return None
    if marks[0] in (">", r"\ge"):
        items, marks = items[::-1], marks[::-1]
    if {mark in ("<", r"\le") for mark in marks} != {marks[0] in ("<", r"\le")}:
        return None
    strict = [mark in ("<", ">") for mark in marks]
    return _region(*_ends(items[0], items[2]), strict[0], strict[1], (items[0], items[2]), items[1])


def _half_line(variable: str, mark: str, value: Fraction, text: str) -> Region:
    if mark == r"\ne":
        ends = Piece(None, value, True, True, ("", text)), Piece(value, None, True, True, (text, ""))
        return Region(ends, variable)
    below = mark in ("<", r"\le")
    low, high = (None, value) if below else (value, None)
    is_open = mark in ("<", ">")
    texts = ("", text) if below else (text, "")
    return Region((Piece(low, high, not below and is_open or below, below and is_open or not below, texts),), variable)


def _from_list(text: str, shape: Shape) -> Region | None:
    """Read `x < 1 or x > 3` as a union, `x > 1 and x < 3` as what is in both."""
    found = [read_region(item, loose=False) for item in shape.items]
    variables = {region.variable for region in found if region}
    if not all(found) or len(variables) != 1:
        return None
    if "or" in shape.marks:
        return _merged([piece for region in found if region for piece in region.pieces], variables.pop())
    together = found[0].pieces if found[0] else ()
    for region in found[1:]:
        assert region is not None
        both = [_both(one, two) for one in together for two in region.pieces]
        together = tuple(piece for piece in both if piece is not None)
    return _merged(list(together), variables.pop())


def _both(one: Piece, two: Piece) -> Piece | None:
    low = max((_low(one), one.texts[0]), (_low(two), two.texts[0]))
    high = min((_high(one), one.texts[1]), (_high(two), two.texts[1]))
    if low[0][1:] and low[0][0] == 1 and high[0][0] == 1 and (low[0][1], low[0][2]) > (high[0][1], high[0][2]):
        return None
    bottom = one if _low(one) >= _low(two) else two
    top = one if _high(one) <= _high(two) else two
    return Piece(bottom.low, top.high, bottom.low_open, top.high_open, (bottom.texts[0], top.texts[1]))


def _low(piece: Piece) -> tuple[int, Fraction, int]:
    return (0, Fraction(0), 0) if piece.low is None else (1, piece.low, int(piece.low_open))


def _high(piece: Piece) -> tuple[int, Fraction, int]:
    return (2, Fraction(0), 0) if piece.high is None else (1, piece.high, -int(piece.high_open))


def _merged(pieces: list[Piece], variable: str) -> Region | None:
    if not pieces:
        return None
    ordered = sorted(pieces, key=_low)
    merged = [ordered[0]]
    for piece in ordered[1:]:
        last = merged[-1]
        touch = last.high is None or piece.low is None or piece.low < last.high
        touch = touch or (piece.low == last.high and not (piece.low_open and last.high_open))
        if not touch:
            merged.append(piece)
        elif _high(piece) > _high(last):
            merged[-1] = Piece(last.low, piece.high, last.low_open, piece.high_open, (last.texts[0], piece.texts[1]))
    return Region(tuple(merged), variable)


def _without_points(text: str) -> Region | None:
    r"""Read `\mathbb{R} \setminus \{1, 2\}`."""
    match = re.fullmatch(r"(?:\\mathbb ?\{?R\}?|\(-\\infty ?, ?\\infty ?\)) ?(?:\\setminus|\\backslash|-|\\) ?\\\{(.*)\\\}", text)
    if match is None:
        return None
    texts = split_at(match[1], re.compile(","))[0]
    points = sorted((value, text) for text in texts if (value := constant_of(text)) is not None)
    if len(points) != len(texts) or not points:
        return None
    edges = [(None, ""), *points, (None, "")]
    pairs = zip(edges, edges[1:], strict=False)
    return Region(tuple(Piece(a, b, True, True, (s, t)) for (a, s), (b, t) in pairs))


def same_region(one: Region, two: Region, same: Same) -> bool:
    """Compare two regions piece by piece; endpoints by all tiers."""
    if len(one.pieces) != len(two.pieces) or (one.variable and two.variable and one.variable != two.variable):
        return False
    return all(
        (a.low_open, a.high_open) == (b.low_open, b.high_open)
        and all(s == t or (bool(s) == bool(t) and same(s, t) is True) for s, t in zip(a.texts, b.texts, strict=True))
        for a, b in zip(one.pieces, two.pieces, strict=True)
    )
