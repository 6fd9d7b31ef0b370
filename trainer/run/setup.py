"""Everything that a run needs before its first step; nothing is written until all of it is there."""

import copy
import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import device as Device

from ...rewards.scheme import MarkScheme
from ...sandbox.errors import RunError, TaskError
from ...tasks.load import load_task
from ...tasks.problem import Problem
from ...tasks.problems import load_problems, without_overlap
from ...tasks.schema import Task
from ..config.run_config import EvalConfig, RunConfig
from ..engines.base import Engine
from ..engines.make import make_engine
from ..loop.learner import Learner
from ..loop.rollout import LoadedTask, ProblemOrder
from ..models.forward import choose_way
from ..models.lora import ADAPTER
from ..models.policy import Policy, choose_device, load_policy
from ..models.tiny import tiny_policy
from .checkpoint import checkpoints, load_state, restore_optimizer, save_model, write_whole
from .folder import RunFolder
from .monitor import Monitor
from .progress import Progress
from .trackers import Tracker, check_trackers, open_trackers


@dataclass
class Run:
    """A run under way."""

    config: RunConfig
    folder: RunFolder
    policy: Policy
    engine: Engine
    learner: Learner
    tasks: dict[str, LoadedTask]
    evals: list[tuple[EvalConfig, LoadedTask]]
    order: ProblemOrder
    monitor: Monitor
    progress: Progress
    trackers: list[Tracker] = field(default_factory=list)
    done: int = 0
    """The last finished step."""
    seconds: float = 0.0
    """Training time so far, evaluations left out."""

    def note(self, line: str) -> None:
        """Say something that changes what the run is, and keep it in notes.jsonl."""
        self.progress.say(line)
        self.folder.append("notes.jsonl", {"step": self.done, "note": line})


def set_up(config: RunConfig, folder: RunFolder, resume: bool, progress: Progress, allow_code: bool) -> Run:
    """Load tasks, policy, reference and what a checkpoint holds; create or rewind the folder last.

    Raises:
        MarkschemeError: anything that would make the run fail later.
    """
    device = choose_device(config.device)
    tasks = {
        name: load_task(name, overrides=config.task_overrides, allow_code=allow_code) for name in config.tasks
    }
    _names_differ(tasks)
    by_steps = config.algorithm.mode == "process"
    _need_process(tasks if by_steps else {})
    schemes = {name: MarkScheme(task, process=by_steps) for name, task in tasks.items()}
    held_out = _held_out(config, tasks, allow_code)
    evaluated = [problem for _, _, problems in held_out for problem in problems]
    trained = {name: _training_problems(task, schemes[name], evaluated) for name, task in tasks.items()}

    saved = checkpoints(folder.checkpoints)[-1] if resume else None
    policy = _policy(config, tasks, saved, device, progress)
    longest = config.sampling.max_new_tokens

    def loaded(task: Task, scheme: MarkScheme, problems: Sequence[Problem], share: float = 1.0) -> LoadedTask:
        prompts = [policy.encode(task, problem, max_new_tokens=longest) for problem in problems]
        return LoadedTask(task, scheme, problems, prompts, share, task.hash)

    ready = {
        tasks[name].name: loaded(tasks[name], schemes[name], trained[name], share)
        for name, share in config.tasks.items()
    }
    evals = [(wanted, loaded(scheme.task, scheme, problems)) for wanted, scheme, problems in held_out]
    state = load_state(saved) if saved else {}
    everything = {**{held.task.name: held for _, held in evals}, **ready}
    described = {n: {"hash": t.hash, "task": t.task.model_dump(mode="json")} for n, t in everything.items()}
    way, why = choose_way(policy)
    learner = Learner(policy, _reference(config, folder, policy, saved is not None), config, way)
    if why:
        policy.notes.append(f"prompts are computed with every completion in the update: {why}")
    check_trackers(config.trackers)
    engine = make_engine(config.engine, policy)
    with ExitStack() as undo:
        undo.callback(engine.close)
        engine.sync(policy, state.get("step", 0))
        if saved:
            _go_on(folder, config, described, saved, learner)
        else:
            _begin(folder, config, described, learner)
        order = ProblemOrder(ready, config.seed, state.get("cursors"))
        monitor = Monitor(ready, state.get("monitor"))
        trackers = open_trackers(config.trackers, folder.path, config, done=state.get("step", 0))
        run = Run(
            config,
            folder,
            policy,
            engine,
            learner,
            ready,
            evals,
            order,
            monitor,
            progress,
            trackers,
            state.get("step", 0),
            state.get("seconds", 0.0),
        )
        progress.say(_introduction(run))
        engine.note = run.note
        for line in policy.notes:
            run.note(line)
        undo.pop_all()  # from here on the run closes it
        return run


