r"""Tier 4, reading: the vocabulary of formulas, their tokens, and the nodes they become.

Size is capped here: characters and tokens.
"""

import re
from typing import Any, NamedTuple

from ..text.latex_names import CONSTANTS, FUNCTIONS, GREEK

FORMULA_CHARS = 1000
MAX_TOKENS = 500
MAX_DEPTH = 40
"""Of brackets, for whoever reads them."""


class Unreadable(ValueError):
    """The text is no formula of this grammar."""


class TooLarge(Exception):
    """The text, or evaluating it, passes a cap."""


class Node(NamedTuple):
    """A node of a formula.

    `num` (value: Fraction), `sym` and `const` (value: name), `add` `mul` `div` `pow` `neg` `fact` `binom`
    `abs`, `root` (value: a whole degree, or the degree is the second argument) and `call` (value: the
    function's name; `f()` is an unknown one).
    """

    op: str
    args: tuple["Node", ...] = ()
    value: Any = None


_DERIVATIVE = re.compile(r"\\frac ?\{ ?d[^{}]*\} ?\{ ?d ?[a-z]|(?<![A-Za-z])d ?[a-z] ?/ ?d ?[a-z]")

_TOKENS = re.compile(
    r"\s*(?:(?P<num>\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d{1,4}(?!\d))?)|(?P<cmd>\\[A-Za-z]+|\\.)"
    r"|(?P<word>(?<![A-Za-z])[A-Za-z]\d+|[A-Za-z]+)"
    r"|(?P<op>\*\*|[-+*/^_!%'|(){}\[\],]))"
)


_KNOWN_INSIDE = re.compile(
    "|".join(sorted([name for name in FUNCTIONS if len(name) > 1] + ["sqrt", "pi"], key=len, reverse=True))
)
_WHOLE = frozenset([*FUNCTIONS, *CONSTANTS, *GREEK, "sqrt", "cbrt"])


def _parted(word: str) -> list[str]:
    """Part a word at the functions in it: `sinx`, `xcosx`, `pir`."""
    if word in _WHOLE or len(word) < 3 or (inner := _KNOWN_INSIDE.search(word)) is None or inner.start() > 2:
        return [word]
    return [part for part in (word[: inner.start()], inner.group(), *_parted(word[inner.end() :])) if part]


def tokens_of(text: str) -> list[tuple[str, str]]:
    """Return (kind, text) pairs.

    Raises:
        TooLarge: over a cap. Unreadable: a character that no formula has.
    """
    if len(text) > FORMULA_CHARS:
        raise TooLarge(f"{len(text)} characters")
    if _DERIVATIVE.search(text):
        raise Unreadable("a derivative")
    found, at = [], 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKENS.match(text, at)
        if match is None:
            raise Unreadable(f"{text[at]!r} at {at}")
        kind = match.lastgroup or ""
        found += [(kind, part) for part in (_parted(match[kind]) if kind == "word" else [match[kind]])]
        at = match.end()
    if len(found) > MAX_TOKENS:
        raise TooLarge(f"{len(found)} tokens")
    return found


class Tokens:
    """The tokens of a text, the next one last, and what can be seen ahead."""

    def __init__(self, text: str):
        self.tokens = tokens_of(text)[::-1]

    def peek(self) -> tuple[str, str]:
        """Return the next (kind, text); a pair of empty texts at the end."""
        return self.tokens[-1] if self.tokens else ("", "")

    def take(self) -> str:
        """Take the next token and return its text."""
        if not self.tokens:
            raise Unreadable("it ends too early")
        return self.tokens.pop()[1]

    def expect(self, *wanted: str) -> None:
        """Take a token that has to be one of those wanted."""
        found = self.take()
        if found not in wanted:
            raise Unreadable(f"expected {wanted[0]!r}, found {found!r}")

    def bracketed(self) -> list[str]:
        """Return the tokens of the bracket that comes next, less those of brackets in it."""
        depth, found = 0, list[str]()
        for _, token in reversed(self.tokens):
            depth += (token in ("(", "[", "{")) - (token in (")", "]", "}"))
            if depth == 1:
                found.append(token)
            if depth <= 0:
                break
        return found

    def has_comma(self) -> bool:
        """Whether the bracket that comes next holds a list."""
        return "," in self.bracketed()

    def has_function(self) -> bool:
        r"""Whether the bracket that comes next holds a sum with `\sin` and the like."""
        inside = self.bracketed()
        return bool({"+", "-"} & set(inside)) and any(
            token.removeprefix("\\") in FUNCTIONS for token in inside
        )

    def one_letter(self) -> bool:
        """Whether one letter or number in brackets comes next."""
        return [pair[1] for pair in self.tokens[:-4:-1]][::2] == ["(", ")"] and self.tokens[-2][0] in (
            "word",
            "num",
        )

    def raw_argument(self) -> str:
        r"""Return a group's text without spaces and backslashes: `v_{\max}` is `v_{max}`."""
        if self.peek()[1] != "{":
            return self.take().removeprefix("\\")
        self.take()
        inside = []
        while self.peek()[1] != "}":
            inside.append(self.take().removeprefix("\\"))
        self.take()
        return "".join(inside)
