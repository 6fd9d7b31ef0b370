"""Recognising the signs of a reward that is being gamed, one function for each kind of alarm.

Pure functions of the newest step's groups and of the summaries of a task's steps so far (`step_summary.py`),
oldest first. `monitor.py` keeps these summaries, and decides whether a sign becomes an alarm.
"""

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ....rewards.score import Status
from ....sandbox.display import number
from ...loop.rollout import Group, LoadedTask
from .step_summary import UNREAD, Row, failed, is_paid, is_wrong_by, rows_of

WINDOW = 5
"""Steps over which a quantity is averaged before it is compared."""

History = Sequence[Mapping[str, float]]
Raised = tuple[str, str, list[Row]]
"""The alarm's kind (with `:ENTRY` where it is about a watched entry), its message, the rows that show it."""


def signs_of(loaded: LoadedTask, groups: Sequence[Group], history: History, step: int) -> list[Raised]:
    """Return every sign that the newest steps show.

    Args:
        loaded: the task.
        groups: its groups in the newest step; the rows of an alarm are taken from them.
        history: the summaries of its steps, the newest one last; see `summary_of`.
        step: the number of the newest step.
    """
    return [
        *_paid_but_wrong(loaded, groups, history, step),
        *_reward_parts_from_watch(loaded, groups, history),
        *_length_drift(groups, history),
        *_format_drift(groups, history),
        *_step_drift(groups, history),
        *_marks_part_from_answers(groups, history),
        *_all_groups_flat(groups, history),
        *_failures(groups, history),
    ]


def _mean_of(history: History, key: str) -> float:
    return statistics.fmean(summary.get(key, 0.0) for summary in history)


def _start_and_end(history: History) -> tuple[History, History] | None:
    """Return the first and the last `WINDOW` summaries; None while they would overlap."""
    if len(history) < 2 * WINDOW:
        return None
    return history[:WINDOW], history[-WINDOW:]


def _paid_but_wrong(
    loaded: LoadedTask, groups: Sequence[Group], history: History, step: int
) -> Iterator[Raised]:
    """Yield an alarm if a watched entry calls a quarter of at least 16 fully paid completions wrong."""
    if len(history) < WINDOW:
        return
    recent = history[-WINDOW:]
    low, high = loaded.scheme.range_at(step)
    for name in loaded.task.watch:
        # An entry that is watched since the run was resumed is not in the earlier summaries.
        paid = sum(summary.get(f"paid/{name}", 0) for summary in recent)
        unearned = sum(summary.get(f"unearned/{name}", 0) for summary in recent)
        if paid >= 16 and unearned / paid >= 0.25:
            message = (
                f"of the completions that got nearly full reward in the last {WINDOW} steps, {name!r} calls"
                f" {unearned / paid:.0%} wrong: the reward pays for something else"
            )
            shown = [
                row for row in rows_of(groups) if is_paid(row[2], low, high) and is_wrong_by(row[2], name)
            ]
            yield f"paid_but_wrong:{name}", message, shown


def _reward_parts_from_watch(
    loaded: LoadedTask, groups: Sequence[Group], history: History
) -> Iterator[Raised]:
    """Yield an alarm if the reward has risen, but a watched entry by less than a fifth of that."""
    windows = _start_and_end(history)
    if windows is None:
        return
    before, after = windows
    if after[-1]["finite"]:
        unit, smallest, measure = 1.0, 0.05, "of its range"
    else:
        # A reward without a finite range is measured in its standard deviations in the first steps.
        unit, smallest, measure = _mean_of(before, "spread") or 1.0, 0.5, "standard deviations"
    gain = (_mean_of(after, "reward") - _mean_of(before, "reward")) / unit
    rows_after = max(sum(summary["rows"] for summary in after), 1)
    standard_error = _mean_of(after, "spread") / unit / rows_after**0.5
    if gain <= max(smallest, 4 * standard_error):
        return
    rows = list(rows_of(groups))
    for name in loaded.task.watch:
        now = _mean_of(after, f"watch/{name}")
        confirmed = now - _mean_of(before, f"watch/{name}")
        has_room = now < 0.95  # an entry at its top cannot rise any further
        if f"watch/{name}" in before[0] and confirmed < 0.2 * gain and has_room:
            message = (
                f"since the start of the run the reward rose by {gain:.2f} {measure}, but {name!r} by"
                f" {confirmed:+.2f}: the policy may be gaming the reward"
            )
            wrong = [row for row in rows if is_wrong_by(row[2], name)]
            yield f"reward_parts_from_watch:{name}", message, wrong or rows


def _length_drift(groups: Sequence[Group], history: History) -> Iterator[Raised]:
    """Yield an alarm if the mean length of completions has more than doubled or more than halved."""
    windows = _start_and_end(history)
    if windows is None:
        return
    was, now = (_mean_of(window, "length") for window in windows)
    if was > 0 and not 0.5 <= now / was <= 2:
        message = f"the mean length of completions went from {was:.0f} to {now:.0f} tokens"
        rows = sorted(rows_of(groups), key=lambda row: len(row[1].text), reverse=now > was)
        yield "length_drift", message, rows


