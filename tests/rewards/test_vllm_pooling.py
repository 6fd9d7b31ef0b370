"""Reward models on vLLM's pooling runner give the scores that they give on torch."""

from pathlib import Path

import pytest
import torch

from markscheme.rewards.models.prm_formats import find_format
from markscheme.rewards.models.prm_torch import load_prm
from markscheme.rewards.models.rm_torch import load_rm
from markscheme.rewards.models.vllm_pooling import VllmPrm, VllmRm
from markscheme.sandbox import RewardError
from prm_models import PROMPT, STEPS, save_prm
from rm_models import ANSWERS, save_rm

pytest.importorskip("vllm", reason="vLLM is not installed here: `make test-slow` has an environment")
# vLLM and what it imports warn of many things, and warnings are errors elsewhere.
pytestmark = [pytest.mark.vllm, pytest.mark.filterwarnings("default")]


@pytest.mark.parametrize("family", ["qwen", "trl"])
def test_vllm_scores_as_torch_does(family: str, tmp_path: Path) -> None:
    # vLLM's attention on a CPU needs heads of 32 numbers; the models here usually have 16.
    folder = save_prm(tmp_path / family, family, hidden_size=64, num_attention_heads=2, head_dim=32)
    on_torch = load_prm(folder, find_format(family))
    answers = [STEPS, STEPS[:1], [*STEPS, *STEPS]]
    inputs = [on_torch.encoder(PROMPT, steps) for steps in answers]
    on_vllm = VllmPrm(str(folder), find_format(family))
    for scores, expected in zip(on_vllm.score(inputs), on_torch.score(inputs), strict=True):
        assert scores == pytest.approx(expected, abs=1e-4)


def test_a_format_that_vllm_cannot_pool_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RewardError, match="use engine torch"):
        VllmPrm(str(tmp_path), find_format("math_shepherd"))


def test_vllm_scores_an_outcome_model_as_torch_does(tmp_path: Path) -> None:
    folder = save_rm(
        tmp_path / "rm", hidden_size=64, num_attention_heads=2, num_key_value_heads=2, pad_is_end=True
    )
    on_torch = load_rm(folder, form="text", device="cpu")
    on_vllm = VllmRm(str(folder), on_torch)
    inputs = [on_torch.encoder(PROMPT, text) for text in ANSWERS]
    scores = on_torch.score(inputs)
    assert on_vllm.score(inputs) == pytest.approx(scores, abs=1e-3)
    assert max(map(abs, scores)) > 1, "raw scores, and not their sigmoid"
    with torch.no_grad():
        on_torch.model.score.weight *= 1.01
    with pytest.raises(RewardError, match="vLLM and torch score the same 8 inputs differently"):
        on_vllm._check("rm", on_torch, 1e-3)


def test_a_pooling_that_vllm_does_not_have_is_refused(tmp_path: Path) -> None:
    on_torch = load_rm(save_rm(tmp_path / "rm", "bert"), form="pair", pooling="mean", device="cpu")
    with pytest.raises(RewardError, match="use engine torch"):
        VllmRm(str(tmp_path / "rm"), on_torch)
