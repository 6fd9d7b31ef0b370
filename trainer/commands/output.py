"""The output of every command: its exit code, and its result as lines or as JSON."""

import argparse
import json
import os
import re
import sys
from collections.abc import Sequence
from typing import Any

GOOD, CHECK_FAILED, WRONG_USE, RUN_FAILED, INTERRUPTED = 0, 1, 2, 3, 130


def show(args: argparse.Namespace, result: Any, lines: Sequence[str]) -> None:
    """Print a result: as JSON under `--json`, else as lines for a person.

    If rows go to standard output, the result goes to standard error.
    """
    targets = [getattr(args, name, None) for name in ("output", "problems")]
    stream = sys.stderr if any(map(is_stdout, targets)) else sys.stdout
    if args.json:
        stream = getattr(args, "stdout", stream)
    print(
        json.dumps(result, indent=1, default=str) if args.json else "\n".join(map(_visible, lines)),
        file=stream,
    )


def say(line: str) -> None:
    """Print a line for a person on standard error."""
    print(line, file=sys.stderr, flush=True)


_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")


def _visible(line: str) -> str:
    """Return a line with the characters escaped by which a text could steer a terminal."""
    return _HIDDEN.sub(lambda found: found[0].encode("unicode_escape").decode(), line)


def is_stdout(target: str | None) -> bool:
    """Return whether an `-o` means standard output: `-`, or another name of the same pipe or file."""
    if target is None or target == "-":
        return target == "-"
    try:
        return os.path.samestat(os.stat(target), os.fstat(1))
    except OSError:
        return False
