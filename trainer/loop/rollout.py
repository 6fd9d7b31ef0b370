"""The sampling half of a training step: choose problems, sample a group for each, score the groups."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from random import Random

from ...rewards.lineage import lineage_of
from ...rewards.rows.scores import Lineage
from ...rewards.scheme import MarkScheme
from ...rewards.score import Score
from ...tasks.problem import Completion, Problem
from ...tasks.schema import Task
from ..config.run_config import SamplingConfig
from ..engines.base import Engine
from ..models.policy import EncodedPrompt


@dataclass
class LoadedTask:
    """A task that is ready to be sampled from: its scheme is built, its problems loaded and encoded."""

    task: Task
    scheme: MarkScheme
    problems: Sequence[Problem]
    prompts: Sequence[EncodedPrompt]
    """One per problem, in the same order."""
    share: float = 1.0
    """Weight with which the groups of a step are drawn from this task, relative to the others'; above 0."""

    @cached_property
    def lineage(self) -> Lineage:
        """What the scheme's marks come from, when it is first asked for: at the start of a run."""
        return lineage_of(self.scheme)


@dataclass
class Group:
    """The completions of one problem, with their scores."""

    task: str
    problem: Problem
    completions: list[Completion]
    scores: list[Score] = field(default_factory=list)
    """One per completion; empty until the group is scored."""

    @property
    def rewards(self) -> list[float]:
        """One per completion; NaN where the row is left out."""
        return [float("nan") if score.value is None else score.value for score in self.scores]


def group_is_flat(group: Group) -> bool:
    """Return whether the known rewards of a group are all equal, and the known marks of its steps too.

    Rows that are left out do not count; values are compared exactly. The outcome advantages of a flat group
    are all 0. Its gradient need not be: there may be a KL, and under `credit: clip` equal low marks cost more
    in a completion with more steps. Conversely, a group in which only the marks differ is not flat, but has a
    gradient in process mode only.
    """
    scores = [score for score in group.scores if score.value is not None]
    marks = {mark.value for score in scores for mark in score.steps or () if mark.value is not None}
    return len({score.value for score in scores}) < 2 and len(marks) < 2


def is_unanimous(group: Group, loaded: LoadedTask) -> bool:
    """Return whether no two completions of a group are known to differ in being right."""
    marks = {loaded.scheme.is_right(score) for score in group.scores}
    return not {True, False} <= marks


class ProblemOrder:
    """The order in which a run goes through its problems.

    It depends on nothing but the seed, the step's number and `cursors`, so a resumed run continues with the
    problems that it would have had. A step draws the tasks of its groups at random by their shares, and takes
    the next problems of each. A task's problems are shuffled anew for each pass over them.
    """

    def __init__(self, tasks: Mapping[str, LoadedTask], seed: int, cursors: Mapping[str, int] | None = None):
        self.tasks, self.seed = tasks, seed
        self.cursors = {name: (cursors or {}).get(name, 0) for name in tasks}
        """How many problems have been taken from each task so far; a checkpoint saves this."""
        self._orders: dict[tuple[str, int], list[int]] = {}

    def take(self, count: int, step: int) -> list[tuple[str, int]]:
        """Return the next `count` (task name, problem index) pairs, and advance the cursors."""
        names = list(self.tasks)
        shares = [loaded.share for loaded in self.tasks.values()]
        taken = []
        for name in Random(f"tasks/{self.seed}/{step}").choices(names, shares, k=count):
            epoch, position = divmod(self.cursors[name], len(self.tasks[name].problems))
            taken.append((name, self._order(name, epoch)[position]))
            self.cursors[name] += 1
        return taken

    def _order(self, name: str, epoch: int) -> list[int]:
        """Return the shuffled problem indices of one pass over a task; only its newest pass is cached."""
        if (name, epoch) not in self._orders:
            order = list(range(len(self.tasks[name].problems)))
            Random(f"order/{self.seed}/{name}/{epoch}").shuffle(order)
            self._orders = {key: old for key, old in self._orders.items() if key[0] != name}
            self._orders[name, epoch] = order
        return self._orders[name, epoch]


def scored_groups(
    engine: Engine,
    tasks: Mapping[str, LoadedTask],
    chosen: Sequence[tuple[str, int]],
    group_size: int,
    sampling: SamplingConfig,
    *,
    seed: int,
    step: int | None,
) -> tuple[list[Group], float]:
    """Sample and score a group for each (task name, problem index) pair.

    The engine samples all groups in one call. Each group is scored as soon as it is complete, in a thread
    beside the sampling of the others, and by itself, so that its scores do not depend on the other groups.

    Returns:
        The groups in the order of `chosen`, and the seconds that scoring took after the last sample.
    """
    prompts = [tasks[name].prompts[index] for name, index in chosen]
    groups: dict[int, Group] = {}
    with ThreadPoolExecutor(1, thread_name_prefix="scoring") as executor:
        scoring: list[Future[None]] = []
        try:
            for i, completions in engine.generate(prompts, group_size, sampling, seed=seed):
                name, index = chosen[i]
                groups[i] = Group(name, tasks[name].problems[index], completions)
                scoring.append(executor.submit(_score, tasks[name].scheme, groups[i], step))
            sampled = time.perf_counter()
            for future in scoring:
                future.result()
        finally:
            executor.shutdown(wait=True, cancel_futures=True)
    return [groups[i] for i in range(len(chosen))], time.perf_counter() - sampled


def _score(scheme: MarkScheme, group: Group, step: int | None) -> None:
    group.scores = scheme.score([group.problem] * len(group.completions), group.completions, step=step)
