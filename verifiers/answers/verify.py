r"""Is the final answer right? `compare_answers` on bare answers, `verify_answer` on completions.

The tiers are in `compare.py`. True, False, or None where nothing could tell: a reference that
nobody can read, or the last tier's worker pool out of order. What is unparsable, too large or
times out is wrong by the completion's fault.
"""

from collections.abc import Sequence

from ...sandbox.errors import TaskError
from ...tasks.problem import Completion, Problem
from ..completion import Extracted, whole_answer
from ..extraction.extract import WHOLE, ExtractSpec, extract_by, ready_rules
from ..text.choice_letters import other_letters, read_choice
from ..text.exact_number import ANSWER_CHARS
from ..text.normalise import normalise
from ..text.words import same_text
from ..verdict import Reason, Verdict, verifier
from . import math_verify as last_tier
from .tiers import judge, reference_fault, restates

KEPT = 1 << 13
"""Verdicts that are kept, each of a reference and an answer of together at most KEPT_CHARS."""
KEPT_CHARS = 600
Pair = tuple[str, str]
_kept: dict[Pair, Verdict] = {}


def compare_answers(reference: str, answer: str) -> Verdict:
    """Judge a bare answer against one reference.

    Returns:
        A Verdict: `correct` is True, False, or None where no tier can tell; `tier` decided.
    """
    return compare_all([(reference, answer)])[0]


def compare_all(pairs: Sequence[Pair]) -> list[Verdict]:
    """Judge many (reference, answer) pairs; what needs the last tier goes to it in parallel."""
    verdicts = [_settled(pair) for pair in pairs]
    hard = _by_the_last_tier([pair for pair, verdict in zip(pairs, verdicts, strict=True) if verdict is None])
    return [
        _of(hard[pair] if verdict is None else verdict, pair[1])
        for verdict, pair in zip(verdicts, pairs, strict=True)
    ]


def _by_the_last_tier(pairs: Sequence[Pair]) -> dict[Pair, Verdict]:
    if not pairs:
        return {}
    pairs = list(dict.fromkeys(pairs))
    judged = last_tier.judge_all([(normalise(reference), normalise(answer)) for reference, answer in pairs])
    for pair, verdict in zip(pairs, judged, strict=True):
        verdict.tier = "last"
        if verdict.reason is not Reason.UNAVAILABLE:
            _keep(pair, verdict)
    return dict(zip(pairs, judged, strict=True))


def _settled(pair: Pair) -> Verdict | None:
    """Judge a pair by all tiers but the last, or by memory; None if they cannot tell."""
    if (kept := _kept.get(pair)) is not None:  # once: another thread may empty the memory
        return kept
    reference, answer = pair
    if len(answer) > 10 * ANSWER_CHARS and len(answer := " ".join(answer.split())) > 10 * ANSWER_CHARS:
        return Verdict(False, Reason.TOO_LARGE, tier="claims")
    target, given = normalise(reference), normalise(answer)
    verdict = Verdict(True, Reason.EQUAL, tier="words") if target == given != "" else judge(target, given)
    if verdict.correct is None and verdict.reason is Reason.UNDECIDED:
        last_tier.warm_up()
        return None
    _keep(pair, verdict)
    return verdict


def _keep(pair: Pair, verdict: Verdict) -> None:
    if len(pair[0]) + len(pair[1]) <= KEPT_CHARS:
        if len(_kept) >= KEPT:
            _kept.clear()
        _kept[pair] = verdict


def _of(verdict: Verdict, answer: str) -> Verdict:
    """Return the caller's own copy: what is kept stays as it is."""
    return Verdict(
        verdict.correct, verdict.reason, answer[:ANSWER_CHARS], verdict.tier, evidence=dict(verdict.evidence)
    )


def verify_answer(
    reference: str | Sequence[str], completion: str, *, extract: ExtractSpec = "strict"
) -> Verdict:
    """Find the final answer in a completion and judge it.

    Args:
        reference: an accepted answer, or several of which any one is right.
        completion: the whole text, thinking part included.
        extract: `strict`, `lenient` or an ordered list of rules (`extract.py`).

    Raises:
        TaskError: no reference at all.
    """
    references = (reference,) if isinstance(reference, str) else tuple(reference)
    if not references:
        raise TaskError(_NO_REFERENCE)
    found = extract_by(ready_rules(extract), completion)
    if found.text is None or found.reason is not None:
        return _not_found(found)
    return _any_of(compare_all([(reference, found.text) for reference in references]))


