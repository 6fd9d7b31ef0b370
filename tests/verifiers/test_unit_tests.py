"""Tests of programs as a reward: `use: unit_tests` in a task, partial marks, and what is checked beforehand."""

import json
from typing import Any

import pytest

from markscheme.rewards import MarkScheme
from markscheme.rewards.check.task import check_task
from markscheme.sandbox import DataError, TaskError
from markscheme.tasks import Completion, Problem, Task, load_problems
from support import MakeTask, asserts

TASK = """
rewards:
  correct: {{use: unit_tests{options}}}
problem: {{tests: "{{{{ tests }}}}", prompt: q}}
limits: {{cpu_s: 0.3, memory_mb: 200}}
"""


def task_with_tests(make_task: MakeTask, tests: Any, options: str = "") -> tuple[Task, Problem]:
    """Return a task with a single problem that has these tests, and the problem."""
    task = make_task(TASK.format(options=options), rows=json.dumps({"tests": tests}) + "\n")
    (problem,) = load_problems(task)
    return task, problem


def test_unit_tests_as_a_reward(make_task: MakeTask) -> None:
    task, problem = task_with_tests(make_task, asserts("assert f(2) == 4", "assert f(3) == 9"))
    scheme = MarkScheme(task)
    expected = {
        "```python\ndef f(x): return x * x\n```": (1.0, "ok", "passed"),
        "```python\ndef f(x): return 4\n```": (0.0, "ok", "failed"),
        "```python\ndef f(x):\n    while True: pass\n```": (0.0, "timeout", "timeout"),
        "```python\ndef f(x): return ' ' * 10**10\n```": (0.0, "memory", "memory"),
        "```python\ndef f(x:\n```": (0.0, "unparsable", "compile_error"),
        "": (0.0, "no_answer", "no_answer"),
    }
    scores = scheme.score([problem] * len(expected), [Completion(text) for text in expected])
    for score, (value, status, reason) in zip(scores, expected.values(), strict=True):
        part = score.parts["correct"]
        assert (part.value, part.status, part.reason) == (value, status, reason)
        assert scheme.is_right(score) is (value == 1.0)
    verdict = scores[1].parts["correct"].verdict
    assert verdict is not None
    assert verdict.evidence["cases"] == [True, False]


def test_a_share_and_subsets_earn_partial_marks(make_task: MakeTask) -> None:
    tests = asserts(
        *(f"assert f({n}) == {n * n}" for n in range(4)), subsets={"small": [0, 1], "large": [2, 3]}
    )
    right_for_0_and_1 = Completion("```python\ndef f(x): return x\n```")
    for options, value in (("", 0.0), (", score: share", 0.5), (", score: {small: 1, large: 3}", 0.25)):
        task, problem = task_with_tests(make_task, tests, options)
        scheme = MarkScheme(task)
        (score,) = scheme.score([problem], [right_for_0_and_1])
        assert (score.value, score.status, scheme.is_right(score)) == (value, "ok", False)
    task, problem = task_with_tests(make_task, tests, ", score: {huge: 1}")
    (score,) = MarkScheme(task).score([problem], [right_for_0_and_1])
    assert score.parts["correct"].status == "bug"
    assert "no subset 'huge'" in score.parts["correct"].reason
    with pytest.raises(TaskError, match="weights of 0 or more"):
        MarkScheme(make_task(TASK.format(options=", score: {small: -1}")))


def test_tests_and_limits_are_checked_before_anything_is_scored(make_task: MakeTask) -> None:
    task, problem = task_with_tests(make_task, {"type": "asserts", "asserts": []})
    with pytest.raises(DataError, match="1 test.s. cannot be judged by:.*\n.*there are no tests"):
        MarkScheme(task).check_references([problem])
    with pytest.raises(TaskError, match="did you mean 'cpu_s'"):
        make_task("limits: {cpu: 3}\nrewards: {a: {use: unit_tests}}")
    with pytest.raises(TaskError, match="cpu_s must be"):
        make_task("limits: {cpu_s: -3}\nrewards: {a: {use: unit_tests}}")


def test_the_check_of_a_task_finds_weak_tests_and_solutions_that_fail(make_task: MakeTask) -> None:
    squares = asserts("assert f(2) == 4", "assert f(3) == 9")
    rows = [
        {"code": "def f(x): return x * x", "tests": squares},
        {"code": "def f(x): return x + 1", "tests": asserts("assert f(2) == 4")},
        {"code": "def f(x):\n    while True: pass", "tests": squares},
        {"code": "def f(x): raise OSError", "tests": squares},
        # Passes only where the assert can look into the function itself.
        {
            "code": "def f(x): return x * x",
            "tests": asserts("assert f.__code__.co_argcount == 1 and f(2) == 4"),
        },
    ]
    text = (
        "rewards: {correct: {use: unit_tests}}\nlimits: {cpu_s: 0.3}\n"
        "problem: {tests: '{{ tests }}', prompt: 'problem {{ i }}', solution: '{{ code }}', id: '{{ i }}'}\n"
    )
    lines = "".join(json.dumps({**row, "i": i}) + "\n" for i, row in enumerate(rows))
    findings = {finding.name: finding for finding in check_task(make_task(text, rows=lines))}
    assert findings["solutions"].good is False
    assert findings["solutions"].said.startswith("1 of 5")
    details = "\n".join(findings["solutions"].details)
    for part in (
        "rows.jsonl:2: correct: failed (case 1: gave 3)",
        "rows.jsonl:3: correct: timeout",
        "rows.jsonl:4",
        "OSError",
    ):
        assert part in details
    (oracle,), (constant,) = findings["oracle"].details, findings["constant_passes"].details
    assert oracle.endswith("rows.jsonl:5: its solution passes only with the tests in its own process")
    assert constant.endswith("rows.jsonl:2: a program that always gives 4 passes its tests")
