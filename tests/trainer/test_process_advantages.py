"""`process_advantages`: worked numbers, sums done by hand, properties, and what is refused."""

import json
import math
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from markscheme.tasks.reward_entries import Credit, Pool
from markscheme.trainer import process_advantages
from markscheme.trainer.objective.process_advantages import StepSettings, pooled_spread

NAN = math.nan
CREDITS, POOLS = get_args(Credit), get_args(Pool)

# The worked example of process supervision (DeepSeekMath, section 4.1.3): the steps of two completions earn
# {0.2, 0.9} and {-0.1, 0.4}. Z are these rewards, normalised together.
REWARDS = [[0.2, 0.9], [-0.1, 0.4]]
ENDS = [[4, 10], [3, 7]]
LENGTHS = [12, 8]
Z = [-0.41208169184606697, 1.5109662034355793, -1.236245075538201, 0.13736056394868915]


def normalised_steps(
    rewards: list[list[float]], ends: list[list[int]], lengths: list[int], **options: Any
) -> list[list[float]]:
    """Return each step's own normalised reward under `credit="sum"`.

    It is the difference between the advantage of the step's last token and that of the next token.
    """
    advantages = process_advantages(rewards, ends, lengths, **options)
    steps = []
    for tokens, ends_of_row in zip(advantages.tolist(), ends, strict=True):
        after = [*tokens[1:], 0.0]
        steps.append([tokens[end] - after[end] for end in ends_of_row])
    return steps


def test_the_defaults_are_the_form_of_the_paper() -> None:
    advantages = process_advantages(REWARDS, ENDS, LENGTHS)
    assert advantages.shape == (2, 12)
    assert advantages.dtype == torch.float64
    # By the paper's count from 1, tokens 3 and 5 are in the first step, 6 to 11 in the second, 12 after it.
    both = 1.0988845115895123
    expected = {3: both, 5: both, 6: Z[1], 7: Z[1], 11: Z[1], 12: 0.0}
    for token, value in expected.items():
        assert advantages[0, token - 1].item() == pytest.approx(value, abs=1e-9)
    assert advantages[1].tolist() == pytest.approx([Z[2] + Z[3]] * 4 + [Z[3]] * 4 + [0.0] * 4, abs=1e-9)


def test_every_process_example_of_the_seed_file(shared_data: Path) -> None:
    examples = {e["id"]: e for e in json.loads((shared_data / "seed_examples.json").read_text())["examples"]}
    norm, tokens = examples["process_norm"], examples["process_token_adv"]
    rewards = norm["input"]["step_rewards_pooled"]
    (alone,) = normalised_steps([rewards], [[0, 1, 2, 3]], [4])
    assert alone == pytest.approx(norm["expected"]["normalised"], abs=norm["abs_tol_vs_expected"])
    assert alone == pytest.approx(norm["printed"]["normalised"], abs=norm["abs_tol_vs_printed"])
    (sample,) = normalised_steps([rewards], [[0, 1, 2, 3]], [4], std="sample")
    assert sample == pytest.approx(norm["variants"]["sample_std_ddof1"]["normalised"], abs=1e-9)
    ends = [[end - 1 for end in tokens["input"]["step_end_index"]], [0, 1]]
    advantages = process_advantages([rewards[:2], rewards[2:]], ends, [12, 2])
    expected = {**tokens["expected"], **tokens["variants"]["boundary_tokens_not_printed"]}
    for values, tolerance in (
        (expected, tokens["abs_tol_vs_expected"]),
        (tokens["printed"], tokens["abs_tol_vs_printed"]),
    ):
        for token, value in values.items():
            assert advantages[0, int(token) - 1].item() == pytest.approx(value, abs=tolerance)


def first_token_of_each_step(**options: Any) -> list[list[float]]:
    advantages = process_advantages(REWARDS, ENDS, LENGTHS, **options)
    return [advantages[0, [0, 5]].tolist(), advantages[1, [0, 4]].tolist()]


def test_sum_by_hand() -> None:
    first, second = first_token_of_each_step()
    assert first == pytest.approx([Z[0] + Z[1], Z[1]], abs=1e-12)
    assert second == pytest.approx([Z[2] + Z[3], Z[3]], abs=1e-12)


def test_clip_by_hand() -> None:
    # Below 0.5, steps cost (-0.3, 0) and (-0.6, -0.1). The sums from each step on are (-0.3, 0) and
    # (-0.7, -0.1), with a mean of -0.275 and a variance of 0.071875.
    spread = math.sqrt(0.071875)
    first, second = first_token_of_each_step(credit="clip")
    assert first == pytest.approx([(-0.3 + 0.275) / spread, 0.275 / spread], abs=1e-12)
    assert second == pytest.approx([(-0.7 + 0.275) / spread, (-0.1 + 0.275) / spread], abs=1e-12)
    # After the last step nothing more can be lost, so a token there has what the best step has.
    after = process_advantages(REWARDS, ENDS, LENGTHS, credit="clip")[0, 11].item()
    assert after == pytest.approx(0.275 / spread)
    all_wrong = process_advantages([[0.0, 0.0], [0.0]], [[0, 1], [0]], [4, 4], credit="clip")
    assert all_wrong[0, 3] == all_wrong[0, 1] == all_wrong[1, 3] == all_wrong[1, 0]


