"""The arguments of every command. Standard library only, so that `--help` answers at once."""

import argparse

from .arguments import (
    EPILOG,
    TASK_HELP,
    Commands,
    add_rows_output,
    add_skip_bad,
    count,
    count_or_none,
)
from .offline.arguments import add_cases, add_offline


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
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
    _add_label(commands)
    _add_train_prm(commands)
    _add_train(commands)
    _add_plot(commands)
    _add_names(commands)
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
    _add_sampling(sample, n=8, split="test", max_new_tokens=48)
    add_rows_output(sample, "completions")
    sample.add_argument(
        "--top-p",
        type=float,
        default=1.0,
        help="sample from the likeliest tokens of this probability (default 1.0)",
    )


def _add_sampling(command: argparse.ArgumentParser, *, n: int, split: str, max_new_tokens: int) -> None:
    """Add the arguments of every command that samples completions."""
    command.add_argument("--model", default="tiny", help="tiny (default), a folder or a hub id")
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
    command.add_argument("--device", default="auto", help="auto (default), cpu, cuda, ...")
    command.add_argument(
        "--engine", choices=("hf", "vllm", "vllm_http"), default="hf", help="the sampler (default hf)"
    )
    command.add_argument(
        "--url", action="append", default=[], help="a vLLM server for vllm_http; may be repeated"
    )


def _add_label(commands: Commands) -> None:
    label = commands.add(
        "label",
        "sample completions and label their steps, as training data for a process reward model",
        "markscheme.trainer.commands.reward_models:label",
    )
    label.add_argument("task", help=TASK_HELP)
    add_rows_output(label, "labelled steps", required=True)
    label.add_argument(
        "--by",
        choices=("monte_carlo", "rule"),
        default="monte_carlo",
        help="monte_carlo (default): continue from each step and see how often the answer is right;"
        " rule: the task's own `process:`",
    )
    label.add_argument("-k", type=count, default=8, help="continuations of each step (default 8)")
    label.add_argument("--steps", help="how to split them: lines, separator, numbered, sentences, code")
    _add_sampling(label, n=4, split="train", max_new_tokens=72)


def _add_train_prm(commands: Commands) -> None:
    prm = commands.add(
        "train-prm",
        "train a process reward model on labelled steps",
        "markscheme.trainer.commands.reward_models:train_prm_command",
    )
    prm.add_argument("rows", help="JSONL: TRL's `prompt, completions, labels`, PRM800K or Math-Shepherd")
    prm.add_argument("-o", "--output", required=True, help="the folder of the trained model")
    prm.add_argument(
        "--model", default="tiny", help="the model to start from: tiny (default), a folder or a hub id"
    )
    prm.add_argument("--task", help="the task that `--model tiny` is built for")
    prm.add_argument("--form", default="classes", help="classes (default), trl or math_shepherd")
    prm.add_argument("--epochs", type=count, default=3, help="passes over the rows (default 3)")
    prm.add_argument(
        "--batch-rows", type=count, default=32, help="completions of one optimizer step (default 32)"
    )
    prm.add_argument("--lr", type=float, default=1e-4, help="learning rate (default 1e-4)")
    prm.add_argument(
        "--held-out", type=float, default=0.1, help="share of prompts to measure on (default 0.1)"
    )
    prm.add_argument(
        "--neutral",
        choices=("right", "wrong", "skip"),
        default="right",
        help="how PRM800K's rating 0 is read (default right)",
    )
    prm.add_argument("--seed", type=int, default=0, help="seed of the random numbers (default 0)")
    prm.add_argument("--device", default="auto", help="auto (default), cpu, cuda, ...")


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
