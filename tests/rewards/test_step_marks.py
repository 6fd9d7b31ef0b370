"""Rewards that mark steps: values, spans, statuses, and the way into scores and files."""

import asyncio
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import pytest

from markscheme.rewards import MarkScheme, Score, reward
from markscheme.rewards.builtin.step_rules import Check
from markscheme.rewards.composition.mark_steps import reduced
from markscheme.rewards.offline.step_metrics import (
    auroc,
    balanced_accuracy,
    ece,
    f1,
    first_error,
    labels_of,
    step_metrics,
)
from markscheme.sandbox import DataError, RewardError, TaskError
from markscheme.tasks import Completion, Problem
from markscheme.trainer.commands.cli import main
from markscheme.verifiers import Verdict
from markscheme.verifiers.steps.verify import CHECKS
from markscheme.verifiers.verdict import Reason
from support import MakeTask

MARKS = {"good": 1.0, "bad": 0.0, "half": 0.5}


@reward("by_word", steps=True)
def by_word(
    problem: Problem, completion: Completion, steps: Sequence[str], *, bonus: float = 0.0
) -> list[Any]:
    """Mark steps by the words that they are."""
    answers: dict[str, Any] = {
        "yes": True, "no": False, "none": None, "verdict": Verdict(True, Reason.PASSED), "nan": math.nan, "big": 2.0,
        "huge": 10**400, "written": "0.5",
        "down": Verdict(None, Reason.UNAVAILABLE), "unread": Verdict(None, Reason.UNDECIDED), "text": "x",
    }  # fmt: skip
    return [min(MARKS[step] + bonus, 1) if step in MARKS else answers[step] for step in steps]


@reward("by_word_async", steps=True, range=(-1, 1))
async def by_word_async(problem: Problem, completion: Completion, steps: Sequence[str]) -> list[Any]:
    """As `by_word`, from -1 to 1."""
    await asyncio.sleep(0)
    return [2 * MARKS[step] - 1 for step in steps]


@reward("too_few", steps=True, batch=True)
def too_few(problems: Sequence[Problem], completions: Sequence[Completion], steps: Any) -> list[Any]:
    """One mark for every completion, however many steps it has; a Score or an error for some."""
    special = {"refuse": Score(None, "too_large", reason="no"), "fail": RewardError("mine")}
    return [special.get(texts[0], [1.0]) for texts in steps]


def score(make_task: MakeTask, text: str, process: str, rewards: str = "correct: {use: answer}") -> Score:
    scheme = MarkScheme(make_task(f"rewards: {{{rewards}}}\nprocess: {process}"))
    return scheme.score([Problem(prompt="q", reference="4")], [Completion(text)])[0]


VALUES: list[tuple[str, str, float | None, str]] = [
    # text, reduce, value, status
    ("good\nhalf", "min", 0.5, "ok"),
    ("good\nhalf\nhalf", "product", 0.25, "ok"),
    ("good\nhalf", "last", 0.5, "ok"),
    ("good\nhalf", "mean", 0.75, "ok"),
    ("yes\nno", "min", 0.0, "ok"),
    ("verdict\nyes", "min", 1.0, "ok"),
    ("none\nunread\nhalf", "mean", 0.5, "ok"),  # what a rule cannot judge counts for nothing
    ("none\nnone", "min", None, "not_applicable"),
    ("good\ndown", "min", None, "infra_error"),  # ours failed, and it could have been the worst
    ("bad\ndown", "min", 0.0, "ok"),  # it could not
    ("bad\ndown", "mean", None, "infra_error"),
    ("good\nnan", "min", None, "bug"),
    ("good\nbig", "min", None, "bug"),
    ("text", "min", None, "bug"),
    ("huge", "min", None, "bug"),
    ("written", "min", None, "bug"),
    ("", "min", 0.0, "no_answer"),
    ("good\n" * 9, "min", 0.0, "too_large"),
]


