"""Arguments that several commands share. Standard library only, so that `--help` answers at once."""

import argparse
import math
import re
from typing import NoReturn

from ...sandbox.errors import did_you_mean

EPILOG = "exit codes: 0 good, 1 a check failed, 2 wrong use, 3 the run failed, 130 interrupted"
TASK_HELP = "a shipped task's name or a .yaml file"


class Parser(argparse.ArgumentParser):
    """A parser whose errors say what to write instead."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and the error, and exit with code 2."""
        wrong = re.search(r"invalid choice: '([^']*)' \(choose from (.*)\)", message)
        if wrong is not None:
            message += did_you_mean(wrong[1], re.findall(r"'([^']+)'", wrong[2]))
        if "unrecognized arguments: -" in message:
            message += "; keys of a task or run file are set by --set, such as --set algorithm.lr=1e-5"
        elif "unrecognized arguments" in message:
            message += "; several values are given with commas, such as --seeds 0,1,2"
        super().error(message)


class Commands:
    """Adds commands, all of which take --json, --set and --no-code."""

    def __init__(self, parser: argparse.ArgumentParser):
        self._subparsers = parser.add_subparsers(dest="command", metavar="COMMAND")

    def add(self, name: str, summary: str, run_by: str) -> argparse.ArgumentParser:
        """Add a command; `run_by` is the `module:function` that is imported when it is called."""
        command = self._subparsers.add_parser(name, help=summary, description=summary, epilog=EPILOG)
        command.set_defaults(run_by=run_by)
        command.add_argument("--json", action="store_true", help="print the result as JSON")
        command.add_argument(
            "--set",
            dest="overrides",
            action="append",
            default=[],
            metavar="KEY=VALUE",
            help="set a key of the task (or run) file; the value is read as YAML; may be repeated",
        )
        command.add_argument(
            "--no-code",
            dest="allow_code",
            action="store_false",
            help="refuse `module:attr` and `file.py:attr` in task files, which execute code",
        )
        return command


def add_rows_output(command: argparse.ArgumentParser, rows: str, *, required: bool = False) -> None:
    """Add what every command has that writes rows one by one."""
    command.add_argument(
        "-o",
        "--output",
        required=required,
        metavar="FILE",
        help=f"where to write the {rows} (.jsonl); a pipe or a device stays one, - is standard output",
    )
    command.add_argument(
        "--resume", action="store_true", help="continue the file of a call that was interrupted"
    )
    add_skip_bad(command)


def add_skip_bad(command: argparse.ArgumentParser) -> None:
    """Add `--skip-bad`."""
    command.add_argument(
        "--skip-bad", action="store_true", help="count and show rows that cannot be used, and go on"
    )


def add_sampling(command: argparse.ArgumentParser, *, n: int, split: str, max_new_tokens: int) -> None:
    """Add the arguments of every command that samples completions."""
    command.add_argument(
        "--model", default="tiny", help="tiny (default), smollm2, a folder (also of an adapter) or a hub id"
    )
    add_template(command)
    command.add_argument("-n", type=count, default=n, help=f"completions per problem (default {n})")
    command.add_argument("--split", default=split, help=f"split of the task's data (default {split})")
    command.add_argument("--limit", type=count, default=100, help="most problems (default 100)")
    command.add_argument("--seed", type=int, default=0, help="seed of the random numbers (default 0)")
    command.add_argument("--temperature", type=float, default=1.0, help="divides the logits (default 1.0)")
    command.add_argument(
        "--max-new-tokens",
        type=count,
        default=max_new_tokens,
        help=f"longer completions are cut off (default {max_new_tokens})",
    )
    command.add_argument(
        "--stop", action="append", default=[], metavar="TEXT", help="ends a completion; may be repeated"
    )
    command.add_argument("--device", default="auto", help="auto (default), cpu, cuda, ...")
    command.add_argument(
        "--engine", choices=("hf", "vllm", "vllm_http"), default="hf", help="the sampler (default hf)"
    )
    command.add_argument(
        "--url", action="append", default=[], help="a vLLM server for vllm_http; may be repeated"
    )


def add_template(command: argparse.ArgumentParser) -> None:
    """Add `--template`."""
    command.add_argument(
        "--template",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="argument of the model's chat template, such as enable_thinking=false; may be repeated",
    )


def count(text: str) -> int:
    """Return a whole number from 1 up, as an argument gives it."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 up (given: {text!r})")
    return int(text)


def count_or_none(text: str) -> int:
    """Return a whole number from 0 up, as an argument gives it."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number from 0 up (given: {text!r})")
    return int(text)


def finite(text: str) -> float:
    """Return a finite number, as an argument gives it."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"expected a number (given: {text!r})")
    return value


def share(text: str) -> float:
    """Return a number from 0 to 1, as an argument gives it."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1 (given: {text!r})")
    return value
