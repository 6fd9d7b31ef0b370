r"""Tier 1: text. Names, yes and no, choice letters, number words.

Texts are equal if they are spelt alike but for case, articles and punctuation, or say the same
thing of a short list (`no solution`, `\emptyset`). Other texts differ: nothing here guesses.
"""

import re
from functools import lru_cache

from .exact_number import DivisionByZero, read_number, same_number
from .expression import CONSTANTS, FUNCTIONS, GREEK
from .number_words import spelt_number
from .verdict import Judge, Reason, Verdict, said

_MEANINGS = [
    {"no solution", "no solutions", "no real solution", "no real solutions", r"\emptyset", "empty set", "none", "null set",
     "there are no solutions", "there is no solution", "no such values exist", "no real roots", "no values", "no value", "{}",
     "no integer solutions", "impossible", "not possible", "it is impossible", "cannot be done", "solution set is empty"},
    {"does not exist", "dne", "doesn't exist", "undefined", "not defined", "limit does not exist", "nonexistent"},
    {"infinitely many", "infinite", "infinitely many solutions", "infinite solutions", "infinite number of solutions",
     "infinite number", "infinitely many values"},
    {"all real numbers", r"\mathbb{r}", r"(-\infty, \infty)", r"(-\infty,\infty)", "all reals", "all real", "reals",
     "any real number", "every real number", "all real values", r"x in \mathbb{r}", "real numbers"},
    {"yes", "true", "correct", "not false"},
    {"no", "false", "incorrect", "not true"},
    {"cannot be determined", "not enough information", "can not be determined", "insufficient information",
     "cannot determine", "it cannot be determined"},
]  # fmt: skip
_MEANING = {text: i for i, texts in enumerate(_MEANINGS) for text in texts}
_TRUTHS = (_MEANING["yes"], _MEANING["no"])
_REALS = _MEANING["reals"]
"""Also a region, which other tiers read."""
_TRUTH = re.compile(r"(yes|no|true|false)(?:[,.;:!]| -|$)", re.IGNORECASE)


def meaning(text: str) -> int | None:
    """Return which of a short list of meanings a text has (`no solution`, `yes`)."""
    plain = " ".join(text.casefold().split()).strip(" .!").removeprefix("the ")
    return _MEANING.get(plain)


def folded(text: str) -> str:
    """Return a text without case, articles, punctuation and the endings of ordinals."""
    text = re.sub(r"\b(?:the|a|an) (?=\w)", "", text.casefold().replace("\\", " \\"))
    text = re.sub(r"(?<=\d)(?:st|nd|rd|th)\b", "", text)
    return " ".join(re.sub(r"[-_ ]+", " ", re.sub(r"[.,;:!?'\"`*]", "", text)).split())


_PLAIN_TEXT = re.compile(r"[^\W\d_]+(?:[ .'’&/-]+[^\W\d_]+)*[.!?']?")
_LISTED = re.compile(r"(?<![A-Za-z])(?:and|or)(?![A-Za-z])")
_RUN = re.compile(r"[^\W\d_]+")
_NAMES = frozenset([*FUNCTIONS, *CONSTANTS, *GREEK, "sqrt", "noon", "midnight"])


def is_text(text: str) -> bool:
    """Whether a normalised answer is words only: no digits, no operators, no formula in letters.

    `xy`, `PV`, `ad-bc`, `mg/k` and `sin x` are formulas; `dog`, `ABC` and `x-axis` are words.
    """
    if not _PLAIN_TEXT.fullmatch(text) or _LISTED.search(text):
        return False
    runs = _RUN.findall(text)
    return meaning(text) is not None or any(
        len(run) > 3 or (len(run) == 3 and (run.isupper() or re.search("[aeiou]", run))) for run in runs if run.lower() not in _NAMES
    )


