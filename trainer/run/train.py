"""`train`: from a run file to a trained policy, its folder, and what it learned."""

import random
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import torch

from ...rewards.models.torch_runtime import quiet
from ...rewards.rows import score_row
from ...sandbox.errors import RunError
from ..config.run_config import EvalConfig, RunConfig
from ..config.run_file import load_run
from ..loop.evaluation import evaluate
from ..loop.grpo import Step, grpo_step
from ..loop.rollout import LoadedTask
from .checkpoint import checkpoints, save_checkpoint, save_final, write_whole
from .folder import RunFolder
from .monitor import Alarm, step_metrics
from .progress import Progress, Silent
from .setup import Run, set_up
from .tensorboard import numbers_of


@dataclass
class RunResult:
    """What a run came to."""

    folder: Path
    summary: dict[str, Any]
    """As in summary.json."""
    interrupted: bool = False


def train(
    run: str | Path | dict[str, Any] | RunConfig,
    *,
    overrides: Sequence[str] = (),
    resume: bool = False,
    progress: Callable[[int], Progress] | None = None,
    allow_code: bool = True,
) -> RunResult:
    """Train a policy.

        >>> from markscheme.trainer import train
        >>> result = train("addition", overrides=["algorithm.steps=1", "eval=[]"])  # doctest: +SKIP
        >>> result.summary["steps"]  # doctest: +SKIP
        1

    Args:
        run: a run file, a mapping, or a task (the embedded default policy then trains on it). With
            `resume`: the folder of a run.
        overrides: `a.b=value` settings over the file; `task.a.b=value` goes to every task.
        resume: go on after the newest checkpoint, as if the run had never stopped.
        progress: called with the number of steps, returns what is told of the run; silent by default.
        allow_code: whether tasks may name `module:attr` and `file.py:attr`.

    Raises:
        MarkschemeError: the run cannot start (then nothing has been written) or cannot go on.
    """
    if resume:
        config, folder = _resumed(Path(str(run)), overrides)
    else:
        config = load_run(run, overrides=overrides)
        folder = RunFolder(Path(config.out) if config.out else _new_folder(config))
    reporter = progress(config.algorithm.steps) if progress else Silent()
    try:
        with _torch_settings(config):
            state = set_up(config, folder, resume, reporter, allow_code)
            try:
                return _train(state)
            finally:
                state.close()
    except torch.OutOfMemoryError as error:
        raise RunError(
            f"out of memory ({str(error).splitlines()[0]}); lower microbatch_tokens or"
            " engine.max_rows, then --resume"
        ) from error
    finally:
        reporter.close()


def _new_folder(config: RunConfig) -> Path:
    base = Path("runs") / f"{config.name}-{datetime.now():%Y%m%d-%H%M%S}-s{config.seed}"
    candidates = (base.with_name(f"{base.name}{f'-{i}' if i else ''}") for i in range(1000))
    return next(path for path in candidates if not path.exists())


def _resumed(path: Path, overrides: Sequence[str]) -> tuple[RunConfig, RunFolder]:
    if not (path / "run.yaml").is_file():
        raise RunError(f"{path} is not the folder of a run: it has no run.yaml; give the folder of one")
    if not checkpoints(path / "checkpoints"):
        raise RunError(f"{path} has no complete checkpoint to go on from; start the run anew")
    before, after = load_run(path / "run.yaml"), load_run(path / "run.yaml", overrides=overrides)
    if _fixed(before) != _fixed(after):
        raise RunError(
            f"{path}: a resumed run may change {', '.join(MAY_CHANGE)} and algorithm.steps,"
            " nothing else; start a new run"
        )
    return after, RunFolder(path)


MAY_CHANGE = ("save", "eval", "engine", "trackers", "out", "microbatch_tokens")


def _fixed(config: RunConfig) -> dict[str, Any]:
    """Return what a resumed run must keep."""
    return config.model_dump(exclude={**dict.fromkeys(MAY_CHANGE, True), "algorithm": {"steps"}})


@contextmanager
def _torch_settings(config: RunConfig) -> Iterator[None]:
    """Set torch's threads and quiet its libraries while a run lasts."""
    before = torch.get_num_threads()
    torch.set_num_threads(config.threads)
    try:
        with quiet():
            yield
    finally:
        torch.set_num_threads(before)


def _train(run: Run) -> RunResult:
    """Take the steps that are left; then save the result, unless the run was interrupted."""
    steps = run.config.algorithm.steps
    with _interruptible() as interrupted:
        if run.done == 0:
            _save(run)  # first, so that a run can be resumed from its very start
            _evaluate(run, 0)
        if run.done >= steps > 0:
            run.progress.say(
                f"nothing left to do: {run.done} of {steps} steps are done; raise algorithm.steps to go on"
            )
        last: Step | None = None
        while run.done < steps and not interrupted.is_set():
            last = _take_step(run)
            if run.done % run.config.save.every == 0 or run.done == steps or interrupted.is_set():
                _save(run)
    if interrupted.is_set() and run.done < steps:
        run.progress.say(
            f"interrupted after step {run.done}; go on with: markscheme train {run.folder.path} --resume"
        )
        return RunResult(run.folder.path, _summary(run), interrupted=True)
    return _finish(run, last)


