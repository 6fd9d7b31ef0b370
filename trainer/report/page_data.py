"""What a report shows of a run, of scores, of a comparison, or of a check, beside the rows themselves."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from ...rewards.offline.compare import LEVEL, compare
from ...rewards.offline.evaluation import Evaluation, evaluate_table
from ...rewards.offline.table import ScoreTable, read_tables
from ...rewards.rows.read_scores import ReadRow, read_scores
from ...sandbox.errors import DataError
from ...tasks.rows.row_files import OnBad
from .evaluation_text import evaluation_lines
from .page import MOST_BYTES, packed
from .page_charts import evaluation_charts, run_charts, table_charts
from .page_rows import PageRows, Source
from .run_logs import read_log

MOST_ROWS = 20_000
"""The most rows of a source that are shown by default, also by `markscheme report`."""


def report_data(
    paths: Sequence[Path], *, task: str | None, most: int, on_bad: OnBad, audit: bool = False
) -> str:
    """Return the packed data of a report of one file of scores or run's folder, or of a comparison of two.

    Args:
        paths: one, or the two that are compared.
        task: take only the rows of this task; a comparison needs it where there are several.
        most: the most rows of each task that are shown.
        on_bad: takes the errors of rows that cannot be read.
        audit: whether the two are the marks of a log and ours of the same completions.

    Raises:
        DataError: there are no rows, or a comparison of several tasks does not say which.
    """
    sources = [source for path in paths for source in _sources(path, task, on_bad)]
    if len(paths) == 2 and len(sources) > 2:
        names = sorted({source.table.task for source in sources})
        raise DataError(f"there are rows of {', '.join(names)}; choose one task with --task")
    alarms = [alarm for path in paths for alarm in _alarms(path, sources)]
    for number, source in enumerate(sources):
        source.alarmed = _alarmed(alarms, number)
    differences = _differences(*sources) if len(paths) == 2 else {}
    rows = PageRows()
    for number, source in enumerate(sources):
        rows.add(source, number, _rows_of(source), most)
    is_run = (paths[0] / "metrics.jsonl").is_file()
    kind = "audit" if audit else "comparison" if len(paths) == 2 else "run" if is_run else "evaluation"
    told = [*_goes_on(paths)]
    if rows.left_out:
        told.append(f"{rows.left_out} rows are not shown; --rows N shows more")
    data = {
        "kind": kind,
        "title": " against ".join(path.name for path in reversed(paths)),
        "sources": [_about(source) for source in sources],
        "alarms": alarms,
        "told": told,
        **differences,
    }
    text = packed(data | rows.columns())
    if len(text) > MOST_BYTES and (count := rows.shortened()):
        told.append(f"of {count} long completions only the start and the end are in this file")
        text = packed(data | rows.columns())
    return text


def _sources(path: Path, task: str | None, on_bad: OnBad) -> list[Source]:
    """Return the sources that a file or the folder of a run holds: one for each task."""
    tables = read_tables(read_scores(path, on_bad=on_bad))
    tables = {name: table for name, table in tables.items() if task in (None, name)}
    if not tables:
        raise DataError(f"{path}: no rows to show" + (f" of task {task!r}" if task else ""))
    shown = path.name.removesuffix(".gz").removesuffix(".jsonl")
    return [
        Source(path, shown if len(tables) == 1 else f"{shown}: {name}", table)
        for name, table in tables.items()
    ]


def _rows_of(source: Source) -> Iterator[ReadRow]:
    """Yield the rows of a source again."""
    for read in read_scores(source.path, on_bad=lambda error: None):
        if read.row.task == source.table.task:
            yield read


def check_data(task: str, findings: Sequence[Mapping[str, Any]]) -> str:
    """Return the packed data of a report of a check; `findings` are mappings with the fields of `Finding`."""
    return packed({"kind": "check", "title": f"check of {task}", "findings": findings} | PageRows().columns())


def _about(source: Source) -> dict[str, Any]:
    """Return what the page says of a source: its figures, its evaluation in words, and its charts."""
    table, path = source.table, source.path
    found = evaluate_table(table)
    charts = [*table_charts(table)]
    if (path / "metrics.jsonl").is_file():
        charts = [
            *run_charts(read_log(path / "metrics.jsonl"), read_log(path / "eval.jsonl", missing=True)),
            *charts,
        ]
    figures = _figures(table, found)
    held_out = [row for row in read_log(path / "eval.jsonl", missing=True) if row.get("task") == table.task]
    if held_out:
        figures.append(
            ("held-out pass@1", f"{held_out[0]['pass_at_1']:.3f} -> {held_out[-1]['pass_at_1']:.3f}")
        )
    return {
        "name": source.name,
        "task": table.task,
        "figures": figures,
        "words": list(evaluation_lines(found)),
        "charts": [*charts, *evaluation_charts(found)],
        "notes": [str(row.get("note", row)) for row in read_log(path / "notes.jsonl", missing=True)],
    }


def _figures(table: ScoreTable, found: Evaluation) -> list[tuple[str, str]]:
    figures = [
        ("rows", f"{found.rows:,}"),
        ("groups", f"{table.groups:,}"),
        ("problems", f"{found.problems:,}"),
        ("right, by problem", str(found.right)),
    ]
    if found.mean_value is not None:
        figures.append(("mean score", f"{found.mean_value:.3f}"))
    if found.labels is not None:
        figures.append(("wrong marked right", str(found.labels.all.false_positive)))
        figures.append(("right marked wrong", str(found.labels.all.false_negative)))
    for name, entry in table.header.get("entries", {}).items():
        if entry.get("watched") and name in table.parts and np.isfinite(table.parts[name]).any():
            figures.append((f"watched: {name}", f"mean {np.nanmean(table.parts[name]):.3f}"))
    return figures


def _goes_on(paths: Sequence[Path]) -> Iterator[str]:
    """Yield a sentence for each run that has not ended."""
    for path in paths:
        steps = read_log(path / "metrics.jsonl", missing=True)
        if steps and not (path / "summary.json").is_file():
            yield f"{path.name} has not ended: this shows its first {steps[-1]['step']} steps"


def _alarms(path: Path, sources: Sequence[Source]) -> Iterator[dict[str, Any]]:
    """Yield the alarms of a run that are about one of the sources, without their rows' texts."""
    for row in read_log(path / "alarms.jsonl", missing=True):
        for number, source in enumerate(sources):
            if source.path == path and source.table.task == row.get("task"):
                problems = list(dict.fromkeys(shown.get("problem") for shown in row.get("rows", [])))
                kept = {name: row.get(name) for name in ("kind", "step", "task", "message")}
                yield {**kept, "source": number, "problems": problems}


