r"""Reading the outer structure of an answer: its kind, and the texts of its parts.

`(1, \frac{1}{2}]` is a pair of brackets around two texts, which are not read any further here. A text without
an outer structure, such as `2x + 1`, has no `Shape`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from ..formulas.tokens import MAX_DEPTH, TooLarge

Kind = Literal["list", "set", "bracket", "union", "relation", "matrix", "cases", "plus_minus"]

Same = Callable[[str, str], bool | None]
"""Judges two parts by all tiers: the reference's part first; None = no tier could tell."""

MAX_ITEMS = 64
"""Structures with more parts are not compared."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The outer structure of a text."""

    kind: Kind
    items: tuple[str, ...]
    """The texts of the parts; those of a matrix row by row."""
    marks: tuple[str, ...] = ()
    """Further content of some kinds.

    `bracket`: the opening and the closing bracket. `relation`: the signs between the items. `list`: `or`, if
    that joins the items. `matrix` and `cases`: the number of rows.
    """


_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|.", re.DOTALL)
_OPENING = frozenset(["(", "[", "{", r"\{", r"\langle", r"\lfloor", r"\lceil", r"\begin"])
_CLOSING = frozenset([")", "]", "}", r"\}", r"\rangle", r"\rfloor", r"\rceil", r"\end"])


@lru_cache(maxsize=8192)
def levels(text: str) -> tuple[tuple[str, int, int], ...] | None:
    """Return the tokens outside all brackets, and the outermost brackets, each with its start and end.

    None if brackets are left open or closed too often. Their kinds need not match: `[0, 1)` is balanced.

    Raises:
        TooLarge: brackets nest too deeply.
    """
    depth, found = 0, []
    for match in _TOKEN.finditer(text):
        token = match.group()
        if token in _OPENING:
            if depth == 0:
                found.append((token, match.start(), match.end()))
            depth += 1
            if depth > MAX_DEPTH:
                raise TooLarge("nested too deeply")
        elif token in _CLOSING:
            depth -= 1
            if depth < 0:
                return None
            if depth == 0:
                found.append((token, match.start(), match.end()))
        elif depth == 0:
            found.append((token, match.start(), match.end()))
    return tuple(found) if depth == 0 else None


def split_at(text: str, mark: re.Pattern[str]) -> tuple[list[str], list[str]]:
    """Split a text at every mark outside all brackets; return the parts and the marks between them."""
    outer = levels(text)
    if outer is None:
        return [text], []
    is_outside = bytearray(len(text) + 1)  # 1 for every character outside all brackets
    for _, start, end in outer:
        is_outside[start:end] = b"\x01" * (end - start)
    parts, marks, at = [], [], 0
    for match in mark.finditer(text):
        if is_outside[match.start()] and is_outside[match.end() - 1] and match.start() >= at:
            parts.append(text[at : match.start()].strip())
            marks.append(match.group().strip())
            at = match.end()
    return [*parts, text[at:].strip()], marks


_UNION = re.compile(r"\\cup(?![a-z])|(?<=[)\]}]) ?[uU] ?(?=[\[({\\])")
_LIST_COMMA = r",(?!\d{3}(?!\d))|(?<=\d\d\d\d),|(?<!\d),"
"""A pattern that matches commas between items, but not the comma of `1,234`."""
_WORD_JOINER = r";|,? ?(?<![A-Za-z\\])(?:and|or)(?![A-Za-z])|\\\\"
_JOINER = re.compile(f"{_WORD_JOINER}|{_LIST_COMMA}")
_JOINER_ANY_COMMA = re.compile(f"{_WORD_JOINER}|,")
_SIGN = re.compile(
    r"\\(?:le|ge|ne|approx|equiv|in|notin|to|cong|sim|ni|mapsto|propto|perp|parallel|subseteq?)(?![A-Za-z])"
    r"|(?<![<>=!:])=(?![=])|==|:=|<|>"
)
FLIPPED = {"<": ">", ">": "<", r"\le": r"\ge", r"\ge": r"\le"}
"""The sign of an inequality to the sign that it has once its sides are exchanged."""
_BAR = re.compile(r"\||:(?!=)")
_MATRIX = re.compile(
    r"(?:\(|\[)?\\begin ?\{(?P<env>[pbB]?matrix|smallmatrix|array|cases|aligned)\}(?:\{[^{}]*\})?(?P<body>.*)"
    r"\\end ?\{(?P=env)\}(?:\)|\])?",
    re.DOTALL,
)
_PLUS_MINUS = re.compile(r"\\pm(?![a-z])|\+/?-(?=\s?[\d\\a-z(])")
_MINUS_PLUS = re.compile(r"\\mp(?![a-z])")