@pytest.mark.parametrize(("text", "reduce", "value", "status"), VALUES)
def test_a_completion_s_value_from_its_steps(
    make_task: MakeTask, text: str, reduce: str, value: float | None, status: str
) -> None:
    found = score(make_task, text, f"{{use: by_word, reduce: {reduce}, max_steps: 8}}").parts["process"]
    assert (found.value, str(found.status)) == (value, status)


def test_marks_carry_their_spans(make_task: MakeTask) -> None:
    text = "<think>good\nhalf</think>\nbad é\n".replace("bad é", "bad")
    found = score(make_task, text, "{use: by_word}")
    assert found.steps is not None
    assert [(text[m.step.start : m.step.end], m.value, m.step.part) for m in found.steps] == [
        ("good", 1.0, "thinking"),
        ("half", 0.5, "thinking"),
        ("bad", 0.0, "answer"),
    ]
    thinking = score(make_task, text, "{use: by_word, part: thinking}")
    assert thinking.steps is not None
    assert [mark.value for mark in thinking.steps] == [1.0, 0.5]
    bonus = score(make_task, text, "{use: by_word, bonus: 0.25}")
    assert bonus.steps is not None
    assert [mark.value for mark in bonus.steps] == [1.0, 0.75, 0.25]


def test_steps_are_a_reward_like_any_other(make_task: MakeTask) -> None:
    """Without a `process:` too; with one that names an entry, it is asked once."""
    task = make_task("rewards: {worst: {use: by_word, weight: 2}, last: {use: by_word_async, reduce: last}}")
    found = MarkScheme(task).score([Problem(prompt="q")], [Completion("good\nhalf\nbad")])[0]
    assert found.value == 2 * 0.0 - 1.0
    assert [mark.value for mark in found.steps or ()] == [1.0, 0.5, 0.0]
    named = make_task(
        "rewards: {worst: {use: by_word}, last: {use: by_word_async, reduce: last}}\nprocess: {use: last}"
    )
    found = MarkScheme(named).score([Problem(prompt="q")], [Completion("good\nhalf\nbad")])[0]
    assert [mark.value for mark in found.steps or ()] == [1.0, 0.0, -1.0]
    assert (
        MarkScheme(named, process=False).score([Problem(prompt="q")], [Completion("good")])[0].steps
        is not None
    )


def test_another_number_of_marks_is_a_bug_and_shifts_nothing(make_task: MakeTask) -> None:
    found = score(make_task, "good\ngood", "{use: too_few}")
    assert str(found.parts["process"].status) == "bug"
    assert "returned 1 for 2 steps" in found.parts["process"].reason
    assert found.steps is None
    refused = score(make_task, "refuse\nx", "{use: too_few}")
    assert [(m.value, str(m.status)) for m in refused.steps or ()] == [(0.0, "too_large")]
    assert "mine" in score(make_task, "fail", "{use: too_few}").parts["process"].reason
    left_out = score(make_task, "refuse", "{use: too_few, on_failure: {too_large: leave_out}}")
    assert left_out.parts["process"].value is None


FAULTS = [
    ("{use: answer}", "marks completions, not steps"),
    ("{use: by_word, split: {by: lines, separator: 3}}", "separator"),
    ("{use: by_word, split: sentence}", "did you mean 'sentences'"),
    ("{use: by_word, reduce: max}", "reduce"),
    ("{use: by_word, max_steps: 0}", "max_steps"),
    ("{use: by_word, colour: red}", "no parameter 'colour'"),
    ("{use: by_word, when: correct}", "no `when`"),
    ("{use: by_word, weight: -1}", "negative"),
    ("{use: by_word, credit: most}", "credit"),
    ("{use: by_word, clip: [0, 0.5]}", "no `clip`"),
    ("{use: by_word, centred: true}", "centred"),
    ("{use: step_checker}", "needs 'check'"),
    ("{use: step_checker, check: arithmetics}", "check"),
    ("{use: cascade, of: [by_word]}", "no `of`"),
    ("{use: correct}", "marks completions, not steps"),
]