def test_pool_std_and_centring_by_hand() -> None:
    example: Any = ([[1.0, 1.0, 1.0, 0.0], [0.0]], [[0, 1, 2, 3], [0]], [4, 1])
    assert normalised_steps(*example, std="none")[0] == pytest.approx([0.4, 0.4, 0.4, -0.6])
    outputs = normalised_steps(*example, pool="outputs", std="none")
    assert outputs[0] == pytest.approx([0.625, 0.625, 0.625, -0.375])  # the mean of 0.75 and 0 is 0.375
    scaled = normalised_steps(*example, pool="outputs")
    spread = math.sqrt((3 * 0.625**2 + 0.375**2) / 4 / 2 + 0.375**2 / 2)
    assert scaled[1][0] == pytest.approx(-0.375 / spread)
    sample = normalised_steps(*example, pool="outputs", std="sample")
    assert sample[1][0] == pytest.approx(-0.375 / (spread * math.sqrt(2)))
    by_index = normalised_steps(*example, centred=True, std="none")
    assert by_index[0] == pytest.approx([0.5, 0.0, 0.0, 0.0])  # only one completion has a second step
    with_eps = normalised_steps(*example, eps=1.0)
    assert with_eps[0][0] == pytest.approx(0.4 / (math.sqrt(0.24) + 1))
    by_number = normalised_steps(*example, std=2.0)
    assert by_number[0][0] == pytest.approx(0.2)


def test_the_gate_lets_no_step_earn_against_the_answer() -> None:
    steps = normalised_steps(REWARDS, ENDS, LENGTHS, gate_labels=[False, True])
    assert steps[0] == pytest.approx([Z[0], 0.0])
    assert steps[1] == pytest.approx([0.0, Z[3]])
    gated = process_advantages(REWARDS, ENDS, LENGTHS, gate_labels=[False, True])
    assert gated[0, 0].item() == pytest.approx(Z[0])  # steps are gated before they are summed
    tensor_labels: Any = torch.tensor([False, True])
    assert torch.equal(gated, process_advantages(REWARDS, ENDS, LENGTHS, gate_labels=tensor_labels))
    unknown = process_advantages(REWARDS, ENDS, LENGTHS, gate_labels=[None, None])
    assert torch.equal(unknown, process_advantages(REWARDS, ENDS, LENGTHS))


STEP_REWARDS = st.floats(-1, 1, width=16) | st.just(NAN)
GROUPS = st.lists(st.lists(STEP_REWARDS, max_size=6), min_size=1, max_size=5)


@given(rewards=GROUPS, credit=st.sampled_from(CREDITS), pool=st.sampled_from(POOLS), data=st.data())
def test_properties_of_any_group(
    rewards: list[list[float]], credit: Credit, pool: Pool, data: st.DataObject
) -> None:
    """Order does not matter, nor do scale and offset under `sum`; the gate decides the sign."""
    size = len(rewards)
    ends = [sorted(data.draw(st.integers(0, 11)) for _ in row) for row in rewards]
    lengths = [12] * size
    options: Any = {"credit": credit, "pool": pool}
    advantages = process_advantages(rewards, ends, lengths, **options)
    assert advantages.shape == (size, 12)
    assert torch.isfinite(advantages).all()
    order = data.draw(st.permutations(range(size)))
    reordered = process_advantages([rewards[i] for i in order], [ends[i] for i in order], lengths, **options)
    assert torch.allclose(reordered, advantages[list(order)], atol=1e-9)
    if credit != "clip":  # its threshold gives the rewards an absolute meaning
        scaled_rewards = [[3 * reward + 2 for reward in row] for row in rewards]
        scaled = process_advantages(scaled_rewards, ends, lengths, **options)
        assert torch.allclose(scaled, advantages, atol=1e-6)
    labels = data.draw(st.lists(st.sampled_from([True, False, None]), min_size=size, max_size=size))
    gated = process_advantages(rewards, ends, lengths, gate_labels=labels, **options)
    for row, label in zip(gated, labels, strict=True):
        assert label is not True or (row >= 0).all()
        assert label is not False or (row <= 0).all()


