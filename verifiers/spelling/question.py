r"""What a problem's text says about its answer: the options of a choice, the quantity asked for."""

import re
from functools import lru_cache

_OPTION = re.compile(
    r"(?:^|(?<=[\s,;:?.!)}$]))(?:\\(?:textbf|text|mathbf|mathrm|bf)\s?\{\s?)?[(（]?(?P<letter>[A-J])[)）.:、．](?:\s?\})?(?=[\s\\$~]|[^\W\d_A-Za-z]|\S)"
)
_END_OF_OPTION = re.compile(r"(?:\\q?quad|\\\\|\\ |[\s,;~$&]|\\\]|\\\))+$")


@lru_cache(maxsize=256)
def options_of(question: str) -> dict[str, str]:
    r"""Return the options that a question lists as A, B and so on, by letter; empty if it lists none.

    >>> options_of("Which is prime? (A) 4 (B) 5 (C) 6")
    {'A': '4', 'B': '5', 'C': '6'}
    """
    found = list(_OPTION.finditer(question))
    for first in reversed([i for i, match in enumerate(found) if match["letter"] == "A"]):
        listed = found[first:]
        in_order = [match for i, match in enumerate(listed) if match["letter"] == chr(ord("A") + i)]
        if len(in_order) < 2:
            continue
        ends = [match.start() for match in in_order[1:]] + [len(question)]
        texts = [question[match.end() : end] for match, end in zip(in_order, ends, strict=True)]
        return {
            match["letter"]: _END_OF_OPTION.sub("", text).strip(" \n$")
            for match, text in zip(in_order, texts, strict=True)
        }
    return {}


_ASKS = re.compile(
    r"\b(?:find|value of|what is|what's|compute|calculate|evaluate|determine|simplify|express|give|求|计算"
    r"|terms of|finde|trouver|calcule[rz]?)\b[^.?!\n]{0,80}$",
    re.IGNORECASE,
)


def asks_for(question: str, name: str) -> bool:
    """Return whether a question asks for the value of something: `find m + n` asks for `m+n`."""
    if not name or not question:
        return False
    plain, wanted = _plain(question), _plain(name)
    at = plain.find(wanted)
    while at >= 0:
        before, after = plain[:at], plain[at + len(wanted) : at + len(wanted) + 1]
        if after not in ("=", "<", ">") and _ASKS.search(before) and not before[-1:].isalnum():
            return True
        at = plain.find(wanted, at + 1)
    return False


def _plain(text: str) -> str:
    """Return a text in which formulas are written without spaces, dollar signs and braces."""
    text = re.sub(r"\\[,;!: ]|[${}]|\\(?:left|right)\b|\\[()\[\]]", "", text)
    return re.sub(r"\s*([-+*/=<>^()|_])\s*", r"\1", " ".join(text.split()))
