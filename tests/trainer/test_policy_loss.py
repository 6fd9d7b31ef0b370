"""`policy_loss`: worked numbers, the formula written out token by token, gradients, masks and weights.

The worked numbers are DeepSeekMath's formulas on the inputs of the examples in `seed_examples.json`.
"""

import math
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from markscheme.trainer import policy_loss
from markscheme.trainer.objective.kl import kl_estimate
from markscheme.trainer.objective.settings import Aggregate, Kl, Ratio


def doubles(*rows: list[float]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def surrogate(ratio: float, advantage: float, **options: Any) -> float:
    """Return the clipped surrogate of a single token, through the whole loss."""
    old = torch.zeros(1, 1, dtype=torch.float64)
    loss, _ = policy_loss(old + math.log(ratio), old, doubles([advantage]), torch.ones(1, 1), **options)
    return -loss.item()


@pytest.mark.parametrize(
    ("ratio", "advantage", "expected"),
    [
        (1.3, 1.3416, 1.60992),
        (1.05, 1.3416, 1.40868),
        (0.7, 1.3416, 0.93912),
        (3.0, 1.0, 1.2),
        (3.0, -1.0, -3.0),
        (0.7, -1.0, -0.8),
    ],
)
def test_worked_surrogates(ratio: float, advantage: float, expected: float) -> None:
    assert surrogate(ratio, advantage) == pytest.approx(expected, abs=1e-9)


def test_the_upper_bound_of_the_clip_can_be_higher() -> None:
    assert surrogate(3.0, 1.0, clip_high=0.28) == pytest.approx(1.28)


def test_the_worked_mean_over_a_completion() -> None:
    old = torch.zeros(1, 3, dtype=torch.float64)
    loss, stats = policy_loss(doubles([1.3, 1.05, 0.7]).log(), old, doubles([1.3416]), torch.ones(1, 3))
    assert -loss.item() == pytest.approx(1.31924, abs=1e-9)
    assert stats["clipped_high"].item() == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("kind", "value"), [("k1", 0.2231435513), ("k2", 0.0248965222), ("k3", 0.0231435513)]
)
def test_worked_kl_estimates(kind: Kl, value: float) -> None:
    """A token that the policy gives 0.3 and the reference 0.24."""
    estimate = kl_estimate(doubles([0.3]).log(), doubles([0.24]).log(), kind)
    assert estimate.item() == pytest.approx(value, abs=1e-6)


def test_the_worked_kl_term_of_the_loss() -> None:
    policy, reference = doubles([0.3]).log(), doubles([0.24]).log()
    no_advantage, mask, kl_term = doubles([0.0]), torch.ones(1, 1), 0.0009257420525683902
    loss, _ = policy_loss(policy, policy, no_advantage, mask, ref_logprobs_BT=reference, kl_coef=0.04)
    assert loss.item() == pytest.approx(kl_term, abs=1e-8)
    # With both moved by log 2, the KL is the same and the ratio 2.
    moved, moved_reference = policy + math.log(2), reference + math.log(2)
    loss, _ = policy_loss(
        moved, policy, no_advantage, mask, ref_logprobs_BT=moved_reference, kl_coef=0.04, kl="k3_ratio"
    )
    assert loss.item() == pytest.approx(2 * kl_term, abs=1e-8)


def test_the_worked_probability_of_a_sequence() -> None:
    """0.4 x 0.5 x 0.2 = 0.04: without a ratio, the loss is the log-probability of the whole answer."""
    logprobs = doubles([0.4, 0.5, 0.2]).log()
    loss, _ = policy_loss(
        logprobs,
        logprobs,
        torch.ones(1, 1),
        torch.ones(1, 3),
        ratio="none",
        aggregate="constant",
        denominator=1,
    )
    assert loss.item() == pytest.approx(3.2188758248682006, abs=1e-9)


def test_the_worked_importance_ratio() -> None:
    """A token whose probability went from 0.1 to 0.3 has the ratio 3."""
    new, old = doubles([0.3]).log(), doubles([0.1]).log()
    _, stats = policy_loss(new, old, torch.ones(1, 1), torch.ones(1, 1))
    assert stats["ratio"].item() == pytest.approx(3.0, abs=1e-9)


class RandomBatch(NamedTuple):
    """Four completions of 5, 1, 3 and 4 tokens, padded to 5."""

    new: Tensor
    """Log-probabilities with gradient."""
    old: Tensor
    advantages: Tensor
    """`[4, 1]`."""
    mask: Tensor
    ref: Tensor


ROWS, TOKENS, WIDTH = 4, 13, 5


