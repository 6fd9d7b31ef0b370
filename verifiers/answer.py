r"""Is the final answer right? `compare_answers` on bare answers, `verify_answer` on completions.

Tiers, cheapest first; the first one that can tell decides:

    0 claims   empty, alternatives, denials: wrong, whatever the value
    1 text     the same text after normalisation
    2 number   exact numbers (`exact_number.py`)
    3 words    plain words that differ

What no tier can tell is undecided (`correct=None`), never wrong by default. Further tiers (units,
structure, algebra) go to the end of `TIERS`: each takes normalised texts and returns a Verdict,
or None for "not mine".
"""

import re
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher

from ..sandbox.errors import TaskError
from ..tasks.problem import Completion, Problem
from .exact_number import MAX_CHARS, DivisionByZero, Number, read_number, same_number
from .extract import WHOLE, ExtractSpec, extract_by, ready_rules
from .normal_form import normalise
from .verdict import Reason, Verdict, verifier

Tier = Callable[[str, str], Verdict | None]

_ALTERNATIVE = re.compile(r",? \bor\b ")
_HEDGE = re.compile(r"^(?:either|maybe|perhaps|possibly|probably)\b ?")
_DENIAL = re.compile(
    r"^(?:not|isn't|is not|never|neither|cannot be)\b ?|^(?:[A-Za-z] ?)?(?:\\neq?(?![a-z])|≠|!=) ?"
)


def _claims(reference: str, answer: str) -> Verdict | None:
    """Refuse answers that commit to nothing, where the reference is one single value."""
    if not answer:
        return Verdict(False, Reason.EMPTY)
    names_one = _PLAIN_WORDS.fullmatch(reference) and not re.search(r"\b(?:or|and|not|no)\b", reference)
    if read_safely(reference) is None and not _choice_shape(reference) and not names_one:
        return None
    offered = {part.strip() for part in _ALTERNATIVE.split(_HEDGE.sub("", answer))}
    if len(offered) > 1 or _HEDGE.search(answer):
        return Verdict(False, Reason.AMBIGUOUS)
    denied = _DENIAL.sub("", answer)
    if denied != answer and (not names_one or _folded(denied) == _folded(reference)):
        return Verdict(False, Reason.DENIED)
    return None


def _choice_shape(text: str) -> str | None:
    """Return the letter of `B`, `(B)` or `B)`; lower case only in brackets, and up to j."""
    match = re.fullmatch(r"\(([A-Za-j])\)|([A-Za-j])\)|([A-Z])", text)
    return next(group for group in match.groups() if group).upper() if match else None


def _text(reference: str, answer: str) -> Verdict | None:
    same = reference == answer or _folded(reference) == _folded(answer)
    letter = _choice_shape(reference)
    same = same or (letter is not None and letter == _choice_shape(answer))
    return Verdict(True, Reason.EQUAL) if same else None


_WORD = r"(?:[a-z]{3,}|[A-Z][a-z]{2,}|[A-Z]{3,})"
_PLAIN_WORDS = re.compile(rf"{_WORD}(?:[ '’-]{_WORD})*!?")


def _folded(text: str) -> str:
    """Return plain words without case; all else as it is: MW and mW, X and x are two things."""
    return text.casefold() if _PLAIN_WORDS.fullmatch(text) else text


def read_safely(text: str) -> Number | None:
    """Read a number; a division by zero is none."""
    try:
        return read_number(text)
    except DivisionByZero:
        return None


def _number(reference: str, answer: str) -> Verdict | None:
    try:
        target = read_number(reference)
    except DivisionByZero:
        return Verdict(None, Reason.UNPARSABLE_REFERENCE)
    if target is None:
        return None
    if len(answer) > MAX_CHARS:
        return Verdict(False, Reason.TOO_LARGE)
    try:
        given = read_number(answer)
    except DivisionByZero:
        return Verdict(False, Reason.UNPARSABLE_ANSWER)
    if given is None:
        return None
    if target.currency and given.currency and target.currency != given.currency:
        return Verdict(False, Reason.UNITS_DIFFER)
    same = same_number(target, given)
    evidence = {"reference": str(target.value), "answer": str(given.value)}
    return Verdict(same, Reason.EQUAL if same else Reason.DIFFERENT, evidence=evidence)


