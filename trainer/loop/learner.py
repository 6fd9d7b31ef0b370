"""The policy under training: lines 10 and 11 of DeepSeekMath's Algorithm 1.

A step's completions are split into minibatches (one optimizer step each), and those into chunks. The
gradients of the chunks add up exactly to the minibatch's, because every sum is divided by the counts of the
whole minibatch. Without a KL, rows whose advantages are all 0 have no gradient; they are counted but not
computed.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from random import Random
from typing import Any

import torch
from torch import Tensor

from ...sandbox.errors import RunError
from ...tasks.problem import Completion
from ..config.algorithm_config import AlgorithmConfig
from ..config.run_config import RunConfig
from ..models.batch import Batch, Sampled
from ..models.forward import Forward, Way
from ..models.lora import adapter_off
from ..models.optimizer import make_optimizer, rate_at
from ..models.policy import Policy
from ..objective.inputs import LossInputs, check_inputs
from ..objective.objectives import OBJECTIVES
from ..objective.off_policy import importance_weights, mismatch, off_policy_mask
from ..objective.settings import LossSettings

MOST_NOT_FINITE = 0.01
"""The share of tokens that are dropped because a value of theirs is not finite, above which a run stops."""


class Learner:
    """The policy with its optimizer and, where the KL needs one, its reference.

    Args:
        policy: the model that learns.
        reference: a frozen model. With None, the reference is the policy without its adapter, or there is
            none, if kl_coef is 0.
        config: the run's.
        way: how log-probabilities are computed; see `choose_way`.
    """

    def __init__(self, policy: Policy, reference: Any | None, config: RunConfig, way: Way = "shared"):
        self.policy, self.reference, self.config = policy, reference, config
        self.parameters = [p for p in policy.model.parameters() if p.requires_grad]
        self.optimizer = make_optimizer(config.algorithm, self.parameters)
        self.forward = Forward(
            policy, budget=config.microbatch_tokens, temperature=config.sampling.temperature, way=way
        )
        self._settings = _settings_of(config.algorithm)
        self._objective = OBJECTIVES[self._settings.ratio]

    def learn(
        self,
        completions: Sequence[Completion],
        advantages: Sequence[Sequence[float] | None],
        step: int,
        *,
        exact: bool,
    ) -> dict[str, float]:
        """Update the policy on one step's completions, and return statistics, as means over the updates.

        Args:
            completions: those of all groups.
            advantages: for each completion, one per token; None = the row is left out of the update.
            step: the number of the step, from 1; sets the learning rate and the order of minibatches.
            exact: whether the sampler's log-probabilities can serve as the old ones; see `Engine.is_exact`.
        """
        algorithm = self.config.algorithm
        rows = [i for i, row in enumerate(advantages) if row is not None]
        sampled = self._with_logprobs(Sampled(completions, advantages, exact=exact), rows)
        updates: list[dict[str, float]] = []
        for inner in range(algorithm.inner_updates):
            for part in _minibatches(rows, algorithm.minibatches, f"{self.config.seed}/{step}/{inner}"):
                updates.append(self.update(sampled, part, step, first=not updates))
        names = dict.fromkeys(name for update in updates for name in update)
        known = {name: [update[name] for update in updates if name in update] for name in names}
        return {name: sum(values) / len(values) for name, values in known.items()}

    def _with_logprobs(self, sampled: Sampled, rows: Sequence[int]) -> Sampled:
        """Add what has to be computed before the policy changes: old and reference log-probabilities."""
        algorithm = self.config.algorithm
        old = reference = None
        if sampled.exact:
            old = [completion.logprobs for completion in sampled.completions]
        elif algorithm.inner_updates * algorithm.minibatches > 1:
            # With a single optimizer step, those that the update itself computes are the old ones.
            old = self.forward.logprobs(self.policy.model, sampled, self._with_gradient(sampled, rows))
        if algorithm.kl_coef:
            model = self.policy.model if self.reference is None else self.reference
            with adapter_off(model) if self.reference is None else nullcontext():
                reference = self.forward.logprobs(model, sampled, rows)
        return Sampled(sampled.completions, sampled.advantages, old, reference, sampled.exact)

    def _with_gradient(self, sampled: Sampled, rows: Sequence[int]) -> list[int]:
        """Return the rows that have a gradient."""
        if self.config.algorithm.kl_coef:
            return list(rows)
        return [i for i in rows if any(sampled.advantages[i] or ())]

    def update(self, sampled: Sampled, rows: Sequence[int], step: int, *, first: bool) -> dict[str, float]:
        """Take one optimizer step on some rows, and return its statistics.

        The `first` one of a training step also measures the mismatch with the sampler.
        """
        self.optimizer.zero_grad()
        tokens = {i: _own_tokens(sampled.completions[i]) for i in rows}
        computed = self._with_gradient(sampled, rows)
        tokens_computed = max(sum(tokens[i] for i in computed), 1)
        denominator = self._denominator(len(rows), sum(tokens.values()))
        totals = {"loss": 0.0, "computed": len(computed) / max(len(rows), 1)}
        for batch, logprobs_BT, entropy_BT in self.forward.passes(self.policy.model, sampled, computed):
            loss, stats = self._loss(batch, logprobs_BT, denominator)
            if not torch.isfinite(loss):
                raise RunError(
                    f"the loss is {loss.item()} at step {step}; start a new run with a lower algorithm.lr, or"
                    " look at the rewards"
                )
            loss.backward()
            mask_BT = batch.mask_BT > 0
            stats["entropy"] = torch.where(mask_BT, entropy_BT, 0.0).sum() / mask_BT.sum().clamp(min=1)
            if first:
                stats |= mismatch(logprobs_BT, batch.sampled_logprobs_BT, batch.mask_BT)
            _add(totals, loss, stats, float(mask_BT.sum()) / tokens_computed)
        if totals.get("not_finite", 0.0) > MOST_NOT_FINITE:
            raise RunError(
                f"{totals['not_finite']:.0%} of the tokens have log-probabilities that are not finite at step"
                f" {step}: the policy has diverged; start a new run with a lower algorithm.lr, from the"
                " checkpoint before if you like (policy.model: its folder, with LoRA its `adapter`)"
            )
        return {**totals, **self._step(step, no_gradient=not computed)}

    def _denominator(self, rows: int, tokens: int) -> float:
        """Return the number by which the token sums of a minibatch are divided; see `aggregated`."""
        algorithm = self.config.algorithm
        by_aggregate = {
            "sequence_mean": rows,
            "token_mean": tokens,
            "constant": rows * (algorithm.constant_length or self.config.sampling.max_new_tokens),
        }
        return max(by_aggregate[algorithm.aggregate], 1)

    def _step(self, step: int, *, no_gradient: bool) -> dict[str, float]:
        """Take the optimizer's step, and return the gradient's norm and the learning rate."""
        if no_gradient:
            # The moments decay and the weights move on, as they would if zeros had been computed.
            for parameter in self.parameters:
                parameter.grad = torch.zeros_like(parameter)
        algorithm = self.config.algorithm
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, algorithm.max_grad_norm)
        if not torch.isfinite(norm):
            raise RunError(
                f"the gradient's norm is {norm.item()} at step {step}; start a new run with a lower"
                " algorithm.lr, or look at the rewards"
            )
        rate = rate_at(
            step,
            lr=algorithm.lr,
            steps=algorithm.total_steps,
            warmup_steps=algorithm.warmup_steps,
            schedule=algorithm.schedule,
        )
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        return {"grad_norm": float(norm), "lr": rate}

    def _loss(
        self, batch: Batch, logprobs_BT: Tensor, denominator: float
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return a chunk's part of the minibatch's loss, and its means over tokens."""
        old_BT = logprobs_BT.detach() if batch.old_logprobs_BT is None else batch.old_logprobs_BT
        weights_BT, weight_stats = self._weights(batch, logprobs_BT, old_BT)
        inputs = LossInputs(
            logprobs_BT=logprobs_BT,
            old_logprobs_BT=old_BT,
            advantages_BT=batch.advantages_BT,
            mask_BT=batch.mask_BT,
            weights_BT=weights_BT,
            ref_logprobs_BT=batch.ref_logprobs_BT,
            denominator=denominator,
        )
        check_inputs(inputs, self._settings)
        loss, stats = self._objective(inputs, self._settings)
        return loss, {**stats, **weight_stats}

    def _weights(
        self, batch: Batch, logprobs_BT: Tensor, old_BT: Tensor
    ) -> tuple[Tensor | None, dict[str, Tensor]]:
        """Return the importance weights of a chunk's tokens (None = all 1), and statistics of them.

        `weight` is their mean, and `weight_zero` the share of tokens that are masked out.
        """
        algorithm, mask_BT = self.config.algorithm, batch.mask_BT
        weights_BT: Tensor | None = None
        if not batch.exact and algorithm.correction != "none":
            weights_BT = importance_weights(
                old_BT,
                batch.sampled_logprobs_BT,
                mask_BT,
                kind=algorithm.correction,
                level=algorithm.correction_level,
                low=algorithm.correction_low,
                high=algorithm.correction_high,
            )
        if algorithm.off_policy_delta is not None:
            kept_B1 = off_policy_mask(
                logprobs_BT,
                batch.sampled_logprobs_BT,
                batch.advantages_BT,
                mask_BT,
                delta=algorithm.off_policy_delta,
            )
            weights_BT = kept_B1.expand_as(logprobs_BT) if weights_BT is None else weights_BT * kept_B1
        if weights_BT is None:
            return None, {}
        counted = weights_BT[mask_BT > 0]
        if not counted.numel():
            return weights_BT, {}
        return weights_BT, {"weight": counted.mean(), "weight_zero": (counted == 0).float().mean()}


