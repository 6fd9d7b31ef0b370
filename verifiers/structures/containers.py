"""Tier 3, containers: lists, sets, tuples, intervals, unions and matrices against each other."""

import re
from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import TypeVar

from .outline import Shape, read_shape
from .real_sets import Same, constant_of

Item = TypeVar("Item")


def same_shapes(one: Shape, two: Shape, same: Same) -> bool | None:
    """Compare two containers part by part; None where that is not this tier's."""
    kinds = {one.kind, two.kind}
    if "relation" in kinds:
        return False
    if kinds == {"bracket"} or kinds == {"matrix"}:
        return _same_marks(one, two) and _in_order(one, two, same)
    if "cases" in kinds:
        if kinds != {"cases"}:
            return False
        left, right = (list(zip(s.items[::2], s.items[1::2], strict=True)) for s in (one, two))
        return matched(left, right, lambda a, b: same(a[0], b[0]) is True and same(a[1], b[1]) is True)
    if "matrix" in kinds:
        return _matrix_against(one, two, same)
    if "bracket" in kinds:
        return _bracket_against(one, two, same)
    if "union" in kinds:
        return _united(one, two, same)
    left, right = _spread(one), _spread(two)
    if any(r"\ldots" in item for item in (*left, *right)):  # a sequence
        return len(left) == len(right) and all(same(a, b) is True for a, b in zip(left, right, strict=True))
    if one.marks != two.marks and kinds == {"list"} and not any(re.search(r"\d", item) for item in left):
        return False  # p and q, against p or q
    return matched(left, right, lambda a, b: is_set(a) == is_set(b) and same(a, b))


def _bracket_against(one: Shape, two: Shape, same: Same) -> bool | None:
    """Compare a tuple with a bare list that stands for it, and with the only element of a set."""
    bracket, other = (one, two) if one.kind == "bracket" else (two, one)
    if other.kind == "set" and len(other.items) == 1:
        inner = read_shape(other.items[0])
        if inner is None or inner.kind != "bracket":
            return False
        return same_shapes(bracket, inner, same) if one is bracket else same_shapes(inner, bracket, same)
    whole = bracket.marks in _WHOLE and other.kind == "list" and "or" not in other.marks
    return whole and not _may_be_interval(bracket) and _in_order(one, two, same)


_WHOLE = (("(", ")"), ("[", "]"))
_ROUND = (("(", ")"), ("<", ">"), ("]", "["))


def _same_marks(one: Shape, two: Shape) -> bool:
    """Whether brackets agree; round ones may be a vector's angles, or an open interval's `]0, 1[`."""
    if one.kind == "matrix" or one.marks == two.marks:
        return one.marks == two.marks
    pair = {one.marks, two.marks}
    if pair == {("(", ")"), ("[", "]")}:
        return len(one.items) > 2  # no interval
    return (pair <= set(_ROUND) and ("(", ")") in pair) or _ends(one) == _ends(two) != ("(", ")")


def _ends(shape: Shape) -> tuple[str, ...]:
    """Return an interval's brackets as `[0, 1)` has them."""
    return shape.marks[0].replace("]", "("), shape.marks[1].replace("[", ")")


def is_set(text: str) -> bool:
    """Whether a text is a set in braces."""
    shape = read_shape(text)
    return shape is not None and shape.kind == "set"


def _united(one: Shape, two: Shape, same: Same) -> bool | None:
    r"""Compare unions, also `\{1\} \cup \{2\}` with `\{1, 2\}`."""
    if one.kind == two.kind:
        return matched(one.items, two.items, same)
    spread = []
    for shape in (one, two):
        inner = [_part_of_union(item) for item in shape.items] if shape.kind == "union" else [shape]
        if not all(part is not None and part.kind in ("set", "list") for part in inner):
            return False
        spread.append([item for part in inner if part is not None for item in part.items])
    return matched(spread[0], spread[1], same)


def _part_of_union(text: str) -> Shape | None:
    r"""Read a set; `{3}` without backslashes is one here."""
    if text[:1] + text[-1:] == "{}" and not re.search(r"[{},]", text[1:-1]):
        return Shape("set", (text[1:-1].strip(),))
    return read_shape(text)


def _spread(shape: Shape) -> list[str]:
    r"""Return the elements of a list or set, `\pm` written out."""
    spread: list[str] = []
    for item in shape.items:
        inner = read_shape(item) if "pm" in item or "+-" in item or "+/-" in item else None
        spread.extend(inner.items if inner is not None and inner.kind == "plus_minus" else [item])
    return spread


def _in_order(one: Shape, two: Shape, same: Same) -> bool:
    return all(
        a is not None and b is not None and same(a, b) is True for a, b in zip_longest(one.items, two.items)
    )


def _may_be_interval(shape: Shape) -> bool:
    """Whether two items stand in brackets as the ends of an interval would."""
    if len(shape.items) != 2:
        return False
    if any("infty" in item for item in shape.items):
        return True
    ends = [constant_of(item) for item in shape.items]
    return ends[0] is None or ends[1] is None or ends[0] < ends[1]


def _matrix_against(one: Shape, two: Shape, same: Same) -> bool | None:
    """Compare a matrix with `[[1, 2], [3, 4]]`, and a row or column with a tuple."""
    matrix, other = (one, two) if one.kind == "matrix" else (two, one)
    if other.kind != "bracket":
        return False
    count, cells = int(matrix.marks[0]), other.items
    rows = [read_shape(item) for item in other.items]
    if all(row is not None and row.kind == "bracket" for row in rows):
        if any(row is None or row.marks not in _WHOLE for row in (other, *rows)):
            return False
        width = len(matrix.items) // count
        if len(rows) != count or any(row is not None and len(row.items) != width for row in rows):
            return False
        cells = tuple(cell for row in rows if row is not None for cell in row.items)
    elif count not in (1, len(matrix.items)) or other.marks not in (("(", ")"), ("<", ">")):
        return False
    flat = Shape("matrix", cells)
    return _in_order(one, flat, same) if one is matrix else _in_order(flat, two, same)


def matched(left: Sequence[Item], right: Sequence[Item], same: Callable[[Item, Item], bool | None]) -> bool:
    """Compare as multisets: every item of one side has a partner of its own on the other."""
    if len(left) != len(right):
        return False
    free = list(right)
    for item in left:
        partner = next((i for i, other in enumerate(free) if same(item, other) is True), None)
        if partner is None:
            return False
        del free[partner]
    return True