_NUMBER_WORDS = re.compile(
    r"\b(?:zero|nil|null|none|nothing|nought|one|once|single|two|twice|double|pair|couple|three|thrice|triple|four|five"
    r"|six|seven|eight|nine|ten|eleven|twelve|[a-z]+teen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred"
    r"|thousand|[a-z]+illions?|dozens?|score|half|halves|quarters?|thirds?|[a-z]+ths?|first|second|infinity|infinite"
    r"|unity|true|false|yes|undefined|unknown|impossible)\b",
    re.IGNORECASE,
)


def _words(reference: str, answer: str) -> Verdict | None:
    """Tell two clearly different plain words apart, and plain words from a number.

    Words that may name a number or a truth are left to a later tier, and so are words that share
    a part or are spelt alike.
    """
    if not _PLAIN_WORDS.fullmatch(answer) or _NUMBER_WORDS.search(answer):
        pass
    elif read_safely(reference) is not None and answer.islower():
        return Verdict(False, Reason.DIFFERENT)
    elif _PLAIN_WORDS.fullmatch(reference) and not _NUMBER_WORDS.search(reference):
        one, two = reference.casefold(), answer.casefold()
        shouted = reference.isupper() or answer.isupper()  # may be the other's initials
        alike = set(one.split()) & set(two.split()) or SequenceMatcher(None, one, two).ratio() > 0.7
        return None if shouted or alike else Verdict(False, Reason.DIFFERENT)
    letter, given = _choice_shape(reference), _choice_shape(answer)
    if letter is not None and ((given is not None and given != letter) or read_safely(answer) is not None):
        return Verdict(False, Reason.DIFFERENT)
    return None


TIERS: tuple[tuple[str, Tier], ...] = (
    ("claims", _claims),
    ("text", _text),
    ("number", _number),
    ("words", _words),
)


def compare_answers(reference: str, answer: str) -> Verdict:
    """Judge a bare answer against one reference.

    Returns:
        A Verdict: `correct` is True, False, or None where no tier can tell; `tier` decided.
    """
    if len(answer) > 10 * MAX_CHARS and len(answer := " ".join(answer.split())) > 10 * MAX_CHARS:
        return Verdict(False, Reason.TOO_LARGE, extracted=answer[:MAX_CHARS], tier="claims")
    target, given = normalise(reference), normalise(answer)
    for name, tier in TIERS:
        verdict = tier(target, given)
        if verdict is not None:
            verdict.tier, verdict.extracted = name, answer
            return verdict
    return Verdict(None, Reason.UNDECIDED, extracted=answer)


def verify_answer(
    reference: str | Sequence[str], completion: str, *, extract: ExtractSpec = "strict"
) -> Verdict:
    """Find the final answer in a completion and judge it.

    Args:
        reference: an accepted answer, or several of which any one is right.
        completion: the whole text, thinking part included.
        extract: `strict`, `lenient` or an ordered list of rules (`extract.py`).
    """
    references = (reference,) if isinstance(reference, str) else tuple(reference)
    return _verify(references, completion, ready_rules(extract))


def _verify(references: Sequence[str], text: str, rules: list) -> Verdict:
    found = extract_by(rules, text)
    if found.text is None or found.reason is not None:
        return Verdict(False, found.reason or Reason.NO_ANSWER, extracted=found.text, tier="extract")
    return compare_with_any(references, found.text)


def compare_with_any(references: Sequence[str], answer: str) -> Verdict:
    """Judge a bare answer against several references: right if any says so (Kleene's or).

    Raises:
        TaskError: no reference at all.
    """
    if not references:
        raise TaskError("there is no reference to judge by; set `problem.reference` in the task")
    verdict: Verdict | None = None
    for reference in references:
        latest = compare_answers(reference, answer)
        if latest.correct is True:
            return latest
        if verdict is None or (latest.correct is None and verdict.correct is False):
            verdict = latest
    assert verdict is not None
    return verdict


