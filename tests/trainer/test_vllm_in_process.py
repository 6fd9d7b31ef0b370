"""Real vLLM in this process: new weights arrive after every update, and are noticed where they do not.

Runs where vLLM is installed (`make test-slow` makes such an environment).
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from markscheme.sandbox import RunError
from markscheme.trainer.config.run_config import EngineConfig, SamplingConfig
from markscheme.trainer.engines import vllm_local
from markscheme.trainer.models.policy import Policy
from markscheme.trainer.models.weights import checkpoint_weights
from small_runs import json_lines
from vllm_engines import (
    LONG,
    SAMPLING,
    SHORT,
    change_weights,
    check_five_updates,
    largest_difference,
    random_policy,
    token_ids_of,
)

pytest.importorskip("vllm", reason="vLLM is not installed here: `make test-slow` has an environment")
pytestmark = [pytest.mark.vllm, pytest.mark.filterwarnings("default")]

POLICIES: dict[str, dict[str, Any]] = {
    "untied": {},
    "tied": {"tie_word_embeddings": True},
    "qwen3, tied": {"architecture": "qwen3", "tie_word_embeddings": True},
    "lora, tied": {"policy": {"lora": {"r": 4}}, "tie_word_embeddings": True},
}


@pytest.fixture(scope="module")
def make_engine() -> Iterator[Any]:
    """Make the engine of a policy; the one before it is ended first, because a process has room for one."""
    open_engines: list[vllm_local.VllmEngine] = []

    def make(policy: Policy, **config: Any) -> vllm_local.VllmEngine:
        for engine in open_engines:
            engine.close()
        open_engines[:] = [vllm_local.VllmEngine(EngineConfig(kind="vllm", memory=1, **config), policy)]
        return open_engines[0]

    yield make
    for engine in open_engines:
        engine.close()


@pytest.mark.parametrize("name", POLICIES)
def test_the_weights_arrive_after_every_update(make_engine: Any, tmp_path: Path, name: str) -> None:
    policy = random_policy(tmp_path, **POLICIES[name])
    engine = make_engine(policy)
    check_five_updates(engine, policy)
    warm = SamplingConfig(max_new_tokens=12, temperature=0.7)
    assert largest_difference(policy, engine.groups([LONG, SHORT], 4, warm, seed=1), 0.7) < 1e-4
    samples = token_ids_of(engine.groups([LONG, SHORT], 4, warm, seed=9))
    assert samples == token_ids_of(engine.groups([LONG, SHORT], 4, warm, seed=9))
    assert len({tuple(ids) for group in samples for ids in group}) > 4
    (greedy,) = engine.groups([SHORT], 1, SamplingConfig(max_new_tokens=4, temperature=0), seed=0)[0]
    assert greedy.logprobs == [0.0] * len(greedy.token_ids)
    groups = engine.groups([SHORT] * 40, 4, SAMPLING, seed=3)
    stopped = [c for group in groups for c in group if c.finish_reason == "stop"]
    assert stopped
    assert all(c.token_ids[-1] in policy.eos_ids and "<eos>" not in c.text for c in stopped)


@pytest.fixture
def sampled_engine(make_engine: Any, tmp_path: Path) -> tuple[Any, Policy]:
    """An engine that has sampled with the weights of version 0, and its policy, whose head is tied."""
    policy = random_policy(tmp_path, tie_word_embeddings=True)
    engine = make_engine(policy)
    engine.sync(policy, 0)
    engine.groups([LONG, SHORT], 2, SAMPLING, seed=0)
    return engine, policy


def test_the_probe_finds_weights_that_did_not_arrive(
    sampled_engine: tuple[Any, Policy], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three silent corruptions, one after the other; each is found, and the next sync mends it."""
    engine, policy = sampled_engine
    with monkeypatch.context() as patch:
        _send_old_weights(patch, policy)
        change_weights(policy)
        with pytest.raises(RunError, match="differ from the trainer's by"):
            engine.sync(policy, 1)
    engine.sync(policy, 2)
    with monkeypatch.context() as patch:
        _leave_the_tied_head_as_it_is(patch)
        change_weights(policy)
        with pytest.raises(RunError, match="tied LM head"):
            engine.sync(policy, 3)
    engine.sync(policy, 4)
    with monkeypatch.context() as patch:
        engine.groups([LONG, SHORT], 2, SAMPLING, seed=0)
        _keep_the_prefix_cache(patch, engine)
        change_weights(policy)
        with pytest.raises(RunError, match="differ from the trainer's by"):
            engine.sync(policy, 5)
    engine.sync(policy, 6)