@pytest.fixture
def batch() -> RandomBatch:
    generator = torch.Generator().manual_seed(0)

    def random_tensor(width: int) -> Tensor:
        return torch.randn(ROWS, width, generator=generator, dtype=torch.float64)

    mask = (torch.arange(WIDTH) < torch.tensor([5, 1, 3, 4])[:, None]).double()
    new, old, ref = (random_tensor(WIDTH) * 0.3 - 1 for _ in range(3))
    return RandomBatch(new.requires_grad_(), old, random_tensor(1), mask, ref)


def loss_written_out(batch: RandomBatch, ratio: Ratio, aggregate: Aggregate, kl: Kl, kl_coef: float) -> float:
    """Return the loss by its formula, one completion and one token at a time; clipped at 0.8 and 1.2."""
    objective = 0.0
    for i in range(ROWS):
        length = int(batch.mask[i].sum())
        advantage = batch.advantages[i].item()
        log_ratios = [(batch.new[i, t] - batch.old[i, t]).item() for t in range(length)]
        for t in range(length):
            new, ref = batch.new[i, t].item(), batch.ref[i, t].item()
            r = math.exp(sum(log_ratios) / length if ratio == "sequence" else log_ratios[t])
            if ratio == "none":
                term = new * advantage
            else:
                term = min(r * advantage, min(max(r, 0.8), 1.2) * advantage)
            d = ref - new
            k3 = math.exp(d) - d - 1
            k3_ratio = k3 if ratio == "none" else k3 * r
            estimate = {"k1": -d, "k2": d * d / 2, "k3": k3, "k3_ratio": k3_ratio}[kl]
            shares = {
                "sequence_mean": 1 / (ROWS * length),
                "token_mean": 1 / TOKENS,
                "constant": 1 / (ROWS * WIDTH),
            }
            objective += (term - kl_coef * estimate) * shares[aggregate]
    return -objective


@pytest.mark.parametrize("ratio", ["token", "sequence", "none"])
@pytest.mark.parametrize("aggregate", ["sequence_mean", "token_mean", "constant"])
@pytest.mark.parametrize("kl", ["k1", "k2", "k3", "k3_ratio"])
def test_the_loss_is_the_formula_written_out(
    batch: RandomBatch, ratio: Ratio, aggregate: Aggregate, kl: Kl
) -> None:
    loss, _ = policy_loss(
        batch.new,
        batch.old,
        batch.advantages,
        batch.mask,
        ratio=ratio,
        aggregate=aggregate,
        kl=kl,
        kl_coef=0.1,
        ref_logprobs_BT=batch.ref,
    )
    assert loss.item() == pytest.approx(loss_written_out(batch, ratio, aggregate, kl, 0.1), abs=1e-12)


def test_the_gradient_is_the_coefficient_of_the_paper(batch: RandomBatch) -> None:
    """DeepSeekMath, equation 21 (on policy): A + beta (pi_ref/pi - 1), times 1/(G |o|)."""
    new, _, advantages, mask, ref = batch
    loss, _ = policy_loss(new, new.detach(), advantages, mask, kl_coef=0.04, ref_logprobs_BT=ref)
    loss.backward()
    assert new.grad is not None
    coefficient = advantages + 0.04 * ((ref - new.detach()).exp() - 1)
    expected = coefficient * mask / mask.sum(-1, keepdim=True) / ROWS
    assert torch.allclose(-new.grad, expected, atol=1e-14)


@pytest.mark.parametrize(
    ("aggregate", "denominator"),
    [("sequence_mean", ROWS), ("token_mean", TOKENS), ("constant", ROWS * WIDTH)],
    ids=["sequence_mean", "token_mean", "constant"],
)
def test_the_losses_of_parts_sum_to_that_of_the_batch(
    batch: RandomBatch, aggregate: Aggregate, denominator: int
) -> None:
    new, old, advantages, mask, _ = batch
    whole, _ = policy_loss(new, old, advantages, mask, aggregate=aggregate)
    total = 0.0
    for part in (slice(0, 1), slice(1, 4)):
        loss, _ = policy_loss(
            new[part], old[part], advantages[part], mask[part], aggregate=aggregate, denominator=denominator
        )
        total += loss.item()
    assert total == pytest.approx(whole.item(), abs=1e-14)


def test_the_values_of_padding_have_no_effect(batch: RandomBatch) -> None:
    results = []
    for filling in (0.0, -math.inf, math.nan, 80.0):
        new, old, ref = (
            torch.where(batch.mask > 0, values.detach(), filling)
            for values in (batch.new, batch.old, batch.ref)
        )
        new.requires_grad_()
        loss, stats = policy_loss(new, old, batch.advantages, batch.mask, kl_coef=0.1, ref_logprobs_BT=ref)
        loss.backward()
        assert new.grad is not None
        assert not new.grad[batch.mask == 0].any(), filling
        results.append((loss.item(), *(value.item() for value in stats.values())))
    assert all(result == pytest.approx(results[0]) for result in results)