_LETTER = "[A-Ja-j]"
_OPERATOR = "cdot|times|div|pm|mp|in|le|ge|ne|cup|cap|to|equiv|approx|setminus"
_CHOICE = re.compile(
    rf"(?:(?:[Tt]he )?(?:[Cc]orrect |[Rr]ight )?(?:[Aa]nswer|[Oo]ption|[Cc]hoice)(?: is)?:? ?)?"
    rf"(?:\(({_LETTER})\)[.:]?|\[({_LETTER})\]|({_LETTER})[).:]?)"
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


def _worded(text: str) -> bool:
    """Whether a text has a word in it whose case says nothing: `June 20`, not `5 MPa` or `sin X`."""
    words = [run for run in _RUN.findall(text) if len(run) > 2]
    plain = all(run.islower() or run.istitle() or run.isupper() for run in words)
    return plain and not re.search(r"[\\^_=*+/<>]", text) and any(run.lower() not in _NAMES for run in words)


def other_letters(text: str, letter: str) -> bool:
    """Whether the text behind a choice names another letter: `(B) and (C)`."""
    found = re.findall(r"\(([A-Z])\)|(?<![\w'])([B-HJ-Z])(?![\w'])", text)
    return any((one or two) != letter for one, two in found)


_MANY = re.compile(r"\(?[A-H]\)?(?:(?:,? ?and |, ?|; ?| )?\(?[A-H]\)?)+")


def _many_choices(text: str) -> tuple[str, bool] | None:
    """Return the letters of `A, C`, `A and C`, `(A)(C)`, `AC`, and whether they stand apart."""
    if not _MANY.fullmatch(text):
        return None
    letters = re.findall("[A-H]", text)
    return ("".join(sorted(letters)), not text.isalpha()) if len(set(letters)) == len(letters) else None


def compare(reference: str, answer: str, judge: Judge) -> Verdict | None:
    """Compare what is text on at least one side; None for formulas and numbers."""
    if reference == answer or (reference.replace(" ", "") == answer.replace(" ", "") != "" and not _digits_meet(reference, answer)):
        return said(True)
    if (choice := _compare_choices(reference, answer, judge)) is not None:
        return choice
    spelt, given = spelt_number(reference), spelt_number(answer)
    if spelt is not None or given is not None:
        one = " ".join(filter(None, spelt)) if spelt else reference
        two = " ".join(filter(None, given)) if given else answer
        if re.match(r"[-\d\\$(]", one) and re.match(r"[-\d\\$(]", two) and (one, two) != (reference, answer):
            return judge(one, two)
    alike = same_text(reference, answer)
    return None if alike is None else said(alike)


def _digits_meet(reference: str, answer: str) -> bool:
    """Whether taking the spaces out would join numbers or words: `1 2` is not `12`."""
    return any(re.search(r"\d +\d|[A-Za-z]{2} +[A-Za-z]{2}", text) is not None for text in (reference, answer))


def _compare_choices(reference: str, answer: str, judge: Judge) -> Verdict | None:
    many, others = _many_choices(reference), _many_choices(answer)
    if many is not None and others is not None and (many[1] or others[1]):
        return said(many[0] == others[0])
    target, given = read_choice(reference), read_choice(answer)
    if target is None or given is None:
        labelled, other = (target, answer) if given is None else (given, reference)
        if labelled is None or not labelled[1]:
            return None
        return judge(labelled[1], other) if given is None else judge(other, labelled[1])
    if not target[1] and other_letters(given[1], given[0]):
        return Verdict(False, Reason.AMBIGUOUS)
    if target[0] != given[0]:
        return said(False)
    try:
        one, two = read_number(target[1]), read_number(given[1])
    except DivisionByZero:
        one = two = None
    if one is not None and two is not None and not same_number(one, two):
        return Verdict(False, Reason.CONTRADICTS)
    return said(True)


def same_text(reference: str, answer: str) -> bool | None:
    """Compare two texts; None where neither side is words."""
    if reference == answer:
        return True
    meant, given = meaning(reference), meaning(answer)
    if meant in _TRUTHS and given is None and (truth := _TRUTH.match(answer)) is not None:
        rest = set(re.findall(r"[a-z]+", answer[truth.end() :].lower()))
        return meant == meaning(truth[1]) and not rest & {"yes", "no", "not", "true", "false", "but", "or"}
    if meant is not None or given is not None:
        if meant == given or not {meant, given} <= {None, _REALS} or is_text(answer):
            return meant == given
    if _worded(reference) and folded(reference) == folded(answer):
        return True
    if is_text(reference):
        return False if is_text(answer) or not _LISTED.search(answer) else None
    return False if is_text(answer) else None
