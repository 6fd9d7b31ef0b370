"""What a run looks like from outside: metrics of a step, and alarms when a reward is being gamed.

An alarm never stops or changes training. It says what parted from what, with rows that show it.
Only a scheme with bugs stops a run: above 5 % of the last 256 rows.
"""

import statistics
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..rewards.score import Score, Status
from ..sandbox.errors import RunError
from ..tasks.problem import Completion, Problem
from .grpo import Step
from .rollout import Group, LoadedTask

BUG_WINDOW, BUG_SHARE = 256, 0.05
WINDOW = 5
"""Steps that a mean is taken over before anything is concluded."""
QUIET = 20
"""Steps before the same alarm is raised again."""
FAILURES = (Status.TIMEOUT, Status.MEMORY, Status.TOO_LARGE, Status.INFRA_ERROR, Status.ABSTAIN, Status.BUG)


@dataclass
class Alarm:
    """One observation, with the rows behind it."""

    kind: str
    step: int
    task: str
    message: str
    rows: list[dict[str, Any]] = field(default_factory=list)


Row = tuple[Problem, Completion, Score]


def rows_of(groups: Sequence[Group]) -> Iterator[Row]:
    """Yield every completion with its problem and score."""
    for group in groups:
        for completion, score in zip(group.completions, group.scores, strict=True):
            yield group.problem, completion, score


def group_is_flat(group: Group) -> bool:
    """Whether a group teaches nothing: fewer than two known rewards, or all equal."""
    known = {score.value for score in group.scores if score.value is not None}
    return len(known) < 2


def step_metrics(step: Step, tasks: Mapping[str, LoadedTask]) -> dict[str, Any]:
    """Return a step's metrics: of all rows, then of each task where there are several."""
    metrics = _metrics(step.groups, tasks)
    if len(tasks) > 1:
        for name in tasks:
            mine = [group for group in step.groups if group.task == name]
            metrics |= {f"{name}/{key}": value for key, value in _metrics(mine, tasks).items()} if mine else {}
    tokens = sum(len(c.token_ids) for group in step.groups for c in group.completions)
    seconds = sum(step.seconds.values())
    times = {f"time_{phase}": spent for phase, spent in step.seconds.items()}
    return {
        **metrics, **step.learned, "tokens": tokens,
        **times, "time_step": seconds, "time_tokens_per_second": tokens / seconds if seconds else 0.0,
    }  # fmt: skip


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
        metrics[f"part/{name}"] = statistics.fmean(known) if known else None
    return metrics | {f"status/{status}": count / len(rows) for status, count in sorted(statuses.items())}


class Monitor:
    """Watches a run for what a sound reward does not do."""

    def __init__(self, tasks: Mapping[str, LoadedTask], state: Mapping[str, Any] | None = None):
        self.tasks = tasks
        state = state or {}
        self._bugs: deque[int] = deque(state.get("bugs", ()), maxlen=BUG_WINDOW)
        self._history: dict[str, list[dict[str, float]]] = {n: list(state.get("history", {}).get(n, ())) for n in tasks}
        self._raised: dict[str, int] = dict(state.get("raised", {}))
        self._ever_mixed = bool(state.get("ever_mixed", False))

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {
            "bugs": list(self._bugs), "history": self._history, "raised": self._raised, "ever_mixed": self._ever_mixed
        }  # fmt: skip

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
            history.append(_summary(mine, loaded))
            del history[WINDOW : -4 * WINDOW]  # the start and the last steps are all that is compared
            raised = [*_hacked(loaded, mine, history), *_drifts(mine, history), *_flat(mine, history), *_failures(mine, history)]
            for kind, message, rows in raised:
                key = f"{name}/{kind}"
                if step - self._raised.get(key, -QUIET) >= QUIET:
                    self._raised[key] = step
                    alarms.append(Alarm(kind.split(":")[0], step, name, message, [_shown(row) for row in rows[:5]]))
        return alarms

    def never_learned(self, groups: Sequence[Group]) -> str | None:
        """Say why a whole run had no signal, if it had none: every group of every step was flat."""
        if self._ever_mixed or not groups:
            return None
        return f"every group's rewards were equal in the whole run, so nothing was learned: {_cause(groups)}"


Raised = tuple[str, str, list[Row]]


def _summary(groups: Sequence[Group], loaded: LoadedTask) -> dict[str, float]:
    rows = list(rows_of(groups))
    low, high = loaded.scheme.range
    scale = (high - low) or 1.0
    values = [(s.value - low) / scale for _, _, s in rows if s.value is not None]
    summary = {
        "reward": statistics.fmean(values) if values else 0.0,
        "spread": statistics.pstdev(values) if values else 0.0,
        "rows": float(len(rows)),
        "length": statistics.fmean(len(c.token_ids) or len(c.text) for _, c, _ in rows),
        "unread": sum(s.status in (Status.NO_ANSWER, Status.UNPARSABLE) for _, _, s in rows) / len(rows),
        "failed": sum(any(p.status in FAILURES for p in s.parts.values()) for _, _, s in rows) / len(rows),
        "flat": sum(map(group_is_flat, groups)) / len(groups),
    }
    for name in loaded.task.watch:
        known = [p.value for _, _, s in rows if (p := s.parts[name]).value is not None]
        summary[f"watch/{name}"] = statistics.fmean(known) if known else 0.0
        paid = [s for _, _, s in rows if s.value is not None and (s.value - low) / scale >= 0.9]
        summary[f"paid/{name}"] = float(len(paid))
        summary[f"unearned/{name}"] = float(sum(_fails(s, name) for s in paid))
    return summary


