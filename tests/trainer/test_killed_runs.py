"""Runs that are ended by signals: they resume to the bit, and leave no process and no shared memory behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kills import MOMENTS, resumed_in_a_process, run_ended, shared_memory
from markscheme.trainer import train
from markscheme.trainer.loop.checkpoint import checkpoints
from processes import descendants_of, left_after
from small_runs import (
    assert_equal_weights,
    json_lines,
    metrics_of,
    process_run,
    scores_of,
    small_run,
    wait_for,
    write_task,
)

FAST = [("in a save", signal.SIGKILL)]
SLOW_ONES = [
    *((moment, signal.SIGKILL) for moment in MOMENTS if moment != "in a save"),
    *((moment, signal.SIGTERM) for moment in ("in a save", "in a step", "in an evaluation")),
    ("in a step", signal.SIGHUP),
]
KILLS = [*FAST, *(pytest.param(*one, marks=pytest.mark.slow) for one in SLOW_ONES)]


@pytest.mark.parametrize(("moment", "number"), KILLS, ids=lambda value: getattr(value, "name", value))
def test_an_ended_run_resumes_to_the_bit(task_folder: Path, moment: str, number: signal.Signals) -> None:
    whole = train(small_run(task_folder, "whole")).folder
    ended = run_ended(small_run(task_folder, "ended"), moment, number)
    folder = task_folder / "ended"
    if moment == "while setting up":
        assert not folder.exists(), "nothing is written before everything is ready"
        assert train(small_run(task_folder, "ended")).folder == folder
    else:
        assert ended.returncode == (-9 if number == signal.SIGKILL else 0), ended.stderr
        assert not (folder / "summary.json").exists()
        if number != signal.SIGKILL:
            assert "continue with: markscheme train" in ended.stderr
            newest = checkpoints(folder / "checkpoints")[-1]
            assert len(metrics_of(folder)) == int(newest.name[5:]), "everything that was done is saved"
        done = resumed_in_a_process(folder)
        assert done.returncode == 0, done.stderr
    assert_equal_weights(whole / "final/model.safetensors", folder / "final/model.safetensors")
    assert metrics_of(folder) == metrics_of(whole)
    assert scores_of(folder) == scores_of(whole)
    assert json_lines(folder / "eval.jsonl") == json_lines(whole / "eval.jsonl")


@pytest.mark.slow
def test_a_run_in_process_mode_that_is_killed_resumes_to_the_bit(step_task_folder: Path) -> None:
    whole = train(process_run(step_task_folder, "whole")).folder
    assert run_ended(process_run(step_task_folder, "ended"), "in a step", signal.SIGKILL).returncode == -9
    folder = step_task_folder / "ended"
    train(folder, resume=True)
    assert_equal_weights(whole / "final/model.safetensors", folder / "final/model.safetensors")
    assert metrics_of(folder) == metrics_of(whole)


SLOW = """
import time
from markscheme.rewards import reward

@reward("slow")
def slow(problem, completion):
    time.sleep(0.05)
    return 0.5
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_nothing_is_left_of_a_run_that_is_ended(tmp_path: Path, number: signal.Signals) -> None:
    """Its rewards run in worker processes, and its programs in the sandbox."""
    rewards = "rewards:\n  slow: {use: 'mine.py:slow', timeout_s: 5}\n  tests: {use: unit_tests}\nextract: lenient\n"
    folder = write_task(tmp_path, SLOW, rewards)
    task = (folder / "digits.yaml").read_text()
    tests = "tests: {type: stdio, cases: [{stdin: '', stdout: x}]}"
    (folder / "digits.yaml").write_text(task.replace("'{{ reference }}'", "'{{ reference }}', " + tests, 1))
    run = small_run(folder, algorithm={"steps": 1000}, eval=[])
    before = shared_memory()
    script = f"from markscheme.trainer import train; train({run!r})"
    with subprocess.Popen(
        [sys.executable, "-c", script], env={**os.environ, "OMP_NUM_THREADS": "1"}
    ) as process:
        wait_for(folder / "run/checkpoints/step-000002", 0.02)
        started = descendants_of(process.pid)
        assert started, "the run has workers"
        process.send_signal(number)
        process.wait(timeout=120)
    assert left_after(started, 20) == []
    assert shared_memory() == before


def test_the_second_signal_ends_a_run_at_once(task_folder: Path) -> None:
    rewards = (task_folder / "mine.py").read_text() + "\nimport time\n"
    (task_folder / "mine.py").write_text(rewards.replace("return sum(", "time.sleep(3)\n    return sum("))
    run = small_run(task_folder, eval=[])
    script = f"from markscheme.trainer import train; train({run!r}, progress=True)"
    with subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True) as process:
        wait_for(task_folder / "run/checkpoints/step-000000", 0.02)
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        for line in process.stderr:
            if "SIGTERM: the run ends after this step, with a checkpoint" in line:
                break
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) != 0
    assert [path.name for path in checkpoints(task_folder / "run/checkpoints")] == ["step-000000"]
