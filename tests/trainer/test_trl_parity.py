"""The `trl` preset gives the advantages, losses and gradients that TRL 1.16 gives for the same batch.

TRL's numbers are in `tests/data/trl_losses.json`, which `tests/scripts/trl_losses.py` wrote.
"""

import json
from typing import Any

import pytest
import torch

from markscheme.trainer import outcome_advantages, policy_loss
from markscheme.trainer.config.algorithm_config import AlgorithmConfig
from support import ROOT

TRL = json.loads((ROOT / "tests/data/trl_losses.json").read_text(encoding="utf-8"))


def test_advantages_are_those_of_trl() -> None:
    algorithm = AlgorithmConfig(preset="trl")
    rewards = torch.tensor(TRL["rewards"]).view(2, 4)
    advantages = outcome_advantages(rewards, std=algorithm.std, eps=algorithm.eps)
    assert advantages.flatten().tolist() == pytest.approx(TRL["group_advantages"], rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("case", TRL["cases"], ids=lambda case: f"{case['loss_type']}-{case['kl']}")
def test_losses_and_gradients_are_those_of_trl(case: dict[str, Any]) -> None:
    """To 1e-5: grpo, bnpo, dr_grpo and dapo, without a KL, with k3 and with k3 times the ratio."""
    uses_token_mean = case["loss_type"] in ("dapo", "bnpo")
    assert (case["aggregate"] == AlgorithmConfig(preset="trl").aggregate) == uses_token_mean
    denominator = None
    if case["aggregate"] == "constant":
        denominator = len(TRL["rewards"]) * TRL["max_length"]
    logprobs = torch.tensor(TRL["logprobs"], requires_grad=True)
    loss, stats = policy_loss(
        logprobs,
        torch.tensor(TRL["old_logprobs"]),
        torch.tensor(TRL["advantages"])[:, None],
        torch.tensor(TRL["mask"]),
        ref_logprobs_BT=torch.tensor(TRL["ref_logprobs"]),
        kl_coef=case["kl_coef"],
        kl="k3" if case["kl"] == "none" else case["kl"],  # any: its coefficient is 0
        aggregate=case["aggregate"],
        denominator=denominator,
    )
    loss.backward()
    assert stats["clipped_low"] + stats["clipped_high"] > 0.05, "some ratios must be clipped"
    assert loss.item() == pytest.approx(case["loss"], rel=1e-5)
    assert logprobs.grad is not None
    expected = torch.tensor(case["gradient"])
    assert (logprobs.grad - expected).norm() <= 1e-5 * expected.norm()
    # How far the gradients of the whole model were apart when the script computed both side by side.
    assert case["apart"] < 1e-5
