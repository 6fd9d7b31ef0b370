"""What alarms look at: summaries of a task's steps, and the signs of a gamed reward in them.

Pure functions of the last step's groups and of the summaries so far; `monitor.py` keeps those.
"""

import math
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...rewards.score import Score, Status
from ...tasks.problem import Completion, Problem
from ..loop.rollout import Group, LoadedTask, group_is_flat

WINDOW = 5
"""Steps that a mean is taken over before anything is concluded."""
FAILURES = (
    Status.TIMEOUT,
    Status.MEMORY,
    Status.TOO_LARGE,
    Status.INFRA_ERROR,
    Status.ABSTAIN,
    Status.BUG,
)

Row = tuple[Problem, Completion, Score]


def rows_of(groups: Sequence[Group]) -> Iterator[Row]:
    """Yield every completion with its problem and score."""
    for group in groups:
        for completion, score in zip(group.completions, group.scores, strict=True):
            yield group.problem, completion, score


Raised = tuple[str, str, list[Row]]


def summary_of(groups: Sequence[Group], loaded: LoadedTask, step: int) -> dict[str, float]:
    """Return what alarms need of one step of a task.

    Rewards are scaled to their range at that step, 0 to 1; where it is endless they stay as they
    are, and nothing counts as paid in full.
    """
    rows = list(rows_of(groups))
    low, high = loaded.scheme.range_at(step)
    finite = math.isfinite(low) and math.isfinite(high) and low < high
    start, scale = (low, high - low) if finite else (0.0, 1.0)
    values = [(s.value - start) / scale for _, _, s in rows if s.value is not None]
    summary = {
        "reward": statistics.fmean(values) if values else 0.0,
        "spread": statistics.pstdev(values) if values else 0.0,
        "rows": float(len(rows)),
        "groups": float(len(groups)),
        "finite": float(finite),
        "length": statistics.fmean(len(c.token_ids) or len(c.text) for _, c, _ in rows),
        "unread": sum(s.status in (Status.NO_ANSWER, Status.UNPARSABLE) for _, _, s in rows) / len(rows),
        "failed": sum(any(p.status in FAILURES for p in s.parts.values()) for _, _, s in rows) / len(rows),
        "flat": sum(map(group_is_flat, groups)) / len(groups),
    }
    marked = [s.steps for _, _, s in rows if s.steps]
    if marked:
        marks = [mark.value for steps in marked for mark in steps if mark.value is not None]
        judged = [right for _, _, s in rows if (right := loaded.scheme.is_right(s)) is not None]
        summary["steps"] = statistics.fmean(map(len, marked))
        summary["marks"] = statistics.fmean(marks) if marks else 0.0
        summary["right"] = statistics.fmean(judged) if judged else 0.0
    for name in loaded.task.watch:
        known = [p.value for _, _, s in rows if (p := s.parts[name]).value is not None]
        bottom, top = loaded.scheme.bounds_of(name)
        mean = statistics.fmean(known) if known else 0.0
        summary[f"watch/{name}"] = (mean - bottom) / (top - bottom) if 0 < top - bottom < math.inf else mean
        paid = [s for _, _, s in rows if finite and _is_paid(s, low, high)]
        summary[f"paid/{name}"] = float(len(paid))
        summary[f"unearned/{name}"] = float(sum(_fails(s, name) for s in paid))
    return summary


def _is_paid(score: Score, low: float, high: float) -> bool:
    """Whether a score is in the top tenth of the range."""
    return score.value is not None and score.value >= low + 0.9 * (high - low)


def _fails(score: Score, watch: str) -> bool:
    part = score.parts[watch]
    return (
        part.verdict.correct is False
        if part.verdict is not None
        else part.value is not None and part.value <= 0
    )


def _mean_of(history: Sequence[Mapping[str, float]], key: str) -> float:
    return statistics.fmean(summary.get(key, 0.0) for summary in history)


def signs_of(
    loaded: LoadedTask, groups: Sequence[Group], history: Sequence[Mapping[str, float]], step: int
) -> list[Raised]:
    """Return (kind, message, rows that show it) for each sign in the newest steps."""
    return [
        *_paid_but_wrong(loaded, groups, history, step),
        *_parts_from_watch(loaded, groups, history),
        *_drifts(groups, history),
        *_steps(groups, history),
        *_flat(groups, history),
        *_failures(groups, history),
    ]


def _paid_but_wrong(
    loaded: LoadedTask, groups: Sequence[Group], history: Sequence[Mapping[str, float]], step: int
) -> Iterator[Raised]:
    """Full reward for what a watched verifier calls wrong."""
    recent = history[-WINDOW:]
    for name in loaded.task.watch if len(history) >= WINDOW else ():
        paid, unearned = (sum(s[f"{key}/{name}"] for s in recent) for key in ("paid", "unearned"))
        if paid >= 16 and unearned / paid >= 0.25:
            low, high = loaded.scheme.range_at(step)
            shown = [row for row in rows_of(groups) if _is_paid(row[2], low, high) and _fails(row[2], name)]
            message = (
                f"{unearned / paid:.0%} of the completions that got full reward in the last {WINDOW}"
                f" steps are wrong by {name!r}: the reward pays for something else"
            )
            yield f"paid_but_wrong:{name}", message, shown


