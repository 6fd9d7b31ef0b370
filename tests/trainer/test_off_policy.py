"""Corrections where the sampler is not the policy: importance weights, dropped completions, the mismatch."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from markscheme.trainer import policy_loss
from markscheme.trainer.objective.off_policy import importance_weights, mismatch, off_policy_mask


def logs(*probabilities: float) -> Tensor:
    """Return the log-probabilities `[1, T]` of one completion."""
    return torch.tensor([probabilities], dtype=torch.float64).log()


@pytest.mark.parametrize(
    ("kind", "level", "bounds", "expected", "source"),
    [
        ("none", "token", {}, [1, 1, 1, 1], "no correction"),
        ("truncate", "token", {}, [0.25, 1, 2, 2], "TIS: min(pi_old / mu, 2)"),
        ("truncate", "token", {"low": 0.5, "high": 3.0}, [0.5, 1, 3, 2], "TRL's token_truncate with a lower bound"),
        ("mask", "token", {}, [0, 1, 0, 2], "IcePop: 0 outside of [0.5, 2]"),
        ("truncate", "sequence", {"high": 2.0}, [2, 2, 2, 2], "the product 0.25 x 1 x 5 x 2 = 2.5, cut"),
        ("truncate", "sequence", {}, [2.5] * 4, "the product"),
        ("mask", "sequence", {}, [2.5] * 4, "TRL's default, sequence_mask with 3"),
        ("mask", "sequence", {"high": 2.0}, [0] * 4, "beyond 2"),
    ],
)  # fmt: skip
def test_importance_weights(kind: Any, level: Any, bounds: dict, expected: list, source: str) -> None:
    """Ratios of 0.25, 1, 5 and 2; a fifth token, which a tool wrote, does not count."""
    sampled = logs(0.8, 0.4, 0.1, 0.3, 0.9)
    old = logs(0.2, 0.4, 0.5, 0.6, 0.1).requires_grad_()
    mask = torch.tensor([[1, 1, 1, 1, 0]])
    weights = importance_weights(old, sampled, mask, kind=kind, level=level, **bounds)
    assert weights[0, :4].tolist() == pytest.approx(expected), source
    assert weights[0, 4] == 1
    assert not weights.requires_grad


def test_bad_completions_that_the_policy_has_moved_away_from_are_dropped() -> None:
    """DeepSeek-V3.2, equation 9: where the advantage is negative and the mean of log(mu/pi) above delta."""
    sampled = torch.zeros(4, 3)
    new = torch.tensor([[-0.9, -0.9, -0.3], [-0.9, -0.9, -0.3], [-0.1, 0.0, -0.2], [0.9, 0.9, -9.0]])
    mask = torch.tensor([[1, 1, 1], [1, 1, 1], [1, 1, 1], [1, 1, 0]])
    advantages = torch.tensor([[-1.0], [1.0], [-1.0], [-1.0]]).expand(4, 3)
    kept = off_policy_mask(new, sampled, advantages, mask, delta=0.5)
    assert kept.flatten().tolist() == [0, 1, 1, 1]


def test_the_mismatch_of_two_engines() -> None:
    """The third token is masked, so its large difference does not count."""
    ours, theirs = logs(0.3, 0.5, 0.2), logs(0.2, 0.5, 0.9)
    stats = mismatch(ours, theirs, torch.tensor([[1, 1, 0]]))
    assert stats["mismatch_mean"].item() == pytest.approx(math.log(1.5) / 2)
    assert stats["mismatch_max"].item() == pytest.approx(math.log(1.5))
    assert stats["mismatch_k3"].item() == pytest.approx((0.5 - math.log(1.5)) / 2)
    assert mismatch(ours, theirs, torch.zeros(1, 3))["mismatch_max"] == 0


@pytest.mark.parametrize("seed", range(3))
def test_importance_weights_make_the_expected_gradient_right(seed: int) -> None:
    """E_mu[w A grad log pi] = E_pi[A grad log pi], computed exactly over a vocabulary of six tokens.

    Without the weights w the two differ.
    """
    generator = torch.Generator().manual_seed(seed)

    def random_tensor() -> Tensor:
        return torch.randn(6, generator=generator, dtype=torch.float64)

    policy = random_tensor().requires_grad_()
    sampler_logprobs = torch.log_softmax(policy.detach() + 0.2 * random_tensor(), -1)
    advantages_B1 = random_tensor()[:, None]
    logprobs_B1 = torch.log_softmax(policy, -1)[:, None]
    old_B1, mask_B1 = logprobs_B1.detach(), torch.ones(6, 1)

    def expected_gradient(weights_B1: Tensor, drawn_with: Tensor) -> Tensor:
        """Return the sum of every token's own gradient, times the probability with which it is drawn."""
        total = torch.zeros((), dtype=torch.float64)
        for token in range(6):
            row = slice(token, token + 1)
            loss, _ = policy_loss(
                logprobs_B1[row], old_B1[row], advantages_B1[row], mask_B1[row], weights_BT=weights_B1[row]
            )
            total = total + loss * drawn_with[token].exp()
        return torch.autograd.grad(total, policy, retain_graph=True)[0]

    weights_B1 = importance_weights(old_B1, sampler_logprobs[:, None], mask_B1, high=100.0)
    no_weights_B1 = torch.ones(6, 1, dtype=torch.float64)
    exact = expected_gradient(no_weights_B1, old_B1[:, 0])
    assert torch.allclose(expected_gradient(weights_B1, sampler_logprobs), exact, atol=1e-12)
    assert not torch.allclose(expected_gradient(no_weights_B1, sampler_logprobs), exact, atol=1e-3)
