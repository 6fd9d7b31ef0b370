"""The charts of a report: what a run, or an evaluation, shows over its steps or over group sizes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ...rewards.offline.evaluation import Evaluation
from ...rewards.offline.measures import Z
from ...rewards.offline.table import Floats, ScoreTable

Chart = dict[str, Any]
"""`title`, `x` (its name), `at` (the values of x), `series`, and `steps` if alarms belong to its x."""
Rows = Sequence[Mapping[str, Any]]

_METRICS = (
    ("Groups and completions that teach nothing", ("flat_groups", "cut", "left_out")),
    ("Distance from the reference (KL)", ("kl",)),
    ("Entropy of the policy", ("entropy",)),
    ("Norm of the gradient", ("grad_norm",)),
)


def series(name: str, values: Any, low: Any = None, high: Any = None) -> dict[str, Any]:
    """Return a line of a chart, with its interval if it has one; NaN becomes None."""
    columns = {"values": values} | ({} if low is None else {"low": low, "high": high})
    return {"name": name} | {key: [_number(value) for value in column] for key, column in columns.items()}


def _number(value: Any) -> float | None:
    return None if value is None or not np.isfinite(value) else float(f"{float(value):.5g}")


def run_charts(metrics: Rows, evaluations: Rows) -> Iterator[Chart]:
    """Yield the charts of a run's logs: held-out evaluations, entries, and what the training measured."""
    for index in sorted({row["index"] for row in evaluations}):
        rows = [row for row in evaluations if row["index"] == index]
        lines = [
            series(
                text,
                [row[name] for row in rows],
                [row[interval][0] for row in rows],
                [row[interval][1] for row in rows],
            )
            for name, interval, text in (
                ("pass_at_1", "pass_at_1_interval", "greedy"),
                ("sampled_pass_at_1", "sampled_interval", "sampled"),
            )
        ]
        title = f"Held-out accuracy on {rows[0].get('task', '')}/{rows[0].get('split') or 'held out'}"
        yield {"title": title, "x": "step", "at": [row["step"] for row in rows], "series": lines}
    entries = [name for name in metrics[0] if name.startswith(("part/", "watch/"))] if metrics else []
    groups = [("Mean value of each entry", tuple(entries)), *_METRICS]
    for title, names in groups:
        known = [name for name in names if any(row.get(name) is not None for row in metrics)]
        if known:
            lines = [series(name.removeprefix("part/"), [row.get(name) for row in metrics]) for name in known]
            at = [row["step"] for row in metrics]
            yield {"title": title, "x": "step", "at": at, "series": lines, "steps": True}


def table_charts(table: ScoreTable) -> Iterator[Chart]:
    """Yield what score rows show over the steps of a training: each group counts once."""
    steps = np.unique(table.step)
    if len(steps) < 2:
        return
    marks = np.where(table.mark >= 0, table.mark, np.nan).astype(float)
    for title, columns in (
        ("Reward and share right in training", {"reward": table.value, "right": marks}),
        ("Length of completions", {"length": table.length.astype(float)}),
    ):
        lines = [series(name, *_by_step(table, values, steps)) for name, values in columns.items()]
        yield {"title": title, "x": "step", "at": steps.tolist(), "series": lines, "steps": True}


def _by_step(table: ScoreTable, values: Floats, steps: Any) -> tuple[Any, Any, Any]:
    """Return the mean of each step with its 95 % interval, over the means of the step's groups."""
    means, lows, highs = [], [], []
    for step in steps:
        rows = (table.step == step) & np.isfinite(values)
        count = np.bincount(table.group[rows])
        total = np.bincount(table.group[rows], values[rows])
        groups = total[count > 0] / count[count > 0]
        mean = groups.mean() if len(groups) else np.nan
        half = Z * groups.std(ddof=1) / len(groups) ** 0.5 if len(groups) > 1 else np.nan
        means.append(mean)
        lows.append(max(mean - half, groups.min(initial=np.inf)))  # a mean is not outside of its values
        highs.append(min(mean + half, groups.max(initial=-np.inf)))
    return means, lows, highs


def evaluation_charts(found: Evaluation) -> Iterator[Chart]:
    """Yield the forecast of mixed groups and pass@k of an evaluation."""
    if found.forecast:
        sizes = list(found.forecast)
        shares = [found.forecast[size] for size in sizes]
        lines = [
            series(
                "mixed groups",
                [one.mixed for one in shares],
                [one.low for one in shares],
                [one.high for one in shares],
            ),
            series("mean |advantage|", [one.abs_advantage for one in shares]),
        ]
        title = f"Forecast from {found.forecast_counts}: groups that would teach"
        yield {"title": title, "x": "group size", "at": sizes, "series": lines}
    if len(found.pass_at_k) > 1:
        lines = [series("pass@k", list(found.pass_at_k.values()))]
        title = f"pass@k from {found.forecast_counts}"
        yield {"title": title, "x": "k", "at": list(found.pass_at_k), "series": lines}
