"""Advantages, loss, pass@k: golden numbers of the texts, closed forms, properties.

Worked numbers: DeepSeekMath's formulas with the inputs of the texts this project follows
(`seed_examples.json` where the real data are at hand; the same numbers stand here).
"""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from markscheme.trainer import outcome_advantages, policy_loss
from markscheme.trainer.config.algorithm_config import AlgorithmConfig
from markscheme.trainer.config.presets import DEFAULT_PRESET, preset_values
from markscheme.trainer.config.run_config import RunConfig, SamplingConfig
from markscheme.trainer.loop.evaluation import mean_interval, pass_at_k, wilson_interval
from markscheme.trainer.models.optimizer import rate_at
from markscheme.trainer.objective.aggregate import kl_estimate
from markscheme.trainer.objective.off_policy import importance_weights, mismatch, off_policy_mask
from support import ROOT

WORKED = [
    # rewards, std, advantages, id in the texts
    (
        [0.2, 0.8, 0.5, -0.1],
        "population",
        [-0.4472135955, 1.3416407865, 0.4472135955, -1.3416407865],
        "group_norm_g4",
    ),
    (
        [0.2, 0.8, 0.5, -0.1],
        "sample",
        [-0.3872983346, 1.1618950039, 0.3872983346, -1.1618950039],
        "group_norm_g4",
    ),
    ([0.2, 0.8, 0.5, -0.1], "none", [-0.15, 0.45, 0.15, -0.45], "group_norm_g4"),
    ([1, 0], "population", [1.0, -1.0], "g2"),
    ([1, 0], "sample", [0.7071067812, -0.7071067812], "g2"),
    ([1, 0, 2], "none", [0.0, -1.0, 1.0], "two_plus_three"),
    ([1, 0, 2], "population", [0.0, -1.2247448714, 1.2247448714], "two_plus_three"),
    ([1, 0, 2], "sample", [0.0, -1.0, 1.0], "two_plus_three"),
    ([0.7, 0.7, 0.7, 0.7], "population", [0.0] * 4, "zero_variance"),
    ([1, 0, 0, 0], "population", [1.7320508076, *[-0.5773502692] * 3], "TRL study, section 3"),
]


@pytest.mark.parametrize(("rewards", "std", "expected", "source"), WORKED)
def test_outcome_advantages_of_the_texts(
    rewards: list[float], std: str, expected: list[float], source: str
) -> None:
    found = outcome_advantages([rewards], std=std)  # type: ignore[arg-type]
    assert found[0].tolist() == pytest.approx(expected, abs=1e-9), source


def test_every_outcome_example_of_the_seed_file(shared_data: Path) -> None:
    examples = json.loads((shared_data / "seed_examples.json").read_text())["examples"]
    seen = 0
    for example in examples:
        rewards = example["input"].get("rewards")
        if rewards is None or "advantages" not in example["expected"]:
            continue
        std = "none" if example["input"].get("scale") == "none" else "population"
        found = outcome_advantages(rewards, std=std)  # type: ignore[arg-type]
        assert found.tolist() == pytest.approx(
            example["expected"]["advantages"], abs=example["abs_tol_vs_expected"]
        )
        seen += 1
    assert seen == 4


@pytest.mark.parametrize("size", [2, 3, 7, 8, 64])
@pytest.mark.parametrize("value", [0.1, 0.3, 0.7, 1 / 3, 1e-8, 1e6])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_equal_rewards_give_exact_zeros(size: int, value: float, dtype: torch.dtype) -> None:
    """A plain (r - mean) / (std + 1e-8) in float32 gives 0.749 for G=8, r=0.3."""
    found = outcome_advantages(torch.full((3, size), value, dtype=dtype))
    assert found.dtype == dtype
    assert not found.any()


def test_rounding_residue_is_not_a_difference() -> None:
    assert not outcome_advantages([0.1 + 0.2, 0.3, 0.3, 0.3]).any()
    assert outcome_advantages([0.3 + 1e-9, 0.3]).tolist() == pytest.approx([1.0, -1.0])


