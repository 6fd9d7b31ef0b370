"""The learner computes nothing that it does not need, and its optimizer moves as if it had."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from gradients import ADVANTAGES, CPU, UNCHANGED, config_of, outcome, random_completions
from markscheme.trainer.config.run_config import PolicyConfig, SamplingConfig
from markscheme.trainer.engines.hf import HfEngine
from markscheme.trainer.loop.learner import Learner
from markscheme.trainer.models.batch import Sampled
from markscheme.trainer.models.load_policy import load_policy
from markscheme.trainer.models.policy import EncodedPrompt, Policy


@pytest.fixture
def policy(policies: dict[str, Policy]) -> Policy:
    """A policy that a test may update."""
    return load_policy(PolicyConfig(), policies["llama"].source, CPU)


def test_rows_without_a_gradient_are_counted_and_not_computed(policy: Policy) -> None:
    completions = random_completions(policy)
    learner = Learner(policy, None, config_of(algorithm=UNCHANGED))
    computed: list[int] = []
    passes = learner.forward.passes

    def recording(model: Any, sampled: Sampled, rows: list[int]) -> Iterator[Any]:
        computed.extend(rows)
        return passes(model, sampled, rows)

    learner.forward.passes = recording  # type: ignore[method-assign]
    stats = learner.learn(completions, outcome(completions), 1, exact=False)
    assert computed == [i for i, advantage in enumerate(ADVANTAGES) if advantage]
    assert stats["computed"] == pytest.approx(7 / 12)


def test_a_step_without_gradients_moves_the_optimizer_as_gradients_of_zero_would(policy: Policy) -> None:
    """AdamW still moves the weights by its moments of the step before."""
    weights = []
    for skipping in (True, False):
        copied = load_policy(PolicyConfig(), policy.source, CPU)
        completions = random_completions(copied)
        learner = Learner(copied, None, config_of(algorithm=UNCHANGED))
        learner.learn(completions, outcome(completions), 1, exact=False)
        if not skipping:
            learner._with_gradient = lambda sampled, rows: list(rows)  # type: ignore[method-assign]
        stats = learner.learn(completions, outcome(completions, [0.0] * 12), 2, exact=False)
        assert stats["grad_norm"] == 0
        weights.append({name: p.detach().clone() for name, p in copied.model.named_parameters()})
    skipped, computed = weights
    assert all(torch.equal(skipped[name], computed[name]) for name in computed)


def test_exact_log_probabilities_of_the_sampler_save_a_forward_pass(policy: Policy) -> None:
    """They serve as the old ones, and the policy's own differ from them by rounding only."""
    engine, sampling = HfEngine(policy), SamplingConfig(max_new_tokens=20)
    assert engine.is_exact(sampling)
    prompts = [EncodedPrompt(c.prompt_token_ids) for c in random_completions(policy)[::4]]
    completions = [c for group in engine.groups(prompts, 4, sampling, seed=1) for c in group]
    advantages = outcome(completions, [1.0, -1.0] * 6)
    two_updates = {"inner_updates": 2, "minibatches": 2}
    learner = Learner(policy, None, config_of(algorithm=two_updates, sampling={"max_new_tokens": 20}))
    calls = 0
    logprobs = learner.forward.logprobs

    def counted(*arguments: Any) -> list[list[float]]:
        nonlocal calls
        calls += 1
        return logprobs(*arguments)

    learner.forward.logprobs = counted  # type: ignore[method-assign]
    stats = learner.learn(completions, advantages, 1, exact=True)
    assert calls == 0
    assert stats["mismatch_max"] < 1e-5
    learner.learn(completions, advantages, 1, exact=False)
    assert calls == 1
