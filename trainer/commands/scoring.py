"""What each command does. Every one takes the parsed arguments and returns an exit code."""

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...rewards.check.task import Finding, check_task
from ...rewards.composition.registry import REWARDS
from ...rewards.offline.step_metrics import labels_of, step_metrics
from ...rewards.rows import read_completions, score_row, status_counts, write_jsonl
from ...rewards.scheme import MarkScheme
from ...rewards.score import Score, Status
from ...sandbox.errors import DataError, TaskError, did_you_mean, first_of
from ...tasks import starter as template
from ...tasks.load import load_task, shipped_tasks
from ...tasks.registry import GENERATORS
from ...tasks.schema import Task
from ...verifiers.verdict import VERIFIERS
from .exit_codes import CHECK_FAILED, GOOD


def show(args: argparse.Namespace, result: Any, lines: Sequence[str]) -> None:
    """Print a result: as JSON where that is asked for, else as lines."""
    print(json.dumps(result, indent=1, default=str) if args.json else "\n".join(lines))


def check(args: argparse.Namespace) -> int:
    """Look at a task, and at a model for it."""
    task = load_task(args.task, overrides=args.overrides, allow_code=args.allow_code)
    findings = check_task(task, limit=args.limit)
    if args.model:
        from .check_model import check_model

        findings += check_model(task, args.model, limit=args.limit)
    good = all(finding.good is not False for finding in findings)
    lines = [f"{task.name} (version {task.version}, {task.hash[:12]})"]
    for finding in findings:
        lines.append(f"  {_sign(finding)} {finding.name}: {finding.said}")
        lines += [f"      {detail}" for detail in finding.details]
    result = {
        "task": task.name,
        "hash": task.hash,
        "good": good,
        "findings": [vars(f) for f in findings],
    }
    show(args, result, lines)
    return GOOD if good else CHECK_FAILED


def _sign(finding: Finding) -> str:
    return {True: "ok  ", False: "FAIL", None: "--  "}[finding.good]


def score(args: argparse.Namespace) -> int:
    """Mark completions."""
    task = load_task(args.task, overrides=args.overrides, allow_code=args.allow_code)
    scheme = MarkScheme(task)
    answered = read_completions(task, Path(args.completions), split=args.split, limit=args.limit)
    scheme.check_references(list({problem.id: problem for problem in answered.problems}.values()))
    scores = scheme.score(answered.problems, answered.completions)
    task_hash = task.hash
    if args.output:
        rows = (
            score_row(task, task_hash, problem, completion, score, row=i, right=scheme.is_right(score))
            for i, (problem, completion, score) in enumerate(
                zip(answered.problems, answered.completions, scores, strict=True)
            )
        )
        write_jsonl(Path(args.output), rows)
    result = _summary_of(task, scheme, scores)
    if args.label:
        result["label"] = _agreement(scheme, scores, answered.rows, args.label)
    if args.step_labels:
        result["step_labels"] = _step_agreement(scheme, scores, answered.rows, args.step_labels)
    show(args, result, _score_lines(result, args.output))
    bugs = [part for score in scores for part in score.parts.values() if part.status is Status.BUG]
    if bugs:
        print(
            f"error: {len(bugs)} value(s) are bugs of a reward; the first: {bugs[0].reason}",
            file=sys.stderr,
        )
        return CHECK_FAILED
    return GOOD


def _summary_of(task: Task, scheme: MarkScheme, scores: Sequence[Score]) -> dict[str, Any]:
    marks = [scheme.is_right(score) for score in scores]
    values = [score.value for score in scores if score.value is not None]
    parts = {}
    for name in scores[0].parts:
        known = [value for score in scores if (value := score.parts[name].value) is not None]
        parts[name] = sum(known) / len(known) if known else None
    return {
        "task": task.name,
        "hash": task.hash,
        "rows": len(scores),
        "right": marks.count(True),
        "wrong": marks.count(False),
        "undecided": marks.count(None),
        "mean": sum(values) / len(values) if values else None,
        "left_out": len(scores) - len(values),
        "parts": parts,
        "status": status_counts(scores),
        "first_undecided_rows": [i for i, mark in enumerate(marks) if mark is None][:10],
    }


def _agreement(
    scheme: MarkScheme, scores: Sequence[Score], rows: Sequence[Mapping[str, Any]], column: str
) -> dict[str, Any]:
    """Compare the marks with a column of labels."""
    counts = {"agree": 0, "wrong_marked_right": 0, "right_marked_wrong": 0, "undecided": 0}
    differ = []
    for i, (score, row) in enumerate(zip(scores, rows, strict=True)):
        if not isinstance(row.get(column), bool):
            near = "" if column in row else f"; there is no such column{did_you_mean(column, row)}"
            given = row.get(column)
            raise DataError(f"row {i + 1}: label {column!r} must be true or false (given: {given!r}){near}")
        mark = scheme.is_right(score)
        key = (
            "undecided"
            if mark is None
            else "agree"
            if mark == row[column]
            else "wrong_marked_right"
            if mark
            else "right_marked_wrong"
        )
        counts[key] += 1
        if key != "agree" and len(differ) < 20:
            differ.append(i)
    return {"column": column, **counts, "first_differing_rows": differ}


