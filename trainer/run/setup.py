"""Setting up a run: its tasks, its policy, its engine, and, once all of them are ready, its folder."""

import copy
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...rewards.models.torch_runtime import choose_device
from ..config.effects import without_effect
from ..config.run_config import EvalConfig, RunConfig
from ..engines.base import Engine
from ..engines.make import make_engine
from ..iterations.outer_loop import OuterLoop
from ..iterations.parts import Parts, reference_folder
from ..loop.checkpoint import (
    checkpoints,
    drop_checkpoints,
    load_state,
    require_whole,
    restore_optimizer,
    save_model,
    step_of,
    write_whole,
)
from ..loop.learner import Learner
from ..loop.rollout import LoadedTask, ProblemOrder
from ..models.built_in.by_name import source_of_model
from ..models.forward import choose_way
from ..models.load_policy import load_policy
from ..models.lora import ADAPTER
from ..models.notes import Note
from ..models.policy import Policy
from .folder import RunFolder
from .load_tasks import RunTasks, TaskProblems, described, load_run_tasks
from .notes import Notes
from .progress import Progress
from .resume import Start
from .same_run import identity_of, refuse_other_run
from .watching.monitor import Monitor
from .watching.trackers import Trackers, check_trackers


@dataclass
class Run:
    """A run in progress: its parts, and how far it has got."""

    config: RunConfig
    folder: RunFolder
    learner: Learner
    engine: Engine
    tasks: dict[str, LoadedTask]
    """The training tasks, by their own names."""
    evals: list[tuple[EvalConfig, LoadedTask]]
    """The held-out evaluations, in the order of the run file's `eval:`."""
    outer_loop: OuterLoop
    order: ProblemOrder
    monitor: Monitor
    progress: Progress
    identity: dict[str, Any]
    """What a checkpoint keeps to recognise the run; see `identity_of`."""
    note: Note
    """Takes lines for the run's reader."""
    trackers: Trackers
    done: int = 0
    """The number of the last finished step; 0 at the start."""
    seconds: float = 0.0
    """Wall time of all finished steps, without evaluations and checkpoints."""

    @property
    def policy(self) -> Policy:
        """The policy under training."""
        return self.learner.policy

    def close(self) -> None:
        """Stop the engine and end what the trackers record."""
        self.engine.close()
        self.trackers.close()


def set_up(config: RunConfig, folder: RunFolder, start: Start, progress: Progress, allow_code: bool) -> Run:
    """Return the run, ready for its next step.

    A new run's folder is created last, once everything else is ready.

    Args:
        config: the run's.
        folder: the run's.
        start: the beginning, or the checkpoint to continue from.
        progress: shows the warm start of the tiny policy, the notes, and a line that introduces the run.
        allow_code: whether task files may name `module:attr` and `file.py:attr`.

    Raises:
        MarkschemeError: a part of the run cannot be loaded, started or written.
    """
    notes = Notes(progress)
    for line in (*start.notes, *without_effect(config)):
        notes.add(line)
    run_tasks = load_run_tasks(config, allow_code)
    state, done = start.state, start.state.get("step", 0)
    policy = _policy(config, run_tasks, start.checkpoint, progress, notes)
    identity = _identity(config, folder, run_tasks, policy, start, notes)
    tasks, evals, held_out = _encoded(run_tasks, policy, config, notes)
    learner = _learner(config, folder, policy, start, notes)
    check_trackers(config)
    engine = make_engine(config.engine, policy, notes.add)
    with ExitStack() as undo:
        undo.callback(engine.close)
        engine.sync(policy, done)
        _prepare_folder(
            folder, config, [*(split for _, split in evals), *tasks.values()], start, learner, notes
        )
        parts = Parts(
            config,
            folder.path,
            learner,
            engine,
            [*tasks.values(), *(loaded for _, loaded in evals), *held_out.values()],
            held_out,
            lambda step: _restore(learner, config, folder.checkpoints / f"step-{step:06d}"),
            folder.append,
            progress.say,
        )
        run = Run(
            config=config,
            folder=folder,
            learner=learner,
            engine=engine,
            tasks=tasks,
            evals=evals,
            outer_loop=OuterLoop(parts, state.get("outer_loop")),
            order=ProblemOrder(tasks, config.seed, state.get("cursors")),
            monitor=Monitor(tasks, state.get("monitor")),
            progress=progress,
            identity=identity,
            note=notes.add,
            trackers=Trackers(config, folder.path, identity["id"], done, notes.add),
            done=done,
            seconds=state.get("seconds", 0.0),
        )
        if start.checkpoint:
            prune(run)  # since a kill may have come before the last checkpoint did it
        progress.say(_introduction(run))
        notes.keep_in(folder, lambda: run.done)
        undo.pop_all()  # from here on, `Run.close` closes the engine
        return run


