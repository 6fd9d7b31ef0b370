"""Held-out evaluation: greedy pass@1, sampled pass@1 and unbiased pass@k, with 95 % intervals."""

import statistics
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...rewards.offline.evaluation import pass_at_k
from ...rewards.offline.measures import mean_rate, wilson_interval
from ..config.run_config import SamplingConfig
from ..engines.base import Engine
from .rollout import Group, LoadedTask, group_is_flat, is_unanimous, scored_groups


@dataclass
class Evaluated:
    """A held-out evaluation."""

    figures: dict[str, Any]
    """As they are logged to eval.jsonl."""
    groups: list[Group]
    """The sampled groups, one per problem."""
    greedy: list[Group]
    """One greedy answer per problem; empty if none was asked for."""


def evaluate(
    engine: Engine,
    loaded: LoadedTask,
    n: int,
    sampling: SamplingConfig,
    *,
    seed: int,
) -> Evaluated:
    """Sample one greedy answer and `n` others to every problem of a task.

    An answer that could not be judged counts as not right; `undecided` says how many there are.
    """
    figures: dict[str, Any] = {"task": loaded.task.name, "problems": len(loaded.problems), "n": n}
    likeliest = sampling.model_copy(update={"temperature": 0.0, "top_p": 1.0})
    indices = range(len(loaded.problems))
    greedy = sampled_groups(engine, loaded, indices, 1, likeliest, seed)
    figures |= _greedy_figures(loaded, greedy)
    groups = sampled_groups(engine, loaded, indices, n, sampling, seed)
    tally = SampleTally(loaded, n)
    for group in groups:
        tally.add(group)
    return Evaluated(figures | tally.figures(), groups, greedy)


def sampled_groups(
    engine: Engine, loaded: LoadedTask, indices: Sequence[int], n: int, sampling: SamplingConfig, seed: int
) -> list[Group]:
    """Sample and score `n` answers to each of some problems of a task."""
    name = loaded.task.name
    chosen = [(name, i) for i in indices]
    groups, _ = scored_groups(engine, {name: loaded}, chosen, n, sampling, seed=seed, step=None)
    return groups


def _greedy_figures(loaded: LoadedTask, groups: Sequence[Group]) -> dict[str, Any]:
    counts = [_count_right(loaded, group) for group in groups]
    right = sum(right for right, _ in counts)
    return {
        "greedy_undecided": sum(undecided for _, undecided in counts),
        "pass_at_1": right / len(groups),
        "pass_at_1_interval": wilson_interval(right, len(groups)),
    }


class SampleTally:
    """Collects the figures of sampled groups one by one, in a few bytes per group.

    Args:
        loaded: the task.
        n: completions per group.
    """

    def __init__(self, loaded: LoadedTask, n: int):
        self._loaded, self._n = loaded, n
        self._right, self._undecided, self._tokens = array("i"), 0, 0
        self._mixed = self._right_and_wrong = 0
        self._rewards: list[float] = [0.0, 0]
        self._watch: dict[str, list[float]] = {name: [0.0, 0] for name in loaded.task.watch}
        """Sum and number of known values."""

    def add(self, group: Group) -> None:
        """Add a scored group."""
        right, undecided = _count_right(self._loaded, group)
        self._right.append(right)
        self._undecided += undecided
        self._tokens += sum(len(completion.token_ids) for completion in group.completions)
        self._mixed += not group_is_flat(group)
        self._right_and_wrong += not is_unanimous(group, self._loaded)
        for score in group.scores:
            _add_known(self._rewards, score.value)
            for name, tally in self._watch.items():
                _add_known(tally, score.parts[name].value)

    def figures(self) -> dict[str, Any]:
        """Return the figures of all groups so far, ready for JSON."""
        n, groups = self._n, len(self._right)
        shares = mean_rate(np.array(self._right) / n)
        return {
            "sampled_pass_at_1": shares.share,
            "sampled_interval": (shares.low, shares.high),
            "pass_at_k": {
                k: statistics.fmean(pass_at_k(n, right, k) for right in self._right) for k in _powers_up_to(n)
            },
            "mixed_groups": self._mixed / groups,
            "right_and_wrong": self._right_and_wrong / groups,
            "undecided": self._undecided,
            "reward": _mean(self._rewards),
            "tokens": self._tokens / (groups * n),
            "watch": {name: _mean(tally) for name, tally in self._watch.items()},
        }


def _add_known(tally: list[float], value: float | None) -> None:
    if value is not None:
        tally[0] += value
        tally[1] += 1


def _mean(tally: Sequence[float]) -> float | None:
    return tally[0] / tally[1] if tally[1] else None


def _count_right(loaded: LoadedTask, group: Group) -> tuple[int, int]:
    """Return how many completions of a group are right, and how many could not be judged."""
    marks = [loaded.scheme.is_right(score) for score in group.scores]
    return marks.count(True), marks.count(None)


def _powers_up_to(n: int) -> list[int]:
    """Return the powers of 2 up to `n`, and `n` itself, ascending."""
    return sorted({n, *(2**i for i in range(n.bit_length()))})
