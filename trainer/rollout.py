"""Problems in, scored groups out: what one step samples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from ..rewards.scheme import MarkScheme
from ..rewards.score import Score
from ..tasks.problem import Completion, Problem
from ..tasks.schema import Task
from .config import SamplingConfig
from .hf_engine import HfEngine
from .policy import EncodedPrompt


@dataclass
class LoadedTask:
    """A task with all that a run needs of it."""

    task: Task
    scheme: MarkScheme
    problems: Sequence[Problem]
    prompts: Sequence[EncodedPrompt]
    share: float = 1.0
    """Its share of the groups of a step."""
    hash: str = ""
    """Of the task, as it was when the run began."""


@dataclass
class Group:
    """The completions of one problem, with their scores."""

    task: str
    problem: Problem
    completions: list[Completion]
    scores: list[Score] = field(default_factory=list)

    @property
    def rewards(self) -> list[float]:
        """One a completion; NaN where the row is left out."""
        return [float("nan") if score.value is None else score.value for score in self.scores]


def group_is_flat(group: Group) -> bool:
    """Whether a group teaches nothing: fewer than two known rewards, or all equal."""
    known = {score.value for score in group.scores if score.value is not None}
    return len(known) < 2


class ProblemOrder:
    """Which problems come when: a function of the seed and of how many each task gave so far."""

    def __init__(self, tasks: Mapping[str, LoadedTask], seed: int, cursors: Mapping[str, int] | None = None):
        self.tasks, self.seed = tasks, seed
        self.cursors = {name: (cursors or {}).get(name, 0) for name in tasks}
        """Problems taken of each task: all that a checkpoint needs."""
        self._orders: dict[tuple[str, int], list[int]] = {}

    def take(self, count: int, step: int) -> list[tuple[str, int]]:
        """Return `count` (task, index) pairs: tasks by their shares, each one's problems in turn."""
        names, shares = list(self.tasks), [loaded.share for loaded in self.tasks.values()]
        drawn = Random(f"tasks/{self.seed}/{step}").choices(names, shares, k=count)
        taken = []
        for name in drawn:
            epoch, place = divmod(self.cursors[name], len(self.tasks[name].problems))
            taken.append((name, self._order(name, epoch)[place]))
            self.cursors[name] += 1
        return taken

    def _order(self, name: str, epoch: int) -> list[int]:
        if (name, epoch) not in self._orders:
            order = list(range(len(self.tasks[name].problems)))
            Random(f"order/{self.seed}/{name}/{epoch}").shuffle(order)
            self._orders = {key: old for key, old in self._orders.items() if key[0] != name}
            self._orders[name, epoch] = order
        return self._orders[name, epoch]


def sample_groups(
    engine: HfEngine, tasks: Mapping[str, LoadedTask], taken: Sequence[tuple[str, int]], group_size: int,
    sampling: SamplingConfig, *, seed: int,
) -> list[Group]:  # fmt: skip
    """Sample a group for each (task, index) pair, all in one call of the engine."""
    prompts = [tasks[name].prompts[index] for name, index in taken]
    sampled = engine.generate(prompts, group_size, sampling, seed=seed)
    return [
        Group(name, tasks[name].problems[index], completions)
        for (name, index), completions in zip(taken, sampled, strict=True)
    ]


def score_groups(tasks: Mapping[str, LoadedTask], groups: Sequence[Group], *, step: int | None) -> None:
    """Score every group in place, all of a task's completions in one call."""
    for name, loaded in tasks.items():
        mine = [group for group in groups if group.task == name]
        problems = [group.problem for group in mine for _ in group.completions]
        scores = iter(loaded.scheme.score(problems, [c for g in mine for c in g.completions], step=step))
        for group in mine:
            group.scores = [next(scores) for _ in group.completions]
