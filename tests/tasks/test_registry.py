"""Names: built in, decorated, of installed plugins; unknown ones show the nearest."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from markscheme.rewards import MarkScheme
from markscheme.sandbox import TaskError
from markscheme.tasks import Completion, Problem, load_problems
from support import MakeTask

PLUGIN = """
from markscheme.rewards import reward
from markscheme.verifiers import verifier

@reward("plugged_reward")
def pays(problem, completion, *, much: float = 0.5) -> float:
    return much

@verifier("plugged_verifier")
def tells(problem, completion) -> bool:
    return completion.text == problem.reference

class Counting:
    def __init__(self, *, to: int = 3):
        self.to = to
    def problems(self, seed, split):
        for i in range(self.to):
            yield {"prompt": f"{i}", "reference": f"{i}"}
"""
POINTS = """
[markscheme.rewards]
plugged_reward = some_plugin:pays
broken_plugin = some_plugin:gone
[markscheme.verifiers]
plugged_verifier = some_plugin:tells
[markscheme.generators]
counting = some_plugin:Counting
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package as pip leaves it: a module, and metadata with entry points."""
    site = tmp_path / "site"
    info = site / "some_plugin-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "some_plugin.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: some-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(POINTS)
    monkeypatch.syspath_prepend(str(site))
    yield
    sys.modules.pop("some_plugin", None)
    from markscheme.rewards.composition.registry import REWARDS
    from markscheme.verifiers.verdict import VERIFIERS

    REWARDS.decorated.pop("plugged_reward", None)
    VERIFIERS.decorated.pop("plugged_verifier", None)


def test_plugins_are_loaded_only_when_a_name_is_unknown(plugin: None, make_task: MakeTask) -> None:
    MarkScheme(make_task("rewards: {a: {use: answer}}"))
    assert "some_plugin" not in sys.modules
    task = make_task("rewards: {a: {use: plugged_reward, much: 0.75}, b: {use: plugged_verifier}}")
    score = MarkScheme(task).score([Problem(prompt="q", reference="x")], [Completion("x")])[0]
    assert score.value == 1.75


def test_generators_come_from_plugins_too(plugin: None, make_task: MakeTask) -> None:
    task = make_task("data: {generator: counting, to: 2, limit: 9}\nrewards: {a: {use: answer}}")
    assert [problem.prompt for problem in load_problems(task)] == ["0", "1"]


def test_a_plugin_that_does_not_load_is_told(plugin: None, make_task: MakeTask) -> None:
    with pytest.raises(TaskError, match=r"plugin 'broken_plugin' \(some_plugin:gone\) cannot be imported"):
        MarkScheme(make_task("rewards: {a: {use: broken_plugin}}"))


def test_plugins_names_are_among_the_near_ones(plugin: None, make_task: MakeTask) -> None:
    with pytest.raises(TaskError, match="did you mean 'plugged_reward'"):
        MarkScheme(make_task("rewards: {a: {use: plugged_rewrd}}"))
