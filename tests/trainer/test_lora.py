"""Adapters, 8-bit moments and lower precision: what learns, what is saved, and whole runs that resume."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from gradients import CPU, random_completions
from markscheme.sandbox import PolicyError
from markscheme.trainer import train
from markscheme.trainer.config.run_config import PolicyConfig
from markscheme.trainer.loop.checkpoint import save_final
from markscheme.trainer.models.forward import own_logprobs
from markscheme.trainer.models.load_policy import load_policy
from markscheme.trainer.models.lora import adapter_off, merged_weights
from markscheme.trainer.models.policy import Policy
from markscheme.trainer.models.weights import checkpoint_weights, write_weights
from small_runs import metrics_of, small_run
from support import small_policy

PLAIN = PolicyConfig()
LORA = PolicyConfig.model_validate({"lora": {"r": 4}})


@pytest.fixture
def adapted(tmp_path: Path) -> Policy:
    """A policy whose adapter does something."""
    policy = load_policy(LORA, small_policy(tmp_path / "policy"), CPU, seed=3)
    change_adapter(policy)
    return policy


def change_adapter(policy: Policy) -> None:
    """Add noise to the matrices that a new adapter sets to 0, so that it changes the model."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in policy.model.named_parameters():
            if "lora_B" in name:
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))


def test_only_the_adapter_learns(adapted: Policy) -> None:
    trained = [name for name, p in adapted.model.named_parameters() if p.requires_grad]
    assert trained
    assert all(".lora_" in name for name in trained)


def test_without_its_adapter_the_policy_is_the_model_that_it_was_loaded_from(adapted: Policy) -> None:
    plain = load_policy(PLAIN, adapted.source, CPU)
    completion = random_completions(plain)[2]
    with torch.no_grad():
        with adapter_off(adapted.model):
            assert own_logprobs(adapted.model, completion) == own_logprobs(plain.model, completion)
        assert own_logprobs(adapted.model, completion) != own_logprobs(plain.model, completion)


@pytest.mark.filterwarnings("ignore:The following .*pattern keys:RuntimeWarning")
def test_the_saved_model_of_a_mixture_has_its_adapter_merged(tmp_path: Path) -> None:
    """In a mixture of experts, the adapter wraps whole parameters, one around the other."""
    folder = small_policy(tmp_path / "policy", "mixtral", num_local_experts=4, num_experts_per_tok=2)
    policy = load_policy(LORA, folder, CPU)
    change_adapter(policy)
    assert any("experts" in name for name, p in policy.model.named_parameters() if p.requires_grad)
    save_final(tmp_path / "final", policy.model, policy.tokenizer)
    final = load_policy(PLAIN, tmp_path / "final", CPU)
    completion = random_completions(final)[2]
    with torch.no_grad():
        expected = own_logprobs(policy.model, completion)
        assert own_logprobs(final.model, completion) == pytest.approx(expected, abs=1e-5)
        base = load_policy(PLAIN, folder, CPU)
        assert own_logprobs(base.model, completion) != pytest.approx(expected, abs=1e-2)


def test_merged_weights_compute_what_the_adapted_model_does(adapted: Policy) -> None:
    plain = load_policy(PLAIN, adapted.source, CPU)
    completion = random_completions(plain)[2]
    merged = dict(merged_weights(adapted.model))
    assert set(merged) == {name for name, _ in plain.model.named_parameters()}
    plain.model.load_state_dict(merged, strict=False)
    with torch.no_grad():
        expected = own_logprobs(adapted.model, completion)
        assert own_logprobs(plain.model, completion) == pytest.approx(expected, abs=1e-5)


