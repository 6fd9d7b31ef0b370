r"""The `structure` tier: lists, sets, tuples, intervals, unions, matrices, plus-minus, relations, conditions.

Bare lists and sets have no order. Tuples, points and intervals have one, and their brackets count. A bare
list may stand for a tuple, unless that tuple could also be an interval. The parts of both sides are judged
by all tiers.
"""

import re

from ..policy import Judge
from ..spelling.question import asks_for
from ..verdict import Reason, Verdict, equal_or_different
from .conditions import without_builder
from .containers import is_set, matched, same_shapes
from .equations import (
    Assignments,
    Contradiction,
    in_customary_order,
    read_assignments,
    same_letters,
    same_relation,
    solutions_of,
    unnumbered,
)
from .families import compare_conditions
from .intervals import same_region
from .left_sides import VARIABLE, same_head
from .outline import MAX_ITEMS, Same, Shape, is_relation, read_list, read_shape
from .real_sets import constant_of, is_region, read_region

Outcome = bool | Reason | None
"""Equal or not; a `Reason` if it says more than "different"; None = left to other tiers."""


def compare(reference: str, answer: str, judge: Judge) -> Verdict | None:
    """Compare two normalised texts if at least one has a structure, else return None.

    Raises:
        TooLarge: a part exceeds a limit.
    """
    if judge.policy.question:
        value = _without_asked_name(reference, answer, judge.policy.question)
        if value != answer:
            return judge(reference, value)
    outcome = _compare(*_without_point_name(reference, answer), lambda one, two: judge(one, two).correct)
    if outcome is None:
        return None
    return equal_or_different(outcome) if isinstance(outcome, bool) else Verdict(False, outcome)


def _without_asked_name(reference: str, answer: str, question: str) -> str:
    """Return the value of `m + n = 12` if the question asks for m + n and the reference is no relation."""
    shape = read_shape(answer)
    if (
        shape is None
        or shape.kind != "relation"
        or shape.marks[0] not in ("=", r"\approx")
        or is_relation(reference)
    ):
        return answer
    return shape.items[-1] if asks_for(question, shape.items[0]) and len(shape.items) == 2 else answer


_POINT = re.compile(r"([A-Z]) ?(\([^()]*,[^()]*\))")


def _without_point_name(reference: str, answer: str) -> tuple[str, str]:
    """Remove the name of a point, `P(3, 4)`, if only one side has one.

    `N(0, 1)` and `U(0, 1)` are distributions; in a reference, `B` and `C(5, 2)` are binomials.
    """
    one, two = _POINT.fullmatch(reference), _POINT.fullmatch(answer)
    if one is not None and two is None and one[1] not in "BCNU" and read_shape(answer) is not None:
        return one[2], answer
    if two is not None and one is None and two[1] not in "NU" and read_shape(reference) is not None:
        return reference, two[2]
    return reference, answer


def _compare(reference: str, answer: str, same: Same) -> Outcome:
    reference, answer = without_builder(reference), without_builder(answer)
    if r"\pm" in reference and r"\pm" in answer and is_relation(reference) and is_relation(answer):
        return matched(_with_both_signs(reference), _with_both_signs(answer), same)
    conditional = compare_conditions(reference, answer, same)
    if conditional is not None:
        return conditional
    target, given = read_shape(reference), read_shape(answer)
    if is_region(reference) or is_region(answer):
        region = read_region(reference)
        given_region = read_region(answer) if region is not None else None
        if region is not None and given_region is not None:
            return same_region(region, given_region, same)
    if target is None and given is None:
        return None
    if any(shape is not None and len(shape.items) > MAX_ITEMS for shape in (target, given)):
        return Reason.TOO_LARGE
    target, given = _with_every_comma(reference, target, given), _with_every_comma(answer, given, target)
    if _has_relation(target) or _has_relation(given):
        return _relations(reference, answer, target, given, same)
    if target is not None and given is not None:
        return same_shapes(target, given, same)
    if target is not None:
        return _against_single(target, answer, same, flipped=False)
    assert given is not None
    return _against_single(given, reference, same, flipped=True)


def _with_both_signs(text: str) -> list[str]:
    r"""Return the two relations that one with `\pm` stands for."""
    opposite = {r"\pm": "+-", r"\mp": "-+"}
    return [_SIGNS.sub(lambda sign: opposite[sign[0]][i], text) for i in range(2)]  # noqa: B023


_SIGNS = re.compile(r"\\(?:pm|mp)(?![a-z])")


def _with_every_comma(text: str, own: Shape | None, other: Shape | None) -> Shape | None:
    """Read `100,200,300` as a list if the other side is the same list with spaces between its items.

    Alone it would be one number of nine digits. `own` and `other` are the outlines of both sides.
    """
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
    if shape is None:
        return False
    return shape.kind == "relation" or (shape.kind == "list" and any(map(is_relation, shape.items)))


