"""From scores to advantages: a training step's scored groups in, the advantage of every token out.

`mode: outcome` gives every token of a completion the completion's outcome advantage. `mode: process` adds the
credit for the steps that end at or after the token. In both, a row without a known score is left out. The
formulas are in `trainer/objective/`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from ...rewards.score import Score, Status
from ...tasks.reward_entries import PROCESS, ProcessEntry
from ...verifiers.steps.token_positions import step_ends
from ..config.algorithm_config import AlgorithmConfig
from ..config.run_config import Truncated
from ..models.batch import for_each_token
from ..objective.outcome_advantages import outcome_advantages
from ..objective.process_advantages import StepSettings, pooled_spread, process_advantages
from .rollout import Group, LoadedTask, is_unanimous

NOT_THE_COMPLETIONS_FAULT = frozenset({Status.INFRA_ERROR, Status.ABSTAIN, Status.BUG})


@dataclass
class Credit:
    """The advantages of one completion's tokens."""

    advantages: list[float] | None
    """One per token; None = the row is left out."""
    ends: list[int] = field(default_factory=list)
    """In process mode: the index of each step's last token."""

    @property
    def mean(self) -> float:
        """The mean over tokens; 0 for a row that is left out."""
        return sum(self.advantages) / len(self.advantages) if self.advantages else 0.0

    def at_step_ends(self) -> list[float]:
        """Return the advantage at the last token of each step."""
        return [self.advantages[end] for end in self.ends] if self.advantages else []


def credits_of(
    groups: Sequence[Group],
    tasks: Mapping[str, LoadedTask],
    algorithm: AlgorithmConfig,
    tokenizer: Any,
    step: int,
    truncated: Truncated = "keep",
) -> list[list[Credit]]:
    """Return the credit of every completion of every group.

    Suffixes of tensors here and below: _P problems, _G completions of a problem's group, _T tokens.

    Args:
        groups: a training step's scored groups.
        tasks: the groups' tasks, by name.
        algorithm: mode, std, its floor and eps, and whether unanimous groups are left out.
        tokenizer: the policy's; it maps the steps' characters to the sampled ids.
        step: the number of the training step, on which scheduled weights depend.
        truncated: what happens to completions that were cut off; see `SamplingConfig`.
    """
    rewards_PG = torch.tensor([group.rewards for group in groups], dtype=torch.float64)
    if truncated == "leave_out":
        rewards_PG[_cut_off(groups)] = torch.nan
    outcomes_PG = outcome_advantages(
        rewards_PG, std=algorithm.std, eps=algorithm.eps, std_floor=algorithm.std_floor
    )
    outcomes_or_nan = torch.where(rewards_PG.isnan(), torch.nan, outcomes_PG).tolist()
    credits_PG = [
        [Credit(advantages) for advantages in for_each_token(group.completions, outcomes)]
        for outcomes, group in zip(outcomes_or_nan, groups, strict=True)
    ]
    if algorithm.leave_out_unanimous:
        for row, group in zip(credits_PG, groups, strict=True):
            if is_unanimous(group, tasks[group.task]):
                row[:] = [Credit(None) for _ in row]
    if algorithm.mode == "process":
        for row, group in zip(credits_PG, groups, strict=True):
            _place_steps(row, group, tasks[group.task], tokenizer)
        for name in {group.task for group in groups}:
            pairs = zip(credits_PG, groups, strict=True)
            _add_process([pair for pair in pairs if pair[1].task == name], tasks[name], algorithm, step)
    if truncated == "mask":
        for row, cut in zip(credits_PG, _cut_off(groups).tolist(), strict=True):
            for credit, is_cut in zip(row, cut, strict=True):
                credit.advantages = None if is_cut else credit.advantages
    return credits_PG


def _cut_off(groups: Sequence[Group]) -> torch.Tensor:
    """Return which completions were cut off at their greatest length, `[P, G]`."""
    return torch.tensor([[c.finish_reason == "length" for c in group.completions] for group in groups])


def _place_steps(row: Sequence[Credit], group: Group, loaded: LoadedTask, tokenizer: Any) -> None:
    """Find each step's last token; leave out rows whose steps have no marks through our own fault."""
    assert loaded.task.process is not None
    tail = loaded.task.process.tail
    for credit, completion, score in zip(row, group.completions, group.scores, strict=True):
        part = score.parts[PROCESS]
        if part.value is None and part.status in NOT_THE_COMPLETIONS_FAULT:
            credit.advantages = None
        if credit.advantages is not None:
            steps = [mark.step for mark in score.steps or ()]
            credit.ends = step_ends(completion.token_ids, completion.text, steps, tokenizer, tail=tail)


def _add_process(
    rows: Sequence[tuple[list[Credit], Group]], loaded: LoadedTask, algorithm: AlgorithmConfig, step: int
) -> None:
    """Add the advantages of steps to the tokens of one task's groups."""
    entry = loaded.task.process
    assert entry is not None
    middle = sum(loaded.scheme.step_bounds) / 2
    kept = [
        [
            (credit, score)
            for credit, score in zip(row, group.scores, strict=True)
            if credit.advantages is not None
        ]
        for row, group in rows
    ]
    marks = [[_marks(score) for _, score in row] for row in kept]
    settings = StepSettings(
        entry.credit,
        entry.pool,
        algorithm.std,
        algorithm.eps,
        entry.centred,
        clip_at=middle,
        std_floor=algorithm.std_floor,
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
    """Set the advantages of one group: weight * steps, plus the outcome's if the `process:` asks for it."""
    advantages_GT = process_advantages(
        rewards,
        [credit.ends for credit, _ in row],
        [len(credit.advantages or ()) for credit, _ in row],
        gate_labels=[loaded.scheme.is_right(score) for _, score in row] if entry.gate else None,
        **vars(settings),
    )
    weight = entry.weight_at(step)
    outcome = 1.0 if entry.outcome else 0.0
    for (credit, _), steps in zip(row, advantages_GT.tolist(), strict=True):
        assert credit.advantages is not None
        # `steps` is as long as the longest completion of the group; the rest is padding.
        credit.advantages = [outcome * a + weight * b for a, b in zip(credit.advantages, steps, strict=False)]


def _marks(score: Score) -> list[float]:
    """Return the marks of a completion's steps; NaN where a step could not be judged."""
    return [math.nan if mark.value is None else mark.value for mark in score.steps or ()]
