"""What a run with a learning reward model may be made of: relative folders, chats, calibrations, step marks."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from learned_runs import learned_run, letter_pairs, write_learned_task
from markscheme.rewards.rows.labelled_steps import LabelledSteps
from markscheme.rewards.scheme import MarkScheme
from markscheme.sandbox import RewardError, TaskError
from markscheme.tasks import load_task
from markscheme.trainer import train
from markscheme.trainer.config.reward_model_config import RewardModelConfig
from markscheme.trainer.iterations.new_rows import scheme_of_labels
from markscheme.trainer.loop.checkpoint import checkpoints, load_state
from markscheme.trainer.reward_models.prm_training import PrmTraining, train_prm
from markscheme.trainer.reward_models.rm_training import RmTraining, train_rm
from markscheme.trainer.reward_models.trainees import check_trainee
from small_runs import LETTER_STEPS, json_lines, scores_of
from support import PrmFolder, small_policy

ACCEPTED: dict[str, Any] = {"updates": 1, "lr": 1e-7, "guard": False}
"""Updates so small that the model stays as good as it was, so that each of them is used."""


@pytest.fixture(scope="module")
def learned_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_learned_task(tmp_path_factory.mktemp("learned"))


def accepted_of(folder: Path) -> list[int]:
    return [row["iteration"] for row in json_lines(folder / "reward_model.jsonl") if row["accepted"]]


def models_by_step(folder: Path, entry: str = "learned") -> list[Any]:
    """Return, for each step, the parameters with which an entry scored it; they include the model's folder."""
    return list({row["step"]: row["parts"][entry]["params"] for row in scores_of(folder)}.values())


