"""Process mode: advantages of tokens from marks of steps, by golden numbers, properties and attempts to cheat."""

import itertools
import json
import math
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from padding import FILLERS, padded

from markscheme.tasks.reward_entries import Credit, ProcessEntry
from markscheme.trainer import policy_loss, process_advantages
from markscheme.trainer.objective.process_advantages import StepSettings, pooled_spread

NAN = math.nan
# The worked example of process supervision (DeepSeekMath, 4.1.3): R = {0.2, 0.9} and {-0.1, 0.4}.
REWARDS, ENDS, LENGTHS = [[0.2, 0.9], [-0.1, 0.4]], [[4, 10], [3, 7]], [12, 8]
Z = [-0.41208169184606697, 1.5109662034355793, -1.236245075538201, 0.13736056394868915]


def normalised_steps(
    rewards: list[list[float]], ends: list[list[int]], lengths: list[int], **how: Any
) -> list[list[float]]:
    """Each step's own normalised reward, by the paper's sum: what a token loses where the step ends."""
    found = process_advantages(rewards, ends, lengths, **how)
    return [
        [(row[end] - (row[end + 1] if end + 1 < len(row) else 0.0)).item() for end in of_row]
        for row, of_row in zip(found, ends, strict=True)
    ]


def test_called_bare_it_is_the_paper() -> None:
    found = process_advantages(REWARDS, ENDS, LENGTHS)
    assert found.shape == (2, 12)
    assert found.dtype == torch.float64
    # 1-based tokens of the text: 3 and 5 are in the first step, 6, 7 and 11 in the second, 12 behind it.
    for token, wanted in {
        3: 1.0988845115895123,
        5: 1.0988845115895123,
        6: Z[1],
        7: Z[1],
        11: Z[1],
        12: 0.0,
    }.items():
        assert found[0, token - 1].item() == pytest.approx(wanted, abs=1e-9)
    assert found[1].tolist() == pytest.approx([Z[2] + Z[3]] * 4 + [Z[3]] * 4 + [0.0] * 4, abs=1e-9)


def test_every_worked_number_of_the_texts(shared_data: Path) -> None:
    examples = {e["id"]: e for e in json.loads((shared_data / "seed_examples.json").read_text())["examples"]}
    norm, tokens = examples["process_norm"], examples["process_token_adv"]
    rewards = norm["input"]["step_rewards_pooled"]
    (alone,) = normalised_steps([rewards], [[0, 1, 2, 3]], [4])
    assert alone == pytest.approx(norm["expected"]["normalised"], abs=norm["abs_tol_vs_expected"])
    assert alone == pytest.approx(norm["printed"]["normalised"], abs=norm["abs_tol_vs_printed"])
    (sample,) = normalised_steps([rewards], [[0, 1, 2, 3]], [4], std="sample")
    assert sample == pytest.approx(norm["variants"]["sample_std_ddof1"]["normalised"], abs=1e-9)
    ends = [[end - 1 for end in tokens["input"]["step_end_index"]], [0, 1]]
    found = process_advantages([rewards[:2], rewards[2:]], ends, [12, 2])
    said = {**tokens["expected"], **tokens["variants"]["boundary_tokens_not_printed"]}
    for token, wanted in said.items():
        assert found[0, int(token) - 1].item() == pytest.approx(wanted, abs=tokens["abs_tol_vs_expected"])
    for token, wanted in tokens["printed"].items():
        assert found[0, int(token) - 1].item() == pytest.approx(wanted, abs=tokens["abs_tol_vs_printed"])


def first_of_each_step(**how: Any) -> list[list[float]]:
    found = process_advantages(REWARDS, ENDS, LENGTHS, **how)
    return [[found[0, 0].item(), found[0, 5].item()], [found[1, 0].item(), found[1, 4].item()]]


def test_the_sum_by_hand() -> None:
    for found, row in zip(first_of_each_step(), [[Z[0] + Z[1], Z[1]], [Z[2] + Z[3], Z[3]]], strict=True):
        assert found == pytest.approx(row, abs=1e-12)