def test_left_out_rows_get_zero_and_stay_out_of_the_statistics() -> None:
    nan = math.nan
    assert outcome_advantages([[1, nan, 0], [nan, nan, 5], [nan, nan, nan]]).tolist() == [
        [1, 0, -1],
        [0, 0, 0],
        [0, 0, 0],
    ]


def test_batch_std_is_of_all_rewards_that_count() -> None:
    rewards = [[1.0, 0.0], [1.0, 1.0], [math.nan, 0.0]]
    spread = torch.tensor([1.0, 0.0, 1.0, 1.0, 0.0]).double().std(correction=0).item()
    assert outcome_advantages(rewards, std="batch").tolist() == [
        pytest.approx([0.5 / spread, -0.5 / spread]),
        [0, 0],
        [0, 0],
    ]


@pytest.mark.parametrize(
    ("rewards", "more", "said"),
    [
        ([1.0, math.inf], {}, "must be finite"),
        ([1.0, 0.0], {"std": "bessel"}, "std must be one of population, sample, batch, none"),
        ([1.0, 0.0], {"eps": -1}, "eps must be 0 or more"),
        (torch.tensor(1.0), {}, "group dimension"),
    ],
)
def test_bad_rewards_are_refused(rewards: object, more: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        outcome_advantages(rewards, **more)  # type: ignore[arg-type]


GROUPS = st.lists(
    st.lists(st.integers(-50, 50).map(lambda i: i / 10), min_size=4, max_size=4), min_size=1, max_size=4
)


@settings(max_examples=200, deadline=None)
@given(
    GROUPS,
    st.integers(-1000, 1000),
    st.permutations(range(4)),
    st.sampled_from(["population", "sample", "none"]),
)
def test_advantages_sum_to_zero_and_shift_and_order_do_nothing(
    groups: list, shift: int, order: list[int], std: str
) -> None:
    rewards = torch.tensor(groups, dtype=torch.float64)
    found = outcome_advantages(rewards, std=std)  # type: ignore[arg-type]
    assert found.sum(-1).abs().max() < 1e-9
    assert torch.allclose(outcome_advantages(rewards + shift, std=std), found, atol=1e-6)  # type: ignore[arg-type]
    assert torch.allclose(outcome_advantages(rewards[:, order], std=std), found[:, order])  # type: ignore[arg-type]


def token(ratio: float, advantage: float, **more: Any) -> float:
    """The surrogate of one token, by the loss's own path."""
    old = torch.zeros(1, 1, dtype=torch.float64)
    loss, _ = policy_loss(
        old + math.log(ratio), old, torch.tensor([[advantage]], dtype=torch.float64), torch.ones(1, 1), **more
    )  # type: ignore[arg-type]
    return -loss.item()


@pytest.mark.parametrize(
    ("ratio", "advantage", "surrogate"),
    [
        (1.3, 1.3416, 1.60992),
        (1.05, 1.3416, 1.40868),
        (0.7, 1.3416, 0.93912),
        (3.0, 1.0, 1.2),
        (3.0, -1.0, -3.0),
        (0.7, -1.0, -0.8),
    ],
)
def test_clipped_surrogates_of_the_texts(ratio: float, advantage: float, surrogate: float) -> None:
    assert token(ratio, advantage) == pytest.approx(surrogate, abs=1e-9)


def test_clip_higher() -> None:
    assert token(3.0, 1.0, clip_high=0.28) == pytest.approx(1.28)


def test_the_mean_over_a_completion() -> None:
    old = torch.zeros(1, 3, dtype=torch.float64)
    new = torch.tensor([[1.3, 1.05, 0.7]], dtype=torch.float64).log()
    loss, stats = policy_loss(new, old, torch.tensor([[1.3416]], dtype=torch.float64), torch.ones(1, 3))
    assert -loss.item() == pytest.approx(1.31924, abs=1e-9)
    assert stats["clipped_high"].item() == pytest.approx(1 / 3)


def test_kl_estimates_of_the_texts() -> None:
    policy, reference = (
        torch.tensor([[0.3]], dtype=torch.float64).log(),
        torch.tensor([[0.24]], dtype=torch.float64).log(),
    )
    for kind, value in (("k1", 0.2231435513), ("k2", 0.0248965222), ("k3", 0.0231435513)):
        assert kl_estimate(policy, reference, kind).item() == pytest.approx(value, abs=1e-6)  # type: ignore[arg-type]
    zero = torch.zeros(1, 1).double()
    loss, _ = policy_loss(policy, policy, zero, torch.ones(1, 1), ref_logprobs_BT=reference, kl_coef=0.04)
    assert loss.item() == pytest.approx(0.0009257420525683902, abs=1e-8)
    ratio = policy + math.log(2)
    loss, _ = policy_loss(
        ratio,
        policy,
        zero,
        torch.ones(1, 1),
        ref_logprobs_BT=reference + math.log(2),
        kl_coef=0.04,
        kl="k3_ratio",
    )
    assert loss.item() == pytest.approx(2 * 0.0009257420525683902, abs=1e-8)


def test_the_sequence_probability_of_the_texts() -> None:
    """0.4 x 0.5 x 0.2 = 0.04: the textbook form takes the log-probability of the whole answer."""
    logprobs = torch.tensor([[0.4, 0.5, 0.2]], dtype=torch.float64).log()
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


def test_the_importance_ratio_of_the_texts() -> None:
    """A token that went from 0.1 to 0.3: ratio 3."""
    new, old = (
        torch.tensor([[0.3]], dtype=torch.float64).log(),
        torch.tensor([[0.1]], dtype=torch.float64).log(),
    )
    _, stats = policy_loss(new, old, torch.ones(1, 1), torch.ones(1, 1))
    assert stats["ratio"].item() == pytest.approx(3.0, abs=1e-9)


def batch(seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.tensor([5, 1, 3, 4])
    mask = (torch.arange(5) < lengths[:, None]).double()
    new, old, ref = (torch.randn(4, 5, generator=generator, dtype=torch.float64) * 0.3 - 1 for _ in range(3))
    return new.requires_grad_(), old, torch.randn(4, 1, generator=generator, dtype=torch.float64), mask, ref


@pytest.mark.parametrize("ratio", ["token", "sequence", "none"])
@pytest.mark.parametrize("aggregate", ["sequence_mean", "token_mean", "constant"])
@pytest.mark.parametrize("kl", ["k1", "k2", "k3", "k3_ratio"])
def test_the_loss_is_the_sum_written_out(ratio: Any, aggregate: Any, kl: Any) -> None:
    """Against the formula, one completion and one token at a time."""
    new, old, advantages, mask, ref = batch()
    total = 0.0
    for i in range(4):
        n = int(mask[i].sum())
        log_ratios = [(new[i, t] - old[i, t]).item() for t in range(n)]
        for t in range(n):
            r = math.exp(sum(log_ratios) / n if ratio == "sequence" else log_ratios[t])
            a = advantages[i].item()
            term = new[i, t].item() * a if ratio == "none" else min(r * a, min(max(r, 0.8), 1.2) * a)
            d = ref[i, t].item() - new[i, t].item()
            k3 = math.exp(d) - d - 1
            estimate = {"k1": -d, "k2": d * d / 2, "k3": k3, "k3_ratio": k3 * (1 if ratio == "none" else r)}[
                kl
            ]
            share = {"sequence_mean": 1 / (4 * n), "token_mean": 1 / 13, "constant": 1 / 20}[aggregate]
            total += (term - 0.1 * estimate) * share
    loss, _ = policy_loss(
        new, old, advantages, mask, ratio=ratio, aggregate=aggregate, kl=kl, kl_coef=0.1, ref_logprobs_BT=ref
    )  # type: ignore[arg-type]
    assert loss.item() == pytest.approx(-total, abs=1e-12)


def test_the_gradient_is_the_paper_s_coefficient() -> None:
    """DeepSeekMath, equation 21 (on policy): A + beta (pi_ref/pi - 1), times 1/(G |o|)."""
    new, _, advantages, mask, ref = batch()
    loss, _ = policy_loss(new, new.detach(), advantages, mask, kl_coef=0.04, ref_logprobs_BT=ref)
    loss.backward()
    assert new.grad is not None
    coefficient = advantages + 0.04 * ((ref - new.detach()).exp() - 1)
    assert torch.allclose(-new.grad, coefficient * mask / mask.sum(-1, keepdim=True) / 4, atol=1e-14)


@pytest.mark.parametrize("aggregate", ["sequence_mean", "token_mean", "constant"])
def test_a_split_batch_equals_the_whole(aggregate: Any) -> None:
    new, old, advantages, mask, _ = batch()
    denominator = {"sequence_mean": 4, "token_mean": 13, "constant": 20}[aggregate]
    whole, _ = policy_loss(new, old, advantages, mask, aggregate=aggregate)  # type: ignore[arg-type]
    parts = [
        policy_loss(new[r], old[r], advantages[r], mask[r], aggregate=aggregate, denominator=denominator)[0]  # type: ignore[arg-type]
        for r in (slice(0, 1), slice(1, 4))
    ]
    assert sum(parts).item() == pytest.approx(whole.item(), abs=1e-14)  # type: ignore[union-attr]


def test_padding_has_no_effect_whatever_stands_in_it() -> None:
    new, old, advantages, mask, ref = batch()
    found = []
    for junk in (0.0, -math.inf, math.nan, 80.0):
        values = [torch.where(mask > 0, x.detach(), junk) for x in (new, old, ref)]
        leaf = values[0].requires_grad_()
        loss, stats = policy_loss(leaf, values[1], advantages, mask, kl_coef=0.1, ref_logprobs_BT=values[2])
        loss.backward()
        assert leaf.grad is not None
        assert not leaf.grad[mask == 0].any(), junk
        found.append((loss.item(), *(value.item() for value in stats.values())))
    assert all(row == pytest.approx(found[0]) for row in found)


def test_weights_multiply_the_surrogate_and_not_the_kl() -> None:
    new, old, advantages, mask, ref = batch()
    plain, _ = policy_loss(new, old, advantages, mask)
    weighted, _ = policy_loss(new, old, advantages, mask, weights_BT=torch.full_like(mask, 0.5))
    assert weighted.item() == pytest.approx(plain.item() / 2)
    kl, _ = policy_loss(new, old, advantages * 0, mask, weights_BT=mask * 0, kl_coef=0.1, ref_logprobs_BT=ref)
    assert kl.item() > 0


def test_dtype_outside_is_the_input_s() -> None:
    new, old, advantages, mask, _ = batch()
    loss, _ = policy_loss(new.detach().float(), old.float(), advantages.float(), mask.float())
    assert loss.dtype == torch.float32


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ratio": "tokens"}, "ratio must be one of"),
        ({"kl": "k4"}, "kl must be one of"),
        ({"aggregate": "mean"}, "aggregate must be one of"),
        ({"kl_coef": 0.1}, "needs ref_logprobs_BT"),
        ({"mask_BT": torch.ones(4, 4)}, "mask_BT must have the shape"),
        ({"advantages_BT": torch.ones(4)}, "advantages"),
    ],
)
def test_bad_arguments_of_the_loss_are_told(change: dict, said: str) -> None:
    new, old, advantages, mask, _ = batch()
    arguments = {
        "logprobs_BT": new,
        "old_logprobs_BT": old,
        "advantages_BT": advantages,
        "mask_BT": mask,
        **change,
    }
    with pytest.raises(ValueError, match=said):
        policy_loss(**arguments)


