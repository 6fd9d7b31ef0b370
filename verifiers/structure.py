r"""Tier 3, deciding: lists, sets, tuples, intervals, unions, matrices, plus-minus, relations.

Bare lists and sets have no order; tuples, points and intervals have, and their brackets count. A bare list
stands for a tuple only where the tuple could not be an interval. Parts are judged by all tiers.
"""

from itertools import zip_longest

from .relation import (
    Contradiction,
    Same,
    constant_of,
    is_head,
    read_assignment,
    read_region,
    same_equation,
    same_head,
    same_region,
)
from .shape import MAX_ITEMS, Shape, read_list, read_shape, without_clause
from .verdict import Reason

Outcome = bool | Reason | None
"""Equal or not; a Reason for wrong in a way that has a name; None = not this tier's."""


def compare(reference: str, answer: str, same: Same) -> Outcome:
    """Compare two normalised texts of which at least one has a structure.

    Raises:
        TooLarge: a part passes a cap.
    """
    one, two = read_shape(reference), read_shape(answer)
    if one is None and two is None:
        return None
    if _too_many(one) or _too_many(two):
        return Reason.TOO_LARGE
    one, two = _with_every_comma(reference, one, two), _with_every_comma(answer, two, one)
    if (said := _conditions(reference, answer, same)) is not None:
        return said
    if _is_relation(one) or _is_relation(two):
        found = _relations(reference, answer, one, two, same)
        if found is not None or (one is not None and two is not None and one.kind == two.kind == "relation"):
            return found
    if (regions := _regions(reference, answer, one, two, same)) is not None:
        return regions
    if one is None or two is None:
        return _against_single(reference, answer, one, two, same)
    return _shapes(one, two, same)


def _too_many(shape: Shape | None) -> bool:
    return shape is not None and len(shape.items) > MAX_ITEMS


def _with_every_comma(text: str, own: Shape | None, other: Shape | None) -> Shape | None:
    """Read `100,200,300` as a list where the other side is one of as many items."""
    if own is None and other is not None and other.kind in ("list", "set"):
        every = read_list(text, every_comma=True)
        return every if every is not None and len(every.items) == len(other.items) else own
    return own


def _conditions(reference: str, answer: str, same: Same) -> Outcome:
    """Judge `2k\\pi for integer k`: what is said, and the condition where both have one."""
    (main, condition), (said, other) = without_clause(reference), without_clause(answer)
    if not condition and not other:
        return None
    alike = same(main, said)
    if alike is True and condition and other:
        return condition == other or same(condition, other) is True
    return bool(alike)


def _is_relation(shape: Shape | None) -> bool:
    return shape is not None and (
        shape.kind == "relation" or (shape.kind == "list" and any(_relation_of(item) for item in shape.items))
    )


def _relation_of(text: str) -> Shape | None:
    shape = read_shape(text)
    return shape if shape is not None and shape.kind == "relation" else None


def _relations(reference: str, answer: str, one: Shape | None, two: Shape | None, same: Same) -> Outcome:
    try:
        left = _assigned(one, same)
    except Contradiction:
        left = None
    try:
        right = _assigned(two, same)
    except Contradiction:
        return Reason.CONTRADICTS
    if left is not None and right is not None:
        return _both_assigned(left, right, one, two, same)
    if left is not None and (two is None or two.kind != "relation"):
        return _values(left, answer, same, flipped=False)
    if right is not None and (one is None or one.kind != "relation"):
        return _values(right, reference, same, flipped=True)
    if one is not None and two is not None and one.kind == two.kind == "relation":
        regions = _regions(reference, answer, one, two, same)
        return regions if regions is not None else same_equation(one, two)
    return None


Assigned = list[tuple[str, str]]