@pytest.mark.parametrize(("process", "said"), FAULTS)
def test_a_wrong_process_section_is_told_with_its_place(make_task: MakeTask, process: str, said: str) -> None:
    with pytest.raises((TaskError, RewardError), match=said):
        score(make_task, "good", process)


def test_an_entry_may_not_be_called_as_the_section(make_task: MakeTask) -> None:
    with pytest.raises(TaskError, match="rename it"):
        make_task("rewards: {process: {use: answer}}\nprocess: {use: by_word}")


def test_every_check_can_be_named_in_a_task() -> None:
    assert set(get_args(Check)) == set(CHECKS)


def test_ranges_that_say_nothing_are_refused(make_task: MakeTask) -> None:
    with pytest.raises(RewardError, match="finite range"):

        @reward("endless", steps=True, range=(0, math.inf))
        def endless(problem: Any, completion: Any, steps: Any) -> list[Any]:
            return []

    with pytest.raises(TaskError, match="two wrong steps"):
        score(make_task, "good", "{use: by_word_async, reduce: product}")


def test_own_parameters_may_not_hide_the_common_ones() -> None:
    with pytest.raises(RewardError, match="'split' is reserved"):

        @reward("hides", steps=True)
        def hides(problem: Any, completion: Any, steps: Any, *, split: str) -> list[Any]:
            return []


def test_a_task_without_a_process_keeps_its_hash(make_task: MakeTask) -> None:
    """Runs of before can still be resumed."""
    task = make_task("rewards: {correct: {use: answer}}")
    dumped = task.model_dump(mode="json")
    assert dumped["process"] is None
    other = make_task("rewards: {correct: {use: answer}}\nprocess: {use: by_word}")
    assert task.hash != other.hash


@pytest.mark.parametrize(
    ("values", "how", "wanted"),
    [
        ([0.5, None], "min", None), ([0.0, None], "min", 0.0), ([0.0, None], "product", 0.0),
        ([0.5, None], "last", None), ([None, 0.5], "last", 0.5), ([], "min", None), ([0.5, 0.25], "product", 0.125),
    ],
)  # fmt: skip
def test_reductions_are_kleene_s(values: list[float | None], how: Any, wanted: float | None) -> None:
    assert reduced(values, how, (0.0, 1.0)) == wanted


# Marks that a file brings along, and labels to compare with.