_NO_REFERENCE = "there is no reference to judge by; set `problem.reference` in the task"


def _verify_all(rows: Sequence[tuple[Sequence[str], Extracted]]) -> list[Verdict]:
    """Judge what was extracted against each row's references: right if any says so (Kleene's or)."""
    pairs = [
        (reference, found.text)
        for references, found in rows
        if found.text is not None and found.reason is None
        for reference in references
    ]
    judged = iter(compare_all(pairs))
    return [
        _not_found(found)
        if found.text is None or found.reason is not None
        else _any_of([next(judged) for _ in references])
        for references, found in rows
    ]


def _any_of(verdicts: Sequence[Verdict]) -> Verdict:
    if len(verdicts) == 1:
        return verdicts[0]
    return min(verdicts, key=lambda verdict: (True, None, False).index(verdict.correct))


def _not_found(found: Extracted) -> Verdict:
    return Verdict(False, found.reason or Reason.NO_ANSWER, extracted=found.text, tier="extract")


def _extracted(problem: Problem, completion: Completion, extract: ExtractSpec) -> Extracted:
    """Find the answer of a completion; one that was cut off inside its box or tag has none."""
    found = extract_by(ready_rules(extract), whole_answer(problem, completion))
    if not found.closed and completion.finish_reason == "length":
        return Extracted(None, found.rule, found.span, Reason.NO_ANSWER)
    return found


@verifier("answer", reference_fault=reference_fault, batch=True)
def answer(
    problems: Sequence[Problem], completions: Sequence[Completion], *, extract: ExtractSpec = "strict"
) -> list[Verdict | TaskError]:
    """Judge the final answers of completions against their problems' reference(s).

    `extract` is the task's own `extract:` unless the entry gives another. An answer that repeats a
    calculation from the prompt instead of doing it is wrong (`unevaluated`).
    """
    rows = [
        (problem.references, _extracted(problem, completion, extract))
        for problem, completion in zip(problems, completions, strict=True)
    ]
    verdicts = iter(_verify_all([row for row in rows if row[0]]))
    judged: list[Verdict | TaskError] = []
    for problem, (references, found) in zip(problems, rows, strict=True):
        verdict = next(verdicts) if references else TaskError(_NO_REFERENCE)
        if isinstance(verdict, Verdict) and verdict.correct and found.text and _repeats(problem, found.text):
            verdict = Verdict(False, Reason.UNEVALUATED, found.text, "claims")
        judged.append(verdict)
    return judged


def _repeats(problem: Problem, text: str) -> bool:
    prompt = problem.prompt if isinstance(problem.prompt, str) else str(problem.prompt[-1].get("content", ""))
    return any(restates(reference, text, prompt) for reference in problem.references)


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
        return _not_found(found)
    given = normalise(found.text)
    same = any(_same_spelling(normalise(reference), given) for reference in problem.references)
    return Verdict(same, Reason.EQUAL if same else Reason.DIFFERENT, extracted=found.text, tier="text")


def _same_spelling(reference: str, given: str) -> bool:
    return reference == given or same_text(reference, given) is True


def _choice_fault(reference: str) -> str | None:
    return None if read_choice(normalise(reference)) else "is not a choice letter"


@verifier("choice", reference_fault=_choice_fault)
def choice(problem: Problem, completion: Completion, *, extract: ExtractSpec = "strict") -> Verdict:
    """Compare choice letters: `B`, `(B)`, `b.`, `**B**`, `B) Paris` all mean B.

    An answer that names two letters is wrong, and so is one that starts with none.
    """
    found = _extracted(problem, completion, extract)
    if found.text is None or found.reason is not None:
        return _not_found(found)
    given = read_choice(normalise(found.text.strip("*_ ")))
    if given is None:
        return Verdict(False, Reason.UNPARSABLE_ANSWER, extracted=found.text, tier="choice")
    if other_letters(given[1], given[0]):
        return Verdict(False, Reason.AMBIGUOUS, extracted=found.text, tier="choice")
    letters = [read_choice(normalise(reference)) for reference in problem.references]
    same = any(letter is not None and letter[0] == given[0] for letter in letters)
    return Verdict(same, Reason.EQUAL if same else Reason.DIFFERENT, extracted=found.text, tier="choice")
