"""`markscheme score`: scoring a file of completions, and comparing the scores with labels."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...rewards.exports.trl import part_means
from ...rewards.offline.step_metrics import labels_of, step_metrics
from ...rewards.rows import read_completions, score_row, status_counts, write_jsonl
from ...rewards.scheme import MarkScheme
from ...rewards.score import Score, Status
from ...sandbox.errors import DataError, did_you_mean, first_of
from ...tasks.load_task import load_task
from ...tasks.schema import Task
from .output import CHECK_FAILED, GOOD, show

Rows = Sequence[Mapping[str, Any]]


def score(args: argparse.Namespace) -> int:
    """Score the completions of a file; fail if a reward has a bug."""
    task = load_task(args.task, overrides=args.overrides, allow_code=args.allow_code)
    scheme = MarkScheme(task)
    answered = read_completions(task, Path(args.completions), split=args.split, limit=args.limit)
    scheme.check_references(list({problem.id: problem for problem in answered.problems}.values()))
    scores = scheme.score(answered.problems, answered.completions)
    task_hash = task.hash
    if args.output:
        triples = zip(answered.problems, answered.completions, scores, strict=True)
        rows = (
            score_row(task, task_hash, problem, completion, scored, row=i, right=scheme.is_right(scored))
            for i, (problem, completion, scored) in enumerate(triples)
        )
        write_jsonl(Path(args.output), rows)
    result = _summary_of(task, task_hash, scheme, scores)
    if args.label:
        result["label"] = _agreement(scheme, scores, answered.rows, args.label)
    if args.step_labels:
        result["step_labels"] = _step_agreement(scheme, scores, answered.rows, args.step_labels)
    show(args, result, _lines(result, args.output))
    bugs = [part for scored in scores for part in scored.parts.values() if part.status is Status.BUG]
    if bugs:
        print(
            f"error: {len(bugs)} value(s) are bugs of a reward; the first: {bugs[0].reason}",
            file=sys.stderr,
        )
        return CHECK_FAILED
    return GOOD


def _summary_of(task: Task, task_hash: str, scheme: MarkScheme, scores: Sequence[Score]) -> dict[str, Any]:
    marks = [scheme.is_right(scored) for scored in scores]
    values = [scored.value for scored in scores if scored.value is not None]
    means = part_means(scores)
    return {
        "task": task.name,
        "hash": task_hash,
        "rows": len(scores),
        "right": marks.count(True),
        "wrong": marks.count(False),
        "undecided": marks.count(None),
        "mean": sum(values) / len(values) if values else None,
        "left_out": len(scores) - len(values),
        "parts": {name: means.get(name) for name in scores[0].parts},
        "status": status_counts(scores),
        "first_undecided_rows": [i for i, mark in enumerate(marks) if mark is None][:10],
    }


def _agreement(scheme: MarkScheme, scores: Sequence[Score], rows: Rows, column: str) -> dict[str, Any]:
    """Compare the marks with a column of labels.

    Raises:
        DataError: a row's label is not true or false.
    """
    counts = {"agree": 0, "wrong_marked_right": 0, "right_marked_wrong": 0, "undecided": 0}
    differ = []
    for i, (scored, row) in enumerate(zip(scores, rows, strict=True)):
        label, mark = row.get(column), scheme.is_right(scored)
        if not isinstance(label, bool):
            near = "" if column in row else f"; there is no such column{did_you_mean(column, row)}"
            raise DataError(f"row {i + 1}: label {column!r} must be true or false (given: {label!r}){near}")
        if mark is None:
            key = "undecided"
        elif mark == label:
            key = "agree"
        else:
            key = "wrong_marked_right" if mark else "right_marked_wrong"
        counts[key] += 1
        if key != "agree" and len(differ) < 20:
            differ.append(i)
    return {"column": column, **counts, "first_differing_rows": differ}


def _step_agreement(scheme: MarkScheme, scores: Sequence[Score], rows: Rows, column: str) -> dict[str, Any]:
    """Compare the marks of steps with a column of labels, or of first wrong steps as in ProcessBench.

    Raises:
        DataError: rows have no labels, or not one per step.
        TaskError: the task marks no steps.
    """
    marks, labels, faults = [], [], []
    low, high = scheme.step_bounds
    for i, (scored, row) in enumerate(zip(scores, rows, strict=True)):
        steps = scored.steps or []
        expected = labels_of(row.get(column), len(steps))
        if isinstance(expected, str):
            near = "" if column in row else did_you_mean(column, row)
            faults.append(f"row {i + 1}: {column!r} {expected}{near}")
            continue
        marks.append([None if step.value is None else (step.value - low) / (high - low) for step in steps])
        labels.append(expected)
    if faults:
        raise DataError(f"{len(faults)} row(s) cannot be compared:\n{first_of(faults)}")
    return {"column": column, **step_metrics(marks, labels).as_dict()}


def _lines(result: dict[str, Any], output: str | None) -> list[str]:
    mean = "none" if result["mean"] is None else f"{result['mean']:.4f}"
    parts = (f"{name} {'-' if value is None else f'{value:.4f}'}" for name, value in result["parts"].items())
    lines = [
        f"{result['rows']} completions of {result['task']}: {result['right']} right, {result['wrong']} wrong,"
        f" {result['undecided']} undecided; mean score {mean}, {result['left_out']} left out",
        f"  parts: {', '.join(parts)}",
        f"  status: {', '.join(f'{name} {count}' for name, count in result['status'].items())}",
    ]
    if result["first_undecided_rows"]:
        rows = ", ".join(str(row + 1) for row in result["first_undecided_rows"])
        lines.append(f"  undecided: row(s) {rows}; left out (see on_failure), -o FILE shows why")
    if "label" in result:
        lines.append(_label_line(result["label"], result["rows"]))
    if "step_labels" in result:
        lines.append(_step_label_line(result["step_labels"]))
    return [*lines, f"  written to {output}"] if output else lines


def _label_line(label: Mapping[str, Any], rows: int) -> str:
    return (
        f"  against {label['column']!r}: {label['agree']} of {rows} agree, wrong marked right"
        f" {label['wrong_marked_right']}, right marked wrong {label['right_marked_wrong']},"
        f" undecided {label['undecided']}"
    )


def _step_label_line(metrics: Mapping[str, Any]) -> str:
    def figure(name: str) -> str:
        return "-" if metrics[name] is None else f"{metrics[name]:.3f}"

    return (
        f"  steps against {metrics['column']!r}: {metrics['steps']} steps, balanced accuracy"
        f" {figure('balanced_accuracy')}, first-error F1 {figure('first_error_f1')}, AUROC"
        f" {figure('auroc')}, ECE {figure('ece')}, {metrics['unmarked']} labelled but not marked"
    )
