"""Assignments and equations: `x = 2` gives a value to a head, `2x + 4y = 3` is an equation.

An assignment equals its value. An equation or inequality equals its multiples. An answer that contradicts
itself, such as `x = 4 = 5`, is wrong.
"""

import re
from fractions import Fraction

from ..formulas.equality import constant_ratio, equal
from ..formulas.finite_field import names_in
from ..formulas.free_letters import renamed
from ..formulas.parser import parse
from ..formulas.tokens import Node, Unreadable
from ..text.exact_number import read_safely
from .left_sides import NAMES, VARIABLE, is_head, is_wanted
from .outline import FLIPPED, Same, Shape, read_shape, split_at
from .real_sets import constant_of

Assignments = list[tuple[str, str]]
"""Heads (left sides, see `left_sides.py`) with their values; a bare value has an empty head."""


class Contradiction(ValueError):
    """The parts of one text cannot all be true."""


def read_assignments(shape: Shape | None, same: Same, *, wanted: bool = False) -> Assignments | None:
    """Return the heads and values of `x = 2` or `x = 1, y = 2`; None if a part is not an assignment.

    In `x = 1, 2` the head belongs to both values. With `wanted`, a formula of several variables may be the
    head too, as in the answer `m + n = 12` to a question about m + n.

    Raises:
        Contradiction: the values of a chain differ.
    """
    if shape is None or shape.kind not in ("relation", "list"):
        return None
    if shape.kind == "relation":
        return _members(shape) or _assignment(shape, same, wanted)
    found: Assignments = []
    for item in shape.items:
        inner = read_shape(item)
        if inner is None or inner.kind != "relation":
            if not found:
                return None
            found.append((found[-1][0], item))
            continue
        assigned = _members(inner) or _assignment(inner, same, wanted)
        if assigned is None:
            return None
        is_split = not found and len(assigned) > 1
        if is_split and len(shape.items) > 1 and _is_tuple(shape.items[1]):
            # In `(x, y) = (1, 2), (2, 1)` each tuple is one value, and not an x and a y.
            assigned = [(inner.items[0], inner.items[1])]
        found += assigned
    return found


def _is_tuple(text: str) -> bool:
    shape = read_shape(text)
    return shape is not None and shape.kind == "bracket"


def _members(shape: Shape) -> Assignments | None:
    r"""Read `x \in \{1, 2\}` as `x = 1, x = 2`; None for other relations."""
    inner = read_shape(shape.items[-1])
    if shape.marks != (r"\in",) or not is_head(shape.items[0]) or inner is None or inner.kind != "set":
        return None
    return [(shape.items[0], value) for value in inner.items]


_EQUAL = ("=", ":=", "==", r"\equiv")


def _assignment(shape: Shape, same: Same, wanted: bool) -> Assignments | None:
    r"""Read `x = 2`, `2 = x`, `x = 1 + 1 = 2`, `\frac{1}{3} \approx 0.33` or `(x, y) = (1, 2)`.

    None for everything else, above all for equations.
    """
    if any(mark not in (*_EQUAL, r"\approx") for mark in shape.marks):
        return None
    parts, marks = list(shape.items), list(shape.marks)
    head = ""
    if _starts_with_head(parts, wanted=wanted):
        head, parts, marks = parts[0], parts[1:], marks[1:]
    elif len(parts) == 2 and is_head(parts[1]):
        return [(parts[1], parts[0])]
    elif not all(constant_of(part) is not None for part in parts):
        are_amounts = all(part[:1].isdigit() and same(parts[0], part) is True for part in parts[1:])
        return [("", parts[0])] if are_amounts and parts[0][:1].isdigit() else None  # `5.2 m = 520 cm`
    while len(parts) > 1 and is_head(parts[0]) and constant_of(parts[-1]) is not None:  # A = S = 12
        parts, marks = parts[1:], marks[1:]
    value = _value(parts, marks, same)
    if VARIABLE.fullmatch(head) and re.search(rf"(?<![A-Za-z\\]){re.escape(head)}(?![A-Za-z])", value):
        return None  # `x = 2x` does not give x a value
    return _spread(head, value)


