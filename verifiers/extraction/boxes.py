r"""Finding the last `\boxed{...}` (or `\fbox{...}` and the like), with whatever belongs to it.

Boxes joined by `,`, `and` or `or` are one list. Of nested boxes, the outermost counts. A box that is a
piece of a formula (`-\boxed{5}`, `\frac{1}{\boxed{5}}`) is read as the whole formula. The search runs from
the right, and its work is bounded on any text.
"""

import re
from typing import NamedTuple

from ..units.reader import read_unit


class AnswerSpan(NamedTuple):
    """The characters [start, end) of a text that are an answer."""

    start: int
    end: int
    closed: bool = True
    """False if the box or tag was never closed."""


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
    return _formula_around(text, last) or last.inside


_REJECTED = re.compile(
    r"[\s$]*[,;]?[\s$]*(?:(?:and|but) )?(?:not|rather than|instead of)[\s$]*(?:in )?[\s$(]*$", re.IGNORECASE
)


def _without_rejected(text: str, last: _Box) -> _Box:
    r"""Return the box before the last one if the text rejects the last one: `\boxed{D}, not \boxed{B}`."""
    before = text[max(last.command - 40, 0) : last.command]
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
    return re.sub(" {2,}", " ", re.sub(" +(?=,)", "", text)).strip()


_MATH = re.compile(r"(?<!\\)\$|(?<!\\)\\[()\[\]]")
# From a box to the next one, up to the comma or ampersand between them.
_BETWEEN = re.compile(r"^[\s$\\)\]]*[,&](?=[\s$\\(\[]*(?:[A-Za-z] ?=[\s$]*)?\\f?(?:rame)?box)")


def _last_box(text: str, before: int) -> _Box | None:
    """Return the last box whose command starts before an index."""
    at = text.rfind("box", 0, before)
    while at >= 0:
        if text.startswith("\\boxed{", at - 1):  # nearly always
            inside = _braced(text, at + 6, len(text))
            return _box(at - 1, inside)
        slash = text.rfind("\\", max(at - 6, 0), at)
        match = _BOX.match(text, slash) if slash >= 0 else None
        if match is not None:
            return _unusual_box(text, match)
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
    rf"| alternatively)?)?(?: ?\}})?{_SKIPPED}*+(?P<head>{_HEAD}{_SKIPPED}*+)?"
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
        if match is None or not (match["sign"] or match["word"] or "&" in between or between.isspace()):
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


# The braces of an exponent or a command, opened before the box.
_GROUP = (
    r"(?:[\^_]\s?\{|\\(?!(?:text|math|bold|underline|color|display|large|huge"
    r"|ensuremath)[a-z]*)[A-Za-z]+\s?(?:\{[^{}]*\}\s?)?\{)\s?$"
)
# Before a box that is a piece of a formula: a digit, a sign, an operator, an open group.
_BEFORE = re.compile(
    r"(?:\d|[\d)}]\s?[-+*/]\s?|(?:^|[\s(\[,])[-+]|/|\\(?:cdot|times|div|pm|mp|ne|neq|not ?=|sqrt"
    r"|leq?|geq?|lt|gt)\s?|[≠×÷±√≤≥<]\s?|(?<![-=])>\s?|!=\s?)$"
    rf"|{_GROUP}",
    re.IGNORECASE,
)
# After such a box. `\boxed{30}^\circ` is not a power.
_AFTER = re.compile(
    r"(?P<percent>\s?\\?%)|[\d²³√πθ]|_|[a-z](?![A-Za-z])|\\[,;!]\s?[a-z](?![A-Za-z])"
    r"|(?:\$|\\\)|\*\*)?(?:\\[,; ]|[\s~])?(?:\\text\s?\{\s?)?(?i:hundred|thousand|million|billion"
    r"|trillion|dozen|lakh"
    r"|crore|squared|cubed|and a half|\(?(?:in )?base \d+|[万亿億萬])\b"
    r"|\s?,\s?[-+]?(?:\d+|\\infty|∞)\s?[)\]]"
    r"|(?:\\[,;:! ]|[\s~]){0,3}\\(?:sqrt|[dt]?frac|pi|infty|log|ln|sin|cos|tan|cup|cap|left)(?![a-z])"
    r"|\s?(?:\^(?!\s?\{?\s?\\circ)|[*/](?=[\w\\({])|\\(?:cdot|times|div|pm|mp)(?![a-z])|[-+]\s?(?:\d|\\(?:frac|sqrt|pi)|[xyzn]\b))"
)
# Where the formula around a box starts, and where it ends.
_EDGE_BEFORE = re.compile(
    r"[$\n:;&]|\\[(\[]|(?<![<>!≠])=|\\(?:implies|Rightarrow|therefore|q?quad)(?![a-z])|[.!?] |<answer>"
    r"|(?<![\\A-Za-z])[A-Za-z]{2,}\s"
)
_EDGE_AFTER = re.compile(
    r"[$\n;&]|\\[)\]]|[.,!?](?:\s|$)|=|\\approx|</"
    r"|(?<![\\A-Za-z])(?!(?:hundred|thousand|million|billion|trillion|dozen)\b)[A-Za-z]{2,}(?:\s|[.,]|$)"
)
# `120 = \boxed{5!}` is extracted whole, so that its two sides are compared with each other.
_NUMBER_BEFORE = re.compile(r"(?:^|[$\n:>]|\bis )\s?(?P<number>-?\d[\d.,]*\s?=\s?)$")
_STYLES = re.compile(
    r"\\(?:begin\{[a-z*]+\}|(?:text\w*|math\w+|mbox|boldsymbol|underline|colou?r|[lL]arge|LARGE|[hH]uge|displaystyle"
    r"|bf|left(?=\.))(?:\s?\{[^{}]*\})*(?:\s?\{(?=\s?$))?|left\.|[,;:! ])|\{\s?$|\\\\|[\s~]"
)
"""Matches what may stand before a box in math mode without being part of its formula."""
_RELATION_BEFORE = re.compile(
    r"(?:\\(?:approx|equiv|cong|sim|to|rightarrow|longrightarrow|colon|iff)|→|≈|≡|,)\s*$"
)
_ENDS_IN_MATH = re.compile(
    r"(?:[\s~}]|\\[,;:! ]|\\q?quad(?![a-z])|\\right\.?)*(?:$|\$|\\[\])]|[.,;=&)\]|]|:(?! ?\d)|\\\\|\\?%"
    r"|\^\s?\{?\s?\\circ"
    r"|[A-Za-z]{2,}|\\(?:text|mathrm|rm|mbox|tag|square|blacksquare|Box|qed|checkmark|implies|Rightarrow|iff|approx"
    r"|equiv|pmod|bmod|mod|to|rightarrow|end|[lc]?dots|deg|degree|because|therefore|quad|qquad|hline|color))"
)
"""Matches what may follow a box in math mode without being part of its formula."""
_TAG_END = re.compile(r"<[^<>\s]{1,40}>\s?$")
"""Matches a tag before a box, whose `>` compares nothing."""
_WINDOW = 200
"""How far, in characters, a formula around a box may reach on either side."""


