"""The output of every command: its exit code, and its result as lines or as JSON."""

import argparse
import json
from collections.abc import Sequence
from typing import Any

GOOD, CHECK_FAILED, WRONG_USE, RUN_FAILED, INTERRUPTED = 0, 1, 2, 3, 130


def show(args: argparse.Namespace, result: Any, lines: Sequence[str]) -> None:
    """Print a result: as JSON under `--json`, else as lines for a person."""
    print(json.dumps(result, indent=1, default=str) if args.json else "\n".join(lines))
