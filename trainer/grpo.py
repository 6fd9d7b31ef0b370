"""GRPO: the inner part of DeepSeekMath's Algorithm 1 (arXiv 2402.03300), one step at a time.

    4  for step = 1, ..., M
    5      sample a batch of problems                                 ProblemOrder.take
    6      pi_old <- pi                                               old log-probabilities
    7      sample G completions of each problem                       sample_groups
    8      score them                                                 score_groups
    9      advantages, relative to the group                          outcome_advantages
    10     for update = 1, ..., mu
    11         maximise the objective                                 Learner.update

The outer part (a new reference and a new reward model, iteration by iteration) is not here yet.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import torch

from ..sandbox.errors import RunError
from ..tasks.problem import Completion
from .advantage import outcome_advantages
from .batch import Batch, make_batch, microbatches, token_logprobs
from .config import RunConfig
from .hf_engine import HfEngine
from .loss import policy_loss
from .policy import Policy
from .rollout import Group, LoadedTask, ProblemOrder, sample_groups, score_groups


@dataclass
class Step:
    """What one step did."""

    number: int
    groups: list[Group]
    advantages: list[list[float]]
    learned: dict[str, float]
    """Means over the updates: loss, grad_norm, entropy, ratio, clip shares, kl, lr."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Wall time of each phase."""