@pytest.mark.parametrize("credit", CREDITS)
def test_groups_without_differences_get_exact_zeros(credit: Credit) -> None:
    """All rewards equal, one step only, no steps, no judged steps, no completions."""
    for value in (0.3, 0.1 + 0.2, 0.7):
        advantages = process_advantages(
            [[value] * 3, [value] * 2], [[0, 1, 2], [0, 1]], [3, 2], credit=credit
        )
        if credit != "clip" or value >= 0.5:  # below 0.5, more steps cost more
            assert not advantages.any()
    assert not process_advantages([[0.2]], [[4]], [5], credit=credit).any()
    assert not process_advantages([[], []], [[], []], [3, 2], credit=credit).any()
    assert not process_advantages([[NAN], [NAN]], [[1], [0]], [3, 2], credit=credit).any()
    assert process_advantages([], [], [], credit=credit).shape == (0, 0)


def test_steps_that_were_not_judged_earn_nothing_and_do_not_count() -> None:
    plain = process_advantages(REWARDS, ENDS, LENGTHS)
    with_unjudged = [[0.2, NAN, 0.9], [-0.1, 0.4, NAN]]
    advantages = process_advantages(with_unjudged, [[4, 7, 10], [3, 5, 7]], LENGTHS)
    assert torch.equal(advantages[0], plain[0])
    assert advantages[1].tolist() == pytest.approx([Z[2] + Z[3]] * 4 + [Z[3]] * 2 + [0.0] * 6)


def test_two_steps_that_end_in_one_token_keep_both_rewards() -> None:
    (z,) = normalised_steps([[0.2, 0.9, -0.1, 0.4]], [[0, 1, 2, 3]], [4])
    advantages = process_advantages([[0.2, 0.9, -0.1], [0.4]], [[1, 1, 3], [3]], [4, 4])
    assert advantages[0].tolist() == pytest.approx([sum(z[:3])] * 2 + [z[2]] * 2)


FAULTS: list[tuple[tuple[Any, ...], dict[str, Any], str]] = [
    (([[1.0]], [[0], [1]], [1]), {}, r"\(1, 2, 1\)"),
    (([[1.0, 2.0]], [[0]], [1]), {}, "2 rewards and 1 ends"),
    (([[1.0]], [[5]], [5]), {}, "within its 5 tokens"),
    (([[1.0, 1.0]], [[3, 2]], [5]), {}, "ascend"),
    (([[math.inf]], [[0]], [1]), {}, "finite"),
    (([[1.0]], [[0]], [1]), {"credit": "max"}, "credit must be one of sum"),
    (([[1.0]], [[0]], [1]), {"pool": "tokens"}, "pool must be"),
    (([[1.0]], [[0]], [1]), {"std": "mad"}, "std must be"),
    (([[1.0]], [[0]], [1]), {"std": -1.0}, "std must be"),
    (([[1.0]], [[0]], [1]), {"eps": -1}, "eps must be 0 or more"),
    (([[1.0]], [[0]], [1]), {"clip_at": NAN}, "clip_at"),
    (([[1.0]], [[0]], [1]), {"std": True}, "std must be"),
    (([[1.0]], [[0]], [1]), {"credit": "clip", "centred": True}, "drop centred"),
    (([[1.0]], [[0]], [1]), {"gate_labels": [True, False]}, "gate_labels"),
]


@pytest.mark.parametrize(("arguments", "options", "message"), FAULTS)
def test_invalid_arguments_are_refused(
    arguments: tuple[Any, ...], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        process_advantages(*arguments, **options)


def test_the_std_of_a_batch_is_pooled_over_groups() -> None:
    groups = [[[0.2, 0.9], [-0.1, 0.4]], [[1.0, 0.0], [0.5]]]
    # The mean of the first group is 0.35, that of the second one 0.5.
    deviations = [reward - 0.35 for reward in (0.2, 0.9, -0.1, 0.4)] + [0.5, -0.5, 0.0]
    expected = math.sqrt(sum(deviation**2 for deviation in deviations) / 7)
    assert pooled_spread(groups, StepSettings()) == pytest.approx(expected)
    assert pooled_spread([[[], []]], StepSettings()) == 0.0
    for credit in CREDITS:
        with_empty_groups = [[], [[0.1, 0.9]], []]
        assert pooled_spread(with_empty_groups, StepSettings(credit)) > 0


@pytest.mark.parametrize("scale", [1e200, 1e-300])
@pytest.mark.parametrize("credit", ["sum", "clip"])
def test_the_size_of_step_rewards_does_not_matter(scale: float, credit: Credit) -> None:
    rewards, ends, lengths = [[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]], [[1, 2], [0, 1], [0, 1]], [3, 2, 2]
    expected = process_advantages(rewards, ends, lengths, credit=credit)
    scaled = [[reward * scale for reward in row] for row in rewards]
    given = process_advantages(scaled, ends, lengths, credit=credit, clip_at=0.5 * scale)
    assert torch.allclose(given, expected)
    assert pooled_spread([scaled], StepSettings()) == pytest.approx(
        scale * pooled_spread([rewards], StepSettings())
    )