def test_pass_at_k_against_all_draws() -> None:
    from itertools import combinations

    for n, right in ((5, 0), (5, 1), (6, 3), (4, 4)):
        for k in range(1, n + 1):
            draws = list(combinations([1] * right + [0] * (n - right), k))
            assert pass_at_k(n, right, k) == pytest.approx(sum(map(any, draws)) / len(draws))
    with pytest.raises(ValueError, match="expected"):
        pass_at_k(4, 5, 1)


def test_intervals() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)
    assert wilson_interval(8, 10) == pytest.approx((0.4901625, 0.9433178), abs=1e-6)  # Wilson 1927
    assert wilson_interval(10, 10)[1] == 1.0
    assert wilson_interval(0, 10)[0] == 0.0
    assert mean_interval([1.0] * 10) == wilson_interval(10, 10)
    low, high = mean_interval([0.0, 1.0] * 50)
    assert (low + high) / 2 == pytest.approx(0.5)
    assert high - low == pytest.approx(2 * 1.959964 * 0.5025189 / 10, abs=1e-6)


@pytest.mark.parametrize(
    ("preset", "values"),
    [
        ("deepseekmath", {"lr": 1e-6, "kl_coef": 0.04, "group_size": 64, "groups_per_step": 16, "inner_updates": 1, "std": "population", "aggregate": "sequence_mean", "kl": "k3"}),
        ("trl", {"std": "sample", "eps": 1e-4, "aggregate": "token_mean", "kl": "k3_ratio", "kl_coef": 0.0}),
        ("dr_grpo", {"std": "none", "aggregate": "constant"}),
        ("dapo", {"clip_low": 0.2, "clip_high": 0.28, "aggregate": "token_mean", "group_size": 16}),
        ("zscore", {"ratio": "none", "aggregate": "constant", "constant_length": 1}),
    ],
)  # fmt: skip
def test_presets_carry_the_papers_values(preset: str, values: dict) -> None:
    algorithm = AlgorithmConfig(preset=preset)
    assert {key: getattr(algorithm, key) for key in values} == values
    assert AlgorithmConfig(preset=preset, lr=3e-4).lr == 3e-4