def _relations(reference: str, answer: str, target: Shape | None, given: Shape | None, same: Same) -> Outcome:
    """Compare two texts if the outline of at least one is a relation or a list with relations."""
    try:
        assigned = read_assignments(target, same)
    except Contradiction:
        assigned = None  # only an answer can be wrong by contradicting itself
    try:
        given_assigned = read_assignments(given, same, wanted=True)
    except Contradiction:
        return Reason.CONTRADICTS
    is_ordered = any(shape is not None and shape.kind == "bracket" for shape in (target, given))
    if not is_ordered and {head for head, _ in assigned or ()} != {head for head, _ in given_assigned or ()}:
        assigned, given_assigned = unnumbered(assigned), unnumbered(given_assigned)
    solutions, given_solutions = solutions_of(assigned), solutions_of(given_assigned)
    if solutions is not None or given_solutions is not None:
        one, two = solutions or _tuples(target), given_solutions or _tuples(given)
        return one is not None and two is not None and matched(one, two, same)
    if assigned is not None and given_assigned is not None:
        return _both_assigned(assigned, given_assigned, target, given, same)
    if assigned is not None and not _has_relation(given):
        return _values(assigned, answer, given, same, flipped=False)
    if given_assigned is not None and not _has_relation(target):
        return _values(given_assigned, reference, target, same, flipped=True)
    if target is None or given is None:
        return False
    if assigned is not None and given_assigned is None and _are_constants(assigned):
        return (
            Reason.UNEVALUATED if target.kind == given.kind == "relation" else False
        )  # `2x + 1 = 7` for `x = 3`
    if target.kind == given.kind == "relation":
        return same_relation(target, given)
    if target.kind == given.kind == "list" and _has_relation(target) and _has_relation(given):
        return target.marks == given.marks and matched(target.items, given.items, same)
    return False


def _are_constants(assigned: Assignments) -> bool:
    return all(VARIABLE.fullmatch(head) and constant_of(value) is not None for head, value in assigned)


def _tuples(shape: Shape | None) -> list[str] | None:
    """Return the items of a list or set of tuples; None for anything else."""
    if shape is None or shape.kind not in ("list", "set"):
        return None
    inner = [read_shape(item) for item in shape.items]
    are_tuples = all(item is not None and item.kind == "bracket" for item in inner)
    return list(shape.items) if are_tuples else None


def _both_assigned(
    assigned: Assignments,
    given_assigned: Assignments,
    target: Shape | None,
    given: Shape | None,
    same: Same,
) -> Outcome:
    if len(assigned) != len(given_assigned):
        return False
    if len(assigned) == 1:
        head, value = assigned[0]
        given_head, given_value = same_letters(assigned[0], given_assigned[0])
        outcome = same(value, given_value) if same_head(head, given_head) else False
        if outcome is not False or target is None or given is None:
            return outcome
        are_relations = target.kind == given.kind == "relation"
        return are_relations and bool(same_relation(target, given))  # y = 2x + 1 and x = (y - 1)/2
    alternatives = {"or" in shape.marks for shape in (target, given) if shape is not None}
    if len({head for head, _ in assigned}) > 1 and len(alternatives) > 1:
        return False  # `x = 1 and y = 2` differs from `x = 1 or y = 2`
    return matched(assigned, given_assigned, lambda a, b: same_head(a[0], b[0]) and same(a[1], b[1]) is True)


def _values(assigned: Assignments, bare: str, shape: Shape | None, same: Same, *, flipped: bool) -> Outcome:
    """Compare assigned values with a text that assigns nothing: a value, a list, or a tuple.

    `flipped` says that the assignments are the answer's. `shape` is the outline of the bare text.
    """

    def equal(value: str, text: str) -> bool | None:
        return same(text, value) if flipped else same(value, text)

    heads = [head for head, _ in assigned]
    values = [value for _, value in assigned]
    if len(assigned) == 1:
        is_letter = len(heads[0]) == 1 and len(values[0]) == 1 and values[0].isalpha()
        if is_letter:
            return values[0] == bare  # the b of `a = b` is a variable and not the choice B
        return equal(values[0], bare)
    shape = shape or read_list(bare, every_comma=True)
    if shape is None or shape.kind not in ("list", "set", "bracket", "plus_minus"):
        return False
    if len(shape.items) != len(assigned):
        return False
    if len(set(heads)) == 1:  # several values of one variable
        return shape.kind != "bracket" and matched(
            values, shape.items, lambda a, b: is_set(a) == is_set(b) and equal(a, b)
        )
    is_tuple = shape.kind == "list" or (shape.kind == "bracket" and shape.marks == ("(", ")"))
    if not is_tuple or "or" in shape.marks or len(set(heads)) != len(heads):
        return False
    ordered = in_customary_order(assigned)
    return all(equal(value, item) is True for value, item in zip(ordered, shape.items, strict=True))


def _against_single(shape: Shape, plain: str, same: Same, *, flipped: bool) -> Outcome:
    """Compare a structure with a text without one: a set of one element equals that element.

    `flipped` says that the structure is the answer.
    """
    if _is_wrapped_element(shape):
        return same(plain, shape.items[0]) if flipped else same(shape.items[0], plain)
    if flipped and shape.kind == "list":
        right = [same(plain, item) is True for item in shape.items]
        if all(right):
            return True
        return Reason.AMBIGUOUS if any(right) else False
    is_vector = shape.kind == "bracket" or (shape.kind == "matrix" and len(shape.items) in (2, 3))
    if is_vector and r"\vec{" in plain:
        return _same_unit_vectors(shape, plain, same, flipped=flipped)
    if shape.kind in ("matrix", "cases") and r"\begin" in plain:
        return None  # a sum or product of matrices, which is left to the last tier
    return False


def _is_wrapped_element(shape: Shape) -> bool:
    """Return whether a structure is one element in set braces or square brackets."""
    if len(shape.items) != 1:
        return False
    if shape.kind == "set":
        return "emptyset" not in shape.items[0] and not is_set(shape.items[0])
    return shape.kind == "bracket" and shape.marks == ("[", "]")


def _same_unit_vectors(shape: Shape, text: str, same: Same, *, flipped: bool) -> bool:
    r"""Compare `(2, -1)` with `2\vec{i} - \vec{j}`."""
    if len(shape.items) > 3:
        return False
    written = "+".join(rf"({item})\vec{{{name}}}" for item, name in zip(shape.items, "ijk", strict=False))
    return (same(text, written) if flipped else same(written, text)) is True
