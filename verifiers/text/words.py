r"""The `words` tier: equal texts, names, yes and no, number words, and choice letters.

Two texts are equal if they are spelt alike except for case, articles and punctuation, or if both have the
same meaning in a short list (`no solution` and `\emptyset`). All other pairs of words differ: other synonyms
are not recognised.
"""

import re

from ..policy import Judge
from ..spelling.latex_names import CONSTANTS, FUNCTIONS, GREEK
from ..spelling.lexicon import ALTERNATIVES, DENIALS, HEDGES, RETRACTIONS, words_of
from ..verdict import Verdict, equal_or_different
from . import choice_letters as choices
from .number_words import spelt_number, without_restatement

_MEANINGS = [
    {"no solution", "no solutions", "no real solution", "no real solutions", r"\emptyset", "empty set",
     "none", "null set", "there are no solutions", "there is no solution", "no such values exist",
     "no real roots", "no values", "no value", "{}", "no integer solutions", "impossible", "not possible",
     "it is impossible", "cannot be done", "solution set is empty"},
    {"does not exist", "dne", "doesn't exist", "undefined", "not defined", "limit does not exist",
     "nonexistent"},
    {"infinitely many", "infinite", "infinitely many solutions", "infinite solutions",
     "infinite number of solutions", "infinite number", "an infinite number", "infinitely many values"},
    {"diverges", "divergent", "does not converge", "not convergent", "divergence"},
    {"converges", "convergent", "does not diverge", "not divergent", "convergence"},
    {"all real numbers", r"\mathbb{r}", r"(-\infty, \infty)", r"(-\infty,\infty)", "all reals", "all real",
     "reals", "any real number", "every real number", "all real values", r"x in \mathbb{r}", "real numbers"},
    {"all integers", "integers", "every integer", "any integer", r"\mathbb{z}"},
    {"all positive integers", "positive integers", "every positive integer", r"\mathbb{z}^+",
     r"\mathbb{z}^{+}", r"\mathbb{z}_{>0}"},
    {"all positive real numbers", "positive real numbers", "all positive reals", "positive reals",
     r"(0, \infty)", r"(0,\infty)", r"\mathbb{r}^+", r"\mathbb{r}^{+}"},
    {"yes", "true", "correct", "not false"},
    {"no", "false", "incorrect", "not true"},
    {"cannot be determined", "not enough information", "can not be determined", "insufficient information",
     "cannot determine", "it cannot be determined"},
]  # fmt: skip
_MEANING = {text: i for i, texts in enumerate(_MEANINGS) for text in texts}
TRUTHS = (_MEANING["yes"], _MEANING["no"])
"""The meanings of yes and of no."""
_REALS = _MEANING["reals"]
"""The `structure` tier can read this meaning too, as an interval."""


def meaning(text: str) -> int | None:
    """Return the index in `_MEANINGS` of a text's meaning (`no solution`, `yes`); None if it has none there.

    >>> meaning("No real solutions.") == meaning("none"), meaning("seven")
    (True, None)
    """
    plain = " ".join(text.casefold().split()).strip(" .!").removeprefix("the ")
    found = _MEANING.get(plain)
    return _MEANING.get(_SUBJECT.sub("", plain)) if found is None and " " in plain else found


_SUBJECT = re.compile(
    r"^(?:this |it |given )*"
    r"(?:(?:system|equation|inequality|problem|series|integral|sequence|limit"
    r"|sum)(?: of (?:linear )?equations)? )?"
    r"(?:has |is (?=div|conv|undef|not ))?"
)
"""Matches what a sentence such as `the system has no solutions` is about."""
_TRUTH = re.compile(
    r"(?P<truth>yes|no|true|false)(?:[,.;:!](?! ?\d)| -|$)(?P<rest>.*)", re.IGNORECASE | re.DOTALL
)
_REASON = re.compile(r"\b(?:because|since|as)\b")
_ASSERTED = re.compile(
    r"\W*(?:it|they|that|this|there|he|she|we) (?:is|are|does|do|can|was|were|has|have)\b(?!n't| not)"
)
_SWAYING = DENIALS | HEDGES | RETRACTIONS | ALTERNATIVES | {"except"}
_CONDITIONS = frozenset({"only", "if", "sometimes", "partially", "partly", "provided"})
_AFFIRMED = frozenset({"yes", "true", "correct", "indeed"})


def truth_of(text: str) -> re.Match[str] | None:
    """Match a text that starts with yes or no (or true or false): `Yes, because 7 is prime`."""
    return _TRUTH.match(text)


