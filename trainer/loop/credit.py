"""Which token earns what: a step's scored groups in, advantages of their tokens out.

`mode: outcome` gives every token of a completion its outcome advantage; `mode: process` adds what its
steps earn, placed on the sampled ids (`step_tokens.py`). A row whose score is unknown is left out of both.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from ...rewards.score import Score, Status
from ...tasks.problem import Completion
from ...tasks.schema import PROCESS, ProcessEntry
from ...verifiers.steps.token_positions import step_ends
from ..config.run_config import AlgorithmConfig
from ..models.batch import repeated
from ..objective.outcome_advantages import outcome_advantages
from ..objective.process_advantages import pooled_spread, process_advantages
from .rollout import Group, LoadedTask

OURS = frozenset({Status.INFRA_ERROR, Status.ABSTAIN, Status.BUG})


@dataclass
class Credit:
    """What one completion's tokens earn."""

    tokens: list[float] | None
    """One a token; None = the row is left out."""
    ends: list[int] = field(default_factory=list)
    """Index of each step's last token, in process mode."""

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
    """Return the credit of every completion of every group, at a training step."""
    rewards_PG = torch.tensor([group.rewards for group in groups], dtype=torch.float64)
    outcomes_PG = outcome_advantages(rewards_PG, std=algorithm.std, eps=algorithm.eps)
    left_out = torch.where(rewards_PG.isnan(), torch.nan, outcomes_PG).tolist()
    made = [
        [Credit(of_tokens) for of_tokens in repeated(group.completions, row)]
        for row, group in zip(left_out, groups, strict=True)
    ]
    if algorithm.mode == "process":
        for earned, group in zip(made, groups, strict=True):
            _place(earned, group, tasks[group.task], tokenizer)
        for name in {group.task for group in groups}:
            mine = [(c, g) for c, g in zip(made, groups, strict=True) if g.task == name]
            _add_process(mine, tasks[name], algorithm, step)
    return made


def _place(earned: Sequence[Credit], group: Group, loaded: LoadedTask, tokenizer: Any) -> None:
    """Find each step's last token; leave out the rows whose steps could not be marked by our fault."""
    for credit, completion, score in zip(earned, group.completions, group.scores, strict=True):
        part = score.parts[PROCESS]
        if part.value is None and part.status in OURS:
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
    low, high = loaded.scheme.step_bounds
    kept = [[(c, s) for c, s in zip(cs, g.scores, strict=True) if c.tokens is not None] for cs, g in rows]
    marks = [[_marks(score) for _, score in row] for row in kept]
    how: dict[str, Any] = {
        "credit": entry.credit,
        "pool": entry.pool,
        "centred": entry.centred,
        "clip_at": (low + high) / 2,
    }
    std: Any = algorithm.std
    if std == "batch":
        std = pooled_spread(marks, **how) or "none"
    for row, rewards in zip(kept, marks, strict=True):
        if not row:
            continue
        advantages_GT = process_advantages(
            rewards,
            [credit.ends for credit, _ in row],
            [len(credit.tokens or ()) for credit, _ in row],
            std=std,
            eps=algorithm.eps,
            weight=entry.weight_at(step),
            gate_labels=[loaded.scheme.is_right(score) for _, score in row] if entry.gate else None,
            **how,
        )
        for (credit, _), of_steps in zip(row, advantages_GT.tolist(), strict=True):
            _join(credit, of_steps, entry)


def _join(credit: Credit, of_steps: Sequence[float], entry: ProcessEntry) -> None:
    assert credit.tokens is not None
    outcome = 1.0 if entry.outcome else 0.0
    credit.tokens = [outcome * a + b for a, b in zip(credit.tokens, of_steps, strict=False)]


def _marks(score: Score) -> list[float]:
    return [math.nan if mark.value is None else mark.value for mark in score.steps or ()]