def _fails(score: Score, watch: str) -> bool:
    part = score.parts[watch]
    return part.verdict.correct is False if part.verdict is not None else part.value is not None and part.value <= 0


def _mean_of(history: Sequence[Mapping[str, float]], key: str) -> float:
    return statistics.fmean(summary.get(key, 0.0) for summary in history)


def _hacked(loaded: LoadedTask, groups: Sequence[Group], history: Sequence[Mapping[str, float]]) -> Iterator[Raised]:
    """Reward that a watched verifier does not confirm: paid for wrong answers, or rising alone."""
    if len(history) < WINDOW:
        return
    low, high = loaded.scheme.range
    recent = history[-WINDOW:]
    for name in loaded.task.watch:
        shown = [
            row for row in rows_of(groups)
            if row[2].value is not None and row[2].value >= low + 0.9 * (high - low) and _fails(row[2], name)
        ]  # fmt: skip
        paid, unearned = (sum(s[f"{key}/{name}"] for s in recent) for key in ("paid", "unearned"))
        if paid >= 16 and unearned / paid >= 0.25:
            yield (
                f"paid_but_wrong:{name}",
                f"{unearned / paid:.0%} of the completions that got full reward in the last {WINDOW} steps are wrong by"
                f" {name!r}: the reward pays for something else",
                shown,
            )
        before, after = history[:WINDOW], recent
        if len(history) >= 2 * WINDOW:
            gained = _mean_of(after, "reward") - _mean_of(before, "reward")
            confirmed = _mean_of(after, f"watch/{name}") - _mean_of(before, f"watch/{name}")
            noise = 2 * _mean_of(recent, "spread") / max(sum(s["rows"] for s in recent), 1) ** 0.5
            if gained > max(0.05, 2 * noise) and confirmed < 0.2 * gained:
                yield (
                    f"reward_parts_from_watch:{name}",
                    f"reward rose by {gained:.2f} of its range since the start, {name!r} by {confirmed:+.2f}: the"
                    " policy may be gaming the reward",
                    shown or list(rows_of(groups)),
                )


def _drifts(groups: Sequence[Group], history: Sequence[Mapping[str, float]]) -> Iterator[Raised]:
    if len(history) < 2 * WINDOW:
        return
    before, after = history[:WINDOW], history[-WINDOW:]
    was, now = _mean_of(before, "length"), _mean_of(after, "length")
    if was > 0 and not 0.5 <= now / was <= 2:
        longest = sorted(rows_of(groups), key=lambda row: len(row[1].text), reverse=now > was)
        yield "length_drift", f"completions went from {was:.0f} to {now:.0f} tokens on average", longest
    unread = _mean_of(after, "unread") - _mean_of(before, "unread")
    if unread > 0.2:
        shown = [row for row in rows_of(groups) if row[2].status in (Status.NO_ANSWER, Status.UNPARSABLE)]
        yield "format_drift", f"completions without a readable answer went up by {unread:.0%} of all", shown


def _flat(groups: Sequence[Group], history: Sequence[Mapping[str, float]]) -> Iterator[Raised]:
    if len(history) >= 3 and all(summary["flat"] == 1 for summary in history[-3:]):
        yield "all_groups_flat", f"no group has had different rewards for 3 steps: {_cause(groups)}", list(rows_of(groups))


def _cause(groups: Sequence[Group]) -> str:
    scores = [score for _, _, score in rows_of(groups)]
    status, count = Counter(score.status for score in scores).most_common(1)[0]
    if status is not Status.OK and count > len(scores) / 2:
        hint = "; is `extract` right for these answers?" if status is Status.NO_ANSWER else ""
        return f"{count} of {len(scores)} rows have status {status}{hint}"
    values = {score.value for score in scores}
    if len(values) == 1:
        return f"every reward is {values.pop()} (too easy, too hard, or a reward that does not look at the answer)"
    return "each problem is either always solved or never (look at pass@k with `markscheme sample`)"


def _failures(groups: Sequence[Group], history: Sequence[Mapping[str, float]]) -> Iterator[Raised]:
    share = _mean_of(history[-WINDOW:], "failed")
    if share > 0.1:
        shown = [row for row in rows_of(groups) if any(p.status in FAILURES for p in row[2].parts.values())]
        yield "failures", f"{share:.0%} of the rows of the last steps met a failure while they were scored", shown


def _shown(row: Row) -> dict[str, Any]:
    problem, completion, score = row
    return {
        "problem": problem.id, "prompt": str(problem.prompt)[-200:], "reference": problem.reference,
        "completion": completion.text, "value": score.value, "status": str(score.status),
        "parts": {name: {"value": part.value, "reason": part.reason} for name, part in score.parts.items()},
    }  # fmt: skip
