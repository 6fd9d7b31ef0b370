"""Everything that a run needs before its first step; nothing is written until all of it is there."""

import copy
import json
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...rewards.models.torch_runtime import choose_device
from ...sandbox.errors import RunError
from ..config.run_config import EvalConfig, RunConfig
from ..engines.base import Engine
from ..engines.make import make_engine
from ..loop.learner import Learner
from ..loop.rollout import LoadedTask, ProblemOrder
from ..models.forward import choose_way
from ..models.load_policy import load_policy
from ..models.lora import ADAPTER
from ..models.policy import Policy
from ..models.tiny import tiny_policy
from .checkpoint import checkpoints, load_state, restore_optimizer, save_model, write_whole
from .folder import RunFolder
from .load_tasks import RunTasks, described, load_run_tasks
from .monitor import Monitor
from .notes import Notes
from .progress import Progress
from .tensorboard import TensorBoard, check_tensorboard


@dataclass
class Run:
    """A run under way."""

    config: RunConfig
    folder: RunFolder
    learner: Learner
    engine: Engine
    tasks: dict[str, LoadedTask]
    """What is trained on, by the task's own name."""
    evals: list[tuple[EvalConfig, LoadedTask]]
    order: ProblemOrder
    monitor: Monitor
    progress: Progress
    tensorboard: TensorBoard | None = None
    done: int = 0
    """The last finished step."""
    seconds: float = 0.0
    """Training time so far, evaluations left out."""

    @property
    def policy(self) -> Policy:
        """The model that learns."""
        return self.learner.policy

    def close(self) -> None:
        """End what the run has started."""
        self.engine.close()
        if self.tensorboard is not None:
            self.tensorboard.close()


def set_up(config: RunConfig, folder: RunFolder, resume: bool, progress: Progress, allow_code: bool) -> Run:
    """Load the tasks, the policy and a checkpoint's content; write the folder last.

    Raises:
        MarkschemeError: anything that would make the run fail later.
    """
    notes = Notes(progress)
    found = load_run_tasks(config, allow_code)
    saved = checkpoints(folder.checkpoints)[-1] if resume else None
    state = load_state(saved) if saved else {}
    policy = _policy(config, found, saved, progress, notes)
    room = config.sampling.max_new_tokens
    trained = [one.encoded(policy, room, config.tasks[name]) for name, one in found.trained.items()]
    evals = [(wanted, one.encoded(policy, room)) for wanted, one in found.held_out]
    learner = _learner(config, folder, policy, saved is not None, notes)
    check_tensorboard(config)
    engine = make_engine(config.engine, policy, notes.add)
    with ExitStack() as undo:
        undo.callback(engine.close)
        engine.sync(policy, state.get("step", 0))
        about = described([*(loaded for _, loaded in evals), *trained])
        if saved:
            _rewind(folder, config, about, saved, learner)
        else:
            _begin(folder, config, about, learner)
        run = _started(config, folder, learner, engine, trained, evals, progress, state)
        progress.say(_introduction(run))
        notes.keep_in(folder, lambda: run.done)
        undo.pop_all()  # from here on the run closes its engine
        return run


def _started(
    config: RunConfig,
    folder: RunFolder,
    learner: Learner,
    engine: Engine,
    trained: list[LoadedTask],
    evals: list[tuple[EvalConfig, LoadedTask]],
    progress: Progress,
    state: Mapping[str, Any],
) -> Run:
    """Return the run as it begins, or as a checkpoint's `state` has it."""
    tasks = {loaded.task.name: loaded for loaded in trained}
    done = state.get("step", 0)
    return Run(
        config,
        folder,
        learner,
        engine,
        tasks,
        evals,
        ProblemOrder(tasks, config.seed, state.get("cursors")),
        Monitor(tasks, state.get("monitor")),
        progress,
        TensorBoard(folder.path, config, done) if config.trackers else None,
        done,
        state.get("seconds", 0.0),
    )


def _introduction(run: Run) -> str:
    """Return the run in one line: where it is, what is trained, on what."""
    config = run.config
    parameters = sum(p.numel() for p in run.policy.model.parameters())
    problems = ", ".join(f"{name}: {len(task.problems)} problems" for name, task in run.tasks.items())
    return (
        f"{run.folder.path}: {config.policy.model} ({parameters:,} parameters, {config.policy.dtype})"
        f" on {run.policy.device}, {config.threads} thread(s), {config.algorithm.mode} mode; {problems}"
    )


def _begin(folder: RunFolder, config: RunConfig, about: Mapping[str, Any], learner: Learner) -> None:
    """Make the folder of a new run."""
    policy = learner.policy
    folder.create(config, about, needed_bytes=_needed_bytes(policy, config))
    if learner.reference is not None:
        write_whole(folder.path / "reference", lambda path: save_model(path, policy.model, policy.tokenizer))


def _rewind(
    folder: RunFolder, config: RunConfig, about: Mapping[str, Any], saved: Path, learner: Learner
) -> None:
    """Take folder and optimizer back to a checkpoint."""
    _refuse_changed_tasks(folder, about)
    folder.rewind(load_state(saved)["step"])
    folder.write_config(config)
    restore_optimizer(learner.optimizer, saved)


def _refuse_changed_tasks(folder: RunFolder, about: Mapping[str, Any]) -> None:
    before = json.loads((folder.path / "tasks.json").read_text(encoding="utf-8"))
    for name, task in about.items():
        if before.get(name, {}).get("hash") != task["hash"]:
            raise RunError(
                f"{folder.path}: task {name!r} has changed since the run began, and its marks would not be"
                " comparable; start a new run"
            )


def _policy(
    config: RunConfig, tasks: RunTasks, saved: Path | None, progress: Progress, notes: Notes
) -> Policy:
    """Return the policy: the embedded one, one from a folder or the hub, or a checkpoint's."""
    device = choose_device(config.device)
    if saved is not None and config.policy.lora is None:
        return load_policy(config.policy, saved, device, note=notes.add)
    source: str | Path = config.policy.model
    if source == "tiny":
        source = tiny_policy(tasks.first, config.seed, progress=progress.warm_start)
    adapter = saved / ADAPTER if saved else None
    return load_policy(config.policy, source, device, adapter=adapter, seed=config.seed, note=notes.add)


def _learner(config: RunConfig, folder: RunFolder, policy: Policy, resumed: bool, notes: Notes) -> Learner:
    way, why = choose_way(policy)
    if why:
        notes.add(f"prompts are computed with every completion in the update: {why}")
    return Learner(policy, _reference(config, folder, policy, resumed), config, way)


def _reference(config: RunConfig, folder: RunFolder, policy: Policy, resumed: bool) -> Any | None:
    """Return the frozen reference: a snapshot of the policy as the run was given it.

    With an adapter there is none: the policy without its adapter is the reference.
    """
    if not config.algorithm.kl_coef or config.policy.lora is not None:
        return None
    if resumed:
        saved = load_policy(config.policy, folder.path / "reference", policy.device)
        return saved.model.requires_grad_(False)
    return copy.deepcopy(policy.model).requires_grad_(False)


def _needed_bytes(policy: Policy, config: RunConfig) -> int:
    """Return about how much disk a run takes: its checkpoints, one in the making, reference and result."""
    weights = sum(p.numel() * p.element_size() for p in policy.model.parameters())
    moments = 2 * sum(p.numel() * 4 for p in policy.model.parameters() if p.requires_grad)
    copies = (weights + moments) * (config.save.keep + 1) + weights * (2 if config.algorithm.kl_coef else 1)
    return copies + 16 * 2**20
