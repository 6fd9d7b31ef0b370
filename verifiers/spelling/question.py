r"""What a problem's text says about its answer: the options of a choice, the quantity asked for."""

import re
from collections.abc import Iterator
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
    r"|terms of|finde|trouver|calcule[rz]?)\b"
    r"(?:(?!\b(?:derivatives?|integral|inverse|limit|such that|so that|if|when|where|given|roots?"
    r"|solutions?)\b)[^.?!\n])"
    r"{0,80}$",
    re.IGNORECASE,
)
_ASKED_CHARS, _ASKED_TIMES = 10_000, 20
"""At most so many characters of a question, and so many places in it, are searched for what it asks for."""


def asks_for(question: str, name: str) -> bool:
    """Return whether a question asks for the value of something: `find m + n` asks for `m+n`."""
    if not name or not question:
        return False
    plain, wanted = _plain(question[-_ASKED_CHARS:]), _plain(name)
    return any(
        after not in ("=", "<", ">") and _ASKS.search(before) and not before[-1:].isalnum()
        for before, after in _places(plain, wanted)
    )


_ASKS_FOR_WRONG = re.compile(r"\b(?:NOT|EXCEPT|incorrect|false|untrue|wrong)\b|错误|不正确|不属于|不是|不能")


def asks_for_wrong(question: str) -> bool:
    """Return whether a question asks for the option that does not hold: `Which of these is NOT prime?`."""
    return _ASKS_FOR_WRONG.search(question) is not None


_GIVES_TASK = re.compile(
    r"\b(?:simplify|solve(?: for [a-z]+:?| the \w+)?|factor(?:i[sz]e)?|expand|evaluate|reduce|rewrite"
    r"|exact value of"
    r"|rationali[sz]e)(?: (?:the )?(?:expression|fraction|equation|inequality|value of))?[\s:]*$",
    re.IGNORECASE,
)


def gives_as_task(question: str, formula: str) -> bool:
    """Return whether a question sets a formula as the task, `simplify 6/8`, so that it is not its answer.

    A single number, variable or word is never such a formula.
    """
    if not _OPERATOR.search(formula):
        return False
    plain, given = (re.sub(r"[() ]+", " ", _plain(text)) for text in (question[-_ASKED_CHARS:], formula))
    return any(
        _GIVES_TASK.search(before) and not re.match(r"[\w^*/+=<>-]", after)
        for before, after in _places(plain, given.strip())
    )


_OPERATOR = re.compile(r"[-+*/^=<>|]|\\[a-z]|[a-z] ?[a-z]")


def _places(text: str, wanted: str) -> Iterator[tuple[str, str]]:
    """Yield what stands before and after the places where a text contains another one."""
    at = text.find(wanted)
    for _ in range(_ASKED_TIMES):
        if at < 0:
            break
        yield text[max(at - 120, 0) : at], text[at + len(wanted) : at + len(wanted) + 1]
        at = text.find(wanted, at + 1)


def _plain(text: str) -> str:
    """Return a text in which formulas are written without spaces, dollar signs and braces."""
    text = re.sub(r"\\[,;!: ]|[${}]|\\(?:left|right)\b|\\[()\[\]]", "", text)
    return re.sub(r"\s*([-+*/=<>^()|_])\s*", r"\1", " ".join(text.split()))
