"""Padding a wrong answer with good-looking steps gains nothing under the default credit of process mode.

Under the form of DeepSeekMath it does; see `padding` for how the groups are made.
"""

import itertools
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markscheme.tasks.reward_entries import Pool, ProcessEntry
from markscheme.trainer import process_advantages
from padding import FILLERS, padded

POOLS = get_args(Pool)
DEFAULT: dict[str, Any] = {
    name: getattr(ProcessEntry(use="prm"), name) for name in ("credit", "pool", "centred")
}
"""What a task's `process:` gives `process_advantages` by default."""

LONG_RIGHT = (0.95,) * 20
"""A right answer of many steps, which moves the mean of all steps."""
OTHER_COMPLETIONS = [((0.6, 0.5, 0.2),), (), (LONG_RIGHT,), ((0.95,) * 31 + (0.1,),) * 3]
"""What else may be in the group: a middling answer, nothing, a long right one, three padded wrong ones."""


@pytest.mark.parametrize("tail", [0, 5])
@pytest.mark.parametrize("gate", [False, True])
@pytest.mark.parametrize("place", ["before", "behind", "around"])
def test_a_padded_wrong_answer_stays_below_every_right_one(place: str, gate: bool, tail: int) -> None:
    """With 1 to 32 fillers; the right answers include one whose steps are split in two."""
    for fillers, others, pool in itertools.product(range(1, 33), OTHER_COMPLETIONS, POOLS):
        right = ((0.8, 0.85, 0.8), (0.8, 0.8, 0.85, 0.85, 0.8, 0.8))
        if others == (LONG_RIGHT,):
            right, others = (*right, LONG_RIGHT), ()
        options = {**DEFAULT, "pool": pool}
        result = padded(fillers, place=place, gate=gate, tail=tail, right=right, others=others, **options)
        assert not result.cheats, (fillers, pool, others, result)


@given(
    fillers=st.lists(st.floats(0.5, 1), max_size=40),
    wrong=st.floats(0, 0.49),
    place=st.integers(0, 40),
    right=st.lists(st.lists(st.floats(0.5, 1), min_size=1, max_size=12), min_size=1, max_size=4),
    others=st.lists(st.lists(st.floats(0, 1), min_size=1, max_size=12), max_size=3),
    gate=st.booleans(),
    tail=st.integers(0, 9),
    pool=st.sampled_from(POOLS),
)
def test_one_wrong_step_is_below_any_answer_without_one(
    fillers: list[float],
    wrong: float,
    place: int,
    right: list[list[float]],
    others: list[list[float]],
    gate: bool,
    tail: int,
    pool: Pool,
) -> None:
    """The reason why padding cannot help, in groups of any kind: at the first token and on average."""
    with_wrong_step = [*fillers[:place], wrong, *fillers[place:]]
    rewards = [*right, with_wrong_step, *others]
    ends = [[2 * step + 1 for step in range(len(row))] for row in rewards]  # two tokens per step
    lengths = [2 * len(row) + tail for row in rewards]
    labels: list[bool | None] | None = None
    if gate:
        labels = [True] * len(right) + [False] + [None] * len(others)
    advantages = process_advantages(rewards, ends, lengths, **{**DEFAULT, "pool": pool}, gate_labels=labels)
    n = len(right)
    assert advantages[n, 0] < advantages[:n, 0].min()
    means = [advantages[i, :length].mean() for i, length in enumerate(lengths)]
    assert means[n] < min(means[:n])


def test_under_the_sum_of_the_paper_padding_pays() -> None:
    """From 4 fillers on; and splitting every step in two doubles the advantage of a right answer."""
    right = ((0.8, 0.85, 0.8),) * 2
    assert not padded(1, right=right).cheats
    assert all(padded(fillers, right=right).cheats for fillers in FILLERS if fillers >= 4)
    three_six_and_one_steps: Any = ([[0.8] * 3, [0.8] * 6, [0.1]], [[0, 1, 2], [*range(6)], [0]], [3, 6, 1])
    by_sum = process_advantages(*three_six_and_one_steps)
    assert by_sum[1, 0].item() == pytest.approx(2 * by_sum[0, 0].item())
    by_default = process_advantages(*three_six_and_one_steps, **DEFAULT)
    assert by_default[1, 0].item() == by_default[0, 0].item()