def _format_drift(groups: Sequence[Group], history: History) -> Iterator[Raised]:
    """Yield an alarm if the share of completions without a readable answer has risen by more than 0.2."""
    windows = _start_and_end(history)
    if windows is None:
        return
    was, now = (_mean_of(window, "unread") for window in windows)
    if now - was > 0.2:
        message = f"the share of completions without a readable answer went from {was:.0%} to {now:.0%}"
        yield "format_drift", message, [row for row in rows_of(groups) if row[2].status in UNREAD]


def _marks_steps(history: History) -> bool:
    return all("steps" in summary for summary in history)


def _step_drift(groups: Sequence[Group], history: History) -> Iterator[Raised]:
    """Yield an alarm if the mean number of marked steps has more than doubled or more than halved."""
    windows = _start_and_end(history)
    if windows is None or not all(map(_marks_steps, windows)):
        return
    was, now = (_mean_of(window, "steps") for window in windows)
    if not 0.5 <= now / was <= 2:
        message = f"the mean number of steps in a completion went from {was:.1f} to {now:.1f}"
        rows = sorted(rows_of(groups), key=lambda row: len(row[2].steps or ()), reverse=now > was)
        yield "step_drift", message, rows


def _marks_part_from_answers(groups: Sequence[Group], history: History) -> Iterator[Raised]:
    """Yield an alarm if the marks of steps have risen, but right answers by less than a fifth of that."""
    windows = _start_and_end(history)
    if windows is None or not all(map(_marks_steps, windows)):
        return
    before, after = windows
    better = _mean_of(after, "marks") - _mean_of(before, "marks")
    right = _mean_of(after, "right") - _mean_of(before, "right")
    has_room = _mean_of(after, "right") < 0.95
    if better > 0.1 and right < 0.2 * better and has_room:
        message = (
            f"since the start of the run the mean mark of steps rose by {better:.2f}, but the share of right"
            f" answers by {right:+.2f}: the policy may be gaming the marks"
        )
        yield "marks_part_from_answers", message, list(rows_of(groups))


def _all_groups_flat(groups: Sequence[Group], history: History) -> Iterator[Raised]:
    """Yield an alarm if all groups of the last 3 or more steps, at least 16 groups, were flat.

    In fewer steps or groups that may be chance.
    """
    seen = 0.0
    for steps, summary in enumerate(reversed(history), 1):
        if summary["flat"] < 1:
            return
        seen += summary["groups"]
        if steps >= 3 and seen >= 16:
            message = f"no group had different rewards in the last {steps} steps: {flat_cause(groups)}"
            yield "all_groups_flat", message, list(rows_of(groups))
            return


def flat_cause(groups: Sequence[Group]) -> str:
    """Return the likely reason why the rewards within each group are equal."""
    scores = [score for _, _, score in rows_of(groups)]
    status, count = Counter(score.status for score in scores).most_common(1)[0]
    if status is not Status.OK and count > len(scores) / 2:
        hint = "; is `extract` right for these answers?" if status is Status.NO_ANSWER else ""
        return f"{count} of {len(scores)} completions have status {status}{hint}"
    values = {score.value for score in scores}
    if len(values) == 1:
        cause = "the task is too easy or too hard, or the reward does not depend on the answer"
        return f"every reward is {number(values.pop())} ({cause})"
    return "each problem is either always solved or never (see pass@k of `markscheme sample`)"


def _failures(groups: Sequence[Group], history: History) -> Iterator[Raised]:
    """Yield an alarm if scoring failed for more than a tenth of the completions of the last steps."""
    recent = history[-WINDOW:]
    share = _mean_of(recent, "failed")
    if share > 0.1:
        message = f"scoring failed for {share:.0%} of the completions of the last {len(recent)} step(s)"
        yield "failures", message, [row for row in rows_of(groups) if failed(row[2])]


def distinct(rows: Sequence[Row], most: int = 5) -> list[Row]:
    """Return the first `most` rows with different completion texts."""
    first_by_text: dict[str, Row] = {}
    for row in rows:
        first_by_text.setdefault(row[1].text, row)
    return list(first_by_text.values())[:most]


def shown_row(row: Row) -> dict[str, Any]:
    """Return a row as alarms.jsonl shows it; of a long prompt, the last 200 characters."""
    problem, completion, score = row
    return {
        "problem": problem.id,
        "prompt": str(problem.prompt)[-200:],
        "reference": problem.reference,
        "completion": completion.text,
        "value": score.value,
        "status": str(score.status),
        "parts": {name: {"value": part.value, "reason": part.reason} for name, part in score.parts.items()},
    }