def _send_old_weights(patch: pytest.MonkeyPatch, policy: Policy) -> None:
    old = [(name, tensor.clone()) for name, tensor in checkpoint_weights(policy.model)]
    patch.setattr(vllm_local, "checkpoint_weights", lambda model: old)


def _leave_the_tied_head_as_it_is(patch: pytest.MonkeyPatch) -> None:
    from markscheme.trainer.engines import vllm_plugin  # can only be imported where vLLM is installed

    def finish_without_the_head(self: Any) -> None:
        from vllm.model_executor.model_loader.reload import (  # pyright: ignore[reportMissingImports]
            finalize_layerwise_reload,
        )

        finalize_layerwise_reload(self.model, self.model_config)

    patch.setattr(vllm_plugin.MarkschemeTransfer, "finish_weight_update", finish_without_the_head)


def _keep_the_prefix_cache(patch: pytest.MonkeyPatch, engine: Any) -> None:
    patch.setattr(engine._llm, "reset_prefix_cache", lambda: None)


def test_a_model_that_vllm_computes_differently_is_told_apart_from_old_weights(
    make_engine: Any, tmp_path: Path
) -> None:
    """As Gemma 2 by vLLM 0.32 on a CPU; with a higher limit the run goes on, with corrections."""
    changes = {"sliding_window": 64, "query_pre_attn_scalar": 16, "final_logit_softcapping": 5.0}
    policy = random_policy(tmp_path, "gemma2", **changes)
    engine = make_engine(policy)
    if engine.mismatch_at_load < 1e-3:
        pytest.skip("this vLLM computes Gemma 2 as transformers does")
    with pytest.raises(RunError, match="with the weights that the engine loaded itself"):
        engine.sync(policy, 0)
    engine.max_mismatch = 0.1
    engine.sync(policy, 0)


def test_an_engine_with_another_tokenizer_is_refused(make_engine: Any, tmp_path: Path) -> None:
    """transformers gives a qwen2 folder a tokenizer of its own, which drops spaces."""
    from transformers import PreTrainedTokenizerFast

    policy = random_policy(tmp_path, "qwen2")
    policy.tokenizer = PreTrainedTokenizerFast.from_pretrained(tmp_path)
    with pytest.raises(RunError, match="the tokenizers of .* differ"):
        make_engine(policy)


def test_the_mismatch_of_a_bfloat16_engine_is_measured(make_engine: Any, tmp_path: Path) -> None:
    policy = random_policy(tmp_path)
    engine = make_engine(policy, dtype="bfloat16")
    engine.sync(policy, 0)
    assert engine.probe_mismatch is not None
    assert 1e-3 < engine.probe_mismatch < 0.3
    assert engine.dtype == "bfloat16"


def _train_addition(out: Path, kind: str) -> dict[str, Any]:
    """Train on one kind of engine, in a process of its own; return the summary."""
    command = [sys.executable, "-m", "markscheme.trainer.commands.cli", "train", "addition", "--json"]
    command += ["--out", str(out)]
    for setting in (f"engine.kind={kind}", "engine.memory=1", "algorithm.steps=60"):
        command += ["--set", setting]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert ran.returncode == 0, ran.stderr[-3000:]
    return json.loads(ran.stdout[ran.stdout.index("{") :])  # vLLM may print lines before


def test_addition_is_learned_on_vllm_as_on_transformers(tmp_path: Path) -> None:
    """The final accuracy is within the interval of the same run on transformers."""
    on_hf, on_vllm = (_train_addition(tmp_path / kind, kind) for kind in ("hf", "vllm"))
    for kind in ("hf", "vllm"):
        assert max(row["mismatch_max"] for row in json_lines(tmp_path / kind / "metrics.jsonl")) < 1e-3
    assert on_vllm["pass_at_1_before"] == on_hf["pass_at_1_before"]
    low, high = on_hf["pass_at_1_after_interval"]
    assert max(low, 0.9) <= on_vllm["pass_at_1_after"] <= max(high, 1.0)