@lru_cache(maxsize=4096)
def read_shape(text: str) -> Shape | None:
    r"""Return the outer structure of a normalised answer; None if it has none.

    >>> read_shape("(1, 2]")
    Shape(kind='bracket', items=('1', '2'), marks=('(', ']'))
    >>> read_shape(r"x \le 2")
    Shape(kind='relation', items=('x', '2'), marks=('\\le',))
    """
    if transposed := _TRANSPOSED.fullmatch(text):
        return _transposed(transposed[1].strip())
    matrix = _MATRIX.fullmatch(text)
    if matrix and r"\begin" not in matrix["body"]:
        return _rows(matrix["env"], matrix["body"])
    if levels(text) is None:
        return _french_interval(text)  # `]0, 1[` is not balanced
    if re.fullmatch(r"<[^<>=]*,[^<>=]*>", text):
        items = _elements(text[1:-1])
        return None if items is None else Shape("bracket", items, ("<", ">"))
    # What binds least is read first: `x = 1, y = 2` is a list of relations.
    listed = read_list(text)
    if listed is not None:
        return listed
    parts, marks = split_at(text, _SIGN)
    if len(parts) > 1 and all(parts):
        return Shape("relation", tuple(parts), tuple(marks))
    parts, _ = split_at(text, _UNION)
    if len(parts) > 1 and all(parts):
        return Shape("union", tuple(parts))
    enclosed = _enclosed(text)
    if enclosed is not None:
        return enclosed
    return _plus_minus(text) if _PLUS_MINUS.search(text) or _MINUS_PLUS.search(text) else None


def is_relation(text: str) -> bool:
    """Return whether a text is an equation, an inequality or another relation."""
    shape = read_shape(text)
    return shape is not None and shape.kind == "relation"


_TRANSPOSED = re.compile(
    r"(.*[)\]}>]|.*\\rangle) ?\^ ?\{? ?(?:T|t|\\top|\\intercal|\\mathsf ?\{? ?T ?\}?) ?\}?", re.DOTALL
)


def _transposed(text: str) -> Shape | None:
    """Transpose a matrix; a row vector in brackets, `(1, 2)^T`, stays the same tuple."""
    shape = read_shape(text)
    if shape is None:
        return None
    if shape.kind == "bracket" and len(shape.items) >= 2:
        if any(read_shape(item) is not None for item in shape.items):
            return None
        return Shape("bracket", shape.items, ("(", ")"))
    if shape.kind != "matrix":
        return None
    columns = len(shape.items) // int(shape.marks[0])
    items = tuple(item for i in range(columns) for item in shape.items[i::columns])
    return Shape("matrix", items, (str(columns),))


def read_list(text: str, *, every_comma: bool = False) -> Shape | None:
    """Read a bare list, else return None. With `every_comma`, `1,234` is a list of two numbers."""
    parts, marks = split_at(text, _JOINER_ANY_COMMA if every_comma else _JOINER)
    if len(parts) < 2 or not all(parts):
        return None
    named = ("or",) if any(mark.endswith("or") for mark in marks) else ()
    return Shape("list", tuple(parts), named)


_BRACKETS = {r"\{": "{", r"\}": "}", r"\langle": "<", r"\rangle": ">"}


def _enclosed(text: str) -> Shape | None:
    r"""Read a text that is all in one pair of brackets: `(...)`, `\{...\}`, `\langle ... \rangle`."""
    outer = levels(text)
    if not outer or len(outer) != 2 or outer[1][1] < outer[0][2]:
        return None
    (opening, _, start), (closing, end, _) = outer
    pair = _BRACKETS.get(opening, opening) + _BRACKETS.get(closing, closing)
    inner = text[start:end].strip()
    items = _elements(inner)
    if items is None:
        return None
    if opening == r"\{" or (pair == "{}" and re.search(r"^[a-z] ?[|:]|,", inner)):
        is_set_builder = len(split_at(inner, _BAR)[0]) == 2  # {x | x > 3}
        return Shape("set", (inner,) if is_set_builder else items)
    if pair == "<>" or (pair in ("()", "[]", "(]", "[)") and (len(items) > 1 or pair == "[]")):
        return Shape("bracket", items, (pair[0], pair[1]))
    return None


_SEPARATOR = re.compile(f";|{_LIST_COMMA}")
_ANY_SEPARATOR = re.compile("[;,]")