def _same_truth(expected: int, match: re.Match[str]) -> bool:
    """Return whether a text starts with the expected yes or no and does not take it back afterwards.

    Reasons (`because ...`) may say anything.
    """
    added = _REASON.split(match["rest"].lower())[0]
    words = words_of(added)
    if expected == _MEANING["yes"]:
        taken_back = bool(words & (_SWAYING | _CONDITIONS))
    else:  # `no, it is not` confirms the no; `no, it is` does not
        denied = (words & (_SWAYING | _CONDITIONS)) - {"not", "no"}
        taken_back = bool(denied or words & _AFFIRMED or _ASSERTED.match(added))
    return expected == meaning(match["truth"]) and not taken_back


def folded(text: str) -> str:
    """Return a text in lower case, without articles, endings of ordinals, and punctuation outside numbers.

    A date has its month first, however it was written.

    >>> folded("The 3rd of June, at noon.")
    'june 3 at noon'
    """
    text = re.sub(
        r"\b(?:the|a|an) (?=\w)|^(?:it|they|on|in|at) (?=\w)", "", text.casefold().replace("\\", " \\")
    )
    text = re.sub(r"(?<=\d)(?:st|nd|rd|th)\b|而(?=不)", "", text)
    text = re.sub(r"(?<!\d)[.,;:!?](?!\d)|['\"`*]", "", text)
    text = " ".join(re.sub(r"(?<=[a-z])[-_ ]+(?=[a-z])", " ", text).split())
    return _DAY_AND_MONTH.sub(r"\2 \1", text) if " " in text else text


_DAY_AND_MONTH = re.compile(
    r"\b(\d{1,2}) (?:of )?(january|february|march|april|may|june|july|august|september|october|november"
    r"|december)\b"
)
_PLAIN_TEXT = re.compile(r"[^\W\d_]+(?:[ .'’&/-]+[^\W\d_]+)*[.!?']?")
_LISTED = re.compile(r"(?<![A-Za-z])(?:and|or)(?![A-Za-z])")
_RUN = re.compile(r"[^\W\d_]+")
_NAMES = frozenset([*FUNCTIONS, *CONSTANTS, *GREEK, "sqrt", "noon", "midnight"])
_RUN_OF_FUNCTIONS = re.compile(r"(?:[a-z]{0,2}(?:sin|cos|tan|sec|csc|cot|ln|log)[a-z]{1,2})+")


def is_text(text: str) -> bool:
    """Return whether a normalised answer is words only: no digits, no operators, no formula in letters.

    `xy`, `PV`, `ad-bc`, `mg/k`, `sin x` and `sinxcosx` are formulas; `dog`, `ABC` and `x-axis` are words.
    """
    if not _PLAIN_TEXT.fullmatch(text) or _LISTED.search(text):
        return False
    return meaning(text) is not None or any(map(_is_word, _RUN.findall(text)))


def _is_word(letters: str) -> bool:
    """Return whether a run of letters is a word, and not a product of variables or a function."""
    if not letters.isascii():
        return True
    if letters.lower() in _NAMES or (len(letters) <= 30 and _RUN_OF_FUNCTIONS.fullmatch(letters)):
        return False
    if len(letters) == 3:
        return letters.isupper() or re.search("[aeiou]", letters) is not None
    return len(letters) > 3


def _has_words(text: str) -> bool:
    """Return whether a text has words, so that its case does not count: `June 20`, not `5 MPa` or `sin X`."""
    words = [run for run in _RUN.findall(text) if len(run) > 2]
    if not words:
        return False
    if not all(run.islower() or run.istitle() or run.isupper() or not run.isascii() for run in words):
        return False  # `MPa`
    return not re.search(r"[\\^_=*+/<>]", text) and any(run.lower() not in _NAMES for run in words)


_SPACED_LETTERS = re.compile(r"[A-Za-z](?:(?: | ?\\cdot ?|\*)[A-Za-z])+")


def _is_product_of_letters(one: str, two: str) -> bool:
    """Return whether a text is a product of single letters, `B I L`, and the other has the same ones."""
    if not _SPACED_LETTERS.fullmatch(one):
        return False
    return sorted(re.sub(r"\\cdot|[ *]", "", one)) == sorted(re.sub(r"\\cdot|[ *]", "", two))


_VALUE_START = re.compile(r"[-\d\\$(]")


