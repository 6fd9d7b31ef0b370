"""Finding the program in a completion: in its `<code>` tag, in its last code fence, or the whole text."""

import re
from collections.abc import Iterator, Sequence

from ..completion import SEARCHED_CHARS, Extracted, ThinkingMark, thinking_end, thinking_marks
from ..verdict import Reason

_MOST_CHARS = 200 * SEARCHED_CHARS
"""Only this many characters at the end of a completion are searched: a program is longer than an answer."""
_FENCE = re.compile(r"^[ \t]{0,3}(`{3,}|~{3,})[ \t]*([\w+#.-]*)[^\n`]*$", re.MULTILINE)
_PYTHON = ("python", "py", "python3", "pycon")
_UNMARKED = ("",)
_NOT_PROGRAMS = frozenset(
    "text txt output console plaintext json yaml yml toml xml html css sql diff markdown md latex tex csv"
    " log bash sh shell zsh".split()
)
"""Languages of fences that hold output, data, markup or shell commands, but no program to judge."""

Block = tuple[int, int, bool]
"""The start and the end of a program in a text, and whether its fence or tag was closed."""


def extract_program(text: str, *, thinking: Sequence[ThinkingMark] = ()) -> Extracted:
    r"""Return the program that a completion offers.

    Only the text after the thinking part is searched. The program is the content of the last `<code>` tag
    (of the fence in it, if it has one), else the last fenced block marked as Python, else the last unmarked
    block, else the last block in any other programming language, else the whole text. A fence or tag that
    was never closed extends to the end of the text, and `closed` is then False.

        >>> from markscheme.verifiers.programs.find_code import extract_program
        >>> found = extract_program("I return a constant:\n```python\ndef f(x): return 4\n```\nDone.")
        >>> found.text, found.rule, found.closed
        ('def f(x): return 4\n', 'marked', True)
        >>> extract_program("```python\ndef f(x): ret").closed  # cut off in the middle
        False
        >>> extract_program("def f(x): return 4").rule
        'bare'

    Args:
        text: the completion.
        thinking: further marks of the thinking part; see `extract_answer`.
    """
    offset = max(thinking_end(text, thinking_marks(thinking)), len(text) - _MOST_CHARS)
    body = text[offset:]
    block = _in_tag(body) or _in_fence(body)
    if block is None:
        reason = None if body.strip() else Reason.NO_ANSWER
        return Extracted(body, "bare", (offset, len(text)), reason)
    start, end, closed = block
    code = _without_margin(body[start:end])
    reason = None if code.strip() else Reason.EMPTY
    return Extracted(code, "marked", (offset + start, offset + end), reason, closed)


def _in_tag(text: str) -> Block | None:
    opening = text.rfind("<code>")
    if opening < 0:
        return None
    start = opening + len("<code>")
    closing = text.find("</code>", start)
    closed = closing >= 0
    end = closing if closed else len(text)
    if inner := _in_fence(text[start:end]):
        return start + inner[0], start + inner[1], closed
    return start, end, closed


def _in_fence(text: str) -> Block | None:
    blocks = list(_fenced_blocks(text))
    for languages in (_PYTHON, _UNMARKED):
        if found := [block for language, block in blocks if language in languages]:
            return found[-1]
    others = [block for language, block in blocks if language not in _NOT_PROGRAMS]
    return others[-1] if others else None


def _fenced_blocks(text: str) -> Iterator[tuple[str, Block]]:
    """Yield the language of each fenced block, and the block.

    A closing fence never names a language, so a fence that does always opens a block. If another block is
    still open at that point, it is dropped.
    """
    opening: re.Match[str] | None = None
    for fence in _FENCE.finditer(text):
        closes = opening is not None and fence[1].startswith(opening[1]) and not fence[2]
        if opening is not None and closes:
            start = min(opening.end() + 1, fence.start())
            yield opening[2].lower(), (start, fence.start(), True)
            opening = None
        elif opening is None or fence[2]:
            opening = fence
    if opening is not None:
        yield opening[2].lower(), (min(opening.end() + 1, len(text)), len(text), False)


def _without_margin(code: str) -> str:
    """Remove the indentation that all lines share, as in a fence inside a list item."""
    lines = code.split("\n")
    margins = [len(line) - len(line.lstrip(" ")) for line in lines if line.strip()]
    margin = min(margins, default=0)
    return "\n".join(line[margin:] for line in lines) if margin else code
