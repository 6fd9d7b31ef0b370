r"""Finding the last `\boxed{...}` (or `\fbox{...}` and the like), with whatever belongs to it.

Boxes joined by `,`, `and` or `or` are one list. Of nested boxes, the outermost counts. A box that is a
piece of a formula (`-\boxed{5}`, `\frac{1}{\boxed{5}}`) is read as the whole formula. The search runs from
the right, and its work is bounded on any text.
"""

import re
from typing import NamedTuple

from ..completion import AnswerSpan
from .around_box import formula_around


class _Box(NamedTuple):
    """A box: the index of its command, the span of its contents, and the index after its closing brace."""

    command: int
    inside: AnswerSpan
    end: int


_BOX = re.compile(r"\\(?:f?boxed|f(?:rame)?box|beginboxed)(?![A-Za-z])\s*(?:\[[^\]\n]{0,40}\]\s*)?")
_WORD = re.compile(r"\\?[^\s$\\{}]{1,40}")
_BRACE = re.compile(r"\\[{}\\]|[{}]")
_CLOSING = re.compile(r"\s{0,9}(?:\$|\\\)|\\\]|</answer>)")
MAX_JOINED = 32
"""At most this many boxes are read as one list."""


def boxed(text: str) -> AnswerSpan | None:
    r"""Find the last box: its contents, or more if more belongs to it (see the module).

    `\boxed 5` holds one word. A box that was never closed ends with its line.
    """
    at = text.rfind("box") - 1
    if at < 0:
        return None
    if text.startswith("\\boxed{", at) and text.rfind("box", 0, at) < 0:  # nearly always: a single box
        inside = _braced(text, at + 7, len(text))
        around = formula_around(text, at, inside.end + 1) if inside.closed else None
        return AnswerSpan(*around) if around else inside
    last = _last_box(text, len(text))
    if last is None:
        return None
    if text.rfind("box", 0, last.command) >= 0:  # there may be another box
        last = _without_rejected(text, last)
        last = _outermost(text, last)
        if last.inside.closed:
            joined = _joined(text, last)
            if joined is not None:
                return joined
    if not last.inside.closed:
        return last.inside
    around = formula_around(text, last.command, last.end)
    return AnswerSpan(*around) if around else last.inside


_REJECTED = re.compile(
    r"[\s$]*[,;]?[\s$]*(?:(?:and|but) )?(?:not|rather than|instead of)[\s$]*(?:in )?[\s$(]*$"
    r"|[\s$]*\.?\s*\(?my (?:original|earlier|previous|initial|first) (?:answer|result|guess) was[\s$]*$",
    re.IGNORECASE,
)


def _without_rejected(text: str, last: _Box) -> _Box:
    r"""Return the box before the last one if the text rejects the last one: `\boxed{D}, not \boxed{B}`."""
    before = text[max(last.command - 60, 0) : last.command]
    rejected = _REJECTED.search(before)
    earlier = _last_box(text, last.command) if rejected else None
    if rejected is None or earlier is None or earlier.end != last.command - len(rejected.group()):
        return last
    return earlier


def unboxed(text: str) -> str:
    r"""Return a text without its box commands: `\boxed{1}, \boxed{2}` becomes `1, 2`.

    The contents of a box stay apart from what is around them.
    """
    for _ in range(MAX_JOINED):
        match = _BOX.search(text)
        if match is None or text[match.end() : match.end() + 1] != "{":
            break
        inside = _braced(text, match.end() + 1, len(text))
        before = _MATH.sub(" ", text[: match.start()])
        after = _MATH.sub(" ", _BETWEEN.sub(", ", text[inside.end + 1 :]))
        text = f"{before} {text[inside.start : inside.end]} {after}"
    return re.sub(" {2,}", " ", re.sub("(?<! ) +(?=,)", "", text)).strip()


_LABEL = r"(?:\(?(?:[1-9]|[a-e]|i{1,3})\)|[A-J]:|第[一二三四]空[:：])"
"""Matches the label of one of several parts: `(1)`, `(b)`, `第二空：`."""
_MATH = re.compile(r"(?<!\\)\$|(?<!\\)\\[()\[\]]")
# From a box to the next one, up to the comma or ampersand between them.
_BETWEEN = re.compile(
    rf"^[\s$\\)\]]*[,&，、；;]?[\s$]*(?:{_LABEL}"
    rf"|(?<=[,&，、；;]))(?=[\s$\\(\[]*(?:[A-Za-z] ?=[\s$]*)?\\f?(?:rame)?box)"
)


