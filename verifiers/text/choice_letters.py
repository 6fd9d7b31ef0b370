"""Multiple-choice letters: `B`, `(b)`, `B) Paris`, `Option B`, and several letters, `A, C`.

This is a part of the `words` tier: `words.py` calls `compare` before it compares the texts as words.
"""

import re
from functools import lru_cache

from ..policy import Judge
from ..spelling.east_asian import CHARACTERS
from ..spelling.lexicon import ALTERNATIVES, DENIALS, HEDGES, RETRACTIONS, words_of
from ..spelling.normalise import normalise
from ..spelling.question import options_of
from ..verdict import Reason, Verdict, equal_or_different
from .exact_number import DivisionByZero, read_number

_LETTER = "[A-Ja-j]"
_OPERATOR = "cdot|times|div|pm|mp|in|le|ge|ne|cup|cap|to|equiv|approx|setminus"
_CHOICE = re.compile(
    # an announcement: `The correct answer is`, `Option`
    rf"\$?(?:(?:[Tt]he )?(?:[Cc]orrect |[Rr]ight )?(?:[Aa]nswer|[Oo]ption|[Cc]hoice|[Ll]etter)(?: is)?:? ?)?"
    # the letter: `(B)`, `[B]`, `B`, `B.`, `B)`
    rf"(?:\(({_LETTER})\)[.:]?|\[({_LETTER})\]|({_LETTER})(?:\.\)| ?:|[).:])?)"
    # the option's text, if any; with an operator after it, `(b)` is part of a formula
    rf"(?: \((?:since|because|as|i\.e\.|note) [^()]*\))?(?:$|(?<=[)\].:]) "
    rf"(?=[\w$\\]|-[\d\\])(?!\\(?:{_OPERATOR})(?![A-Za-z]))(.*)| - (?=[A-Za-z]{{2}})(.*)"
    r"|(?<=[A-J]) \(((?![^()]*\b[A-J]\b)[A-Za-z]{3}[^(),]{0,60})\))",
    re.DOTALL,
)


_CLOSE_TEXT = re.compile(rf"^\(?([A-J])[.:)、](?=\S*[{CHARACTERS}])")
"""Matches a letter before an option in a language that sets no space between them: `D.G型`."""


_UNSURE = ALTERNATIVES | DENIALS | HEDGES | RETRACTIONS | {"guess", "wrong", "incorrect", "false", "sure"}


@lru_cache(maxsize=4096)
def read_choice(text: str) -> tuple[str, str] | None:
    """Return the letter, in upper case, and the option's text of a choice; None for other texts.

    Letters run from A to J. A bare `e` or `i` is not a choice, because it is also a number.

    >>> read_choice("(b) Paris")
    ('B', 'Paris')
    >>> read_choice("Option B")
    ('B', '')
    """
    match = _CHOICE.fullmatch(_CLOSE_TEXT.sub(r"\1. ", text) if not text.isascii() else text)
    if match is None or text in ("e", "i"):
        return None
    if match[6] and words_of(match[6]) & _UNSURE:
        return None  # `B (maybe)`
    letter = next(group for group in match.groups()[:3] if group)
    return letter.upper(), (match[4] or match[5] or match[6] or "").strip()


_REJECTED = re.compile(
    r"\((?:wrong|incorrect|false|rejected|not (?:correct|right|this))\)\W*$", re.IGNORECASE
)
_OTHER = re.compile(
    r"\(([A-Za-z])\)|(?:\b(?:and|or|not|option|choice|answer is|answer:|wait,?|no,?|actually,?|it is) \(?"
    r"|(?<!\w)(?=[A-J][).:](?:\s|$)))([A-Z])\b"
)
_OTHER_LABEL = re.compile(r"(?:^| )(?:\([A-J]\)|[A-J][).:]) \w")
_LETTERS_ONLY = re.compile(r"(?:[^\w]|\b(?:and|or|no|not|nor|option|choice|also|both)\b|\b[^\W\d_]\b)+")


def other_letters(text: str, letter: str) -> bool:
    """Return whether the text after a choice names another letter: `(B) and (C)`, `B) c`."""
    named = [in_brackets or after_word for in_brackets, after_word in _OTHER.findall(text)]
    if _LETTERS_ONLY.fullmatch(text):
        named += re.findall(r"\b[^\W\d_]\b", text)
    return any(found.upper() != letter for found in named)


_SEVERAL = re.compile(r"\(?[A-H]\)?(?:(?:,? ?and |, ?|; ?| )?\(?[A-H]\)?)+")


_ASKS_ORDER = re.compile(
    r"\b(?:in (?:the )?(?:correct |right )?order|arrange|rank|sequence)\b|顺序|排序", re.IGNORECASE
)
_NUMBERED = re.compile(r"([1-9])[.)] ?(\S.{0,80})")


def _listed_number(answer: str, question: str) -> str:
    """Return the number of `3. Mercury` if the question lists that option; else an empty string."""
    match = _NUMBERED.fullmatch(answer)
    if match is None:
        return ""
    listed = re.search(rf"(?<!\d){match[1]}[.)] ?{re.escape(match[2])}", question, re.IGNORECASE)
    return match[1] if listed else ""