def compare(reference: str, answer: str, judge: Judge) -> Verdict | None:
    """Compare two texts if at least one is words or a choice, or both are the same; else return None."""
    if reference == answer or closed_up(reference) == closed_up(answer):
        return equal_or_different(True)
    choice = choices.compare(reference, answer, judge)
    if choice is not None:
        return choice
    if answer[answer.rfind(" ") + 1 :].rstrip(")") in _DIRECTIONS:
        directed = _without_direction(reference, answer)
        if directed != (reference, answer):
            return judge(*directed)
    plain = without_restatement(answer)
    if plain == answer and answer[-1:] == ")":
        plain = _without_aside(reference, answer, judge)
    if plain != answer:
        return judge(reference, plain)
    spelt, given = spelt_number(reference), spelt_number(answer)
    if spelt is not None or given is not None:
        one = reference if spelt is None else " ".join(spelt).rstrip()
        two = answer if given is None else " ".join(given).rstrip()
        if (one, two) != (reference, answer) and _VALUE_START.match(one) and _VALUE_START.match(two):
            return judge(one, two)
    same = same_text(reference, answer)
    return None if same is None else equal_or_different(same)


_BRACKETED = re.compile(r"(.+) \(([^()]{1,80})\)")
_HARMLESS = re.compile(
    r"(?:as|since|because|rejecting|rounded|correct to|to (?:\d+|one|two|three|the nearest)) .*|in total"
    r"|exactly|each"
)
_DIRECTIONS = frozenset(
    "left right north south east west up down upward upwards downward downwards northward southward"
    " eastward westward".split()
)
_DIRECTION = re.compile(
    r",? \(?(?:(?:(?:directed|pointing|acting) )?(?:to(?:wards?)? the )?(?:left|right)"
    r"|(?:directed |due |to(?:wards?)? the )?(?:north|south|east|west)(?:ward)?s?"
    r"|(?:vertically )?(?:up|down)(?:ward)?s?)\)?$"
)


_DIRECTION_NAME = re.compile("left|right|north|south|east|west|up|down")


def _without_direction(reference: str, answer: str) -> tuple[str, str]:
    """Remove a direction, as in `10 N, to the left`, if only the answer has one or both have the same."""
    direction, wanted = _DIRECTION.search(answer), _DIRECTION.search(reference)
    if direction is None:
        return reference, answer
    if wanted is None:
        return reference, answer[: direction.start()]
    same = _DIRECTION_NAME.findall(direction[0]) == _DIRECTION_NAME.findall(wanted[0])
    return (reference[: wanted.start()], answer[: direction.start()]) if same else (reference, answer)


def _without_aside(reference: str, answer: str, judge: Judge) -> str:
    """Return an answer without a remark in brackets that repeats it or gives a reason: `1/2 (50%)`."""
    match = _BRACKETED.fullmatch(answer)
    if match is None or reference.endswith(")") or not re.search(r"\d", match[1]):
        return answer
    value, remark = match[1], match[2]
    if _HARMLESS.fullmatch(remark) and not words_of(remark) & _SWAYING:
        return value
    repeats = value != remark and re.search(r"\d", remark) and judge(value, remark).correct is True
    return value if repeats else answer


_IDLE_SPACE = re.compile(r"(?<=\d) +(?=[A-Za-z])|(?<=[^A-Za-z0-9,]) +| +(?![A-Za-z0-9])|(?<=,) +(?!\d)")


def closed_up(text: str) -> str:
    """Return a text without the spaces that separate nothing; `1 2`, `1, 234` and `m s` keep theirs."""
    text = _IDLE_SPACE.sub("", text) if " " in text else text
    return text.replace("^{2}", "^2").replace("^{3}", "^3") if "^{" in text else text


def same_text(reference: str, answer: str) -> bool | None:
    r"""Return whether two texts say the same; None if neither side is words.

    >>> same_text("no solution", r"\emptyset"), same_text("Paris", "London"), same_text("x^2", "x*x")
    (True, False, None)
    """
    if reference == answer:
        return True
    expected, given = meaning(reference), meaning(answer)
    if expected in TRUTHS and given is None:
        truth = truth_of(answer)
        if truth is not None:
            return _same_truth(expected, truth)
    if expected is not None or given is not None:
        # `all real numbers` against a formula is left to the `structure` tier, which may read both.
        only_reals = {expected, given} <= {None, _REALS}
        if expected == given or not only_reals or is_text(answer):
            return expected == given
    if _has_words(reference) and folded(reference) == folded(answer):
        return True
    if _is_product_of_letters(reference, answer) or _is_product_of_letters(answer, reference):
        return None
    if is_text(answer) or (is_text(reference) and not _LISTED.search(answer)):
        return False
    return None
