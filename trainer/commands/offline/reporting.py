"""`markscheme report`: one HTML file on a run, on scores, on a check, or on two that are compared."""

import argparse
import json
from pathlib import Path
from typing import Any

from ....sandbox.errors import DataError, TaskError, first_of
from ...report.page import page, write_page
from ...report.page_data import check_data, report_data
from ..output import CHECK_FAILED, GOOD, show
from ..row_output import BadRows


def report(args: argparse.Namespace) -> int:
    """Write a report."""
    out = Path(args.output)
    if out.suffix != ".html":
        raise TaskError(f"report: -o must end in .html (given: {args.output})")
    if len(args.inputs) > 2:
        raise TaskError(f"report takes one input, or two to compare (given: {len(args.inputs)})")
    paths, bad = [Path(name) for name in args.inputs], BadRows()
    checked = _checked(paths[0]) if len(paths) == 1 else None
    if checked is not None:
        title, data = f"check of {checked['task']}", check_data(checked["task"], checked["findings"])
    else:
        title = " against ".join(path.name for path in reversed(paths))
        data = report_data(paths, task=args.only, most=args.rows, on_bad=bad.add)
    if bad.count and not args.skip_bad and not all((path / "scores").is_dir() for path in paths):
        raise DataError(f"{bad.count} row(s) cannot be read; --skip-bad goes on\n{first_of(bad.first)}")
    html = page(title, data)
    write_page(out, html)
    result = {"report": str(out), "bytes": len(html.encode()), "skipped": bad.count}
    show(args, result, [f"written to {out} ({len(html) / 1000:.0f} kB)", *bad.lines()])
    return GOOD if args.skip_bad or not bad.count else CHECK_FAILED


def _checked(path: Path) -> dict[str, Any] | None:
    """Return what `check --json` printed to a file; None if the file is another one."""
    if path.suffix != ".json" or not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path}: is not JSON ({error})") from error
    if not isinstance(found, dict) or not {"task", "findings"} <= found.keys():
        raise DataError(f"{path}: is not what `markscheme check --json` prints")
    return found
