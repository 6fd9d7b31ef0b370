"""`markscheme train`: one run, or several that differ in their seeds; `markscheme plot`: their curves."""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from ...sandbox.errors import TaskError
from ..report.curve import draw_curves
from ..run.progress import terminal_progress
from ..run.train import train as train_policy
from .output import GOOD, INTERRUPTED, show


def train(args: argparse.Namespace) -> int:
    """Train once, or once for each of `--seeds`, one after the other; print a table of the runs."""
    overrides = list(args.overrides)
    if args.out:
        overrides.append(f"out={json.dumps(args.out)}")
    if args.seeds and (args.out or args.resume):
        raise TaskError(
            "--seeds makes a new folder for each run and cannot be combined with --out or --resume; drop one"
        )
    results = []
    for seed in _seeds(args.seeds):
        result = train_policy(
            args.run,
            overrides=overrides if seed is None else [*overrides, f"seed={seed}"],
            resume=args.resume,
            progress=terminal_progress,
            allow_code=args.allow_code,
        )
        results.append(result)
        if result.interrupted:
            break
    rows = [{**result.summary, "folder": str(result.folder)} for result in results]
    show(args, rows if args.seeds else rows[0], _table(rows))
    return INTERRUPTED if results[-1].interrupted else GOOD


def _seeds(text: str | None) -> list[int | None]:
    """Return the seeds of `--seeds`; without it, one None, which stands for the run file's own seed."""
    if not text:
        return [None]
    seeds = text.replace(",", " ").split()
    if not seeds or not all(seed.isdecimal() for seed in seeds):
        raise TaskError(f"--seeds: expected whole numbers, such as 0,1,2 (given: {text!r})")
    return [int(seed) for seed in seeds]


def _table(rows: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Return a table with one row per run, and a line for each that raised alarms."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("task", no_wrap=True)
    table.add_column("seed", justify="right")
    table.add_column("greedy pass@1")
    table.add_column("sampled")
    table.add_column("steps", justify="right")
    table.add_column("train s", justify="right")
    table.add_column("alarms", justify="right")
    for row in rows:
        table.add_row(
            row["task"],
            str(row["seed"]),
            _arrow(row.get("pass_at_1_before"), row.get("pass_at_1_after")),
            _arrow(row.get("sampled_before"), row.get("sampled_after")),
            str(row["steps"]),
            f"{row['train_seconds']:.1f}",
            str(row["alarms"]),
        )
    folders = [f"{row['folder']}{_alarms(row)}" for row in rows]
    return [table, *folders]


def _alarms(row: Mapping[str, Any]) -> str:
    """Return which alarms a run raised, and where its rows show them."""
    kinds = ", ".join(f"{kind} {count}" for kind, count in row["alarm_kinds"].items())
    return f": alarms {kinds}; see alarms.jsonl there" if kinds else ""


def _arrow(before: float | None, after: float | None) -> str:
    return "(no evaluation)" if before is None or after is None else f"{before:.3f} -> {after:.3f}"


def plot(args: argparse.Namespace) -> int:
    """Draw the curves of the runs into one picture."""
    draw_curves([Path(run) for run in args.runs], Path(args.output))
    show(args, {"written": args.output}, [f"written to {args.output}"])
    return GOOD
