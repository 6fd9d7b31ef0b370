"""Task files: what is accepted, and what the errors say."""

from pathlib import Path

import pytest

from markscheme.sandbox import TaskError, UnknownNameError
from markscheme.tasks import load_task
from markscheme.tasks.load import shipped_tasks
from markscheme.tasks.reward_entries import RewardEntry
from markscheme.tasks.yaml_file import parse_yaml
from support import MakeTask

GOOD = "rewards: {correct: {use: answer}}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rewrads: {correct: {use: answer}}", ["task.yaml:3: rewrads", "unknown key", "did you mean 'rewards'", "rewards: is missing"]),
        ("rewards: {correct: {weight: 1}}", ["task.yaml:3: rewards.correct.use: is missing"]),
        ("rewards: {}", ["task.yaml:3: rewards", "at least 1"]),
        ("rewards: {correct: {use: answer, weight: heavy}}", ["rewards.correct.weight", "'heavy'"]),
        ("rewards: {correct: {use: answer, weight: {5: 1}}}", ["starts at step 0"]),
        ("rewards: {correct: {use: answer, weight: .inf}}", ["finite"]),
        ("rewards: {correct: {use: answer, clip: [1, 0]}}", ["[lowest, highest]"]),
        ("rewards: {correct: {use: answer, on_failure: {timeot: 0}}}", ["timeot", "allowed", "timeout"]),
        ("rewards: {correct: {use: answer, on_failure: {timeout: skip}}}", ["on_failure.timeout"]),
        (GOOD + "\ncombine: mean", ["task.yaml:4: combine", "'sum'"]),
        (GOOD + "\nproblem: {promt: x}", ["task.yaml:4: problem.promt", "did you mean 'prompt'"]),
        (GOOD + "\nproblem: {prompt: 3}", ["problem.prompt", "template"]),
        ("data: {path: a, generator: b}\n" + GOOD, ["exactly one of `path` and `generator`"]),
        ("data: {path: a, spilt: b}\n" + GOOD, ["unknown key 'spilt'", "did you mean 'split'"]),
        ("data: {generator: addition}\n" + GOOD, ["a generator needs a `limit`"]),
        ("data: {path: a, streaming: true}\n" + GOOD, ["streaming needs a `limit`"]),
        ("data: {path: a, held_out: 1.5}\n" + GOOD, ["data.held_out", "less than 1"]),
        (GOOD + "\nwatch: {correct: {use: boxed}}", ["under `rewards` and under `watch`"]),
        ("name: 'two words'\n" + GOOD, ["task.yaml", "name"]),
    ],
)  # fmt: skip
def test_a_wrong_key_is_told_with_its_place_and_cure(make_task: MakeTask, text: str, said: list[str]) -> None:
    with pytest.raises(TaskError) as caught:
        make_task(text)
    for part in said:
        assert part in str(caught.value)


def test_all_mistakes_are_told_at_once(make_task: MakeTask) -> None:
    with pytest.raises(TaskError) as caught:
        make_task("rewards: {a: {weight: x}}\ncombine: mean\nextra: 1")
    assert len(str(caught.value).splitlines()) == 4


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: [", "not valid YAML"),
        ("- a\n- b", "expected a mapping"),
        ("a: 1\na: 2", "given twice (first in line 1)"),
        ("a: {b: 1, b: 2}", "a.b is given twice"),
        ("prompt: {{ question }}", "quote a template"),
    ],
)
def test_broken_yaml_is_told_with_its_line(text: str, said: str) -> None:
    with pytest.raises(TaskError, match="<task>") as caught:
        parse_yaml(text)
    assert said in str(caught.value)


def test_yaml_means_what_a_person_means() -> None:
    data = parse_yaml("a: yes\nb: on\nc: 1e-4\nd: true\ne: 1.5\nf: 10").data
    assert data == {"a": "yes", "b": "on", "c": 1e-4, "d": True, "e": 1.5, "f": 10}


def test_overrides_go_over_the_file() -> None:
    task = load_task(
        "gsm8k",
        overrides=[
            "problem.reference={{ ref }}",
            'extract=[{after: "A: "}]',
            "rewards.format.weight=0",
            "system=null",
        ],
    )
    assert task.problem.reference == "{{ ref }}"
    assert task.extract == ({"after": "A: "},)
    assert task.rewards["format"].weight == 0
    assert task.system is None


@pytest.mark.parametrize("override", ["weight", "name.first=x", "=3"])
def test_a_senseless_override_is_refused(override: str) -> None:
    with pytest.raises(TaskError, match="--set"):
        load_task("gsm8k", overrides=[override])


def test_an_unknown_task_shows_near_ones(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'gsm8k'"):
        load_task("gsm8")
    with pytest.raises(TaskError, match="does not exist"):
        load_task(tmp_path / "missing.yaml")
    with pytest.raises(TaskError, match="is a folder"):
        load_task(tmp_path)


def test_the_hash_follows_content_and_not_comments(make_task: MakeTask, tmp_path: Path) -> None:
    first = make_task(GOOD).hash
    assert make_task("# a remark\n" + GOOD).hash == first
    assert make_task(GOOD + "\ncombine: min").hash != first
    code = "rewards: {correct: {use: 'mine.py:f'}}"
    (tmp_path / "mine.py").write_text("f = 1")
    before = make_task(code).hash
    (tmp_path / "mine.py").write_text("f = 2")
    assert make_task(code).hash != before


def test_weights_step_and_ramp_over_training() -> None:
    steps = RewardEntry(use="x", weight={0: 0.0, 100: 1.0, 200: 3.0})
    assert [steps.weight_at(s) for s in (0, 99, 100, 150, 200, 999, None)] == [0, 0, 1, 1, 3, 3, 3]
    ramp = RewardEntry(use="x", weight={0: 0.0, 100: 1.0}, ramp=True)
    assert [ramp.weight_at(s) for s in (0, 25, 100, 500, None)] == [0, 0.25, 1, 1, 1]


def test_watch_takes_short_forms(make_task: MakeTask) -> None:
    for short in ("watch: boxed", "watch: [boxed]", "watch: {boxed: boxed}", "watch: {boxed: {use: boxed}}"):
        assert make_task(f"{GOOD}\n{short}").watch["boxed"].use == "boxed"


@pytest.mark.parametrize("name", sorted(shipped_tasks()))
def test_shipped_tasks_load(name: str) -> None:
    task = load_task(name)
    assert task.name == name
    assert task.description
