"""Task files: the keys that are accepted, and errors that name the place and the remedy."""

from pathlib import Path

import pytest

from markscheme.sandbox import TaskError, UnknownNameError
from markscheme.tasks import load_task
from markscheme.tasks.load_task import shipped_tasks
from markscheme.tasks.reward_entries import RewardEntry
from markscheme.tasks.yaml_file import parse_yaml
from support import MakeTask

REWARDS = "rewards: {correct: {use: answer}}"

MISTAKES = [
    # text of a task whose first lines are name and data, parts of the message
    ("rewrads: {correct: {use: answer}}", ["task.yaml:3: rewrads", "unknown key", "did you mean 'rewards'", "rewards: is missing"]),
    ("rewards: {correct: {weight: 1}}", ["task.yaml:3: rewards.correct.use: is missing"]),
    ("rewards: {}", ["task.yaml:3: rewards", "at least 1"]),
    ("rewards: {correct: {use: answer, weight: heavy}}", ["rewards.correct.weight", "'heavy'"]),
    ("rewards: {correct: {use: answer, weight: {5: 1}}}", ["starts at step 0"]),
    ("rewards: {correct: {use: answer, weight: .inf}}", ["finite"]),
    ("rewards: {correct: {use: answer, clip: [1, 0]}}", ["[lowest, highest]"]),
    ("rewards: {correct: {use: answer, on_failure: {timeot: 0}}}", ["timeot", "allowed", "timeout"]),
    ("rewards: {correct: {use: answer, on_failure: {timeout: skip}}}", ["on_failure.timeout"]),
    (REWARDS + "\ncombine: mean", ["task.yaml:4: combine", "'sum'"]),
    (REWARDS + "\nproblem: {promt: x}", ["task.yaml:4: problem.promt", "did you mean 'prompt'"]),
    (REWARDS + "\nproblem: {prompt: 3}", ["problem.prompt", "template"]),
    ("data: {path: a, generator: b}\n" + REWARDS, ["exactly one of `path` and `generator`"]),
    ("data: {path: a, spilt: b}\n" + REWARDS, ["unknown key 'spilt'", "did you mean 'split'"]),
    ("data: {generator: addition}\n" + REWARDS, ["a generator needs a `limit`"]),
    ("data: {path: a, streaming: true}\n" + REWARDS, ["streaming needs a `limit`"]),
    ("data: {path: a, held_out: 1.5}\n" + REWARDS, ["data.held_out", "less than 1"]),
    (REWARDS + "\nwatch: {correct: {use: boxed}}", ["under `rewards` and under `watch`"]),
    ("name: 'two words'\n" + REWARDS, ["task.yaml", "name"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "parts"), MISTAKES)
def test_the_error_of_a_mistake_names_its_place_and_a_remedy(
    make_task: MakeTask, text: str, parts: list[str]
) -> None:
    with pytest.raises(TaskError) as caught:
        make_task(text)
    for part in parts:
        assert part in str(caught.value)


def test_all_mistakes_are_reported_at_once(make_task: MakeTask) -> None:
    with pytest.raises(TaskError) as caught:
        make_task("rewards: {a: {weight: x}}\ncombine: mean\nextra: 1")
    assert len(str(caught.value).splitlines()) == 4  # weight, the missing use, combine, extra


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: [", "not valid YAML"),
        ("- a\n- b", "expected a mapping"),
        ("a: 1\na: 2", "given twice (first in line 1)"),
        ("a: {b: 1, b: 2}", "a.b is given twice"),
        ("prompt: {{ question }}", "quote a template"),
    ],
)
def test_broken_yaml_is_an_error(text: str, message: str) -> None:
    with pytest.raises(TaskError, match="<task>") as caught:
        parse_yaml(text)
    assert message in str(caught.value)


def test_yaml_is_read_as_a_person_means_it() -> None:
    """YAML 1.1 would read `yes` and `on` as booleans, and `1e-4` as text."""
    data = parse_yaml("a: yes\nb: on\nc: 1e-4\nd: true\ne: 1.5\nf: 10").data
    assert data == {"a": "yes", "b": "on", "c": 1e-4, "d": True, "e": 1.5, "f": 10}


def test_overrides_replace_what_the_file_says() -> None:
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
def test_an_override_that_makes_no_sense_is_refused(override: str) -> None:
    with pytest.raises(TaskError, match="--set"):
        load_task("gsm8k", overrides=[override])


def test_an_unknown_task_is_an_error_that_suggests_a_name(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'gsm8k'"):
        load_task("gsm8")
    with pytest.raises(TaskError, match="does not exist"):
        load_task(tmp_path / "missing.yaml")
    with pytest.raises(TaskError, match="is a folder"):
        load_task(tmp_path)


def test_the_hash_depends_on_content_and_code_but_not_on_comments(
    make_task: MakeTask, tmp_path: Path
) -> None:
    first = make_task(REWARDS).hash
    assert make_task("# a remark\n" + REWARDS).hash == first
    assert make_task(REWARDS + "\ncombine: min").hash != first
    with_code = "rewards: {correct: {use: 'mine.py:f'}}"
    (tmp_path / "mine.py").write_text("f = 1")
    before = make_task(with_code).hash
    (tmp_path / "mine.py").write_text("f = 2")
    assert make_task(with_code).hash != before


def test_a_task_keeps_the_hash_that_it_had_before_later_sections(make_task: MakeTask) -> None:
    """So that runs which were started with an earlier version can still be resumed."""
    task = make_task(REWARDS)
    assert (task.process, task.sandbox) == (None, None)
    assert task.hash == "c1578cf691b69c1328d1cd91419ee7ab519c63169c098d252345362c4d678add"
    assert make_task(REWARDS + "\nprocess: {use: step_scores}").hash != task.hash


def test_weights_step_and_ramp_over_training() -> None:
    stepped = RewardEntry(use="x", weight={0: 0.0, 100: 1.0, 200: 3.0})
    assert [stepped.weight_at(step) for step in (0, 99, 100, 150, 200, 999, None)] == [0, 0, 1, 1, 3, 3, 3]
    ramped = RewardEntry(use="x", weight={0: 0.0, 100: 1.0}, ramp=True)
    assert [ramped.weight_at(step) for step in (0, 25, 100, 500, None)] == [0, 0.25, 1, 1, 1]


def test_watch_has_short_forms(make_task: MakeTask) -> None:
    for short in ("watch: boxed", "watch: [boxed]", "watch: {boxed: boxed}", "watch: {boxed: {use: boxed}}"):
        assert make_task(f"{REWARDS}\n{short}").watch["boxed"].use == "boxed"


@pytest.mark.parametrize("name", sorted(shipped_tasks()))
def test_shipped_tasks_load(name: str) -> None:
    task = load_task(name)
    assert task.name == name
    assert task.description
