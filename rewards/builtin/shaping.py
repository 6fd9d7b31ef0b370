"""Built-in rewards that shape: length, repetition, language. Each is a measure turned into a value."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from ...sandbox.errors import RewardError
from ...tasks.problem import Completion, Problem
from ...verifiers.format import known_language, language_share, length_of, repetition_share
from ..composition.registry import reward
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
    """Return 1 within `tolerance` of `target`, falling to 0 at a distance of `target` beyond it."""
    found = length_of(completion, unit)
    if found is None:
        return _NO_TOKENS
    distance = max(0, abs(found - target) - tolerance)
    return max(0.0, 1.0 - distance / target)


@reward("overlong", range=(-1.0, 0.0))
def overlong(
    problem: Problem,
    completion: Completion,
    *,
    max_tokens: int,
    cache_tokens: int,
    unit: Unit = "tokens",
) -> float | Score:
    """Return the soft overlong punishment, -1 to 0.

    0 up to max_tokens - cache_tokens, then linearly down to -1 at max_tokens, and -1 beyond.
    Source: DAPO (arXiv 2503.14476), equation 13.
    """
    if cache_tokens > max_tokens:
        raise RewardError(
            f"overlong: expected 0 < cache_tokens <= max_tokens (given: {cache_tokens}, {max_tokens})"
        )
    found = length_of(completion, unit)
    if found is None:
        return _NO_TOKENS
    over = found - (max_tokens - cache_tokens)
    return -min(max(over / cache_tokens, 0.0), 1.0)


@reward("repetition", range=(-1.0, 0.0))
def repetition(problem: Problem, completion: Completion, *, n: Positive = 3) -> float:
    """Return minus the share of repeated word n-grams, -1 to 0."""
    return -repetition_share(completion.text, n)


@reward("language")
def language(problem: Problem, completion: Completion, *, to: Language = "en") -> float:
    """Return the share of words in the script of language `to`, 0 to 1.

    Source: DeepSeek-R1 (arXiv 2501.12948), language consistency reward.
    """
    return language_share(completion.text, to)
