"""`train`: the loop over the steps of a run, from a run file to a trained policy in the run's folder."""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import torch

from ...rewards.models.torch_runtime import quiet
from ...sandbox.errors import RunError, first_line
from ..config.run_config import RunConfig
from ..config.run_file import load_run
from ..loop.checkpoint import checkpoints, save_checkpoint, save_final, write_whole
from ..loop.grpo import Step, grpo_step
from .folder import RunFolder
from .progress import Progress, Silent
from .records import evaluate_due, record_step, run_summary
from .setup import Run, set_up


@dataclass
class RunResult:
    """The outcome of a run."""

    folder: Path
    summary: dict[str, Any]
    """The content of summary.json."""
    interrupted: bool = False
    """Whether Ctrl-C ended the run before its last step."""


def train(
    run: str | Path | dict[str, Any] | RunConfig,
    *,
    overrides: Sequence[str] = (),
    resume: bool = False,
    progress: Callable[[int], Progress] | None = None,
    allow_code: bool = True,
) -> RunResult:
    """Train a policy by GRPO, and return the run's folder and its summary.

    Mistakes in the run file, the tasks or the data are reported before the folder is created.

        >>> from markscheme.trainer import train
        >>> result = train("addition", overrides=["algorithm.steps=1", "eval=[]"])  # doctest: +SKIP
        >>> result.summary["steps"]  # doctest: +SKIP
        1

    Args:
        run: a run file, the same as a mapping, or a task, on which the `tiny` policy is then trained. With
            `resume`: the folder of a run.
        overrides: `key=value` settings that replace those of the file, with dotted keys such as
            `algorithm.lr=1e-5`; `task.KEY=value` changes every task.
        resume: continue after the newest checkpoint, as if the run had never stopped.
        progress: called with the number of steps; returns the object that shows the progress. None = show
            nothing.
        allow_code: whether task files may name `module:attr` and `file.py:attr`, which execute code.

    Raises:
        MarkschemeError: the run cannot start, or cannot continue.
    """
    if resume:
        config, folder = _resumed(Path(str(run)), overrides)
    else:
        config = load_run(run, overrides=overrides)
        folder = RunFolder(Path(config.out) if config.out else _new_folder(config))
    reporter = progress(config.algorithm.total_steps) if progress else Silent()
    try:
        with _torch_settings(config):
            state = set_up(config, folder, resume, reporter, allow_code)
            try:
                return _train(state)
            finally:
                state.close()
    except torch.OutOfMemoryError as error:
        raise RunError(
            f"out of memory ({first_line(error)}); lower microbatch_tokens or engine.max_rows, then"
            " continue with --resume"
        ) from error
    finally:
        reporter.close()


def _new_folder(config: RunConfig) -> Path:
    """Return the path runs/NAME-TIME-sSEED, with a number at its end if that exists already."""
    base = Path("runs") / f"{config.name}-{datetime.now():%Y%m%d-%H%M%S}-s{config.seed}"
    folder, number = base, 0
    while folder.exists():
        number += 1
        folder = base.with_name(f"{base.name}-{number}")
    return folder


def _resumed(path: Path, overrides: Sequence[str]) -> tuple[RunConfig, RunFolder]:
    """Return the settings and the folder of a run to resume.

    Raises:
        RunError: there is nothing to resume, or an override changes what must stay the same.
    """
    if not (path / "run.yaml").is_file():
        raise RunError(f"{path} is not the folder of a run: it has no run.yaml; give the folder of a run")
    if not checkpoints(path / "checkpoints"):
        raise RunError(f"{path} has no complete checkpoint to resume from; start the run again")
    before, after = load_run(path / "run.yaml"), load_run(path / "run.yaml", overrides=overrides)
    if _fixed(before) != _fixed(after):
        raise RunError(
            f"{path}: only {', '.join(MAY_CHANGE)} and algorithm.steps (with several iterations:"
            " algorithm.iterations; with model_rewards_last neither) may be changed when a run is resumed"
            f" (given: {', '.join(overrides)}); start a new run for other changes"
        )
    return after, RunFolder(path)


