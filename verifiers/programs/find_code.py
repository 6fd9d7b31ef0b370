"""Finding the program in a completion: in its `<code>` tag, in its last code fence, or the whole text."""

import ast
import re
from collections.abc import Iterator, Sequence

from ..completion import (
    END_TOKENS,
    SEARCHED_CHARS,
    TURN_END,
    Extracted,
    ThinkingMark,
    thinking_end,
    thinking_marks,
)
from ..verdict import Reason
from .parse import parse

_MOST_CHARS = 200 * SEARCHED_CHARS
"""Only this many characters at the end of a completion are searched: a program is longer than an answer."""
_MOST_PARSED = 20_000
"""Longer texts are not parsed to see whether they are Python."""
_MOST_GUESSES = 50
"""The most fences at the end of a line of code for which it is tried whether they close the block."""
_INVISIBLE = "\ufeff\u200b\u200c\u200d\u2060"
"""The byte order mark, and characters without width."""
_FENCE = re.compile(r"`{3,}|~{3,}")
_INFO = re.compile(r"[ \t]*([\w+#.-]*)([^\n`]*)")
"""What may stand behind an opening fence: a language, and anything else."""
_PYTHON = ("python", "py", "python3", "pycon")
_UNMARKED = ("",)
_NOT_PROGRAMS = frozenset(
    "text txt output console plaintext json yaml yml toml xml html css sql diff markdown md latex tex csv"
    " log bash sh shell zsh".split()
)
"""Languages of fences that hold output, data, markup or shell commands, but no program to judge."""
_LANGUAGES = frozenset(
    (*_PYTHON, *_NOT_PROGRAMS, *"c cpp c++ java javascript js ts rust go ruby julia r".split())
)

Block = tuple[int, int, bool]
"""The start and the end of a program in a text, and whether its fence or tag was closed."""


def extract_program(text: str, *, thinking: Sequence[ThinkingMark] = ()) -> Extracted:
    r"""Return the program that a completion offers.

    Only the text after the thinking part is searched. The program is the content of the last `<code>` tag
    (of the fence in it, if it has one), else the last fenced block marked as Python, else the last unmarked
    block, else the last block in any other programming language, else the whole text. A block that only uses
    what an earlier one defines is an example of its use, and does not count. A fence or tag that was never
    closed extends to the end of the text, and `closed` is then False.

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
    body = text[offset : _end_of_turn(text, offset)]
    if body.rstrip().endswith(">"):
        body = END_TOKENS.sub("", body)
    block = _in_tag(body)
    if block is None or not is_code(body[block[0] : block[1]]):  # such a tag may be mentioned in a program
        block = _in_fence(body) or block
    if block is None:
        reason = None if body.strip() else Reason.NO_ANSWER
        return Extracted(_visible(body), "bare", (offset, offset + len(body)), reason)
    start, end, closed = block
    code = _visible(_without_margin(body[start:end]))
    reason = None if code.strip() else Reason.EMPTY
    return Extracted(code, "marked", (offset + start, offset + end), reason, closed)


def _end_of_turn(text: str, start: int) -> int:
    """Return where the first mark stands that ends a turn, by itself at the start or the end of a line."""
    for mark in TURN_END.finditer(text, start):
        if (
            mark.start() == 0
            or text[mark.start() - 1] == "\n"
            or text[mark.end() : mark.end() + 1] in ("", "\n")
        ):
            return mark.start()
    return len(text)


def _visible(code: str) -> str:
    """Return code without characters that cannot be seen, if those keep it from being Python."""
    code = code.lstrip(_INVISIBLE)
    if not any(character in code for character in _INVISIBLE) or parsed(code) is not None:
        return code
    return code.translate(dict.fromkeys(map(ord, _INVISIBLE)))


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
            return _not_a_usage(text, found)
    others = [block for language, block in blocks if language not in _NOT_PROGRAMS]
    return others[-1] if others else None


def _not_a_usage(text: str, blocks: Sequence[Block]) -> Block:
    """Return the last of some blocks that does not merely use what an earlier one defines."""
    last = len(blocks) - 1
    while last > 0:
        earlier = [
            i for i in range(last) if _merely_uses(_code_of(text, blocks[last]), _code_of(text, blocks[i]))
        ]
        if not earlier:
            break
        last = earlier[-1]
    return blocks[last]


def _code_of(text: str, block: Block) -> str:
    return _without_margin(text[block[0] : block[1]])


def _merely_uses(code: str, other: str) -> bool:
    """Return whether code defines nothing, and does no more than use what other code defines."""
    defining = parsed(other)
    defined = {node.name for node in defining.body if isinstance(node, _DEFINITIONS)} if defining else set()
    if not defined:
        return False
    if code.lstrip().startswith(">>>"):
        return True
    tree = parsed(code)
    if tree is None or any(isinstance(node, _DEFINITIONS) for node in tree.body):
        return False
    nodes = list(ast.walk(tree))
    assigned = {
        node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
    }
    used = {node.id for node in nodes if isinstance(node, ast.Name)} - assigned
    return not tree.body or bool(used & defined)


_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def _fenced_blocks(text: str) -> Iterator[tuple[str, Block]]:
    """Yield the language of each fenced block, and the block.

    A fence that names a language opens a block, also in the middle of a line; if another block is still open
    at that point, it is dropped. If the first fence stands behind Python, it closes a block that the prompt
    has opened.
    """
    opening, language, start, is_first, guesses = "", "", 0, True, 0
    for fence in _FENCE.finditer(text):
        line = text.rfind("\n", 0, fence.start()) + 1
        before = text[line : fence.start()].strip(_INVISIBLE)
        info = _INFO.match(text, fence.end())
        assert info is not None  # it matches the empty text too
        if info.end() < len(text) and text[info.end()] == "`":
            continue  # code within a line
        named, rest = info[1].lower(), info[2].strip()
        at_start = not before.strip(" \t") and len(before) <= 3
        is_last = not text[info.end() :].strip()
        names_language = (
            bool(named) and not (opening and is_last) and (named in _LANGUAGES or (at_start and not rest))
        )
        if opening and not fence[0].startswith(opening):
            continue
        if opening and not names_language:
            guesses += not at_start
            may_close = guesses <= _MOST_GUESSES and (not rest or rest.startswith("</"))
            if at_start or (may_close and is_code(text[start : fence.start()])):
                yield language, (min(start, fence.start()), fence.start(), True)
                opening = ""
        elif is_first and at_start and not named and not rest and is_code(text[: fence.start()]):
            yield _PYTHON[0], (0, fence.start(), True)
        elif at_start or (names_language and not rest) or not (opening or named or rest):
            opening, language, start = fence[0], named, min(info.end() + 1, len(text))
        is_first = False
    if opening:
        yield language, (start, len(text), False)


def parsed(code: str) -> ast.Module | None:
    """Return the syntax tree of some text; None if it is not Python, or too long to be parsed for a guess."""
    if len(code) > _MOST_PARSED:
        return None
    try:
        return parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def is_code(text: str) -> bool:
    """Return whether text is Python that does something, unlike a word or a list of words."""
    tree = parsed(_without_margin(text))
    return tree is not None and any(
        not isinstance(node, ast.Expr) or isinstance(node.value, ast.Call) for node in tree.body
    )


def _without_margin(code: str) -> str:
    """Remove the indentation that all lines share, as in a fence inside a list item."""
    lines = code.split("\n")
    margins = [len(line) - len(line.lstrip(" ")) for line in lines if line.strip()]
    margin = min(margins, default=0)
    return "\n".join(line[margin:] for line in lines) if margin else code
