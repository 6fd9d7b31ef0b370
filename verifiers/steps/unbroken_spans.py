"""What no step is cut in: closed code fences, formulas and LaTeX environments of a text."""

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


def kept_whole(text: str, low: int, high: int) -> Iterator[tuple[int, int]]:
    """Yield the spans that no step is cut in, in order. Linear: what has no end is looked for once."""
    endless: dict[str, int] = {}
    place = low
    while (opener := _OPENERS.search(text, place, high)) is not None:
        kind = str(opener.lastgroup)
        closer = _closer(opener, kind)
        line_end = text.find("\n", opener.end(), high) if kind == "dollar" else -1
        limit = line_end if line_end >= 0 else high
        place = opener.end()
        if place < endless.get(closer, low):
            continue
        if (end := _end_of(text, place, kind, closer, limit)) < 0:
            endless[closer] = limit
        else:
            yield opener.start(), end
            place = end


def _closer(opener: re.Match[str], kind: str) -> str:
    """Return what ends it; what has no end is remembered under this."""
    if kind == "environment":
        return f"\\end{{{opener['environment']}}}"
    if kind == "fence":
        return opener["fence"]
    return {"dollars": "$$", "display": "\\]", "inline": "\\)", "dollar": "$"}[kind]


def _end_of(text: str, place: int, kind: str, closer: str, limit: int) -> int:
    if kind == "dollar":
        found = _DOLLAR_END.search(text, place + 1, limit)
        return found.end() if found else -1
    if kind == "fence":  # as long a run of the same mark, alone in its line
        ends = _FENCE_ENDS[closer[0]].finditer(text, place, limit)
        return next((end.end() for end in ends if len(end[1]) >= len(closer)), -1)
    at = text.find(closer, place, limit)
    return at + len(closer) if at >= 0 else -1
