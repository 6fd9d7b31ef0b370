"""Process reward models on vLLM's pooling runner give the scores that they give on torch."""

from pathlib import Path

import pytest

from markscheme.rewards.models.prm_formats import find_format
from markscheme.rewards.models.prm_torch import load_prm
from markscheme.sandbox import RewardError
from prm_models import PROMPT, STEPS, save_prm

pytest.importorskip("vllm", reason="vLLM is not installed here: `make test-slow` has an environment")
# vLLM and what it imports warn of many things, and warnings are errors elsewhere.
pytestmark = [pytest.mark.vllm, pytest.mark.filterwarnings("default")]


@pytest.mark.parametrize("family", ["qwen", "trl"])
def test_vllm_scores_as_torch_does(family: str, tmp_path: Path) -> None:
    from markscheme.rewards.models.prm_vllm import VllmPrm

    # vLLM's attention on a CPU needs heads of 32 numbers; the models here usually have 16.
    folder = save_prm(tmp_path / family, family, hidden_size=64, num_attention_heads=2, head_dim=32)
    on_torch = load_prm(folder, find_format(family))
    answers = [STEPS, STEPS[:1], [*STEPS, *STEPS]]
    inputs = [on_torch.encoder(PROMPT, steps) for steps in answers]
    on_vllm = VllmPrm(str(folder), find_format(family))
    for scores, expected in zip(on_vllm.score(inputs), on_torch.score(inputs), strict=True):
        assert scores == pytest.approx(expected, abs=1e-4)


def test_a_format_that_vllm_cannot_pool_is_refused(tmp_path: Path) -> None:
    from markscheme.rewards.models.prm_vllm import VllmPrm

    with pytest.raises(RewardError, match="use engine torch"):
        VllmPrm(str(tmp_path), find_format("math_shepherd"))