def _clearly_starts(before: str) -> bool:
    """Return whether a box follows words or starts a formula, so that it cannot be a piece of one."""
    last = before[-1:]
    if last == "=":
        return not before[:-1].rstrip()[-1:].isdigit()
    if last == ">":
        return before.endswith(("answer>", "b>", "p>", "br>", "->", "=>"))
    if last in "([" or (last.isalpha() and "$" in before):
        return before[-2:-1].isspace() and last in "(["
    return last in "$:,.;" or (last.isalpha() and "\\" not in before)


_CLOSED_AT_ONCE = frozenset(["", ".", "$", "$.", "$$", "$\n", "$,", "\\]", ".\n", "\n"])
"""What usually follows a box, which ends its formula."""
_WORD_AFTER = re.compile(
    r"(?:\\[,; ]|[~\s$])*(?:\\(?:text|mathrm|rm"
    r"|mbox)\s?\{\s?(?P<upright>[^{}]{1,20})\}(?P<power>\s?\^\s?\{?-?\d\}?)?"
    r"|(?P<plain>[A-Za-zµ°][A-Za-z/^\d²³]{0,7})(?=[\s$.,;)\\]|$))"
)
_UNLIKELY_UNITS = ("in", "a", "A", "as", "at", "s", "are", "bar", "pm", "am")
"""Words that are more likely to go on with the sentence than to be the unit of a box."""


def _unit_after(text: str, end: int) -> re.Match[str] | None:
    r"""Match the unit that follows a box, `\boxed{6}\text{ cm}`; a noun is no part of the answer."""
    match = _WORD_AFTER.match(text, end)
    if match is None:
        return None
    word = (match["upright"] or match["plain"]).strip() + (match["power"] or "").replace(" ", "")
    unit = None if word in _UNLIKELY_UNITS else read_unit(word)
    return match if unit is not None and unit.dimensions and not unit.nouns else None


def _is_in_math(line: str) -> bool:
    """Return whether a line ends in math mode."""
    has_dollar = line.replace("$$", "$").replace(r"\$", "").count("$") % 2 == 1
    return has_dollar or line.rfind("\\(") > line.rfind("\\)") or line.rfind("\\[") > line.rfind("\\]")


def _is_piece(prefix: str) -> bool:
    """Return whether what stands before a box in math mode makes the box a piece of a formula."""
    return not _RELATION_BEFORE.search(prefix) and _STYLES.sub("", prefix) not in ("", "(", "[")


def _formula_around(text: str, box: _Box) -> AnswerSpan | None:
    r"""Return the span of the formula of which a box is a piece, `-\boxed{5}`; None if it is alone."""
    line = text[max(box.command - _WINDOW, 0) : box.command]
    after, goes_on = None, False
    if text[box.end : box.end + 2] not in _CLOSED_AT_ONCE:
        after = _AFTER.match(text, box.end) or _unit_after(text, box.end)
        goes_on = after is not None or (_is_in_math(line) and not _ENDS_IN_MATH.match(text, box.end))
    if not goes_on and _clearly_starts(line[-14:].rstrip()):
        return None
    start, end = box.command, box.end
    if after is not None and (after.re is _WORD_AFTER or after["percent"]):
        end = after.end()  # the unit or percent sign belongs to the number; the rest does not
        goes_on = False
    else:
        number = _NUMBER_BEFORE.search(line)
        if number is not None:
            start -= len(number["number"])
    edges = list(_EDGE_BEFORE.finditer(line))
    prefix = line[edges[-1].end() :] if edges else line
    attached = None if _TAG_END.search(prefix) else _BEFORE.search(prefix)
    is_piece = attached is not None or (_is_in_math(line) and _is_piece(prefix))
    if is_piece or (goes_on and prefix.endswith(("(", "["))):
        start = box.command - len(prefix)
    if goes_on or (is_piece and re.search(r"[({\[|]", prefix)):
        edge = _EDGE_AFTER.search(text, after.end() if after else box.end, box.end + _WINDOW)
        end = edge.start() if edge else min(box.end + _WINDOW, len(text))
    return AnswerSpan(start, end) if (start, end) != (box.command, box.end) else None
