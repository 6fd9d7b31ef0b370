"""Process reward models on vLLM's pooling runner, against torch."""

from pathlib import Path

import pytest
from prm_models import save_prm

from markscheme.rewards.models.prm_formats import find_format
from markscheme.rewards.models.prm_torch import load_prm
from markscheme.sandbox import RewardError

pytest.importorskip("vllm", reason="vLLM is not installed here: `make test-slow` has an environment")
pytestmark = [pytest.mark.vllm, pytest.mark.filterwarnings("default")]
PROMPT, STEPS = "the sum of two numbers", ["x1 is 3.14", "the sum is two.", "so x1 of two"]


@pytest.mark.parametrize("family", ["qwen", "trl"])
def test_vllm_scores_as_torch_does(family: str, tmp_path: Path) -> None:
    from markscheme.rewards.models.prm_vllm import VllmPrm

    # 16 numbers a head are too few for its kernels on a CPU.
    shape = {"hidden_size": 64, "num_attention_heads": 2, "head_dim": 32}
    folder = save_prm(tmp_path / family, family, **shape)
    plain = load_prm(folder, find_format(family))
    answers = [STEPS, STEPS[:1], [*STEPS, *STEPS]]
    inputs = [plain.encoder(PROMPT, steps) for steps in answers]
    wanted = plain.score(inputs)
    served = VllmPrm(str(folder), find_format(family))
    for row, own in zip(served.score(inputs), wanted, strict=True):
        assert row == pytest.approx(own, abs=1e-4)


def test_a_format_that_it_does_not_pool_is_refused(tmp_path: Path) -> None:
    from markscheme.rewards.models.prm_vllm import VllmPrm

    with pytest.raises(RewardError, match="use engine torch"):
        VllmPrm(str(tmp_path), find_format("math_shepherd"))
