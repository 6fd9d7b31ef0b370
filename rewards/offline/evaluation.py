"""`evaluate_scores`: how good marks are, what they would teach, and what to sample."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...sandbox.errors import DataError
from ..rows.read_scores import ReadRow, read_scores, rows_of_mappings
from .against_labels import AgainstLabels, against_labels
from .forecast.composition import Cells, beta_binomial_fit
from .forecast.forecast import GROUP_SIZES, SignalForecast, mixed_chances, signal_forecast
from .group_signal import Signal, signal_of
from .measures import Rate, mean_rate
from .step_metrics import StepMetrics
from .table import ScoreTable, read_tables


@dataclass(frozen=True)
class Evaluation:
    """What score rows of one task say about their marks. A section is None if there is nothing for it."""

    task: str
    hash: str
    rows: int
    problems: int
    marks: Mapping[str, int]
    """How many rows are marked `right`, `wrong` and `undecided`."""
    status: Mapping[str, int]
    right: Rate
    """Share right, over problems."""
    mean_value: float | None
    labels: AgainstLabels | None
    steps: StepMetrics | None
    signal: Signal | None
    pass_at_k: Mapping[int, float]
    """Unbiased estimates for powers of 2, up to the fewest samples of a problem."""
    forecast: Mapping[int, SignalForecast]
    """By group size; empty if every problem has one sample."""
    forecast_counts: str
    """What the forecast counts as right: `labels` (then the error rates of the marks enter it) or `marks`."""
    beta_binomial_p: float | None
    """p-value of the fit of a beta-binomial to the counts, for whoever would forecast with one."""
    by_step: Mapping[int, Mapping[str, float | None]]
    """For rows of training: by step, the share right, without an answer and cut off, length and reward."""

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain mappings, ready for JSON."""
        return asdict(self)


def evaluate_scores(
    scores: str | Path | Iterable[Mapping[str, Any]],
    *,
    task: str | None = None,
    part: str | None = None,
    group_sizes: Sequence[int] = GROUP_SIZES,
) -> Evaluation:
    """Evaluate the score rows of a task.

        >>> from markscheme.rewards import evaluate_scores
        >>> part = {"value": 1.0, "weight": 1.0, "status": "ok", "reason": "equal"}
        >>> row = {"task": "t", "task_hash": "", "problem": "p", "completion": "4", "right": True}
        >>> row |= {"value": 1.0, "status": "ok", "parts": {"correct": part}}
        >>> found = evaluate_scores([{**row, "label": True}, {**row, "label": False}])
        >>> found.labels.confusion["wrong"]["right"]
        1

    Args:
        scores: a file of scores, the folder of a run, or the rows themselves.
        task: the name of the task whose rows are taken; None = all rows are of one task.
        part: evaluate the values of this entry instead of the total.
        group_sizes: the group sizes to forecast for.

    Raises:
        DataError: the rows cannot be read, belong to several tasks, or were scored in different ways.
    """
    rows = read_scores(Path(scores)) if isinstance(scores, str | Path) else rows_of_mappings(scores)
    tables = read_tables(rows, part=part)
    if task is None and len(tables) > 1:
        raise DataError(f"the rows are of several tasks ({', '.join(tables)}); name one of them")
    if task is not None and task not in tables:
        raise DataError(f"no row is of task {task!r} (there are: {', '.join(tables)})")
    return evaluate_table(tables[task] if task is not None else next(iter(tables.values())), group_sizes)


def evaluate_table(table: ScoreTable, group_sizes: Sequence[int] = GROUP_SIZES) -> Evaluation:
    """Evaluate the rows of a table; see `evaluate_scores`."""
    labels = against_labels(table)
    use_labels = labels is not None and bool((table.label >= 0).all())
    right, known = table.counts(table.label if use_labels else table.mark)
    counts = Cells.tallied(right, known)
    forecast: dict[int, SignalForecast] = {}
    if known.max(initial=0) >= 2:
        false_positive = false_negative = 0.0
        if use_labels and labels is not None:
            false_positive = labels.all.false_positive.share or 0.0
            false_negative = labels.all.false_negative.share or 0.0
        forecast = signal_forecast(
            counts, group_sizes=group_sizes, false_positive=false_positive, false_negative=false_negative
        )
    steps = table.steps.result()
    values = table.value[np.isfinite(table.value)]
    return Evaluation(
        task=table.task,
        hash=table.hash,
        rows=len(table),
        problems=int(table.problem.max(initial=-1)) + 1,
        marks={
            name: int((table.mark == mark).sum())
            for name, mark in (("right", 1), ("wrong", 0), ("undecided", -1))
        },
        status=dict(table.status),
        right=mean_rate(np.divide(*table.counts(table.mark))),
        mean_value=float(values.mean()) if len(values) else None,
        labels=labels,
        steps=steps if steps.steps else None,
        signal=signal_of(table),
        pass_at_k=_pass_at_k(counts),
        forecast=forecast,
        forecast_counts="labels" if use_labels else "marks",
        beta_binomial_p=beta_binomial_fit(counts) if forecast else None,
        by_step=_by_step(table),
    )