def test_the_schema_s_defaults_are_the_default_preset_s() -> None:
    """`markscheme schema run` shows the fields' defaults, and the preset overrides them."""
    fields = {**AlgorithmConfig.model_fields, **SamplingConfig.model_fields}
    values = preset_values(DEFAULT_PRESET)
    assert {key: fields[key].default for key in values} == values
    assert AlgorithmConfig().preset == DEFAULT_PRESET


def test_every_key_of_a_run_file_is_described() -> None:
    schema = RunConfig.model_json_schema()
    for name, section in {**schema["$defs"], "RunConfig": schema}.items():
        for key, field in section["properties"].items():
            # A section's own description serves where the key's is the same.
            described = (
                field.get("description") or schema["$defs"][field["$ref"].split("/")[-1]]["description"]
            )
            assert len(described) > 15, f"{name}.{key}"


def test_trl_s_name_beside_ours_is_refused() -> None:
    with pytest.raises(ValueError, match="'beta' is TRL's name of 'kl_coef'; give one of the two"):
        AlgorithmConfig.model_validate({"beta": 0.1, "kl_coef": 0.1})


def test_the_length_of_completions_is_given_by_either_name_or_by_the_preset() -> None:
    def length(**sections: dict[str, object]) -> int:
        return RunConfig.model_validate({"tasks": ["x"], **sections}).sampling.max_new_tokens

    assert length() == 1024
    assert length(algorithm={"preset": "trl"}) == 512
    assert length(algorithm={"max_completion_length": 7}) == 7
    assert length(sampling={"max_completion_length": 7}) == 7
    assert length(algorithm={"preset": "trl"}, sampling={"max_new_tokens": 7}) == 7
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        length(algorithm={"max_completion_length": 0})


