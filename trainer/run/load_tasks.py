"""Loading a run's tasks before there is a model: schemes, training problems and held-out problems."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from ...rewards.scheme import MarkScheme, ReferenceCheck
from ...sandbox.errors import RunError, TaskError
from ...tasks.load_problems import load_problems, without, without_overlap
from ...tasks.load_task import load_task
from ...tasks.problem import Problem
from ...tasks.reward_entries import RewardEntry
from ...tasks.schema import Task
from ..config.reward_model_config import RewardModelConfig
from ..config.run_config import EvalConfig, RunConfig
from ..iterations.new_rows import read_history, scheme_of_labels
from ..loop.rollout import LoadedTask
from ..models.policy import Policy
from ..models.prompts import EncodedPrompts
from ..reward_models.held_out import is_held_out
from ..reward_models.trainees import check_trainee

EntryT = TypeVar("EntryT", bound=RewardEntry)
MODEL_REWARDS = ("rm", "prm", "judge")
"""The rewards that ask a model."""


@dataclass(frozen=True)
class TaskProblems:
    """A task with its scheme and the problems of one split, not yet encoded for a policy."""

    task: Task
    scheme: MarkScheme
    problems: Sequence[Problem]

    def encoded(self, policy: Policy, max_new_tokens: int, share: float = 1.0) -> LoadedTask:
        """Return the task with its prompts as the policy's token ids.

        Raises:
            PolicyError: the policy cannot read a prompt, or a prompt leaves no room for `max_new_tokens`.
        """
        prompts = EncodedPrompts(policy, self.task, self.problems, max_new_tokens)
        prompts.check()
        return LoadedTask(self.task, self.scheme, self.problems, prompts, share)

    def without_long_prompts(
        self, policy: Policy, max_new_tokens: int, note: Callable[[str], None]
    ) -> "TaskProblems":
        """Return the task without the problems whose prompt leaves no room for `max_new_tokens`.

        Raises:
            RunError: none is left.
        """
        prompts = EncodedPrompts(policy, self.task, self.problems, max_new_tokens)
        dropped = {index for index, _ in prompts.too_long()}
        if not dropped:
            return self
        said = (
            f"{len(dropped)} of {len(self.problems)} problems of {self.task.name!r} are dropped: their"
            f" prompts and {max_new_tokens} new tokens exceed the context of {policy.context} tokens"
        )
        if len(dropped) == len(self.problems):
            raise RunError(f"{said}; lower sampling.max_new_tokens")
        note(said)
        return replace(self, problems=without(self.problems, dropped))


@dataclass(frozen=True)
class RunTasks:
    """The tasks on which a run trains, and those on which it is evaluated."""

    trained: dict[str, TaskProblems]
    """By the task's name or file, as the run file has it."""
    held_out: list[tuple[EvalConfig, TaskProblems]]
    """In the order of the run file's `eval:`."""
    guarding: dict[str, TaskProblems]
    """By task name: the prompts that the run's `reward_model:` holds out; empty if it has none."""
    data: dict[str, dict[str, Any]]
    """For each of `trained`, how many problems its data has, and a hash of them in their order."""

    @property
    def first(self) -> Task:
        """The first training task; the `tiny` policy is built for it."""
        return next(iter(self.trained.values())).task


def load_run_tasks(config: RunConfig, allow_code: bool) -> RunTasks:
    """Load the tasks of a run, and drop training problems whose prompt is also held out.

    Args:
        config: the run's.
        allow_code: whether task files may name `module:attr` and `file.py:attr`.

    Raises:
        MarkschemeError: a mistake in a task, its data or its references.
    """
    tasks = {name: _load(name, config, allow_code) for name in config.tasks}
    _refuse_same_names(tasks)
    by_steps = config.algorithm.mode == "process"
    if by_steps:
        _refuse_without_process(tasks)
    schemes = {name: MarkScheme(task, process=by_steps) for name, task in tasks.items()}
    held_out = [(settings, _held_out(settings, config, tasks, allow_code)) for settings in config.eval]
    evaluated = [problem for _, split in held_out for problem in split.problems]
    trained, data = {}, {}
    for name, task in tasks.items():
        trained[name], data[name] = _trained(task, schemes[name], evaluated)
    guarding: dict[str, TaskProblems] = {}
    if config.reward_model is not None:
        _check_reward_model(config.reward_model, schemes)
        for name, problems in trained.items():
            trained[name], guarding[problems.task.name] = _set_aside(problems, config.reward_model)
    return RunTasks(trained, held_out, guarding, data)


def _load(name: str, config: RunConfig, allow_code: bool) -> Task:
    task = load_task(name, overrides=config.task_overrides, allow_code=allow_code)
    last = config.algorithm.model_rewards_last
    return task if last is None else _in_last_steps(task, config.algorithm.total_steps - last + 1)


def _in_last_steps(task: Task, first: int) -> Task:
    """Return a task whose entries that are judged by a model have weight 0 before the step `first`."""
    if first <= 1:
        return task
    rewards = {name: _from_step(entry, task, first) for name, entry in task.rewards.items()}
    process = None if task.process is None else _from_step(task.process, task, first)
    return task.model_copy(update={"rewards": rewards, "process": process})


def _from_step(entry: EntryT, task: Task, first: int) -> EntryT:
    if not _asks_a_model(entry, task):
        return entry
    later = {}
    if isinstance(entry.weight, dict):
        later = {step: value for step, value in entry.weight.items() if step > first}
    before = {0: 0.0, first - 1: 0.0} if entry.ramp else {0: 0.0}
    return entry.model_copy(update={"weight": {**before, first: entry.weight_at(first), **later}})


