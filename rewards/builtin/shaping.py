"""Built-in rewards for the form of a completion: its length, its repetitions and its language."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from ...sandbox.errors import RewardError
from ...tasks.problem import Completion, Problem
from ...verifiers.format import known_language, language_share, length_of, repetition_share
from ..composition.reward_functions import reward
from ..score import Score, Status

Unit = Literal["tokens", "words", "characters"]
Language = Annotated[str, AfterValidator(known_language)]
Positive = Annotated[int, Field(gt=0)]
NotNegative = Annotated[int, Field(ge=0)]

_NO_TOKENS = Score(None, Status.NOT_APPLICABLE, reason="the completion came without token ids")


@reward("length")
def length(
    problem: Problem,
    completion: Completion,
    *,
    target: Positive,
    tolerance: NotNegative = 0,
    unit: Unit = "words",
) -> float | Score:
    """Reward completions whose length is close to a target, from 0 (far off) to 1 (close enough).

    The value is 1 up to `tolerance` away from the target. It then falls linearly, and reaches 0 after another
    `target` units: with `target: 200` and `tolerance: 20`, a completion of 320 words gets 0.5.

    In a task: `{use: length, target: 200, unit: tokens}`

    Args:
        problem: not used.
        completion: the completion to measure.
        target: the wanted length, in `unit`; 1 or more.
        tolerance: how far from the target the value is still 1, in `unit`; 0 or more.
        unit: the unit of length. With `tokens`, a completion without token ids is not scored.
    """
    measured = length_of(completion, unit)
    if measured is None:
        return _NO_TOKENS
    distance = max(0, abs(measured - target) - tolerance)
    return max(0.0, 1.0 - distance / target)


def _check_cache(*, max_tokens: int, cache_tokens: int, **_: Any) -> None:
    if cache_tokens > max_tokens:
        raise RewardError(
            "overlong: expected cache_tokens of at most max_tokens"
            f" (given: cache_tokens {cache_tokens}, max_tokens {max_tokens}); lower cache_tokens"
        )


@reward("overlong", range=(-1.0, 0.0), ready=_check_cache)
def overlong(
    problem: Problem,
    completion: Completion,
    *,
    max_tokens: Positive,
    cache_tokens: Positive,
    unit: Unit = "tokens",
) -> float | Score:
    """Penalise completions that come close to the maximum length: DAPO's soft overlong punishment, -1 to 0.

    The value is 0 up to max_tokens - cache_tokens, falls linearly to -1 at max_tokens, and stays -1 beyond.
    Source: DAPO (arXiv 2503.14476), equation 13.

    In a task: `{use: overlong, max_tokens: 20480, cache_tokens: 4096}`

    Args:
        problem: not used.
        completion: the completion to measure.
        max_tokens: the length, in `unit`, from which on the value is -1.
        cache_tokens: the length of the interval before `max_tokens` in which the value falls from 0 to -1;
            above 0 and at most `max_tokens`.
        unit: the unit of length. With `tokens`, a completion without token ids is not scored.
    """
    measured = length_of(completion, unit)
    if measured is None:
        return _NO_TOKENS
    over = measured - (max_tokens - cache_tokens)
    return -min(max(over / cache_tokens, 0.0), 1.0)


@reward("repetition", range=(-1.0, 0.0))
def repetition(problem: Problem, completion: Completion, *, n: Positive = 3) -> float:
    """Penalise completions that repeat themselves: minus the share of repeated word n-grams, -1 to 0.

    The share is 1 - distinct n-grams / all n-grams; case is ignored.

    In a task: `{use: repetition, n: 4, weight: 0.1}`

    Args:
        problem: not used.
        completion: the completion to measure.
        n: the number of words in an n-gram, 1 or more; the smaller, the more ordinary text is penalised too.
    """
    return -repetition_share(completion.text, n)


@reward("language")
def language(problem: Problem, completion: Completion, *, to: Language = "en") -> float:
    """Reward completions that keep to one language: the share of words in its script, 0 to 1.

    Languages are told apart by their script only, so those that share one (such as English and Italian)
    mostly count as the same. Tags and LaTeX commands are ignored; a completion without words gets 1.
    Source: DeepSeek-R1 (arXiv 2501.12948), language consistency reward.

    In a task: `{use: language, to: zh, weight: 0.1}`

    Args:
        problem: not used.
        completion: the completion to measure.
        to: the language's ISO 639-1 code, such as `en`, `de`, `zh` or `ja`.
    """
    return language_share(completion.text, to)
