"""The guard against over-optimisation: a decision from verified accuracy on held-out prompts. Pure functions.

A policy that learns from a model's score ends up with what the model mistakes for good: the score rises and
the accuracy falls. The model's accuracy on pairs does not warn reliably, since the failing groups have no
pairs.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

ERRORS = 2.0
"""Standard errors below the best accuracy at which the policy goes back."""


@dataclass(frozen=True)
class Decline:
    """The change of the policy since its best point."""

    accuracy: float
    """The difference of the verified accuracies, now minus best."""
    error: float
    """Its standard error: of the paired differences over prompts."""
    score: float
    """The difference of the model's mean scores, now minus best, both by the model of now."""

    @property
    def over_optimised(self) -> bool:
        """Whether the accuracy is clearly below the best one while the score did not fall."""
        return self.accuracy < -ERRORS * self.error and self.score >= 0

    @property
    def parted(self) -> bool:
        """Whether the score rose while the accuracy did not: an early sign."""
        return self.score > 0 >= self.accuracy and not self.over_optimised

    def __str__(self) -> str:
        return (
            f"verified accuracy on held-out prompts {self.accuracy:+.3f} (standard error {self.error:.3f})"
            f" since the best point, the model's score {self.score:+.3f}"
        )


def decline(now: Sequence[float], best: Sequence[float], score_now: float, score_best: float) -> Decline:
    """Compare the policy with its best point, prompt by prompt.

    Args:
        now: for each held-out prompt, the share of its completions that is right.
        best: the same at the best point.
        score_now: the model's mean score of the completions.
        score_best: that of the completions of the best point.
    """
    differences = [a - b for a, b in zip(now, best, strict=True)]
    error = statistics.stdev(differences) / math.sqrt(len(differences)) if len(differences) > 1 else math.inf
    return Decline(statistics.fmean(differences), error, score_now - score_best)
