r"""Judging final answers: `compare_answers` for bare answers, `verify_answer` for whole completions.

Both return a `Verdict`: right, wrong, or None if the answer could not be judged. None is never the
completion's fault: the reference cannot be read, or no worker process for math-verify can be used. An answer
that cannot be read, is too large or takes too long is wrong. The tiers of the comparison are in `tiers.py`;
the verifiers `answer`, `exact_match` and `choice` are here.
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
from . import math_verify
from .tiers import judge, reference_fault, restates

KEPT = 1 << 13
"""How many verdicts are kept in memory, because samples of one problem often give the same answer."""
KEPT_CHARS = 600
"""Longest pair, in characters of reference and answer together, whose verdict is kept."""
Pair = tuple[str, str]
_kept: dict[Pair, Verdict] = {}


def compare_answers(reference: str, answer: str) -> Verdict:
    r"""Judge a bare answer against one reference.

        >>> from markscheme.verifiers import compare_answers
        >>> compare_answers(r"\frac{1}{2}", "0.5").correct
        True
        >>> compare_answers("x^2 - 1", "(x + 1)(x - 1)").tier
        'formula'
        >>> compare_answers("12 km", "12 kg")
        Verdict(wrong: units_differ, '12 kg')
        >>> compare_answers("18", "3 * 6")  # leaves the calculation undone
        Verdict(wrong: unevaluated, '3 * 6')

    Returns:
        A Verdict with `correct` True, False, or None if no tier could tell; `tier` is the one that decided.
    """
    return compare_all([(reference, answer)])[0]


def compare_all(pairs: Sequence[Pair]) -> list[Verdict]:
    """Judge many (reference, answer) pairs; math-verify judges those that need it in parallel."""
    verdicts = [_by_own_tiers(pair) for pair in pairs]
    undecided = [pair for pair, verdict in zip(pairs, verdicts, strict=True) if verdict is None]
    by_last_tier = _by_math_verify(undecided)
    return [
        _copied(by_last_tier[pair] if verdict is None else verdict, pair[1])
        for verdict, pair in zip(verdicts, pairs, strict=True)
    ]


def _by_math_verify(pairs: Sequence[Pair]) -> dict[Pair, Verdict]:
    if not pairs:
        return {}
    pairs = list(dict.fromkeys(pairs))
    normalised = [(normalise(reference), normalise(answer)) for reference, answer in pairs]
    verdicts = dict(zip(pairs, math_verify.judge_all(normalised), strict=True))
    for pair, verdict in verdicts.items():
        verdict.tier = "last"
        if verdict.reason is not Reason.UNAVAILABLE:
            _keep(pair, verdict)
    return verdicts


def _by_own_tiers(pair: Pair) -> Verdict | None:
    """Judge a pair by the kept verdicts, or by all tiers but the last; None if they cannot tell."""
    kept = _kept.get(pair)  # one lookup, because another thread may clear the memory at any time
    if kept is not None:
        return kept
    reference, answer = pair
    if len(answer) > 10 * ANSWER_CHARS:
        answer = " ".join(answer.split())
        if len(answer) > 10 * ANSWER_CHARS:
            return Verdict(False, Reason.TOO_LARGE, tier="claims")
    target, given = normalise(reference), normalise(answer)
    if target == given != "":
        # The same text is right whatever it says, even `5 or 6`: no tier need be asked.
        verdict = Verdict(True, Reason.EQUAL, tier="words")
    else:
        verdict = judge(target, given)
    if verdict.correct is None and verdict.reason is Reason.UNDECIDED:
        math_verify.warm_up()
        return None
    _keep(pair, verdict)
    return verdict


def _keep(pair: Pair, verdict: Verdict) -> None:
    if len(pair[0]) + len(pair[1]) <= KEPT_CHARS:
        if len(_kept) >= KEPT:
            _kept.clear()
        _kept[pair] = verdict


def _copied(verdict: Verdict, answer: str) -> Verdict:
    """Return a copy that the caller may change, with the answer as it was given."""
    return Verdict(
        verdict.correct, verdict.reason, answer[:ANSWER_CHARS], verdict.tier, evidence=dict(verdict.evidence)
    )


def verify_answer(
    reference: str | Sequence[str], completion: str, *, extract: ExtractSpec = "strict"
) -> Verdict:
    r"""Find the final answer in a completion and judge it.

        >>> from markscheme.verifiers import verify_answer
        >>> verify_answer("1/3", r"<think>2/6 ...</think> So it is \boxed{\frac{2}{6}}.")
        Verdict(right: equal, '\\frac{2}{6}')
        >>> verify_answer("4", "The answer is 4.")  # `strict` takes boxes and tags only
        Verdict(wrong: no_answer)
        >>> verify_answer(["4", "four"], "The answer is 4.", extract="lenient")
        Verdict(right: equal, '4')

    Args:
        reference: the accepted answer, or several; matching any one of them is right.
        completion: the whole text, its thinking part included.
        extract: `strict`, `lenient`, or an ordered list of rules; see `extract_answer`.

    Raises:
        TaskError: there is no reference, or a rule is malformed.
        UnknownNameError: there is no such preset or rule.
    """
    references = (reference,) if isinstance(reference, str) else tuple(reference)
    if not references:
        raise TaskError(_NO_REFERENCE)
    found = extract_by(ready_rules(extract), completion)
    if found.text is None or found.reason is not None:
        return _not_compared(found)
    return _any_of(compare_all([(reference, found.text) for reference in references]))


_NO_REFERENCE = "there is no reference to judge by; set `problem.reference` in the task"


def _verify_all(rows: Sequence[tuple[Sequence[str], Extracted]]) -> list[Verdict]:
    """Judge extracted answers, each against its own references, with all comparisons in one batch."""
    pairs = [
        (reference, found.text)
        for references, found in rows
        if found.text is not None and found.reason is None
        for reference in references
    ]
    compared = iter(compare_all(pairs))
    verdicts = []
    for references, found in rows:
        if found.text is None or found.reason is not None:
            verdicts.append(_not_compared(found))
        else:
            verdicts.append(_any_of([next(compared) for _ in references]))
    return verdicts


def _any_of(verdicts: Sequence[Verdict]) -> Verdict:
    """Return Kleene's `or`: right if any is right, else None if any could not be judged, else wrong."""
    if len(verdicts) == 1:
        return verdicts[0]
    return min(verdicts, key=lambda verdict: (True, None, False).index(verdict.correct))