def pass_at_k(n: int, right: int, k: int) -> float:
    """Return the unbiased estimate of pass@k: 1 - C(n - right, k) / C(n, k).

    This is the probability that k samples, drawn without replacement from n samples of which `right` are
    right, hold at least one right one (Chen et al. 2021, arXiv 2107.03374, equation 1).

    Raises:
        ValueError: not 0 <= right <= n or not 1 <= k <= n.
    """
    if not (0 <= right <= n and 1 <= k <= n):
        raise ValueError(f"expected 0 <= right <= n and 1 <= k <= n (given: n={n}, right={right}, k={k})")
    return 1.0 - math.comb(n - right, k) / math.comb(n, k)


def _pass_at_k(counts: Cells) -> dict[int, float]:
    if not counts.problems:
        return {}
    fewest = int(counts.samples_K.min())
    sizes = sorted({fewest, *(2**i for i in range(fewest.bit_length()))})
    cells = list(
        zip(counts.right_K.tolist(), counts.samples_K.tolist(), counts.problems_K.tolist(), strict=True)
    )
    return {
        k: sum(count * pass_at_k(n, right, k) for right, n, count in cells) / counts.problems for k in sizes
    }


def _by_step(table: ScoreTable) -> dict[int, dict[str, float | None]]:
    """Return how a run's completions changed over its steps."""
    found = {}
    for step in np.unique(table.step).tolist() if table.step.any() else []:
        rows = table.step == step
        judged = rows & (table.mark >= 0)
        valued = rows & np.isfinite(table.value)
        moved = np.bincount(table.group[rows], np.abs(table.advantages()[rows])) > 0
        found[step] = {
            "right": float(table.mark[judged].mean()) if judged.any() else None,
            "reward": float(table.value[valued].mean()) if valued.any() else None,
            "length": float(table.length[rows].mean()),
            "no_answer": float(table.unread[rows].mean()),
            "flat_groups": float(1 - moved.sum() / len(np.unique(table.group[rows]))),
        }
    return found


def problem_list(
    table: ScoreTable, rows: Iterable[ReadRow], group_size: int, at_least: float
) -> list[dict[str, Any]]:
    """Return the problems that are worth sampling, as rows that `data.problems` takes.

    Args:
        table: the scored rows.
        rows: the same rows again, for the ids of the problems.
        group_size: the completions per group of the training.
        at_least: leave out problems whose chance of a mixed group is below this.

    Returns:
        For each problem its id, how many of its samples are right, the chance that a group of it is mixed,
        that chance relative to the mean of the list (`weight`), and the smallest group size (of
        `GROUP_SIZES`) at which it is at least one half, if any.
    """
    marks = table.label if bool((table.label >= 0).all()) else table.mark
    counts: dict[str, list[int]] = {}
    for read, mark in zip(rows, marks.tolist(), strict=True):
        tally = counts.setdefault(read.row.problem, [0, 0])
        tally[0] += mark == 1
        tally[1] += mark >= 0
    pairs = {name: (right, known) for name, (right, known) in counts.items() if known}
    chances = {size: mixed_chances(list(pairs.values()), size) for size in {group_size, *GROUP_SIZES}}
    chosen = {name: pair for name, pair in pairs.items() if chances[group_size][pair] >= at_least}
    mean = sum(chances[group_size][pair] for pair in chosen.values()) / max(len(chosen), 1)
    listed = []
    for name, pair in chosen.items():
        mixed = chances[group_size][pair]
        enough = next((size for size in GROUP_SIZES if chances[size][pair] >= 0.5), None)
        listed.append(
            {
                "problem": name,
                "right": pair[0],
                "samples": pair[1],
                "mixed": round(mixed, 4),
                "weight": round(mixed / mean, 4) if mean else 0.0,
                "group_size": enough,
            }
        )
    return listed
