"""Runs whose folder or surroundings have changed: they go on from what is whole, or say in one line what is wrong."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from damage import cut, each_once, flipped, resumed_after
from markscheme.sandbox import MarkschemeError, RunError
from markscheme.trainer import train
from markscheme.trainer.loop.checkpoint import checkpoints
from small_runs import json_lines, metrics_of, notes_of, small_run


@pytest.fixture
def stopped(task_folder: Path) -> Path:
    """A run of four steps, with checkpoints at the last two even ones, that could have two more."""
    return train(small_run(task_folder, "stopped", algorithm={"steps": 4})).folder


@pytest.mark.slow
def test_a_run_resumes_whichever_of_its_files_is_damaged(stopped: Path, task_folder: Path) -> None:
    whole = train(small_run(task_folder, "whole")).folder
    expected = load_file(whole / "final/model.safetensors")
    for damage, name in each_once(stopped):
        said = resumed_after(damage, name, stopped, "algorithm.steps=6")
        if said != "resumed":
            assert name.startswith(("reference/", "run.yaml")), f"{damage.__name__} {name}: {said}"
            assert len(said.splitlines()) == 1, said
            continue
        copy = stopped.with_name("copy")
        weights = load_file(copy / "final/model.safetensors")
        assert all(weights[key].equal(expected[key]) for key in expected), (damage, name)
        kept = metrics_of(copy)
        assert [row for row in metrics_of(whole) if row["step"] > 4] == kept[-2:], (damage, name)


def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(stopped: Path) -> None:
    newest = checkpoints(stopped / "checkpoints")[-1]
    flipped(newest / "model.safetensors")
    train(stopped, resume=True, overrides=["algorithm.steps=6"])
    (note,) = notes_of(stopped)
    assert note == (
        "the checkpoint step-000004 is damaged (model.safetensors was cut or changed);"
        " going back to step-000002"
    )
    assert [row["step"] for row in metrics_of(stopped)] == [1, 2, 3, 4, 5, 6]


def test_a_run_without_a_whole_checkpoint_says_so(stopped: Path) -> None:
    for checkpoint in checkpoints(stopped / "checkpoints"):
        cut(checkpoint / "optimizer.safetensors")
    with pytest.raises(RunError, match="no checkpoint is whole: step-000004 .optimizer.safetensors was cut"):
        train(stopped, resume=True)


def test_a_run_that_was_killed_before_its_first_checkpoint_starts_anew(stopped: Path) -> None:
    before = metrics_of(stopped)
    shutil.rmtree(stopped / "checkpoints")
    with pytest.raises(RunError, match="has the results of a run but no checkpoint"):
        train(stopped, resume=True)
    shutil.rmtree(stopped / "final")
    (stopped / "metrics.jsonl").unlink()
    (stopped / "checkpoints/.step-000000.partial").mkdir(parents=True)
    assert train(stopped, resume=True).summary["steps"] == 4
    assert metrics_of(stopped) == before
    assert any("starts from its beginning" in note for note in notes_of(stopped))


def test_a_folder_with_nothing_but_empty_folders_is_free(task_folder: Path) -> None:
    (task_folder / "run/checkpoints").mkdir(parents=True)
    assert train(small_run(task_folder, algorithm={"steps": 1})).summary["steps"] == 1


def test_a_run_belongs_to_one_process(stopped: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from markscheme.trainer.run.lock import RunLock;"
        f" lock = RunLock(Path({str(stopped)!r})); print('locked', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout is not None
            assert other.stdout.readline() == "locked\n"
            with pytest.raises(RunError, match=f"is in use by process {other.pid} on "):
                train(stopped, resume=True)
        finally:
            other.kill()
    assert train(stopped, resume=True).summary["steps"] == 4  # a lock ends with its process


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("drop a row", "had 36 problems and has 35|had 2[0-9] problems and has 2[0-9]"),
        ("swap rows", "their content or their order has changed"),
        ("change a reference", "their content or their order has changed"),
        ("change imported code", r"changed since the run began: the file digits_helper\.py"),
    ],
)
def test_a_change_of_data_or_code_is_noticed(task_folder: Path, change: str, message: str) -> None:
    (task_folder / "digits_helper.py").write_text("SCALE = 1.0\n")
    rewards = (task_folder / "mine.py").read_text()
    path = f"import sys; sys.path.insert(0, {str(task_folder)!r})\nimport digits_helper\n"
    (task_folder / "mine.py").write_text(path + rewards)
    (task_folder / "digits.yaml").write_text((task_folder / "digits.yaml").read_text().replace("0.3", "0.0"))
    folder = train(small_run(task_folder, algorithm={"steps": 2}, eval=[])).folder
    rows = (task_folder / "rows.jsonl").read_text().splitlines()
    if change == "drop a row":
        rows.pop()
    elif change == "swap rows":
        rows[3], rows[4] = rows[4], rows[3]
    elif change == "change a reference":
        rows[3] = json.dumps({**json.loads(rows[3]), "reference": "77"})
    else:
        (task_folder / "digits_helper.py").write_text("SCALE = 2.0\n")
    (task_folder / "rows.jsonl").write_text("\n".join(rows))
    with pytest.raises(RunError, match=message):
        train(folder, resume=True, overrides=["algorithm.steps=3"])


def test_what_may_change_may(stopped: Path, task_folder: Path) -> None:
    """Evaluations, `on_failure`, watched entries, saving and the engine's settings."""
    evals = json.dumps([{"task": str(task_folder / "digits.yaml"), "n": 3, "every": 1, "limit": 4}])
    changes = [
        "algorithm.steps=6",
        f"eval={evals}",
        "save.every=1",
        "engine.max_rows=2",
        "task.rewards.digits.on_failure={bug: leave_out}",
        "task.watch={flat: 'mine.py:flat'}",
    ]
    result = train(stopped, resume=True, overrides=changes)
    assert result.summary["steps"] == 6
    rows = json_lines(stopped / "eval.jsonl")
    assert [row["n"] for row in rows] == [2, 2, 2, 3, 3, 3]
    assert [row["index"] for row in rows] == [0, 0, 0, 1, 1, 1], "another evaluation has a number of its own"
    kept = {path.name for path in (stopped / "evaluations").iterdir()}
    assert {f"step-{row['step']:06d}-{row['index']}-greedy.jsonl.gz" for row in rows} <= kept
    assert "watch/flat" in metrics_of(stopped)[-1]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["algorithm.lr=0.1"], r"algorithm\.lr \(was 0\.003, now 0\.1\)"),
        (["sampling.temperature=0.5"], r"sampling\.temperature \(was 1\.0, now 0\.5\)"),
        (["out=elsewhere"], "--out cannot be changed when a run is resumed"),
        (["task.rewards.digits.weight=2"], r"rewards\.digits\.weight \(was 1\.0, now 2\.0\)"),
    ],
)
def test_what_may_not_change_is_named(stopped: Path, overrides: list[str], message: str) -> None:
    with pytest.raises(MarkschemeError, match=message):
        train(stopped, resume=True, overrides=overrides)


def test_the_settings_come_back_if_run_yaml_is_unreadable(stopped: Path) -> None:
    expected = (stopped / "run.yaml").read_text()
    (stopped / "run.yaml").write_bytes(b"\xff\xfe tasks: [")
    train(stopped, resume=True)
    assert (stopped / "run.yaml").read_text() == expected
    assert "run.yaml cannot be read, and is restored" in notes_of(stopped)[0]


def test_a_read_only_folder_is_named(stopped: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    stopped.chmod(0o500)
    with pytest.raises(MarkschemeError, match="make the folder writable"):
        train(stopped, resume=True)
