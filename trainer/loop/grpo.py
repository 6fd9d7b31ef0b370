"""One step of GRPO: lines 5 to 11 of DeepSeekMath's Algorithm 1 (arXiv 2402.03300).

    5      sample a batch of problems                                 ProblemOrder.take
    6      pi_old <- pi                                               old log-probabilities, in Learner
    7      sample G completions of each problem                       scored_groups
    8      compute their rewards                                      scored_groups, beside the sampling
    9      compute group-relative advantages                          credits_of
    10     for update = 1, ..., mu
    11         maximise the objective                                 Learner.learn, for lines 10 and 11

Line 4, the loop over the steps, is in `run/train.py`; the outer loop (lines 2, 3 and 12) is in
`iterations/outer_loop.py`.
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
    """The result of one training step."""

    number: int
    """Counted from 1."""
    groups: list[Group]
    credits: list[list[Credit]]
    """The advantages of each group's completions, in the order of `groups`."""
    learned: dict[str, float]
    """Means over the updates: loss, grad_norm, entropy, ratio, clip shares, kl, lr; see `Learner.learn`."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Wall time of each phase. Scoring runs beside the sampling; its time begins after the last sample."""


def grpo_step(
    number: int,
    learner: Learner,
    engine: Engine,
    tasks: Mapping[str, LoadedTask],
    order: ProblemOrder,
    *,
    after_scoring: Callable[[list[Group]], None] | None = None,
) -> Step:
    """Run one training step, and hand the new weights to the engine.

    Args:
        number: the step, counted from 1.
        learner: the policy with its optimizer and reference.
        engine: samples the completions; it must hold the policy's current weights.
        tasks: the training tasks, by name.
        order: chooses the problems.
        after_scoring: called with the scored groups before the update; it stops the run by raising.
    """
    config = learner.config
    algorithm = config.algorithm
    began = time.perf_counter()
    chosen = order.take(algorithm.groups_per_step, number)
    seed = Random(f"sampling/{config.seed}/{number}").getrandbits(62)
    groups, waited = scored_groups(
        engine, tasks, chosen, algorithm.group_size, config.sampling, seed=seed, step=number
    )
    scored = time.perf_counter()
    if after_scoring is not None:
        after_scoring(groups)
    credits_PG = credits_of(
        groups, tasks, algorithm, learner.policy.tokenizer, number, config.sampling.truncated
    )
    completions = [completion for group in groups for completion in group.completions]
    advantages = [credit.advantages for row in credits_PG for credit in row]
    exact = engine.is_exact(config.sampling)
    learned = learner.learn(completions, advantages, number, exact=exact)
    updated = time.perf_counter()
    engine.sync(learner.policy, number)
    if engine.probe_mismatch is not None:
        learned["probe_mismatch"] = engine.probe_mismatch
    seconds = {
        "sampling": scored - began - waited,
        "scoring": waited,
        "update": updated - scored,
        "sync": time.perf_counter() - updated,
    }
    return Step(number, groups, credits_PG, learned, seconds)