def _starts_with_head(parts: list[str], *, wanted: bool) -> bool:
    if constant_of(parts[0]) is None and is_head(parts[0]):
        return True
    if parts[0] in ("e", "i") and constant_of(parts[1]) is not None:
        return True  # an eccentricity or a current, unless the value is that of the constant
    if wanted and _INTEGRAL.match(parts[0]) and len(parts) == 2:
        return True
    if not wanted or constant_of(parts[-1]) in (None, 0):  # `px + q = 0` is an equation to solve
        return False
    return is_wanted(parts[0])


_INTEGRAL = re.compile(r"\\(?:i{0,3}nt|lim)(?![a-z])")


def _value(parts: list[str], marks: list[str], same: Same) -> str:
    """Return the value of a chain such as `1 + 1 = 2`.

    This is the last part that is an exact number; without one, the last decimal; without one, the last part.

    Raises:
        Contradiction: two neighbours are not equal.
    """
    kept = [parts[0]]
    for part, mark in zip(parts[1:], marks, strict=True):
        if mark == r"\approx":
            if not _near(kept[-1], part):
                raise Contradiction(f"{kept[-1]} is not about {part}")
            if constant_of(kept[-1]) is None:
                kept.append(part)  # `v = gt \approx 13`: the number is the value
            continue
        constants = constant_of(kept[-1]), constant_of(part)
        are_values = all(
            constant is not None or not _LETTERS.search(text)
            for constant, text in zip(constants, (kept[-1], part), strict=True)
        )
        is_equal = constants[0] is not None and constants[0] == constants[1]  # `20-3 = 17`, no range here
        if are_values and not is_equal and same(kept[-1], part) is False and same(part, kept[-1]) is False:
            raise Contradiction(f"{kept[-1]} is not {part}")
        kept.append(part)
    numbers = [(part, read_safely(part)) for part in kept]
    written = [part for part, number in numbers if number is not None]
    exact = [part for part, number in numbers if number is not None and number.decimals is None]
    return (exact or written or kept)[-1]


_LETTERS = re.compile(r"(?<![\\A-Za-z])[A-Za-z](?![A-Za-z]*\})|\\angle")


def _near(exact: str, about: str) -> bool:
    """Return whether a decimal is right to within one unit of its last digit, or cannot be checked."""
    value, number = constant_of(exact), read_safely(about)
    if value is None or number is None:
        return True
    return abs(value - number.value) < 1 / Fraction(10) ** (number.decimals or 0)


def _spread(head: str, value: str) -> Assignments:
    r"""Split `(x, y) = (1, 2)` and `x = \pm 2` into one assignment for each value."""
    shape = read_shape(value)
    if NAMES.fullmatch(head):
        names = split_at(head.strip("() "), re.compile(","))[0]
        is_tuple = shape is not None and (shape.kind == "list" or shape.marks in (("(", ")"), ("<", ">")))
        if shape is not None and is_tuple and len(shape.items) == len(names):
            return list(zip(names, shape.items, strict=True))
    if shape is not None and shape.kind == "plus_minus":
        return [(head, item) for item in shape.items]
    return [(head, value)]


_CUSTOMARY = (frozenset("xyzw"), frozenset("abcd"), frozenset("pqrs"))


def in_customary_order(assigned: Assignments) -> list[str]:
    """Return the values in the order of a tuple: x before y, a before b, other heads as written."""
    heads = {head for head, _ in assigned}
    ordered = sorted(assigned) if any(heads <= letters for letters in _CUSTOMARY) else assigned
    return [value for _, value in ordered]


def unnumbered(assigned: Assignments | None) -> Assignments | None:
    """Return `x_1 = 3, x_2 = -5` as two values of x; other assignments as they are.

    Numbered heads of one letter list the roots of an equation, whose order means nothing.
    """
    if assigned is None or len(assigned) < 2:
        return assigned
    parts = [_NUMBERED.fullmatch(head) for head, _ in assigned]
    numbers = sorted(part["number"] for part in parts if part is not None)
    bases = {part["base"] for part in parts if part is not None}
    if len(bases) != 1 or numbers != [str(i + 1) for i in range(len(assigned))]:
        return assigned
    base = bases.pop()
    return [(base, value) for _, value in assigned]


