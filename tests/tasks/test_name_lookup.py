"""Names from installed plugins: loaded when a task uses them, and suggested for a name that is misspelt."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from markscheme.rewards import MarkScheme
from markscheme.rewards.composition.reward_functions import REWARDS
from markscheme.sandbox import TaskError
from markscheme.tasks import Completion, Problem, load_problems
from markscheme.verifiers.verdict import VERIFIERS
from support import MakeTask, score_one

PLUGIN_CODE = """
from markscheme.rewards import reward
from markscheme.verifiers import verifier

@reward("plugged_reward")
def constant(problem, completion, *, value: float = 0.5) -> float:
    return value

@verifier("plugged_verifier")
def same_text(problem, completion) -> bool:
    return completion.text == problem.reference

class Counting:
    def __init__(self, *, to: int = 3):
        self.to = to
    def problems(self, seed, split):
        for i in range(self.to):
            yield {"prompt": f"{i}", "reference": f"{i}"}
"""
ENTRY_POINTS = """
[markscheme.rewards]
plugged_reward = some_plugin:constant
broken_plugin = some_plugin:gone
[markscheme.verifiers]
plugged_verifier = some_plugin:same_text
[markscheme.generators]
counting = some_plugin:Counting
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install a plugin as pip would: a module, and metadata with entry points."""
    site = tmp_path / "site"
    info = site / "some_plugin-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "some_plugin.py").write_text(PLUGIN_CODE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: some-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(site))
    yield
    sys.modules.pop("some_plugin", None)
    REWARDS.decorated.pop("plugged_reward", None)
    VERIFIERS.decorated.pop("plugged_verifier", None)


def test_plugins_are_loaded_only_for_a_name_that_is_unknown_without_them(
    plugin: None, make_task: MakeTask
) -> None:
    MarkScheme(make_task("rewards: {a: {use: answer}}"))
    assert "some_plugin" not in sys.modules
    task = make_task("rewards: {a: {use: plugged_reward, value: 0.75}, b: {use: plugged_verifier}}")
    assert score_one(task, Completion("x"), Problem(prompt="q", reference="x")).value == 1.75


def test_generators_come_from_plugins_too(plugin: None, make_task: MakeTask) -> None:
    task = make_task("data: {generator: counting, to: 2, limit: 9}\nrewards: {a: {use: answer}}")
    assert [problem.prompt for problem in load_problems(task)] == ["0", "1"]


def test_a_plugin_that_cannot_be_imported_is_an_error(plugin: None, make_task: MakeTask) -> None:
    with pytest.raises(TaskError, match=r"plugin 'broken_plugin' \(some_plugin:gone\) cannot be imported"):
        MarkScheme(make_task("rewards: {a: {use: broken_plugin}}"))


def test_names_of_plugins_are_suggested(plugin: None, make_task: MakeTask) -> None:
    with pytest.raises(TaskError, match="did you mean 'plugged_reward'"):
        MarkScheme(make_task("rewards: {a: {use: plugged_rewrd}}"))
