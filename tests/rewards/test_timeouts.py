"""`timeout_s` on functions that are not asynchronous: a hard deadline for each completion, in a worker process."""

from pathlib import Path
from types import FunctionType

import pytest

import worker_jobs  # noqa: F401  (registers `patient` and the others)
from markscheme.rewards import MarkScheme, reward
from markscheme.sandbox import TaskError
from markscheme.tasks import Completion, Problem, Task
from support import MakeTask

PROBLEM = Problem(prompt="q", reference="fine")


def marks(task: Task, *texts: str) -> list[tuple[float | None, str]]:
    """Return value and status of the part `a` for each completion."""
    scores = MarkScheme(task).score([PROBLEM] * len(texts), [Completion(text) for text in texts])
    return [(score.parts["a"].value, str(score.parts["a"].status)) for score in scores]


def test_a_hang_is_the_completion_s_fault_and_its_neighbours_are_marked(make_task: MakeTask) -> None:
    task = make_task("rewards: {a: {use: patient, share: 0.25, timeout_s: 0.5}}")
    assert marks(task, "fine", "hang", "boom", "fine", "hang", "much") == [
        (0.25, "ok"),
        (0.0, "timeout"),
        (None, "bug"),
        (0.25, "ok"),
        (0.0, "timeout"),
        (0.0, "memory"),
    ]
    lenient = make_task("rewards: {a: {use: patient, timeout_s: 0.5, on_failure: {timeout: leave_out}}}")
    assert marks(lenient, "hang") == [(None, "timeout")]


def test_verifiers_have_deadlines_too(make_task: MakeTask) -> None:
    task = make_task("rewards: {a: {use: patient_verifier, timeout_s: 0.5}}")
    assert marks(task, "fine", "hang", "other") == [(1.0, "ok"), (0.0, "timeout"), (0.0, "ok")]
    built_in = make_task("rewards: {a: {use: answer, timeout_s: 5}}")
    assert marks(built_in, r"\boxed{fine}", r"\boxed{5}") == [(1.0, "ok"), (0.0, "ok")]


def test_a_pattern_that_backtracks_for_ever_is_stopped(make_task: MakeTask) -> None:
    for deadline in ("", ", timeout_s: 0.5"):
        task = make_task(f"rewards: {{a: {{use: regex, pattern: '(?:a|aa)+[bc]'{deadline}}}}}")
        assert marks(task, "a" * 60, "aaab") == [(0.0, "timeout"), (1.0, "ok")]
    task = make_task("extract: [{regex: '(?:a|aa)+[bc]'}]\nrewards: {a: {use: exact_match}}")
    assert marks(task, "a" * 60) == [(0.0, "timeout")]


def test_a_batch_that_hangs_runs_again_one_by_one(make_task: MakeTask) -> None:
    task = make_task("rewards: {a: {use: patient_batch, timeout_s: 0.4}}")
    assert marks(task, "fine", "hang", "fine") == [(1.0, "ok"), (0.0, "timeout"), (1.0, "ok")]
    assert marks(task, "fine", "fine") == [(1.0, "ok")] * 2


def test_workers_find_functions_of_a_file_beside_the_task(make_task: MakeTask, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from markscheme.rewards import reward\n"
        "@reward('mine')\n"
        "def mine(problem, completion):\n"
        "    while 'hang' in completion.text: pass\n"
        "    return 1.0\n"
    )
    task = make_task("rewards: {a: {use: 'mine.py:mine', timeout_s: 0.5}}")
    assert marks(task, "fine", "hang") == [(1.0, "ok"), (0.0, "timeout")]


def test_functions_that_workers_cannot_import_are_rejected_with_an_explanation(make_task: MakeTask) -> None:
    @reward("nested")
    def nested(problem: Problem, completion: Completion) -> float:
        return 1.0

    with pytest.raises(TaskError, match=r"nested.*inside another function.*use: file.py:name"):
        MarkScheme(make_task("rewards: {a: {use: nested, timeout_s: 1}}"))
    # A function as it would be defined in a notebook or a script.
    in_main = FunctionType(nested.__code__, {"__name__": "__main__"}, "session")
    in_main.__module__, in_main.__qualname__ = "__main__", "session"
    reward("session")(in_main)
    with pytest.raises(TaskError, match="notebook or in the script"):
        MarkScheme(make_task("rewards: {a: {use: session, timeout_s: 1}}"))