def _elements(inner: str) -> tuple[str, ...] | None:
    """Return the elements between brackets, an empty tuple for `{}`; None if one is missing: `(1,,2)`.

    `(1,234)` has two elements. `(1,234, 5)` has two as well: the space after one comma shows that the comma
    without a space belongs to a number.
    """
    parts, _ = split_at(inner, _SEPARATOR if ", " in inner else _ANY_SEPARATOR)
    if len(parts) > 1 and not all(parts):
        return None
    return tuple(filter(None, parts))


_FRENCH_INTERVAL = re.compile(r"([\[(\]])([^\[\]()]*(?:\([^()]*\)[^\[\]()]*)*)([\])\[])")
_FRENCH_UNION = re.compile(r"\\cup(?![a-z])|(?<=[)\]]) ?U ?(?=[\[(])")


def _french_interval(text: str) -> Shape | None:
    """Read intervals with open ends in the French notation, `]0, 1[` and `[0, 1[`, and their unions."""
    match = _FRENCH_INTERVAL.fullmatch(text)
    if match is None:
        parts = [part.strip() for part in _FRENCH_UNION.split(text)]
        is_union = len(parts) > 1 and all(map(read_shape, parts))
        return Shape("union", tuple(parts)) if is_union else None
    opening, inner, closing = match.groups()
    items = _elements(inner)
    if items is None or len(items) != 2:
        return None
    return Shape("bracket", items, (opening, closing))


_ROW_END = re.compile(r"\\\\(?:\[[^\]]*\])?|\\cr(?![a-z])")
_CELL_END = re.compile("&")
_CONDITION = re.compile(r"^(?:if|for|when|where),? |,$")


def _rows(environment: str, body: str) -> Shape | None:
    """Read the rows of a matrix, of a system of equations (a list), or of values with conditions (cases)."""
    is_matrix = environment not in ("cases", "aligned")
    if not is_matrix:
        body = body.replace("&=", "=")
    rows = [row.rstrip(" .;,") for row in split_at(body.strip(), _ROW_END)[0] if row]
    cells = [split_at(row.replace(r"\hline", ""), _CELL_END)[0] for row in rows]
    if environment == "cases" and all(len(row) == 1 for row in cells):
        cells = [_value_and_condition(row[0]) for row in cells]
    if not cells or len({len(row) for row in cells}) != 1:
        return None
    items = tuple(cell for row in cells for cell in row)
    if is_matrix:
        return Shape("matrix", items, (str(len(cells)),))
    columns = len(cells[0])
    if columns == 2:
        return Shape("cases", tuple(map(_plain_condition, items)), (str(len(cells)),))
    return Shape("list", items) if columns == 1 else None


def _value_and_condition(row: str) -> list[str]:
    """Split a row of cases without an ampersand, `1, n = 1`, at its last comma if a condition follows."""
    parts = split_at(row, re.compile(","))[0]
    has_condition = len(parts) > 1 and (_SIGN.search(parts[-1]) or "otherwise" in parts[-1])
    return [",".join(parts[:-1]), parts[-1]] if has_condition and not _SIGN.search(parts[0]) else [row]


def _plain_condition(text: str) -> str:
    """Return a condition of cases without `if`, brackets and a verb: `if n is even` is `n even`."""
    text = _CONDITION.sub("", text).strip()
    if text[:1] + text[-1:] == "()" and _SIGN.search(text) and "," not in text:
        text = text[1:-1]
    return text.replace(" is ", " ") if re.search(" is (?:even|odd|an)", text) else text


def _plus_minus(text: str) -> Shape | None:
    r"""Expand `1 \pm \sqrt{2}` into both values.

    `\pm` and `\mp` in one text take opposite signs, so they give two values. Several `\pm` without a `\mp`
    take all combinations of signs; more than three of them are not read.
    """
    count = len(_PLUS_MINUS.findall(text))
    if count > 1 and not _MINUS_PLUS.search(text):
        if count > 3:
            return None
        values: list[str] = []
        for sign in "+-":
            inner = _plus_minus(_PLUS_MINUS.sub(sign, text, count=1))
            values += inner.items if inner is not None else ()
        return Shape("plus_minus", tuple(values))
    plus = _MINUS_PLUS.sub("-", _PLUS_MINUS.sub("+", text))
    minus = _MINUS_PLUS.sub("+", _PLUS_MINUS.sub("-", text))
    return Shape("plus_minus", (plus.strip(), minus.strip()))
