"""Adapters, 8-bit moments and lower precision: whole runs, saved and resumed."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from test_trainer_run import config, metrics, place
from test_trainer_step import completions_of

from markscheme.sandbox import PolicyError, TaskError
from markscheme.trainer import train
from markscheme.trainer.config.run_config import PolicyConfig
from markscheme.trainer.models.forward import own_logprobs
from markscheme.trainer.models.load_policy import load_policy
from markscheme.trainer.models.lora import adapter_off, merged_weights
from markscheme.trainer.models.policy import Policy
from markscheme.trainer.models.weights import checkpoint_weights, write_weights
from markscheme.trainer.run.checkpoint import save_final
from support import small_policy

__all__ = ["place"]
CPU = torch.device("cpu")
LORA = PolicyConfig.model_validate({"lora": {"r": 4}})


@pytest.fixture
def adapted(tmp_path: Path) -> Policy:
    """A policy whose adapter has moved away from zero."""
    policy = load_policy(LORA, small_policy(tmp_path / "policy"), CPU, seed=3)
    move(policy)
    return policy


def move(policy: Policy) -> None:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in policy.model.named_parameters():
            if "lora_B" in name:
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))


def test_only_the_adapter_learns(adapted: Policy) -> None:
    trained = [name for name, p in adapted.model.named_parameters() if p.requires_grad]
    assert trained
    assert all(".lora_" in name for name in trained)


def test_the_policy_without_its_adapter_is_the_model_it_came_from(adapted: Policy) -> None:
    plain = load_policy(PolicyConfig(), adapted.source, CPU)
    completion = completions_of(plain)[2]
    with torch.no_grad():
        with adapter_off(adapted.model):
            assert own_logprobs(adapted.model, completion) == own_logprobs(plain.model, completion)
        assert own_logprobs(adapted.model, completion) != own_logprobs(plain.model, completion)


@pytest.mark.filterwarnings("ignore:The following .*pattern keys:RuntimeWarning")
def test_merged_experts_are_the_adapted_model(tmp_path: Path) -> None:
    """In a mixture the adapter wraps whole parameters, one around the other."""
    folder = small_policy(tmp_path / "policy", "mixtral", num_local_experts=4, num_experts_per_tok=2)
    policy = load_policy(LORA, folder, CPU)
    move(policy)
    assert any("experts" in name for name, p in policy.model.named_parameters() if p.requires_grad)
    save_final(tmp_path / "final", policy.model, policy.tokenizer)
    final = load_policy(PolicyConfig(), tmp_path / "final", CPU)
    completion = completions_of(final)[2]
    with torch.no_grad():
        expected = own_logprobs(policy.model, completion)
        assert own_logprobs(final.model, completion) == pytest.approx(expected, abs=1e-5)
        base = load_policy(PolicyConfig(), folder, CPU)
        assert own_logprobs(base.model, completion) != pytest.approx(expected, abs=1e-2)


def test_merged_weights_are_the_adapted_model(adapted: Policy) -> None:
    plain = load_policy(PolicyConfig(), adapted.source, CPU)
    completion = completions_of(plain)[2]
    merged = dict(merged_weights(adapted.model))
    assert set(merged) == {name for name, _ in plain.model.named_parameters()}
    plain.model.load_state_dict(merged, strict=False)
    with torch.no_grad():
        expected = own_logprobs(adapted.model, completion)
        assert own_logprobs(plain.model, completion) == pytest.approx(expected, abs=1e-5)


@pytest.mark.filterwarnings("ignore:The following .*pattern keys:RuntimeWarning")
def test_buffers_that_checkpoints_hold_go_along(tmp_path: Path) -> None:
    """DeepSeek-V3's routers correct by a buffer that is no parameter."""
    shape: dict[str, Any] = {
        "head_dim": 8, "n_routed_experts": 4, "num_experts_per_tok": 2, "n_group": 1, "topk_group": 1,
        "moe_intermediate_size": 16, "first_k_dense_replace": 1, "q_lora_rank": 16, "kv_lora_rank": 16,
        "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 16, "num_key_value_heads": 2, "n_shared_experts": 1,
    }  # fmt: skip
    policy = load_policy(LORA, small_policy(tmp_path / "policy", "deepseek_v3", **shape), CPU)
    saved = load_file(tmp_path / "policy/model.safetensors")
    assert any("e_score_correction_bias" in name for name in saved)
    assert dict(checkpoint_weights(policy.model)).keys() == saved.keys()
    save_final(tmp_path / "final", policy.model, policy.tokenizer)
    final = load_file(tmp_path / "final/model.safetensors")
    assert final.keys() == saved.keys()
    assert all(torch.allclose(final[name], saved[name], atol=1e-6) for name in saved)


