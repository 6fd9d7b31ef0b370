"""Comparing containers part by part: lists, sets, tuples, intervals, unions, matrices and cases.

Lists and sets have no order. Tuples, intervals and matrices have one, and their brackets count.
"""

import re
from collections.abc import Callable, Sequence
from functools import cache
from itertools import zip_longest
from typing import TypeVar

from .outline import Same, Shape, read_shape
from .real_sets import constant_of

Item = TypeVar("Item")


def same_shapes(one: Shape, two: Shape, same: Same) -> bool:
    """Return whether two containers, of the reference and of the answer, are equal part by part."""
    kinds = {one.kind, two.kind}
    if "relation" in kinds:
        return False
    if kinds == {"bracket"} or kinds == {"matrix"}:
        return _same_marks(one, two) and _in_order(one, two, same)
    if "cases" in kinds:
        return kinds == {"cases"} and _same_cases(one, two, same)
    if "matrix" in kinds:
        return _matrix_against(one, two, same)
    if "bracket" in kinds:
        return _bracket_against(one, two, same)
    if "union" in kinds:
        return _same_unions(one, two, same)
    left, right = _without_plus_minus(one), _without_plus_minus(two)
    if any(r"\ldots" in item for item in (*left, *right)):  # a sequence, which has an order
        return len(left) == len(right) and all(same(a, b) is True for a, b in zip(left, right, strict=True))
    if one.marks != two.marks and kinds == {"list"} and not any(re.search(r"\d", item) for item in left):
        return False  # `p and q` differs from `p or q`, but `1 and 2` are the same numbers as `1 or 2`
    if kinds == {"set"}:
        left, right = _distinct(left, same), _distinct(right, same)
    return matched(left, right, lambda a, b: is_set(a) == is_set(b) and same(a, b))


def _distinct(items: Sequence[str], same: Same) -> list[str]:
    """Return the elements of a set once each, however often they are written; a rounded value is another."""
    if len(set(items)) == len(items) and all(item.isdigit() for item in items):
        return list(items)
    kept: list[str] = []
    for item in items:
        if not any(item == other or (same(other, item) and same(item, other)) for other in kept):
            kept.append(item)
    return kept


def _same_cases(one: Shape, two: Shape, same: Same) -> bool:
    """Return whether the cases have equal values under equal conditions, in any order."""
    left, right = (_with_conditions(shape) for shape in (one, two))
    return matched(left, right, lambda a, b: same(a[0], b[0]) is True and same(a[1], b[1]) is True)


_OPPOSITE = {"<": r"\ge", ">": r"\le", r"\le": ">", r"\ge": "<", "=": r"\ne", r"\ne": "="}


def _with_conditions(shape: Shape) -> list[tuple[str, str]]:
    """Return the values of cases with their conditions; `otherwise` is the opposite of the only other one."""
    rows = list(zip(shape.items[::2], shape.items[1::2], strict=True))
    if len(rows) == 2 and rows[1][1] in ("otherwise", "else"):
        condition = read_shape(rows[0][1])
        if condition is not None and condition.kind == "relation" and condition.marks[0] in _OPPOSITE:
            left, right = condition.items[0], condition.items[-1]
            if len(condition.items) == 2:
                rows[1] = rows[1][0], f"{left} {_OPPOSITE[condition.marks[0]]} {right}"
    return rows


def _bracket_against(one: Shape, two: Shape, same: Same) -> bool:
    """Compare a tuple with a bare list that may stand for it, or with a set whose only element it is."""
    bracket, other = (one, two) if one.kind == "bracket" else (two, one)
    if other.kind == "set" and len(other.items) == 1:
        inner = read_shape(other.items[0])
        if inner is None or inner.kind != "bracket":
            return False
        return same_shapes(bracket, inner, same) if one is bracket else same_shapes(inner, bracket, same)
    may_be_tuple = bracket.marks in _PAIRS and other.kind == "list" and "or" not in other.marks
    return may_be_tuple and not _may_be_interval(bracket) and _in_order(one, two, same)


_PAIRS = (("(", ")"), ("[", "]"))
_ROUND = (("(", ")"), ("<", ">"), ("]", "["))