def test_clip_by_hand() -> None:
    # Costs at 0.5: (-0.3, 0) and (-0.6, -0.1); returns (-0.3, 0), (-0.7, -0.1): mean -0.275, variance 0.071875.
    spread = math.sqrt(0.071875)
    wanted = [[(r + 0.275) / spread for r in row] for row in ((-0.3, 0.0), (-0.7, -0.1))]
    for found, row in zip(first_of_each_step(credit="clip"), wanted, strict=True):
        assert found == pytest.approx(row, abs=1e-12)
    # Behind the last step nothing more is lost: it has what the best step has.
    assert process_advantages(REWARDS, ENDS, LENGTHS, credit="clip")[0, 11].item() == pytest.approx(
        0.275 / spread
    )
    worse = process_advantages([[0.0, 0.0], [0.0]], [[0, 1], [0]], [4, 4], credit="clip")
    assert worse[0, 3] == worse[0, 1] == worse[1, 3] == worse[1, 0]


def test_pools_kinds_of_std_and_centring_by_hand() -> None:
    given: Any = ([[1.0, 1.0, 1.0, 0.0], [0.0]], [[0, 1, 2, 3], [0]], [4, 1])
    assert normalised_steps(*given, std="none")[0] == pytest.approx([0.4, 0.4, 0.4, -0.6])
    outputs = normalised_steps(*given, pool="outputs", std="none")
    assert outputs[0] == pytest.approx([0.625, 0.625, 0.625, -0.375])  # mean of 0.75 and 0
    scaled = normalised_steps(*given, pool="outputs")
    spread = math.sqrt((3 * 0.625**2 + 0.375**2) / 4 / 2 + 0.375**2 / 2)
    assert scaled[1][0] == pytest.approx(-0.375 / spread)
    sample = normalised_steps(*given, pool="outputs", std="sample")
    assert sample[1][0] == pytest.approx(-0.375 / (spread * math.sqrt(2)))
    by_index = normalised_steps(*given, centred=True, std="none")
    assert by_index[0] == pytest.approx([0.5, 0.0, 0.0, 0.0])  # nobody else has a second step
    with_eps = normalised_steps(*given, eps=1.0)
    assert with_eps[0][0] == pytest.approx(0.4 / (math.sqrt(0.24) + 1))
    by_number = normalised_steps(*given, std=2.0)
    assert by_number[0][0] == pytest.approx(0.2)


def test_the_gate_lets_no_step_earn_against_the_answer() -> None:
    steps = normalised_steps(REWARDS, ENDS, LENGTHS, gate_labels=[False, True])
    assert steps[0] == pytest.approx([Z[0], 0.0])
    assert steps[1] == pytest.approx([0.0, Z[3]])
    # The sum is of gated steps.
    summed = process_advantages(REWARDS, ENDS, LENGTHS, gate_labels=[False, True])
    assert summed[0, 0].item() == pytest.approx(Z[0])
    by_tensor = process_advantages(REWARDS, ENDS, LENGTHS, gate_labels=torch.tensor([False, True]))  # type: ignore[arg-type]
    assert torch.equal(summed, by_tensor)
    unknown = process_advantages(REWARDS, ENDS, LENGTHS, gate_labels=[None, None])
    assert torch.equal(unknown, process_advantages(REWARDS, ENDS, LENGTHS))


RAGGED = st.lists(
    st.lists(st.floats(-1, 1, width=16) | st.just(NAN), max_size=6), min_size=1, max_size=5
)  # fmt: skip
CREDITS, POOLS = get_args(Credit), ("steps", "outputs")


@given(rewards=RAGGED, credit=st.sampled_from(CREDITS), pool=st.sampled_from(POOLS), labelled=st.data())
def test_whatever_the_rewards(
    rewards: list[list[float]], credit: Any, pool: Any, labelled: st.DataObject
) -> None:
    ends = [sorted(labelled.draw(st.integers(0, 11)) for _ in row) for row in rewards]
    lengths = [12] * len(rewards)
    how: Any = {"credit": credit, "pool": pool}
    found = process_advantages(rewards, ends, lengths, **how)
    assert found.shape == (len(rewards), 12)
    assert torch.isfinite(found).all()
    order = labelled.draw(st.permutations(range(len(rewards))))
    again = process_advantages([rewards[i] for i in order], [ends[i] for i in order], lengths, **how)
    assert torch.allclose(again, found[list(order)], atol=1e-9)
    if credit != "clip":  # which has a scale of its own
        moved = process_advantages([[3 * r + 2 for r in row] for row in rewards], ends, lengths, **how)
        assert torch.allclose(moved, found, atol=1e-6)
    labels = labelled.draw(
        st.lists(st.sampled_from([True, False, None]), min_size=len(rewards), max_size=len(rewards))
    )
    gated = process_advantages(rewards, ends, lengths, gate_labels=labels, **how)
    for row, label in zip(gated, labels, strict=True):
        assert label is not True or (row >= 0).all()
        assert label is not False or (row <= 0).all()


