"""What a reward model learns from in a run: rows of the policy's scored groups, and of earlier files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...rewards.composition.entries import Entry
from ...rewards.rows.labelled_steps import read_labelled
from ...rewards.rows.preferences import read_preferences
from ...rewards.scheme import MarkScheme
from ...sandbox.errors import MarkschemeError, TaskError
from ...tasks.problem import asked_in
from ...tasks.reward_entries import PROCESS, ProcessEntry, RewardEntry
from ...tasks.schema import Task
from ...verifiers.steps.split import SplitPolicy, split_policy
from ..config.reward_model_config import RewardModelConfig
from ..config.run_config import RunConfig
from ..engines.base import Engine
from ..loop.rollout import Group, LoadedTask
from ..models.policy import Policy
from ..reward_models.held_out import is_held_out
from ..reward_models.pairs import PairOptions, judged_group, pairs_of
from ..reward_models.step_labels import chain_of, monte_carlo, monte_carlo_row, rule_rows

Row = dict[str, Any]


class RowMaker:
    """Makes rows of the replay buffer from scored groups: pairs, or completions with labelled steps.

    Args:
        config: the run's, with a `reward_model:`.
        entry: the entry whose model learns.
        tasks: the groups' tasks, by name.
        engine: samples continuations where steps are labelled by them.
        policy: the model from which the engine samples.
    """

    def __init__(
        self,
        config: RunConfig,
        entry: Entry,
        tasks: Mapping[str, LoadedTask],
        engine: Engine,
        policy: Policy,
    ):
        assert config.reward_model is not None
        self._config, self._settings, self._tasks = config, config.reward_model, tasks
        self._engine, self._policy = engine, policy
        self._options = PairOptions(unanswered=True, held_out=0.0, seed=config.seed)
        self._split = None if entry.steps is None else split_policy(entry.steps.split)
        self._judges = {}
        if entry.steps is not None:
            self._judges = {
                name: scheme_of_labels(loaded.scheme, self._settings) for name, loaded in tasks.items()
            }

    def rows(self, groups: Sequence[Group], *, iteration: int, split: str, seed: int) -> list[Row]:
        """Return the rows of some groups; `seed` is that of the continuations."""
        if self._split is None:
            rows = [row for group in groups for row in self._pairs(group, iteration)]
        else:
            tasks = dict.fromkeys(group.task for group in groups)
            rows = [row for name in tasks for row in self._steps(name, groups, self._split, seed)]
        return [{**row, "iteration": iteration, "split": split} for row in rows]

    def _pairs(self, group: Group, iteration: int) -> list[Row]:
        judged = judged_group(group, self._tasks[group.task], self._options)
        problem = group.problem
        pairs = pairs_of(judged, problem.prompt, problem.id, self._options, iteration=iteration)
        return [pair.row() for pair in pairs]

    def _steps(self, task: str, groups: Sequence[Group], split: SplitPolicy, seed: int) -> list[Row]:
        """Return labelled rows of the groups of one task."""
        answers = [
            (group.problem, completion)
            for group in groups
            if group.task == task
            for completion in group.completions
            if completion.text.strip()
        ]
        judge = self._judges[task]
        if isinstance(self._settings.labels, dict):
            problems = [problem for problem, _ in answers]
            questions = [asked_in(problem.prompt) for problem in problems]
            rows = rule_rows(judge, problems, [completion for _, completion in answers], questions)
        else:
            chains = [chain_of(*answer, self._policy, split) for answer in answers]
            chains = [chain for chain in chains if chain.steps]
            k, sampling = self._settings.k, self._config.sampling
            monte_carlo(chains, k, self._engine, self._policy, judge, sampling, seed=seed)
            rows = [monte_carlo_row(chain, asked_in(chain.problem.prompt)) for chain in chains]
        return [row for row in rows if row["completions"]]


def scheme_of_labels(scheme: MarkScheme, settings: RewardModelConfig) -> MarkScheme:
    """Return the scheme that labels steps: by the rule of `labels`, or by whether an answer is right.

    It scores by nothing else, since it has to judge every continuation of every step.

    Raises:
        TaskError: `labels` is not an entry that marks steps.
    """
    needed = {scheme.accuracy_entry or ""}
    if not isinstance(settings.labels, dict):
        return MarkScheme(_only(scheme.task, needed), process=False)
    try:
        process = ProcessEntry.model_validate(settings.labels)
        task = _only(scheme.task, {*needed, process.use})
        return MarkScheme(task.model_copy(update={PROCESS: process}))
    except (MarkschemeError, ValueError) as error:
        raise TaskError(f"reward_model.labels {settings.labels}: {error}") from error


def _only(task: Task, names: set[str]) -> Task:
    """Return a task with some of its entries, and those to which these refer."""
    declared = {**task.rewards, **task.watch}
    needed, found = set(names), set()
    while needed:
        name = needed.pop()
        if name in declared and name not in found:
            found.add(name)
            needed |= _referred(declared[name])
    sections = {"rewards": task.rewards, "watch": task.watch}
    return task.model_copy(
        update={
            section: {name: entry for name, entry in own.items() if name in found}
            for section, own in sections.items()
        }
    )


def _referred(entry: RewardEntry) -> set[str]:
    """Return the names of entries that an entry's gate and members may be."""
    gate = {entry.when} if isinstance(entry.when, str) else set()
    members = [{member} if isinstance(member, str) else _referred(member) for member in entry.of]
    return gate.union(*members)


def read_history(settings: RewardModelConfig, entry: Entry) -> list[Row]:
    """Return earlier pairs or labelled steps as rows of iteration 0, held out by the rule of this run.

    Raises:
        DataError: the file is missing, empty, or has rows of another kind.
    """
    if settings.history is None:
        return []
    path = Path(settings.history)
    if entry.steps is None:
        rows = [pair.row() for pair in read_preferences(path)]
    else:
        rows = [
            {"prompt": row.prompt, "completions": row.steps, "labels": row.labels}
            for row in read_labelled(path)
        ]
    held = [is_held_out(row["prompt"], settings.held_out) for row in rows]
    return [
        {**row, "iteration": 0, "split": "held" if is_held else "train"}
        for row, is_held in zip(rows, held, strict=True)
    ]