def _asks_a_model(entry: RewardEntry | str, task: Task) -> bool:
    if isinstance(entry, str):
        named = task.rewards.get(entry)
        return entry in MODEL_REWARDS if named is None else _asks_a_model(named, task)
    return entry.use in MODEL_REWARDS or any(_asks_a_model(member, task) for member in entry.of)


def _refuse_same_names(tasks: Mapping[str, Task]) -> None:
    seen: dict[str, str] = {}
    for given, task in tasks.items():
        if task.name in seen:
            raise TaskError(
                f"tasks: {seen[task.name]} and {given} have the same `name: {task.name}`; rename one"
            )
        seen[task.name] = given


def _refuse_without_process(tasks: Mapping[str, Task]) -> None:
    for given, task in tasks.items():
        if task.process is None:
            raise TaskError(
                f"algorithm.mode process: task {given!r} has no `process:`, which says what marks the steps;"
                " add a `process:` to the file, such as {use: step_checker, check: arithmetic}, or"
                " --set 'task.process={use: step_checker, check: arithmetic}'"
            )


def _held_out(
    settings: EvalConfig, config: RunConfig, tasks: Mapping[str, Task], allow_code: bool
) -> TaskProblems:
    task = tasks.get(settings.task) or _load(settings.task, config, allow_code)
    scheme = MarkScheme(task, process=False)
    check = ReferenceCheck(scheme)
    problems = load_problems(task, split=settings.split, limit=settings.limit, each=check)
    check.finish()
    return TaskProblems(task, scheme, problems)


def _trained(
    task: Task, scheme: MarkScheme, held_out: Sequence[Problem]
) -> tuple[TaskProblems, dict[str, Any]]:
    """Return a task with the problems to train on, and the number and the hash of all that its data has."""
    check, digest = ReferenceCheck(scheme), hashlib.sha256()

    def each(problem: Problem, place: str) -> None:
        check(problem, place)
        digest.update(json.dumps(problem.model_dump(), default=_described, sort_keys=True).encode())

    loaded = load_problems(task, each=each)
    problems = without_overlap(loaded, held_out)
    if not problems:
        raise RunError(
            f"task {task.name!r}: there is nothing to train on, because every training problem is also held"
            " out for an evaluation; evaluate on another split"
        )
    check.finish()
    data = {"problems": len(loaded), "hash": digest.hexdigest()}
    return TaskProblems(task, scheme, problems), data


def _described(value: Any) -> str:
    """Return a text for a value of a row that is not JSON, without the address that many objects show."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


def _check_reward_model(settings: RewardModelConfig, schemes: Mapping[str, MarkScheme]) -> None:
    """Check that the tasks have the entry whose model learns along, a verifier beside it, and more."""
    entries = []
    for given, scheme in schemes.items():
        entry = scheme.entries.get(settings.entry)
        if entry is None or entry.declared.use not in ("rm", "prm"):
            found = "has no such entry" if entry is None else f"has `use: {entry.declared.use}` there"
            raise TaskError(
                f"reward_model.entry {settings.entry!r}: task {given!r} {found}; name an entry that uses `rm`"
                f" or `prm` (entries: {', '.join(scheme.entries)}), or `process` in process mode"
            )
        if scheme.accuracy_entry in (None, settings.entry):
            raise TaskError(
                f"reward_model: task {given!r} has no verifier beside the model, so nothing would say which"
                " completions are right and nothing would guard the run; add one, such as `correct: {use:"
                " answer, weight: 0}`"
            )
        entries.append(entry)
        same = (entry.declared.use, entry.parameters, entry.steps)
        if same != (entries[0].declared.use, entries[0].parameters, entries[0].steps):
            raise TaskError(
                f"reward_model.entry {settings.entry!r}: task {given!r} uses it with another model or other"
                f" parameters than {next(iter(schemes))!r}, and only one model learns along; give both"
                " the same"
            )
        check_trainee(entry)
        if entry.steps is not None:
            scheme_of_labels(scheme, settings)
        elif settings.labels != "monte_carlo":
            raise TaskError(
                f"reward_model.labels {settings.labels} are labels of steps, and entry {settings.entry!r}"
                " is an outcome model, which learns from pairs; drop `labels`"
            )
    read_history(settings, entries[0])


def _set_aside(loaded: TaskProblems, settings: RewardModelConfig) -> tuple[TaskProblems, TaskProblems]:
    """Return a task without the prompts that the run holds out, and with some of these alone."""
    held = [problem for problem in loaded.problems if is_held_out(problem.prompt, settings.held_out)]
    kept = without_overlap(loaded.problems, held)
    if not held or not kept:
        raise RunError(
            f"task {loaded.task.name!r}: of {len(loaded.problems)} training prompts {len(held)} would be held"
            f" out (reward_model.held_out {settings.held_out}), and {len(kept)} kept; change the share"
        )
    return (
        replace(loaded, problems=kept),
        replace(loaded, problems=held[: settings.held_out_prompts]),
    )


def described(tasks: Sequence[LoadedTask]) -> dict[str, Any]:
    """Return the content of tasks.json: for each task its hash, and the task with every default filled in."""
    return {
        loaded.task.name: {"hash": loaded.lineage.task_hash, "task": loaded.task.model_dump(mode="json")}
        for loaded in tasks
    }
