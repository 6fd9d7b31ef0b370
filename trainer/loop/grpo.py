"""GRPO: the inner part of DeepSeekMath's Algorithm 1 (arXiv 2402.03300), one step at a time.

    4  for step = 1, ..., M
    5      sample a batch of problems                                 ProblemOrder.take
    6      pi_old <- pi                                               old log-probabilities
    7      sample G completions of each problem                       scored_groups
    8      score them                                                 (beside the sampling)
    9      advantages, relative to the group                          credits_of
    10     for update = 1, ..., mu
    11         maximise the objective                                 Learner.update

The outer part (a new reference and a new reward model, iteration by iteration) is not here yet.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from ..engines.base import Engine
from .credit import Credit, credits_of
from .learner import Learner
from .rollout import Group, LoadedTask, ProblemOrder, scored_groups


@dataclass
class Step:
    """What one step did."""

    number: int
    groups: list[Group]
    credits: list[list[Credit]]
    """What the tokens of each group's completions earned."""
    learned: dict[str, float]
    """Means over the updates: loss, grad_norm, entropy, ratio, clip shares, kl, lr; see `Learner`."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Wall time of each phase; scoring is what went on after the last sample."""


def grpo_step(
    number: int,
    learner: Learner,
    engine: Engine,
    tasks: Mapping[str, LoadedTask],
    order: ProblemOrder,
    *,
    after_scoring: Callable[[list[Group]], None] = lambda groups: None,
) -> Step:
    """Do lines 5 to 11 once.

    Args:
        number: the step, counted from 1.
        learner: policy, optimizer, reference.
        engine: samples from the policy's weights.
        tasks: what is trained on.
        order: which problems come next.
        after_scoring: sees the scored groups before anything is learned, and may stop the run.
    """
    config = learner.config
    algorithm = config.algorithm
    began = time.perf_counter()
    taken = order.take(algorithm.groups_per_step, number)
    seed = Random(f"sampling/{config.seed}/{number}").getrandbits(62)
    groups, waited = scored_groups(
        engine, tasks, taken, algorithm.group_size, config.sampling, seed=seed, step=number
    )
    sampled = time.perf_counter()
    after_scoring(groups)
    earned = credits_of(groups, tasks, algorithm, learner.policy.tokenizer, number)
    completions = [completion for group in groups for completion in group.completions]
    exact = engine.is_exact(config.sampling)
    advantages = [credit.tokens for row in earned for credit in row]
    learned = learner.learn(completions, advantages, number, exact=exact)
    updated = time.perf_counter()
    engine.sync(learner.policy, number)
    if engine.apart is not None:
        learned["probe_mismatch"] = engine.apart
    seconds = {
        "sampling": sampled - began - waited,
        "scoring": waited,
        "update": updated - sampled,
        "sync": time.perf_counter() - updated,
    }
    return Step(number, groups, earned, learned, seconds)
