r"""Tier 3, relations: assignments and equations.

`x = 2` names a value and is worth that value; `2x + 4y = 3` is an equation and equals its multiples.
A chain that contradicts itself, such as `x = 4 = 5`, is worth nothing.
"""

import re
from fractions import Fraction

from ..formulas.equality import constant_ratio, equal
from ..formulas.finite_field import names_in
from ..formulas.free_letters import renamed
from ..formulas.parser import parse
from ..formulas.tokens import Node, Unreadable
from ..text.exact_number import Number, read_safely
from .left_sides import NAMES, VARIABLE, is_head, is_wanted
from .outline import FLIPPED, Shape, read_shape, split_at
from .real_sets import Same, constant_of

Assignments = list[tuple[str, str]]
"""(head, value) pairs; a head is what stands left of the sign, or an empty string."""


class Contradiction(ValueError):
    """An answer's own parts cannot be true together."""


def read_assignments(shape: Shape | None, same: Same, *, wanted: bool = False) -> Assignments | None:
    """Return (head, value) of every item of `x = 1, y = 2` or `x = 1, 2`; None if one has none.

    With `wanted`, `m + n = 12` is one too: an answer says so what was asked for.

    Raises:
        Contradiction: a chain's values differ.
    """
    if shape is None or shape.kind not in ("relation", "list"):
        return None
    found: Assignments = []
    items = shape.items if shape.kind == "list" else (shape,)
    for item in items:
        inner = item if isinstance(item, Shape) else read_shape(item)
        if inner is None or inner.kind != "relation":
            if not isinstance(item, str) or not found:
                return None
            found.append((found[-1][0], item))
            continue
        made = _members(inner) or _assignment(inner, same, wanted and isinstance(item, Shape))
        if made is None:
            return None
        several = len(items) > 1 and not found and len(made) > 1 and _is_tuple(items[1])
        found += [(inner.items[0], inner.items[1])] if several else made  # (x, y) = (1, 2), (2, 1)
    return found


def _is_tuple(item: str | Shape) -> bool:
    shape = read_shape(item) if isinstance(item, str) else item
    return shape is not None and shape.kind == "bracket"


def _members(shape: Shape) -> Assignments | None:
    r"""Read `x \in \{1, 2\}`: each element is a value."""
    inner = read_shape(shape.items[-1])
    if shape.marks != (r"\in",) or not is_head(shape.items[0]) or inner is None or inner.kind != "set":
        return None
    return [(shape.items[0], value) for value in inner.items]


_EQUAL = ("=", ":=", "==", r"\equiv")


def _assignment(shape: Shape, same: Same, wanted: bool) -> Assignments | None:
    r"""Read `x = 2`, `2 = x`, `x = 1 + 1 = 2`, `\frac{1}{3} \approx 0.33`, `(x, y) = (1, 2)`."""
    if any(mark not in (*_EQUAL, r"\approx") for mark in shape.marks):
        return None
    parts, marks = list(shape.items), list(shape.marks)
    head = ""
    if (constant_of(parts[0]) is None and is_head(parts[0])) or (
        wanted and is_wanted(parts[0]) and constant_of(parts[-1]) is not None
    ):
        head, parts, marks = parts[0], parts[1:], marks[1:]
    elif len(parts) == 2 and is_head(parts[1]):
        return [(parts[1], parts[0])]
    elif any(mark in _EQUAL for mark in marks) and not all(constant_of(part) is not None for part in parts):
        return None  # an equation
    while len(parts) > 1 and is_head(parts[0]) and constant_of(parts[-1]) is not None:  # A = S = 12
        parts, marks = parts[1:], marks[1:]
    value = _value(parts, marks, same)
    if VARIABLE.fullmatch(head) and re.search(rf"(?<![A-Za-z\\]){re.escape(head)}(?![A-Za-z])", value):
        return None  # `x = 2x` gives x nothing
    return _spread(head, value)