def _settings_of(algorithm: AlgorithmConfig) -> LossSettings:
    # Advantages that differ within a completion need GSPO's token form: the same ratio, each token's own
    # gradient.
    by_token = algorithm.mode == "process" and algorithm.ratio == "sequence"
    return LossSettings(
        ratio="sequence_token" if by_token else algorithm.ratio,
        clip_low=algorithm.clip_low,
        clip_high=algorithm.clip_high,
        kl_coef=algorithm.kl_coef,
        kl=algorithm.kl,
        aggregate=algorithm.aggregate,
    )


def _add(totals: dict[str, float], loss: Tensor, stats: dict[str, Tensor], share: float) -> None:
    """Add a chunk's statistics to the minibatch's.

    Losses are summed and maxima (`*_max`) maximised. Means are weighted by the chunk's `share` of the tokens.
    """
    totals["loss"] += loss.item()
    for name, value in stats.items():
        if name.endswith("_max"):
            totals[name] = max(totals.get(name, 0.0), float(value))
        else:
            totals[name] = totals.get(name, 0.0) + float(value) * share


def _own_tokens(completion: Completion) -> int:
    """Return how many tokens of a completion the policy wrote itself."""
    return len(completion.token_ids) if completion.loss_mask is None else sum(completion.loss_mask)


def _minibatches(rows: Sequence[int], count: int, seed: str) -> list[list[int]]:
    """Return the rows in `count` parts of nearly equal size, shuffled if there are several parts."""
    order = list(rows)
    if count > 1:
        Random(seed).shuffle(order)
    parts = [order[i * len(order) // count : (i + 1) * len(order) // count] for i in range(count)]
    return [part for part in parts if part]