_NUMBERED = re.compile(r"(?P<base>[a-zA-Z]|\\[a-z]+)_\{? ?(?P<number>\d) ?\}?")


def solutions_of(assigned: Assignments | None) -> list[str] | None:
    """Return the solutions of a system as tuples: `(1, 2)` and `(3, 4)` for `x = 1, y = 2, x = 3, y = 4`.

    None unless the same heads, at least two, return at least twice in the same order.
    """
    heads = [head for head, _ in assigned or ()]
    width = len(set(heads))
    if assigned is None or width < 2 or len(heads) < 2 * width or len(heads) % width:
        return None
    if any(heads[i] != heads[i % width] for i in range(len(heads))):
        return None
    groups = [assigned[i : i + width] for i in range(0, len(assigned), width)]
    return [f"({', '.join(in_customary_order(group))})" for group in groups]


_FUNCTION = re.compile(r"([A-Za-z](?:_\{?\w+\}?)?) ?\( ?([a-z]) ?\)")


def same_letters(one: tuple[str, str], two: tuple[str, str]) -> tuple[str, str]:
    """Return the second assignment with the letter of the first: `f(t) = t + 1` as `f(x) = x + 1`."""
    first, second = _FUNCTION.fullmatch(one[0]), _FUNCTION.fullmatch(two[0])
    if first is None or second is None or first[1] != second[1] or first[2] == second[2]:
        return two
    value = renamed(two[1], second[2], first[2])
    return two if value is None else (one[0], value)


_SIGNS = {"<": 1, r"\le": 2, ">": -1, r"\ge": -2, "=": 0, "==": 0, r"\ne": 9}
"""A number for each sign; negated, it is that of the sign after multiplying by a negative factor."""
_SYMMETRIC = (_SIGNS["="], _SIGNS[r"\ne"])
_EITHER_WAY = ("=", r"\ne", r"\perp", r"\parallel", r"\cong", r"\sim")


def same_relation(one: Shape, two: Shape) -> bool | None:
    """Return whether two equations or inequalities are equal up to a constant factor; None if unreadable."""
    if len(one.items) != 2 or len(two.items) != 2 or not {one.marks[0], two.marks[0]} <= set(_SIGNS):
        return _same_chain(one, two)
    try:
        first, second = _left_minus_right(one), _left_minus_right(two)
    except Unreadable:
        return _same_chain(one, two) or None
    if not names_in(first) or not names_in(second):
        return False
    factor = constant_ratio(first, second)
    if factor is None:
        return False
    sign, other_sign = _SIGNS[one.marks[0]], _SIGNS[two.marks[0]]
    if sign in _SYMMETRIC or other_sign in _SYMMETRIC:
        return sign == other_sign
    return sign == other_sign * factor  # a negative factor turns < into >


def _left_minus_right(shape: Shape) -> Node:
    left, right = shape.items
    return Node("add", (parse(left), Node("neg", (parse(right),))))


def _same_chain(one: Shape, two: Shape) -> bool:
    """Return whether two relations have equal parts and equal signs, read forwards or backwards."""
    if len(one.items) != len(two.items):
        return False
    readings = [(two.items, two.marks)]
    if all(mark in FLIPPED or mark in _EITHER_WAY for mark in two.marks):
        flipped = tuple(FLIPPED.get(mark, mark) for mark in reversed(two.marks))
        readings.append((two.items[::-1], flipped))
    return any(
        one.marks == marks and all(_same_formula(a, b) for a, b in zip(one.items, items, strict=True))
        for items, marks in readings
    )


def _same_formula(one: str, two: str) -> bool:
    try:
        return one.replace(" ", "") == two.replace(" ", "") or equal(parse(one), parse(two))
    except (Unreadable, ArithmeticError):
        return False