def whole_answer(problem: Problem, completion: Completion) -> str:
    """Return the answer from its first tag on, whoever wrote it: the template or the policy."""
    if completion.prefill:
        return completion.prefill + completion.text
    opened = re.search(r"<think>\s{0,20}$", problem.prompt[-40:]) if isinstance(problem.prompt, str) else None
    return opened.group() + completion.text if opened else completion.text


def reference_fault(reference: str) -> str | None:
    """Say why a reference cannot be judged by, or None if it can."""
    text = normalise(reference)
    if not text:
        return "is empty"
    if len(text) > 10 * MAX_CHARS:
        return f"has {len(text)} characters (at most {10 * MAX_CHARS})"
    try:
        read_number(text)
    except DivisionByZero:
        return "divides by zero"
    return None


@verifier("answer", reference_fault=reference_fault)
def answer(problem: Problem, completion: Completion, *, extract: ExtractSpec = "strict") -> Verdict:
    """Judge the final answer of a completion against the problem's reference(s).

    `extract` is the task's own `extract:` unless the entry gives another.
    """
    return _verify(problem.references, whole_answer(problem, completion), ready_rules(extract))


@verifier("exact_match", reference_fault=lambda text: None if normalise(text) else "is empty")
def exact_match(
    problem: Problem,
    completion: Completion,
    *,
    extract: ExtractSpec = "strict",
    whole: bool = False,
) -> Verdict:
    """Compare texts after normalisation, nothing more: never undecided.

    Args:
        problem: with its reference(s).
        completion: the completion.
        extract: as for `answer`.
        whole: compare the whole completion after the thinking part instead of an extracted answer.
    """
    rules = [WHOLE] if whole else ready_rules(extract)
    found = extract_by(rules, whole_answer(problem, completion))
    if found.text is None or found.reason is not None:
        return Verdict(False, found.reason or Reason.NO_ANSWER, extracted=found.text, tier="extract")
    given = normalise(found.text)
    same = any(_text(normalise(reference), given) is not None for reference in problem.references)
    return Verdict(same, Reason.EQUAL if same else Reason.DIFFERENT, extracted=found.text, tier="text")


def _choice_fault(reference: str) -> str | None:
    return None if _choice_letter(reference) else "is not a choice letter"


@verifier("choice", reference_fault=_choice_fault)
def choice(problem: Problem, completion: Completion, *, extract: ExtractSpec = "strict") -> Verdict:
    """Compare choice letters: `B`, `(B)`, `b.`, `**B**`, `B) Paris` all mean B.

    An answer that names two letters is wrong; one that starts with no letter is undecided.
    """
    found = extract_by(ready_rules(extract), whole_answer(problem, completion))
    if found.text is None or found.reason is not None:
        return Verdict(False, found.reason or Reason.NO_ANSWER, extracted=found.text, tier="extract")
    given = _choice_letter(found.text)
    if given is None:
        return Verdict(None, Reason.UNDECIDED, extracted=found.text, tier="choice")
    if given == "":
        return Verdict(False, Reason.AMBIGUOUS, extracted=found.text, tier="choice")
    same = any(_choice_letter(reference) == given for reference in problem.references)
    return Verdict(same, Reason.EQUAL if same else Reason.DIFFERENT, extracted=found.text, tier="choice")


_CHOICE = re.compile(
    r"(?:(?:the )?(?:answer|option|choice)(?: is)?:? )?\(?([A-Za-z])(?:$|[).:,\]]|(?= ?[-–]) ?)(.*)",
    re.IGNORECASE,
)


def _choice_letter(text: str) -> str | None:
    """Return the letter that a text chooses, an empty string for several, None for none."""
    match = _CHOICE.fullmatch(normalise(text.strip().strip("*_")))
    if match is None:
        return None
    others = re.findall(r"(?<![\w'’])\(?([A-Z])(?![\w'’])", match[2])
    if _HEDGE.search(text.lower()) or any(other != match[1].upper() for other in others):
        return ""
    return match[1].upper()
