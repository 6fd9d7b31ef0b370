r"""Conditions after an answer: `2\pi k, k \in \mathbb{Z}` and `2x if x > 0`.

A letter that runs through a domain may be replaced by another one, but the domains must agree. If only one
side has any other condition, the answers differ.
"""

import re
from typing import NamedTuple

from ..text.latex_names import IN_REAL_LINE
from .outline import split_at

_CLAUSE = re.compile(
    r",? ?(?<![A-Za-z])(?:where|for(?: some| all| any| every)?|if|when|with|given|such that|unless"
    r"|otherwise|only if)(?![A-Za-z]) ?"
)
_FOR_ALL = re.compile(rf",? ?for (?:all|every|any) (?:real )?[a-z](?:{IN_REAL_LINE})?$")


def without_idle_clause(text: str) -> str:
    """Return a text without `for all x` at its end, which adds no condition."""
    return _FOR_ALL.sub("", text)


def without_clause(text: str) -> tuple[str, str]:
    """Split a text from its condition, `2x if x > 0` into `2x` and `x > 0`; the condition may be empty."""
    parts, _ = split_at(text, _CLAUSE)
    if len(parts) < 2 or not parts[0]:
        return text, ""
    return parts[0], " ".join(parts[1:])


class Parameter(NamedTuple):
    r"""A letter that runs through a domain, as k does in `2\pi k, k \in \mathbb{Z}`."""

    letter: str
    domain: str
    """`Z`, `N`, `Q` or `R`."""

    @property
    def is_customary(self) -> bool:
        """Whether a reader assumes this domain if none is given: k is an integer, x a real number."""
        if self.domain == "R":
            return True
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
    rf"|[,;]? ?for (?:all |any |every |some )?{_KIND.format('spoken')} (?:of )?(?P<named>[A-Za-z])$"
)


def without_parameter(text: str) -> tuple[str, Parameter | None]:
    r"""Split `2\pi k, k \in \mathbb{Z}` into the formula and its running letter; None if it has none.

    >>> without_parameter(r"2\pi k, k \in \mathbb{Z}")
    ('2\\pi k', Parameter(letter='k', domain='Z'))
    """
    match = _PARAMETER.search(text)
    if match is None or not match.start():
        return text, None
    letter = match["letter"] or match["named"]
    main = text[: match.start()].rstrip(" ,;")
    if not re.search(rf"(?<![A-Za-z\\]){letter}(?![A-Za-z])|\d{letter}", main):
        return text, None  # the formula does not have the letter
    return main, Parameter(letter, _domain(match))


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
