"""The outer loop: new references, updates of the reward model, the guard, and kills at any moment."""

import json
import signal
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from damage import flipped
from kills import killed_until_done
from learned_runs import differing_files, learned_run, write_learned_task
from markscheme.sandbox import TaskError
from markscheme.trainer import train
from markscheme.trainer.iterations.guard import decline
from markscheme.trainer.iterations.parts import reference_folder
from markscheme.trainer.loop.checkpoint import checkpoints, load_state
from small_runs import json_lines, metrics_of, notes_of, scores_of, small_run


@pytest.fixture(scope="module")
def learned_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_learned_task(tmp_path_factory.mktemp("learned"))


def same_weights(one: Path, other: Path) -> bool:
    first, second = load_file(one / "model.safetensors"), load_file(other / "model.safetensors")
    return all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture(scope="module")
def whole(learned_folder: Path) -> Path:
    """The folder of a run that was never stopped."""
    return train(learned_run(learned_folder, "whole")).folder


def test_every_iteration_measures_updates_and_refreshes(whole: Path, learned_folder: Path) -> None:
    iterations = json_lines(whole / "iterations.jsonl")
    assert [(row["step"], row["iteration"]) for row in iterations] == [(0, 0), (2, 1), (4, 2), (6, 3)]
    updates = json_lines(whole / "reward_model.jsonl")
    assert [row["iteration"] for row in updates] == [1, 2, 3]
    for row in updates:
        assert row["why"]
        assert row["replay"]["unit"] == "batch"
        assert row["replay"]["old"] > 0
        for when in ("before", "after"):
            assert row[when]["old"]["count"] == updates[0]["before"]["old"]["count"], "the old set is frozen"
    # The reference is the policy at the start of the last iteration. Those that no checkpoint needs are removed.
    references = {path.name for path in whole.glob("reference*") if path.is_dir()}
    states = [load_state(path)["outer_loop"] for path in checkpoints(whole / "checkpoints")]
    assert references == {reference_folder(whole, state["reference_step"]).name for state in states}
    assert "reference-000002" not in references
    assert same_weights(whole / "reference-000006", whole / "checkpoints/step-000006")
    accepted = [row["iteration"] for row in updates if row["accepted"]]
    assert accepted, "an update that learns what the verifier says is used"
    assert f"iteration-{accepted[-1]:04d}" in {path.name for path in (whole / "reward_models").iterdir()}


def test_scores_after_an_update_come_from_the_updated_model(whole: Path) -> None:
    updates = json_lines(whole / "reward_model.jsonl")
    by_step = {row["step"]: row["parts"]["learned"]["params"] for row in scores_of(whole)}
    changed = [by_step[row["step"]] != by_step[row["step"] + 1] for row in updates[:-1]]
    assert changed == [row["accepted"] for row in updates[:-1]]


def test_held_out_prompts_are_in_no_step(whole: Path) -> None:
    trained = {row["prompt"] for row in scores_of(whole)}
    rows = [
        line.split(b" ", 1)[1]
        for path in (whole / "replay").iterdir()
        for line in path.read_bytes().splitlines()
    ]
    held = {row["prompt"] for row in map(json.loads, rows) if row["split"] == "held"}
    learned_from = {row["prompt"] for row in map(json.loads, rows) if row["split"] == "train"}
    assert held
    assert not held & (trained | learned_from)


def test_a_run_that_is_killed_at_random_moments_resumes_to_the_bit(whole: Path, learned_folder: Path) -> None:
    run, signals = learned_run(learned_folder, "killed"), (signal.SIGKILL,)
    assert killed_until_done(run, kills=2, rng=Random(0), longest_s=8, signals=signals) == []
    killed = learned_folder / "killed"
    assert differing_files(killed, whole) == []
    assert metrics_of(killed) == metrics_of(whole)


def test_a_run_goes_on_to_more_iterations(whole: Path, learned_folder: Path) -> None:
    short = train(learned_run(learned_folder, "short", algorithm={"iterations": 2})).folder
    train(short, resume=True, overrides=["algorithm.iterations=3"])
    assert metrics_of(short) == metrics_of(whole)
    assert same_weights(short / "final", whole / "final")


def test_a_changed_row_of_the_buffer_is_refused_and_nothing_is_lost(learned_folder: Path) -> None:
    folder = train(learned_run(learned_folder, "changed", algorithm={"iterations": 1})).folder
    path = folder / "replay/iteration-0001.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"chosen"', b'"chosed"', 1))
    before = path.read_bytes()
    with pytest.raises(Exception, match=r"iteration-0001\.jsonl:1: the row does not match its checksum"):
        train(folder, resume=True, overrides=["algorithm.steps=4"])
    assert path.read_bytes() == before


