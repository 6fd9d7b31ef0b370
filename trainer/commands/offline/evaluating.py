"""`markscheme evaluate`: how good marks are, what they would teach, and what is worth sampling."""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ....rewards.offline.agreement import Agreement, agreement
from ....rewards.offline.evaluation import Evaluation, evaluate_table, problem_list
from ....rewards.offline.table import ScoreTable, read_tables
from ....rewards.rows.read_scores import ReadRow, read_scores
from ....sandbox.errors import DataError, TaskError, did_you_mean
from ...report.evaluation_text import agreement_lines, evaluation_lines, row_line
from ..output import CHECK_FAILED, GOOD, show
from ..row_output import BadRows, RowOutput, publish
from .scoring import write_scores

SHOWN = 10
"""The most differing rows that are shown."""


def evaluate(args: argparse.Namespace) -> int:
    """Evaluate files of scores, or score a file of completions and evaluate that."""
    sizes = _sizes(args.group_sizes)
    bad = BadRows()
    if are_scores(args.inputs[0]):
        given = {"-o": args.output, "--by": args.by, "--limit": args.limit, "--split": args.split}
        wrong = next((name for name, value in given.items() if value), None)
        if wrong:
            raise TaskError(f"evaluate SCORES takes no {wrong}; it is for TASK COMPLETIONS, or for `score`")
        with tempfile.TemporaryDirectory() as folder:
            paths = [_rereadable(name, Path(folder)) for name in args.inputs]
            return _evaluate_files(args, paths, sizes, bad)
    if len(args.inputs) != 2:
        raise TaskError(
            "evaluate takes files of scores, or a task and a file of completions"
            f" (given: {' '.join(args.inputs)})"
        )
    args.task, args.completions, args.texts = args.inputs[0], args.inputs[1], True
    with tempfile.TemporaryDirectory() as folder:
        scores = Path(folder) / "scores.jsonl"
        write_scores(args, str(scores), bad)
        if args.output:
            publish(scores, args.output)
        return _evaluate_files(args, [scores], sizes, bad)


def _rereadable(name: str, folder: Path) -> Path:
    """Return the path of a file of scores that can be read twice: a copy of standard input or of a pipe."""
    path = Path(name)
    if name != "-" and not path.is_fifo():
        return path
    copy = folder / f"{path.name}.jsonl"
    with copy.open("wb") as file, sys.stdin.buffer if name == "-" else path.open("rb") as source:
        shutil.copyfileobj(source, file)
    return copy


def are_scores(name: str) -> bool:
    """Return whether an argument names scores, and not a task: a JSONL file, a folder or a pipe."""
    path = Path(name)
    return name == "-" or path.is_dir() or name.endswith((".jsonl", ".jsonl.gz")) or path.is_fifo()


def _sizes(text: str) -> list[int]:
    try:
        sizes = sorted({int(size) for size in text.replace(",", " ").split()})
    except ValueError:
        sizes = []
    if not sizes or sizes[0] < 2:
        raise TaskError(f"--group-sizes: expected numbers from 2 up, such as 4,8,16 (given: {text!r})")
    return sizes


def read_table(path: Path, task: str | None, bad: BadRows, part: str | None = None) -> ScoreTable:
    """Read the scores of one task from a file or the folder of a run.

    Rows that cannot be read are added to `bad`.

    Raises:
        DataError: no row can be read, or the file has rows of several tasks and `task` names none of them.
    """
    tables = read_tables(read_scores(path, on_bad=bad.add), part=part)
    if not tables:
        raise DataError(f"{path}: no row can be read; the first: {bad.first[0]}")
    if task is None and len(tables) == 1:
        return next(iter(tables.values()))
    if task not in tables:
        near = did_you_mean(task, list(tables)) if task else ""
        raise DataError(f"{path}: has rows of {', '.join(tables)}; choose one with --task{near}")
    return tables[task]


