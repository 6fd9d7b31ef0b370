r"""Tier 3, relations: assignments and equations.

`x = 2` names a value and is worth that value; `2x + 4y = 3` is an equation and equals its multiples.
A chain that contradicts itself, such as `x = 4 = 5`, is worth nothing.
"""

import re
from fractions import Fraction

from .algebra import constant_ratio, equal, names_in
from .exact_number import DivisionByZero, Number, read_number
from .expression import CONSTANTS, FUNCTIONS, Node, TooLarge, Unreadable, parse
from .region import Same, constant_of
from .shape import Shape, read_shape, renamed, split_at

Assignments = list[tuple[str, str]]
"""(head, value) pairs; a head is what stands left of the sign, or an empty string."""


class Contradiction(ValueError):
    """An answer's own parts cannot be true together."""


_LETTER = r"(?:[A-Za-z]|\\[a-z]+)(?:_\{?[A-Za-z0-9,+-]+\}?)?'*"
_VARIABLE = re.compile(_LETTER)
_NAMES = re.compile(rf"\( ?{_LETTER}(?:, ?{_LETTER})+ ?\)|{_LETTER}(?:, ?{_LETTER})+")
_DERIVATIVE = re.compile(r"\\frac ?\{ ?d[^{}]*\} ?\{ ?d ?[a-z][^{}]*\}|d ?[a-z] ?/ ?d ?[a-z]")
_GROUP = re.compile(r"\{[^{}]*\}|\([^()]*\)|\[[^\[\]]*\]|\|[A-Z][^|]*\|")
_HEAD = re.compile(r"(?:[A-Za-z]|\\[A-Za-z]+|[ '^_~])+(?:(?<=[A-Za-z])-[A-Za-z ]+)*")
_NO_HEAD = frozenset(f"\\{name}" for name in [*FUNCTIONS, *CONSTANTS, "sqrt", "frac", "pm", "mp"])


def is_head(text: str) -> bool:
    r"""Whether a value may be given to a text: a name, `f(x)`, `|S|`, `\angle ABC`, `(x, y)`, words."""
    if text in CONSTANTS or len(text) > 200:
        return False
    if _NAMES.fullmatch(text) or _DERIVATIVE.fullmatch(text):
        return True
    plain, before = text, None
    while plain != before:
        plain, before = _GROUP.sub("", plain), plain
    commands = set(re.findall(r"\\[A-Za-z]+", plain))
    if commands & _NO_HEAD - {r"\max", r"\min", r"\gcd", r"\lcm", r"\Re", r"\Im"} or plain in CONSTANTS:
        return False
    return bool(_HEAD.fullmatch(plain) or (text[:1] in "[|" and not plain)) and "^" not in plain.rstrip("^")


def _is_wanted(text: str) -> bool:
    """Whether a formula may be what is asked for, as in `m + n = 12`: several names, no constant term."""
    try:
        node = parse(text)
    except (Unreadable, TooLarge):
        return False
    terms = node.args if node.op == "add" else (node,)
    return len(names_in(node)) > 1 and all(names_in(term) for term in terms)


def same_head(one: str, two: str) -> bool:
    """Whether two heads may be the same: `x` and `y` are not, `f(x)` and `y` are, `x` and `Area` too."""
    if not one or not two:
        return True
    first, second = (re.sub(r"[ {}]|\\(?:left|right)", "", head) for head in (one, two))
    if first == second:
        return True
    if _worded(one) or _worded(two):
        return True
    return {"y"} == {first, second} - {head for head in (first, second) if re.fullmatch(r"[a-zA-Z]\([a-z]\)", head)}


def _worded(head: str) -> bool:
    return re.search(r"(?<![\\A-Za-z])[A-Za-z]{3}", head) is not None or head.startswith(("\\angle", "m\\angle", "m \\angle"))


def read_assignments(shape: Shape | None, same: Same, *, wanted: bool = False) -> Assignments | None:
    """Return (head, value) of every item of `x = 1, y = 2` or `x = 1, 2`; None if one has none.

    With `wanted`, `m + n = 12` is one too: an answer says so what was asked for.

    Raises:
        Contradiction: a chain's values differ.
    """
    if shape is None or shape.kind not in ("relation", "list"):
        return None
    found: Assignments = []
    for i, item in enumerate(shape.items if shape.kind == "list" else (shape,)):
        inner = item if isinstance(item, Shape) else read_shape(item)
        if inner is None or inner.kind != "relation":
            if i == 0 or not isinstance(item, str) or not found:
                return None
            found.append((found[-1][0], item))
            continue
        made = _members(inner) or _assignment(inner, same, wanted)
        if made is None:
            return None
        found += made
    return found