def _assigned(shape: Shape | None, same: Same) -> Assigned | None:
    """Return (head, value) of every item of `x = 1, y = 2` or `x = 1, 2`; None if one has none."""
    if shape is None or shape.kind not in ("relation", "list"):
        return None
    found: Assigned = []
    for i, item in enumerate(shape.items if shape.kind == "list" else (shape,)):
        inner = item if isinstance(item, Shape) else _relation_of(item)
        if inner is None:
            if i == 0 or not isinstance(item, str):
                return None
            found.append((found[0][0], item))
            continue
        if inner.marks == (r"\in",) and is_head(inner.items[0]):
            found += [(inner.items[0], value) for value in _elements_of(inner.items[1], "set")]
            continue
        assignment = read_assignment(inner, same)
        if assignment is None:
            return None
        found += [(assignment.head, value) for value in _elements_of(assignment.value, "plus_minus")]
    return found


def _elements_of(text: str, kind: str) -> tuple[str, ...]:
    shape = read_shape(text)
    return shape.items if shape is not None and shape.kind == kind else (text,)


def _both_assigned(left: Assigned, right: Assigned, one: Shape | None, two: Shape | None, same: Same) -> Outcome:
    if len(left) == len(right) == 1:
        (head, value), (other, said) = left[0], right[0]
        if same_head(head, other):
            alike = same(value, said)
            if alike is not False or not (one and two and one.kind == two.kind == "relation"):
                return alike
        assert one is not None
        assert two is not None
        return bool(one.kind == two.kind == "relation" and same_equation(one, two))
    if len(left) != len(right):
        return False
    return _matched(left, right, lambda a, b: same_head(a[0], b[0]) and same(a[1], b[1]) is True)


def _values(assigned: Assigned, bare: str, same: Same, *, flipped: bool) -> Outcome:
    """Compare assigned values with a bare answer: one value, a list of one name's, a tuple of several names'."""
    def alike(value: str, text: str) -> bool | None:
        return same(text, value) if flipped else same(value, text)

    if len(assigned) == 1:
        return alike(assigned[0][1], bare)
    heads = [head for head, _ in assigned]
    shape = read_shape(bare) or read_list(bare, every_comma=True)
    if shape is None or shape.kind not in ("list", "set", "bracket") or len(shape.items) != len(assigned):
        return False
    if len(set(heads)) == 1:
        return shape.kind != "bracket" and _matched([v for _, v in assigned], list(shape.items), alike)
    if shape.kind == "set" or len(set(heads)) != len(heads):
        return False
    ordered = [value for _, value in sorted(assigned)]
    return all(alike(value, item) is True for value, item in zip(ordered, shape.items, strict=True))


def _regions(reference: str, answer: str, one: Shape | None, two: Shape | None, same: Same) -> Outcome:
    """Compare two sets of real numbers where at least one is written as more than a bracket."""
    if not any(_describes_region(shape, text) for shape, text in ((one, reference), (two, answer))):
        return None
    left = read_region(reference)
    right = read_region(answer) if left is not None else None
    return None if left is None or right is None else same_region(left, right, same)


def _describes_region(shape: Shape | None, text: str) -> bool:
    if shape is None:
        return False
    if shape.kind == "relation":
        return any(mark in ("<", ">", r"\le", r"\ge", r"\ne", r"\in") for mark in shape.marks)
    if shape.kind == "list":
        return any(_describes_region(_relation_of(item), item) for item in shape.items)
    return shape.kind == "union" or (shape.kind == "set" and ("|" in text or ":" in text)) or r"\setminus" in text


def _against_single(reference: str, answer: str, one: Shape | None, two: Shape | None, same: Same) -> Outcome:
    """Judge a structure against a plain thing: a set of one element is that element."""
    shape = one if one is not None else two
    assert shape is not None
    if shape.kind == "set" and len(shape.items) == 1:
        return same(shape.items[0], answer) if one is not None else same(reference, shape.items[0])
    if shape.kind == "relation":  # what assigns nothing is no value
        return False
    if two is not None and two.kind == "list":
        equal = [same(reference, item) is True for item in two.items]
        if all(equal) and "or" in two.marks:
            return True
        return Reason.AMBIGUOUS if any(equal) else False
    plain = answer if one is not None else reference
    return None if shape.kind in ("matrix", "cases") and r"\begin" in plain else False  # a sum of matrices


