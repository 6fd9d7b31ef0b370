"""The learner's gradients equal those of each completion computed alone, on eleven small random models.

`plain_gradients` computes every completion with its prompt through the model's own logits; see `gradients`.
"""

from typing import Any

import pytest
import torch

from gradients import (
    ADVANTAGES,
    ARCHITECTURES,
    CPU,
    UNCHANGED,
    config_of,
    distance,
    learner_gradients,
    outcome,
    plain_gradients,
    random_completions,
)
from markscheme.trainer.config.run_config import PolicyConfig
from markscheme.trainer.models import lm_head
from markscheme.trainer.models.forward import choose_way, own_logprobs
from markscheme.trainer.models.load_policy import load_policy
from markscheme.trainer.models.policy import Policy


def other_reference(policy: Policy) -> Any:
    """Return a frozen copy of the policy with weights that are 2 % larger."""
    reference = load_policy(PolicyConfig(), policy.source, CPU).model.requires_grad_(False)
    with torch.no_grad():
        for parameter in reference.parameters():
            parameter.mul_(1.02)
    return reference


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("budget", [None, 60])
@pytest.mark.parametrize("kl", [0.0, 0.05])
def test_gradients_are_those_of_the_plain_computation(
    policies: dict[str, Policy], name: str, budget: int | None, kl: float
) -> None:
    """To 1e-5 of each parameter's gradient; in one chunk, and in many chunks of several blocks of prompts."""
    policy = policies[name]
    completions = random_completions(policy)
    config = config_of(algorithm={**UNCHANGED, "kl_coef": kl}, microbatch_tokens=budget)
    reference = other_reference(policy) if kl else None
    expected = plain_gradients(policy, completions, ADVANTAGES, config, reference)
    gradients = learner_gradients(policy, completions, outcome(completions), config, reference)
    assert distance(gradients, expected) < 1e-5


@pytest.mark.parametrize("aggregate", ["sequence_mean", "token_mean", "constant"])
@pytest.mark.parametrize("ratio", ["token", "sequence", "none"])
@pytest.mark.parametrize("budget", [None, 45])
def test_splitting_a_batch_changes_no_aggregate(
    policies: dict[str, Policy], aggregate: str, ratio: str, budget: int | None
) -> None:
    policy = policies["llama"]
    completions = random_completions(policy)
    config = config_of(
        algorithm={**UNCHANGED, "aggregate": aggregate, "ratio": ratio},
        microbatch_tokens=budget,
        sampling={"max_new_tokens": 32, "temperature": 0.7},
    )
    expected = plain_gradients(policy, completions, ADVANTAGES, config)
    assert distance(learner_gradients(policy, completions, outcome(completions), config), expected) < 1e-5


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.filterwarnings("error")
def test_gradients_are_the_same_with_checkpointing(policies: dict[str, Policy], name: str) -> None:
    """The switch in transformers would drop the cache of shared prompts with a warning, and be off by 0.5."""
    plain = policies[name]
    checkpointed = load_policy(PolicyConfig(gradient_checkpointing=True), plain.source, CPU)
    completions = random_completions(plain)
    for budget in (None, 60):
        config = config_of(algorithm=UNCHANGED, microbatch_tokens=budget)
        expected = plain_gradients(plain, completions, ADVANTAGES, config)
        assert choose_way(checkpointed) == choose_way(plain)
        gradients = learner_gradients(checkpointed, completions, outcome(completions), config)
        assert distance(gradients, expected) < 1e-5
    with torch.no_grad():
        expected_logprobs = own_logprobs(plain.model, completions[0])
        assert own_logprobs(checkpointed.model, completions[0]) == expected_logprobs


def test_sharing_prompts_in_bfloat16_adds_no_error(policies: dict[str, Policy]) -> None:
    """Under autocast, the shared and the plain computation are equally far from float32."""
    full = policies["llama"]
    half = load_policy(PolicyConfig(dtype="bfloat16"), full.source, CPU)
    assert choose_way(half) == ("shared", "")
    completions = random_completions(full)
    config = config_of(algorithm=UNCHANGED)
    exact = plain_gradients(full, completions, ADVANTAGES, config)
    plain = distance(plain_gradients(half, completions, ADVANTAGES, config), exact)
    shared = distance(learner_gradients(half, completions, outcome(completions), config), exact)
    assert 1e-3 < plain < 0.2
    assert shared < 1.5 * plain + 0.01


@pytest.mark.parametrize("name", ["llama", "gemma2, windows and soft-capping", "mamba"])
def test_a_head_that_is_computed_in_pieces_gives_the_same(
    policies: dict[str, Policy], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = policies[name]
    completions, config = random_completions(policy), config_of(algorithm=UNCHANGED)
    expected = plain_gradients(policy, completions, ADVANTAGES, config)
    seven_tokens = 7 * 4 * policy.model.config.get_text_config().vocab_size  # bytes of their float32 logits
    monkeypatch.setattr(lm_head, "PIECE_BYTES", seven_tokens)
    assert distance(learner_gradients(policy, completions, outcome(completions), config), expected) < 1e-5


def test_rows_that_are_left_out_have_no_gradient(policies: dict[str, Policy]) -> None:
    policy = policies["llama"]
    completions, config = random_completions(policy), config_of(algorithm=UNCHANGED)
    last_group_left_out = outcome(completions, [*ADVANTAGES[:8], *[float("nan")] * 4])
    gradients = learner_gradients(policy, completions, last_group_left_out, config)
    expected = learner_gradients(policy, completions[:8], outcome(completions[:8], ADVANTAGES[:8]), config)
    assert distance(gradients, expected) < 1e-6
