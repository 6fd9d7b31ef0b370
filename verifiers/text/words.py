r"""Tier 1: text. Names, yes and no, number words.

Texts are equal if they are spelt alike but for case, articles and punctuation, or say the same
thing of a short list (`no solution`, `\emptyset`). Other texts differ: nothing here guesses.
"""

import re

from ..verdict import Judge, Verdict, said
from . import choice_letters as choices
from .latex_names import CONSTANTS, FUNCTIONS, GREEK
from .lexicon import ALTERNATIVES, DENIALS, HEDGES, RETRACTIONS, words_of
from .number_words import spelt_number, without_restatement

_MEANINGS = [
    {"no solution", "no solutions", "no real solution", "no real solutions", r"\emptyset", "empty set",
     "none", "null set", "there are no solutions", "there is no solution", "no such values exist",
     "no real roots", "no values", "no value", "{}", "no integer solutions", "impossible", "not possible",
     "it is impossible", "cannot be done", "solution set is empty"},
    {"does not exist", "dne", "doesn't exist", "undefined", "not defined", "limit does not exist",
     "nonexistent"},
    {"infinitely many", "infinite", "infinitely many solutions", "infinite solutions",
     "infinite number of solutions", "infinite number", "infinitely many values"},
    {"all real numbers", r"\mathbb{r}", r"(-\infty, \infty)", r"(-\infty,\infty)", "all reals", "all real",
     "reals", "any real number", "every real number", "all real values", r"x in \mathbb{r}", "real numbers"},
    {"all integers", "integers", "every integer", "any integer", r"\mathbb{z}"},
    {"all positive integers", "positive integers", "every positive integer", r"\mathbb{z}^+",
     r"\mathbb{z}^{+}", r"\mathbb{z}_{>0}"},
    {"yes", "true", "correct", "not false"},
    {"no", "false", "incorrect", "not true"},
    {"cannot be determined", "not enough information", "can not be determined", "insufficient information",
     "cannot determine", "it cannot be determined"},
]  # fmt: skip
_MEANING = {text: i for i, texts in enumerate(_MEANINGS) for text in texts}
TRUTHS = (_MEANING["yes"], _MEANING["no"])
_REALS = _MEANING["reals"]
"""Also a region, which other tiers read."""


def meaning(text: str) -> int | None:
    """Return which of a short list of meanings a text has (`no solution`, `yes`)."""
    plain = " ".join(text.casefold().split()).strip(" .!").removeprefix("the ")
    return _MEANING.get(plain)


_TRUTH = re.compile(
    r"(?P<truth>yes|no|true|false)(?:[,.;:!](?! ?\d)| -|$)(?P<rest>.*)", re.IGNORECASE | re.DOTALL
)
_REASON = re.compile(r"\b(?:because|since|as)\b")
_ASSERTED = re.compile(
    r"\W*(?:it|they|that|this|there|he|she|we) (?:is|are|does|do|can|was|were|has|have)\b(?!n't| not)"
)
_SWAYING = DENIALS | HEDGES | RETRACTIONS | ALTERNATIVES | {"except"}
_AFFIRMED = frozenset({"yes", "true", "correct", "indeed"})


def truth_of(text: str) -> re.Match[str] | None:
    """Match a text that starts with yes or no: `Yes, because 7 is prime`."""
    return _TRUTH.match(text)


def _same_truth(meant: int, match: "re.Match[str]") -> bool:
    """Whether a text that starts with yes or no says `meant`, and what it adds does not take that back."""
    added = _REASON.split(match["rest"].lower())[0]
    words = words_of(added)
    if meant == _MEANING["yes"]:
        swaying = bool(words & _SWAYING)
    else:  # `no, it is not` says it again
        swaying = bool((words & _SWAYING) - {"not", "no"} or words & _AFFIRMED or _ASSERTED.match(added))
    return meant == meaning(match["truth"]) and not swaying


