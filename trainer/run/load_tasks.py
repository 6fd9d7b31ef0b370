"""Loading a run's tasks before there is a model: schemes, training problems and held-out problems."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...rewards.scheme import MarkScheme, ReferenceCheck
from ...sandbox.errors import RunError, TaskError
from ...tasks.load_problems import load_problems, without_overlap
from ...tasks.load_task import load_task
from ...tasks.problem import Problem
from ...tasks.schema import Task
from ..config.run_config import EvalConfig, RunConfig
from ..loop.rollout import LoadedTask
from ..models.policy import Policy
from ..models.prompts import EncodedPrompts


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


@dataclass(frozen=True)
class RunTasks:
    """The tasks on which a run trains, and those on which it is evaluated."""

    trained: dict[str, TaskProblems]
    """By the task's name or file, as the run file has it."""
    held_out: list[tuple[EvalConfig, TaskProblems]]
    """In the order of the run file's `eval:`."""

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
    trained = {name: _trained(task, schemes[name], evaluated) for name, task in tasks.items()}
    return RunTasks(trained, held_out)


def _load(name: str, config: RunConfig, allow_code: bool) -> Task:
    return load_task(name, overrides=config.task_overrides, allow_code=allow_code)


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


def _trained(task: Task, scheme: MarkScheme, held_out: Sequence[Problem]) -> TaskProblems:
    check = ReferenceCheck(scheme)
    problems = without_overlap(load_problems(task, each=check), held_out)
    if not problems:
        raise RunError(
            f"task {task.name!r}: there is nothing to train on, because every training problem is also held"
            " out for an evaluation; evaluate on another split"
        )
    check.finish()
    return TaskProblems(task, scheme, problems)


def described(tasks: Sequence[LoadedTask]) -> dict[str, Any]:
    """Return the content of tasks.json: for each task its hash, and the task with every default filled in."""
    return {
        loaded.task.name: {"hash": loaded.lineage.task_hash, "task": loaded.task.model_dump(mode="json")}
        for loaded in tasks
    }
