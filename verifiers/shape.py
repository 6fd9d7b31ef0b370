r"""Tier 3, reading: the outer structure of an answer, and the texts of its parts.

`(1, \frac{1}{2}]` is brackets `(]` around two texts; each part is then judged by all tiers, so an
element may be anything that an answer may be. What has no structure is no shape.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Kind = Literal["list", "set", "bracket", "union", "relation", "matrix", "cases", "plus_minus"]

MAX_ITEMS = 64
"""More parts than this are not compared."""
MAX_DEPTH = 12


@dataclass(frozen=True, slots=True)
class Shape:
    """A structured answer."""

    kind: Kind
    items: tuple[str, ...]
    """The parts' texts; of a matrix, row by row."""
    marks: tuple[str, ...] = ()
    """`bracket`: the opening and closing one. `relation`: the signs. `list`: `or`, if that joins it.
    `matrix`, `cases`: the number of rows."""


_OPEN, _CLOSE = "([{", ")]}"
_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|.", re.DOTALL)
_BRACKETS = {r"\{": "{", r"\}": "}", r"\langle": "<", r"\rangle": ">", r"\lfloor": "(", r"\rfloor": ")",
             r"\lceil": "(", r"\rceil": ")"}  # fmt: skip


@lru_cache(maxsize=8192)
def levels(text: str) -> tuple[tuple[str, int, int], ...] | None:
    """Return the tokens that stand outside all brackets, with their places; None if unbalanced."""
    depth, found = 0, []
    for match in _TOKEN.finditer(text):
        token = match.group()
        if token in ("(", "[", "{", r"\{", r"\langle", r"\lfloor", r"\lceil", r"\begin"):
            if depth == 0:
                found.append((token, match.start(), match.end()))
            depth += 1
        elif token in (")", "]", "}", r"\}", r"\rangle", r"\rfloor", r"\rceil", r"\end"):
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
_MINUS = re.compile(r"\\setminus(?![a-z])|\\backslash(?![a-z])|(?<=\}) ?- ?(?=\\\{)|(?<=\}) ?\\ ?(?=\\\{)")
_WORD_JOINER = r";|,? ?(?<![A-Za-z\\])(?:and|or)(?![A-Za-z])|\\\\"
_JOINER = re.compile(_WORD_JOINER + r"|,(?!\d{3}(?!\d))|(?<=\d\d\d\d),|(?<!\d),")
"""A comma between digits that may set off a thousand joins nothing,"""
_ANY_COMMA = re.compile(_WORD_JOINER + "|,")
"""unless the other side, or a space behind another comma, says that it does."""
_SIGN = re.compile(
    r"\\(?:le|ge|ne|approx|equiv|in|notin|to|cong|sim|ni|mapsto|propto)(?![A-Za-z])|(?<![<>=!:])=(?![=])|==|:=|<|>"
)
_MATRIX = re.compile(
    r"(?:\(|\[)?\\begin ?\{(?P<env>[pbvBV]?matrix|smallmatrix|array|cases|aligned)\}(?:\{[^{}]*\})?(?P<body>.*)"
    r"\\end ?\{(?P=env)\}(?:\)|\])?",
    re.DOTALL,
)
_CLAUSE = re.compile(r",? ?(?<![A-Za-z])(?:where|for(?: some| all| any| every)?|if|when|with|given|such that)(?![A-Za-z]) ")


@lru_cache(maxsize=4096)
def read_shape(text: str) -> Shape | None:
    """Return the outer structure of a normalised answer, or None if it is one plain thing."""
    if (match := _MATRIX.fullmatch(text)) and r"\begin" not in match["body"]:
        return _system(match["body"]) if match["env"] in ("cases", "aligned") else _matrix(match["body"])
    if levels(text) is None:
        return _odd_bracket(text)
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


def read_list(text: str, *, every_comma: bool = False) -> Shape | None:
    """Read a bare list; `every_comma`: `1,234` is two numbers."""
    parts, marks = split_at(text, _ANY_COMMA if every_comma else _JOINER)
    if len(parts) < 2:
        return None
    named = ("or",) if any(mark.endswith("or") for mark in marks) else ()
    return Shape("list", tuple(part for part in parts if part), named)


