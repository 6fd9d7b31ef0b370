"""The metrics of each step, and the alarms of a run: signs that its reward is being gamed.

An alarm never stops or changes the training. It says what diverged from what, and shows rows as evidence.
Only bugs stop a run: those of reward functions, if more than 5 % of the last 256 completions met one.
"""

import re
import statistics
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ....rewards.score import Score, Status, failure_line
from ....sandbox.errors import RunError
from ....tasks.load_problems import place_of
from ....tasks.problem import Completion
from ...loop.grpo import Step
from ...loop.rollout import Group, LoadedTask, group_is_flat, is_unanimous
from .alarms import WINDOW, distinct, flat_cause, shown_row, signs_of
from .step_summary import FAILURES, rows_of, summary_of

BUG_WINDOW, BUG_SHARE = 256, 0.05
QUIET = 20
"""Steps for which an alarm that was raised is not repeated."""


@dataclass
class Alarm:
    """One alarm, as a row of alarms.jsonl."""

    kind: str
    step: int
    task: str
    message: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    """At most 5 completions that show it; see `shown_row`."""


def step_metrics(step: Step, tasks: Mapping[str, LoadedTask]) -> dict[str, Any]:
    """Return a step's row of metrics.jsonl: metrics over all tasks and, if there are several, of each one."""
    metrics = _metrics(step.groups, tasks)
    if len(tasks) > 1:
        for name in tasks:
            groups = [group for group in step.groups if group.task == name]
            if groups:
                metrics |= {f"{name}/{key}": value for key, value in _metrics(groups, tasks).items()}
    tokens = sum(len(c.token_ids) for group in step.groups for c in group.completions)
    seconds = sum(step.seconds.values())
    times = {f"time_{phase}": spent for phase, spent in step.seconds.items()}
    return {
        **metrics,
        "unanimous_advantage": _unanimous_share(step, tasks),
        **step.learned,
        "tokens": tokens,
        **times,
        "time_step": seconds,
        "time_tokens_per_second": tokens / seconds if seconds else 0.0,
    }


def _metrics(groups: Sequence[Group], tasks: Mapping[str, LoadedTask]) -> dict[str, Any]:
    completions = [completion for _, completion, _ in rows_of(groups)]
    scores = [score for _, _, score in rows_of(groups)]
    values = [score.value for score in scores if score.value is not None]
    judged = [tasks[group.task].scheme.is_right(score) for group in groups for score in group.scores]
    known = [right for right in judged if right is not None]
    statuses = Counter(str(score.status) for score in scores)
    return {
        "reward": statistics.fmean(values) if values else None,
        "reward_std": statistics.pstdev(values) if values else None,
        "accuracy": statistics.fmean(known) if known else None,
        "flat_groups": sum(map(group_is_flat, groups)) / len(groups),
        "left_out": 1 - len(values) / len(scores),
        "length": statistics.fmean(len(completion.token_ids) for completion in completions),
        **_lengths_by_answer(completions, judged),
        "self_checks": sum(bool(_SELF_CHECK.search(c.text)) for c in completions) / len(completions),
        "cut": sum(completion.finish_reason == "length" for completion in completions) / len(completions),
        **_part_metrics(groups, tasks),
        **_step_mark_metrics(scores),
        **{f"status/{status}": count / len(scores) for status, count in sorted(statuses.items())},
    }


def _lengths_by_answer(
    completions: Sequence[Completion], judged: Sequence[bool | None]
) -> dict[str, float | None]:
    """Return the mean length of right and of wrong completions, in tokens; None where there are none."""
    lengths: dict[bool | None, list[int]] = {True: [], False: [], None: []}
    for completion, right in zip(completions, judged, strict=True):
        lengths[right].append(len(completion.token_ids))
    return {
        f"length_{name}": statistics.fmean(lengths[right]) if lengths[right] else None
        for name, right in (("right", True), ("wrong", False))
    }


_SELF_CHECK = re.compile(
    r"\b(let me (re)?check|(re|double|cross)[- ]?check|let's (re)?check|verify|verification|to check|wait,)",
    re.IGNORECASE,
)
"""Matches what an answer says where it checks itself."""


def _unanimous_share(step: Step, tasks: Mapping[str, LoadedTask]) -> float | None:
    """Return the share of all |advantage| that is in groups whose completions are all right or all wrong."""
    sizes = [sum(abs(credit.mean) for credit in row) for row in step.credits]
    flat = [
        size for size, group in zip(sizes, step.groups, strict=True) if is_unanimous(group, tasks[group.task])
    ]
    return sum(flat) / sum(sizes) if sum(sizes) else None