def test_weights_multiply_the_surrogate_and_not_the_kl(batch: RandomBatch) -> None:
    new, old, advantages, mask, ref = batch
    plain, _ = policy_loss(new, old, advantages, mask)
    weighted, _ = policy_loss(new, old, advantages, mask, weights_BT=torch.full_like(mask, 0.5))
    assert weighted.item() == pytest.approx(plain.item() / 2)
    kl, _ = policy_loss(new, old, advantages * 0, mask, weights_BT=mask * 0, kl_coef=0.1, ref_logprobs_BT=ref)
    assert kl.item() > 0


def test_the_loss_has_the_dtype_of_the_log_probabilities(batch: RandomBatch) -> None:
    new, old, advantages, mask, _ = batch
    loss, _ = policy_loss(new.detach().float(), old.float(), advantages.float(), mask.float())
    assert loss.dtype == torch.float32


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ratio": "tokens"}, "ratio must be one of"),
        ({"kl": "k4"}, "kl must be one of"),
        ({"aggregate": "mean"}, "aggregate must be one of"),
        ({"kl_coef": 0.1}, "needs ref_logprobs_BT"),
        ({"mask_BT": torch.ones(4, 4)}, "mask_BT must have the shape"),
        ({"advantages_BT": torch.ones(4)}, "advantages"),
    ],
)
def test_invalid_arguments_are_refused(batch: RandomBatch, change: dict[str, Any], message: str) -> None:
    new, old, advantages, mask, _ = batch
    arguments = {"logprobs_BT": new, "old_logprobs_BT": old, "advantages_BT": advantages, "mask_BT": mask}
    with pytest.raises(ValueError, match=message):
        policy_loss(**{**arguments, **change})


def test_the_token_form_of_gspo_equals_gspo_where_a_completion_has_one_advantage() -> None:
    """arXiv 2507.18071, section 4.3; where advantages differ, each token's gradient has its own."""
    generator = torch.Generator().manual_seed(0)
    new, old = (-torch.rand(3, 5, generator=generator, dtype=torch.float64) for _ in range(2))
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 1, 0, 0, 0]])

    def loss_and_gradient(ratio: Ratio, advantages_BT: Tensor) -> tuple[float, Tensor]:
        leaf = new.clone().requires_grad_()
        loss, _ = policy_loss(leaf, old, advantages_BT, mask, ratio=ratio, clip_low=1.0, clip_high=9.0)
        loss.backward()
        assert leaf.grad is not None
        return loss.item(), leaf.grad

    advantages = doubles([1.0], [-0.5], [2.0]).expand(3, 5)
    loss, gradient = loss_and_gradient("sequence", advantages)
    token_loss, token_gradient = loss_and_gradient("sequence_token", advantages)
    assert loss == pytest.approx(token_loss)
    assert torch.allclose(gradient, token_gradient, atol=1e-12)
    uneven = torch.randn(3, 5, generator=generator, dtype=torch.float64)
    _, gradient = loss_and_gradient("sequence_token", uneven)
    ratios = (((new - old) * mask).sum(-1) / mask.sum(-1)).exp()
    expected = -(ratios[:, None] * uneven * mask) / mask.sum(-1, keepdim=True) / 3
    assert torch.allclose(gradient, expected, atol=1e-12)


def test_tokens_that_are_not_finite_are_dropped_and_counted() -> None:
    """The loss and its gradient are those of the other tokens."""
    nan, inf = float("nan"), float("inf")
    logprobs = torch.tensor([[-1.0, -inf, -0.5, nan], [-1.0, -2.0, -3.0, nan]], requires_grad=True)
    old = torch.tensor([[-1.1, -1.0, -0.5, -1.0], [-1.0, nan, -3.0, -1.0]])
    mask = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 0]])
    loss, stats = policy_loss(logprobs, old, torch.ones(2, 1), mask)
    finite = torch.tensor([[1, 0, 1, 0], [1, 0, 1, 0]])
    clean = logprobs.detach().nan_to_num(0.0, 0.0, 0.0).requires_grad_()
    expected, _ = policy_loss(clean, old.nan_to_num(0.0), torch.ones(2, 1), finite)
    assert stats["not_finite"].item() == pytest.approx(2 / 6)
    assert torch.equal(loss, expected)
    loss.backward()
    expected.backward()
    assert logprobs.grad is not None
    assert clean.grad is not None
    assert torch.equal(logprobs.grad, clean.grad)


def test_ratios_are_bounded() -> None:
    loss, stats = policy_loss(
        torch.zeros(1, 2),
        torch.full((1, 2), -900.0),
        -torch.ones(1, 1),
        torch.ones(1, 2),
        ref_logprobs_BT=torch.full((1, 2), 900.0),
        kl_coef=0.1,
    )
    assert torch.isfinite(loss)
    assert stats["ratio"].item() == pytest.approx(math.exp(20))