def _enclosed(text: str) -> Shape | None:
    """Read `(…)`, `[…)`, `\\{…\\}`, `\\langle…\\rangle` around the whole."""
    outer = levels(text)
    if not outer or len(text) < 2:
        return None
    (opening, _, start), (closing, end, _) = outer[0], outer[-1]
    if len(outer) != 2 or end < start:
        return None
    pair = _BRACKETS.get(opening, opening) + _BRACKETS.get(closing, closing)
    inner = text[start:end].strip()
    if opening == r"\{" or (pair == "{}" and "," in inner):
        return Shape("set", _elements(inner))
    if pair in ("()", "[]", "(]", "[)", "<>") and not opening.startswith(r"\l"):
        items = _elements(inner)
        return Shape("bracket", items, (pair[0], pair[1])) if len(items) > 1 or pair == "[]" else None
    if pair == "<>":
        return Shape("bracket", _elements(inner), ("(", ")"))
    return None


def _elements(inner: str) -> tuple[str, ...]:
    return tuple(part for part in split_at(inner, _JOINER if ", " in inner else _ANY_COMMA)[0] if part)


def _odd_bracket(text: str) -> Shape | None:
    """Read half-open intervals, `[0, 1)`, and the French `]0, 1[`."""
    match = re.fullmatch(r"([\[(\]])([^\[\]()]*(?:\([^()]*\)[^\[\]()]*)*)([\])\[])", text)
    if match is None:
        parts = re.split(r"\\cup(?![a-z])|(?<=[)\]]) ?U ?(?=[\[(])", text)
        return Shape("union", tuple(part.strip() for part in parts)) if len(parts) > 1 and all(map(str.strip, parts)) else None
    opening, closing = match[1].replace("]", "("), match[3].replace("[", ")")
    items = _elements(match[2])
    return Shape("bracket", items, (opening, closing)) if len(items) == 2 else None


def _matrix(body: str) -> Shape | None:
    rows = [row for row in split_at(body.strip(), re.compile(r"\\\\(?:\[[^\]]*\])?|\\cr(?![a-z])"))[0] if row]
    cells = [split_at(re.sub(r"\\hline", "", row), re.compile("&"))[0] for row in rows]
    if not cells or len({len(row) for row in cells}) != 1:
        return None
    return Shape("matrix", tuple(cell for row in cells for cell in row), (str(len(cells)),))


_CONDITION = re.compile(r"^(?:if|for|when|where),? |,$")


def _system(body: str) -> Shape | None:
    """Read equations that stand one under the other as a list, and values with conditions as cases."""
    pieces = _matrix(body.replace("&=", "="))
    if pieces is not None and len(pieces.items) == 2 * int(pieces.marks[0]):
        return Shape("cases", tuple(_CONDITION.sub("", item) for item in pieces.items), pieces.marks)
    rows = [row for row in split_at(body.replace("&=", "=").strip(), re.compile(r"\\\\"))[0] if row]
    return Shape("list", tuple(rows)) if rows and "&" not in body.replace("&=", "=") else None


_SIGNED = re.compile(r"\\pm(?![a-z])|\+/?-(?=\s?[\d\\a-z(])")
_OTHER = re.compile(r"\\mp(?![a-z])")


def _plus_minus(text: str) -> Shape:
    """Expand `1 \\pm \\sqrt{2}`: all signs together, as the quadratic formula means them."""
    plus = _OTHER.sub("-", _SIGNED.sub("+", text))
    minus = _OTHER.sub("+", _SIGNED.sub("-", text))
    return Shape("plus_minus", (plus.strip(), minus.strip()))


def without_clause(text: str) -> tuple[str, str]:
    """Split `2k\\pi for integer k` into what is said and the condition."""
    parts, _ = split_at(text, _CLAUSE)
    return (parts[0], " ".join(parts[1:])) if len(parts) > 1 and parts[0] else (text, "")
