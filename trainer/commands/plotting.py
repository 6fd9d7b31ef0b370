"""`markscheme plot`: the learning curve of one or more runs as a picture."""

import argparse
from pathlib import Path

from ..report.curve import draw_curves
from .output import GOOD, show


def plot(args: argparse.Namespace) -> int:
    """Draw the curves of the runs into one picture."""
    draw_curves([Path(run) for run in args.runs], Path(args.output))
    show(args, {"written": args.output}, [f"written to {args.output}"])
    return GOOD