def test_the_guard_goes_back_to_the_best_point(learned_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The policy learns to avoid what is right, and the model is made to like it."""
    from markscheme.trainer.iterations import outer_loop

    monkeypatch.setattr(outer_loop, "mean_worth", lambda problems, texts, loaded, entry: 1.0)
    algorithm = {"iterations": 1, "steps": 8, "lr": 1e-2, "kl_coef": 0.0}
    wrong = ["rewards.avoid.weight=5"]
    folder = train(learned_run(learned_folder, "wrecked", algorithm=algorithm, task_overrides=wrong)).folder
    rows = json_lines(folder / "iterations.jsonl")
    assert [row.get("rolled_back") for row in rows] == [None, True]
    assert rows[-1]["best_step"] == 0
    assert same_weights(folder / "final", folder / "checkpoints/step-000000")
    assert {row["kind"] for row in json_lines(folder / "alarms.jsonl")} >= {"over_optimised"}


def test_without_a_guard_the_run_goes_on(learned_folder: Path) -> None:
    algorithm = {"iterations": 2, "lr": 1.0, "kl_coef": 0.0}
    settings = {"guard": False, "updates": 0}
    folder = train(
        learned_run(learned_folder, "unguarded", algorithm=algorithm, reward_model=settings)
    ).folder
    assert not same_weights(folder / "final", learned_folder / "policy")
    assert [row["why"] for row in json_lines(folder / "reward_model.jsonl")] == ["updates: 0"] * 2
    assert not (folder / "reward_models").exists()


def test_the_guard_needs_a_fall_beyond_two_standard_errors_and_a_score_that_did_not_fall() -> None:
    best, worse = [1.0, 0.5, 0.75, 1.0] * 8, [0.5, 0.25, 0.5, 0.5] * 8
    assert decline(worse, best, 0.7, 0.6).over_optimised
    assert not decline(worse, best, 0.5, 0.6).over_optimised
    slightly = [*best[:-1], 0.75]
    assert not decline(slightly, best, 0.7, 0.6).over_optimised
    assert decline(slightly, best, 0.7, 0.6).parted
    assert not decline(best, worse, 0.7, 0.6).parted


@pytest.mark.parametrize(
    ("entry", "rewards", "message"),
    [
        ("missing", "  correct: {use: 'mine.py:letter'}\n", "has no such entry"),
        ("correct", "  correct: {use: 'mine.py:letter'}\n", "has `use: mine.py:letter` there"),
        ("learned", "  learned: {use: rm, model: rm}\n", "no verifier beside the model"),
    ],
)
def test_a_run_that_could_not_judge_its_reward_model_is_refused(
    entry: str, rewards: str, message: str, learned_folder: Path
) -> None:
    path = learned_folder / f"other-{entry}.yaml"
    text = (learned_folder / "digits.yaml").read_text()
    path.write_text(text[: text.index("rewards:")] + "rewards:\n" + rewards)
    run: dict[str, Any] = learned_run(learned_folder, f"other-{entry}", reward_model={"entry": entry})
    with pytest.raises(TaskError, match=message):
        train({**run, "tasks": [str(path)]})


def test_iterations_without_a_reward_model_refresh_the_reference(learned_folder: Path) -> None:
    algorithm = {"iterations": 2, "steps": 3, "lr": 3e-3, "kl_coef": 0.1}
    folder = train(small_run(learned_folder, "plain", algorithm=algorithm, eval=[])).folder
    metrics = metrics_of(folder)
    assert metrics[3]["kl"] == pytest.approx(0, abs=1e-6)
    assert metrics[2]["kl"] > 1e-5
    assert not (folder / "iterations.jsonl").exists()


def test_a_pruned_buffer_can_be_resumed(learned_folder: Path) -> None:
    bounded: dict[str, Any] = {"reward_model": {"max_rows": 20}, "save": {"keep": 1}}
    whole = train(learned_run(learned_folder, "bounded", algorithm={"iterations": 4}, **bounded)).folder
    short = train(learned_run(learned_folder, "pruned", **bounded)).folder
    assert not (short / "replay/iteration-0001.jsonl").exists()
    train(short, resume=True, overrides=["algorithm.iterations=4"])
    assert metrics_of(short) == metrics_of(whole)
    assert {path.name for path in (short / "replay").iterdir()} == {
        path.name for path in (whole / "replay").iterdir()
    }


def test_a_damaged_checkpoint_is_no_loss_after_the_end_of_an_iteration(
    whole: Path, learned_folder: Path
) -> None:
    """The one before still has its reference, its reward model and its rows."""
    folder = train(learned_run(learned_folder, "damaged")).folder
    flipped(folder / "checkpoints/step-000006/model.safetensors")
    train(folder, resume=True)
    assert any("step-000006 is damaged" in note for note in notes_of(folder))
    assert metrics_of(folder) == metrics_of(whole)
    assert differing_files(folder, whole) == []


@pytest.mark.parametrize("lr", [1e30, 1e6])
def test_an_update_that_ruins_the_model_is_not_used(lr: float, learned_folder: Path) -> None:
    settings = {"updates": 1, "lr": lr, "n": 2}
    folder = train(
        learned_run(learned_folder, f"ruined-{lr:g}", algorithm={"iterations": 1}, reward_model=settings)
    ).folder
    (row,) = json_lines(folder / "reward_model.jsonl")
    assert not row["accepted"], row
    assert not (folder / "reward_models").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"history": "/missing.jsonl"}, "there is no such file of preferences"),
        (
            {"labels": {"use": "step_checker", "check": "arithmetic"}},
            "an outcome model, which learns from pairs",
        ),
        ({"labels": {"us": "x"}}, "expected monte_carlo, or an entry"),
        ({"replay": {"fraction": 1}}, "give a fraction below 1"),
        ({"batch": 1}, "a `batch` of 2 or more"),
        ({"lr": float("inf")}, "finite"),
    ],
)
def test_mistakes_are_reported_before_the_folder_is_made(
    changes: dict[str, Any], message: str, learned_folder: Path
) -> None:
    with pytest.raises(Exception, match=message):
        train(learned_run(learned_folder, "mistaken", reward_model=changes))
    assert not (learned_folder / "mistaken").exists()


def test_tasks_with_different_reward_models_are_refused(learned_folder: Path) -> None:
    other = learned_folder / "second.yaml"
    text = (learned_folder / "digits.yaml").read_text().replace("name: digits", "name: second")
    other.write_text(text.replace("calibration: sigmoid", "calibration: none, clip: [-5, 5]"))
    run = learned_run(learned_folder, "two", tasks=[str(learned_folder / "digits.yaml"), str(other)])
    with pytest.raises(TaskError, match="with another model or other parameters"):
        train(run)
