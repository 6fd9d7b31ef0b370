"""Building a scheme from a task's entries: mistakes, functions from files beside the task, and their names."""

import math
from pathlib import Path
from typing import Any

import pytest

from markscheme.rewards import MarkScheme, reward
from markscheme.rewards.composition.reward_functions import REWARDS
from markscheme.sandbox import RewardError, TaskError
from markscheme.tasks import Completion
from support import MakeTask, score_one

MISTAKES = [
    # entries, part of the message
    ("a: {use: overlong, max_tokens: 5, cache_tokens: 0}", "a.cache_tokens"),
    ("a: {use: anser}", "did you mean 'answer'"),
    ("a: {use: answer, extrct: strict}", "did you mean 'extract'"),
    ("a: {use: answer, wieght: 2}", "did you mean 'weight'"),
    ("a: {use: answer, extract: strikt}", "did you mean 'strict'"),
    ("a: {use: regex}", "needs 'pattern'"),
    ("a: {use: length, target: many}", "rewards.a.target"),
    ("a: {use: answer, when: b}", "unknown entry 'b'"),
    ("a: {use: answer, when: b}, b: {use: boxed, when: a}", "refer to each other: a -> b -> a"),
    ("a: {use: cascade}", "needs members"),
    ("a: {use: cascade, of: [b]}, b: {use: any_of}", "b: any_of needs members"),
    ("a: {use: answer, of: [boxed]}", "have members"),
    ("a: {use: ensemble, of: [answer], reduce: max}", "expected mean, median, min, mean_minus_std"),
    ("a: {use: cascade, of: [answer], reduce: min}", "no parameter 'reduce'"),
    ("a: {use: cascade, of: [{use: answer, weight: 2}]}", "a member has no weight"),
    ("a: {use: overlong, max_tokens: 5, cache_tokens: 6}", "cache_tokens of at most max_tokens"),
    ("a: {use: cascade, of: [{use: overlong, max_tokens: 5, cache_tokens: 6}]}", "rewards.a.of.0"),
    ("a: {use: unit_tests, score: {easy: .inf}}", "finite weights"),
    ("a: {use: json_schema, schema: {pattern: '('}}", "not a valid JSON Schema"),
    ("a: {use: json_schema, schema: {items: {$ref: '#/$defs/x'}}}", "no part '#/$defs/x'"),
    ("a: {use: json_schema, schema: {$ref: 'http://127.0.0.1:9/x'}}", "define it"),
    ("a: {use: prm, model: m, batch_tokens: 0}", "batch_tokens"),
    ("a: {use: answer, timeout_s: .inf}", "a.timeout_s"),
    ("a: {use: answer, clip: [.inf, .inf]}", "a.clip"),
    ("a: {use: marks_to_two, reduce: product}", "marks above 1 would pay for the number of steps"),
    ("a: {use: signed_marks, reduce: product, clip: [0, 1]}", "marks below 0"),
    ("a: {use: unlimited, on_failure: {timeout: -.inf}}", "a value within the range"),
    ("a: {use: 'json:loads'}", "decorate it"),
    ("a: {use: 'no_such_module:x'}", "cannot import"),
    ("a: {use: 'json:laods'}", "did you mean 'loads'"),
    ("a: {use: 'gone.py:f'}", "cannot import"),
]


@pytest.mark.parametrize(("entries", "message"), MISTAKES)
def test_mistakes_in_entries_are_errors_when_the_scheme_is_built(
    make_task: MakeTask, entries: str, message: str
) -> None:
    reward("marks_to_two", range=(0, 2), steps=True)(lambda problem, completion, steps: steps)
    reward("signed_marks", range=(-1, 1), steps=True)(lambda problem, completion, steps: steps)
    reward("unlimited", range=(-math.inf, 0))(lambda problem, completion: 0.0)
    with pytest.raises(TaskError) as caught:
        MarkScheme(make_task(f"rewards: {{{entries}}}"))
    assert message in str(caught.value)
    assert "task.yaml:3" in str(caught.value)


def test_all_mistakes_in_entries_are_reported_at_once(make_task: MakeTask) -> None:
    with pytest.raises(TaskError) as caught:
        MarkScheme(make_task("rewards: {a: {use: nope}, b: {use: regex}}\nwatch: {c: {use: nope}}"))
    assert len(str(caught.value).splitlines()) == 3


def test_a_reward_may_come_from_a_file_beside_the_task(make_task: MakeTask, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from markscheme.rewards import reward\n"
        "@reward('brevity')\ndef brevity(problem, completion, *, target: int = 3):\n"
        "    return float(len(completion.text) <= target)\n"
    )
    task = make_task("rewards: {a: {use: 'mine.py:brevity', target: 2}}")
    assert score_one(task, Completion("ab")).value == 1.0
    assert score_one(task, Completion("abc")).value == 0.0
    with pytest.raises(TaskError, match="--no-code"):
        MarkScheme(make_task("rewards: {a: {use: 'mine.py:brevity'}}", allow_code=False))


def test_the_files_of_two_tasks_may_use_the_same_names(make_task: MakeTask, tmp_path: Path) -> None:
    for file, value in (("a", 0.25), ("b", 0.75)):
        (tmp_path / f"{file}.py").write_text(
            "from markscheme.rewards import reward\n"
            f"@reward('mine')\ndef mine(problem, completion):\n    return {value}\n"
        )
        task = make_task(f"rewards: {{r: {{use: '{file}.py:mine'}}}}")
        assert score_one(task, Completion("x")).value == value
    assert "mine" not in REWARDS.decorated


def test_a_name_may_be_defined_again_in_the_same_file_only(tmp_path: Path) -> None:
    def define(path: Path | str) -> Any:
        """Decorate a function named `twice`, as if the file at the path did."""
        source = "from markscheme.rewards import reward\n@reward('twice')\ndef twice(problem, completion): return 1.0\n"
        exec(compile(source, str(path), "exec"), {"__name__": "m"})

    first, second = tmp_path / "a.py", tmp_path / "b.py"
    first.touch()
    second.touch()
    define(first)
    define(first)
    with pytest.raises(RewardError, match="rename one"):
        define(second)
    REWARDS.decorated.pop("twice")
    # Two cells of a notebook, which is one file for its author.
    define("<ipython-input-1>")
    define("/tmp/ipykernel_1/2.py")


def test_a_name_that_is_built_in_and_a_range_upside_down_are_refused() -> None:
    with pytest.raises(RewardError, match="built in"):
        reward("length")(lambda problem, completion: 1.0)
    with pytest.raises(RewardError, match="lowest, highest"):
        reward("upside_down", range=(1, 0))


def test_a_schema_may_refer_to_its_own_parts(make_task: MakeTask) -> None:
    schema = "{$defs: {n: {type: integer}}, properties: {a: {$ref: '#/$defs/n'}, $ref: {type: string}}}"
    task = make_task(f"rewards: {{a: {{use: json_schema, schema: {schema}}}}}")
    values = [score_one(task, Completion(text)).value for text in ('{"a": 1}', '{"a": "1"}')]
    assert values == [1.0, 0.0]
