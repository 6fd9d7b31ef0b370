r"""Tier 3, deciding: lists, sets, tuples, intervals, unions, matrices, plus-minus, relations.

Bare lists and sets have no order; tuples, points and intervals have, and their brackets count. A
bare list stands for a tuple only where the tuple could not be an interval. Parts are judged by all
tiers.
"""

import re

from ..formulas.free_letters import renamed
from ..verdict import Judge, Reason, Verdict, said
from .conditions import without_clause, without_idle_clause, without_parameter
from .containers import is_set, matched, same_shapes
from .equations import (
    Assignments,
    Contradiction,
    in_customary_order,
    read_assignments,
    same_letters,
    same_relation,
)
from .left_sides import same_head
from .outline import MAX_ITEMS, Shape, read_list, read_shape
from .real_sets import Same, is_region, read_region, same_region

Outcome = bool | Reason | None
"""Equal or not; a Reason for wrong in a way that has a name; None = not this tier's."""


def compare(reference: str, answer: str, judge: Judge) -> Verdict | None:
    """Compare two normalised texts of which at least one has a structure.

    Raises:
        TooLarge: a part passes a cap.
    """
    outcome = _compare(*_without_points(reference, answer), lambda one, two: judge(one, two).correct)
    if outcome is None or isinstance(outcome, bool):
        return None if outcome is None else said(outcome)
    return Verdict(False, outcome)


_POINT = re.compile(r"([A-Z]) ?(\([^()]*,[^()]*\))")


def _without_points(reference: str, answer: str) -> tuple[str, str]:
    """Take a point's name off one side: `P(3, 4)`; `N(0, 1)`, and a reference `C(5, 2)`, are no points."""
    one, two = _POINT.fullmatch(reference), _POINT.fullmatch(answer)
    if one is not None and two is None and one[1] not in "BCNU" and read_shape(answer) is not None:
        return one[2], answer
    if two is not None and one is None and two[1] not in "NU" and read_shape(reference) is not None:
        return reference, two[2]
    return reference, answer


def _compare(reference: str, answer: str, same: Same) -> Outcome:
    if (found := _conditions(reference, answer, same)) is not None:
        return found
    one, two = read_shape(reference), read_shape(answer)
    if is_region(reference) or is_region(answer):
        left = read_region(reference)
        right = read_region(answer) if left is not None else None
        if left is not None and right is not None:
            return same_region(left, right, same)
    if one is None and two is None:
        return None
    if any(shape is not None and len(shape.items) > MAX_ITEMS for shape in (one, two)):
        return Reason.TOO_LARGE
    one, two = _with_every_comma(reference, one, two), _with_every_comma(answer, two, one)
    if _has_relation(one) or _has_relation(two):
        return _relations(reference, answer, one, two, same)
    if one is None or two is None:
        return _against_single(reference, answer, one, two, same)
    return same_shapes(one, two, same)


def _conditions(reference: str, answer: str, same: Same) -> Outcome:
    r"""Judge `2\pi k, k \in \mathbb{Z}` and `x^2 if x > 0`: conditions that only one side has count."""
    plain = without_idle_clause(reference), without_idle_clause(answer)
    if plain != (reference, answer):
        return same(*plain)
    (formula, letter), (given, other) = without_parameter(reference), without_parameter(answer)
    if letter and other:
        return letter.domain == other.domain and same(
            formula, renamed(given, other.letter, letter.letter) or given
        )
    if parameter := letter or other:
        sets = parameter.domain != "R" and (is_region(formula) or is_region(given))
        return False if sets or not parameter.is_customary else same(formula, given)
    (main, condition), (said_there, stated) = without_clause(reference), without_clause(answer)
    if not condition and not stated:
        return None
    if not condition or not stated:
        return False
    return same(main, said_there) is True and (condition == stated or same(condition, stated) is True)


def _with_every_comma(text: str, own: Shape | None, other: Shape | None) -> Shape | None:
    """Read `100,200,300` as the list that the other side is, with spaces."""
    if (
        own is None
        and other is not None
        and other.kind in ("list", "set")
        and text.count(",") > 1
        and ",".join(other.items) == text
    ):
        return read_list(text, every_comma=True)
    return own


def _has_relation(shape: Shape | None) -> bool:
    if shape is None or shape.kind not in ("relation", "list"):
        return False
    return shape.kind == "relation" or any(
        (inner := read_shape(item)) is not None and inner.kind == "relation" for item in shape.items
    )