def _not_compared(found: Extracted) -> Verdict:
    """Return the verdict on an answer that extraction did not find, or already rejected."""
    return Verdict(False, found.reason or Reason.NO_ANSWER, extracted=found.text, tier="extract")


def _extracted(problem: Problem, completion: Completion, extract: ExtractSpec) -> Extracted:
    """Find the answer of a completion; one that was cut off inside its box or tag does not count."""
    found = extract_by(ready_rules(extract), whole_answer(problem, completion))
    if not found.closed and completion.finish_reason == "length":
        return Extracted(None, found.rule, found.span, Reason.NO_ANSWER)
    return found


@verifier("answer", reference_fault=reference_fault, batch=True)
def answer(
    problems: Sequence[Problem], completions: Sequence[Completion], *, extract: ExtractSpec = "strict"
) -> list[Verdict | TaskError]:
    """Judge whether the final answer means the same as the reference: numbers, units, formulas, sets, words.

    An answer that repeats a calculation from the prompt instead of doing it is wrong (`unevaluated`).

    In a task: `{use: answer, extract: lenient}`.

    Args:
        problems: one per completion; matching any one of its references is right.
        completions: `completions[i]` answers `problems[i]`.
        extract: where the final answer is found: `strict` (a tag or a box), `lenient` (any usual form), or
            an ordered list of rules. An entry without it takes the task's own `extract`.
    """
    rows = [
        (problem.references, _extracted(problem, completion, extract))
        for problem, completion in zip(problems, completions, strict=True)
    ]
    verdicts = iter(_verify_all([row for row in rows if row[0]]))
    results: list[Verdict | TaskError] = []
    for problem, (references, found) in zip(problems, rows, strict=True):
        if not references:
            results.append(TaskError(_NO_REFERENCE))
            continue
        verdict = next(verdicts)
        if verdict.correct and found.text and _repeats_prompt(problem, found.text):
            verdict = Verdict(False, Reason.UNEVALUATED, found.text, "claims")
        results.append(verdict)
    return results