def test_the_same_seed_gives_the_same_adapter(tmp_path: Path) -> None:
    folder = small_policy(tmp_path)
    one, two, other = (
        dict(load_policy(LORA, folder, CPU, seed=s).model.named_parameters()) for s in (1, 1, 2)
    )
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_checkpoints_name_experts_as_transformers_saves_them(tmp_path: Path) -> None:
    """In memory the experts of a mixture are one tensor; on disk, and for engines, one each."""
    folder = small_policy(tmp_path / "m", "mixtral", num_local_experts=4, num_experts_per_tok=2)
    policy = load_policy(PolicyConfig(), folder, CPU)
    saved = load_file(folder / "model.safetensors")
    written = load_file(write_weights(policy.model, tmp_path, "w.safetensors", torch.float32))
    assert saved.keys() == written.keys() == dict(checkpoint_weights(policy.model)).keys()
    assert all(torch.equal(saved[name], written[name]) for name in saved)


CHANGES: dict[str, dict[str, Any]] = {
    "lora": {"policy": {"lora": {"r": 4}}, "algorithm": {"lr": 1e-2}},
    "lora and checkpointing": {"policy": {"lora": {"r": 4, "targets": ["q_proj", "down_proj"]}, "gradient_checkpointing": True}},
    "8 bit": {"algorithm": {"optimizer": "adamw_8bit"}},
    "plain adamw": {"algorithm": {"optimizer": "adamw"}},
    "bfloat16": {"policy": {"dtype": "bfloat16"}},
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_runs_save_and_resume_to_the_bit(place: Path, name: str) -> None:
    whole = train(config(place, "whole", **CHANGES[name])).folder
    short = train(
        config(
            place,
            "short",
            **{**CHANGES[name], "algorithm": {**CHANGES[name].get("algorithm", {}), "steps": 4}},
        )
    ).folder
    train(short, resume=True, overrides=["algorithm.steps=6"])
    one, two = (load_file(folder / "final/model.safetensors") for folder in (whole, short))
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert metrics(whole) == metrics(short)
    start = load_file(place / "policy/model.safetensors")
    assert start.keys() == one.keys()
    assert any(not torch.equal(start[key], one[key]) for key in start)
    assert metrics(whole)[0]["kl"] == pytest.approx(0, abs=1e-9)
    assert metrics(whole)[-1]["kl"] > 0


def test_an_adapter_s_run_keeps_adapters_and_ends_in_a_plain_folder(place: Path) -> None:
    folder = train(config(place, policy={"lora": {"r": 4}}, algorithm={"lr": 1e-2})).folder
    newest = folder / "checkpoints/step-000006"
    assert not (newest / "model.safetensors").exists()
    assert not (folder / "reference").exists()
    adapted = load_policy(LORA, place / "policy", CPU, adapter=newest / "adapter")
    final = load_policy(PolicyConfig(), folder / "final", CPU)
    completion = completions_of(final)[2]
    with torch.no_grad():
        expected = own_logprobs(adapted.model, completion)
        assert own_logprobs(final.model, completion) == pytest.approx(expected, abs=1e-5)


@pytest.mark.filterwarnings("ignore:Model has `tie_word_embeddings:UserWarning")
def test_an_adapter_on_a_tied_head_is_refused(tmp_path: Path) -> None:
    """Merged, it would change the embeddings too, or be lost."""
    folder = small_policy(tmp_path, tie_word_embeddings=True)
    for target in ("lm_head", "embed_tokens"):
        config = PolicyConfig.model_validate({"lora": {"targets": ["q_proj", target]}})
        with pytest.raises(PolicyError, match="one tensor in this model"):
            load_policy(config, folder, CPU)


def test_mistakes_are_told(place: Path) -> None:
    with pytest.raises(PolicyError, match="policy.lora: Target modules"):
        train(config(place, policy={"lora": {"targets": ["no_such_layer"]}}))
    with pytest.raises(TaskError, match="algorithm.optimizer"):
        train(config(place, algorithm={"optimizer": "adam9"}))
    assert not (place / "run").exists()


def test_notes_are_kept(place: Path) -> None:
    small_policy(place / "policy", attention_dropout=0.3)
    folder = train(config(place, algorithm={"steps": 1})).folder
    notes = [json.loads(line)["note"] for line in (folder / "notes.jsonl").read_text().splitlines()]
    assert notes == [
        "dropout is set to 0 (attention_dropout 0.3), so that sampling and training use one distribution"
    ]