@pytest.mark.parametrize("credit", CREDITS)
def test_equal_rewards_a_lone_one_and_none_are_exact_zeros(credit: Any) -> None:
    for value in (0.3, 0.1 + 0.2, 0.7):
        found = process_advantages([[value] * 3, [value] * 2], [[0, 1, 2], [0, 1]], [3, 2], credit=credit)
        if credit != "clip" or value >= 0.5:
            assert not found.any()
    assert not process_advantages([[0.2]], [[4]], [5], credit=credit).any()
    assert not process_advantages([[], []], [[], []], [3, 2], credit=credit).any()
    assert not process_advantages([[NAN], [NAN]], [[1], [0]], [3, 2], credit=credit).any()
    assert process_advantages([], [], [], credit=credit).shape == (0, 0)


def test_steps_that_were_not_judged_earn_and_move_nothing() -> None:
    plain = process_advantages(REWARDS, ENDS, LENGTHS)
    between = [[0.2, NAN, 0.9], [-0.1, 0.4, NAN]]
    found = process_advantages(between, [[4, 7, 10], [3, 5, 7]], LENGTHS)
    assert torch.equal(found[0], plain[0])
    assert found[1].tolist() == pytest.approx([Z[2] + Z[3]] * 4 + [Z[3]] * 2 + [0.0] * 6)


def test_two_steps_that_end_in_one_token_keep_both_rewards() -> None:
    rewards, ends = [[0.2, 0.9, -0.1], [0.4]], [[1, 1, 3], [3]]
    (z,) = normalised_steps([[0.2, 0.9, -0.1, 0.4]], [[0, 1, 2, 3]], [4])
    assert process_advantages(rewards, ends, [4, 4])[0].tolist() == pytest.approx(
        [sum(z[:3])] * 2 + [z[2]] * 2
    )


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