def _repeats_prompt(problem: Problem, text: str) -> bool:
    if isinstance(problem.prompt, str):
        prompt = problem.prompt
    else:
        prompt = str(problem.prompt[-1].get("content", ""))
    return any(restates(reference, text, prompt) for reference in problem.references)


def _empty_fault(reference: str) -> str | None:
    return None if normalise(reference) else "is empty"


@verifier("exact_match", reference_fault=_empty_fault)
def exact_match(
    problem: Problem,
    completion: Completion,
    *,
    extract: ExtractSpec = "strict",
    whole: bool = False,
) -> Verdict:
    """Judge whether the final answer is the same text as the reference once both are normalised.

    Spaces, articles, the case of words and different spellings in LaTeX and Unicode do not matter, and
    phrases with a fixed meaning are equal (`yes` and `true`). Numbers and formulas are not evaluated: `4.0`
    is not `4`. Every completion can be judged.

    In a task: `{use: exact_match, whole: true}`.

    Args:
        problem: matching any one of its references is right.
        completion: the completion.
        extract: where the final answer is found: `strict` (a tag or a box), `lenient` (any usual form), or
            an ordered list of rules. An entry without it takes the task's own `extract`.
        whole: compare the whole text after the thinking part instead of an extracted answer.
    """
    rules = [WHOLE] if whole else ready_rules(extract)
    found = extract_by(rules, whole_answer(problem, completion))
    if found.text is None or found.reason is not None:
        return _not_compared(found)
    given = normalise(found.text)
    same = any(_same_spelling(normalise(reference), given) for reference in problem.references)
    return Verdict(same, Reason.EQUAL if same else Reason.DIFFERENT, extracted=found.text, tier="text")


def _same_spelling(reference: str, given: str) -> bool:
    return reference == given or same_text(reference, given) is True


def _choice_fault(reference: str) -> str | None:
    return None if read_choice(normalise(reference)) else "is not a choice letter"


@verifier("choice", reference_fault=_choice_fault)
def choice(problem: Problem, completion: Completion, *, extract: ExtractSpec = "strict") -> Verdict:
    """Judge whether the final answer chooses the reference's letter, for multiple-choice questions.

    `B`, `(B)`, `b.`, `**B**` and `B) Paris` all choose B. An answer that names two letters is wrong, and so
    is one that starts with none.

    In a task: `{use: choice, extract: lenient}`.

    Args:
        problem: its references are choice letters; matching any one is right.
        completion: the completion.
        extract: where the final answer is found: `strict` (a tag or a box), `lenient` (any usual form), or
            an ordered list of rules. An entry without it takes the task's own `extract`.
    """
    found = _extracted(problem, completion, extract)
    if found.text is None or found.reason is not None:
        return _not_compared(found)
    given = read_choice(normalise(found.text.strip("*_ ")))
    if given is None:
        return Verdict(False, Reason.UNPARSABLE_ANSWER, extracted=found.text, tier="choice")
    letter, option_text = given
    if other_letters(option_text, letter):
        return Verdict(False, Reason.AMBIGUOUS, extracted=found.text, tier="choice")
    accepted = [read_choice(normalise(reference)) for reference in problem.references]
    same = any(read is not None and read[0] == letter for read in accepted)
    return Verdict(same, Reason.EQUAL if same else Reason.DIFFERENT, extracted=found.text, tier="choice")
