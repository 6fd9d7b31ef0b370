"""`markscheme score`: scoring a file of completions, and comparing the scores with labels."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ....rewards.lineage import lineage_of
from ....rewards.offline.scoring import ScoreSummary, faults_with, scored_rows
from ....rewards.rows.completions import Answer, check_exists, read_answers
from ....rewards.rows.scores import header_row
from ....rewards.scheme import MarkScheme
from ....sandbox.errors import DataError, first_of
from ....tasks.load_task import load_task
from ....tasks.schema import Task
from ...report.evaluation_text import step_figures
from ..output import CHECK_FAILED, GOOD, WRONG_USE, show
from ..row_output import BadRows, RowOutput, count_lines, row_bar


def score(args: argparse.Namespace) -> int:
    """Score the completions of a file; fail if a reward has a bug."""
    bad = BadRows()
    task, summary, step_faults = write_scores(args, args.output, bad, resume=args.resume)
    result = {"task": task.name, "hash": task.hash, **summary.result(), "skipped": bad.count}
    if "label" in result:
        result["label"] = {"column": args.label or "label", **result["label"]}
    if args.step_labels:
        result["step_labels"] = {"column": args.step_labels, **summary.steps.result().as_dict()}
    show(args, result, [*_lines(result, args.output), *bad.lines()])
    if step_faults:
        count = f"{len(step_faults)} row(s) cannot be compared"
        print(f"error: {count}:\n{first_of(step_faults)}", file=sys.stderr)
        return GOOD if args.skip_bad else WRONG_USE
    if summary.bugs:
        print(
            f"error: {summary.bugs} value(s) are bugs of a reward; the first: {summary.first_bug}",
            file=sys.stderr,
        )
        return CHECK_FAILED
    return GOOD


def write_scores(
    args: argparse.Namespace, target: str | None, bad: BadRows, *, resume: bool = False
) -> tuple[Task, ScoreSummary, list[str]]:
    """Score the completions that a command names, and write the rows to `target`.

    Returns:
        The task, a summary of the rows, and why labels of steps do not fit the steps of some rows.
    """
    task = load_task(args.task, overrides=args.overrides, allow_code=args.allow_code)
    scheme = MarkScheme(task)
    lineage = lineage_of(scheme)
    path = Path(args.completions)
    check_exists(path)  # before anything is opened for writing
    step_faults: list[str] = []
    summary = ScoreSummary(scheme.step_bounds if args.step_labels else None)
    answers = read_answers(
        task,
        path,
        split=args.split,
        limit=args.limit,
        column=args.completion,
        faults_of=faults_with(scheme, args.label),
        on_bad=bad.add if args.skip_bad else None,
    )
    settings = {"label": args.label, "step_labels": args.step_labels, "by": args.by, "texts": args.texts}
    reading = {"completion": args.completion, "split": args.split}
    header = header_row("scores", [lineage], **settings, **reading, overrides=args.overrides)
    with RowOutput(target, header, resume=resume) as output:
        for row in output.kept():
            _check_same(row, next(answers, None))
            summary.add(row)
        with row_bar(count_lines(path, args.limit), done=summary.rows) as bar:
            for row, fault in scored_rows(scheme, lineage, answers, **settings):
                output.write(row)
                summary.add(row)
                bar.add(row["right"], any(part["status"] == "bug" for part in row["parts"].values()))
                if fault:
                    step_faults.append(fault)
                if summary.rows % 256 == 0:
                    output.flush()
        if not summary.rows:
            raise DataError(f"{path}: no row can be scored\n{first_of(bad.first)}")
    return task, summary, step_faults


def _check_same(row: Mapping[str, Any], answer: Answer | None) -> None:
    """Refuse to continue if a row that was scored is not the one that the file of completions has there.

    Raises:
        DataError: it is not.
    """
    now = None if answer is None else (answer.place, answer.problem.id, answer.completion.text)
    if now != (row.get("place"), row.get("problem"), row.get("completion")):
        raise DataError(
            f"--resume: the row that was scored from {row.get('place')} is not there any more; start again"
            " without --resume"
        )


def _lines(result: dict[str, Any], output: str | None) -> list[str]:
    mean = "none" if result["mean"] is None else f"{result['mean']:.4f}"
    parts = (f"{name} {'-' if value is None else f'{value:.4f}'}" for name, value in result["parts"].items())
    lines = [
        f"{result['rows']} completions of {result['task']}: {result['right']} right, {result['wrong']} wrong,"
        f" {result['undecided']} undecided; mean score {mean}, {result['left_out']} left out",
        f"  parts: {', '.join(parts)}",
        f"  status: {', '.join(f'{name} {count}' for name, count in result['status'].items())}",
    ]
    if result["failures"]:
        counted = (
            f"{name} {', '.join(f'{status} {count}' for status, count in counts.items())}"
            for name, counts in result["failures"].items()
        )
        lines.append(f"  failures by entry: {'; '.join(counted)}")
    if result["undecided_rows"]:
        rows = ", ".join(result["undecided_rows"][:10])
        lines.append(f"  undecided: {rows}; left out (see on_failure), -o FILE shows why")
    if "label" in result:
        lines.append(_label_line(result["label"], result["rows"]))
    if "step_labels" in result:
        steps = result["step_labels"]
        lines.append(f"  steps against {steps['column']!r}: {step_figures(steps)}")
    return [*lines, f"  written to {output}"] if output else lines


def _label_line(label: Mapping[str, Any], rows: int) -> str:
    differing = f"; first: {', '.join(label['differing_rows'][:5])}" if label["differing_rows"] else ""
    return (
        f"  against {label['column']!r}: {label['agree']} of {rows} agree, wrong marked right"
        f" {label['wrong_marked_right']}, right marked wrong {label['right_marked_wrong']},"
        f" undecided {label['undecided']}{differing}"
    )