def folded(text: str) -> str:
    """Return a text without case, articles, the endings of ordinals, and punctuation but a number's."""
    text = re.sub(
        r"\b(?:the|a|an) (?=\w)|^(?:it|they|on|in|at) (?=\w)", "", text.casefold().replace("\\", " \\")
    )
    text = re.sub(r"(?<=\d)(?:st|nd|rd|th)\b", "", text)
    text = re.sub(r"(?<!\d)[.,;:!?](?!\d)|['\"`*]", "", text)
    return " ".join(re.sub(r"(?<=[a-z])[-_ ]+(?=[a-z])", " ", text).split())


_PLAIN_TEXT = re.compile(r"[^\W\d_]+(?:[ .'’&/-]+[^\W\d_]+)*[.!?']?")
_LISTED = re.compile(r"(?<![A-Za-z])(?:and|or)(?![A-Za-z])")
_RUN = re.compile(r"[^\W\d_]+")
_NAMES = frozenset([*FUNCTIONS, *CONSTANTS, *GREEK, "sqrt", "noon", "midnight"])
_RUN_OF_FUNCTIONS = re.compile(r"(?:[a-z]{0,2}(?:sin|cos|tan|sec|csc|cot|ln|log)[a-z]{1,2})+")


def is_text(text: str) -> bool:
    """Whether a normalised answer is words only: no digits, no operators, no formula in letters.

    `xy`, `PV`, `ad-bc`, `mg/k`, `sin x` and `sinxcosx` are formulas; `dog`, `ABC` and `x-axis` are words.
    """
    if not _PLAIN_TEXT.fullmatch(text) or _LISTED.search(text):
        return False
    return meaning(text) is not None or any(map(_is_word, _RUN.findall(text)))


def _is_word(run: str) -> bool:
    if run.lower() in _NAMES or _RUN_OF_FUNCTIONS.fullmatch(run):
        return False
    return len(run) > 3 or (len(run) == 3 and (run.isupper() or re.search("[aeiou]", run) is not None))


def _worded(text: str) -> bool:
    """Whether a text has a word in it whose case says nothing: `June 20`, not `5 MPa` or `sin X`."""
    words = [run for run in _RUN.findall(text) if len(run) > 2]
    plain = all(run.islower() or run.istitle() or run.isupper() for run in words)
    return plain and not re.search(r"[\\^_=*+/<>]", text) and any(run.lower() not in _NAMES for run in words)


def compare(reference: str, answer: str, judge: Judge) -> Verdict | None:
    """Compare what is text on at least one side; None for formulas and numbers."""
    if reference == answer or closed_up(reference) == closed_up(answer):
        return said(True)
    if (choice := choices.compare(reference, answer, judge)) is not None:
        return choice
    if (plain := without_restatement(answer)) != answer:
        return judge(reference, plain)
    spelt, given = spelt_number(reference), spelt_number(answer)
    if spelt is not None or given is not None:
        one = " ".join(filter(None, spelt)) if spelt else reference
        two = " ".join(filter(None, given)) if given else answer
        if re.match(r"[-\d\\$(]", one) and re.match(r"[-\d\\$(]", two) and (one, two) != (reference, answer):
            return judge(one, two)
    alike = same_text(reference, answer)
    return None if alike is None else said(alike)


_IDLE_SPACE = re.compile(r"(?<=\d) +(?=[A-Za-z])|(?<=[^A-Za-z0-9,]) +| +(?![A-Za-z0-9])|(?<=,) +(?!\d)")


def closed_up(text: str) -> str:
    """Return a text without the spaces that part nothing: `1 2`, `1, 234` and `m s` keep theirs."""
    return _IDLE_SPACE.sub("", text) if " " in text else text


def same_text(reference: str, answer: str) -> bool | None:
    """Compare two texts; None where neither side is words."""
    if reference == answer:
        return True
    meant, given = meaning(reference), meaning(answer)
    if meant in TRUTHS and given is None and (truth := truth_of(answer)) is not None:
        return _same_truth(meant, truth)
    one_has = meant is not None or given is not None
    if one_has and (meant == given or not {meant, given} <= {None, _REALS} or is_text(answer)):
        return meant == given
    if _worded(reference) and folded(reference) == folded(answer):
        return True
    if is_text(reference):
        return False if is_text(answer) or not _LISTED.search(answer) else None
    return False if is_text(answer) else None