def _several_letters(text: str) -> str | None:
    """Return the letters of `A, C`, `A and C`, `(A)(C)` or `AC` in alphabetical order, else None.

    Letters without anything between them must be in alphabetical order: `CAB` is a word.
    """
    if not _SEVERAL.fullmatch(text):
        return None
    letters = re.findall("[A-H]", text)
    ordered = sorted(letters)
    if len(set(letters)) < len(letters) or (text.isalpha() and letters != ordered):
        return None
    return "".join(ordered)


def compare(reference: str, answer: str, judge: Judge) -> Verdict | None:
    """Compare two choices, or a choice with the text of its option; return None for other texts."""
    expected, given = _several_letters(reference), _several_letters(answer)
    if expected is not None and given is not None and not (reference.isalpha() and answer.isalpha()):
        # One side clearly lists letters; `AC` on both sides may be a word or a product.
        if _ASKS_ORDER.search(judge.policy.question):
            return equal_or_different(re.findall("[A-H]", reference) == re.findall("[A-H]", answer))
        return equal_or_different(expected == given)
    if expected is not None and answer.isalpha() and options_of(judge.policy.question):
        return equal_or_different(expected == "".join(sorted(answer)))  # `DBA`, where options are listed
    if (
        reference.isdigit()
        and judge.policy.question
        and (number := _listed_number(answer, judge.policy.question))
    ):
        return equal_or_different(number == reference)
    named = _NAMED_AFTER.fullmatch(answer)
    if named is not None:
        return compare(reference, f"{named[2]}) {named[1]}", judge)
    target, choice = read_choice(reference), read_choice(answer)
    if choice is not None and _OTHER_LABEL.search(choice[1]) and not _OTHER_LABEL.search(reference):
        return Verdict(False, Reason.AMBIGUOUS)  # `(B) Paris (C) Nice`
    if judge.policy.question:
        by_option = _by_option(target, choice, reference, answer, judge)
        if by_option is not None:
            return by_option
    if target is None or choice is None:
        return _with_option_text(reference, answer, target, choice, judge)
    (target_letter, target_option), (letter, option) = target, choice
    if target_letter != letter:
        return equal_or_different(False)
    if option and (words_of(option) & RETRACTIONS - words_of(target_option) or _REJECTED.search(option)):
        return Verdict(False, Reason.CONTRADICTS)
    if target_option == option:
        return equal_or_different(True)
    if other_letters(option, letter):
        return Verdict(False, Reason.AMBIGUOUS)
    if target_option and option and not _same_option(target_option, option, judge):
        return Verdict(False, Reason.CONTRADICTS)
    return equal_or_different(True)


_NAMED_AFTER = re.compile(r"([A-Za-z][^()]{1,80}) \((?:[Oo]ption|[Cc]hoice|[Aa]nswer) ([A-J])\)")
"""Matches the text of an option with its letter in brackets: `Energy (Option C)`."""
_BRACKETED = re.compile(r"([A-J]) ?\(([^()]{1,200})\)")
"""Matches a letter with its option's text in brackets, `B (6)`, where the question lists options."""


def _by_option(
    target: tuple[str, str] | None, choice: tuple[str, str] | None, reference: str, answer: str, judge: Judge
) -> Verdict | None:
    """Compare a letter with the text of an option that the question lists; None for other texts."""
    options = options_of(judge.policy.question)
    if not options:
        return None
    bracketed = _BRACKETED.fullmatch(answer)
    if bracketed is not None and bracketed[1] in options and target is not None:
        return compare(reference, f"{bracketed[1]}) {bracketed[2]}", judge)
    plain = judge.without_question()
    if choice is not None and choice[1]:  # a letter with the text of another option
        named = [letter for letter, text in options.items() if plain(normalise(text), choice[1]).correct]
        if named and choice[0] not in named:
            return Verdict(False, Reason.CONTRADICTS)
    if target is not None and choice is None:  # `B` against `Paris`
        named = [letter for letter, text in options.items() if plain(normalise(text), answer).correct]
        return equal_or_different(named == [target[0]]) if named else None
    if target is None and choice is not None and choice[0] in options:
        return plain(reference, normalise(options[choice[0]]))
    return None


def _with_option_text(
    reference: str, answer: str, target: tuple[str, str] | None, choice: tuple[str, str] | None, judge: Judge
) -> Verdict | None:
    """Compare `B) Paris` with `Paris`. Only one label is removed, so `A) B` never counts as `B`."""
    if target is not None and target[1] and read_choice(target[1]) is None:
        return judge(target[1], answer)
    if choice is not None and choice[1] and read_choice(choice[1]) is None:
        return judge(reference, choice[1])
    return None


def _same_option(one: str, two: str, judge: Judge) -> bool:
    """Return whether two texts after the same letter may belong to the same option.

    Numbers and formulas must be equal. For words it is enough that one text has all words of the other,
    because an answer may shorten or extend the option's text.
    """
    try:
        has_number = read_number(one) is not None or read_number(two) is not None
    except DivisionByZero:
        has_number = True
    if has_number or re.search(r"[\d\\^=+*/<>]", one + two):
        return judge(one, two).correct is True
    first, second = words_of(one), words_of(two)
    return first <= second or second <= first