def _shapes(one: Shape, two: Shape, same: Same) -> Outcome:
    kinds = (one.kind, two.kind)
    if kinds == ("bracket", "bracket"):
        return one.marks == two.marks and _in_order(one, two, same)
    if kinds == ("matrix", "matrix"):
        return one.marks == two.marks and _in_order(one, two, same)
    if "cases" in kinds:
        pairs = [list(zip(shape.items[::2], shape.items[1::2], strict=True)) for shape in (one, two)]
        return kinds == ("cases", "cases") and _matched(
            *pairs, lambda a, b: same(a[0], b[0]) is True and same(a[1], b[1]) is True
        )
    if "matrix" in kinds:
        return _matrix_against(*((one, two) if one.kind == "matrix" else (two, one)), same, swapped=one.kind != "matrix")
    if "bracket" in kinds:
        bracket, other = (one, two) if one.kind == "bracket" else (two, one)
        if other.kind != "list" or _may_be_interval(bracket):
            return False
        return _in_order(one, two, same)
    if "union" in kinds:
        return _matched(list(one.items), list(two.items), same) if kinds == ("union", "union") else _united(one, two, same)
    left, right = _spread(one), _spread(two)
    if _ordered(left) or _ordered(right):
        return len(left) == len(right) and all(same(a, b) is True for a, b in zip(left, right, strict=True))
    return _matched(left, right, same)


def _united(one: Shape, two: Shape, same: Same) -> Outcome:
    """Compare `\\{1\\} \\cup \\{2\\}` with `\\{1, 2\\}`."""
    spread = []
    for shape in (one, two):
        if shape.kind != "union":
            spread.append(_spread(shape))
            continue
        sets = [read_shape(item) for item in shape.items]
        if not all(inner is not None and inner.kind == "set" for inner in sets):
            return None
        spread.append([item for inner in sets if inner is not None for item in inner.items])
    return _matched(*spread, same)


def _spread(shape: Shape) -> list[str]:
    """Return the elements of a list or set, `\\pm` written out."""
    spread: list[str] = []
    for item in shape.items:
        inner = read_shape(item) if "pm" in item or "+-" in item or "+/-" in item else None
        spread.extend(inner.items if inner is not None and inner.kind == "plus_minus" else [item])
    return spread


def _ordered(items: list[str]) -> bool:
    """Whether a list is a sequence: it has an ellipsis."""
    return any(r"\ldots" in item for item in items)


def _in_order(one: Shape, two: Shape, same: Same) -> bool:
    return all(a is not None and b is not None and same(a, b) is True for a, b in zip_longest(one.items, two.items))


def _may_be_interval(shape: Shape) -> bool:
    """Whether two items stand in brackets as the ends of an interval would."""
    if len(shape.items) != 2:
        return False
    if any("infty" in item for item in shape.items):
        return True
    ends = [constant_of(item) for item in shape.items]
    return ends[0] is None or ends[1] is None or ends[0] < ends[1]


def _matrix_against(matrix: Shape, other: Shape, same: Same, *, swapped: bool) -> Outcome:
    """Compare a matrix with `[[1, 2], [3, 4]]`, and a column with a tuple."""
    if other.kind != "bracket":
        return False
    rows = [read_shape(item) for item in other.items]
    if all(row is not None and row.kind == "bracket" for row in rows):
        if len(rows) != int(matrix.marks[0]):
            return False
        other = Shape("matrix", tuple(cell for row in rows if row is not None for cell in row.items), matrix.marks)
    elif int(matrix.marks[0]) != len(matrix.items) or other.marks != ("(", ")"):
        return False
    return _in_order(other, matrix, same) if swapped else _in_order(matrix, other, same)


def _matched(left: list, right: list, same) -> bool:
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