MAY_CHANGE = ("save", "eval", "engine", "trackers", "out", "microbatch_tokens")
"""Keys of a run file that may change when a run is resumed; `algorithm.steps` may too, or, with several
iterations, `algorithm.iterations`."""


def _fixed(config: RunConfig) -> dict[str, Any]:
    """Return the settings that a resumed run must keep."""
    grows = {"steps" if config.algorithm.iterations == 1 else "iterations"}
    if config.algorithm.model_rewards_last is not None:
        grows = set()  # a run that became longer would have paid for models in other steps
    return config.model_dump(exclude={**dict.fromkeys(MAY_CHANGE, True), "algorithm": grows})


@contextmanager
def _torch_settings(config: RunConfig) -> Iterator[None]:
    """Set torch's number of threads and hide transformers' progress bars inside a `with` block."""
    before = torch.get_num_threads()
    torch.set_num_threads(config.threads)
    try:
        with quiet():
            yield
    finally:
        torch.set_num_threads(before)


def _train(run: Run) -> RunResult:
    """Take the remaining steps, then write the final model, unless the run is interrupted."""
    steps = run.config.algorithm.total_steps
    with _interruptible() as interrupted:
        if run.done == 0:
            run.outer_loop.begin()
            if not checkpoints(run.folder.checkpoints):
                _save(run)  # before the first step, so that the run can be resumed from its start
            evaluate_due(run, 0)
        if run.done >= steps > 0:
            run.progress.say(
                f"nothing to do: {run.done} of {steps} steps are done; raise algorithm.steps to continue"
            )
        last: Step | None = None
        while run.done < steps and not interrupted.is_set():
            last = _take_step(run)
            ends_iteration = run.done % run.config.algorithm.steps == 0
            if ends_iteration or run.done % run.config.save.every == 0 or interrupted.is_set():
                _save(run)
    if interrupted.is_set() and run.done < steps:
        run.progress.say(
            f"interrupted after step {run.done}; continue with: markscheme train {run.folder.path} --resume"
        )
        return RunResult(run.folder.path, run_summary(run), interrupted=True)
    return _finish(run, last)


def _take_step(run: Run) -> Step:
    """Take the next step, log it, and do the evaluations that are due after it."""
    began = time.perf_counter()
    step = grpo_step(
        run.done + 1,
        run.learner,
        run.engine,
        run.tasks,
        run.order,
        after_scoring=run.monitor.stop_on_bugs,
    )
    run.done = step.number
    run.seconds += time.perf_counter() - began
    record_step(run, step)
    run.outer_loop.after_step(step)
    evaluate_due(run, run.done)
    return step


def _finish(run: Run, last: Step | None) -> RunResult:
    """Write the final model and the summary; warn if no group of the whole run had different rewards."""
    reason = run.monitor.never_learned(last.groups) if last else None
    if reason:
        run.progress.say(f"warning: {reason}")
        alarm = {"step": run.done, "kind": "never_learned", "message": reason, "rows": []}
        run.folder.append("alarms.jsonl", alarm)
    write_whole(
        run.folder.path / "final", lambda path: save_final(path, run.policy.model, run.policy.tokenizer)
    )
    summary = run_summary(run)
    run.folder.write_json("summary.json", summary)
    return RunResult(run.folder.path, summary)


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """Yield an event that the first Ctrl-C sets, to stop after the step; a second one interrupts at once."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event  # only the main thread may handle signals
        return
    before = signal.getsignal(signal.SIGINT)

    def stop_after_step(number: int, frame: Any) -> None:
        event.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, stop_after_step)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)


def _save(run: Run) -> None:
    """Write a checkpoint, and begin a new file of scores."""
    state = {
        "cursors": run.order.cursors,
        "monitor": run.monitor.state(),
        "seconds": run.seconds,
        "outer_loop": run.outer_loop.state(),
    }
    save_checkpoint(
        run.folder.checkpoints,
        run.done,
        run.policy.model,
        run.policy.tokenizer,
        run.learner.optimizer,
        state,
        keep=run.config.save.keep,
        pinned=run.outer_loop.needed_checkpoints,
    )
    run.outer_loop.saved()
    run.folder.begin_shard(run.done + 1)