DEEPSEEK_V3: dict[str, Any] = {
    "head_dim": 8, "n_routed_experts": 4, "num_experts_per_tok": 2, "n_group": 1, "topk_group": 1,
    "moe_intermediate_size": 16, "first_k_dense_replace": 1, "q_lora_rank": 16, "kv_lora_rank": 16,
    "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 16, "num_key_value_heads": 2, "n_shared_experts": 1,
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:The following .*pattern keys:RuntimeWarning")
def test_buffers_that_are_not_parameters_are_saved_too(tmp_path: Path) -> None:
    """As the routers' correction bias of DeepSeek-V3."""
    policy = load_policy(LORA, small_policy(tmp_path / "policy", "deepseek_v3", **DEEPSEEK_V3), CPU)
    saved = load_file(tmp_path / "policy/model.safetensors")
    assert any("e_score_correction_bias" in name for name in saved)
    assert dict(checkpoint_weights(policy.model)).keys() == saved.keys()
    save_final(tmp_path / "final", policy.model, policy.tokenizer)
    final = load_file(tmp_path / "final/model.safetensors")
    assert final.keys() == saved.keys()
    assert all(torch.allclose(final[name], saved[name], atol=1e-6) for name in saved)


def test_the_same_seed_gives_the_same_adapter(tmp_path: Path) -> None:
    folder = small_policy(tmp_path)

    def parameters(seed: int) -> dict[str, torch.Tensor]:
        return dict(load_policy(LORA, folder, CPU, seed=seed).model.named_parameters())

    one, same, other = parameters(1), parameters(1), parameters(2)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_checkpoints_name_experts_as_transformers_saves_them(tmp_path: Path) -> None:
    """In memory, the experts of a mixture are one tensor; on disk and for engines they are one tensor each."""
    folder = small_policy(tmp_path / "m", "mixtral", num_local_experts=4, num_experts_per_tok=2)
    policy = load_policy(PLAIN, folder, CPU)
    saved = load_file(folder / "model.safetensors")
    written = load_file(write_weights(policy.model, tmp_path, "w.safetensors", torch.float32))
    assert saved.keys() == written.keys() == dict(checkpoint_weights(policy.model)).keys()
    assert all(torch.equal(saved[name], written[name]) for name in saved)


CHANGES: dict[str, dict[str, Any]] = {
    "lora": {"policy": {"lora": {"r": 4}}, "algorithm": {"lr": 1e-2}},
    "lora and checkpointing": {
        "policy": {"lora": {"r": 4, "targets": ["q_proj", "down_proj"]}, "gradient_checkpointing": True},
    },
    "8 bit": {"algorithm": {"optimizer": "adamw_8bit"}},
    "plain adamw": {"algorithm": {"optimizer": "adamw"}},
    "bfloat16": {"policy": {"dtype": "bfloat16"}},
}


@pytest.mark.parametrize("name", CHANGES)
def test_runs_resume_to_the_bit(task_folder: Path, name: str) -> None:
    run = small_run(task_folder, "whole", **CHANGES[name])
    whole = train(run).folder
    four_steps = {**run["algorithm"], "steps": 4}
    short = train({**run, "out": str(task_folder / "short"), "algorithm": four_steps}).folder
    train(short, resume=True, overrides=["algorithm.steps=6"])
    expected, resumed = (load_file(folder / "final/model.safetensors") for folder in (whole, short))
    assert all(torch.equal(expected[key], resumed[key]) for key in expected)
    metrics = metrics_of(whole)
    assert metrics == metrics_of(short)
    start = load_file(task_folder / "policy/model.safetensors")
    assert start.keys() == expected.keys()
    assert any(not torch.equal(start[key], expected[key]) for key in start)
    assert metrics[0]["kl"] == pytest.approx(0, abs=1e-9)
    assert metrics[-1]["kl"] > 0


def test_a_run_with_an_adapter_keeps_adapters_and_ends_in_a_merged_model(task_folder: Path) -> None:
    run = small_run(task_folder, policy={"lora": {"r": 4}}, algorithm={"lr": 1e-2})
    folder = train(run).folder
    newest = folder / "checkpoints/step-000006"
    assert not (newest / "model.safetensors").exists()
    assert not (folder / "reference").exists()
    adapted = load_policy(LORA, task_folder / "policy", CPU, adapter=newest / "adapter")
    final = load_policy(PLAIN, folder / "final", CPU)
    completion = random_completions(final)[2]
    with torch.no_grad():
        expected = own_logprobs(adapted.model, completion)
        assert own_logprobs(final.model, completion) == pytest.approx(expected, abs=1e-5)


@pytest.mark.filterwarnings("ignore:Model has `tie_word_embeddings:UserWarning")
def test_an_adapter_on_a_tied_head_is_refused(tmp_path: Path) -> None:
    """Merged into the weights, it would change the embeddings too, or be lost."""
    folder = small_policy(tmp_path, tie_word_embeddings=True)
    for target in ("lm_head", "embed_tokens"):
        config = PolicyConfig.model_validate({"lora": {"targets": ["q_proj", target]}})
        with pytest.raises(PolicyError, match="one tensor in this model"):
            load_policy(config, folder, CPU)