def _last_box(text: str, before: int) -> _Box | None:
    """Return the last box whose command starts before an index."""
    at = text.rfind("box", 0, before)
    while at >= 0:
        if text.startswith("\\boxed{", at - 1):  # nearly always
            inside = _braced(text, at + 6, len(text))
            return _box(at - 1, inside)
        slash = text.rfind("\\", max(at - 6, 0), at)
        match = _BOX.match(text, slash) if slash >= 0 else None
        if match is not None and (box := _unusual_box(text, match)) is not None:
            return box
        at = text.rfind("box", 0, at)  # this one was another command, or a word
    return None


def _unusual_box(text: str, command: re.Match[str]) -> _Box | None:
    r"""Return the box of a command such as `\fbox {5}` or `\boxed 5`; None if nothing follows it."""
    if text[command.end() : command.end() + 1] == "{":
        inside = _braced(text, command.end() + 1, len(text))
        return _box(command.start(), inside)
    word = _WORD.match(text, command.end())
    return _Box(command.start(), AnswerSpan(word.start(), word.end()), word.end()) if word else None


def _box(command: int, inside: AnswerSpan) -> _Box:
    """Return the box in braces whose command and contents are given."""
    return _Box(command, inside, inside.end + 1 if inside.closed else inside.end)


def _braced(text: str, start: int, stop: int) -> AnswerSpan:
    """Return the span between a brace that opens just before `start` and the brace that closes it."""
    end = text.find("}", start, stop)
    if end >= 0 and text.find("{", start, end) < 0 and text.find("\\", start, end) < 0:
        return AnswerSpan(start, end)
    depth = 1
    for match in _BRACE.finditer(text, start, stop):
        brace = match.group()
        depth += (brace == "{") - (brace == "}")
        if depth == 0:
            return AnswerSpan(start, match.start())
    line = text.find("\n", start, stop)
    end = stop if line < 0 else line
    closing = _CLOSING.search(text, start, end)
    return AnswerSpan(start, closing.start() if closing else end, closed=False)


def _outermost(text: str, box: _Box) -> _Box:
    """Return the outermost box around this one, at most four levels up, or the box itself."""
    for _ in range(4):
        before = text.rfind("box", max(box.command - 400, 0), box.command)
        outer = _last_box(text, box.command) if before >= 0 else None
        if outer is None or not outer.inside.closed or outer.end <= box.end:
            break
        box = outer
    return box


_SKIPPED = r"(?:[\s$&]|\\[ ,;!()\[\]]|\\q?quad(?![a-z]))"
_HEAD = r"(?:[A-Za-z](?:_\{?\w\}?)?|\\[a-z]{2,7}|[A-Za-z] ?(?:\\left ?)?\([^()=$\n]{1,40}\)) ?="
_JOINER = re.compile(
    rf"{_SKIPPED}*+(?P<sign>[,;&，、；]?){_SKIPPED}*+\(?(?:\\text ?\{{ ?)?"
    rf"(?P<word>(?:and|or)(?![A-Za-z])(?: also| else| perhaps| maybe| possibly"
    rf"| alternatively)?)?(?:"
    rf" ?\}})?{_SKIPPED}*+(?P<label>{_LABEL}?){_SKIPPED}*+(?P<head>{_HEAD}{_SKIPPED}*+)?"
)
_OPENING = re.compile(r"(?:\\left ?)?(?:[(\[]|\\\{)[\s$]*$")
_CLOSED = re.compile(r"[\s$]*(?:\\right ?)?(?:[)\]]|\\\})")


def _joined(text: str, last: _Box) -> AnswerSpan | None:
    """Return the span of the list whose last item is a box, with the brackets of a tuple.

    None if the box is alone, or if all boxes hold the same.
    """
    first, count, has_heads = last, 1, False
    contents = {text[last.inside.start : last.inside.end].strip()}
    while count < MAX_JOINED:
        before = _last_box(text, first.command)
        if before is None or before.end > first.command:
            break
        between = text[before.end : first.command]
        match = _JOINER.fullmatch(between) if len(between) <= 60 else None
        if match is None or not (
            match["sign"] or match["word"] or match["label"] or "&" in between or between.isspace()
        ):
            break
        first = before
        count += 1
        has_heads = has_heads or bool(match["head"])
        contents.add(text[before.inside.start : before.inside.end].strip())
    if count == 1 or len(contents) == 1:
        return None
    start, end = first.command, last.end
    if has_heads:  # x = \boxed{1}, y = \boxed{2}
        head = re.search(rf"{_HEAD}\s*$", text[max(start - 60, 0) : start])
        if head is not None:
            start -= len(head.group())
    opening = _OPENING.search(text[max(start - 12, 0) : start])
    closing = _CLOSED.match(text, end)
    if opening is not None and closing is not None:
        start, end = start - len(opening.group()), closing.end()
    return AnswerSpan(start, end)
