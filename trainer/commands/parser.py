"""The arguments of every command. Standard library only, so that `--help` answers at once."""

import argparse

from .arguments import (
    EPILOG,
    TASK_HELP,
    Commands,
    Parser,
    add_rows_output,
    add_sampling,
    add_skip_bad,
    add_template,
    count,
    count_or_none,
)
from .offline.arguments import add_cases, add_offline
from .reward_models.arguments import add_reward_models


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = Parser(
        prog="markscheme",
        description="Declare how answers earn marks, check the scheme offline, and train on it with GRPO.",
        epilog=EPILOG,
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = Commands(parser)
    _add_check(commands)
    add_cases(commands)
    _add_sample(commands)
    add_offline(commands)
    add_reward_models(commands)
    _add_train(commands)
    _add_plot(commands)
    _add_names(commands)
    completion = commands.add(
        "completion",
        "print the completion script of a shell, such as `markscheme completion bash`",
        "markscheme.trainer.commands.completion:completion",
    )
    completion.add_argument("shell", choices=("bash", "zsh", "tcsh"))
    completion.set_defaults(whole_parser=parser)
    commands.add(
        "doctor",
        "show versions, devices, optional packages, and what confines untrusted programs here",
        "markscheme.trainer.commands.doctor:doctor",
    )
    return parser


def _add_check(commands: Commands) -> None:
    check = commands.add(
        "check",
        "check a task before it is used: its data, references and cases, and whether cheats pay",
        "markscheme.trainer.commands.checking:check",
    )
    check.add_argument("task", help=TASK_HELP)
    check.add_argument("--model", help="also check a model: chat template, end tokens, prompt lengths")
    add_template(check)
    check.add_argument(
        "--limit", type=count, default=1000, help="check at most this many problems (default 1000)"
    )
    check.add_argument(
        "--probes",
        type=count_or_none,
        metavar="N",
        help="problems to try cheats on (default 20, or 4 where answers are programs; 0: none)",
    )
    check.add_argument("--seed", type=int, default=0, help="seed of the choice of these problems (default 0)")
    check.add_argument(
        "--against", metavar="FILE", help="a file of other problems, such as a benchmark, to find in the task"
    )
    check.add_argument("--report", metavar="FILE", help="also write the result as a page (.html)")
    add_skip_bad(check)


def _add_sample(commands: Commands) -> None:
    sample = commands.add(
        "sample",
        "sample completions of a task and print the baseline pass@k",
        "markscheme.trainer.commands.sampling:sample",
    )
    sample.add_argument("task", help=TASK_HELP)
    add_sampling(sample, n=8, split="test", max_new_tokens=48)
    add_rows_output(sample, "completions")
    sample.add_argument(
        "--top-p",
        type=float,
        default=1.0,
        help="sample from the likeliest tokens of this probability (default 1.0)",
    )


def _add_train(commands: Commands) -> None:
    train = commands.add("train", "train a policy by GRPO", "markscheme.trainer.commands.training:train")
    train.add_argument("run", help="a run file, a task, or with --resume the folder of a run")
    train.add_argument("--out", help="the run's folder (default runs/NAME-TIME-sSEED)")
    train.add_argument("--seeds", help="several runs, one per seed, such as 0,1,2")
    train.add_argument("--resume", action="store_true", help="continue after the newest checkpoint")


def _add_plot(commands: Commands) -> None:
    plot = commands.add(
        "plot",
        "draw the learning curve of one or more runs",
        "markscheme.trainer.commands.training:plot",
    )
    plot.add_argument("runs", nargs="+", metavar="RUN", help="the folder of a run")
    plot.add_argument(
        "-o", "--output", required=True, help="the picture: .svg (readable in light and dark), .png or .pdf"
    )


def _add_names(commands: Commands) -> None:
    init = commands.add(
        "init",
        "write a commented task with example rows and labelled cases",
        "markscheme.trainer.commands.list_schema_init:init",
    )
    init.add_argument("name", help="the task's name; files are written to the current folder")

    schema = commands.add(
        "schema",
        "print the JSON Schema of task or run files, for editors",
        "markscheme.trainer.commands.list_schema_init:schema",
    )
    schema.add_argument("what", nargs="?", choices=("task", "run"), default="task")

    listing = commands.add(
        "list",
        "list the names that a file may use",
        "markscheme.trainer.commands.list_schema_init:list_names",
    )
    listing.add_argument("what", choices=("tasks", "rewards", "verifiers", "generators", "presets"))
    listing.add_argument("name", nargs="?", help="show this one: parameters, types, defaults, an example")