class Learner:
    """The policy under training with its optimizer and, where KL asks for one, its reference."""

    def __init__(self, policy: Policy, reference: Any | None, config: RunConfig):
        self.policy, self.reference, self.config = policy, reference, config
        algorithm = config.algorithm
        self.optimizer = torch.optim.AdamW(
            policy.model.parameters(),
            lr=algorithm.lr,
            betas=algorithm.betas,
            weight_decay=algorithm.weight_decay,
        )

    def learn(
        self,
        completions: Sequence[Completion],
        advantages: Sequence[float],
        step: int,
        *,
        exact: bool,
    ) -> dict[str, float]:
        """Update the policy on one step's completions (lines 10 and 11); return the means.

        Args:
            completions: of all groups.
            advantages: one a completion; NaN = the row was left out, and is left out here.
            step: counts from 1; sets the learning rate and the order of minibatches.
            exact: the sampler's log-probabilities can serve as the old ones.
        """
        rows = [i for i, advantage in enumerate(advantages) if not math.isnan(advantage)]
        old = (
            [c.logprobs for c in completions]
            if exact
            else self._logprobs(self.policy.model, completions, rows)
        )
        ref = self._logprobs(self.reference, completions, rows) if self.reference is not None else None
        totals: dict[str, float] = {}
        updates = 0
        for inner in range(self.config.algorithm.inner_updates):
            for chunk in _minibatches(
                rows, self.config.algorithm.minibatches, f"{self.config.seed}/{step}/{inner}"
            ):
                for key, value in self.update(completions, advantages, old, ref, chunk, step).items():
                    totals[key] = totals.get(key, 0.0) + value
                updates += 1
        return {key: value / max(updates, 1) for key, value in totals.items()}

    def update(
        self, completions: Sequence[Completion], advantages: Sequence[float], old: Sequence[Sequence[float]],
        ref: Sequence[Sequence[float]] | None, rows: Sequence[int], step: int,
    ) -> dict[str, float]:  # fmt: skip
        """Take one optimizer step on some rows, in microbatches whose gradients add up exactly."""
        self.optimizer.zero_grad()
        tokens = sum(_own_tokens(completions[i]) for i in rows)
        totals = {"loss": 0.0, "entropy": 0.0}
        for chunk in microbatches(completions, rows, self.config.microbatch_tokens):
            batch = make_batch(completions, old, advantages, chunk, self.policy.pad_id, self.policy.device)
            loss, stats = self._loss(batch, [ref[i] for i in chunk] if ref else None, len(rows), tokens)
            if not torch.isfinite(loss):
                raise RunError(
                    f"the loss is {loss.item()} at step {step}; lower algorithm.lr or look at the rewards"
                )
            loss.backward()
            totals["loss"] += loss.item()
            weight = float(batch.mask_BT.sum()) / max(tokens, 1)
            for key, value in stats.items():
                totals[key] = totals.get(key, 0.0) + float(value) * weight
        norm = torch.nn.utils.clip_grad_norm_(
            self.policy.model.parameters(), self.config.algorithm.max_grad_norm
        )
        if not torch.isfinite(norm):
            raise RunError(f"the gradient is not finite at step {step}; lower algorithm.lr")
        rate = learning_rate(self.config, step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        return {**totals, "grad_norm": float(norm), "lr": rate}

    def _loss(
        self, batch: Batch, ref: Sequence[Sequence[float]] | None, rows: int, tokens: int
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        algorithm, sampling = self.config.algorithm, self.config.sampling
        with self.policy.computing():
            logprobs_BT, entropy_BT = token_logprobs(self.policy.model, batch, sampling.temperature)
        ref_BT = None
        if ref is not None:
            width = batch.completion_ids_BT.shape[1]
            ref_BT = torch.tensor(
                [list(r) + [0.0] * (width - len(r)) for r in ref], device=self.policy.device
            )
        denominators = {
            "sequence_mean": rows,
            "token_mean": tokens,
            "constant": rows * (algorithm.constant_length or sampling.max_new_tokens),
        }
        loss, stats = policy_loss(
            logprobs_BT, batch.old_logprobs_BT, batch.advantages_BT, batch.mask_BT,
            clip_low=algorithm.clip_low, clip_high=algorithm.clip_high, ratio=algorithm.ratio,
            ref_logprobs_BT=ref_BT, kl_coef=algorithm.kl_coef, kl=algorithm.kl,
            aggregate=algorithm.aggregate, denominator=max(denominators[algorithm.aggregate], 1),
        )  # fmt: skip
        own = batch.mask_BT > 0
        return loss, {
            **stats,
            "entropy": entropy_BT[own].mean() if own.any() else entropy_BT.new_zeros(()),
        }

    @torch.no_grad()
    def _logprobs(
        self, model: Any, completions: Sequence[Completion], rows: Sequence[int]
    ) -> list[list[float]]:
        """Return each completion's log-probabilities under a model (empty for rows left out)."""
        found: list[list[float]] = [[] for _ in completions]
        zeros = [[0.0] * len(c.token_ids) for c in completions]
        for chunk in microbatches(completions, rows, self.config.microbatch_tokens):
            batch = make_batch(
                completions,
                zeros,
                [0.0] * len(completions),
                chunk,
                self.policy.pad_id,
                self.policy.device,
            )
            with self.policy.computing():
                logprobs_BT, _ = token_logprobs(model, batch, self.config.sampling.temperature)
            for i, row in zip(chunk, logprobs_BT.tolist(), strict=True):
                found[i] = row[: len(completions[i].token_ids)]
        return found


def _own_tokens(completion: Completion) -> int:
    return len(completion.token_ids) if completion.loss_mask is None else sum(completion.loss_mask)


def _minibatches(rows: Sequence[int], count: int, seed: str) -> list[list[int]]:
    """Return the rows in `count` parts of nearly equal size, shuffled where there are several."""
    order = list(rows)
    if count > 1:
        Random(seed).shuffle(order)
    parts = [order[i * len(order) // count : (i + 1) * len(order) // count] for i in range(count)]
    return [part for part in parts if part]


def learning_rate(config: RunConfig, step: int) -> float:
    """Return the learning rate of a step (from 1): a linear warm-up, then the schedule."""
    algorithm = config.algorithm
    if step <= algorithm.warmup_steps:
        return algorithm.lr * step / algorithm.warmup_steps
    left = max(algorithm.steps - algorithm.warmup_steps, 1)
    done = (step - 1 - algorithm.warmup_steps) / left
    if algorithm.schedule == "linear":
        return algorithm.lr * max(1 - done, 0.0)
    return (
        algorithm.lr * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
        if algorithm.schedule == "cosine"
        else algorithm.lr
    )


def grpo_step(
    number: int, learner: Learner, engine: HfEngine, tasks: Mapping[str, LoadedTask], order: ProblemOrder,
    *, after_scoring: Callable[[list[Group]], None] = lambda groups: None,
) -> Step:  # fmt: skip
    """Do lines 5 to 11 once.

    Args:
        number: the step, counted from 1.
        learner: policy, optimizer, reference.
        engine: samples from the same policy.
        tasks: what is trained on.
        order: which problems come next.
        after_scoring: sees the scored groups before anything is learned, and may stop the run.
    """
    config = learner.config
    algorithm = config.algorithm
    clock = _Clock()
    taken = order.take(algorithm.groups_per_step, number)
    seed = Random(f"sampling/{config.seed}/{number}").getrandbits(62)
    groups = sample_groups(engine, tasks, taken, algorithm.group_size, config.sampling, seed=seed)
    clock.mark("sampling")
    score_groups(tasks, groups, step=number)
    clock.mark("scoring")
    after_scoring(groups)
    rewards_PG = torch.tensor([group.rewards for group in groups], dtype=torch.float64)
    advantages_PG = outcome_advantages(rewards_PG, std=algorithm.std, eps=algorithm.eps)
    left_in = torch.where(rewards_PG.isnan(), torch.nan, advantages_PG)
    completions = [completion for group in groups for completion in group.completions]
    exact = engine.is_exact(config.sampling)
    learned = learner.learn(completions, left_in.flatten().tolist(), number, exact=exact)
    engine.weight_version += 1
    clock.mark("update")
    return Step(number, groups, advantages_PG.tolist(), learned, clock.seconds)


class _Clock:
    """Wall time between marks."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def mark(self, phase: str) -> None:
        now = time.perf_counter()
        self.seconds[phase] = now - self._last
        self._last = now