def _relations(reference: str, answer: str, one: Shape | None, two: Shape | None, same: Same) -> Outcome:
    try:
        left = read_assignments(one, same)
    except Contradiction:
        left = None
    try:
        right = read_assignments(two, same, wanted=True)
    except Contradiction:
        return Reason.CONTRADICTS
    if left is not None and right is not None:
        return _both_assigned(left, right, one, two, same)
    if left is not None and not _has_relation(two):
        return _values(left, answer, two, same, flipped=False)
    if right is not None and not _has_relation(one):
        return _values(right, reference, one, same, flipped=True)
    if one is not None and two is not None and one.kind == two.kind == "relation":
        return same_relation(one, two)
    if (
        one is not None
        and two is not None
        and one.kind == two.kind == "list"
        and _has_relation(one)
        and _has_relation(two)
    ):
        return one.marks == two.marks and matched(one.items, two.items, same)
    return False


def _both_assigned(
    left: Assignments, right: Assignments, one: Shape | None, two: Shape | None, same: Same
) -> Outcome:
    if len(left) != len(right):
        return False
    if len(left) == 1:
        pair = same_letters(left[0], right[0])
        alike = same(left[0][1], pair[1]) if same_head(left[0][0], pair[0]) else False
        if alike is False and one is not None and two is not None and one.kind == two.kind == "relation":
            return bool(same_relation(one, two))  # y = 2x + 1 and x = (y - 1)/2
        return alike
    alternatives = ["or" in shape.marks for shape in (one, two) if shape is not None]
    if len({head for head, _ in left}) > 1 and len(set(alternatives)) > 1:
        return False  # x = 1 and y = 2, against one or the other
    return matched(left, right, lambda a, b: same_head(a[0], b[0]) and same(a[1], b[1]) is True)


def _values(assigned: Assignments, bare: str, shape: Shape | None, same: Same, *, flipped: bool) -> Outcome:
    """Compare assigned values with a bare answer: a value, one name's list, several names' tuple."""

    def alike(value: str, text: str) -> bool | None:
        return same(text, value) if flipped else same(value, text)

    heads = [head for head, _ in assigned]
    if len(assigned) == 1:
        value = assigned[0][1]
        lettered = len(heads[0]) == 1 and len(value) == 1 and value.isalpha()  # a = b is not the choice B
        return value == bare if lettered else alike(value, bare)
    shape = shape or read_list(bare, every_comma=True)
    if (
        shape is None
        or shape.kind not in ("list", "set", "bracket", "plus_minus")
        or len(shape.items) != len(assigned)
    ):
        return False
    values = [value for _, value in assigned]
    if len(set(heads)) == 1:
        return shape.kind != "bracket" and matched(
            values, shape.items, lambda a, b: is_set(a) == is_set(b) and alike(a, b)
        )
    round_ones = shape.kind == "list" or (shape.kind == "bracket" and shape.marks == ("(", ")"))
    if not round_ones or "or" in shape.marks or len(set(heads)) != len(heads):
        return False
    ordered = in_customary_order(assigned)
    return all(alike(value, item) is True for value, item in zip(ordered, shape.items, strict=True))


def _against_single(reference: str, answer: str, one: Shape | None, two: Shape | None, same: Same) -> Outcome:
    """Judge a structure against a plain thing: a set of one element is that element."""
    shape = one if one is not None else two
    assert shape is not None
    if (
        shape.kind == "set"
        and len(shape.items) == 1
        and "emptyset" not in shape.items[0]
        and not is_set(shape.items[0])
    ):
        return same(shape.items[0], answer) if one is not None else same(reference, shape.items[0])
    if shape.kind == "bracket" and shape.marks == ("[", "]") and len(shape.items) == 1:
        return same(shape.items[0], answer) if one is not None else same(reference, shape.items[0])
    if two is not None and two.kind == "list":
        alike = [same(reference, item) is True for item in two.items]
        return True if all(alike) else Reason.AMBIGUOUS if any(alike) else False
    plain = answer if one is not None else reference
    if shape.kind == "bracket" and r"\vec{" in plain:
        return _unit_vectors(shape, plain, same, flipped=two is not None)
    if shape.kind == "matrix" and r"\vec{" in plain and len(shape.items) in (2, 3):
        return _unit_vectors(shape, plain, same, flipped=two is not None)
    return None if shape.kind in ("matrix", "cases") and r"\begin" in plain else False  # a sum of matrices


def _unit_vectors(shape: Shape, text: str, same: Same, *, flipped: bool) -> bool:
    r"""Compare `(2, -1)` with `2\vec{i} - \vec{j}`."""
    if len(shape.items) > 3:
        return False
    written = "+".join(rf"({item})\vec{{{name}}}" for item, name in zip(shape.items, "ijk", strict=False))
    return (same(text, written) if flipped else same(written, text)) is True
