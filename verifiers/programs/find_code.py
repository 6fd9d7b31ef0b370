"""Finding the program in a completion: the last fenced block, `<code>`, or the text itself."""

import re
from collections.abc import Iterator

from ..completion import SEARCHED_CHARS, Extracted, thinking_end
from ..verdict import Reason

_FENCE = re.compile(r"^[ \t]{0,3}(`{3,}|~{3,})[ \t]*([\w+#.-]*)[^\n`]*$", re.MULTILINE)
_OTHERS = frozenset(
    "text txt output console plaintext json yaml yml toml xml html css sql diff markdown md latex tex csv"
    " log bash sh shell zsh".split()
)
"""Fences of what is no program."""
_PYTHON = ("python", "py", "python3", "pycon")
Block = tuple[int, int, bool]
"""Where a program starts and ends, and whether what holds it was closed."""


def extract_program(text: str) -> Extracted:
    """Return the program that a completion offers.

    It is looked for after the thinking part: the last `<code>...</code>`, else the last fenced block
    marked as Python, else the last one marked as nothing, else the whole text. A fence or tag that was
    never closed reaches to the end, and `closed` is then False.
    """
    start = max(thinking_end(text), len(text) - 200 * SEARCHED_CHARS)
    body = text[start:]
    found = _tagged(body) or _fenced(body)
    first, last, closed = found or (0, len(body), True)
    code = _dedented(body[first:last]) if found else body
    reason = None if code.strip() else Reason.EMPTY if found else Reason.NO_ANSWER
    return Extracted(code, "marked" if found else "bare", (start + first, start + last), reason, closed)


def _tagged(text: str) -> Block | None:
    opened = text.rfind("<code>")
    if opened < 0:
        return None
    first = opened + len("<code>")
    closed = text.find("</code>", first)
    last = len(text) if closed < 0 else closed
    if inner := _fenced(text[first:last]):
        return first + inner[0], first + inner[1], closed >= 0
    return first, last, closed >= 0


def _fenced(text: str) -> Block | None:
    blocks = list(_blocks(text))
    for wanted in (_PYTHON, ("",)):
        if found := [block for name, block in blocks if name in wanted]:
            return found[-1]
    others = [block for name, block in blocks if name not in _OTHERS]
    return others[-1] if others else None


def _blocks(text: str) -> Iterator[tuple[str, Block]]:
    """Yield fenced blocks with the language that they name; a fence that names one opens another."""
    opened: re.Match[str] | None = None
    for fence in _FENCE.finditer(text):
        if opened is not None and fence[1].startswith(opened[1]) and not fence[2]:
            yield opened[2].lower(), (min(opened.end() + 1, fence.start()), fence.start(), True)
            opened = None
        elif opened is None or fence[2]:
            opened = fence
    if opened is not None:
        yield opened[2].lower(), (min(opened.end() + 1, len(text)), len(text), False)


def _dedented(code: str) -> str:
    """Take away the margin that a fence in a list stands in."""
    lines = code.split("\n")
    margins = [len(line) - len(line.lstrip(" ")) for line in lines if line.strip()]
    margin = min(margins, default=0)
    return "\n".join(line[margin:] for line in lines) if margin else code
