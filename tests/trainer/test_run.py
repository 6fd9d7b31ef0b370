"""Whole runs on a small random policy: what they record, what they learn, and what they report."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from markscheme.sandbox import RunError
from markscheme.tasks import load_problems, load_task
from markscheme.trainer import train
from markscheme.trainer.loop.checkpoint import checkpoints
from small_runs import json_lines, metrics_of, notes_of, scores_of, small_run
from support import small_policy


def test_a_run_keeps_everything_to_look_back_on(task_folder: Path) -> None:
    folder = train(small_run(task_folder)).folder
    summary = json.loads((folder / "summary.json").read_text())
    assert summary.keys() >= {"task", "seed", "steps", "train_seconds"}
    assert summary.keys() >= {"pass_at_1_before", "pass_at_1_after", "sampled_before", "sampled_after"}
    metrics = metrics_of(folder)
    assert [row["step"] for row in metrics] == [1, 2, 3, 4, 5, 6]
    assert metrics[0].keys() >= {"reward", "accuracy", "flat_groups", "kl", "entropy", "grad_norm"}
    assert metrics[0].keys() >= {"part/digits", "watch/answer"}
    scores = scores_of(folder)
    assert len(scores) == 6 * 3 * 4
    assert {row["step"] for row in scores} == set(range(1, 7))
    assert sum(row["advantage"] for row in scores if row["step"] == 1) == pytest.approx(0, abs=1e-9)
    evaluations = json_lines(folder / "eval.jsonl")
    assert [row["step"] for row in evaluations] == [0, 3, 6]
    assert evaluations[0].keys() >= {"pass_at_1", "pass_at_1_interval", "pass_at_k"}
    assert evaluations[0].keys() >= {"sampled_pass_at_1", "sampled_interval"}
    assert [path.name for path in checkpoints(folder / "checkpoints")] == ["step-000004", "step-000006"]


def test_a_run_ends_in_a_folder_that_transformers_loads(task_folder: Path) -> None:
    """The final weights have changed; the reference, which the KL needs, is the policy of the start."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = train(small_run(task_folder)).folder
    final = AutoModelForCausalLM.from_pretrained(folder / "final").state_dict()
    assert AutoTokenizer.from_pretrained(folder / "final")("1+1=")["input_ids"]
    start = load_file(task_folder / "policy/model.safetensors")
    assert any(not torch.equal(tensor, final[name]) for name, tensor in start.items())
    reference = load_file(folder / "reference/model.safetensors")
    assert all(torch.equal(tensor, reference[name]) for name, tensor in start.items())


def test_training_raises_the_reward(task_folder: Path) -> None:
    algorithm = {"steps": 30, "groups_per_step": 4, "group_size": 8, "kl_coef": 0.0, "lr": 5e-3}
    folder = train(small_run(task_folder, algorithm=algorithm, eval=[])).folder
    rewards = [row["reward"] for row in metrics_of(folder)]
    assert sum(rewards[-5:]) / 5 > sum(rewards[:5]) / 5 + 0.2


@pytest.mark.parametrize("preset", ["deepseekmath", "trl", "dr_grpo", "dapo", "zscore"])
@pytest.mark.parametrize("inner", [1, 2])
def test_every_preset_trains(task_folder: Path, preset: str, inner: int) -> None:
    algorithm = {"preset": preset, "inner_updates": inner, "minibatches": 2, "steps": 2, "kl_coef": 0.02}
    folder = train(small_run(task_folder, algorithm=algorithm, eval=[])).folder
    assert all(row["grad_norm"] > 0 for row in metrics_of(folder))


def test_rows_that_could_not_be_scored_are_left_out_and_raise_an_alarm(task_folder: Path) -> None:
    overrides = ["rewards.digits.use=mine.py:half_down"]
    folder = train(small_run(task_folder, eval=[], task_overrides=overrides)).folder
    scores = scores_of(folder)
    failed = [row for row in scores if row["status"] == "infra_error"]
    assert failed
    assert all(row["value"] is None and row["advantage"] == 0 for row in failed)
    assert all(row["value"] is not None for row in scores if row not in failed)
    assert "failures" in {alarm["kind"] for alarm in json_lines(folder / "alarms.jsonl")}