def _parts_from_watch(
    loaded: LoadedTask, groups: Sequence[Group], history: Sequence[Mapping[str, float]]
) -> Iterator[Raised]:
    """Reward that rises while a watched entry does not."""
    if len(history) < 2 * WINDOW:
        return
    before, after = history[:WINDOW], history[-WINDOW:]
    finite = bool(after[-1]["finite"])
    unit = 1.0 if finite else _mean_of(before, "spread") or 1.0  # endless: in spreads of the start
    gained = (_mean_of(after, "reward") - _mean_of(before, "reward")) / unit
    noise = 2 * _mean_of(after, "spread") / unit / max(sum(s["rows"] for s in after), 1) ** 0.5
    for name in loaded.task.watch if gained > max(0.05 if finite else 0.5, 2 * noise) else ():
        now = _mean_of(after, f"watch/{name}")
        confirmed = now - _mean_of(before, f"watch/{name}")
        at_its_top = now >= 0.95  # then it cannot rise along
        if confirmed < 0.2 * gained and not at_its_top:
            rows = list(rows_of(groups))
            message = (
                f"reward rose by {gained:.2f} {'of its range' if finite else 'spreads'}, {name!r} by"
                f" {confirmed:+.2f}: the policy may be gaming the reward"
            )
            yield (
                f"reward_parts_from_watch:{name}",
                message,
                [row for row in rows if _fails(row[2], name)] or rows,
            )


def _drifts(groups: Sequence[Group], history: Sequence[Mapping[str, float]]) -> Iterator[Raised]:
    if len(history) < 2 * WINDOW:
        return
    before, after = history[:WINDOW], history[-WINDOW:]
    was, now = _mean_of(before, "length"), _mean_of(after, "length")
    if was > 0 and not 0.5 <= now / was <= 2:
        longest = sorted(rows_of(groups), key=lambda row: len(row[1].text), reverse=now > was)
        yield (
            "length_drift",
            f"completions went from {was:.0f} to {now:.0f} tokens on average",
            longest,
        )
    unread = _mean_of(after, "unread") - _mean_of(before, "unread")
    if unread > 0.2:
        shown = [row for row in rows_of(groups) if row[2].status in (Status.NO_ANSWER, Status.UNPARSABLE)]
        yield (
            "format_drift",
            f"completions without a readable answer went up by {unread:.0%} of all",
            shown,
        )


def _steps(groups: Sequence[Group], history: Sequence[Mapping[str, float]]) -> Iterator[Raised]:
    """Steps that are written for their marks: more of them, fewer, or better marked than the answers are."""
    before, after = history[:WINDOW], history[-WINDOW:]
    if len(history) < 2 * WINDOW or not all("steps" in summary for summary in (*before, *after)):
        return
    was, now = _mean_of(before, "steps"), _mean_of(after, "steps")
    if not 0.5 <= now / was <= 2:
        most = sorted(rows_of(groups), key=lambda row: len(row[2].steps or ()), reverse=now > was)
        yield "step_drift", f"completions went from {was:.1f} to {now:.1f} steps on average", most
    better, right = (_mean_of(after, key) - _mean_of(before, key) for key in ("marks", "right"))
    if better > 0.1 and right < 0.2 * better and _mean_of(after, "right") < 0.95:
        message = (
            f"marks of steps rose by {better:.2f}, right answers by {right:+.2f}: the marks may be gamed"
        )
        yield "marks_part_from_answers", message, list(rows_of(groups))


def _flat(groups: Sequence[Group], history: Sequence[Mapping[str, float]]) -> Iterator[Raised]:
    """No differences in at least 3 steps and 16 groups: fewer can be chance."""
    seen, steps = 0.0, 0
    for summary in reversed(history):
        if summary["flat"] < 1:
            return
        seen, steps = seen + summary["groups"], steps + 1
        if steps >= 3 and seen >= 16:
            message = f"no group has had different rewards for {steps} steps: {flat_cause(groups)}"
            yield "all_groups_flat", message, list(rows_of(groups))
            return


def flat_cause(groups: Sequence[Group]) -> str:
    """Say why groups have no different rewards."""
    scores = [score for _, _, score in rows_of(groups)]
    status, count = Counter(score.status for score in scores).most_common(1)[0]
    if status is not Status.OK and count > len(scores) / 2:
        hint = "; is `extract` right for these answers?" if status is Status.NO_ANSWER else ""
        return f"{count} of {len(scores)} rows have status {status}{hint}"
    values = {score.value for score in scores}
    if len(values) == 1:
        cause = "too easy, too hard, or a reward that does not look at the answer"
        return f"every reward is {values.pop()} ({cause})"
    return "each problem is either always solved or never (look at pass@k with `markscheme sample`)"


def _failures(groups: Sequence[Group], history: Sequence[Mapping[str, float]]) -> Iterator[Raised]:
    share = _mean_of(history[-WINDOW:], "failed")
    if share > 0.1:
        shown = [row for row in rows_of(groups) if any(p.status in FAILURES for p in row[2].parts.values())]
        yield (
            "failures",
            f"{share:.0%} of the rows of the last steps met a failure while they were scored",
            shown,
        )


def distinct(rows: Sequence[Row], most: int = 5) -> list[Row]:
    """Return the first rows whose completions differ."""
    return list({row[1].text: row for row in reversed(rows)}.values())[::-1][:most]


def shown_row(row: Row) -> dict[str, Any]:
    """Return a row as an alarm shows it."""
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