def write(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
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
    write(tmp_path / "rows.jsonl", [{"question": "q", "answer": "4"}])
    (tmp_path / "t.yaml").write_text(TASK, encoding="utf-8")
    return tmp_path / "t.yaml"


def test_marks_of_a_file_are_compared_with_labels(
    task_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        {"question": "q", "answer": "4", "completion": "a\nb\nc", "marks": [0.9, 0.2, 0.4], "labels": 1},
        {"question": "r", "answer": "4", "completion": "a\nb", "marks": [0.9, 0.8], "labels": -1},
        {"question": "s", "answer": "4", "completion": "a\nb", "marks": [0.9, None], "labels": [True, None]},
    ]
    path = write(tmp_path / "completions.jsonl", rows)
    out = tmp_path / "scores.jsonl"
    arguments = ["score", str(task_file), str(path), "-o", str(out), "--step-labels", "labels", "--json"]
    assert main(arguments) == 0
    told = json.loads(capsys.readouterr().out)["step_labels"]
    assert (told["balanced_accuracy"], told["first_error_f1"], told["auroc"], told["steps"]) == (1, 1, 1, 5)
    steps = [json.loads(line)["steps"] for line in out.read_text().splitlines()]
    assert [step["value"] for step in steps[0]] == [0.9, 0.2, 0.4]
    assert steps[0][1] == {
        "start": 2,
        "end": 3,
        "cut": 4,
        "bytes": [2, 3, 4],
        "part": "answer",
        "value": 0.2,
        "status": "ok",
        "reason": "",
    }
    assert main(arguments[:-1]) == 0
    assert "balanced accuracy 1.000, first-error F1 1.000" in capsys.readouterr().out


def test_a_file_with_another_number_of_marks_or_labels_is_an_error(
    task_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = [{"question": "q", "answer": "4", "completion": "a\nb\nc", "marks": [0.9, 0.2], "labels": 1}]
    path = write(tmp_path / "completions.jsonl", short)
    assert main(["score", str(task_file), str(path)]) == 1
    assert "has 2 marks and the completion 3 steps" in capsys.readouterr().err
    missing = [{"question": "q", "answer": "4", "completion": "a\nb", "marks": [0.9, 0.2], "labels": [True]}]
    path = write(tmp_path / "completions.jsonl", missing)
    assert main(["score", str(task_file), str(path), "--step-labels", "labels"]) == 2
    assert "has 1 labels for 2 steps" in capsys.readouterr().err
    assert main(["score", str(task_file), str(path), "--step-labels", "label"]) == 2
    assert "did you mean 'labels'" in capsys.readouterr().err


# Measures.


def test_measures_by_hand() -> None:
    found = step_metrics(
        [[0.9, 0.4, 0.8], [0.7, 0.6], [0.2, 0.9], [None, 0.9]],
        [[True, False, None], [True, True], [True, False], [True, True]],
    )
    assert found.steps == 7
    assert found.unmarked == 1
    # right steps told right: 0.9, 0.7, 0.6, 0.9 of five; wrong told wrong: 0.4 of two
    assert found.balanced_accuracy == pytest.approx((4 / 5 + 1 / 2) / 2)
    assert (found.erroneous, found.correct) == (
        0.5,
        1.0,
    )  # the third solution's first error is told too early
    assert found.first_error_f1 == pytest.approx(2 * 0.5 / 1.5)
    pairs = [(0.9, 1), (0.7, 1), (0.6, 1), (0.2, 1), (0.9, 1)]
    wins = sum((p > n) + 0.5 * (p == n) for p, _ in pairs for n in (0.4, 0.9))
    assert found.auroc == pytest.approx(wins / 10)


def test_nothing_to_divide_by_is_none_and_never_an_error() -> None:
    """ProcessBench's own script divides by zero where both accuracies are 0."""
    assert f1(0.0, 0.0) == 0.0
    assert f1(None, 1.0) is None
    empty = step_metrics([], [])
    assert empty.as_dict() == {
        "steps": 0,
        "unmarked": 0,
        "balanced_accuracy": None,
        "first_error_f1": None,
        "erroneous": None,
        "correct": None,
        "auroc": None,
        "ece": None,
    }
    assert balanced_accuracy([(True, True)]) is None
    assert auroc([(0.5, True)]) is None
    assert ece([]) is None
    with pytest.raises(DataError, match="solution 1 has 2 marks and 1 labels"):
        step_metrics([[0.5, 0.5]], [[True]])
    for mark in (math.nan, -0.1, 1.5):
        with pytest.raises(DataError, match="from 0 to 1"):
            step_metrics([[mark, 0.5]], [[True, False]])
    assert step_metrics([[0.9]], [[None]]).correct is None  # a solution without labels is neither
    with pytest.raises(DataError, match="1 solutions and labels of 0"):
        step_metrics([[0.5]], [])


def test_calibration_by_hand() -> None:
    assert ece([(0.95, True), (0.95, False), (0.15, False)]) == pytest.approx((abs(1.9 - 1) + 0.15) / 3)
    assert ece([(1.0, True)]) == 0.0


@pytest.mark.parametrize(
    ("given", "steps", "wanted"),
    [
        (-1, 2, [True, True]), (0, 2, [False, None]), (1, 3, [True, False, None]), ([True, None], 2, [True, None]),
        (5, 2, "is 5"), ([True], 2, "has 1 labels"), ("x", 1, "must be a list"), (True, 1, "must be a list"),
    ],
)  # fmt: skip
def test_labels_of_a_row(given: Any, steps: int, wanted: Any) -> None:
    found = labels_of(given, steps)
    assert (wanted in found) if isinstance(wanted, str) else found == wanted


def test_the_first_error() -> None:
    assert [first_error(row) for row in ([True, False], [None, True], [False, False], [])] == [1, -1, 0, -1]
