r"""Tier 3, reading: the outer structure of an answer, and the texts of its parts.

`(1, \frac{1}{2}]` is brackets `(]` around two texts; each part is then judged by all tiers, so an
element may be anything that an answer may be. What has no structure is no shape.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from ..formulas.tokens import MAX_DEPTH, TooLarge

Kind = Literal["list", "set", "bracket", "union", "relation", "matrix", "cases", "plus_minus"]

MAX_ITEMS = 64
"""More parts than this are not compared."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A structured answer."""

    kind: Kind
    items: tuple[str, ...]
    """The parts' texts; of a matrix, row by row."""
    marks: tuple[str, ...] = ()
    """`bracket`: the opening and closing one. `relation`: the signs. `list`: `or`, if that joins it.
    `matrix`, `cases`: the number of rows."""


_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|.", re.DOTALL)
_OPENING = frozenset(["(", "[", "{", r"\{", r"\langle", r"\lfloor", r"\lceil", r"\begin"])
_CLOSING = frozenset([")", "]", "}", r"\}", r"\rangle", r"\rfloor", r"\rceil", r"\end"])


@lru_cache(maxsize=8192)
def levels(text: str) -> tuple[tuple[str, int, int], ...] | None:
    """Return the tokens that stand outside all brackets, with their places; None if unbalanced.

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


def split_at(text: str, is_mark: "re.Pattern[str]") -> tuple[list[str], list[str]]:
    """Split where a mark stands outside all brackets; return the parts and the marks."""
    outer = levels(text)
    if outer is None:
        return [text], []
    covered = bytearray(len(text) + 1)
    for _, start, end in outer:
        covered[start:end] = b"\x01" * (end - start)
    parts, marks, at = [], [], 0
    for match in is_mark.finditer(text):
        if covered[match.start()] and covered[match.end() - 1] and match.start() >= at:
            parts.append(text[at : match.start()].strip())
            marks.append(match.group().strip())
            at = match.end()
    return [*parts, text[at:].strip()], marks


_UNION = re.compile(r"\\cup(?![a-z])|(?<=[)\]}]) ?[uU] ?(?=[\[({\\])")
_WORD_JOINER = r";|,? ?(?<![A-Za-z\\])(?:and|or)(?![A-Za-z])|\\\\"
_JOINER = re.compile(_WORD_JOINER + r"|,(?!\d{3}(?!\d))|(?<=\d\d\d\d),|(?<!\d),")
"""A comma between digits that may set off a thousand joins nothing,"""
_ANY_COMMA = re.compile(_WORD_JOINER + "|,")
"""unless the other side, or a space behind another comma, says that it does."""
_SIGN = re.compile(
    r"\\(?:le|ge|ne|approx|equiv|in|notin|to|cong|sim|ni|mapsto|propto|perp|parallel|subseteq?)(?![A-Za-z])|(?<![<>=!:])=(?![=])|==|:=|<|>"
)
FLIPPED = {"<": ">", ">": "<", r"\le": r"\ge", r"\ge": r"\le"}
"""An inequality sign to the one that says the same with its sides exchanged."""
_BAR = re.compile(r"\||:(?!=)")
_MATRIX = re.compile(
    r"(?:\(|\[)?\\begin ?\{(?P<env>[pbB]?matrix|smallmatrix|array|cases|aligned)\}(?:\{[^{}]*\})?(?P<body>.*)"
    r"\\end ?\{(?P=env)\}(?:\)|\])?",
    re.DOTALL,
)
_SIGNED = re.compile(r"\\pm(?![a-z])|\+/?-(?=\s?[\d\\a-z(])")
_OTHER = re.compile(r"\\mp(?![a-z])")


@lru_cache(maxsize=4096)
def read_shape(text: str) -> Shape | None:
    """Return the outer structure of a normalised answer, or None if it is one plain thing."""
    if (match := _TRANSPOSED.fullmatch(text)) is not None:
        return _transposed(match[1].strip())
    if (match := _MATRIX.fullmatch(text)) and r"\begin" not in match["body"]:
        return _rows(match["env"], match["body"])
    if levels(text) is None:
        return _half_open(text)
    if re.fullmatch(r"<[^<>=]*,[^<>=]*>", text):
        items = _elements(text[1:-1])
        return None if items is None else Shape("bracket", items, ("<", ">"))
    if (found := read_list(text)) is not None:
        return found
    parts, marks = split_at(text, _SIGN)
    if len(parts) > 1 and all(parts):
        return Shape("relation", tuple(parts), tuple(marks))
    parts, _ = split_at(text, _UNION)
    if len(parts) > 1 and all(parts):
        return Shape("union", tuple(parts))
    if (enclosed := _enclosed(text)) is not None:
        return enclosed
    return _plus_minus(text) if _SIGNED.search(text) or _OTHER.search(text) else None


_TRANSPOSED = re.compile(
    r"(.*[)\]}>]|.*\\rangle) ?\^ ?\{? ?(?:T|t|\\top|\\intercal|\\mathsf ?\{? ?T ?\}?) ?\}?", re.DOTALL
)


def _transposed(text: str) -> Shape | None:
    """Turn a matrix over; a row that stands up is the same vector."""
    shape = read_shape(text)
    if (
        shape is None
        or shape.kind not in ("matrix", "bracket")
        or (shape.kind == "bracket" and len(shape.items) < 2)
    ):
        return None
    if shape.kind == "bracket":
        return (
            None
            if any(read_shape(item) is not None for item in shape.items)
            else Shape("bracket", shape.items, ("(", ")"))
        )
    columns = len(shape.items) // int(shape.marks[0])
    return Shape(
        "matrix", tuple(item for i in range(columns) for item in shape.items[i::columns]), (str(columns),)
    )


def read_list(text: str, *, every_comma: bool = False) -> Shape | None:
    """Read a bare list; `every_comma`: `1,234` is two numbers."""
    parts, marks = split_at(text, _ANY_COMMA if every_comma else _JOINER)
    if len(parts) < 2 or not all(parts):
        return None
    named = ("or",) if any(mark.endswith("or") for mark in marks) else ()
    return Shape("list", tuple(parts), named)


_BRACKETS = {r"\{": "{", r"\}": "}", r"\langle": "<", r"\rangle": ">"}


def _enclosed(text: str) -> Shape | None:
    r"""Read `(…)`, `[…)`, `\{…\}`, `\langle…\rangle` around the whole."""
    outer = levels(text)
    if not outer or len(outer) != 2 or outer[1][1] < outer[0][2]:
        return None
    (opening, _, start), (closing, end, _) = outer
    pair = _BRACKETS.get(opening, opening) + _BRACKETS.get(closing, closing)
    inner = text[start:end].strip()
    items = _elements(inner)
    if items is None:
        return None
    if opening == r"\{" or (pair == "{}" and "," in inner):
        return Shape("set", (inner,) if len(split_at(inner, _BAR)[0]) == 2 else items)
    if pair == "<>" or (pair in ("()", "[]", "(]", "[)") and (len(items) > 1 or pair == "[]")):
        return Shape("bracket", items, (pair[0], pair[1]))
    return None


_SEPARATOR = re.compile(r";|,(?!\d{3}(?!\d))|(?<=\d\d\d\d),|(?<!\d),")
_ANY_SEPARATOR = re.compile("[;,]")


def _elements(inner: str) -> tuple[str, ...] | None:
    """Return the elements between brackets, none for `{}`; None if one is missing: `(1,,2)`."""
    parts = split_at(inner, _SEPARATOR if ", " in inner else _ANY_SEPARATOR)[0]
    return None if len(parts) > 1 and not all(parts) else tuple(filter(None, parts))


_HALF_OPEN = re.compile(r"([\[(\]])([^\[\]()]*(?:\([^()]*\)[^\[\]()]*)*)([\])\[])")


def _half_open(text: str) -> Shape | None:
    """Read half-open intervals and their unions, `[0, 1)`, and the French `]0, 1[`."""
    match = _HALF_OPEN.fullmatch(text)
    if match is None:
        parts = [part.strip() for part in re.split(r"\\cup(?![a-z])|(?<=[)\]]) ?U ?(?=[\[(])", text)]
        return Shape("union", tuple(parts)) if len(parts) > 1 and all(map(read_shape, parts)) else None
    items = _elements(match[2])
    return Shape("bracket", items, (match[1], match[3])) if items is not None and len(items) == 2 else None


def _rows(environment: str, body: str) -> Shape | None:
    """Read a matrix, a system of equations (a list), or values with conditions."""
    if environment in ("cases", "aligned"):
        body = body.replace("&=", "=")
    rows = [row for row in split_at(body.strip(), re.compile(r"\\\\(?:\[[^\]]*\])?|\\cr(?![a-z])"))[0] if row]
    cells = [split_at(re.sub(r"\\hline", "", row), re.compile("&"))[0] for row in rows]
    if not cells or len({len(row) for row in cells}) != 1:
        return None
    items, count = tuple(cell for row in cells for cell in row), str(len(cells))
    if environment not in ("cases", "aligned"):
        return Shape("matrix", items, (count,))
    if len(cells[0]) == 2:
        return Shape("cases", tuple(_CONDITION.sub("", item) for item in items), (count,))
    return Shape("list", items) if len(cells[0]) == 1 else None


_CONDITION = re.compile(r"^(?:if|for|when|where),? |,$")


def _plus_minus(text: str) -> Shape | None:
    r"""Expand `1 \pm \sqrt{2}`; `\pm` and `\mp` go together, and each of several `\pm` goes its own way."""
    signs = list(_SIGNED.finditer(text))
    if len(signs) > 1 and not _OTHER.search(text):
        if len(signs) > 3:
            return None
        inner = [_SIGNED.sub(sign, text, count=1) for sign in "+-"]
        shapes = [_plus_minus(part) for part in inner]
        return Shape(
            "plus_minus", tuple(item for shape in shapes if shape is not None for item in shape.items)
        )
    plus = _OTHER.sub("-", _SIGNED.sub("+", text))
    minus = _OTHER.sub("+", _SIGNED.sub("-", text))
    return Shape("plus_minus", (plus.strip(), minus.strip()))
