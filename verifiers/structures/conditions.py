r"""Conditions after an answer: `2\pi k, k \in \mathbb{Z}` and `2x if x > 0`.

A letter that runs through a domain may be replaced by another one, but the domains must agree. If only one
side has any other condition, the answers differ.
"""

import re
from typing import NamedTuple

from ..formulas.free_letters import renamed
from ..spelling.latex_names import IN_REAL_LINE
from .outline import split_at

_CLAUSE = re.compile(
    r",? ?(?<![A-Za-z])(?:where|for(?: some| all| any| every)?|if|when|with|given|such that|unless"
    r"|otherwise|only if)(?![A-Za-z]) ?"
)
_FOR_ALL = re.compile(
    rf",? ?\(?(?:for (?:all|every|any|each)|\\forall) ?(?:real |real number |real numbers "
    rf")?[a-z](?:{IN_REAL_LINE})?\)?$"
)
_ALL = re.compile(
    r"^(?:for )?(?:all|every|any|each) (?:real |integers? |numbers? |values of )?(?=[a-z] ?(?:[<>]"
    r"|\\(?:le|ge|ne|in)(?![a-z])))"
)


def without_idle_clause(text: str) -> str:
    """Return a text without `for all x` at its end and `all` before a relation, which add no condition."""
    return _ALL.sub("", _FOR_ALL.sub("", text))


def without_clause(text: str) -> tuple[str, str]:
    """Split a text from its condition, `2x if x > 0` into `2x` and `x > 0`; the condition may be empty."""
    parts, _ = split_at(text, _CLAUSE)
    if len(parts) < 2 or not parts[0]:
        return text, ""
    return parts[0], " ".join(parts[1:])


_BUILDER = re.compile(
    r"\\?\{ ?(?:[a-z] ?(?:\||:) ?[a-z] ?= ?)?(?P<formula>[^|:{}]*(?:\{[^{}]*\}[^|:{}]*)*?) ?(?:\||:|,) "
    r"?(?P<letter>[a-z]) ?\\in ?\\mathbb "
    r"?\{?(?P<set>[ZN])\}? ?\\?\}"
)
_INTEGERS_BETWEEN = re.compile(
    r"\\?\{ ?(?P<letter>[a-z]) ?\\in ?\\mathbb ?\{?[ZN]\}? ?(?:\||:) ?(?P<low>-?\d{1,4}) ?(?P<first><"
    r"|\\le) ?(?P=letter) ?(?P<last><|\\le) ?(?P<high>-?\d{1,4}) ?\\?\}"
)
MAX_LISTED = 64


def without_builder(text: str) -> str:
    r"""Return a set of integers without its builder notation; other texts as they are.

    `\{2k\pi : k \in \mathbb{Z}\}` becomes the family `2k\pi, k \in \mathbb{Z}`, and
    `\{n \in \mathbb{Z} : 1 \le n \le 3\}` becomes `\{1, 2, 3\}`.
    """
    if r"\in" not in text or "{" not in text:
        return text
    if between := _INTEGERS_BETWEEN.fullmatch(text):
        low = int(between["low"]) + (between["first"] == "<")
        high = int(between["high"]) - (between["last"] == "<")
        if 0 <= high - low < MAX_LISTED:
            return rf"\{{{', '.join(map(str, range(low, high + 1)))}\}}"
    family = _BUILDER.fullmatch(text)
    if family is None or family["formula"] == family["letter"]:
        return text
    return rf"{family['formula']}, {family['letter']} \in \mathbb{{{family['set']}}}"


class Parameter(NamedTuple):
    r"""A letter that runs through a domain, as k does in `2\pi k, k \in \mathbb{Z}`."""

    letter: str
    domain: str
    """`Z`, `N`, `Q` or `R`; `from` for all integers from `start` on."""
    start: int | None = None
    """The first integer, for `n \\ge 1`."""

    @property
    def is_customary(self) -> bool:
        """Whether a reader assumes this domain if none is given: k is an integer, x a real number."""
        if self.domain == "R":
            return True
        if self.domain == "from":
            return False
        return self.letter in {"Z": "jklmnpqrst", "N": "n", "Q": ""}[self.domain]


_SETS = r"\\in ?\\?(?:mathbb ?)?\{?(?P<set>[ZNRQ])\}?(?P<sign> ?[_^] ?\{?[+*0-9>]*\}?)?"
_KIND = (
    r"(?P<{}>(?:arbitrary |positive |real |natural |whole |integral )*(?:integers?|numbers?"
    r"|constants?|reals?|values?)?)"
)
_PARAMETER = re.compile(
    rf"[,;]? ?\(? ?(?:where |with |for (?:all |any |every |some |each )?{_KIND.format('before')} ?)?"
    rf"(?P<letter>[A-Za-z])(?: is (?:an?|any) {_KIND.format('is')}| an? {_KIND.format('apposed')}"
    rf"| ?{_SETS}) ?\)?$"
    rf"|[,;]? ?for (?:all |any |every |some |an? )?{_KIND.format('spoken')} (?:of )?(?P<named>[A-Za-z])$"
)


def without_parameter(text: str) -> tuple[str, Parameter | None]:
    r"""Split `2\pi k, k \in \mathbb{Z}` into the formula and its running letter; None if it has none.

    >>> without_parameter(r"2\pi k, k \in \mathbb{Z}")
    ('2\\pi k', Parameter(letter='k', domain='Z', start=None))
    """
    match = _PARAMETER.search(text)
    if match is None or not match.start():
        return _without_start(text)
    letter = match["letter"] or match["named"]
    main = text[: match.start()].rstrip(" ,;")
    if renamed(main, letter, "") == main:
        return text, None  # the formula does not have the letter
    return main, Parameter(letter, _domain(match))


_START = re.compile(
    r"[,;]? \(?(?:for |where |with )?(?P<letter>[i-nr-t]) ?(?P<sign>\\ge|>) ?(?P<start>-?\d{1,4})\)?$"
)


def _without_start(text: str) -> tuple[str, Parameter | None]:
    r"""Split `2^n, n \ge 0` into the formula and its running integer; None if it has none."""
    match = _START.search(text) if ">" in text or r"\ge" in text else None
    if match is None or not match.start():
        return text, None
    letter, main = match["letter"], text[: match.start()].rstrip(" ,;")
    if (
        renamed(main, letter, "") == main
        or re.search(r"[<>]|\\(?:le|ge|ne|in)(?![a-z])", main)
        or main.rstrip() == letter
    ):
        return text, None
    return main, Parameter(letter, "from", int(match["start"]) + (match["sign"] == ">"))


def shifted(text: str, letter: str, steps: int, *, sign: str = "") -> str:
    """Return a formula with `(k+1)` or `(-k+1)` for `k`, which runs through the same integers."""
    return renamed(text, letter, f"({sign}{letter}+({steps}))") or text


def _domain(match: re.Match[str]) -> str:
    r"""Return the domain that a set (`\mathbb{Z}^+`) or words (`positive integers`) give, by default `R`."""
    kind = " ".join(match[name] or "" for name in ("before", "is", "apposed", "spoken"))
    if match["set"]:
        sign = match["sign"] or ""
        is_positive = "+" in sign or ">" in sign
        return "N" if match["set"] == "Z" and is_positive else match["set"]
    if "natural" in kind or "whole" in kind:
        return "N"
    if "integ" in kind:
        return "N" if "positive" in kind else "Z"
    return "R"