class RecordedProgress:
    """Keeps the lines that a run shows."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def step(self, number: int, metrics: Mapping[str, Any]) -> None:
        pass

    def warm_start(self, done: int, total: int) -> None:
        pass

    def say(self, line: str) -> None:
        self.lines.append(line)

    def close(self) -> None:
        pass


def test_a_run_with_nothing_to_learn_from_says_why(task_folder: Path) -> None:
    progress = RecordedProgress()
    run = small_run(task_folder, eval=[], task_overrides=["rewards.digits.use=mine.py:flat"])
    train(run, progress=lambda steps: progress)
    reason = "every group's rewards were equal in the whole run"
    assert any(reason in line and "every reward is 0.5" in line for line in progress.lines)
    assert any("ALARM all_groups_flat at step 6" in line for line in progress.lines)


def test_a_run_on_two_tasks_has_metrics_of_each(task_folder: Path) -> None:
    digits, other = task_folder / "digits.yaml", task_folder / "other.yaml"
    other.write_text(digits.read_text().replace("name: digits", "name: other"))
    shares = {str(digits): 3, str(other): 1}
    folder = train(small_run(task_folder, tasks=shares, algorithm={"groups_per_step": 8})).folder
    names = {name for row in metrics_of(folder) for name in row}
    assert names >= {"digits/reward", "other/reward", "other/accuracy"}
    of_digits, of_other = (
        sum(row["task"] == name for row in scores_of(folder)) for name in ("digits", "other")
    )
    assert of_digits > of_other > 0


def test_held_out_problems_are_never_trained_on(task_folder: Path) -> None:
    """Not even if the training split has the same rows."""
    rows = (task_folder / "rows.jsonl").read_text()
    (task_folder / "split").mkdir()
    (task_folder / "split/train.jsonl").write_text(rows)
    (task_folder / "split/test.jsonl").write_text("".join(rows.splitlines(keepends=True)[:12]))
    overrides = ["data.path=split", "data.held_out=0"]
    folder = train(small_run(task_folder, algorithm={"steps": 12}, task_overrides=overrides)).folder
    task = load_task(task_folder / "digits.yaml", overrides=overrides)
    held_out = {problem.id for problem in load_problems(task, split="test", limit=5)}
    assert not {row["problem"] for row in scores_of(folder)} & held_out


def test_a_tracker_that_fails_does_not_end_the_run(
    task_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torch.utils.tensorboard import SummaryWriter

    def failing(*args: Any, **kwargs: Any) -> None:
        raise OSError("no connection")

    monkeypatch.setattr(SummaryWriter, "add_scalar", failing)
    result = train(small_run(task_folder, trackers=["tensorboard"]))
    assert result.summary["steps"] == 6
    notes = [note for note in notes_of(result.folder) if "tracker" in note]
    assert len(notes) == 1
    assert "tracker tensorboard: OSError: no connection; it gets nothing from here on" in notes[0]


def test_tensorboard_gets_the_metrics(task_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = train(small_run(task_folder, trackers=["tensorboard"])).folder
    accumulator = EventAccumulator(str(folder / "tensorboard"))
    accumulator.Reload()
    events = accumulator.Scalars("reward")
    assert [event.step for event in events] == [1, 2, 3, 4, 5, 6]
    rewards = [row["reward"] for row in metrics_of(folder)]
    assert [event.value for event in events] == pytest.approx(rewards, rel=1e-5)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(RunError, match="pip install accelerate"):
        train(small_run(task_folder, "other", trackers=["tensorboard"]))


def test_a_model_that_cannot_share_prompts_is_noted_once_and_learns(task_folder: Path) -> None:
    small_policy(task_folder / "policy", "mamba", state_size=4)
    folder = train(small_run(task_folder, algorithm={"steps": 3})).folder
    assert notes_of(folder) == [
        "in the update, a prompt is computed again for each of its completions: its layers keep more than keys"
        " and values"
    ]
    assert all(row["grad_norm"] > 0 and row["mismatch_max"] < 1e-4 for row in metrics_of(folder))


def test_a_model_with_dropout_is_noted(task_folder: Path) -> None:
    small_policy(task_folder / "policy", attention_dropout=0.3)
    folder = train(small_run(task_folder, algorithm={"steps": 1})).folder
    assert notes_of(folder) == [
        "dropout is set to 0 (attention_dropout 0.3), so that sampling and training use one distribution"
    ]


@pytest.mark.parametrize("inner", [1, 2])
def test_a_sampler_that_is_not_exact_is_measured_and_corrected(task_folder: Path, inner: int) -> None:
    """Top-p samples from another distribution: weights are below 1, and 0 for bad rows that are far off."""
    algorithm = {"correction": "truncate", "off_policy_delta": 0.001, "inner_updates": inner, "steps": 2}
    sampling = {"top_p": 0.7, "max_new_tokens": 16}
    folder = train(small_run(task_folder, algorithm=algorithm, sampling=sampling, eval=[])).folder
    for row in metrics_of(folder):
        assert row["mismatch_max"] >= row["mismatch_mean"] > 0.01
        assert row["mismatch_k3"] > 0
        assert 0 < row["weight"] < 1
        assert 0 < row["weight_zero"] < 1
    exact_folder = train(small_run(task_folder, "exact", algorithm={"steps": 1}, eval=[])).folder
    exact = metrics_of(exact_folder)[0]
    assert exact["mismatch_max"] < 1e-5
    assert "weight" not in exact


def test_a_data_set_of_reasoning_gym_is_trained_on(tmp_path: Path, task_folder: Path) -> None:
    """Its scorer pays partial credit, which a run learns from as from any reward."""
    (tmp_path / "chain.yaml").write_text(
        "name: chain\ndata: {generator: reasoning_gym, dataset: chain_sum, size: 12, seed: 3}\n"
        "problem: {reference: '{{ answer }}'}\nextract: lenient\nrewards: {correct: {use: reasoning_gym}}\n"
    )
    task = str(tmp_path / "chain.yaml")
    evaluated = [{"task": task, "split": "test", "n": 2, "limit": 4}]
    result = train(small_run(task_folder, tasks=[task], eval=evaluated))
    assert result.summary["steps"] == 6
    rows = scores_of(tmp_path / "run")
    assert len(rows) == 6 * 3 * 4
    assert {row["parts"]["correct"]["component"] for row in rows} == {"reasoning_gym"}
    assert all(0 <= row["value"] <= 1 for row in rows)