def _evaluate_files(args: argparse.Namespace, paths: list[Path], sizes: list[int], bad: BadRows) -> int:
    tables = [read_table(path, args.only, bad, args.part) for path in paths]
    _check_labels(args, tables[0])
    evaluations = [evaluate_table(table, sizes) for table in tables]
    agreed = agreement(tables) if len(tables) > 1 else None
    result: dict[str, Any] = {
        "evaluations": [
            {"scores": str(path), **as_json(one)} for path, one in zip(paths, evaluations, strict=True)
        ],
        "skipped": bad.count,
    }
    lines: list[str] = []
    for path, table, one in zip(paths, tables, evaluations, strict=True):
        lines += [f"{path}:"] if len(paths) > 1 else []
        lines += [*evaluation_lines(one), *_differing_lines(path, table, one)]
    if agreed is not None:
        result["agreement"] = _agreement_json(agreed)
        lines += [*agreement_lines(agreed), *_disagreement_lines(paths, agreed)]
    if args.problems:
        chosen = _write_problems(args, paths[0], tables[0])
        result["problems"] = chosen
        lines.append(f"{chosen} problems are written to {args.problems}; data: {{problems: {args.problems}}}")
    show(args, result, [*lines, *bad.lines()])
    return GOOD if args.skip_bad or not bad.count else CHECK_FAILED


def _check_labels(args: argparse.Namespace, table: ScoreTable) -> None:
    missing = "--label" if args.label and not (table.label >= 0).any() else None
    if args.step_labels and not table.steps.result().steps:
        missing = "--step-labels"
    if missing:
        raise DataError(
            f"{missing}: the rows hold no labels; labels are read when completions are scored: `markscheme"
            f" score TASK COMPLETIONS {missing} COLUMN`, or evaluate TASK COMPLETIONS"
        )


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    """Return an evaluation ready for JSON, with the number of differing rows instead of the rows."""
    found = evaluation.as_dict()
    if found["labels"] is not None:
        found["labels"]["differing"] = len(found["labels"]["differing"])
    return found


def _agreement_json(agreed: Agreement) -> dict[str, Any]:
    found = asdict(agreed)
    found["differing"], found["differing_rows"] = len(found["differing"]), found["differing"][:1000]
    return found


def rows_at(path: Path, places: Sequence[str], *, by_source: bool = False) -> dict[str, ReadRow]:
    """Return the score rows at some places of a file, or `by_source` those that were scored from there."""
    wanted, found = set(places), {}
    for read in _all_rows(path) if wanted else ():
        place = (read.row.place or "") if by_source else read.place
        if place in wanted:
            found[place] = read
            if len(found) == len(wanted):
                break
    return found


def _all_rows(path: Path) -> Iterator[ReadRow]:
    return read_scores(path, on_bad=lambda error: None)


def _differing_lines(path: Path, table: ScoreTable, evaluation: Evaluation) -> list[str]:
    """Return a line for each of the first rows whose mark is not the label."""
    if evaluation.labels is None or not evaluation.labels.differing:
        return []
    rows = evaluation.labels.differing[:SHOWN]
    places = [table.place(row) for row in rows]
    found = rows_at(path, places)
    advantages = table.advantages()
    count = len(evaluation.labels.differing)
    lines = [f"  {count} mark(s) differ from the label; those that a training would feel most:"]
    for row, place in zip(rows, places, strict=True):
        read = found[place].row
        label = {True: "right", False: "wrong", None: "unlabelled"}[read.label]
        said = f"labelled {label}, advantage {advantages[row]:+.2f}"
        lines.append(f"    {row_line(read.place or place, read)}, {said}")
    return lines


def _disagreement_lines(paths: Sequence[Path], agreed: Agreement) -> list[str]:
    shown = agreed.differing[:SHOWN]
    found = [rows_at(path, [one.places[i] for one in shown]) for i, path in enumerate(paths)]
    lines = []
    for one in shown:
        lines.append(f"    changes the advantage by {one.effect:.2f}:")
        lines += [f"      {row_line(place, found[i][place].row)}" for i, place in enumerate(one.places)]
    return lines


def _write_problems(args: argparse.Namespace, path: Path, table: ScoreTable) -> int:
    """Write the list of problems that are worth sampling, and return how many they are."""
    rows = (read for read in _all_rows(path) if read.row.task == table.task)
    chosen = problem_list(table, rows, args.group_size, args.at_least)
    header: Mapping[str, Any] = {"header": {"kind": "problems", "schema": 1, "group_size": args.group_size}}
    with RowOutput(args.problems, header, resumable=False) as output:
        for row in chosen:
            output.write(row)
    return len(chosen)