def _part_metrics(groups: Sequence[Group], tasks: Mapping[str, LoadedTask]) -> dict[str, float | None]:
    """Return the mean known value of each entry, under `part/` or, where a task watches it, `watch/`."""
    watched = {name for group in groups for name in tasks[group.task].task.watch}
    values: dict[str, list[float]] = {}
    for _, _, score in rows_of(groups):
        for name, part in score.parts.items():
            known = values.setdefault(name, [])
            if part.value is not None:
                known.append(part.value)
    return {
        f"{'watch' if name in watched else 'part'}/{name}": statistics.fmean(known) if known else None
        for name, known in values.items()
    }


def _step_mark_metrics(scores: Sequence[Score]) -> dict[str, float | None]:
    """Return the mean number of steps, the mean mark, and the share of steps without a mark."""
    marked = [score.steps for score in scores if score.steps]
    if not marked:
        return {}
    marks = [mark.value for steps in marked for mark in steps if mark.value is not None]
    return {
        "steps": statistics.fmean(map(len, marked)),
        "step_mark": statistics.fmean(marks) if marks else None,
        "steps_unjudged": 1 - len(marks) / sum(map(len, marked)),
    }


class Monitor:
    """Watches a run's scored groups, raises alarms, and stops the run on bugs.

    Args:
        tasks: the training tasks, by name.
        state: what `state()` returned at a checkpoint; None for a new run.
    """

    def __init__(self, tasks: Mapping[str, LoadedTask], state: Mapping[str, Any] | None = None):
        self.tasks = tasks
        state = state or {}
        history = state.get("history", {})
        self._bugs: deque[int] = deque(state.get("bugs", ()), maxlen=BUG_WINDOW)
        self._history: dict[str, list[dict[str, float]]] = {
            name: list(history.get(name, ())) for name in tasks
        }
        self._raised: dict[str, int] = dict(state.get("raised", {}))
        self._failed: set[str] = set(state.get("failed", ()))
        """Entries with a failure that was not the completion's fault, as `TASK/ENTRY`."""
        self._ever_mixed = bool(state.get("ever_mixed", False))

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps, ready for JSON."""
        return {
            "bugs": list(self._bugs),
            "history": self._history,
            "raised": self._raised,
            "ever_mixed": self._ever_mixed,
            "failed": sorted(self._failed),
        }

    def stop_on_bugs(self, groups: Sequence[Group]) -> None:
        """Count the completions on which a reward function had a bug.

        Raises:
            RunError: there are too many; the message says where this step's first bug was raised.
        """
        first = None
        for group in groups:
            for score in group.scores:
                buggy = [(name, part) for name, part in score.parts.items() if part.status is Status.BUG]
                self._bugs.append(bool(buggy))
                if first is None and buggy:
                    first = (*buggy[0], group)
        if first is not None and sum(self._bugs) > BUG_SHARE * BUG_WINDOW:
            name, part, group = first
            raise RunError(
                f"reward {name!r} failed on {sum(self._bugs)} of the last {len(self._bugs)} completions,"
                f" {self._place(group)} among them: {failure_line(part)}; fix the function and start a new"
                " run"
            )

    def _place(self, group: Group) -> str:
        return place_of(self.tasks[group.task].problems, group.problem)

    def new_failures(self, groups: Sequence[Group]) -> list[str]:
        """Return a line on each entry that has failed for the first time, with the place of the failure."""
        lines = []
        for group in groups:
            for score in group.scores:
                for name, part in score.parts.items():
                    key = f"{group.task}/{name}"
                    if part.status in FAILURES and key not in self._failed:
                        self._failed.add(key)
                        lines.append(
                            f"reward {name!r} of {group.task} failed on {self._place(group)}:"
                            f" {failure_line(part)}; such rows are left out unless on_failure says otherwise"
                        )
        return lines

    def observe(self, step: int, groups: Sequence[Group]) -> list[Alarm]:
        """Add a finished step to the history, and return the alarms that it raises."""
        alarms: list[Alarm] = []
        for name, loaded in self.tasks.items():
            own_groups = [group for group in groups if group.task == name]
            if not own_groups:
                continue
            self._ever_mixed = self._ever_mixed or not all(map(group_is_flat, own_groups))
            history = self._history[name]
            history.append(summary_of(own_groups, loaded, step))
            # Only the first and the newest steps are ever compared, so those between them can be dropped.
            del history[WINDOW : -4 * WINDOW]
            for kind, message, rows in signs_of(loaded, own_groups, history, step):
                key = f"{name}/{kind}"
                if step - self._raised.get(key, -QUIET) >= QUIET:
                    self._raised[key] = step
                    shown = [shown_row(row) for row in distinct(rows)]
                    alarms.append(Alarm(kind.split(":")[0], step, name, message, shown))
        return alarms

    def never_learned(self, groups: Sequence[Group]) -> str | None:
        """Return why there was nothing to learn in the whole run; None if any group's rewards differed.

        The likely cause is inferred from `groups`, the groups of the last step.
        """
        if self._ever_mixed or not groups:
            return None
        return (
            "every group's rewards were equal in the whole run, so there was nothing to learn from them:"
            f" {flat_cause(groups)}"
        )
