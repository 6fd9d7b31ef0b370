"""The rows of a report as columns: groups of completions, with texts and reasons that repeat stored once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...rewards.offline.table import ScoreTable
from ...rewards.rows.read_scores import ReadRow
from ...rewards.rows.scores import ScoreRow
from ...tasks.problem import said_by

SHOWN_ENDS = 400
"""Characters that a shortened text keeps at its start and at its end."""
REMARKABLE = 60
"""The worst groups, and as many of the best, that are always kept and whose texts are never shortened."""


@dataclass
class Source:
    """Score rows that a report shows: those of one task in a file or a run's folder."""

    path: Path
    name: str
    """What the page calls it."""
    table: ScoreTable
    disputed: set[int] = field(default_factory=set)
    """Numbers of rows whose mark is disputed from outside, such as by the other source of a comparison."""
    alarmed: dict[tuple[int, str], list[int]] = field(default_factory=dict)
    """By step and problem, the numbers of the alarms that show the group."""

    def group_means(self) -> Any:
        """Return the mean value of every group, NaN where no value is known."""
        known = np.isfinite(self.table.value)
        count = np.bincount(self.table.group, known, self.table.groups)
        total = np.bincount(self.table.group, np.where(known, self.table.value, 0.0), self.table.groups)
        return np.divide(total, count, out=np.full(self.table.groups, np.nan), where=count > 0)

    def remarkable(self) -> set[int]:
        """Return the groups that a reader wants to see first: the worst, the best, and disputed ones."""
        order = np.argsort(self.group_means(), kind="stable")
        ends = {*order[:REMARKABLE].tolist(), *order[-REMARKABLE:].tolist()}
        marked = (self.table.label >= 0) & (self.table.mark >= 0) & (self.table.label != self.table.mark)
        disputed = {*self.table.group[marked].tolist(), *self.table.group[sorted(self.disputed)].tolist()}
        return ends | set(sorted(disputed)[: 4 * REMARKABLE])

    def chosen(self, most: int) -> set[int]:
        """Return the groups that are shown if there may be at most so many rows: others are evenly spread."""
        sizes = np.bincount(self.table.group, minlength=self.table.groups)
        if sizes.sum() <= most:
            return set(range(self.table.groups))
        kept = self.remarkable()
        left = max(most - int(sizes[sorted(kept)].sum()), 0)
        count = min(int(left / max(float(sizes.mean()), 1.0)), self.table.groups)
        return kept | set(np.linspace(0, self.table.groups - 1, count).astype(int).tolist())


class PageRows:
    """Collects the rows of a report's sources."""

    def __init__(self) -> None:
        self.strings: dict[str, int] = {}
        self.groups: list[dict[str, Any]] = []
        self.left_out = 0
        """Rows that are not shown."""

    def _number(self, text: str) -> int:
        return self.strings.setdefault(text, len(self.strings))

    def add(self, source: Source, number: int, reads: Iterable[ReadRow], most: int) -> None:
        """Add the rows of a source, which must be those that its table was read from, in the same order."""
        chosen = source.chosen(most)
        remarkable = source.remarkable()
        advantages = source.table.advantages()
        found: dict[int, dict[str, Any]] = {}
        # The folder of a run that goes on may have more rows by now than its table.
        for i, read in zip(range(len(source.table)), reads, strict=False):
            group = int(source.table.group[i])
            if group not in chosen:
                self.left_out += 1
                continue
            row = read.row
            if group not in found:
                step, problem = row.step or 0, row.problem
                found[group] = {
                    "source": number,
                    "step": step,
                    "problem": problem,
                    "prompt": self._number(_asked(row)),
                    "reference": self._number(_reference(row)),
                    "alarms": source.alarmed.get((step, problem), []),
                    "keep": group in remarkable,
                    "rows": [],
                }
            found[group]["rows"].append(self._row(read, float(advantages[i]), i in source.disputed))
        self.groups += sorted(found.values(), key=lambda one: (one["problem"], one["step"]))

    def _row(self, read: ReadRow, advantage: float, disputed: bool) -> dict[str, Any]:
        row = read.row
        return {
            "text": row.prefill + row.completion,
            "value": row.value,
            "right": _mark(row.right),
            "disputed": self._number(_disputed(read, disputed)),
            "advantage": advantage,
            "tokens": row.tokens or 0,
            "status": self._number(row.status),
            "place": self._number(read.place.rpartition(":")[0]) if row.step is None else -1,
            "line": int(read.place.rpartition(":")[2]),
            "cut": int(row.finish_reason == "length"),
            "parts": {name: self._part(part) for name, part in row.parts.items()},
            "steps": [self._step(step, len(row.prefill)) for step in row.steps or ()],
        }

    def _part(self, part: dict[str, Any]) -> list[Any]:
        """Return a part as [value, weight, reason]."""
        return [_short(part["value"]), _short(part["weight"]), self._number(_said(part))]

    def _step(self, step: dict[str, Any], shift: int) -> list[Any]:
        """Return a step's mark as [start, end, value, advantage, reason]."""
        said = step.get("reason") or (step["status"] if step["status"] != "ok" else "")
        advantage = _short(step.get("advantage"))
        return [
            step["start"] + shift,
            step["end"] + shift,
            _short(step["value"]),
            advantage,
            self._number(said),
        ]

    def shortened(self) -> int:
        """Shorten the texts of groups that are not remarkable, and return how many were."""
        count = 0
        for group in self.groups:
            for row in () if group["keep"] or group["alarms"] else group["rows"]:
                if len(row["text"]) > 3 * SHOWN_ENDS:
                    left = len(row["text"]) - 2 * SHOWN_ENDS
                    head, tail = row["text"][:SHOWN_ENDS], row["text"][-SHOWN_ENDS:]
                    row["text"] = f"{head}\n[... {left} characters are not in this file ...]\n{tail}"
                    row["steps"] = []
                    count += 1
        return count

    def columns(self) -> dict[str, Any]:
        """Return groups and rows as columns, ready for JSON."""
        rows = [row for group in self.groups for row in group["rows"]]
        names = list(dict.fromkeys(name for row in rows for name in row["parts"]))
        return {
            "strings": list(self.strings),
            "entries": names,
            "groups": {
                name: [group[name] for group in self.groups]
                for name in ("source", "step", "problem", "prompt", "reference", "alarms")
            }
            | {"count": [len(group["rows"]) for group in self.groups]},
            "rows": {
                name: [_short(row[name]) for row in rows]
                for name in (
                    "text", "value", "right", "disputed", "advantage", "tokens", "status", "place",
                    "line", "cut",
                )
            }
            | {"parts": [[row["parts"].get(name) for row in rows] for name in names]}
            | {"steps": [row["steps"] for row in rows] if any(row["steps"] for row in rows) else []},
        }  # fmt: skip


