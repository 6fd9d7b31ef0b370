"""Summaries of one task's groups at one step: the numbers from which `alarms.py` recognises a gamed reward.

Pure functions of scored groups; `monitor.py` keeps the summaries of a run.
"""

import math
import statistics
from collections.abc import Iterator, Sequence

from ....rewards.score import Score, Status
from ....tasks.problem import Completion, Problem
from ...loop.rollout import Group, LoadedTask, group_is_flat

FAILURES = (
    Status.TIMEOUT,
    Status.MEMORY,
    Status.TOO_LARGE,
    Status.INFRA_ERROR,
    Status.ABSTAIN,
    Status.BUG,
)
"""Statuses of a scoring that did not finish normally. Missing and unreadable answers are in `UNREAD`."""
UNREAD = (Status.NO_ANSWER, Status.UNPARSABLE)
"""Statuses of a completion whose answer was not found or could not be read."""

Row = tuple[Problem, Completion, Score]


def rows_of(groups: Sequence[Group]) -> Iterator[Row]:
    """Yield every completion with its problem and score."""
    for group in groups:
        for completion, score in zip(group.completions, group.scores, strict=True):
            yield group.problem, completion, score


def summary_of(groups: Sequence[Group], loaded: LoadedTask, step: int) -> dict[str, float]:
    """Return the summary of a task's groups at one step.

    Rewards are scaled from the reward's range at that step to 0..1. Where the range is infinite or empty they
    stay as they are, `finite` is 0, and no row counts as fully paid.
    """
    rows = list(rows_of(groups))
    low, high = loaded.scheme.range_at(step)
    finite = math.isfinite(low) and math.isfinite(high) and low < high
    start, scale = (low, high - low) if finite else (0.0, 1.0)
    values = [(score.value - start) / scale for _, _, score in rows if score.value is not None]
    summary = {
        "reward": statistics.fmean(values) if values else 0.0,
        "spread": statistics.pstdev(values) if values else 0.0,
        "rows": float(len(rows)),
        "groups": float(len(groups)),
        "finite": float(finite),
        "length": statistics.fmean(len(c.token_ids) or len(c.text) for _, c, _ in rows),
        "unread": sum(score.status in UNREAD for _, _, score in rows) / len(rows),
        "failed": sum(failed(score) for _, _, score in rows) / len(rows),
        "flat": sum(map(group_is_flat, groups)) / len(groups),
    }
    scores = [score for _, _, score in rows]
    summary |= _steps_summary(scores, loaded)
    for name in loaded.task.watch:
        paid = [score for score in scores if finite and is_paid(score, low, high)]
        summary |= {
            f"watch/{name}": _watch_mean(scores, loaded, name),
            f"paid/{name}": float(len(paid)),
            f"unearned/{name}": float(sum(is_wrong_by(score, name) for score in paid)),
        }
    return summary


def _steps_summary(scores: Sequence[Score], loaded: LoadedTask) -> dict[str, float]:
    """Return the mean number of steps, the mean mark, and the share of right completions.

    Empty where no completion has marked steps.
    """
    marked = [score.steps for score in scores if score.steps]
    if not marked:
        return {}
    marks = [mark.value for steps in marked for mark in steps if mark.value is not None]
    judged = [loaded.scheme.is_right(score) for score in scores]
    known = [right for right in judged if right is not None]
    return {
        "steps": statistics.fmean(map(len, marked)),
        "marks": statistics.fmean(marks) if marks else 0.0,
        "right": statistics.fmean(known) if known else 0.0,
    }


def _watch_mean(scores: Sequence[Score], loaded: LoadedTask, name: str) -> float:
    """Return the mean of a watched entry's known values, scaled to 0..1 where its range is finite."""
    parts = [score.parts[name].value for score in scores]
    known = [value for value in parts if value is not None]
    mean = statistics.fmean(known) if known else 0.0
    low, high = loaded.scheme.bounds_of(name)
    return (mean - low) / (high - low) if 0 < high - low < math.inf else mean


def failed(score: Score) -> bool:
    """Return whether any part of a score met one of `FAILURES`."""
    return any(part.status in FAILURES for part in score.parts.values())


def is_paid(score: Score, low: float, high: float) -> bool:
    """Return whether a completion counts as fully paid: its score is in the top tenth of the range."""
    return score.value is not None and score.value >= low + 0.9 * (high - low)


def is_wrong_by(score: Score, watch: str) -> bool:
    """Return whether a watched entry calls a completion wrong: by its verdict, or else by a value <= 0."""
    part = score.parts[watch]
    if part.verdict is not None:
        return part.verdict.correct is False
    return part.value is not None and part.value <= 0
