r"""Judging whole completions: `verify_answer`, and the verifiers `answer`, `exact_match` and `choice`.

The answer is found first (`extraction/`), then compared (`compare.py`). A completion that states other values
after its answer is right only if these are right too.
"""

import re
from collections.abc import Sequence

from ...sandbox.errors import TaskError
from ...tasks.problem import Completion, Problem
from ..completion import Extracted, ThinkingMark, thinking_marks, whole_answer
from ..extraction.extract import WHOLE, ExtractSpec, extract_by, ready_rules
from ..policy import Decimals, Policy
from ..spelling.normalise import normalise
from ..spelling.question import asks_for_wrong
from ..text.choice_letters import other_letters, read_choice
from ..text.exact_number import ANSWER_CHARS
from ..text.words import same_text
from ..verdict import Reason, Verdict, verifier
from .compare import as_text, compare_by_policy, compare_one, policy_of
from .tiers import reference_fault


def verify_answer(
    reference: str | Sequence[str],
    completion: str,
    *,
    extract: ExtractSpec = "strict",
    thinking: Sequence[ThinkingMark] = (),
    decimals: Decimals = "rounded",
    decimal_comma: bool = False,
    question: str | None = None,
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
        reference: the accepted answer, or several; matching any one of them is right. Numbers are read as
            their texts.
        completion: the whole text, its thinking part included.
        extract: `strict`, `lenient`, or an ordered list of rules; see `extract_answer`.
        thinking: further marks of the thinking part; see `extract_answer`.
        decimals: how near a decimal must be: `exact`, `rounded` or `loose`.
        decimal_comma: read `3,5` as 3.5, and not as a list of two numbers.
        question: the problem's text, if it is known; see `compare_answers`.

    Raises:
        TypeError: a reference is neither a text nor a number, or the completion is not a text.
        TaskError: there is no reference, or a rule is malformed.
        UnknownNameError: there is no such preset, rule or `decimals` policy.
    """
    if not isinstance(completion, str):
        raise TypeError(f"completion takes the text of a completion (given: {completion!r})")
    references = [reference] if isinstance(reference, str) else _as_texts(reference)
    found = extract_by(ready_rules(extract), completion, thinking_marks(thinking))
    policy = policy_of(decimals, decimal_comma, question)
    if found.reason is not None:
        _allow_wrong_option(found, completion, policy.question)
    if found.text is None or found.reason is not None:
        return _not_compared(found)
    if len(references) == 1 and not found.later:  # nearly always
        return compare_one((references[0], found.text, policy))
    return _verify_all([(references, found, policy)])[0]


_WRONG_STATEMENT = re.compile(
    r"\b(?:incorrect|false|wrong|untrue|invalid|not (?:correct|true))\b|错误|不正确", re.IGNORECASE
)


def _allow_wrong_option(found: Extracted, text: str, question: str) -> None:
    """Clear the denial in `statement B is incorrect` if the question asks for what is wrong."""
    if found.reason is Reason.DENIED and found.span and re.fullmatch(r"\W*[A-J]\W*", found.text or ""):
        around = text[max(found.span[0] - 40, 0) : found.span[1] + 30]
        if asks_for_wrong(question) and _WRONG_STATEMENT.search(around):
            found.reason = None


READ_CHARS = 10 * ANSWER_CHARS
"""Longer answers, in characters, are not read."""


def _as_texts(reference: object) -> list[str]:
    """Return the accepted answers as texts; a single number is one answer."""
    given = reference if isinstance(reference, list | tuple) else (reference,)
    if not given:
        raise TaskError(_NO_REFERENCE)
    return [as_text(each, "reference") for each in given]


_NO_REFERENCE = "there is no reference to judge by; set `problem.reference` in the task"


def _verify_all(rows: Sequence[tuple[Sequence[str], Extracted, Policy]]) -> list[Verdict]:
    r"""Judge extracted answers, each against its own references, with all comparisons in one batch.

    What a completion states after its answer must be right too: `\boxed{42}. Actually, it is 17.` is wrong.
    """
    comparisons = [
        (reference, text, policy)
        for references, found, policy in rows
        if found.text is not None and found.reason is None
        for text in (found.text, *found.later)
        for reference in references
    ]
    compared = iter(compare_by_policy(comparisons))
    verdicts = []
    for references, found, _ in rows:
        if found.text is None or found.reason is not None:
            verdicts.append(_not_compared(found))
            continue
        verdict = _any_of([next(compared) for _ in references])
        later = [_any_of([next(compared) for _ in references]) for _ in found.later]
        if verdict.correct and any(other.correct is False for other in later):
            verdict = Verdict(False, Reason.CONTRADICTS, found.text, "extract")
        verdicts.append(verdict)
    return verdicts


def _any_of(verdicts: Sequence[Verdict]) -> Verdict:
    """Return Kleene's `or`: right if any is right, else None if any could not be judged, else wrong."""
    if len(verdicts) == 1:
        return verdicts[0]
    return min(verdicts, key=lambda verdict: (True, None, False).index(verdict.correct))


def _not_compared(found: Extracted) -> Verdict:
    """Return the verdict on an answer that extraction did not find, or already rejected."""
    return Verdict(False, found.reason or Reason.NO_ANSWER, extracted=found.text, tier="extract")


def _extracted(
    problem: Problem, completion: Completion, extract: ExtractSpec, thinking: Sequence[ThinkingMark]
) -> Extracted:
    """Find the answer of a completion; one that was cut off inside its box or tag does not count."""
    text = whole_answer(problem, completion, thinking)
    found = extract_by(ready_rules(extract), text, thinking_marks(thinking))
    _allow_wrong_option(found, text, _question(problem))
    if not found.closed and completion.finish_reason == "length":
        return Extracted(None, found.rule, found.span, Reason.NO_ANSWER)
    return found


@verifier("answer", reference_fault=reference_fault, batch=True)
def answer(
    problems: Sequence[Problem],
    completions: Sequence[Completion],
    *,
    extract: ExtractSpec = "strict",
    thinking: Sequence[ThinkingMark] = (),
    decimals: Decimals = "rounded",
    decimal_comma: bool = False,
) -> list[Verdict | TaskError]:
    """Judge whether the final answer means the same as the reference: numbers, units, formulas, sets, words.

    An answer that repeats a calculation from the prompt instead of doing it is wrong (`unevaluated`).

    In a task: `{use: answer, extract: lenient}`.

    Args:
        problems: one per completion; matching any one of its references is right.
        completions: `completions[i]` answers `problems[i]`.
        extract: where the final answer is found: `strict` (a tag or a box), `lenient` (any usual form), or
            an ordered list of rules. An entry without it takes the task's own `extract`.
        thinking: further marks of the thinking part; an entry without it takes the task's own.
        decimals: how near a decimal must be: `exact` (equal), `rounded` (to the digits that the reference
            shows) or `loose` (1 %).
        decimal_comma: read `3,5` as 3.5, and not as a list of two numbers.
    """
    rows = [
        (
            problem.references,
            _extracted(problem, completion, extract, thinking),
            Policy(decimals, decimal_comma, _question(problem)),
        )
        for problem, completion in zip(problems, completions, strict=True)
    ]
    verdicts = iter(_verify_all([row for row in rows if row[0]]))
    return [next(verdicts) if references else TaskError(_NO_REFERENCE) for references, _, _ in rows]


def _question(problem: Problem) -> str:
    """Return the text of the last message of a problem's prompt."""
    if isinstance(problem.prompt, str):
        return problem.prompt
    return str(problem.prompt[-1].get("content", ""))


def _empty_fault(reference: str) -> str | None:
    return None if normalise(reference) else "is empty"


@verifier("exact_match", reference_fault=_empty_fault)
def exact_match(
    problem: Problem,
    completion: Completion,
    *,
    extract: ExtractSpec = "strict",
    thinking: Sequence[ThinkingMark] = (),
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
        thinking: further marks of the thinking part; an entry without it takes the task's own.
        whole: compare the whole text after the thinking part instead of an extracted answer.
    """
    if whole:
        found = extract_by([WHOLE], whole_answer(problem, completion, thinking), thinking_marks(thinking))
    else:
        found = _extracted(problem, completion, extract, thinking)
    if found.text is None or found.reason is not None:
        return _not_compared(found)
    if len(found.text) > READ_CHARS:
        return Verdict(False, Reason.TOO_LARGE, tier="text")
    references = [normalise(reference) for reference in problem.references]
    given, *later = [
        any(_same_spelling(one, normalise(text)) for one in references) for text in _stated(found)
    ]
    reason = Reason.EQUAL if given else Reason.DIFFERENT
    if given and not all(later):
        given, reason = False, Reason.CONTRADICTS
    return Verdict(given, reason, extracted=found.text, tier="text")


def _stated(found: Extracted) -> list[str]:
    """Return the answer, and the values that the completion states beside it, which must be right too."""
    return [found.text or "", *found.later]


def _same_spelling(reference: str, given: str) -> bool:
    return reference == given or same_text(reference, given) is True


def _choice_fault(reference: str) -> str | None:
    return None if read_choice(normalise(reference)) else "is not a choice letter"


@verifier("choice", reference_fault=_choice_fault)
def choice(
    problem: Problem,
    completion: Completion,
    *,
    extract: ExtractSpec = "strict",
    thinking: Sequence[ThinkingMark] = (),
) -> Verdict:
    """Judge whether the final answer chooses the reference's letter, for multiple-choice questions.

    `B`, `(B)`, `b.`, `**B**` and `B) Paris` all choose B. An answer that names two letters is wrong, and so
    is one that starts with none.

    In a task: `{use: choice, extract: lenient}`.

    Args:
        problem: its references are choice letters; matching any one is right.
        completion: the completion.
        extract: where the final answer is found: `strict` (a tag or a box), `lenient` (any usual form), or
            an ordered list of rules. An entry without it takes the task's own `extract`.
        thinking: further marks of the thinking part; an entry without it takes the task's own.
    """
    found = _extracted(problem, completion, extract, thinking)
    if found.text is None or found.reason is not None:
        return _not_compared(found)
    given = read_choice(normalise(found.text.strip("*_ "))) if len(found.text) <= READ_CHARS else None
    if given is None:
        return Verdict(False, Reason.UNPARSABLE_ANSWER, extracted=found.text, tier="choice")
    letter, option_text = given
    if other_letters(option_text, letter):
        return Verdict(False, Reason.AMBIGUOUS, extracted=found.text, tier="choice")
    accepted = [read_choice(normalise(reference)) for reference in problem.references]
    same = any(read is not None and read[0] == letter for read in accepted)
    return Verdict(same, Reason.EQUAL if same else Reason.DIFFERENT, extracted=found.text, tier="choice")
