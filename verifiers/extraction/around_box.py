r"""What belongs to a box: the formula of which it is a piece, `-\boxed{5}`, a unit, a word like `million`."""

import re

from ..units.reader import read_unit

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
    r"|crore|squared|cubed|and a half|\(?(?:in )?base \d+)\b|\s?[万亿億萬]"
    r"|[.,]\d|\s(?:(?:minus|plus|times)\s(?=[\d(\\$]|one\b|two\b)|(?:more|less|fewer) than\b)"
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
_FORMULA_END = re.compile(r"\$|\\[)\]]|\n")
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
    r"(?:[\s~}]|\\[,;:! ]|\\q?quad(?![a-z])|\\right\.?)*(?:$|\$|\\[\])]|[;&)\]|]|\.(?!\d)|,(?! ?[-+]?\d)"
    r"|=(?! ?-?\d+ ?(?:\$|\\[\])]))|:(?! ?\d)|\\\\|\\?%"
    r"|\^\s?\{?\s?\\circ"
    r"|[A-Za-z]{2,}|\\(?:text|mathrm|rm|mbox|tag|square|blacksquare|Box|qed|checkmark|implies|Rightarrow|iff|approx"
    r"|equiv|pmod|bmod|mod|to|rightarrow|end|[lc]?dots|deg|degree|because|therefore|quad|qquad|hline|color))"
)
"""Matches what may follow a box in math mode without being part of its formula."""
_TAG_END = re.compile(r"<[^<>\s]{1,40}>\s?$")
"""Matches a tag before a box, whose `>` compares nothing."""
_WINDOW = 200
"""How far, in characters, a formula around a box may reach on either side."""


_OPENS_MATH = frozenset(["\\(", "\\[", " $", "$$"])
"""What usually stands before a box, which starts its formula."""


def _clearly_starts(before: str) -> bool:
    """Return whether a box follows words or starts a formula, so that it cannot be a piece of one."""
    last = before[-1:]
    if last == "=":
        return not before[:-1].rstrip()[-1:].isdigit()
    if last == ">":
        return before.endswith(("answer>", "b>", "p>", "br>", "->", "=>"))
    if last in "([" or (last.isalpha() and "$" in before):
        return before[-2:-1] in ("\\", " ") and last in "(["
    if last in ",." and before[-2:-1].isdigit() and "$" in before:
        return False  # `$43, \boxed{42}$`
    return last in "$:,.;" or (last.isalpha() and "\\" not in before)


_CLOSED_AT_ONCE = frozenset(["", ".", "$", "$.", "$$", "$\n", "$,", "\\]", ".\n", "\n"])
_CLOSED_SOON = ("\\).", "\\),", "\\)\n", "\n\\]", " \\]", ".\\]")
"""What usually follows a box, which ends its formula."""
_WORD_AFTER = re.compile(
    r"(?:\\[,; ]|[~ \t$])*(?:\\(?:text|mathrm|rm"
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
    if re.search(r"^[-+]?[\d.]+,?\s*$|[(\[][^()\[\]]*,\s*$", prefix):
        return True  # `43, ` and `x \in (0, `: items of a list, a tuple or an interval
    return not _RELATION_BEFORE.search(prefix) and _STYLES.sub("", prefix.lstrip("} ")) not in ("", "(", "[")


def formula_around(text: str, command: int, box_end: int) -> tuple[int, int] | None:
    r"""Return the span of the formula of which the box at [command, box_end) is a piece: `-\boxed{5}`.

    None if the box is alone.
    """
    after, goes_on = None, False
    if text[box_end : box_end + 2] not in _CLOSED_AT_ONCE and not text.startswith(_CLOSED_SOON, box_end):
        after = _AFTER.match(text, box_end) or _unit_after(text, box_end)
        goes_on = after is not None or not _ENDS_IN_MATH.match(text, box_end)
    if not goes_on and text[command - 2 : command] in _OPENS_MATH:
        return None
    if not goes_on and _clearly_starts(text[max(command - 14, 0) : command].rstrip()):
        return None
    line = text[max(command - _WINDOW, 0) : command]
    goes_on = goes_on and (after is not None or _is_in_math(line))
    start, end = command, box_end
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
        start = command - len(prefix)
    if goes_on or (is_piece and re.search(r"[({\[|]", prefix)):
        edges_after = _EDGE_AFTER if after or not goes_on else _FORMULA_END
        edge = edges_after.search(text, after.end() if after else box_end, box_end + _WINDOW)
        end = edge.start() if edge else min(box_end + _WINDOW, len(text))
    return (start, end) if (start, end) != (command, box_end) else None