def _same_marks(one: Shape, two: Shape) -> bool:
    """Return whether the brackets of two tuples, or the numbers of rows of two matrices, agree.

    Round brackets may also be written as angles (a vector) or as `]0, 1[` (an open interval).
    """
    if one.kind == "matrix" or one.marks == two.marks:
        return one.marks == two.marks
    pair = {one.marks, two.marks}
    if pair == {("(", ")"), ("[", "]")}:
        return len(one.items) > 2  # with two items, the brackets may tell intervals apart
    if pair <= set(_ROUND) and ("(", ")") in pair:
        return True
    return _interval_brackets(one) == _interval_brackets(two) != ("(", ")")


def _interval_brackets(shape: Shape) -> tuple[str, ...]:
    """Return an interval's brackets in the usual notation: `[0, 1)` for `[0, 1[`."""
    return shape.marks[0].replace("]", "("), shape.marks[1].replace("[", ")")


def is_set(text: str) -> bool:
    """Return whether a text is a set in braces."""
    shape = read_shape(text)
    return shape is not None and shape.kind == "set"


def _same_unions(one: Shape, two: Shape, same: Same) -> bool:
    r"""Compare unions part by part; unions of sets also with sets, `\{1\} \cup \{2\}` with `\{1, 2\}`."""
    if one.kind == two.kind:
        return matched(one.items, two.items, same)
    elements = []
    for shape in (one, two):
        parts = [_set_of_union(item) for item in shape.items] if shape.kind == "union" else [shape]
        if not all(part is not None and part.kind in ("set", "list") for part in parts):
            return False
        elements.append([item for part in parts if part is not None for item in part.items])
    return matched(elements[0], elements[1], same)


def _set_of_union(text: str) -> Shape | None:
    r"""Read a part of a union, where `{3}` without backslashes is a set too."""
    if text[:1] + text[-1:] == "{}" and not re.search(r"[{},]", text[1:-1]):
        return Shape("set", (text[1:-1].strip(),))
    return read_shape(text)


def _without_plus_minus(shape: Shape) -> list[str]:
    r"""Return the elements of a list or set, with `\pm 2` written as two elements."""
    elements: list[str] = []
    for item in shape.items:
        has_sign = "pm" in item or "+-" in item or "+/-" in item
        inner = read_shape(item) if has_sign else None
        elements.extend(inner.items if inner is not None and inner.kind == "plus_minus" else [item])
    return elements


def _in_order(one: Shape, two: Shape, same: Same) -> bool:
    return all(
        a is not None and b is not None and same(a, b) is True for a, b in zip_longest(one.items, two.items)
    )


def _may_be_interval(shape: Shape) -> bool:
    """Return whether a pair in brackets may be an interval: the second end may be above the first."""
    if len(shape.items) != 2:
        return False
    if any("infty" in item for item in shape.items):
        return True
    low, high = map(constant_of, shape.items)
    return low is None or high is None or low < high


def _matrix_against(one: Shape, two: Shape, same: Same) -> bool:
    """Compare a matrix with `[[1, 2], [3, 4]]`, and a single row or column with a tuple."""
    matrix, other = (one, two) if one.kind == "matrix" else (two, one)
    if other.kind != "bracket":
        return False
    count, cells = int(matrix.marks[0]), other.items
    rows = [read_shape(item) for item in other.items]
    if all(row is not None and row.kind == "bracket" for row in rows):
        if any(row is None or row.marks not in _PAIRS for row in (other, *rows)):
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
    """Return whether both sides are equal as multisets: every item has a partner of its own.

    >>> matched([1, 2, 2], [2, 1, 2], int.__eq__), matched([1, 2, 2], [2, 1, 1], int.__eq__)
    (True, False)
    """
    if len(left) != len(right):
        return False
    is_same = cache(lambda i, j: same(left[i], right[j]) is True)
    partner_of: dict[int, int] = {}  # by index on the right

    def find_partner(i: int, tried: set[int]) -> bool:
        """Pair an item of the left; a partner that is taken must find another one (Kuhn's algorithm)."""
        for j in sorted(range(len(right)), key=partner_of.__contains__):  # free ones first
            if j in tried or not is_same(i, j):
                continue
            tried.add(j)
            if j not in partner_of or find_partner(partner_of[j], tried):
                partner_of[j] = i
                return True
        return False

    # A rounded item may equal two of the other side, so the first partner is not always the right one.
    return all(find_partner(i, set()) for i in range(len(left)))
