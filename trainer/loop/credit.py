"""Where a score becomes an advantage: a step's scored groups in, the advantage of every token out.

`mode: outcome` gives every token of a completion that completion's outcome advantage. `mode: process` adds
what the completion's steps earn, placed on the sampled ids. A row without a known score is left out of both.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from ...rewards.score import Score, Status
from ...tasks.problem import Completion
from ...tasks.reward_entries import PROCESS, ProcessEntry
from ...verifiers.steps.token_positions import step_ends
from ..config.algorithm_config import AlgorithmConfig
from ..models.batch import repeated
from ..objective.outcome_advantages import outcome_advantages
from ..objective.process_advantages import StepSettings, pooled_spread, process_advantages
from .rollout import Group, LoadedTask

NOT_THE_COMPLETIONS_FAULT = frozenset({Status.INFRA_ERROR, Status.ABSTAIN, Status.BUG})


@dataclass
class Credit:
    """What the tokens of one completion earn."""

    tokens: list[float] | None
    """One advantage per token; None = the row is left out."""
    ends: list[int] = field(default_factory=list)
    """In process mode: the index of each step's last token."""

    @property
    def mean(self) -> float:
        """The mean over tokens; 0 for a row that is left out."""
        return sum(self.tokens) / len(self.tokens) if self.tokens else 0.0

    def of_steps(self) -> list[float]:
        """Return the advantage at the last token of each step."""
        return [self.tokens[end] for end in self.ends] if self.tokens else []


def credits_of(
    groups: Sequence[Group],
    tasks: Mapping[str, LoadedTask],
    algorithm: AlgorithmConfig,
    tokenizer: Any,
    step: int,
) -> list[list[Credit]]:
    """Return the credit of every completion of every group.

    Args:
        groups: a training step's scored groups.
        tasks: the tasks that they belong to, by name.
        algorithm: mode, std and eps.
        tokenizer: of the policy, to place steps on ids.
        step: the training step, for weights that change.
    """
    rewards_PG = torch.tensor([group.rewards for group in groups], dtype=torch.float64)
    outcomes_PG = outcome_advantages(rewards_PG, std=algorithm.std, eps=algorithm.eps)
    or_left_out = torch.where(rewards_PG.isnan(), torch.nan, outcomes_PG).tolist()
    earned = [
        [Credit(of_tokens) for of_tokens in repeated(group.completions, row)]
        for row, group in zip(or_left_out, groups, strict=True)
    ]
    if algorithm.mode == "process":
        for row, group in zip(earned, groups, strict=True):
            _place_steps(row, group, tasks[group.task], tokenizer)
        for name in {group.task for group in groups}:
            mine = [(row, group) for row, group in zip(earned, groups, strict=True) if group.task == name]
            _add_process(mine, tasks[name], algorithm, step)
    return earned


def _place_steps(row: Sequence[Credit], group: Group, loaded: LoadedTask, tokenizer: Any) -> None:
    """Find each step's last token; leave out rows whose steps could not be marked by no fault of theirs."""
    for credit, completion, score in zip(row, group.completions, group.scores, strict=True):
        part = score.parts[PROCESS]
        if part.value is None and part.status in NOT_THE_COMPLETIONS_FAULT:
            credit.tokens = None
        if credit.tokens is not None:
            credit.ends = _ends(completion, score, loaded, tokenizer)


def _ends(completion: Completion, score: Score, loaded: LoadedTask, tokenizer: Any) -> list[int]:
    assert loaded.task.process is not None
    steps = [mark.step for mark in score.steps or ()]
    return step_ends(completion.token_ids, completion.text, steps, tokenizer, tail=loaded.task.process.tail)


def _add_process(
    rows: Sequence[tuple[list[Credit], Group]], loaded: LoadedTask, algorithm: AlgorithmConfig, step: int
) -> None:
    """Add what the steps earn to the tokens of one task's groups."""
    entry = loaded.task.process
    assert entry is not None
    middle = sum(loaded.scheme.step_bounds) / 2
    kept = [
        [
            (credit, score)
            for credit, score in zip(row, group.scores, strict=True)
            if credit.tokens is not None
        ]
        for row, group in rows
    ]
    marks = [[_marks(score) for _, score in row] for row in kept]
    settings = StepSettings(
        entry.credit, entry.pool, algorithm.std, algorithm.eps, entry.centred, clip_at=middle
    )
    if algorithm.std == "batch":
        settings = replace(settings, std=pooled_spread(marks, settings) or "none")
    for row, rewards in zip(kept, marks, strict=True):
        if row:
            _add_to_group(row, rewards, settings, loaded, entry, step)


def _add_to_group(
    row: Sequence[tuple[Credit, Score]],
    rewards: Sequence[Sequence[float]],
    settings: StepSettings,
    loaded: LoadedTask,
    entry: ProcessEntry,
    step: int,
) -> None:
    """Set the tokens of one group to the outcome's advantage, where wanted, and the weighted steps'."""
    advantages_GT = process_advantages(
        rewards,
        [credit.ends for credit, _ in row],
        [len(credit.tokens or ()) for credit, _ in row],
        gate_labels=[loaded.scheme.is_right(score) for _, score in row] if entry.gate else None,
        **vars(settings),
    )
    weight, outcome = entry.weight_at(step), 1.0 if entry.outcome else 0.0
    for (credit, _), of_steps in zip(row, advantages_GT.tolist(), strict=True):
        assert credit.tokens is not None
        credit.tokens = [outcome * a + weight * b for a, b in zip(credit.tokens, of_steps, strict=False)]


def _marks(score: Score) -> list[float]:
    return [math.nan if mark.value is None else mark.value for mark in score.steps or ()]
