"""Finding the spans that no step boundary may cut: closed code fences, formulas and LaTeX environments."""

import re
from collections.abc import Iterator

_OPENERS = re.compile(
    r"(?:^|(?<=>))[ \t]{0,3}(?P<fence>`{3,}|~{3,})|(?P<dollars>\$\$)|(?<!\\)(?P<display>\\\[)"
    r"|(?<!\\)(?P<inline>\\\()|\\begin\{(?P<environment>[A-Za-z]{1,30}\*?)\}"
    r"|(?P<dollar>(?<![\\$])\$(?=[^\s$\d]))",
    re.MULTILINE,
)
_FENCE_ENDS = {mark: re.compile(rf"^[ \t]{{0,3}}({mark}{{3,}})[ \t]*$", re.MULTILINE) for mark in ("`", "~")}
_DOLLAR_END = re.compile(r"(?<=\S)(?<!\\)\$(?!\d)")
_CLOSERS = {"dollars": "$$", "display": "\\]", "inline": "\\)", "dollar": "$"}


def unbroken_spans(text: str, low: int, high: int) -> Iterator[tuple[int, int]]:
    """Yield the spans (start, end) between `low` and `high` that stay in one piece, in order.

    An opener that is never closed protects nothing. The search takes linear time: if no closer was found
    before some position, it is not searched for again before that position.
    """
    no_closer_before: dict[str, int] = {}
    position = low
    while (opener := _OPENERS.search(text, position, high)) is not None:
        kind = str(opener.lastgroup)
        closer = _closer(opener, kind)
        # A formula between single dollars must end in its own line: a dollar may also be a currency.
        line_end = text.find("\n", opener.end(), high) if kind == "dollar" else -1
        limit = line_end if line_end >= 0 else high
        position = opener.end()
        if position < no_closer_before.get(closer, low):
            continue
        end = _end(text, position, kind, closer, limit)
        if end < 0:
            no_closer_before[closer] = limit
        else:
            yield opener.start(), end
            position = end


def _closer(opener: re.Match[str], kind: str) -> str:
    """Return the text that closes an opener."""
    if kind == "environment":
        return f"\\end{{{opener['environment']}}}"
    if kind == "fence":
        return opener["fence"]
    return _CLOSERS[kind]


def _end(text: str, begin: int, kind: str, closer: str, limit: int) -> int:
    """Return where the first closer between `begin` and `limit` ends, or -1."""
    if kind == "dollar":
        match = _DOLLAR_END.search(text, begin + 1, limit)
        return match.end() if match else -1
    if kind == "fence":  # closed by at least as many of the same mark, alone in a line
        matches = _FENCE_ENDS[closer[0]].finditer(text, begin, limit)
        return next((match.end() for match in matches if len(match[1]) >= len(closer)), -1)
    at = text.find(closer, begin, limit)
    return at + len(closer) if at >= 0 else -1