def _introduction(run: Run) -> str:
    """Return the run in a line: what is trained, where, on what."""
    parameters = sum(p.numel() for p in run.policy.model.parameters())
    problems = ", ".join(f"{name}: {len(task.problems)} problems" for name, task in run.tasks.items())
    return (
        f"{run.folder.path}: {run.config.policy.model} ({parameters:,} parameters, {run.config.policy.dtype})"
        f" on {run.policy.device}, {run.config.threads} thread(s), {run.config.algorithm.mode} mode;"
        f" {problems}"
    )


def _begin(folder: RunFolder, config: RunConfig, described: Mapping[str, Any], learner: Learner) -> None:
    """Make the folder of a new run."""
    policy = learner.policy
    folder.create(config, described, needed_bytes=_needed_bytes(policy, config))
    if learner.reference is not None:
        reference = folder.path / "reference"
        write_whole(reference, lambda path: save_model(path, policy.model, policy.tokenizer))


def _go_on(
    folder: RunFolder, config: RunConfig, described: Mapping[str, Any], saved: Path, learner: Learner
) -> None:
    """Take folder and optimizer back to a checkpoint."""
    _refuse_changed_tasks(folder, described)
    state = load_state(saved)
    folder.rewind(state["step"])
    folder.write_config(config)
    restore_optimizer(learner.optimizer, saved)


def _names_differ(tasks: Mapping[str, Task]) -> None:
    seen: dict[str, str] = {}
    for given, task in tasks.items():
        if task.name in seen:
            raise TaskError(f"{seen[task.name]} and {given} both have `name: {task.name}`; rename one")
        seen[task.name] = given


def _need_process(tasks: Mapping[str, Task]) -> None:
    for given, task in tasks.items():
        if task.process is None:
            raise TaskError(
                f"algorithm.mode process: task {given!r} does not say what marks its steps; add a `process:`"
                " to it, such as {use: step_checker, check: arithmetic}, or"
                " --set 'task.process={use: step_checker, check: arithmetic}'"
            )


def _held_out(
    config: RunConfig, tasks: Mapping[str, Task], allow_code: bool
) -> list[tuple[EvalConfig, MarkScheme, Sequence[Problem]]]:
    found = []
    for wanted in config.eval:
        task = tasks.get(wanted.task)
        if task is None:
            task = load_task(wanted.task, overrides=config.task_overrides, allow_code=allow_code)
        scheme = MarkScheme(task, process=False)
        problems = load_problems(scheme.task, split=wanted.split, limit=wanted.limit)
        scheme.check_references(problems)
        found.append((wanted, scheme, problems))
    return found


def _training_problems(task: Task, scheme: MarkScheme, held_out: Sequence[Problem]) -> Sequence[Problem]:
    problems = without_overlap(load_problems(task), held_out)
    if not problems:
        raise RunError(f"task {task.name!r}: every training problem is held out too; evaluate another split")
    scheme.check_references(problems)
    return problems


def _policy(
    config: RunConfig,
    tasks: Mapping[str, Task],
    saved: Path | None,
    device: Device,
    progress: Progress,
) -> Policy:
    source: str | Path = config.policy.model
    if saved is not None and config.policy.lora is None:
        return load_policy(config.policy, saved, device)
    if source == "tiny":
        source = tiny_policy(next(iter(tasks.values())), config.seed, progress=progress.warm_start)
    return load_policy(
        config.policy, source, device, adapter=saved / ADAPTER if saved else None, seed=config.seed
    )


def _reference(config: RunConfig, folder: RunFolder, policy: Policy, resumed: bool) -> Any | None:
    """Return the frozen reference: a snapshot of the policy as the run was given it.

    With an adapter there is none: the policy without it is the reference.
    """
    if not config.algorithm.kl_coef or config.policy.lora is not None:
        return None
    path = folder.path / "reference"
    if resumed:
        return load_policy(config.policy, path, policy.device).model.requires_grad_(False)
    return copy.deepcopy(policy.model).requires_grad_(False)


def _refuse_changed_tasks(folder: RunFolder, described: Mapping[str, Any]) -> None:
    before = json.loads((folder.path / "tasks.json").read_text(encoding="utf-8"))
    changed = [name for name, task in described.items() if before.get(name, {}).get("hash") != task["hash"]]
    if changed:
        raise RunError(f"{folder.path}: task {changed[0]!r} has changed since the run began; start a new run")


def _needed_bytes(policy: Policy, config: RunConfig) -> int:
    weights = sum(p.numel() * p.element_size() for p in policy.model.parameters())
    moments = 2 * sum(p.numel() * 4 for p in policy.model.parameters() if p.requires_grad)
    copies = (weights + moments) * (config.save.keep + 1) + weights * (2 if config.algorithm.kl_coef else 1)
    return copies + 16 * 2**20
