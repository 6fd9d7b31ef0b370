"""`markscheme compare`: whether two schemes, or two runs, differ by more than chance."""

import argparse
from dataclasses import asdict
from pathlib import Path

from ....rewards.offline.compare import FEWEST, LEVEL
from ....rewards.offline.compare import compare as compare_tables
from ....sandbox.errors import DataError, first_of
from ..output import CHECK_FAILED, GOOD, show
from ..row_output import BadRows
from .evaluating import read_table


def compare(args: argparse.Namespace) -> int:
    """Compare two files of scores, problem by problem; fail on a regression, if one is asked for."""
    bad = BadRows()
    a, b = (read_table(Path(name), args.only, bad) for name in (args.a, args.b))
    if bad.count and not args.skip_bad:
        raise DataError(
            f"{bad.count} row(s) cannot be read; --skip-bad goes on without them\n{first_of(bad.first)}"
        )
    found = compare_tables(a, b)
    fails = args.fail_below is not None and found.regressed(args.fail_below)
    lines = [f"{args.b} against {args.a}, on {found.problems} problems that both have:"]
    for one in found.differences:
        verdict = "differs" if one.p < LEVEL else "no difference beyond chance"
        lines.append(
            f"  {one.name}: {one.a:.4f} -> {one.b:.4f},"
            f" {one.difference:+.4f} [{one.low:+.4f}, {one.high:+.4f}], p {one.p:.4f}: {verdict}"
        )
        if found.problems < FEWEST:
            lines.append(f"    fewer than {FEWEST} problems cannot show more than chance")
        elif one.detectable is not None:
            lines.append(f"    this many problems find a difference of {one.detectable:.4f} in 80 % of cases")
    if fails:
        lines.append(f"  FAIL: the share right is more than {args.fail_below:g} lower, by more than chance")
    show(args, {**asdict(found), "regressed": fails, "skipped": bad.count}, [*lines, *bad.lines()])
    return CHECK_FAILED if fails else GOOD