def _value(parts: list[str], marks: list[str], same: Same) -> str:
    """Return what a chain comes to: its last exact part, a written number before all."""
    kept = [parts[0]]
    for part, mark in zip(parts[1:], marks, strict=True):
        if mark == r"\approx":
            if not _near(kept[-1], part):
                raise Contradiction(f"{kept[-1]} is not about {part}")
            continue
        if same(kept[-1], part) is False and same(part, kept[-1]) is False:
            raise Contradiction(f"{kept[-1]} is not {part}")
        kept.append(part)
    written = [part for part in kept if read_safely(part) is not None]
    exact = [part for part in written if (read_safely(part) or Number(Fraction(0))).decimals is None]
    return (exact or written or kept)[-1]


def _near(exact: str, about: str) -> bool:
    """Whether a decimal is right to within one unit of its last place; True where nobody can tell."""
    value, number = constant_of(exact), read_safely(about)
    if value is None or number is None:
        return True
    return abs(value - number.value) < Fraction(1, 1) / Fraction(10) ** (number.decimals or 0)


def _spread(head: str, value: str) -> Assignments:
    r"""Write out `(x, y) = (1, 2)` and `x = \pm 2`."""
    shape = read_shape(value)
    if NAMES.fullmatch(head):
        names = split_at(head.strip("() "), re.compile(","))[0]
        if shape is not None and shape.kind in ("bracket", "list") and len(shape.items) == len(names):
            return list(zip(names, shape.items, strict=True))
    if shape is not None and shape.kind == "plus_minus":
        return [(head, item) for item in shape.items]
    return [(head, value)]


_CUSTOMARY = (frozenset("xyzw"), frozenset("abcd"), frozenset("pqrs"))


def in_customary_order(assigned: Assignments) -> list[str]:
    """Return the values as a tuple would have them: x before y, and else as they are written."""
    heads = {head for head, _ in assigned}
    ordered = sorted(assigned) if any(heads <= letters for letters in _CUSTOMARY) else assigned
    return [value for _, value in ordered]


_FUNCTION = re.compile(r"([A-Za-z](?:_\{?\w+\}?)?) ?\( ?([a-z]) ?\)")


def same_letters(one: tuple[str, str], two: tuple[str, str]) -> tuple[str, str]:
    """Write `f(t) = t + 1` with the letter of `f(x) = ...`."""
    first, second = _FUNCTION.fullmatch(one[0]), _FUNCTION.fullmatch(two[0])
    if first is None or second is None or first[1] != second[1] or first[2] == second[2]:
        return two
    value = renamed(two[1], second[2], first[2])
    return two if value is None else (one[0], value)


_SIGNS = {"<": 1, r"\le": 2, ">": -1, r"\ge": -2, "=": 0, "==": 0, r"\ne": 9}
_EITHER_WAY = ("=", r"\ne", r"\perp", r"\parallel", r"\cong", r"\sim")


def same_relation(one: Shape, two: Shape) -> bool | None:
    """Compare two equations or inequalities of formulas: equal but for a factor; None if unreadable."""
    if len(one.items) != 2 or len(two.items) != 2 or not {one.marks[0], two.marks[0]} <= set(_SIGNS):
        return _same_chain(one, two)
    try:
        first, second = (
            Node("add", (parse(s.items[0]), Node("neg", (parse(s.items[1]),)))) for s in (one, two)
        )
    except Unreadable:
        return _same_chain(one, two) or None
    if not names_in(first) or not names_in(second):
        return False
    factor = constant_ratio(first, second)
    if factor is None:
        return False
    a, b = _SIGNS[one.marks[0]], _SIGNS[two.marks[0]]
    return a == b if a in (0, 9) or b in (0, 9) else a == b * factor


def _same_chain(one: Shape, two: Shape) -> bool:
    if len(one.items) != len(two.items):
        return False
    ways = [
        (two.items, two.marks),
        (two.items[::-1], tuple(FLIPPED.get(mark, mark) for mark in two.marks[::-1])),
    ]
    if not all(mark in FLIPPED or mark in _EITHER_WAY for mark in two.marks):
        ways.pop()
    return any(
        one.marks == marks and all(_same_formula(a, b) for a, b in zip(one.items, items, strict=True))
        for items, marks in ways
    )


def _same_formula(one: str, two: str) -> bool:
    try:
        return one.replace(" ", "") == two.replace(" ", "") or equal(parse(one), parse(two))
    except (Unreadable, ArithmeticError):
        return False
