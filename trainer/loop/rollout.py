"""Problems in, scored groups out: what one step samples."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from random import Random

from ...rewards.scheme import MarkScheme
from ...rewards.score import Score
from ...tasks.problem import Completion, Problem
from ...tasks.schema import Task
from ..config.run_config import SamplingConfig
from ..engines.base import Engine
from ..models.policy import EncodedPrompt


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
    """Whether a group teaches nothing: its known rewards are all equal, and the marks of its steps are."""
    scores = [score for score in group.scores if score.value is not None]
    marks = {mark.value for score in scores for mark in score.steps or () if mark.value is not None}
    return len({score.value for score in scores}) < 2 and len(marks) < 2


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


def scored_groups(
    engine: Engine,
    tasks: Mapping[str, LoadedTask],
    taken: Sequence[tuple[str, int]],
    group_size: int,
    sampling: SamplingConfig,
    *,
    seed: int,
    step: int | None,
) -> tuple[list[Group], float]:
    """Sample a group for each (task, index) pair, all in one call of the engine, and score them.

    A group is scored as soon as it is whole, in a thread beside the sampling of the others. Each is
    scored by itself, so its scores do not depend on which one was ready first.

    Returns:
        The groups, in the order asked for; the seconds that scoring went on after the last sample.
    """
    prompts = [tasks[name].prompts[index] for name, index in taken]
    groups: dict[int, Group] = {}
    with ThreadPoolExecutor(1, thread_name_prefix="scoring") as executor:
        scoring: list[Future[None]] = []
        try:
            for place, completions in engine.generate(prompts, group_size, sampling, seed=seed):
                name, index = taken[place]
                groups[place] = Group(name, tasks[name].problems[index], completions)
                scoring.append(executor.submit(_score, tasks[name].scheme, groups[place], step))
            sampled = time.perf_counter()
            for future in scoring:
                future.result()
        finally:
            executor.shutdown(wait=True, cancel_futures=True)
    return [groups[place] for place in range(len(taken))], time.perf_counter() - sampled


def _score(scheme: MarkScheme, group: Group, step: int | None) -> None:
    group.scores = scheme.score([group.problem] * len(group.completions), group.completions, step=step)