def test_trl_s_names_are_accepted() -> None:
    given = {
        "num_generations": 4,
        "num_iterations": 2,
        "learning_rate": 1e-3,
        "max_steps": 7,
        "beta": 0.1,
        "epsilon": 0.3,
        "epsilon_high": 0.4,
    }
    algorithm = AlgorithmConfig.model_validate(given)
    found = (
        algorithm.group_size,
        algorithm.inner_updates,
        algorithm.lr,
        algorithm.steps,
        algorithm.kl_coef,
        algorithm.clip_low,
        algorithm.clip_high,
    )
    assert found == tuple(given.values())


def test_learning_rate_schedules() -> None:
    def rates(**algorithm: object) -> list[float]:
        settings: Any = {"steps": 6, "lr": 1.0, "warmup_steps": 2, **algorithm}
        return [rate_at(step, **settings) for step in range(1, 8)]

    # Step 6 is the last one and still learns; the rate would be 0 at step 7.
    assert rates(schedule="constant") == [0.5, 1, 1, 1, 1, 1, 1]
    assert rates(schedule="linear") == [0.5, 1, 1, 0.75, 0.5, 0.25, 0]
    assert rates(schedule="cosine") == pytest.approx([0.5, 1, 1, 0.8535534, 0.5, 0.1464466, 0])


