r"""Tier 0, boxes: the last `\boxed{...}` or kin, with what its writer attached to it.

Boxes joined by `,` `and` `or` are one list, a box within a box is the outer one's, and a box that
is a piece of a formula (`-\boxed{5}`, `\frac{1}{\boxed{5}}`) stands for the formula. Everything is
looked for from the right, with bounded work.
"""

import re
from typing import NamedTuple


class Find(NamedTuple):
    """Where an answer stands: characters [start, end)."""

    start: int
    end: int
    closed: bool = True
    """False where the box or tag was never closed."""


class _Box(NamedTuple):
    """A box: where its command starts, what is inside, and where its brace closes."""

    command: int
    inside: Find
    end: int


_BOX = re.compile(r"\\(?:f?boxed|f(?:rame)?box|beginboxed)(?![A-Za-z])\s*(?:\[[^\]\n]{0,40}\]\s*)?")
_WORD = re.compile(r"\\?[^\s$\\{}]{1,40}")
_BRACE = re.compile(r"\\[{}\\]|[{}]")
_CLOSING = re.compile(r"\s{0,9}(?:\$|\\\)|\\\]|</answer>)")
MAX_JOINED = 32


def boxed(text: str) -> Find | None:
    r"""Take the last box: what is inside, or more where more belongs to it (see the module).

    `\boxed 5` takes one word. A box that was never closed goes to the end of its line.
    """
    last = _last_box(text, len(text))
    if last is None:
        return None
    if text.rfind("box", 0, last.command) >= 0:  # another one
        last = _outermost(text, last)
        if last.inside.closed and (joined := _joined(text, last)) is not None:
            return joined
    if not last.inside.closed:
        return last.inside
    return _formula_around(text, last) or last.inside


def unboxed(text: str) -> str:
    """Take the box commands out of a text, and keep what they hold apart from what is around."""
    for _ in range(MAX_JOINED):
        match = _BOX.search(text)
        if match is None or text[match.end() : match.end() + 1] != "{":
            break
        inside = _braced(text, match.end() + 1, len(text))
        behind = _BETWEEN.sub(", ", text[inside.end + 1 :])
        before, after = _MATH.sub(" ", text[: match.start()]), _MATH.sub(" ", behind)
        text = f"{before} {text[inside.start : inside.end]} {after}"
    return re.sub(" {2,}", " ", re.sub(" +(?=,)", "", text)).strip()


_MATH = re.compile(r"(?<!\\)\$|(?<!\\)\\[()\[\]]")
_BETWEEN = re.compile(r"^[\s$\\)\]]*[,&](?=[\s$\\(\[]*(?:[A-Za-z] ?=[\s$]*)?\\f?(?:rame)?box)")


def _last_box(text: str, before: int) -> _Box | None:
    """Return the last box whose command stands before a place."""
    at = before
    while (at := text.rfind("box", 0, at)) >= 0:
        if text.startswith("\\boxed{", at - 1):  # nearly always
            inside = _braced(text, at + 6, len(text))
            return _Box(at - 1, inside, inside.end + inside.closed)
        slash = text.rfind("\\", max(at - 6, 0), at)
        match = _BOX.match(text, slash) if slash >= 0 else None
        if match is None:
            continue  # another command, or no command at all
        if text[match.end() : match.end() + 1] == "{":
            inside = _braced(text, match.end() + 1, len(text))
            return _Box(slash, inside, inside.end + inside.closed)
        word = _WORD.match(text, match.end())
        return _Box(slash, Find(word.start(), word.end()), word.end()) if word else None
    return None


def _braced(text: str, start: int, stop: int) -> Find:
    end = text.find("}", start, stop)
    if end >= 0 and text.find("{", start, end) < 0 and text.find("\\", start, end) < 0:
        return Find(start, end)
    depth = 1
    for match in _BRACE.finditer(text, start, stop):
        brace = match.group()
        depth += (brace == "{") - (brace == "}")
        if depth == 0:
            return Find(start, match.start())
    line = text.find("\n", start, stop)
    end = stop if line < 0 else line
    closing = _CLOSING.search(text, start, end)
    return Find(start, closing.start() if closing else end, closed=False)


def _outermost(text: str, box: _Box) -> _Box:
    """Return the box that holds this one, if one does."""
    for _ in range(4):
        before = text.rfind("box", max(box.command - 400, 0), box.command)
        outer = _last_box(text, box.command) if before >= 0 else None
        if outer is None or not outer.inside.closed or outer.end <= box.end:
            break
        box = outer
    return box


