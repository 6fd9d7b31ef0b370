"""`timeout_s` on synchronous rewards and verifiers: a hard deadline for each completion."""

from pathlib import Path
from types import FunctionType

import pytest
import worker_jobs  # noqa: F401  (registers `patient`)

from markscheme.rewards import MarkScheme, reward
from markscheme.sandbox import TaskError
from markscheme.tasks import Completion, Problem
from support import MakeTask

Q = Problem(prompt="q", reference="fine")


def marks(task: object, *texts: str) -> list[tuple[float | None, str]]:
    scores = MarkScheme(task).score([Q] * len(texts), [Completion(text) for text in texts])  # type: ignore[arg-type]
    return [(score.parts["a"].value, str(score.parts["a"].status)) for score in scores]


def test_a_hang_is_the_completions_fault_and_its_neighbours_are_marked(make_task: MakeTask) -> None:
    task = make_task("rewards: {a: {use: patient, share: 0.25, timeout_s: 0.5}}")
    found = marks(task, "fine", "hang", "boom", "fine", "hang", "much")
    assert found == [
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
    built_in = make_task(
        "rewards: {a: {use: answer, timeout_s: 5}}", rows='{"prompt": "q", "reference": "4"}\n'
    )
    assert marks(built_in, r"\boxed{fine}", r"\boxed{5}") == [(1.0, "ok"), (0.0, "ok")]


def test_a_pattern_that_backtracks_is_stopped(make_task: MakeTask) -> None:
    task = make_task("rewards: {a: {use: regex, pattern: '(a+)+$', full: true, timeout_s: 0.5}}")
    assert marks(task, "a" * 40 + "b", "aaa") == [(0.0, "timeout"), (1.0, "ok")]


def test_a_killed_batch_runs_again_one_by_one(make_task: MakeTask) -> None:
    task = make_task("rewards: {a: {use: patient_batch, timeout_s: 0.4}}")
    assert marks(task, "fine", "hang", "fine") == [(1.0, "ok"), (0.0, "timeout"), (1.0, "ok")]
    assert marks(task, "fine", "fine") == [(1.0, "ok")] * 2


def test_functions_of_a_task_file_are_found_by_the_file(make_task: MakeTask, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from markscheme.rewards import reward\n"
        "@reward('mine')\n"
        "def mine(problem, completion):\n"
        "    while 'hang' in completion.text: pass\n"
        "    return 1.0\n"
    )
    task = make_task("rewards: {a: {use: 'mine.py:mine', timeout_s: 0.5}}")
    assert marks(task, "fine", "hang") == [(1.0, "ok"), (0.0, "timeout")]


def test_what_has_no_name_elsewhere_is_refused_with_the_reason(make_task: MakeTask) -> None:
    @reward("nested")
    def nested(problem: Problem, completion: Completion) -> float:
        return 1.0

    with pytest.raises(TaskError, match=r"nested.*inside another function.*use: file.py:name"):
        MarkScheme(make_task("rewards: {a: {use: nested, timeout_s: 1}}"))
    session = FunctionType(nested.__code__, {"__name__": "__main__"}, "session")
    session.__module__, session.__qualname__ = "__main__", "session"
    reward("session")(session)
    with pytest.raises(TaskError, match="notebook or in the script"):
        MarkScheme(make_task("rewards: {a: {use: session, timeout_s: 1}}"))