def _identity(
    config: RunConfig, folder: RunFolder, tasks: RunTasks, policy: Policy, start: Start, notes: Notes
) -> dict[str, Any]:
    """Return what checkpoints keep to recognise the run, after comparing it with that of a resumed run."""
    identity = {"id": uuid.uuid4().hex, **identity_of(config, tasks, policy)}
    if start.checkpoint:
        for line in refuse_other_run(folder.path, start.state["run"], identity):
            notes.add(line)
        identity["id"] = start.state["run"]["id"]
    return identity


def prune(run: Run) -> None:
    """Remove old checkpoints, and what only they needed.

    The newest `save.keep` stay, and with each of them the checkpoint of the best point that it knows of: if
    the newest is damaged, the run goes on from the one before, with all that this one needs.
    """
    folder = run.folder.checkpoints
    states = {step_of(path): _outer_state(path) for path in checkpoints(folder)}
    newest = list(states)[-run.config.save.keep :]
    best = {states[step]["best"]["step"] for step in newest if states[step].get("best")}
    kept = {step: states[step] for step in states if states[step] and step in {*newest, *best}}
    drop_checkpoints(folder, kept)
    run.outer_loop.prune(list(kept.values()))


def _outer_state(checkpoint: Path) -> dict[str, Any]:
    """Return the outer loop's state in a checkpoint; empty if it is damaged, so that nobody can use it."""
    try:
        return load_state(checkpoint)["outer_loop"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _encoded(
    run_tasks: RunTasks, policy: Policy, config: RunConfig, notes: Notes
) -> tuple[dict[str, LoadedTask], list[tuple[EvalConfig, LoadedTask]], dict[str, LoadedTask]]:
    """Return training tasks, evaluations and guarding prompts, all of them as the policy's token ids."""

    def encoded(problems: TaskProblems, share: float = 1.0) -> LoadedTask:
        room = config.sampling.max_new_tokens
        if config.data.drop_long_prompts:
            problems = problems.without_long_prompts(policy, room, notes.add)
        return problems.encoded(policy, room, share)

    tasks = {
        problems.task.name: encoded(problems, config.tasks[name])
        for name, problems in run_tasks.trained.items()
    }
    evals = [(settings, encoded(problems)) for settings, problems in run_tasks.held_out]
    return tasks, evals, {name: encoded(problems) for name, problems in run_tasks.guarding.items()}


def _introduction(run: Run) -> str:
    """Return one line on the run: policy, tasks, mode, device, folder."""
    config = run.config
    parameters = sum(p.numel() for p in run.policy.model.parameters())
    threads = "1 thread" if config.threads == 1 else f"{config.threads} threads"
    tasks = ", ".join(f"{name} ({len(task.problems):,} problems)" for name, task in run.tasks.items())
    return (
        f"training {config.policy.model} ({parameters:,} parameters, {config.policy.dtype}) on {tasks} in"
        f" {config.algorithm.mode} mode; device {run.policy.device}, {threads}; folder {run.folder.path}"
        + (f"; it goes on after step {run.done}" if run.done else "")
    )


def _prepare_folder(
    folder: RunFolder,
    config: RunConfig,
    tasks: Sequence[LoadedTask],
    start: Start,
    learner: Learner,
    notes: Notes,
) -> None:
    """Create the folder of a new run, or take folder and optimizer back to a checkpoint.

    A new one gets a snapshot of the reference, where the KL needs one. In an old one, checkpoints that come
    later, which are damaged, are deleted.
    """
    policy = learner.policy
    if start.checkpoint is None:
        folder.create(config, described(tasks), needed_bytes=_needed_bytes(policy, config))
        if learner.reference is not None:
            write_whole(
                folder.path / "reference", lambda path: save_model(path, policy.model, policy.tokenizer)
            )
        return
    newest = step_of(start.checkpoint)
    drop_checkpoints(
        folder.checkpoints, [step for step in map(step_of, checkpoints(folder.checkpoints)) if step <= newest]
    )
    folder.rewind(start.state["step"], start.state["written"], notes.add)
    folder.write_config(config)
    folder.write_json("tasks.json", described(tasks))
    restore_optimizer(learner.optimizer, start.checkpoint)


def _policy(
    config: RunConfig, tasks: RunTasks, saved: Path | None, progress: Progress, notes: Notes
) -> Policy:
    """Return the policy: built here (`tiny`), loaded from a folder or the hub, or from checkpoint `saved`."""
    device = choose_device(config.device)
    if saved is not None and config.policy.lora is None:
        return load_policy(config.policy, saved, device, note=notes.add)
    source = source_of_model(
        config.policy.model, tasks.first, config.seed, progress=progress.warm_start, note=progress.say
    )
    adapter = saved / ADAPTER if saved else None
    return load_policy(config.policy, source, device, adapter=adapter, seed=config.seed, note=notes.add)


def _restore(learner: Learner, config: RunConfig, checkpoint: Path) -> None:
    """Take policy and optimizer back to a checkpoint."""
    policy, checkpoint = learner.policy, require_whole(checkpoint)
    adapter = checkpoint / ADAPTER if config.policy.lora is not None else None
    source = policy.source if adapter else checkpoint
    saved = load_policy(config.policy, source, policy.device, adapter=adapter)
    policy.model.load_state_dict(saved.model.state_dict())
    restore_optimizer(learner.optimizer, checkpoint)


def _learner(
    config: RunConfig,
    folder: RunFolder,
    policy: Policy,
    start: Start,
    notes: Notes,
) -> Learner:
    way, reason = choose_way(policy)
    if reason:
        notes.add(f"in the update, a prompt is computed again for each of its completions: {reason}")
    step = start.state.get("outer_loop", {}).get("reference_step", 0)
    reference = _reference(config, folder, policy, step, resumed=start.checkpoint is not None)
    return Learner(policy, reference, config, way)


def _reference(
    config: RunConfig, folder: RunFolder, policy: Policy, step: int, *, resumed: bool
) -> Any | None:
    """Return the frozen reference of the KL: a copy of the policy as it was after a step, usually 0.

    It is None if there is no KL, and with a new adapter in the first iteration, where the policy without its
    adapter is the reference.
    """
    has_adapter = config.policy.lora is not None
    if not config.algorithm.kl_coef or (has_adapter and not step and not policy.brought_adapter):
        return None
    if not resumed:
        return copy.deepcopy(policy.model).requires_grad_(False)
    path = require_whole(reference_folder(folder.path, step))
    adapter = path / ADAPTER if has_adapter else None
    saved = load_policy(config.policy, policy.source if adapter else path, policy.device, adapter=adapter)
    return saved.model.requires_grad_(False)


def _needed_bytes(policy: Policy, config: RunConfig) -> int:
    """Estimate how much disk space the run will take.

    There are `save.keep` checkpoints, the next one while it is written and that of the best point, each with
    the weights and two float32 moments per trained parameter; the final model; the reference and the next
    one, where there is a KL; and the logs. Reward models are not counted.
    """
    weights = sum(p.numel() * p.element_size() for p in policy.model.parameters())
    moments = 2 * sum(p.numel() * 4 for p in policy.model.parameters() if p.requires_grad)
    checkpoint_bytes = (weights + moments) * (config.save.keep + (2 if config.reward_model else 1))
    references = 0 if not config.algorithm.kl_coef else 1 + (config.algorithm.iterations > 1)
    other_models = weights * (1 + references)
    logs = 16 * 2**20
    return checkpoint_bytes + other_models + logs
