"""How good an outcome reward model is, on pairs of right and wrong completions, and how it is calibrated."""

import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ...rewards.models.calibration import fit_platt, sigmoid
from ...rewards.models.rm_torch import Rm
from ...rewards.offline.measures import auroc, bootstrap_interval, ece, spearman
from ...rewards.rows.preferences import Preference
from .rm_examples import Ranked, encode


@dataclass(frozen=True)
class PairQuality:
    """The quality of a model's scores on pairs. A measure is None where it cannot be computed."""

    accuracy: float | None
    """The share of pairs whose better completion scores higher, averaged over prompts; ties are wrong."""
    low: float | None
    """The ends of its 95 % interval, by bootstrap over prompts."""
    high: float | None
    pairs: int
    prompts: int
    by_prompt: Mapping[str, float]
    """The accuracy on each prompt, for comparisons of two models."""
    auroc: float | None
    """Over all completions, of different prompts too, where a Bradley-Terry score need not be comparable."""
    ece: float | None
    """Expected calibration error of the score's logistic function; for a model that knows differences only it
    is large, until it is calibrated."""
    length: float | None
    """Spearman's correlation of the score with the length."""
    mean: float | None
    std: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return the measures by name, without those of single prompts."""
        return {name: value for name, value in asdict(self).items() if name != "by_prompt"}


def pair_quality(
    pairs: Mapping[str, Sequence[tuple[float, float]]], completions: Sequence[tuple[float, bool, int]]
) -> PairQuality:
    """Return the quality of a model's scores.

    Args:
        pairs: for each prompt, by its key, the scores of the better and the worse completion of each pair.
        completions: the score of each completion of any prompt, whether it is the better one of its pairs,
            and its length in tokens.
    """
    by_prompt = {
        prompt: statistics.fmean(better > worse for better, worse in own) for prompt, own in pairs.items()
    }
    low, high = bootstrap_interval(list(by_prompt.values()))
    scores = [score for score, _, _ in completions]
    labels = [is_better for _, is_better, _ in completions]
    known = bool(scores)
    return PairQuality(
        accuracy=statistics.fmean(by_prompt.values()) if known else None,
        low=low if known else None,
        high=high if known else None,
        pairs=sum(map(len, pairs.values())),
        prompts=len(pairs),
        by_prompt=by_prompt,
        auroc=auroc(scores, labels) if known else None,
        ece=ece(sigmoid(scores), labels) if known else None,
        length=spearman(scores, [length for _, _, length in completions]) if known else None,
        mean=statistics.fmean(scores) if known else None,
        std=float(np.std(scores)) if known else None,
    )


def measure(rm: Rm, pairs: Sequence[Preference]) -> PairQuality:
    """Return how well a model tells the better completion from the worse one."""
    ranked = encode(rm, pairs).items
    scores = _scores(rm, ranked)
    of_pairs: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for prompt, own in zip(ranked, scores, strict=True):
        for better, worse in prompt.decided:
            of_pairs[prompt.key].append((own[better], own[worse]))
    return pair_quality(of_pairs, list(_completions(ranked, scores)))


def _scores(rm: Rm, ranked: Sequence[Ranked]) -> list[list[float]]:
    """Return the score of every completion, one list per prompt."""
    scores = iter(rm.score([one for prompt in ranked for one in prompt.inputs]))
    return [[next(scores) for _ in prompt.inputs] for prompt in ranked]


def _completions(
    ranked: Sequence[Ranked], scores: Sequence[Sequence[float]]
) -> Iterator[tuple[float, bool, int]]:
    """Yield score, label and length of each completion that is always the better or always the worse one."""
    for prompt, own in zip(ranked, scores, strict=True):
        better, worse = {a for a, _ in prompt.decided}, {b for _, b in prompt.decided}
        for place, score in enumerate(own):
            is_better = place in better
            if is_better != (place in worse):
                yield score, is_better, len(prompt.inputs[place].ids)


def calibration_of(rm: Rm, held_out: Sequence[Preference]) -> dict[str, Any]:
    """Return the constants of the calibrations, fitted on held-out completions; empty without any."""
    ranked = encode(rm, held_out).items
    known = list(_completions(ranked, _scores(rm, ranked)))
    scores = [score for score, _, _ in known]
    if len({is_better for _, is_better, _ in known}) < 2 or len(set(scores)) < 2:
        return {}
    return {
        "platt": list(fit_platt(scores, [is_better for _, is_better, _ in known])),
        "standardised": [statistics.fmean(scores), statistics.pstdev(scores)],
        "completions": len(scores),
    }