def test_every_update_is_used_wherever_the_run_and_the_task_are(
    learned_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(learned_folder)
    changes = {"tasks": ["digits.yaml"], "policy": {"model": "policy"}, "out": "runs/relative"}
    folder = train({**learned_run(learned_folder, reward_model=ACCEPTED), **changes}).folder
    accepted = accepted_of(folder)
    assert accepted[:2] == [1, 2]
    used = models_by_step(folder)
    assert [used[i] != used[i + 1] for i in range(5)] == [False, True, False, True, False]


def test_only_models_that_are_needed_are_kept(learned_folder: Path) -> None:
    run = learned_run(learned_folder, "kept", reward_model=ACCEPTED)
    folder = train(run).folder
    states = [load_state(path)["outer_loop"] for path in checkpoints(folder / "checkpoints")]
    needed = {state[key] for state in states for key in ("model", "best_model")} - {None}
    assert len(states) >= 2  # the newest two, and the best
    assert {f"reward_models/{path.name}" for path in (folder / "reward_models").iterdir()} == needed


@pytest.mark.parametrize("calibration", ["platt", "standardised"])
def test_an_updated_model_is_calibrated_again(calibration: str, learned_folder: Path) -> None:
    run = learned_run(
        learned_folder,
        calibration,
        algorithm={"iterations": 2},
        task_overrides=[f"rewards.learned.calibration={calibration}"],
        reward_model=ACCEPTED,
    )
    folder = train(run).folder
    newest = folder / f"reward_models/iteration-{accepted_of(folder)[-1]:04d}"
    fitted = json.loads((newest / "rm.json").read_text())["calibration"]
    assert fitted != json.loads((learned_folder / "rm/rm.json").read_text())["calibration"]
    assert len(fitted[calibration]) == 2


def test_prompts_may_be_chats(learned_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "chat"
    shutil.copytree(learned_folder, folder, ignore=shutil.ignore_patterns("runs", "kept", "platt", "sta*"))
    small_policy(folder / "policy", chat=True)
    train_rm(letter_pairs(24), folder / "policy", folder / "rm", RmTraining(epochs=1), device="cpu")
    run = learned_run(folder, algorithm={"iterations": 2}, task_overrides=["system=Add."])
    trained = train(run).folder
    assert [row["iteration"] for row in json_lines(trained / "reward_model.jsonl")] == [1, 2]
    assert any(row["replay"].get("new") for row in json_lines(trained / "reward_model.jsonl"))


def test_a_watched_model_may_learn_along(learned_folder: Path) -> None:
    watched = "watch={seen: {use: rm, model: rm, calibration: sigmoid}}"
    run = learned_run(
        learned_folder,
        "watched",
        algorithm={"iterations": 2},
        task_overrides=[watched],
        reward_model={"entry": "seen", **ACCEPTED},
    )
    folder = train(run).folder
    assert accepted_of(folder)[0] == 1
    used = models_by_step(folder, "seen")
    assert used[1] != used[2]
    assert len({json.dumps(one) for one in models_by_step(folder)}) == 1, "the other model stays as it is"


def marked_steps(count: int) -> list[LabelledSteps]:
    """Return completions whose steps with a `k` are right."""
    rng = Random(0)
    rows = []
    for i in range(count):
        steps = tuple("".join(rng.choices("abckk 12", k=3)) + "e" for _ in range(3))
        rows.append(LabelledSteps(f"{i % 6}+{i // 6 % 6}=", steps, tuple(float("k" in one) for one in steps)))
    return rows


@pytest.mark.parametrize("labels", ["monte_carlo", {"use": "mine.py:letter_steps", "split": "lines"}])
def test_a_process_model_learns_from_labelled_steps(
    labels: Any, learned_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "process"
    write_learned_task(folder_made(folder))
    with (folder / "mine.py").open("a") as file:
        file.write(
            "@reward('letter_steps', steps=True)\n"
            "def letter_steps(problem, completion, steps):\n    return [float('k' in one) for one in steps]\n"
        )
    settings = PrmTraining(epochs=2, lr=1e-3, held_out=0.2)
    train_prm(marked_steps(72), folder / "policy", folder / "prm", settings, device="cpu")
    if isinstance(labels, dict):
        labels = {**labels, "split": {"by": "separator", "separator": "e"}}
    run = learned_run(
        folder,
        algorithm={"iterations": 2, "mode": "process", "groups_per_step": 6},
        task_overrides=[f"process={{use: prm, model: prm, split: {LETTER_STEPS}}}"],
        reward_model={"entry": "process", "history": None, "labels": labels, "k": 2, "tolerance": 1.0},
    )
    trained = train(run).folder
    updates = json_lines(trained / "reward_model.jsonl")
    assert [row["iteration"] for row in updates] == [1, 2]
    assert updates[0]["after"]["new"]["count"] > 10
    assert "balanced_accuracy" in updates[0]["after"]["new"]
    assert all(row["replay"]["new"] >= 8 for row in updates)


def folder_made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_labels_are_judged_by_what_they_need_only(learned_folder: Path) -> None:
    rewards = (
        "rewards={correct: {use: 'mine.py:letter', when: shape}, shape: {use: 'mine.py:letter'},"
        " learned: {use: rm, model: rm}, judged: {use: 'mine.py:avoid'}}"
    )
    scheme = MarkScheme(load_task(str(learned_folder / "digits.yaml"), overrides=[rewards]))
    judge = scheme_of_labels(scheme, RewardModelConfig(entry="learned"))
    assert set(judge.entries) == {"correct", "shape"}
    assert judge.accuracy_entry == scheme.accuracy_entry


def test_models_that_cannot_be_trained_are_refused_before_the_run(
    learned_folder: Path, prm_folder: PrmFolder
) -> None:
    entry = MarkScheme(load_task(str(learned_folder / "digits.yaml"))).entries["learned"]
    with pytest.raises(TaskError, match="a model that learns along is scored on torch"):
        check_trainee(replace(entry, parameters={**entry.parameters, "engine": "vllm"}))
    run = learned_run(
        learned_folder,
        "no",
        algorithm={"mode": "process"},
        task_overrides=[f"process={{use: prm, model: {prm_folder('skywork')}, form: skywork, split: lines}}"],
        reward_model={"entry": "process", "history": None},
    )
    with pytest.raises(RewardError, match="format 'skywork' is for scoring only"):
        train(run)
    assert not os.path.exists(learned_folder / "no")
