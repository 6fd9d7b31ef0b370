"""`outcome_advantages`: worked numbers, exact zeros, rows that are left out, and properties."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from markscheme.trainer import outcome_advantages
from markscheme.trainer.objective.settings import Std

# Rewards of one group, std, advantages, source: DeepSeekMath's formula (section 4.1.2) on the rewards of
# the worked examples in `seed_examples.json`, by their ids there.
WORKED = [
    ([0.2, 0.8, 0.5, -0.1], "population", [-0.4472135955, 1.3416407865, 0.4472135955, -1.3416407865], "group_norm_g4"),
    ([0.2, 0.8, 0.5, -0.1], "sample", [-0.3872983346, 1.1618950039, 0.3872983346, -1.1618950039], "group_norm_g4"),
    ([0.2, 0.8, 0.5, -0.1], "none", [-0.15, 0.45, 0.15, -0.45], "group_norm_g4"),
    ([1, 0], "population", [1.0, -1.0], "g2"),
    ([1, 0], "sample", [0.7071067812, -0.7071067812], "g2"),
    ([1, 0, 2], "none", [0.0, -1.0, 1.0], "two_plus_three"),
    ([1, 0, 2], "population", [0.0, -1.2247448714, 1.2247448714], "two_plus_three"),
    ([1, 0, 2], "sample", [0.0, -1.0, 1.0], "two_plus_three"),
    ([0.7, 0.7, 0.7, 0.7], "population", [0.0] * 4, "zero_variance"),
    ([1, 0, 0, 0], "population", [1.7320508076, *[-0.5773502692] * 3], "TRL study, section 3"),
]  # fmt: skip


@pytest.mark.parametrize(("rewards", "std", "expected", "source"), WORKED)
def test_worked_outcome_advantages(
    rewards: list[float], std: Std, expected: list[float], source: str
) -> None:
    advantages = outcome_advantages([rewards], std=std)
    assert advantages[0].tolist() == pytest.approx(expected, abs=1e-9), source


def test_every_outcome_example_of_the_seed_file(shared_data: Path) -> None:
    examples = json.loads((shared_data / "seed_examples.json").read_text())["examples"]
    checked = 0
    for example in examples:
        rewards = example["input"].get("rewards")
        if rewards is None or "advantages" not in example["expected"]:
            continue
        std: Std = "none" if example["input"].get("scale") == "none" else "population"
        expected = example["expected"]["advantages"]
        tolerance = example["abs_tol_vs_expected"]
        assert outcome_advantages(rewards, std=std).tolist() == pytest.approx(expected, abs=tolerance)
        checked += 1
    assert checked == 4


@pytest.mark.parametrize("size", [2, 3, 7, 8, 64])
@pytest.mark.parametrize("value", [0.1, 0.3, 0.7, 1 / 3, 1e-8, 1e6])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_equal_rewards_give_exact_zeros(size: int, value: float, dtype: torch.dtype) -> None:
    """A plain (r - mean) / (std + 1e-8) in float32 gives 0.749 for G=8, r=0.3."""
    advantages = outcome_advantages(torch.full((3, size), value, dtype=dtype))
    assert advantages.dtype == dtype
    assert not advantages.any()


def test_rewards_that_differ_only_by_rounding_count_as_equal() -> None:
    assert not outcome_advantages([0.1 + 0.2, 0.3, 0.3, 0.3]).any()
    assert outcome_advantages([0.3 + 1e-9, 0.3]).tolist() == pytest.approx([1.0, -1.0])


def test_rows_that_are_left_out_get_zero_and_do_not_count() -> None:
    nan = math.nan
    advantages = outcome_advantages([[1, nan, 0], [nan, nan, 5], [nan, nan, nan]])
    assert advantages.tolist() == [[1, 0, -1], [0, 0, 0], [0, 0, 0]]


def test_the_std_of_a_batch_is_that_of_all_rewards_that_count() -> None:
    rewards = [[1.0, 0.0], [1.0, 1.0], [math.nan, 0.0]]
    spread = torch.tensor([1.0, 0.0, 1.0, 1.0, 0.0]).double().std(correction=0).item()
    first, *others = outcome_advantages(rewards, std="batch").tolist()
    assert first == pytest.approx([0.5 / spread, -0.5 / spread])
    assert others == [[0, 0], [0, 0]]


@pytest.mark.parametrize(
    ("rewards", "options", "message"),
    [
        ([1.0, math.inf], {}, "must be finite"),
        ([1.0, 0.0], {"std": "bessel"}, "std must be one of population, sample, batch, none"),
        ([1.0, 0.0], {"eps": -1}, "eps must be 0 or more"),
        (torch.tensor(1.0), {}, "group dimension"),
    ],
)
def test_invalid_arguments_are_refused(rewards: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        outcome_advantages(rewards, **options)


REWARDS = st.integers(-50, 50).map(lambda tenths: tenths / 10)
GROUPS = st.lists(st.lists(REWARDS, min_size=4, max_size=4), min_size=1, max_size=4)


@settings(max_examples=200, deadline=None)
@given(
    groups=GROUPS,
    shift=st.integers(-1000, 1000),
    order=st.permutations(range(4)),
    std=st.sampled_from(["population", "sample", "none"]),
)
def test_advantages_sum_to_zero_whatever_is_added_to_the_rewards_and_in_any_order(
    groups: list[list[float]], shift: int, order: list[int], std: Std
) -> None:
    rewards = torch.tensor(groups, dtype=torch.float64)
    advantages = outcome_advantages(rewards, std=std)
    assert advantages.sum(-1).abs().max() < 1e-9
    assert torch.allclose(outcome_advantages(rewards + shift, std=std), advantages, atol=1e-6)
    assert torch.allclose(outcome_advantages(rewards[:, order], std=std), advantages[:, order])


@pytest.mark.parametrize("scale", [1e200, 1e-300, 1e308, 5e-324])
@pytest.mark.parametrize("std", ["population", "sample", "batch"])
def test_the_size_of_rewards_does_not_matter(scale: float, std: Std) -> None:
    """Squares of such rewards are out of float64's range, and sums of the largest are too."""
    expected = outcome_advantages([[1.0, 0.0, 0.0, 1.0]], std=std)
    assert torch.allclose(outcome_advantages([[scale, 0.0, 0.0, scale]], std=std), expected)


def test_bfloat16_rewards_that_differ_are_different() -> None:
    advantages = outcome_advantages(torch.tensor([[1.0, 0.98]], dtype=torch.bfloat16))
    assert advantages.dtype == torch.bfloat16
    assert advantages.tolist() == [[1.0, -1.0]]


@pytest.mark.parametrize("shape", [(0, 4), (3, 0), (0,)])
def test_empty_groups_have_no_advantages(shape: tuple[int, ...]) -> None:
    assert outcome_advantages(torch.zeros(shape)).shape == shape
