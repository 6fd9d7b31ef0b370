"""Recording a run: what each step and each evaluation writes to the run's folder and shows to the reader."""

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ...rewards.rows.scores import header_row, score_row
from ..config.run_config import EvalConfig
from ..loop.evaluation import evaluate
from ..loop.grpo import Step
from ..loop.rollout import Group, LoadedTask
from .setup import Run
from .watching.monitor import Alarm, step_metrics


def record_step(run: Run, step: Step) -> None:
    """Log a step's metrics and scores, and the alarms that it raises."""
    metrics = step_metrics(step, run.tasks)
    run.folder.append("metrics.jsonl", {"step": step.number, **metrics})
    lineages = [loaded.lineage for loaded in run.tasks.values()]
    run.folder.append_scores(
        _score_rows(run, step), header_row("scores", lineages, overrides=run.config.task_overrides)
    )
    for alarm in run.monitor.observe(step.number, step.groups):
        run.folder.append("alarms.jsonl", asdict(alarm))
        _show_alarm(run, alarm)
    run.trackers.log(metrics, step.number)
    run.progress.step(step.number, metrics)


def _score_rows(run: Run, step: Step) -> Iterator[dict[str, Any]]:
    for number, (group, row_credits) in enumerate(zip(step.groups, step.credits, strict=True), 1):
        loaded = run.tasks[group.task]
        for i, (completion, score) in enumerate(zip(group.completions, group.scores, strict=True)):
            yield score_row(
                loaded.lineage,
                group.problem,
                completion,
                score,
                step=step.number,
                group=number,
                sample=i + 1,
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


def evaluations_due(run: Run) -> list[int]:
    """Return which evaluations are due after the last step and not in the log yet, by their index."""
    step, steps = run.done, run.config.algorithm.total_steps
    logged = [(row["step"], _key_of_row(row)) for row in run.folder.read("eval.jsonl")]
    return [
        index
        for index, (settings, loaded) in enumerate(run.evals)
        if (step in (0, steps) or (settings.every and step % settings.every == 0))
        and (step, _key_of(settings, loaded)) not in logged
    ]


def _key_of(settings: EvalConfig, loaded: LoadedTask) -> tuple[Any, ...]:
    """Return what identifies an evaluation, also after others were added to `eval:` or removed from it."""
    return loaded.task.name, settings.split, settings.n, len(loaded.problems)


def _key_of_row(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the same of a row of eval.jsonl."""
    return row["task"], row["split"], row["n"], row["problems"]


def evaluate_one(run: Run, index: int) -> None:
    """Do an evaluation and record it, under the number that it had before, or under the next one."""
    step, (settings, loaded) = run.done, run.evals[index]
    numbers = {_key_of_row(row): row["index"] for row in run.folder.read("eval.jsonl")}
    index = numbers.get(_key_of(settings, loaded), 1 + max(numbers.values(), default=-1))
    # The seed does not depend on the step, so the evaluations of a run differ by the policy only.
    seed = random.Random(f"eval/{run.config.seed}/{settings.task}/{settings.split}").getrandbits(62)
    evaluated = evaluate(run.engine, loaded, settings.n, run.config.sampling, seed=seed)
    figures = evaluated.figures
    for kind, groups in (("greedy", evaluated.greedy), ("sampled", evaluated.groups)):
        rows = _evaluated_rows(loaded, groups, step, settings.split)
        run.folder.write_evaluation(
            f"{index}-{kind}",
            step,
            header_row("scores", [loaded.lineage], overrides=run.config.task_overrides),
            rows,
        )
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
    run.trackers.log(figures, step, prefix=f"eval/{loaded.task.name}/")
    run.trackers.show(f"eval/{loaded.task.name}/samples", evaluated.greedy, step)


def _evaluated_rows(
    loaded: LoadedTask, groups: Sequence[Group], step: int, split: str | None
) -> Iterator[dict[str, Any]]:
    for number, group in enumerate(groups, 1):
        for i, (completion, score) in enumerate(zip(group.completions, group.scores, strict=True), 1):
            more = {"step": step, "group": number, "sample": i, "split": split}
            right = loaded.scheme.is_right(score)
            yield score_row(loaded.lineage, group.problem, completion, score, right=right, **more)


def run_summary(run: Run) -> dict[str, Any]:
    """Return the content of summary.json.

    `before` and `after` are the first and the newest results of the first evaluation in the run file.
    """
    alarms = run.folder.read("alarms.jsonl")
    summary: dict[str, Any] = {
        "schema": 1,
        "task": run.config.name,
        "seed": run.config.seed,
        "steps": run.done,
        "train_seconds": round(run.seconds, 3),
        "alarms": len(alarms),
        "alarm_kinds": dict(Counter(alarm["kind"] for alarm in alarms)),
    }
    first = [_key_of(*one) for one in run.evals[:1]]
    evaluations = [row for row in run.folder.read("eval.jsonl") if _key_of_row(row) in first]
    if evaluations:
        measured = {"before": evaluations[0], "after": evaluations[-1]}
        if len(evaluations) == 1:
            del measured["after" if run.done else "before"]
        for when, row in measured.items():
            summary[f"pass_at_1_{when}"] = row["pass_at_1"]
            summary[f"pass_at_1_{when}_interval"] = row["pass_at_1_interval"]
            summary[f"sampled_{when}"] = row["sampled_pass_at_1"]
    return summary
