"""`markscheme audit`: another tool's log, evaluated as it was marked and as a task of ours marks it."""

import argparse
import tempfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from ....rewards.lineage import lineage_of
from ....rewards.offline.audit import recorded_row, remarked
from ....rewards.offline.evaluation import evaluate_table
from ....rewards.rows.scores import Lineage, header_row
from ....rewards.rows.trainer_logs import LoggedRow, read_log
from ....rewards.scheme import MarkScheme
from ....sandbox.errors import DataError, TaskError
from ....tasks.load_task import load_task
from ...report.evaluation_text import evaluation_lines, row_line
from ...report.page import page, write_page
from ...report.page_data import MOST_ROWS, report_data
from ..output import GOOD, show
from ..row_output import BadRows, RowOutput, publish, row_bar
from .evaluating import as_json, read_table, rows_at

SHOWN = 10


def audit(args: argparse.Namespace) -> int:
    """Evaluate a log by its recorded marks and, with a task, mark its completions again and compare."""
    if args.report and not args.task:
        raise TaskError(
            "audit --report needs --task: it shows the log's marks beside those of a task of ours"
        )
    bad, result = BadRows(), {}
    lines: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        recorded, ours = Path(folder) / "recorded.jsonl", Path(folder) / "ours.jsonl"
        _write(args, bad, str(recorded), str(ours))
        if args.output:
            publish(ours if args.task else recorded, args.output)
        table = read_table(recorded, None, bad)
        found = evaluate_table(table)
        lines.append(
            f"as {args.source} recorded it" + (", against our marks as labels:" if args.task else ":")
        )
        lines += evaluation_lines(found)
        result["recorded"] = as_json(found)
        if args.task and found.labels is not None:
            wrongly, more = _paid_wrongly(recorded, ours, table, found.labels.differing)
            result["paid_wrongly"], lines = wrongly, lines + more
        if args.task:
            again = evaluate_table(read_table(ours, None, bad))
            lines += [f"as {args.task} marks it:", *evaluation_lines(again)]
            result["ours"] = as_json(again)
            if args.report:
                data = report_data([recorded, ours], task=None, most=MOST_ROWS, on_bad=bad.add, audit=True)
                write_page(Path(args.report), page(f"audit of {', '.join(args.logs)}", data))
                lines.append(f"written to {args.report}")
    result["skipped"] = bad.count
    if args.output:
        lines.append(f"written to {args.output}")
    show(args, result, [*lines, *bad.lines()])
    return GOOD


def _write(args: argparse.Namespace, bad: BadRows, recorded: str, ours: str) -> None:
    """Write the log's completions as score rows: with the recorded marks and, with a task, with ours."""
    on_bad = bad.add if args.skip_bad else None
    logs = (read_log(Path(log), args.source, only_filter=args.filter, on_bad=on_bad) for log in args.logs)
    logged: Iterator[LoggedRow] = chain.from_iterable(logs)
    try:
        weights = [float(weight) for weight in args.weights.split(",")] if args.weights else []
    except ValueError as error:
        raise TaskError(f"--weights: expected numbers, such as 1,0.5 (given: {args.weights!r})") from error
    nothing = Lineage(args.source, args.source, {})
    header, pairs, target = header_row("scores", [nothing]), ((row, None) for row in logged), None
    if args.task:
        task = load_task(args.task, overrides=args.overrides, allow_code=args.allow_code)
        scheme = MarkScheme(task)
        lineage = lineage_of(scheme)
        pairs = remarked(scheme, lineage, logged, args.split, on_bad)
        header, target = header_row("scores", [lineage], overrides=args.overrides), ours
    count = 0
    with (
        RowOutput(recorded, header_row("scores", [nothing])) as theirs,
        RowOutput(target, header) as own,
        row_bar(None) as bar,
    ):
        for row, mine in pairs:
            if mine is not None or not args.task:
                theirs.write(recorded_row(row, args.source, args.right, weights, mine))
                bar.add(None if mine is None else mine["right"], False)
                count += 1
            if mine is not None:
                own.write(mine)
    if not count:
        raise DataError(f"{', '.join(args.logs)}: no completion can be used\n" + "\n".join(bad.first[:5]))


def _paid_wrongly(
    recorded: Path, ours: Path, table: Any, differing: list[int]
) -> tuple[dict[str, Any], list[str]]:
    """Return how many completions were marked differently there, and lines on those that counted most."""
    paid = [row for row in differing if table.mark[row] == 1]
    missed = [row for row in differing if table.mark[row] == 0]
    advantages = table.advantages()
    lines = [
        f"  {len(paid)} completion(s) were called right there that are wrong by our marks,"
        f" {len(missed)} wrong that are right; first those that a training felt most:"
    ]
    shown = differing[:SHOWN]
    places = [table.place(row) for row in shown]
    theirs = rows_at(recorded, places)
    sources = [theirs[place].row.place or "" for place in places]
    mine = rows_at(ours, sources, by_source=True)
    for row, source in zip(shown, sources, strict=True):
        said = "right" if table.mark[row] == 1 else "wrong"
        read = mine[source].row
        text = " ".join(read.completion.split())[-80:]
        lines.append(
            f"    {row_line(source, read)}, {said} there, advantage {advantages[row]:+.2f}: ...{text!r}"
        )
    return {"called_right_but_wrong": len(paid), "called_wrong_but_right": len(missed)}, lines
