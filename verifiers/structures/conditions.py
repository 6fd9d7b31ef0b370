r"""Tier 3, conditions: `2\pi k, k \in \mathbb{Z}` and `2x if x > 0`.

A letter that runs through a domain may be another one; the domain counts. Other conditions that
only one side has make the answers differ.
"""

import re
from typing import NamedTuple

from ..text.latex_names import REAL_LINE
from .outline import split_at

_CLAUSE = re.compile(
    r",? ?(?<![A-Za-z])(?:where|for(?: some| all| any| every)?|if|when|with|given|such that|unless"
    r"|otherwise|only if)(?![A-Za-z]) ?"
)


_IDLE = re.compile(rf",? ?for (?:all|every|any) (?:real )?[a-z](?: ?\\in ?{REAL_LINE})?$")


def without_idle_clause(text: str) -> str:
    """Take off `for all x`, which says nothing more."""
    return _IDLE.sub("", text)


def without_clause(text: str) -> tuple[str, str]:
    r"""Split `2x if x > 0` into what is said and the condition."""
    parts, _ = split_at(text, _CLAUSE)
    return (parts[0], " ".join(parts[1:])) if len(parts) > 1 and parts[0] else (text, "")


class Parameter(NamedTuple):
    """A letter that runs through a domain: `Z`, `N`, `Q` or `R`."""

    letter: str
    domain: str

    @property
    def is_customary(self) -> bool:
        """Whether a reader supposes as much where nothing is said: k is an integer, x a real number."""
        letters = {"Z": "jklmnpqrst", "N": "n", "R": "", "Q": ""}[self.domain]
        return self.domain == "R" or self.letter in letters


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
    r"""Split `2\pi k, k \in \mathbb{Z}` into the formula and the letter that runs."""
    match = _PARAMETER.search(text)
    if match is None or not match.start():
        return text, None
    letter = match["letter"] or match["named"]
    main = text[: match.start()].rstrip(" ,;")
    if not re.search(rf"(?<![A-Za-z\\]){letter}(?![A-Za-z])|\d{letter}", main):
        return text, None
    return main, Parameter(letter, _domain(match))


def _domain(match: re.Match[str]) -> str:
    kind = " ".join(match[name] or "" for name in ("before", "is", "apposed", "spoken"))
    if match["set"]:
        positive = "+" in (match["sign"] or "") or ">" in (match["sign"] or "")
        return "N" if match["set"] == "Z" and positive else match["set"]
    if "integ" in kind or "natural" in kind or "whole" in kind:
        return "N" if "positive" in kind or "natural" in kind or "whole" in kind else "Z"
    return "R"
