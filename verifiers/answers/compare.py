r"""Comparing bare answers: `compare_answers`, and the same for many at once.

A Verdict has three values: right, wrong, and None if the answer could not be judged. None is never the
completion's fault: the reference cannot be read, or no worker process for math-verify can be used. An answer
that cannot be read, is too large or takes too long is wrong. The tiers of the comparison are in `tiers.py`.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, cast, get_args

from ...sandbox.errors import UnknownNameError
from ..policy import Decimals, Policy
from ..spelling.normalise import normalise, with_decimal_points
from ..text.exact_number import ANSWER_CHARS
from ..verdict import Reason, Verdict
from . import math_verify
from .tiers import MAX_REFERENCE, TierJudge, restates

KEPT = 1 << 13
"""How many verdicts are kept in memory, because samples of one problem often give the same answer."""
KEPT_CHARS = 600
"""Longest pair, in characters of reference and answer together, whose verdict is kept."""
Pair = tuple[str, str]
"""A reference and an answer."""
Comparison = tuple[str, str, Policy]
"""A reference, an answer, and how they are compared."""
_kept: dict[Comparison, Verdict] = {}
_DEFAULT = Policy()


def compare_answers(
    reference: str,
    answer: str,
    *,
    decimals: Decimals = "rounded",
    decimal_comma: bool = False,
    question: str | None = None,
) -> Verdict:
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
        >>> compare_answers("B", "Paris", question="Which is a capital? (A) Lyon (B) Paris")
        Verdict(right: equal, 'Paris')

    Args:
        reference: the accepted answer; a number is read as its text.
        answer: the answer, without the text that leads to it.
        decimals: how near a decimal must be: `exact`, `rounded` or `loose` (see verifiers/README.md).
        decimal_comma: read `3,5` as 3.5, and not as a list of two numbers.
        question: the problem's text, if it is known. The options that it lists, the quantity that it asks for
            and the calculations that it leaves to the reader are used.

    Returns:
        A Verdict with `correct` True, False, or None if no tier could tell; `tier` is the one that decided.

    Raises:
        TypeError: the reference or the answer is neither a text nor a number.
        UnknownNameError: there is no such `decimals` policy.
    """
    policy = policy_of(decimals, decimal_comma, question)
    return compare_one((as_text(reference, "reference"), as_text(answer, "answer"), policy))


def policy_of(decimals: str, decimal_comma: bool, question: str | None) -> Policy:
    """Return the policy that the arguments of a public function ask for.

    Raises:
        UnknownNameError: there is no such `decimals` policy.
    """
    if decimals == "rounded" and not decimal_comma and not question:
        return _DEFAULT
    known = get_args(Decimals)
    if decimals not in known:
        raise UnknownNameError.of("decimals policy", decimals, known)
    return Policy(cast(Decimals, decimals), decimal_comma, question or "")


def as_text(value: Any, name: str) -> str:
    """Return a text as it is, and a number as its text."""
    if isinstance(value, str):
        return value
    is_number = isinstance(value, int | float | Fraction) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value):
        raise TypeError(f"{name} takes a text or a finite number (given: {value!r}); convert it with str()")
    return str(value)


def compare_all(pairs: Sequence[Pair]) -> list[Verdict]:
    """Judge many (reference, answer) pairs; math-verify judges those that need it in parallel."""
    return compare_by_policy([(reference, answer, _DEFAULT) for reference, answer in pairs])


def compare_one(comparison: Comparison) -> Verdict:
    """Judge one answer by its policy."""
    verdict = _by_own_tiers(comparison)
    if verdict is None:
        verdict = _by_math_verify([comparison])[comparison]
    return _copied(verdict, comparison[1])


def compare_by_policy(comparisons: Sequence[Comparison]) -> list[Verdict]:
    """Judge many answers, each by its own policy; math-verify judges those that need it in parallel."""
    verdicts = [_by_own_tiers(comparison) for comparison in comparisons]
    undecided = [pair for pair, verdict in zip(comparisons, verdicts, strict=True) if verdict is None]
    by_last_tier = _by_math_verify(undecided)
    return [
        _copied(by_last_tier[pair] if verdict is None else verdict, pair[1])
        for verdict, pair in zip(verdicts, comparisons, strict=True)
    ]


def _by_math_verify(comparisons: Sequence[Comparison]) -> dict[Comparison, Verdict]:
    if not comparisons:
        return {}
    distinct = list(dict.fromkeys(comparisons))
    normalised = [(normalise(reference), normalise(answer)) for reference, answer, _ in distinct]
    verdicts = dict(zip(distinct, math_verify.judge_all(normalised), strict=True))
    for comparison, verdict in verdicts.items():
        verdict.tier = "last"
        if verdict.reason is not Reason.UNAVAILABLE:
            _keep(comparison, verdict)
    return verdicts


def _by_own_tiers(comparison: Comparison) -> Verdict | None:
    """Judge by the kept verdicts, or by all tiers but the last; None if they cannot tell."""
    kept = _kept.get(comparison)  # one lookup, because another thread may clear the memory at any time
    if kept is not None:
        return kept
    reference, answer, policy = comparison
    if len(reference) > MAX_REFERENCE:
        evidence = {"reference": f"has {len(reference)} characters (at most {MAX_REFERENCE})"}
        return Verdict(None, Reason.UNPARSABLE_REFERENCE, tier="claims", evidence=evidence)
    if len(answer) > 10 * ANSWER_CHARS:
        answer = " ".join(answer.split())
        if len(answer) > 10 * ANSWER_CHARS:
            return Verdict(False, Reason.TOO_LARGE, tier="claims")
    if policy.decimal_comma:
        reference, answer = with_decimal_points(reference), with_decimal_points(answer)
    verdict = _by_tiers(normalise(reference), normalise(answer), policy)
    if verdict.correct is None and verdict.reason is Reason.UNDECIDED:
        math_verify.warm_up()
        return None
    _keep(comparison, verdict)
    return verdict


def _by_tiers(target: str, given: str, policy: Policy) -> Verdict:
    if target == given != "":
        # The same text is right whatever it says, even `5 or 6`: no tier need be asked.
        return Verdict(True, Reason.EQUAL, tier="words")
    verdict = TierJudge(policy)(target, given)
    if verdict.correct and policy.question and restates(target, given, normalise(policy.question)):
        return Verdict(False, Reason.UNEVALUATED, tier="claims")
    return verdict


def _keep(comparison: Comparison, verdict: Verdict) -> None:
    if len(comparison[0]) + len(comparison[1]) <= KEPT_CHARS:
        if len(_kept) >= KEPT:
            _kept.clear()
        _kept[comparison] = verdict


def _copied(verdict: Verdict, answer: str) -> Verdict:
    """Return a copy that the caller may change, with the answer as it was given."""
    return Verdict(
        verdict.correct, verdict.reason, answer[:ANSWER_CHARS], verdict.tier, evidence=dict(verdict.evidence)
    )
