"""Whole runs in process mode on a small random policy: the records of steps, failures, every objective."""

from pathlib import Path

import pytest

from markscheme.sandbox import RunError
from markscheme.trainer import train
from small_runs import metrics_of, process_run, scores_of


def test_a_run_records_the_marks_and_advantages_of_steps(step_task_folder: Path) -> None:
    folder = train(process_run(step_task_folder)).folder
    for row in metrics_of(folder):
        assert row["steps"] >= 1
        assert 0 <= row["step_mark"] <= 1
        assert row["steps_unjudged"] == 0
        assert row["part/process"] is not None
    scores = scores_of(folder)
    assert len(scores) == 48
    for row in scores:
        assert row["status"] == "ok"
        for step in row["steps"]:
            text = row["completion"][step["start"] : step["end"]]
            assert step["status"] == "ok"
            assert step["value"] == pytest.approx(sum(c.isdigit() for c in text) / len(text))
            assert "advantage" in step
    assert any(len({step["advantage"] for step in row["steps"]}) > 1 for row in scores)


def test_rows_whose_steps_could_not_be_marked_are_left_out(step_task_folder: Path) -> None:
    run = process_run(step_task_folder)
    folder = train(run, overrides=["task.process={use: 'mine.py:half_down'}"]).folder
    failed = [row for row in scores_of(folder) if "a" in row["completion"]]
    assert failed
    assert all(row["parts"]["process"]["status"] == "infra_error" for row in failed)
    assert all(row["advantage"] == 0 for row in failed)


def test_a_bug_in_the_marking_of_steps_stops_the_run(step_task_folder: Path) -> None:
    with pytest.raises(RunError, match="'process' failed"):
        train(process_run(step_task_folder), overrides=["task.process={use: 'mine.py:too_few'}"])


@pytest.mark.parametrize("ratio", ["token", "sequence", "none"])
@pytest.mark.parametrize("aggregate", ["sequence_mean", "token_mean", "constant"])
def test_every_ratio_and_aggregate_learns(step_task_folder: Path, ratio: str, aggregate: str) -> None:
    run = process_run(
        step_task_folder, ratio=ratio, aggregate=aggregate, steps=2, inner_updates=2, minibatches=2
    )
    assert all(row["grad_norm"] > 0 for row in metrics_of(train(run).folder))