@pytest.mark.parametrize(("args", "how", "said"), FAULTS)
def test_what_does_not_fit_is_told(args: tuple[Any, ...], how: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        process_advantages(*args, **how)


def test_the_batch_s_std_is_pooled_over_groups() -> None:
    groups = [[[0.2, 0.9], [-0.1, 0.4]], [[1.0, 0.0], [0.5]]]
    deviations = [r - 0.35 for r in (0.2, 0.9, -0.1, 0.4)] + [0.5, -0.5, 0.0]
    wanted = math.sqrt(sum(d * d for d in deviations) / 7)
    assert pooled_spread(groups, StepSettings()) == pytest.approx(wanted)
    assert pooled_spread([[[], []]], StepSettings()) == 0.0
    for credit in CREDITS:
        left_out_whole = pooled_spread([[], [[0.1, 0.9]], []], StepSettings(credit))
        assert left_out_whole > 0


# Padding.

DEFAULT = {name: getattr(ProcessEntry(use="prm"), name) for name in ("credit", "pool", "centred")}


@pytest.mark.parametrize("tail", [0, 5])
@pytest.mark.parametrize("gate", [False, True])
@pytest.mark.parametrize("place", ["before", "behind", "around"])
def test_padding_cannot_cheat_the_default(place: str, gate: bool, tail: int) -> None:
    """A wrong answer padded with k good-looking steps stays below every right one, also those split in two."""
    crowds = [((0.6, 0.5, 0.2),), (), ((0.95,) * 20,), ((0.95,) * 31 + (0.1,),) * 3]
    for fillers, others, pool in itertools.product(range(1, 33), crowds, POOLS):
        how = {**DEFAULT, "pool": pool}
        right = ((0.8, 0.85, 0.8), (0.8, 0.8, 0.85, 0.85, 0.8, 0.8))
        if others and others[0] == (0.95,) * 20:  # a long right answer, which would set the pool's mean
            right, others = (*right, others[0]), ()
        found = padded(fillers, place=place, gate=gate, tail=tail, right=right, others=others, **how)
        assert not found.cheats, (fillers, pool, others, found)


@given(
    fillers=st.lists(st.floats(0.5, 1), max_size=40), wrong=st.floats(0, 0.49), at=st.integers(0, 40),
    right=st.lists(st.lists(st.floats(0.5, 1), min_size=1, max_size=12), min_size=1, max_size=4),
    others=st.lists(st.lists(st.floats(0, 1), min_size=1, max_size=12), max_size=3),
    gate=st.booleans(), tail=st.integers(0, 9), pool=st.sampled_from(POOLS),
)  # fmt: skip
def test_no_fillers_anywhere_in_any_group_cheat_the_default(
    fillers: list[float],
    wrong: float,
    at: int,
    right: list[list[float]],
    others: list[list[float]],
    gate: bool,
    tail: int,
    pool: str,
) -> None:
    """The rule behind it: whoever has a step below the threshold is below all that have none."""
    guilty = [*fillers[:at], wrong, *fillers[at:]]
    rewards = [*right, guilty, *others]
    ends = [[2 * j + 1 for j in range(len(row))] for row in rewards]
    lengths = [2 * len(row) + tail for row in rewards]
    labels = [True] * len(right) + [False] + [None] * len(others) if gate else None
    found = process_advantages(rewards, ends, lengths, **{**DEFAULT, "pool": pool}, gate_labels=labels)  # type: ignore[arg-type]
    n = len(right)
    assert found[n, 0] < found[:n, 0].min()
    means = [found[i, :length].mean() for i, length in enumerate(lengths)]
    assert means[n] < min(means[:n])


def test_the_paper_s_sum_is_cheated_by_padding() -> None:
    """What the default is there for (research: from 4 filler steps on)."""
    right = ((0.8, 0.85, 0.8),) * 2
    assert not padded(1, right=right).cheats
    assert all(padded(k, right=right).cheats for k in FILLERS if k >= 4)
    split = process_advantages([[0.8] * 3, [0.8] * 6, [0.1]], [[0, 1, 2], [*range(6)], [0]], [3, 6, 1])
    assert split[1, 0].item() == pytest.approx(
        2 * split[0, 0].item()
    )  # twice as much for the same steps in two
    default = process_advantages(
        [[0.8] * 3, [0.8] * 6, [0.1]], [[0, 1, 2], [*range(6)], [0]], [3, 6, 1], **DEFAULT
    )  # fmt: skip
    assert default[1, 0].item() == default[0, 0].item()


# In the loss.


def test_gspo_s_token_form_has_gspo_s_gradient_where_advantages_are_one() -> None:
    """arXiv 2507.18071, section 4.3: equal for one advantage a completion; else each token has its own."""
    generator = torch.Generator().manual_seed(0)
    new, old = (-torch.rand(3, 5, generator=generator, dtype=torch.float64) for _ in range(2))
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 1, 0, 0, 0]])
    advantages = torch.tensor([[1.0], [-0.5], [2.0]], dtype=torch.float64).expand(3, 5)

    def gradient(ratio: Any, advantages_BT: torch.Tensor) -> tuple[float, torch.Tensor]:
        leaf = new.clone().requires_grad_()
        loss, _ = policy_loss(leaf, old, advantages_BT, mask, ratio=ratio, clip_low=1.0, clip_high=9.0)
        loss.backward()
        assert leaf.grad is not None
        return loss.item(), leaf.grad

    one, two = gradient("sequence", advantages), gradient("sequence_token", advantages)
    assert one[0] == pytest.approx(two[0])
    assert torch.allclose(one[1], two[1], atol=1e-12)
    uneven = torch.randn(3, 5, generator=generator, dtype=torch.float64)
    _, grad = gradient("sequence_token", uneven)
    means = ((new - old) * mask).sum(-1) / mask.sum(-1)
    wanted = -(means.exp()[:, None] * uneven * mask) / mask.sum(-1, keepdim=True) / 3
    assert torch.allclose(grad, wanted, atol=1e-12)
