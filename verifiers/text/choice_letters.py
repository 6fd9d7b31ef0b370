r"""Tier 1, choices: `B`, `(b)`, `**B**`, `B) Paris`, `Option B`, and several of them, `A, C`."""

import re
from functools import lru_cache

from ..verdict import Judge, Reason, Verdict, said
from .exact_number import DivisionByZero, read_number
from .lexicon import words_of

_LETTER = "[A-Ja-j]"
_OPERATOR = "cdot|times|div|pm|mp|in|le|ge|ne|cup|cap|to|equiv|approx|setminus"
_CHOICE = re.compile(
    rf"(?:(?:[Tt]he )?(?:[Cc]orrect |[Rr]ight )?(?:[Aa]nswer|[Oo]ption|[Cc]hoice)(?: is)?:? ?)?"
    rf"(?:\(({_LETTER})\)[.:]?|\[({_LETTER})\]|({_LETTER})(?:\.\)|[).:])?)"
    rf"(?:$|(?<=[)\].:]) (?=[\w$\\])(?!\\(?:{_OPERATOR})(?![A-Za-z]))(.*)| - (?=[A-Za-z]{{2}})(.*))",
    re.DOTALL,
)


@lru_cache(maxsize=4096)
def read_choice(text: str) -> tuple[str, str] | None:
    """Return (letter, text behind it) of `B`, `(b)`, `B) Paris`, `Option B`; None if it is none.

    Letters go up to `J`; a bare `e` or `i` is none, being a number too.
    """
    match = _CHOICE.fullmatch(text)
    if match is None or text in ("e", "i"):
        return None
    letter = next(group for group in match.groups()[:3] if group)
    return letter.upper(), (match[4] or match[5] or "").strip()


_OTHER = re.compile(r"\(([A-Za-z])\)|\b(?:and|or|not|option|choice) \(?([A-Z])\b")
_LETTERS_ONLY = re.compile(r"(?:[^\w]|\b(?:and|or|no|not|nor|option|choice|also|both)\b|\b[^\W\d_]\b)+")


def other_letters(text: str, letter: str) -> bool:
    """Whether the text behind a choice names another letter: `(B) and (C)`, `B) c`."""
    named = [one or two for one, two in _OTHER.findall(text)]
    if _LETTERS_ONLY.fullmatch(text):
        named += re.findall(r"\b[^\W\d_]\b", text)
    return any(found.upper() != letter for found in named)


_MANY = re.compile(r"\(?[A-H]\)?(?:(?:,? ?and |, ?|; ?| )?\(?[A-H]\)?)+")


def _many(text: str) -> tuple[str, bool] | None:
    """Return the letters of `A, C`, `A and C`, `(A)(C)`, `AC`, and whether they stand apart."""
    if not _MANY.fullmatch(text):
        return None
    letters = re.findall("[A-H]", text)
    apart = not text.isalpha()
    if len(set(letters)) < len(letters) or not (apart or letters == sorted(letters)):
        return None
    return "".join(sorted(letters)), apart


def compare(reference: str, answer: str, judge: Judge) -> Verdict | None:
    """Compare where both sides, or one with its option's text, are choices; else None."""
    many, others = _many(reference), _many(answer)
    if many is not None and others is not None and (many[1] or others[1]):
        return said(many[0] == others[0])
    target, given = read_choice(reference), read_choice(answer)
    if target is None or given is None:
        return _option_alone(reference, answer, target, given, judge)
    if target[0] != given[0]:
        return said(False)
    if target[1] == given[1]:
        return said(True)
    if other_letters(given[1], given[0]):
        return Verdict(False, Reason.AMBIGUOUS)
    if target[1] and given[1] and not _same_option(target[1], given[1], judge):
        return Verdict(False, Reason.CONTRADICTS)
    return said(True)


def _option_alone(
    reference: str, answer: str, target: tuple[str, str] | None, given: tuple[str, str] | None, judge: Judge
) -> Verdict | None:
    """Compare `B) Paris` with `Paris`; one label is taken off, no more."""
    if target is not None and target[1] and _is_option(target[1]):
        return judge(target[1], answer)
    if given is not None and given[1] and _is_option(given[1]):
        return judge(reference, given[1])
    return None


def _is_option(text: str) -> bool:
    return read_choice(text) is None


def _same_option(one: str, two: str, judge: Judge) -> bool:
    """Whether two texts behind one letter may be the same option's: a paraphrase may be longer."""
    try:
        numbers = read_number(one) is not None or read_number(two) is not None
    except DivisionByZero:
        numbers = True
    if numbers or re.search(r"[\d\\^=+*/<>]", one + two):
        return judge(one, two).correct is True
    first, second = words_of(one), words_of(two)
    return first <= second or second <= first