def _step_agreement(
    scheme: MarkScheme, scores: Sequence[Score], rows: Sequence[Mapping[str, Any]], column: str
) -> dict[str, Any]:
    """Compare the marks of steps with a column of labels, or of ProcessBench's first wrong steps.

    Raises:
        DataError: the task marks no steps, or a row's labels are none, or not as many as its steps.
    """
    marks, labels, faults = [], [], []
    low, high = scheme.step_bounds
    for i, (score, row) in enumerate(zip(scores, rows, strict=True)):
        steps = score.steps or []
        wanted = labels_of(row.get(column), len(steps))
        if isinstance(wanted, str):
            near = "" if column in row else did_you_mean(column, row)
            faults.append(f"row {i + 1}: {column!r} {wanted}{near}")
            continue
        marks.append([None if m.value is None else (m.value - low) / (high - low) for m in steps])
        labels.append(wanted)
    if faults:
        raise DataError(f"{len(faults)} row(s) cannot be compared:\n{first_of(faults)}")
    return {"column": column, **step_metrics(marks, labels).as_dict()}


def _score_lines(result: dict[str, Any], output: str | None) -> list[str]:
    mean = "none" if result["mean"] is None else f"{result['mean']:.4f}"
    lines = [
        f"{result['rows']} completions of {result['task']}: {result['right']} right, {result['wrong']} wrong,"
        f" {result['undecided']} undecided; mean score {mean}, {result['left_out']} left out",
        "  parts: "
        + ", ".join(f"{k} {'-' if v is None else f'{v:.4f}'}" for k, v in result["parts"].items()),
        "  status: " + ", ".join(f"{k} {v}" for k, v in result["status"].items()),
    ]
    if result["first_undecided_rows"]:
        rows = ", ".join(str(row + 1) for row in result["first_undecided_rows"])
        lines.append(f"  undecided: row(s) {rows}; left out (see on_failure), -o FILE shows why")
    if "label" in result:
        label = result["label"]
        lines.append(
            f"  against {label['column']!r}: {label['agree']} of {result['rows']} agree, wrong marked right"
            f" {label['wrong_marked_right']}, right marked wrong"
            f" {label['right_marked_wrong']}, undecided {label['undecided']}"
        )
    if "step_labels" in result:
        found = result["step_labels"]
        told = {
            name: "-" if value is None else f"{value:.3f}"
            for name, value in found.items()
            if name != "column"
        }
        lines.append(
            f"  steps against {found['column']!r}: {found['steps']} steps, balanced accuracy"
            f" {told['balanced_accuracy']}, first-error F1 {told['first_error_f1']}, AUROC {told['auroc']},"
            f" ECE {told['ece']}, {found['unmarked']} labelled but not marked"
        )
    return [*lines, f"  written to {output}"] if output else lines


def init(args: argparse.Namespace) -> int:
    """Write a new task, its example rows and its labelled cases."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", args.name):
        raise TaskError(f"init: a task's name is made of letters, digits, _ . and - (given: {args.name!r})")
    texts = {".yaml": template.TASK, ".jsonl": template.ROWS, ".cases.jsonl": template.CASES}
    paths = {Path(f"{args.name}{suffix}"): text for suffix, text in texts.items()}
    for path in paths:
        if path.exists():
            raise DataError(f"{path} exists already; choose another name or remove it")
    for path, text in paths.items():
        path.write_text(text.replace("NAME", args.name), encoding="utf-8")
    written = [str(path) for path in paths]
    show(
        args,
        {"written": written},
        [f"written: {', '.join(written)}", f"next: markscheme check {written[0]}"],
    )
    return GOOD


def schema(args: argparse.Namespace) -> int:
    """Print a JSON Schema."""
    if args.what == "run":
        from ..config.run_config import RunConfig

        model: Any = RunConfig
    else:
        model = Task
    print(json.dumps(model.model_json_schema(), indent=1))
    return GOOD


def list_names(args: argparse.Namespace) -> int:
    """List names."""
    if args.what == "tasks":
        entries = {name: _described(path) for name, path in shipped_tasks().items()}
    elif args.what == "presets":
        from ..config.presets import PRESETS

        entries = {name: text for name, (text, _) in PRESETS.items()}
        if args.json:
            print(
                json.dumps(
                    {
                        n: {k: {"value": v, "source": s} for k, (v, s) in p.items()}
                        for n, (_, p) in PRESETS.items()
                    }
                )
            )
            return GOOD
        lines = []
        for name, (text, settings) in PRESETS.items():
            lines += [
                f"{name}: {text}",
                *(f"    {k:16} {v!s:14} {s}" for k, (v, s) in settings.items()),
            ]
        show(args, entries, lines)
        return GOOD
    else:
        table = {"generators": GENERATORS, "verifiers": VERIFIERS, "rewards": REWARDS}[args.what]
        entries = {name: _first_sentence(table.builtin.get(name)) for name in table.names()}
        if args.what == "rewards":
            entries |= {name: _first_sentence(VERIFIERS.builtin.get(name)) for name in VERIFIERS.names()}
    show(args, entries, [f"{name:14} {text}" for name, text in entries.items()])
    return GOOD


def _described(path: Path) -> str:
    return load_task(path).description


def _first_sentence(target: str | None) -> str:
    if target is None:
        return ""
    import importlib

    module, _, attribute = target.partition(":")
    return (getattr(importlib.import_module(module), attribute).__doc__ or "").split("\n")[0]
