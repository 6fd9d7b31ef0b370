"""`train`: the loop over the steps of a run, from a run file to a trained policy in the run's folder."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import torch

from ...rewards.models.torch_runtime import quiet
from ...sandbox.errors import RunError, TaskError, first_line
from ..config.run_config import RunConfig
from ..config.run_file import load_run
from ..loop.checkpoint import checkpoints, save_checkpoint, save_final, step_of, write_whole
from ..loop.grpo import Step, grpo_step
from ..loop.rollout import Group
from .folder import RunFolder
from .model_card import model_card
from .progress import Progress, Silent, terminal_progress
from .records import evaluate_one, evaluations_due, record_step, run_summary
from .resume import Start, resumed
from .setup import Run, prune, set_up
from .stopping import Stop


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
    progress: Callable[[int], Progress] | bool | None = None,
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
        resume: continue after the newest whole checkpoint, as if the run had never stopped.
        progress: True shows the progress on standard error, as the command line does; None or False shows
            nothing. A function is called with the number of steps and returns the object that shows it.
        allow_code: whether task files may name `module:attr` and `file.py:attr`, which execute code.

    Raises:
        MarkschemeError: the run cannot start, or cannot continue.
    """
    if resume:
        config, folder, start = resumed(Path(str(run)), overrides)
    else:
        config = load_run(run, overrides=overrides)
        folder, start = RunFolder(Path(config.out) if config.out else _new_folder(config)), Start()
    show = terminal_progress if progress is True else progress or (lambda total: Silent())
    reporter = show(config.algorithm.total_steps) if callable(show) else None
    if reporter is None:
        raise TaskError(f"progress is True, or a function that returns a Progress (given: {progress!r:.60})")
    try:
        with _torch_settings(config), Stop(reporter.say).listening() as stop:
            state = set_up(config, folder, start, reporter, allow_code)
            try:
                return _train(state, stop)
            finally:
                state.close()
    except torch.OutOfMemoryError as error:
        raise RunError(
            f"out of memory ({first_line(error)}); continue with smaller batches: markscheme train"
            f" {folder.path} --resume --set microbatch_tokens=512 --set engine.max_rows=64"
        ) from error
    finally:
        folder.unlock()
        reporter.close()


def _new_folder(config: RunConfig) -> Path:
    """Return the path runs/NAME-TIME-sSEED, with a number at its end if that exists already."""
    base = Path("runs") / f"{config.name}-{datetime.now():%Y%m%d-%H%M%S}-s{config.seed}"
    folder, number = base, 0
    while folder.exists():
        number += 1
        folder = base.with_name(f"{base.name}-{number}")
    return folder


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


def _train(run: Run, stop: Stop) -> RunResult:
    """Take the remaining steps, then write the final model, unless the run is interrupted."""
    steps = run.config.algorithm.total_steps
    last: Step | None = None
    with stop.patient():
        if run.done == 0:
            run.outer_loop.begin()
            if not checkpoints(run.folder.checkpoints):
                _save(run)  # before the first step, so that the run can be resumed from its start
        elif run.done >= steps:
            run.progress.say(
                f"nothing to do: {run.done} of {steps} steps are done; raise algorithm.steps to continue"
            )
        _evaluate(run, stop)
        while run.done < steps and not stop.requested:
            last = _take_step(run)
            ends_iteration = run.done % run.config.algorithm.steps == 0
            if ends_iteration or run.done % run.config.save.every == 0 or stop.requested:
                _save(run)
            _evaluate(run, stop)
    if stop.requested and (run.done < steps or evaluations_due(run)):
        run.progress.say(
            f"interrupted after step {run.done}; continue with: markscheme train {run.folder.path} --resume"
        )
        return RunResult(run.folder.path, run_summary(run), interrupted=True)
    return _finish(run, last)


def _evaluate(run: Run, stop: Stop) -> None:
    """Do the evaluations that are due. A signal cuts them short, and a resumed run does them again."""
    for index in evaluations_due(run):
        if not stop.requested:
            if run.done == 0:
                settings, loaded = run.evals[index]
                run.progress.say(
                    f"evaluating on {len(loaded.problems)} problems of {loaded.task.name}/{settings.split},"
                    f" {1 + settings.n} completions each"
                )
            saved = any(step_of(path) == run.done for path in checkpoints(run.folder.checkpoints))
            with stop.at_once():
                evaluate_one(run, index)
            if stop.requested and not saved:
                _save(run)


def _take_step(run: Run) -> Step:
    """Take the next step and log it."""
    began = time.perf_counter()
    step = grpo_step(
        run.done + 1,
        run.learner,
        run.engine,
        run.tasks,
        run.order,
        after_scoring=lambda groups: _look_at_failures(run, groups),
    )
    run.done = step.number
    run.seconds += time.perf_counter() - began
    record_step(run, step)
    run.outer_loop.after_step(step)
    return step


def _look_at_failures(run: Run, groups: list[Group]) -> None:
    """Name each reward at its first failure, and stop on too many bugs."""
    for line in run.monitor.new_failures(groups):
        run.note(line)
    run.monitor.stop_on_bugs(groups)


def _finish(run: Run, last: Step | None) -> RunResult:
    """Write the final model and the summary; warn if no group of the whole run had different rewards."""
    reason = run.monitor.never_learned(last.groups) if last else None
    if reason:
        run.progress.say(f"warning: {reason}")
        alarm = {"step": run.done, "kind": "never_learned", "message": reason, "rows": []}
        run.folder.append("alarms.jsonl", alarm)
    summary = run_summary(run)
    card = model_card(run.config, list(run.tasks.values()), summary, run.folder.read("eval.jsonl"))

    def write(path: Path) -> None:
        save_final(path, run.policy.model, run.policy.tokenizer)
        (path / "README.md").write_text(card, encoding="utf-8", errors="backslashreplace")

    write_whole(run.folder.path / "final", write)
    run.folder.write_json("summary.json", summary)
    return RunResult(run.folder.path, summary)


def _save(run: Run) -> None:
    """Write a checkpoint, and begin a new file of scores."""
    state = {
        "run": run.identity,
        "written": run.folder.state(),
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
    )
    prune(run)
    run.folder.begin_shard(run.done + 1)
