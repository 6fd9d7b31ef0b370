"""What a run looks like from outside: metrics of a step, and alarms when a reward is being gamed.

An alarm never stops or changes training. It says what parted from what, with rows that show it.
Only a scheme with bugs stops a run: above 5 % of the last 256 rows.
"""

import statistics
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...rewards.score import Status
from ...sandbox.errors import RunError
from ..loop.grpo import Step
from ..loop.rollout import Group, LoadedTask, group_is_flat
from .alarms import WINDOW, distinct, flat_cause, rows_of, shown_row, signs_of, summary_of

BUG_WINDOW, BUG_SHARE = 256, 0.05
QUIET = 20
"""Steps before the same alarm is raised again."""


@dataclass
class Alarm:
    """One observation, with the rows behind it."""

    kind: str
    step: int
    task: str
    message: str
    rows: list[dict[str, Any]] = field(default_factory=list)


def step_metrics(step: Step, tasks: Mapping[str, LoadedTask]) -> dict[str, Any]:
    """Return a step's metrics: of all rows, then of each task where there are several."""
    metrics = _metrics(step.groups, tasks)
    if len(tasks) > 1:
        for name in tasks:
            mine = [group for group in step.groups if group.task == name]
            metrics |= (
                {f"{name}/{key}": value for key, value in _metrics(mine, tasks).items()} if mine else {}
            )
    tokens = sum(len(c.token_ids) for group in step.groups for c in group.completions)
    seconds = sum(step.seconds.values())
    times = {f"time_{phase}": spent for phase, spent in step.seconds.items()}
    return {
        **metrics,
        **step.learned,
        "tokens": tokens,
        **times,
        "time_step": seconds,
        "time_tokens_per_second": tokens / seconds if seconds else 0.0,
    }


def _metrics(groups: Sequence[Group], tasks: Mapping[str, LoadedTask]) -> dict[str, Any]:
    rows = list(rows_of(groups))
    values = [score.value for _, _, score in rows if score.value is not None]
    marks = [tasks[group.task].scheme.is_right(score) for group in groups for score in group.scores]
    judged = [mark for mark in marks if mark is not None]
    statuses = Counter(str(score.status) for _, _, score in rows)
    metrics: dict[str, Any] = {
        "reward": statistics.fmean(values) if values else None,
        "reward_std": statistics.pstdev(values) if values else None,
        "accuracy": statistics.fmean(judged) if judged else None,
        "flat_groups": sum(map(group_is_flat, groups)) / len(groups),
        "left_out": 1 - len(values) / len(rows),
        "length": statistics.fmean(len(c.token_ids) for _, c, _ in rows),
        "cut": sum(c.finish_reason == "length" for _, c, _ in rows) / len(rows),
    }
    for name in dict.fromkeys(name for _, _, score in rows for name in score.parts):
        known = [p.value for _, _, s in rows if (p := s.parts.get(name)) is not None and p.value is not None]
        watched = any(name in tasks[group.task].task.watch for group in groups)
        metrics[f"{'watch' if watched else 'part'}/{name}"] = statistics.fmean(known) if known else None
    marked = [score.steps for _, _, score in rows if score.steps]
    if marked:
        marks = [mark.value for steps in marked for mark in steps if mark.value is not None]
        metrics["steps"] = statistics.fmean(map(len, marked))
        metrics["step_mark"] = statistics.fmean(marks) if marks else None
        metrics["steps_unjudged"] = 1 - len(marks) / sum(map(len, marked))
    return metrics | {f"status/{status}": count / len(rows) for status, count in sorted(statuses.items())}


class Monitor:
    """Watches a run for what a sound reward does not do."""

    def __init__(self, tasks: Mapping[str, LoadedTask], state: Mapping[str, Any] | None = None):
        self.tasks = tasks
        state = state or {}
        self._bugs: deque[int] = deque(state.get("bugs", ()), maxlen=BUG_WINDOW)
        self._history: dict[str, list[dict[str, float]]] = {
            n: list(state.get("history", {}).get(n, ())) for n in tasks
        }
        self._raised: dict[str, int] = dict(state.get("raised", {}))
        self._ever_mixed = bool(state.get("ever_mixed", False))

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {
            "bugs": list(self._bugs),
            "history": self._history,
            "raised": self._raised,
            "ever_mixed": self._ever_mixed,
        }

    def stop_on_bugs(self, groups: Sequence[Group]) -> None:
        """Count rows that met a bug.

        Raises:
            RunError: above 5 % of the last 256 rows; with the first bug's own traceback.
        """
        first = None
        for _, _, score in rows_of(groups):
            buggy = [(name, part) for name, part in score.parts.items() if part.status is Status.BUG]
            self._bugs.append(bool(buggy))
            first = first or (buggy[0] if buggy else None)
        if first is not None and sum(self._bugs) > BUG_SHARE * BUG_WINDOW:
            name, part = first
            trace = (part.detail or {}).get("traceback", "")
            raise RunError(
                f"reward {name!r} failed on {sum(self._bugs)} of the last {len(self._bugs)} completions:"
                f" {part.reason}; mend it, or set on_failure for it\n{trace}".rstrip()
            )

    def observe(self, step: int, groups: Sequence[Group]) -> list[Alarm]:
        """Take a step in; return the alarms that it raises."""
        alarms: list[Alarm] = []
        for name, loaded in self.tasks.items():
            mine = [group for group in groups if group.task == name]
            if not mine:
                continue
            self._ever_mixed = self._ever_mixed or not all(map(group_is_flat, mine))
            history = self._history[name]
            history.append(summary_of(mine, loaded, step))
            del history[WINDOW : -4 * WINDOW]  # the start and the last steps are all that is compared
            raised = signs_of(loaded, mine, history, step)
            for kind, message, rows in raised:
                key = f"{name}/{kind}"
                if step - self._raised.get(key, -QUIET) >= QUIET:
                    self._raised[key] = step
                    alarms.append(
                        Alarm(
                            kind.split(":")[0],
                            step,
                            name,
                            message,
                            [shown_row(row) for row in distinct(rows)],
                        )
                    )
        return alarms

    def never_learned(self, groups: Sequence[Group]) -> str | None:
        """Say why a whole run had no signal, if it had none: every group of every step was flat."""
        if self._ever_mixed or not groups:
            return None
        return (
            f"every group's rewards were equal in the whole run, so nothing was learned: {flat_cause(groups)}"
        )