_WORDS = {True: "right", False: "wrong"}


def _mark(mark: bool | None) -> int:
    return -1 if mark is None else int(mark)


def _short(value: Any) -> Any:
    """Return a number with at most five digits, since nothing on the page shows more."""
    return float(f"{value:.5g}") if isinstance(value, float) and not value.is_integer() else value


def _disputed(read: ReadRow, by_the_other: bool) -> str:
    """Return who contradicts a row's mark: its label, a watched entry or the other source; else nothing."""
    row = read.row
    entries = read.task_header.get("entries", {})
    said = [] if row.label in (None, row.right) else [f"labelled {_WORDS[row.label]}"]
    for name, part in row.parts.items():
        verdict = (part.get("verdict") or {}).get("correct")
        if entries.get(name, {}).get("watched") and verdict is not None and verdict is not row.right:
            said.append(f"{name} says {_WORDS[verdict]}")
    return ", ".join(said or (["the other one differs"] if by_the_other else []))


def _asked(row: ScoreRow) -> str:
    prompt = row.prompt
    if isinstance(prompt, Sequence) and not isinstance(prompt, str):
        return "\n\n".join(f"{one.get('role', '')}: {said_by(str(one.get('role')), [one])}" for one in prompt)
    return f"(not in the scores; hash {row.prompt_hash})" if prompt is None else str(prompt)


def _reference(row: ScoreRow) -> str:
    reference = row.reference
    return (
        ""
        if reference is None
        else " or ".join(map(str, reference))
        if isinstance(reference, list)
        else str(reference)
    )


def _said(part: dict[str, Any]) -> str:
    """Return what a part says of its value: its reason, the answer that was judged, and the evidence."""
    verdict = part.get("verdict") or {}
    evidence = verdict.get("evidence") or {}
    failed = evidence.get("first_failed") or {}
    detail = part.get("detail") or {}
    said = [
        part["reason"] or part["status"],
        f"status {part['status']}" if part["status"] not in ("ok", part["reason"]) else "",
        f"read: {verdict['extracted'][:200]}" if verdict.get("extracted") else "",
        f"by {verdict['tier']}" if verdict.get("tier") else "",
        f"{verdict['share']:.0%} of the tests" if verdict.get("share") is not None else "",
        str(evidence.get("error", ""))[:300],
        f"case {failed['case'] + 1}: {str(failed['said']).strip()[-200:]}" if failed else "",
        f"decided by {detail['decided_by']}" if detail.get("decided_by") else "",
    ]
    return "; ".join(filter(None, said))
