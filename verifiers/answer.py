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
import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache

from ..sandbox.errors import TaskError
from ..tasks.problem import Completion, Problem
from .exact_number import MAX_CHARS, VULGAR, DivisionByZero, read_number, same_number
from .extract import ExtractSpec, extract_by, rules_of
from .verdict import Reason, Verdict, verifier

Tier = Callable[[str, str], Verdict | None]

_SYNONYMS = [
    (re.compile(r"\\[dt]frac"), r"\\frac"),
    (re.compile(r"\\frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}"), r" \1/\2 "),
    (re.compile(r"\\frac\s*(\d)\s*(\d)(?!\d)"), r" \1/\2 "),
    (re.compile(r"\\frac\s*(\d)\s*\{([^{}]*)\}"), r" \1/\2 "),
    (re.compile(r"\{,\}|\\,(?=\d{3}(?!\d))|\\!"), ""),
    (re.compile(r"\\[,;: ]|~|\\quad|\\qquad"), " "),
    (re.compile(r"\\(?:text|mathrm|textbf|mathbf|mbox)\s*\{([^{}]*)\}"), r"\1"),
    (re.compile(r"\\left(?![a-z])|\\right(?![a-z])|\\displaystyle(?![a-z])"), ""),
    (re.compile(r"\\([%$#&])"), r"\1"),
    (re.compile(r"[−‐‑–﹣－]"), "-"),
    (re.compile(r"\s+"), " "),
]
_VULGAR = re.compile(f"\\s*([{''.join(VULGAR)}])")
_WRAPPED = re.compile(r"\$\$?(.*?)\$?\$|\\\((.*)\\\)|\\\[(.*)\\\]", re.DOTALL)


@lru_cache(maxsize=65536)
def normalise(text: str) -> str:
    """Return the answer in one spelling: NFKC, plain fractions, no dollar signs around, one space."""
    text = _VULGAR.sub(lambda match: " " + VULGAR[match[1]], text)  # before NFKC: 3½ is not 31/2
    text = unicodedata.normalize("NFKC", text).strip()
    if match := _WRAPPED.fullmatch(text):
        inner = next(group for group in match.groups() if group is not None)
        text = inner if "$" not in inner else text
    for pattern, replacement in _SYNONYMS:
        text = pattern.sub(replacement, text)
    return text.strip().removesuffix(".").strip()


_ALTERNATIVES = re.compile(r"\bor\b|\beither\b|\bmaybe\b|\bpossibly\b", re.IGNORECASE)
_DENIAL = re.compile(r"^(?:not|isn't|is not|never|neither)\b|\\neq?(?![a-z])|≠|!=", re.IGNORECASE)


def _claims(reference: str, answer: str) -> Verdict | None:
    if not answer:
        return Verdict(False, Reason.EMPTY)
    if reference.casefold() == answer.casefold():
        return None
    if _ALTERNATIVES.search(answer) and not _ALTERNATIVES.search(reference):
        return Verdict(False, Reason.AMBIGUOUS)
    if _DENIAL.search(answer) and not _DENIAL.search(reference):
        return Verdict(False, Reason.DENIED)
    return None


def _text(reference: str, answer: str) -> Verdict | None:
    same = reference == answer or _folded(reference) == _folded(answer)
    return Verdict(True, Reason.EQUAL) if same else None


def _folded(text: str) -> str:
    """Return words without case, and a choice letter without its brackets.

    Case folds only where letters are words: in mathematics, X and x are two things.
    """
    if match := re.fullmatch(r"\(?([A-Za-z])[).]?", text):
        return match[1] if text == match[1] and text.islower() else match[1].upper()
    return text.casefold() if re.search(r"[^\W\d_]{2}", text) and "\\" not in text else text


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


_WORDS = re.compile(r"[^\W\d_]+(?:[ '’-][^\W\d_]+)*[.!]?")
_NUMBER_WORDS = re.compile(
    r"\b(?:zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|twenty|thirty|forty|fifty"
    r"|sixty|seventy|eighty|ninety|hundred|thousand|\w+illions?|dozen|half|halves|thirds?|quarters?|pi|infinity"
    r"|none|no|nothing|yes|true|false)\b",
    re.IGNORECASE,
)


def _words(reference: str, answer: str) -> Verdict | None:
    """Tell two different plain words apart, and plain words from a number.

    Words that may name a number or a truth are left to a later tier; so is a single letter, which
    may be a choice or a variable.
    """
    target_is_number = read_number(reference) is not None
    plain = [
        bool(_WORDS.fullmatch(t)) and len(t) > 1 and not _NUMBER_WORDS.search(t) for t in (reference, answer)
    ]
    if plain[1] and (plain[0] or target_is_number):
        return Verdict(False, Reason.DIFFERENT)
    letters = [re.fullmatch(r"\(?([A-Z])[).]?", t) for t in (reference, answer)]
    if all(letters) or (letters[0] and read_number(answer) is not None):
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
    target, given = normalise(reference[: 10 * MAX_CHARS]), normalise(answer[: 10 * MAX_CHARS])
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
    return _verify(references, completion, rules_of(extract))


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


@lru_cache(maxsize=256)
def _cached_rules(extract: str) -> list:
    return rules_of(extract)


def _rules(extract: ExtractSpec) -> list:
    return _cached_rules(extract) if isinstance(extract, str) else rules_of(extract)


def answered(completion: Completion) -> str:
    """Return the whole answer: what the template opened, then what the policy wrote."""
    return completion.prefill + completion.text if completion.prefill else completion.text


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
    return _verify(problem.references, answered(completion), _rules(extract))


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
    rules = [("whole", lambda text: (0, len(text)))] if whole else _rules(extract)
    found = extract_by(rules, answered(completion))
    if found.text is None or found.reason is not None:
        return Verdict(False, found.reason or Reason.NO_ANSWER, extracted=found.text, tier="extract")
    given = normalise(found.text)
    same = any(_text(normalise(reference), given) is not None for reference in problem.references)
    return Verdict(same, Reason.EQUAL if same else Reason.DIFFERENT, extracted=found.text, tier="text")


def _choice_fault(reference: str) -> str | None:
    return None if _choice_letter(reference) else "is not a choice letter"


@verifier("choice", reference_fault=_choice_fault)
def choice(problem: Problem, completion: Completion, *, extract: ExtractSpec = "strict") -> Verdict:
    """Compare choice letters: `B`, `(B)`, `b.`, `B) Paris` all mean B. Never undecided."""
    found = extract_by(_rules(extract), answered(completion))
    if found.text is None or found.reason is not None:
        return Verdict(False, found.reason or Reason.NO_ANSWER, extracted=found.text, tier="extract")
    given = _choice_letter(found.text)
    if given is None:
        return Verdict(False, Reason.UNPARSABLE_ANSWER, extracted=found.text, tier="choice")
    same = any(_choice_letter(reference) == given for reference in problem.references)
    return Verdict(same, Reason.EQUAL if same else Reason.DIFFERENT, extracted=found.text, tier="choice")


def _choice_letter(text: str) -> str | None:
    match = re.fullmatch(
        r"(?:option|choice)?\s*\(?([A-Za-z])(?:[).:]+(?:\s.*)?)?", normalise(text), re.DOTALL | re.I
    )
    return match[1].upper() if match else None