_SKIPPED = r"(?:[\s$&]|\\[ ,;!()\[\]]|\\q?quad(?![a-z]))"
_HEAD = r"[A-Za-z](?:_\{?\w\}?)? ?="
_JOINER = re.compile(
    rf"{_SKIPPED}*+(?P<sign>[,;&]?){_SKIPPED}*+\(?(?:\\text ?\{{ ?)?"
    rf"(?P<word>(?:and|or)(?![A-Za-z])(?: also| else| perhaps| maybe| possibly"
    rf"| alternatively)?)?(?: ?\}})?{_SKIPPED}*+(?P<head>{_HEAD}{_SKIPPED}*+)?"
)
_OPENING = re.compile(r"(?:\\left ?)?(?:[(\[]|\\\{)[\s$]*$")
_CLOSED = re.compile(r"[\s$]*(?:\\right ?)?(?:[)\]]|\\\})")


def _joined(text: str, last: _Box) -> Find | None:
    """Return the whole list that a box is the last item of, with a tuple's brackets; None if it is alone."""
    first, count, headed = last, 1, False
    inside = {text[slice(*last.inside[:2])].strip()}
    while count < MAX_JOINED and (before := _last_box(text, first.command)) is not None:
        between = text[before.end : first.command]
        match = _JOINER.fullmatch(between) if len(between) <= 60 and before.end <= first.command else None
        if match is None or not (match["sign"] or match["word"] or "&" in between):
            break
        first, count, headed = before, count + 1, headed or bool(match["head"])
        inside.add(text[slice(*before.inside[:2])].strip())
    if count == 1 or len(inside) == 1:
        return None
    start, end = first.command, last.end
    if headed and (head := re.search(rf"{_HEAD}\s*$", text[max(start - 20, 0) : start])):
        start -= len(head.group())
    opening, closing = _OPENING.search(text[max(start - 12, 0) : start]), _CLOSED.match(text, end)
    if opening is not None and closing is not None:
        start, end = start - len(opening.group()), closing.end()
    return Find(start, end)


_GROUP = (
    r"(?:[\^_]\s?\{|\\(?!(?:text|math|bold|underline|color|display|large|huge"
    r"|ensuremath)[a-z]*)[A-Za-z]+\s?(?:\{[^{}]*\}\s?)?\{)\s?$"
)
_BEFORE = re.compile(
    r"(?:\d|[\d)}]\s?[-+*/]\s?|(?:^|[\s(\[,])[-+]|/|\\(?:cdot|times|div|pm|mp|ne|neq|not ?=|sqrt"
    r"|approx)\s?|[≠×÷±√≈]\s?|!=\s?)$"
    rf"|{_GROUP}",
    re.IGNORECASE,
)
_BEHIND = re.compile(
    r"(?P<percent>\s?\\?%)|\d|\s?(?:\^(?!\s?\{?\s?\\circ)|[*/](?=[\w\\({])|\\(?:cdot|times|div|pm|mp)(?![a-z])|[-+]\s?(?:\d|\\(?:frac|sqrt|pi)|[xyzn]\b))"
)
_EDGE_BEFORE = re.compile(
    r"[$\n:;&]|\\[(\[]|(?<![<>!≠])=|\\(?:implies|Rightarrow|therefore|q?quad)(?![a-z])|[.!?] |<answer>"
    r"|(?<![\\A-Za-z])[A-Za-z]{2,}\s"
)
_EDGE_BEHIND = re.compile(r"[$\n;&]|\\[)\]]|[.,!?](?:\s|$)|=|</|(?<![\\A-Za-z])[A-Za-z]{2,}\s")
_NUMBER_BEFORE = re.compile(r"(?:^|[$\n:>]|\bis )\s?(?P<number>-?\d[\d.,]*\s?=\s?)$")
_WINDOW = 200


def _follows_nothing(before: str) -> bool:
    """Whether a box stands behind words or at a formula's start: spares the longer look."""
    last = before[-1:]
    if last == "=":
        return not before[:-1].rstrip()[-1:].isdigit()
    return last in "$:,.;>[(" or (last.isalpha() and "\\" not in before)


def _formula_around(text: str, box: _Box) -> Find | None:
    r"""Return the formula that a box is a piece of, `-\boxed{5}`; None where it stands alone."""
    behind = _BEHIND.match(text, box.end)
    if behind is None and _follows_nothing(text[max(box.command - 14, 0) : box.command].rstrip()):
        return None
    line = text[max(box.command - _WINDOW, 0) : box.command]
    start, end = box.command, box.end
    if behind is not None and behind["percent"]:
        behind, end = None, behind.end()
    elif (number := _NUMBER_BEFORE.search(line)) is not None:
        start -= len(number["number"])
    edges = list(_EDGE_BEFORE.finditer(line))
    prefix = line[edges[-1].end() :] if edges else line
    attached = _BEFORE.search(prefix)
    if attached is not None:
        start = box.command - len(prefix)
    if behind is not None or (attached is not None and "{" in attached.group()):
        edge = _EDGE_BEHIND.search(text, box.end, box.end + _WINDOW)
        end = edge.start() if edge else min(box.end + _WINDOW, len(text))
    return Find(start, end) if (start, end) != (box.command, box.end) else None
