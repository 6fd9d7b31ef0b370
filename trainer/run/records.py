"""Recording a run: what each step and each evaluation writes to the run's folder and shows to the reader."""

import random
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from ...rewards.rows import score_row
from ..config.run_config import EvalConfig
from ..loop.evaluation import evaluate
from ..loop.grpo import Step
from ..loop.rollout import LoadedTask
from .monitor import Alarm, step_metrics
from .setup import Run
from .tensorboard import numbers_of


def record_step(run: Run, step: Step) -> None:
    """Log a step's metrics and scores, and the alarms that it raises."""
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
    for group, row_credits in zip(step.groups, step.credits, strict=True):
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
                advantage=row_credits[i].mean,
                step_advantages=row_credits[i].at_step_ends(),
                right=loaded.scheme.is_right(score),
            )


def _show_alarm(run: Run, alarm: Alarm) -> None:
    run.progress.say(f"ALARM {alarm.kind} at step {alarm.step} ({alarm.task}): {alarm.message}")
    for row in alarm.rows[:2]:
        run.progress.say(
            f"  {row['prompt']!r} -> {row['completion']!r} (value {row['value']},"
            f" reference {row['reference']!r})"
        )


def evaluate_due(run: Run, step: int) -> None:
    """Run the evaluations that are due at a step, except those that a resumed run finds in its log."""
    steps = run.config.algorithm.steps
    logged = {(row["step"], row["index"]) for row in run.folder.read("eval.jsonl")}
    for index, (settings, loaded) in enumerate(run.evals):
        due = step in (0, steps) or (settings.every and step % settings.every == 0)
        if due and (step, index) not in logged:
            _evaluate_one(run, step, index, settings, loaded)


def _evaluate_one(run: Run, step: int, index: int, settings: EvalConfig, loaded: LoadedTask) -> None:
    # The seed does not depend on the step, so the evaluations of a run differ by the policy only.
    seed = random.Random(f"eval/{run.config.seed}/{settings.task}/{settings.split}").getrandbits(62)
    figures, _ = evaluate(run.engine, loaded, settings.n, run.config.sampling, seed=seed)
    run.folder.append("eval.jsonl", {"step": step, "index": index, "split": settings.split, **figures})
    low, high = figures["pass_at_1_interval"]
    line = (
        f"evaluation of {loaded.task.name}/{settings.split} at step {step}:"
        f" greedy pass@1 {figures['pass_at_1']:.3f} (95 % interval {low:.3f} to {high:.3f}),"
        f" sampled pass@1 {figures['sampled_pass_at_1']:.3f}"
    )
    if settings.n > 1:
        line += f", pass@{settings.n} {figures['pass_at_k'][settings.n]:.3f}"
    run.progress.say(line)
    if run.tensorboard is not None:
        run.tensorboard.log(numbers_of(figures, f"eval/{loaded.task.name}/"), step)


def run_summary(run: Run) -> dict[str, Any]:
    """Return the content of summary.json.

    `before` and `after` are the first and the newest results of the first evaluation in the run file.
    """
    summary: dict[str, Any] = {
        "schema": 1,
        "task": run.config.name,
        "seed": run.config.seed,
        "steps": run.done,
        "train_seconds": round(run.seconds, 3),
        "alarms": len(run.folder.read("alarms.jsonl")),
    }
    evaluations = [row for row in run.folder.read("eval.jsonl") if row["index"] == 0]
    if evaluations:
        for when, row in (("before", evaluations[0]), ("after", evaluations[-1])):
            summary[f"pass_at_1_{when}"] = row["pass_at_1"]
            summary[f"pass_at_1_{when}_interval"] = row["pass_at_1_interval"]
            summary[f"sampled_{when}"] = row["sampled_pass_at_1"]
    return summary
