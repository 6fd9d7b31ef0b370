r"""Splitting a formula's text into tokens, and the nodes of the tree that the parser builds from them.

The texts come from a model, so their length and number of tokens are limited here. The depth of their
brackets is limited where the brackets are read: in the parser, and in `structures/outline.py`.
"""

import re
from fractions import Fraction
from typing import Any, NamedTuple

from ..spelling.latex_names import CONSTANTS, FUNCTIONS, GREEK

FORMULA_CHARS = 1000
"""Longest text, in characters, that is read as a formula."""
MAX_TOKENS = 500
MAX_DEPTH = 40
"""Deepest nesting of brackets and signs, for the parser and for the reader of structures."""


class Unreadable(ValueError):
    """The text is not a formula that the parser can read."""


class TooLarge(Exception):
    """The text exceeds a size limit, or evaluating it would."""


class Node(NamedTuple):
    r"""A node of a formula's tree.

    | op | value | arguments |
    |---|---|---|
    | `num` | a `Fraction` | |
    | `sym`, `const` | the name | |
    | `add`, `mul` | | two or more |
    | `neg`, `abs` | | one |
    | `div`, `pow`, `binom` | | two |
    | `fact` | 1 for `n!`, 2 for `n!!` | one |
    | `root` | the degree, if it is a whole number | the radicand, and any other degree |
    | `call` | the function's name; that of an unknown one ends in `()` | its arguments |
    """

    op: str
    args: tuple["Node", ...] = ()
    value: Any = None


# A derivative would be read as a fraction of products: dy/dx as d*y/(d*x).
_DERIVATIVE = re.compile(r"\\frac ?\{ ?d[^{}]*\} ?\{ ?d ?[a-z]|(?<![A-Za-z])d ?[a-z] ?/ ?d ?[a-z]")
_TOKENS = re.compile(
    r"\s*(?:(?P<num>[1-9]\d{0,2}(?:,\d{3})+(?!\d)(?:\.\d+)?|(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d{1,4}(?!\d))?)|(?P<cmd>\\[A-Za-z]+|\\.)"
    r"|(?P<word>(?<![A-Za-z])[A-Za-z]\d+|[A-Za-z]+)"
    r"|(?P<op>\*\*|[-+*/^_!%'|(){}\[\],]))"
)
_NAME_INSIDE = re.compile(
    "|".join(sorted([name for name in FUNCTIONS if len(name) > 1] + ["sqrt", "pi"], key=len, reverse=True))
)
_NEVER_SPLIT = frozenset([*FUNCTIONS, *CONSTANTS, *GREEK, "sqrt", "cbrt"])


def _split_at_names(word: str) -> list[str]:
    """Split a word at the names in it: `sinx` is `sin x`, `xcosx` is `x cos x`, `pir` is `pi r`.

    At most two letters may precede the first of them, so that most ordinary words stay whole.
    """
    if word in _NEVER_SPLIT or len(word) < 3:
        return [word]
    inner = _NAME_INSIDE.search(word)
    if inner is None or inner.start() > 2:
        return [word]
    parts = [word[: inner.start()], inner.group(), *_split_at_names(word[inner.end() :])]
    return [part for part in parts if part]


def tokens_of(text: str) -> list[tuple[str, str]]:
    r"""Return the tokens of a text as (kind, text); the kinds are `num`, `word`, `cmd` (`\frac`) and `op`.

    Raises:
        TooLarge: the text is too long, or has too many tokens.
        Unreadable: it contains a character that formulas do not have, or a derivative.
    """
    if len(text) > FORMULA_CHARS:
        raise TooLarge(f"a formula of {len(text)} characters (at most {FORMULA_CHARS})")
    if _DERIVATIVE.search(text):
        raise Unreadable("a derivative")
    tokens: list[tuple[str, str]] = []
    position = 0
    text = text.rstrip()
    while position < len(text):
        match = _TOKENS.match(text, position)
        if match is None:
            raise Unreadable(f"unexpected {text[position]!r} at character {position}")
        kind = match.lastgroup or ""
        if kind == "word":
            tokens += [(kind, part) for part in _split_at_names(match[kind])]
        else:
            tokens.append((kind, match[kind]))
        position = match.end()
    if len(tokens) > MAX_TOKENS:
        raise TooLarge(f"a formula of {len(tokens)} tokens (at most {MAX_TOKENS})")
    return tokens


class Tokens:
    """The tokens that are still to be read, with some look-ahead.

    They are kept in reverse: the next token is `tokens[-1]`, so that taking it is cheap.
    """

    def __init__(self, text: str):
        self.tokens = tokens_of(text)[::-1]

    def peek(self) -> tuple[str, str]:
        """Return the next token as (kind, text); two empty strings at the end."""
        return self.tokens[-1] if self.tokens else ("", "")

    def take(self) -> str:
        """Take the next token and return its text."""
        if not self.tokens:
            raise Unreadable("the formula ends too early")
        return self.tokens.pop()[1]

    def take_number(self) -> Fraction:
        """Take the next token, which is a number; its commas separate thousands."""
        return Fraction(self.tokens.pop()[1].replace(",", ""))

    def expect(self, *accepted: str) -> None:
        """Take the next token, which must be one of those accepted."""
        token = self.take()
        if token not in accepted:
            raise Unreadable(f"expected {accepted[0]!r}, found {token!r}")

    def bracketed(self) -> list[str]:
        """Return the tokens in the bracket that comes next, without those of brackets inside it."""
        depth = 0
        inside: list[str] = []
        for _, token in reversed(self.tokens):
            depth += (token in ("(", "[", "{")) - (token in (")", "]", "}"))
            if depth == 1:
                inside.append(token)
            if depth <= 0:
                break
        return inside

    def has_comma(self) -> bool:
        """Return whether the bracket that comes next holds a list."""
        return "," in self.bracketed()

    def has_function(self) -> bool:
        r"""Return whether the bracket that comes next holds a sum and a function: `(\sin a - \cos a)`."""
        inside = self.bracketed()
        is_sum = "+" in inside or "-" in inside
        return is_sum and any(token.removeprefix("\\") in FUNCTIONS for token in inside)

    def one_letter(self) -> bool:
        """Return whether a bracket around a single letter, word or number comes next: `(x)`, `(2)`."""
        if len(self.tokens) < 3:
            return False
        opening, inside, closing = self.tokens[-1], self.tokens[-2], self.tokens[-3]
        return opening[1] == "(" and closing[1] == ")" and inside[0] in ("word", "num")

    def raw_argument(self) -> str:
        r"""Take a group or one token; return its text without spaces and backslashes: `max` for `{\max}`."""
        if self.peek()[1] != "{":
            return self.take().removeprefix("\\")
        self.take()
        inside = []
        while self.peek()[1] != "}":
            inside.append(self.take().removeprefix("\\"))
        self.take()
        return "".join(inside)
