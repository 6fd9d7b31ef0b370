"""`markscheme check`: checking a task, and a model for it, before either is used."""

import argparse
from dataclasses import asdict
from pathlib import Path

from ...rewards.check.finding import Finding
from ...rewards.check.task import check_task
from ...tasks.load_task import load_task
from ..report.page import page, write_page
from ..report.page_data import check_data
from .output import CHECK_FAILED, GOOD, show
from .row_output import BadRows, row_bar

_SIGNS = {True: "ok  ", False: "FAIL", None: "--  "}


def check(args: argparse.Namespace) -> int:
    """Check a task, and with `--model` a model for it."""
    task = load_task(args.task, overrides=args.overrides, allow_code=args.allow_code)
    bad = BadRows()
    with row_bar(args.limit, unit="problem") as bar:
        findings = check_task(
            task,
            limit=args.limit,
            probes=args.probes,
            seed=args.seed,
            against=None if args.against is None else Path(args.against),
            on_bad=bad.add if args.skip_bad else None,
            progress=bar.advance,
        )
    if args.model:
        from .check_model import check_model
        from .sampling import template_of

        findings += check_model(task, args.model, limit=args.limit, template=template_of(args))
    good = all(finding.good is not False for finding in findings)
    lines = [f"{task.name} (version {task.version}, {task.hash[:12]})", *_lines(findings)]
    result = {
        "task": task.name,
        "hash": task.hash,
        "good": good,
        "findings": [asdict(finding) for finding in findings],
        "skipped": bad.count,
    }
    if args.report:
        write_page(
            Path(args.report), page(f"check of {task.name}", check_data(task.name, result["findings"]))
        )
        lines.append(f"  written to {args.report}")
    show(args, result, [*lines, *bad.lines()])
    return GOOD if good else CHECK_FAILED


def _lines(findings: list[Finding]) -> list[str]:
    lines = []
    for finding in findings:
        lines.append(f"  {_SIGNS[finding.good]} {finding.name}: {finding.said}")
        lines += [f"      {detail}" for detail in finding.details]
    return lines
