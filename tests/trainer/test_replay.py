"""The replay buffer on disk, what an update draws from it, and the decision on an update."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markscheme.sandbox import RunError
from markscheme.trainer.config.reward_model_config import ReplayConfig
from markscheme.trainer.reward_models.acceptance import Measured, hacks_of, judge_update, share_of_advantage
from markscheme.trainer.reward_models.held_out import is_held_out, split_by_prompt
from markscheme.trainer.reward_models.replay_buffer import ReplayBuffer, replay_batches


def rows(count: int, split: str = "train", start: int = 0) -> list[dict[str, object]]:
    return [{"split": split, "n": start + i, "text": "ünïcode\n"} for i in range(count)]


def numbers(buffer: ReplayBuffer, *iterations: int, split: str = "train") -> list[int]:
    return [row["n"] for row in buffer.rows(split, range(*iterations))]


def test_rows_come_back_by_iteration_and_split(tmp_path: Path) -> None:
    buffer = ReplayBuffer(tmp_path / "replay", 100)
    buffer.append(0, rows(3))
    buffer.append(1, [*rows(2, start=10), *rows(2, "held", start=20)])
    buffer.append(1, rows(1, start=12))
    assert numbers(buffer, 0, 1) == [0, 1, 2]
    assert numbers(buffer, 1, 2) == [10, 11, 12]
    assert numbers(buffer, 2, split="held") == [20, 21]
    assert buffer.sizes() == {"0": 3, "1": 5}


def test_a_file_cut_at_any_byte_loses_its_last_line_only(tmp_path: Path) -> None:
    buffer = ReplayBuffer(tmp_path, 100)
    buffer.append(0, rows(4))
    path = tmp_path / "iteration-0000.jsonl"
    whole = path.read_bytes()
    ends = [i + 1 for i, byte in enumerate(whole) if byte == ord("\n")]
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        complete = sum(end <= cut for end in ends)
        assert numbers(buffer, 1) == list(range(complete))
        if complete >= 2:
            buffer.rewind({"0": 2})
            assert path.read_bytes() == whole[: ends[1]]
        else:
            with pytest.raises(RunError, match=f"knows of 2 rows, and the file has {complete}"):
                buffer.rewind({"0": 2})


def test_a_byte_that_was_changed_is_found(tmp_path: Path) -> None:
    buffer = ReplayBuffer(tmp_path, 100)
    buffer.append(0, rows(3))
    path = tmp_path / "iteration-0000.jsonl"
    whole = path.read_bytes()
    first = whole.index(b"\n")
    for place in range(first):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(RunError, match="iteration-0000.jsonl:1: the row does not match its checksum"):
            numbers(buffer, 1)


def test_an_empty_or_missing_buffer_has_no_rows(tmp_path: Path) -> None:
    buffer = ReplayBuffer(tmp_path / "none", 100)
    buffer.append(0, [])
    assert numbers(buffer, 5) == []
    assert buffer.sizes() == {}
    buffer.rewind({})
    assert not (tmp_path / "none").exists()


def test_the_buffer_is_bounded_by_its_newest_rows(tmp_path: Path) -> None:
    buffer = ReplayBuffer(tmp_path, 5)
    buffer.append(0, rows(3, "held", start=90))
    for iteration in range(1, 5):
        buffer.append(iteration, rows(3, start=10 * iteration))
    assert numbers(buffer, 5) == [31, 32, 40, 41, 42]
    replayed = numbers(buffer, 4)
    buffer.prune(set(map(int, buffer.sizes())))
    assert sorted(path.stem for path in tmp_path.iterdir()) == [f"iteration-000{i}" for i in (0, 2, 3, 4)]
    assert numbers(buffer, 4) == replayed, "the update of iteration 4 replays the older ones"
    assert numbers(buffer, 5) == [31, 32, 40, 41, 42]
    assert numbers(buffer, 1, split="held") == [90, 91, 92], "the frozen set stays"


NEW, OLD = [("new", i) for i in range(20)], [("old", i) for i in range(50)]


@pytest.mark.parametrize(
    ("replay", "per_batch", "old"),
    [
        ({"unit": "batch", "fraction": 0.1}, 1, 30),
        ({"unit": "batch", "fraction": 0.5}, 5, 50),
        ({"fraction": 0}, 0, 0),
        ({"unit": "history", "fraction": 0.1}, None, 5),
        ({"unit": "history", "fraction": 1}, None, 50),
        ({"unit": "history", "fraction": 0}, None, 0),
    ],
)
def test_both_readings_of_ten_percent(replay: dict[str, object], per_batch: int | None, old: int) -> None:
    config = ReplayConfig.model_validate(replay)
    batches, record = replay_batches(NEW, OLD, config, size=10, count=30, seed="0")
    assert len(batches) == 30
    assert {len(batch) for batch in batches} == {10}
    olds = [sum(kind == "old" for kind, _ in batch) for batch in batches]
    if per_batch is not None:
        assert set(olds) == {per_batch}
    else:
        share = old / (20 + old)
        assert sum(olds) / 300 == pytest.approx(share, abs=0.08)
    assert record["old"] == old
    assert (record["unit"], record["fraction"]) == (config.unit, config.fraction)
    distinct = {item for batch in batches for item in batch if item[0] == "old"}
    assert len(distinct) == min(old, 50)
    assert batches == replay_batches(NEW, OLD, config, size=10, count=30, seed="0")[0]
    assert {item for batch in batches for item in batch if item[0] == "new"} == set(NEW), (
        "all that is new is used"
    )


def test_without_a_past_all_of_a_batch_is_new() -> None:
    batches, _ = replay_batches(NEW, [], ReplayConfig(), size=4, count=2, seed="0")
    assert {kind for batch in batches for kind, _ in batch} == {"new"}


def measured(*accuracies: float) -> Measured:
    by_prompt = {str(i): accuracy for i, accuracy in enumerate(accuracies)}
    return Measured(sum(accuracies) / len(accuracies), 40, by_prompt)


GOOD, BAD = measured(*[1.0] * 30), measured(*[1.0] * 10, *[0.0] * 20)
UNKNOWN = Measured(None, 3, {})


@pytest.mark.parametrize(
    ("before", "after", "hacks", "why"),
    [
        ((BAD, GOOD), (GOOD, GOOD), {}, None),
        ((GOOD, GOOD), (GOOD, GOOD), {}, None),
        ((UNKNOWN, GOOD), (UNKNOWN, GOOD), {}, None),
        ((GOOD, GOOD), (BAD, GOOD), {}, "new 1.000 to 0.333"),
        ((GOOD, GOOD), (measured(*[1.0] * 29, 0.0), GOOD), {}, None),
        ((BAD, GOOD), (GOOD, measured(*[1.0] * 28, 0.0, 0.0)), {}, "old 1.000 to 0.933"),
        ((BAD, GOOD), (GOOD, measured(*[1.0] * 29, 0.0)), {}, None),
        (
            (BAD, GOOD),
            (GOOD, GOOD),
            {"empty": (0.1, 0.9)},
            "hack 'empty' now scores above right completions on 90%",
        ),
        ((BAD, GOOD), (GOOD, GOOD), {"empty": (0.8, 0.9)}, None),
    ],
)
def test_an_update_is_used_or_rolled_back_with_a_reason(
    before: tuple[Measured, Measured],
    after: tuple[Measured, Measured],
    hacks: dict[str, tuple[float, float]],
    why: str | None,
) -> None:
    judgement = judge_update(
        dict(zip(("new", "old"), before, strict=True)),
        dict(zip(("new", "old"), after, strict=True)),
        {name: was for name, (was, _) in hacks.items()},
        {name: now for name, (_, now) in hacks.items()},
        tolerance=0.05,
    )
    assert judgement.accepted == (why is None)
    assert (why or "accuracy on held-out prompts") in judgement.why


def test_the_share_of_advantage_in_unanimous_groups() -> None:
    groups = [[1.0, 0.0], [0.51, 0.49], [0.3, 0.3]]
    assert share_of_advantage(groups, [False, True, True]) == 0.5
    assert share_of_advantage([[1.0, 1.0]], [True]) is None


def test_hacks_are_made_of_right_completions() -> None:
    hacks = hacks_of("a\nb\n42", "x\ny\n7")
    assert hacks["empty"] == ""
    assert hacks["other_steps"] == "x\ny\n42"
    assert hacks["repeated_step"] == "\n".join("a" * 8)
    assert hacks["padded"].endswith("a\nb\n42")
    assert set(hacks_of("42", "7")) == {"empty", "thanks", "repeated_step", "padded"}, "no right completion"
    assert "42" not in hacks_of("42", "42").values()


@given(st.lists(st.text(max_size=8), max_size=60), st.floats(0.05, 0.5))
def test_held_out_prompts_depend_on_the_prompt_alone(prompts: list[str], share: float) -> None:
    training, held = split_by_prompt(prompts, share, lambda prompt: prompt)
    assert not set(training) & set(held)
    assert sorted(training + held) == sorted(prompts)
    assert all(is_held_out(prompt, min(1.0, 2 * share)) for prompt in held), (
        "a larger share holds out the same ones too"
    )


def test_rows_are_plain_json_after_the_checksum(tmp_path: Path) -> None:
    ReplayBuffer(tmp_path, 5).append(0, rows(1))
    checksum, _, text = (tmp_path / "iteration-0000.jsonl").read_text().partition(" ")
    assert len(checksum) == 8
    assert json.loads(text)["n"] == 0
