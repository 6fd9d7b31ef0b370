"""Marks of steps compared with labels: the measures by hand, and `markscheme score --step-labels` on a file."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from markscheme.rewards.offline.measures import auroc, balanced_accuracy, ece, f1
from markscheme.rewards.offline.step_metrics import first_error, labels_of, step_metrics
from markscheme.sandbox import DataError
from markscheme.trainer.commands.cli import main
from support import rows_in


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


TASK = """name: t
data: {path: rows.jsonl}
problem: {prompt: "{{ question }}", reference: "{{ answer }}"}
rewards: {correct: {use: answer, extract: lenient}}
process: {use: step_scores, column: marks}
"""


@pytest.fixture
def task_file(tmp_path: Path) -> Path:
    """A task whose completions bring the marks of their steps along."""
    write_rows(tmp_path / "rows.jsonl", [{"question": "q", "answer": "4"}])
    path = tmp_path / "t.yaml"
    path.write_text(TASK, encoding="utf-8")
    return path


def test_score_compares_the_marks_of_a_file_with_its_labels(
    task_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        # A number as the label is the index of the first wrong step; -1: there is none.
        {"question": "q", "answer": "4", "completion": "a\nb\nc", "marks": [0.9, 0.2, 0.4], "labels": 1},
        {"question": "r", "answer": "4", "completion": "a\nb", "marks": [0.9, 0.8], "labels": -1},
        {"question": "s", "answer": "4", "completion": "a\nb", "marks": [0.9, None], "labels": [True, None]},
    ]
    path = write_rows(tmp_path / "completions.jsonl", rows)
    out = tmp_path / "scores.jsonl"
    arguments = ["score", str(task_file), str(path), "-o", str(out), "--step-labels", "labels"]
    assert main([*arguments, "--json"]) == 0
    metrics = json.loads(capsys.readouterr().out)["step_labels"]
    names = ("balanced_accuracy", "first_error_f1", "auroc", "steps")
    assert [metrics[name] for name in names] == [1, 1, 1, 5]
    steps = rows_in(out)[0]["steps"]
    assert [step["value"] for step in steps] == [0.9, 0.2, 0.4]
    assert steps[1] == {
        "start": 2,
        "end": 3,
        "cut": 4,
        "bytes": [2, 3, 4],
        "part": "answer",
        "value": 0.2,
        "status": "ok",
        "reason": "",
        "label": False,
    }
    assert main(arguments) == 0
    assert "balanced accuracy 1.000, first-error F1 1.000" in capsys.readouterr().out


def test_a_file_with_another_number_of_marks_or_labels_is_an_error(
    task_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"question": "q", "answer": "4", "completion": "a\nb\nc", "marks": [0.9, 0.2], "labels": 1}
    path = write_rows(tmp_path / "completions.jsonl", [row])
    assert main(["score", str(task_file), str(path)]) == 1
    assert "has 2 marks and the completion 3 steps" in capsys.readouterr().err
    row = {"question": "q", "answer": "4", "completion": "a\nb", "marks": [0.9, 0.2], "labels": [True]}
    path = write_rows(tmp_path / "completions.jsonl", [row])
    assert main(["score", str(task_file), str(path), "--step-labels", "labels"]) == 2
    assert "has 1 labels for 2 steps" in capsys.readouterr().err
    assert main(["score", str(task_file), str(path), "--step-labels", "label"]) == 2
    assert "did you mean 'labels'" in capsys.readouterr().err


def test_the_measures_by_hand() -> None:
    metrics = step_metrics(
        [[0.9, 0.4, 0.8], [0.7, 0.6], [0.2, 0.9], [None, 0.9]],
        [[True, False, None], [True, True], [True, False], [True, True]],
    )
    assert metrics.steps == 7
    assert metrics.unmarked == 1
    right_steps, wrong_steps = [0.9, 0.7, 0.6, 0.2, 0.9], [0.4, 0.9]
    # From 0.5 on, a step counts as marked right: four of the right ones, and one of the wrong ones is not.
    assert metrics.balanced_accuracy == pytest.approx((4 / 5 + 1 / 2) / 2)
    # The first error of the third solution is seen too early.
    assert (metrics.erroneous, metrics.correct) == (0.5, 1.0)
    assert metrics.first_error_f1 == pytest.approx(2 * 0.5 / 1.5)
    wins = 0.0
    for right in right_steps:
        for wrong in wrong_steps:
            wins += (right > wrong) + 0.5 * (right == wrong)
    assert metrics.auroc == pytest.approx(wins / 10)


def test_a_measure_of_nothing_is_none_and_never_an_error() -> None:
    """ProcessBench's own script divides by zero where both accuracies are 0."""
    assert f1(0.0, 0.0) == 0.0
    assert f1(None, 1.0) is None
    assert step_metrics([], []).as_dict() == {
        "steps": 0,
        "unmarked": 0,
        "balanced_accuracy": None,
        "first_error_f1": None,
        "erroneous": None,
        "correct": None,
        "auroc": None,
        "ece": None,
    }
    assert balanced_accuracy([True], [True]) is None
    assert auroc([0.5], [True]) is None
    assert ece([], []) is None
    assert step_metrics([[0.9]], [[None]]).correct is None  # a solution without labels is neither


def test_marks_and_labels_that_do_not_fit_are_an_error() -> None:
    with pytest.raises(DataError, match="solution 1 has 2 marks and 1 labels"):
        step_metrics([[0.5, 0.5]], [[True]])
    with pytest.raises(DataError, match="1 solutions and labels of 0"):
        step_metrics([[0.5]], [])
    for mark in (math.nan, -0.1, 1.5):
        with pytest.raises(DataError, match="from 0 to 1"):
            step_metrics([[mark, 0.5]], [[True, False]])


def test_the_calibration_error_by_hand() -> None:
    # Two marks of 0.95, one of them right, and one of 0.15 that is wrong.
    assert ece([0.95, 0.95, 0.15], [True, False, False]) == pytest.approx((abs(1.9 - 1) + 0.15) / 3)
    assert ece([1.0], [True]) == 0.0


@pytest.mark.parametrize(
    ("given", "steps", "labels"),
    [
        (-1, 2, [True, True]),
        (0, 2, [False, None]),
        (1, 3, [True, False, None]),
        ([True, None], 2, [True, None]),
    ],
)
def test_labels_are_given_by_step_or_as_the_first_error(
    given: Any, steps: int, labels: list[bool | None]
) -> None:
    assert labels_of(given, steps) == labels


@pytest.mark.parametrize(
    ("given", "steps", "fault"),
    [(5, 2, "is 5"), ([True], 2, "has 1 labels"), ("x", 1, "must be a list"), (True, 1, "must be a list")],
)
def test_labels_that_cannot_be_read_have_a_fault(given: Any, steps: int, fault: str) -> None:
    found = labels_of(given, steps)
    assert isinstance(found, str)
    assert fault in found


@pytest.mark.parametrize(
    ("labels", "place"), [([True, False], 1), ([None, True], -1), ([False, False], 0), ([], -1)]
)
def test_the_first_error_is_the_first_step_labelled_wrong(labels: list[bool | None], place: int) -> None:
    assert first_error(labels) == place