def _members(shape: Shape) -> Assignments | None:
    r"""Read `x \in \{1, 2\}`: each element is a value; another region stays whole."""
    if shape.marks != (r"\in",) or not is_head(shape.items[0]):
        return None
    inner = read_shape(shape.items[1])
    values = inner.items if inner is not None and inner.kind == "set" else (shape.items[1],)
    return [(shape.items[0], value) for value in values]


_EQUAL = ("=", ":=", "==", r"\equiv")


def _assignment(shape: Shape, same: Same, wanted: bool) -> Assignments | None:
    r"""Read `x = 2`, `2 = x`, `x = 1 + 1 = 2`, `x \approx 2`, `\frac{1}{3} \approx 0.33`, `(x, y) = (1, 2)`."""
    if any(mark not in (*_EQUAL, r"\approx") for mark in shape.marks):
        return None
    parts, marks = list(shape.items), list(shape.marks)
    head = ""
    if is_head(parts[0]) or (wanted and _is_wanted(parts[0]) and constant_of(parts[-1]) is not None):
        head, parts, marks = parts[0], parts[1:], marks[1:]
    elif len(parts) == 2 and is_head(parts[1]):
        return [(parts[1], parts[0])]
    elif any(mark in _EQUAL for mark in marks) and not all(constant_of(part) is not None for part in parts):
        return None  # an equation
    while len(parts) > 1 and is_head(parts[0]) and constant_of(parts[-1]) is not None:  # A = S = 12
        parts, marks = parts[1:], marks[1:]
    value = _value(parts, marks, same)
    if _VARIABLE.fullmatch(head) and re.search(rf"(?<![A-Za-z\\]){re.escape(head)}(?![A-Za-z])", value):
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
    written = [part for part in kept if _number(part) is not None]
    exact = [part for part in written if (_number(part) or Number(Fraction(0))).decimals is None]
    return (exact or written or kept)[-1]


def _number(text: str) -> Number | None:
    try:
        return read_number(text)
    except DivisionByZero:
        return None


def _near(exact: str, about: str) -> bool:
    """Whether a decimal is right to within one unit of its last place; True where nobody can tell."""
    value, number = constant_of(exact), _number(about)
    if value is None or number is None:
        return True
    return abs(value - number.value) < Fraction(1, 1) / Fraction(10) ** (number.decimals or 0)


def _spread(head: str, value: str) -> Assignments:
    r"""Write out `(x, y) = (1, 2)` and `x = \pm 2`."""
    shape = read_shape(value)
    if _NAMES.fullmatch(head):
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
    return one[0], renamed(two[1], second[2], first[2])


_SIGNS = {"<": 1, r"\le": 2, ">": -1, r"\ge": -2, "=": 0, "==": 0, r"\ne": 9}
_FLIPPED = {"<": ">", ">": "<", r"\le": r"\ge", r"\ge": r"\le"}
_EITHER_WAY = ("=", r"\ne", r"\perp", r"\parallel", r"\cong", r"\sim")


def same_relation(one: Shape, two: Shape) -> bool | None:
    """Compare two equations or inequalities of formulas: equal but for a factor; None if unreadable."""
    if len(one.items) != 2 or len(two.items) != 2 or not {one.marks[0], two.marks[0]} <= set(_SIGNS):
        return _same_chain(one, two)
    try:
        first, second = (Node("add", (parse(s.items[0]), Node("neg", (parse(s.items[1]),)))) for s in (one, two))
    except Unreadable:
        return _same_chain(one, two) or None
    if not names_in(first) or not names_in(second):
        return None
    factor = constant_ratio(first, second)
    if factor is None:
        return False
    a, b = _SIGNS[one.marks[0]], _SIGNS[two.marks[0]]
    return a == b if a in (0, 9) or b in (0, 9) else a == b * factor


def _same_chain(one: Shape, two: Shape) -> bool:
    if len(one.items) != len(two.items):
        return False
    ways = [(two.items, two.marks), (two.items[::-1], tuple(_FLIPPED.get(mark, mark) for mark in two.marks[::-1]))]
    if not all(mark in _FLIPPED or mark in _EITHER_WAY for mark in two.marks):
        ways.pop()
    return any(
        one.marks == marks and all(_same_formula(a, b) for a, b in zip(one.items, items, strict=True)) for items, marks in ways
    )


def _same_formula(one: str, two: str) -> bool:
    try:
        return one.replace(" ", "") == two.replace(" ", "") or equal(parse(one), parse(two))
    except (Unreadable, ArithmeticError):
        return False
