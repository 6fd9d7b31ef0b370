"""The held-out prompts of a run, and how the policy does on them at the end of an iteration.

Neither the policy nor the reward model is trained on these prompts.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...rewards.composition.entries import Rows
from ...rewards.composition.run_composite import run_entry
from ...tasks.problem import Completion, Problem
from ..loop.rollout import Group, LoadedTask, is_unanimous
from ..reward_models.acceptance import share_of_advantage


@dataclass(frozen=True)
class HeldOut:
    """What the policy did on the held-out prompts at one point of a run. A checkpoint keeps it."""

    step: int
    accuracy: tuple[float, ...]
    """For each prompt, the share of its completions that is verified as right."""
    texts: tuple[tuple[str, ...], ...]
    """The completions of each prompt, which later reward models score again."""
    unanimous: float | None
    """The share of all |A| in groups whose completions are all right or all wrong."""

    @property
    def mean(self) -> float:
        """The verified accuracy."""
        return statistics.fmean(self.accuracy)

    def state(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return {
            "step": self.step,
            "accuracy": self.accuracy,
            "texts": self.texts,
            "unanimous": self.unanimous,
        }

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> "HeldOut":
        """Return what `state` returned."""
        texts = tuple(map(tuple, state["texts"]))
        return cls(state["step"], tuple(state["accuracy"]), texts, state["unanimous"])


def measured_groups(groups: Sequence[Group], tasks: Mapping[str, LoadedTask], step: int) -> HeldOut:
    """Return what scored groups of the held-out prompts say of the policy."""
    marks = [[tasks[group.task].scheme.is_right(score) for score in group.scores] for group in groups]
    return HeldOut(
        step,
        tuple(statistics.fmean(mark is True for mark in row) for row in marks),
        tuple(
            tuple(completion.prefill + completion.text for completion in group.completions)
            for group in groups
        ),
        share_of_advantage(
            [group.rewards for group in groups], [is_unanimous(group, tasks[group.task]) for group in groups]
        ),
    )


def mean_worth(
    problems: Sequence[Problem], texts: Sequence[Sequence[str]], loaded: LoadedTask, entry: str
) -> float:
    """Return the mean value that an entry gives to completions, by its reward model of now."""
    rows = [(problem, Completion(text)) for problem, own in zip(problems, texts, strict=True) for text in own]
    parts = run_entry(
        loaded.scheme.entries[entry], Rows([one for one, _ in rows], [completion for _, completion in rows])
    )
    known = [part.value for part in parts if part.value is not None]
    return statistics.fmean(known) if known else 0.0