TRL = json.loads((ROOT / "tests/data/trl_losses.json").read_text(encoding="utf-8"))
"""What TRL 1.16 makes of a batch; made by `tests/scripts/trl_losses.py`."""


def test_advantages_of_the_trl_preset_are_trl_s() -> None:
    algorithm = AlgorithmConfig(preset="trl")
    rewards = torch.tensor(TRL["rewards"]).view(2, 4)
    found = outcome_advantages(rewards, std=algorithm.std, eps=algorithm.eps)
    assert found.flatten().tolist() == pytest.approx(TRL["group_advantages"], rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("case", TRL["cases"], ids=lambda case: f"{case['loss_type']}-{case['kl']}")
def test_losses_and_gradients_are_trl_s(case: dict) -> None:
    """To 1e-5: grpo, bnpo, dr_grpo, dapo; no KL, k3, and k3 times ratio, some ratios clipped."""
    new = torch.tensor(TRL["logprobs"], requires_grad=True)
    mask = torch.tensor(TRL["mask"])
    assert (case["aggregate"] == AlgorithmConfig(preset="trl").aggregate) == (
        case["loss_type"] in ("dapo", "bnpo")
    )
    loss, stats = policy_loss(
        new, torch.tensor(TRL["old_logprobs"]), torch.tensor(TRL["advantages"])[:, None], mask,
        ref_logprobs_BT=torch.tensor(TRL["ref_logprobs"]), kl_coef=case["kl_coef"],
        kl="k3" if case["kl"] == "none" else case["kl"], aggregate=case["aggregate"],
        denominator=8 * TRL["max_length"] if case["aggregate"] == "constant" else None,
    )  # fmt: skip
    loss.backward()
    assert stats["clipped_low"] + stats["clipped_high"] > 0.05
    assert loss.item() == pytest.approx(case["loss"], rel=1e-5)
    assert new.grad is not None
    theirs = torch.tensor(case["gradient"])
    assert (new.grad - theirs).norm() <= 1e-5 * theirs.norm()
    assert case["apart"] < 1e-5  # of the whole model's gradients, computed beside TRL


def logs(*ratios: float) -> Tensor:
    return torch.tensor([ratios], dtype=torch.float64).log()


@pytest.mark.parametrize(
    ("kind", "level", "bounds", "expected", "source"),
    [
        ("none", "token", {}, [1, 1, 1, 1], "no correction"),
        ("truncate", "token", {}, [0.25, 1, 2, 2], "TIS: min(pi_old / mu, 2)"),
        (
            "truncate",
            "token",
            {"low": 0.5, "high": 3.0},
            [0.5, 1, 3, 2],
            "TRL's token_truncate with a lower bound",
        ),
        ("mask", "token", {}, [0, 1, 0, 2], "IcePop: 0 outside of [0.5, 2]"),
        ("truncate", "sequence", {"high": 2.0}, [2, 2, 2, 2], "the product 0.25 x 1 x 5 x 2 = 2.5, cut"),
        ("truncate", "sequence", {}, [2.5] * 4, "the product"),
        ("mask", "sequence", {}, [2.5] * 4, "TRL's default, sequence_mask with 3"),
        ("mask", "sequence", {"high": 2.0}, [0] * 4, "beyond 2"),
    ],
)
def test_importance_weights(kind: Any, level: Any, bounds: dict, expected: list, source: str) -> None:
    """Ratios 0.25, 1, 5 and 2; the fifth token is a tool's."""
    sampled = logs(0.8, 0.4, 0.1, 0.3, 0.9)
    old = logs(0.2, 0.4, 0.5, 0.6, 0.1).requires_grad_()
    mask = torch.tensor([[1, 1, 1, 1, 0]])
    found = importance_weights(old, sampled, mask, kind=kind, level=level, **bounds)
    assert found[0, :4].tolist() == pytest.approx(expected), source
    assert found[0, 4] == 1
    assert not found.requires_grad


def test_bad_completions_that_the_policy_has_left_are_dropped() -> None:
    """DeepSeek-V3.2, equation 9: only where the advantage is negative and mean log(mu/pi) is above delta."""
    sampled = torch.zeros(4, 3)
    new = torch.tensor([[-0.9, -0.9, -0.3], [-0.9, -0.9, -0.3], [-0.1, 0.0, -0.2], [0.9, 0.9, -9.0]])
    mask = torch.tensor([[1, 1, 1], [1, 1, 1], [1, 1, 1], [1, 1, 0]])
    advantages = torch.tensor([[-1.0], [1.0], [-1.0], [-1.0]]).expand(4, 3)
    kept = off_policy_mask(new, sampled, advantages, mask, delta=0.5)
    assert kept.flatten().tolist() == [0, 1, 1, 1]


def test_the_mismatch_of_two_engines() -> None:
    ours, theirs = logs(0.3, 0.5, 0.2), logs(0.2, 0.5, 0.9)
    found = mismatch(ours, theirs, torch.tensor([[1, 1, 0]]))
    assert found["mismatch_mean"].item() == pytest.approx(math.log(1.5) / 2)
    assert found["mismatch_max"].item() == pytest.approx(math.log(1.5))
    assert found["mismatch_k3"].item() == pytest.approx((0.5 - math.log(1.5)) / 2)
    assert mismatch(ours, theirs, torch.zeros(1, 3))["mismatch_max"] == 0


@pytest.mark.parametrize("seed", range(3))
def test_weights_put_the_gradient_right_in_the_mean(seed: int) -> None:
    """Exact, over a whole vocabulary: E_mu[w A grad log pi] = E_pi[A grad log pi], which E_mu without w is not."""
    generator = torch.Generator().manual_seed(seed)
    policy = torch.randn(6, generator=generator, dtype=torch.float64).requires_grad_()
    sampler = torch.log_softmax(
        policy.detach() + 0.2 * torch.randn(6, generator=generator, dtype=torch.float64), -1
    )
    advantages = torch.randn(6, generator=generator, dtype=torch.float64)[:, None]
    new = torch.log_softmax(policy, -1)[:, None]
    old, mask = new.detach(), torch.ones(6, 1)

    def gradient(weights: Tensor | None, under: Tensor) -> Tensor:
        # Each token by itself, weighted by how often it is drawn.
        parts = [
            policy_loss(
                new[i : i + 1],
                old[i : i + 1],
                advantages[i : i + 1],
                mask[i : i + 1],
                weights_BT=None if weights is None else weights[i : i + 1],
            )[0]
            * under[i].exp()
            for i in range(6)
        ]
        return torch.autograd.grad(torch.stack(parts).sum(), policy, retain_graph=True)[0]

    weights = importance_weights(old, sampler[:, None], mask, high=100.0)
    exact = gradient(None, old[:, 0])
    assert torch.allclose(gradient(weights, sampler), exact, atol=1e-12)
    assert not torch.allclose(gradient(None, sampler), exact, atol=1e-3)
