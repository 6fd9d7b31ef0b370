"""`markscheme rescore`: recomputing the scores of a file, and explaining every one that has changed."""

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

from ....rewards.lineage import lineage_of
from ....rewards.offline.rescore import Change, rescored
from ....rewards.rows.read_scores import ReadRow, read_scores
from ....rewards.rows.scores import Lineage, header_row
from ....rewards.scheme import MarkScheme
from ....sandbox.errors import DataError, TaskError
from ....tasks.load_task import load_task
from ....tasks.reward_entries import PROCESS
from ...report.evaluation_text import row_line
from ..output import CHECK_FAILED, GOOD, show
from ..row_output import BadRows, RowOutput, count_lines, row_bar

SHOWN = 20


def rescore(args: argparse.Namespace) -> int:
    """Score the rows of a file again; with `--diff`, fail if any score has changed."""
    if not args.diff and not args.output:
        raise TaskError("rescore: give -o FILE for the new scores, --diff to see what has changed, or both")
    path, bad = Path(args.scores), BadRows()
    schemes = Schemes(args)
    rows = read_scores(path, on_bad=bad.add if args.skip_bad else None)
    first = next(rows, None)
    if first is None:
        raise DataError(f"{path}: no row can be read\n" + "\n".join(bad.first[:5]))
    schemes.load_all(first)
    reasons: Counter[str] = Counter()
    flips: Counter[str] = Counter()
    shown: list[str] = []
    count = 0
    header = header_row("scores", schemes.lineages(), overrides=schemes.overrides)
    with (
        RowOutput(args.output, header, resumable=False) as output,
        row_bar(count_lines(path, None)) as bar,
    ):
        for row, change in rescored(_with_first(first, rows), schemes.of):
            count += 1
            output.write(row)
            bar.add(row["right"], any(part["status"] == "bug" for part in row["parts"].values()))
            if change is not None:
                reasons.update(set(change.reasons))
                flips[f"{_word(change.old.right)} -> {_word(row['right'])}"] += 1
                if len(shown) < SHOWN:
                    shown += _change_lines(change)
    changed = sum(flips.values())
    result = {
        "rows": count,
        "identical": count - changed,
        "changed": changed,
        "marks": dict(flips),
        "reasons": dict(reasons.most_common()),
        "skipped": bad.count,
    }
    lines = [f"{count} rows of {path}: {count - changed} identical, {changed} changed"]
    if changed and args.diff:
        lines.append(f"  marks: {', '.join(f'{name} {n}' for name, n in flips.most_common())}")
        lines += [f"  {n} because of {reason}" for reason, n in reasons.most_common(SHOWN)]
        lines += shown
    if args.output:
        lines.append(f"  written to {args.output}")
    show(args, result, [*lines, *bad.lines()])
    return CHECK_FAILED if args.diff and changed else GOOD


def _with_first(first: ReadRow, rows: Any) -> Any:
    yield first
    yield from rows


def _word(mark: bool | None) -> str:
    return {True: "right", False: "wrong", None: "undecided"}[mark]


def _change_lines(change: Change) -> list[str]:
    old, new = change.old, change.new
    value = f"{_value(old.value)} -> {_value(new['value'])}"
    said = row_line(change.place, old.model_copy(update={"parts": new["parts"], "right": new["right"]}))
    return [f"    {said}, was {_word(old.right)}, value {value}: {'; '.join(change.reasons)}"]


def _value(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"


class Schemes:
    """The schemes that the rows' tasks have now, each loaded once."""

    def __init__(self, args: argparse.Namespace):
        self._args = args
        self._known: dict[str, tuple[MarkScheme, Lineage]] = {}
        self.overrides: list[str] = list(args.overrides)

    def lineages(self) -> list[Lineage]:
        """Return the lineages of the schemes that were loaded."""
        return [lineage for _, lineage in self._known.values()]

    def load_all(self, first: ReadRow) -> None:
        """Load every task that the header names, so that the new file's header has them all."""
        for name in first.header.get("tasks", {}):
            self.of(ReadRow(first.place, first.row.model_copy(update={"task": name}), first.header))
        self.of(first)

    def of(self, read: ReadRow) -> tuple[MarkScheme, Lineage]:
        """Return the scheme of a row's task, from `--task`, or else from the file that the header names.

        Raises:
            TaskError: neither names it, or `--task` is another task.
        """
        name = read.row.task
        if name not in self._known:
            file = self._args.task or read.task_header.get("file")
            if file is None:
                raise TaskError(
                    f"{read.place}: the file does not say where task {name!r} is; give --task FILE"
                )
            before = read.header.get("overrides", [])
            if not self._args.task and not self._args.overrides:
                self.overrides = before
            overrides = [*before, *self._args.overrides]
            task = load_task(file, overrides=overrides, allow_code=self._args.allow_code)
            if task.name != name:
                raise DataError(
                    f"{read.place}: the row is of task {name!r}, and {file} is task {task.name!r}"
                )
            # Runs that learn from outcomes do not mark steps.
            scheme = MarkScheme(task, process=PROCESS in read.row.parts)
            self._known[name] = scheme, lineage_of(scheme)
        return self._known[name]