def _take_step(run: Run) -> Step:
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
    _record(run, step)
    _evaluate(run, run.done)
    return step


def _finish(run: Run, last: Step | None) -> RunResult:
    reason = run.monitor.never_learned(last.groups) if last else None
    if reason:
        run.progress.say(f"warning: {reason}")
        alarm = {"step": run.done, "kind": "never_learned", "message": reason, "rows": []}
        run.folder.append("alarms.jsonl", alarm)
    write_whole(
        run.folder.path / "final", lambda path: save_final(path, run.policy.model, run.policy.tokenizer)
    )
    summary = _summary(run)
    run.folder.write_json("summary.json", summary)
    return RunResult(run.folder.path, summary)


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C into "stop after this step"; a second one stops at once."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    before = signal.getsignal(signal.SIGINT)

    def ask(number: int, frame: Any) -> None:
        event.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, ask)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)


def _record(run: Run, step: Step) -> None:
    """Write down what a step did, and raise the alarms that it gives cause for."""
    metrics = step_metrics(step, run.tasks)
    run.folder.append("metrics.jsonl", {"step": step.number, **metrics})
    run.folder.append_scores(_score_rows(run, step))
    for alarm in run.monitor.observe(step.number, step.groups):
        run.folder.append("alarms.jsonl", asdict(alarm))
        _show_alarm(run, alarm)
    if run.tensorboard is not None:
        run.tensorboard.log(numbers_of(metrics), step.number)
    run.progress.step(step.number, metrics)


def _score_rows(run: Run, step: Step) -> Iterator[dict[str, Any]]:
    for group, earned in zip(step.groups, step.credits, strict=True):
        loaded = run.tasks[group.task]
        for i, (completion, score) in enumerate(zip(group.completions, group.scores, strict=True)):
            yield score_row(
                loaded.task,
                loaded.hash,
                group.problem,
                completion,
                score,
                row=i,
                step=step.number,
                advantage=earned[i].mean,
                step_advantages=earned[i].of_steps(),
                right=loaded.scheme.is_right(score),
            )


def _show_alarm(run: Run, alarm: Alarm) -> None:
    run.progress.say(f"ALARM {alarm.kind} at step {alarm.step} ({alarm.task}): {alarm.message}")
    for row in alarm.rows[:2]:
        run.progress.say(
            f"  {row['prompt']!r} -> {row['completion']!r} (value {row['value']},"
            f" reference {row['reference']!r})"
        )


def _evaluate(run: Run, step: int) -> None:
    """Do the evaluations that are due, except those that a killed run had done already."""
    steps = run.config.algorithm.steps
    done = {(row["step"], row["index"]) for row in run.folder.read("eval.jsonl")}
    for index, (wanted, loaded) in enumerate(run.evals):
        due = step in (0, steps) or (wanted.every and step % wanted.every == 0)
        if due and (step, index) not in done:
            _evaluate_one(run, step, index, wanted, loaded)


def _evaluate_one(run: Run, step: int, index: int, wanted: EvalConfig, loaded: LoadedTask) -> None:
    seed = random.Random(f"eval/{run.config.seed}/{wanted.task}/{wanted.split}").getrandbits(62)
    figures, _ = evaluate(run.engine, loaded, wanted.n, run.config.sampling, seed=seed)
    run.folder.append("eval.jsonl", {"step": step, "index": index, "split": wanted.split, **figures})
    low, high = figures["pass_at_1_interval"]
    run.progress.say(
        f"eval {loaded.task.name}/{wanted.split} at step {step}: greedy pass@1 {figures['pass_at_1']:.3f}"
        f" [{low:.3f}, {high:.3f}], sampled {figures['sampled_pass_at_1']:.3f},"
        f" pass@{wanted.n} {figures['pass_at_k'][wanted.n]:.3f}"
    )
    if run.tensorboard is not None:
        run.tensorboard.log(numbers_of(figures, f"eval/{loaded.task.name}/"), step)


def _save(run: Run) -> None:
    state = {"cursors": run.order.cursors, "monitor": run.monitor.state(), "seconds": run.seconds}
    save_checkpoint(
        run.folder.checkpoints,
        run.done,
        run.policy.model,
        run.policy.tokenizer,
        run.learner.optimizer,
        state,
        keep=run.config.save.keep,
    )
    run.folder.begin_shard(run.done + 1)


def _summary(run: Run) -> dict[str, Any]:
    """Return the run as one row: the first evaluation, before and after."""
    summary: dict[str, Any] = {
        "schema": 1,
        "task": run.config.name,
        "seed": run.config.seed,
        "steps": run.done,
        "train_seconds": round(run.seconds, 3),
        "alarms": len(run.folder.read("alarms.jsonl")),
    }
    first = [row for row in run.folder.read("eval.jsonl") if row["index"] == 0]
    for when, row in (("before", first[0]), ("after", first[-1])) if first else ():
        summary[f"pass_at_1_{when}"] = row["pass_at_1"]
        summary[f"pass_at_1_{when}_interval"] = row["pass_at_1_interval"]
        summary[f"sampled_{when}"] = row["sampled_pass_at_1"]
    return summary
