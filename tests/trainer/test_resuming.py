"""Runs that end early (killed, interrupted, shorter than wanted) and go on as if they had never stopped."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from markscheme.sandbox import RunError
from markscheme.trainer import train
from markscheme.trainer.loop.checkpoint import checkpoints
from small_runs import assert_equal_weights, metrics_of, process_run, scores_of, small_run, wait_for


def test_a_killed_run_resumes_to_the_bit(task_folder: Path) -> None:
    """SIGKILL hits the run in its own process, at whatever point it is after its second step."""
    longer = {"algorithm": {"steps": 20}, "save": {"every": 2}}
    whole = train(small_run(task_folder, "whole", **longer)).folder
    script = f"from markscheme.trainer import train; train({small_run(task_folder, 'killed', **longer)!r})"
    process = subprocess.Popen([sys.executable, "-c", script], env={**os.environ, "OMP_NUM_THREADS": "1"})
    killed = task_folder / "killed"
    wait_for(killed / "checkpoints/step-000002", 0.005)
    process.kill()
    process.wait()
    assert not (killed / "summary.json").exists(), "killed too late to show anything"
    # A kill in the middle of writing leaves half a line, or a checkpoint that is not complete.
    with (killed / "metrics.jsonl").open("a") as file:
        file.write('{"step": 3, "rew')
    (killed / "checkpoints/.step-000004.partial").mkdir(exist_ok=True)
    train(killed, resume=True)
    for name in ("final/model.safetensors", "checkpoints/step-000020/optimizer.safetensors"):
        assert_equal_weights(whole / name, killed / name)
    assert metrics_of(killed) == metrics_of(whole)
    assert scores_of(killed) == scores_of(whole)
    assert (killed / "eval.jsonl").read_text() == (whole / "eval.jsonl").read_text()


def test_a_finished_run_goes_on_to_more_steps(task_folder: Path) -> None:
    whole = train(small_run(task_folder, "whole")).folder
    short = train(small_run(task_folder, "short", algorithm={"steps": 4})).folder
    train(short, resume=True, overrides=["algorithm.steps=6"])
    assert [row["step"] for row in metrics_of(short)] == [1, 2, 3, 4, 5, 6]
    assert_equal_weights(whole / "final/model.safetensors", short / "final/model.safetensors")


def test_a_run_in_process_mode_goes_on_to_more_steps(step_task_folder: Path) -> None:
    whole = train(process_run(step_task_folder, "whole")).folder
    short = train(process_run(step_task_folder, "short", steps=2)).folder
    train(short, resume=True, overrides=["algorithm.steps=4"])
    assert_equal_weights(whole / "final/model.safetensors", short / "final/model.safetensors")
    assert metrics_of(short) == metrics_of(whole)


def test_ctrl_c_leaves_a_usable_checkpoint(task_folder: Path) -> None:
    run = small_run(task_folder, algorithm={"steps": 100_000}, save={"every": 100_000}, eval=[])
    (task_folder / "run.yaml").write_text(json.dumps(run))
    command = [
        sys.executable,
        "-m",
        "markscheme.trainer.commands.cli",
        "train",
        str(task_folder / "run.yaml"),
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    folder = task_folder / "run"
    wait_for(folder / "metrics.jsonl", 0.02)
    process.send_signal(signal.SIGINT)
    _, output = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "--resume" in output
    newest = checkpoints(folder / "checkpoints")[-1]
    done = json.loads((newest / "state.json").read_text())["step"]
    assert done == len(metrics_of(folder)) >= 1
    result = train(folder, resume=True, overrides=[f"algorithm.steps={done + 2}"])
    assert result.summary["steps"] == done + 2


def test_a_run_file_names_files_beside_it_and_resumes_from_any_folder(
    task_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = small_run(
        task_folder,
        tasks=["digits.yaml"],
        policy={"model": "policy"},
        algorithm={"steps": 2},
        eval=[{"task": "digits.yaml", "n": 1, "limit": 3}],
    )
    (task_folder / "run.yaml").write_text(json.dumps(run))
    (task_folder / "elsewhere").mkdir()
    monkeypatch.chdir(task_folder / "elsewhere")
    folder = train(task_folder / "run.yaml").folder
    monkeypatch.chdir("/")
    assert train(folder, resume=True, overrides=["algorithm.steps=3"]).summary["steps"] == 3


def test_a_run_whose_task_has_changed_is_not_resumed(task_folder: Path) -> None:
    folder = train(small_run(task_folder, algorithm={"steps": 2})).folder
    with (task_folder / "mine.py").open("a") as file:
        file.write("\n# another mark scheme\n")
    with pytest.raises(RunError, match="has changed since the run began"):
        train(folder, resume=True, overrides=["algorithm.steps=4"])
