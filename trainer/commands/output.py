"""The output of every command: its exit code, and its result as lines or as JSON."""

import argparse
import json
import os
import re
import sys
from collections.abc import Sequence
from typing import Any

GOOD, CHECK_FAILED, WRONG_USE, RUN_FAILED, INTERRUPTED = 0, 1, 2, 3, 130


def show(args: argparse.Namespace, result: Any, lines: Sequence[Any]) -> None:
    """Print a result: as JSON under `--json`, else as lines (or tables of rich) for a person.

    If rows go to standard output, the result goes to standard error. Colours and the terminal's width matter
    only on a terminal: elsewhere lines stay whole.
    """
    targets = [getattr(args, name, None) for name in ("output", "problems")]
    stream = sys.stderr if any(map(is_stdout, targets)) else sys.stdout
    if args.json:
        stream = getattr(args, "stdout", stream)
    if args.json:
        print(json.dumps(result, indent=1, default=str), file=stream)
        return
    from rich.console import Console

    console = Console(file=stream, highlight=False, emoji=False, width=None if stream.isatty() else 200)
    for line in lines:
        if isinstance(line, str):
            console.print(_visible(line), style=_style_of(line), markup=False, soft_wrap=not stream.isatty())
        else:
            console.print(line)


def _style_of(line: str) -> str | None:
    """Return the colour of a line: red for what failed, green for what passed."""
    word = line.split(maxsplit=1)[:1]
    return {"FAIL": "red", "ok": "green", "error:": "red"}.get(word[0]) if word else None


def say(line: str) -> None:
    """Print a line for a person on standard error."""
    print(line, file=sys.stderr, flush=True)


def fail(message: str) -> None:
    """Print an error on standard error, in red on a terminal."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False, emoji=False)
    console.print(_visible(f"error: {message}"), style="red", markup=False, soft_wrap=not sys.stderr.isatty())


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