def _alarmed(alarms: Sequence[Mapping[str, Any]], source: int) -> dict[tuple[int, str], list[int]]:
    """Return the numbers of a source's alarms by the step and the problem that they show."""
    found: dict[tuple[int, str], list[int]] = {}
    for number, alarm in enumerate(alarms):
        for problem in alarm["problems"] if alarm["source"] == source else ():
            found.setdefault((alarm["step"], problem), []).append(number)
    return found


def _differences(one: Source, two: Source) -> dict[str, Any]:
    """Return how two sources differ, and note in each which rows the other one marks otherwise."""
    common, in_a, in_b = np.intersect1d(one.table.key, two.table.key, return_indices=True)
    differ = one.table.mark[in_a] != two.table.mark[in_b]
    one.disputed, two.disputed = set(in_a[differ].tolist()), set(in_b[differ].tolist())
    try:
        found = compare(one.table, two.table)
        shown = [{**asdict(one_row), "beyond_chance": one_row.p < LEVEL} for one_row in found.differences]
        problems = found.problems
    except DataError:
        shown, problems = [], 0
    return {
        "differences": shown,
        "common": {"problems": problems, "completions": len(common), "marked_differently": int(differ.sum())},
        "settings": [list(row) for row in _different(_settings(one), _settings(two))],
    }


def _settings(source: Source) -> dict[str, Any]:
    """Return the settings that marks came from: the scheme and, of a run, its run file."""
    header = {name: value for name, value in source.table.header.items() if name != "hash"}
    run = source.path / "run.yaml"
    settings = {
        "scheme": header,
        "run": yaml.safe_load(run.read_text(encoding="utf-8")) if run.is_file() else {},
    }
    return dict(_flat(settings, ""))


def _flat(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    else:
        yield name, value


def _different(one: Mapping[str, Any], two: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name in dict.fromkeys([*one, *two]):
        shown = ["" if name not in side else json.dumps(side[name], default=str) for side in (one, two)]
        if shown[0] != shown[1]:
            yield name, shown[0], shown[1]
