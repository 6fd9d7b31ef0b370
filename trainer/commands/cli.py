"""The command line: arguments in, exit code out. The work is in `commands.py`, loaded when needed.

Exit codes: 0 good, 1 a check failed, 2 wrong use, 3 the run failed, 130 interrupted.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence

from ...sandbox.errors import MarkschemeError, RunError, SandboxError
from .exit_codes import GOOD, INTERRUPTED, RUN_FAILED, WRONG_USE


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    top = argparse.ArgumentParser(
        prog="markscheme",
        description="Declare how answers earn marks, check the scheme offline, and train on it with GRPO.",
        epilog="exit codes: 0 good, 1 a check failed, 2 wrong use, 3 the run failed, 130 interrupted",
    )
    top.add_argument("--version", action="store_true", help="print the version and stop")
    commands = top.add_subparsers(dest="command", metavar="COMMAND")

    def command(name: str, help: str) -> argparse.ArgumentParser:  # noqa: A002
        sub = commands.add_parser(name, help=help, description=help)
        sub.add_argument("--json", action="store_true", help="print the result as JSON")
        sub.add_argument(
            "--set",
            dest="overrides",
            action="append",
            default=[],
            metavar="KEY=VALUE",
            help="set a key of the task (or run) file; may be given often",
        )
        sub.add_argument(
            "--no-code",
            dest="allow_code",
            action="store_false",
            help="refuse `module:attr` and `file.py:attr` in task files, which execute code",
        )
        return sub

    check = command("check", "look at a task before it is used: data, references, labelled cases")
    check.add_argument("task", help="a shipped task's name or a .yaml file")
    check.add_argument("--model", help="also look at a model: chat template, end tokens, prompt lengths")
    check.add_argument("--limit", type=_count, default=1000, help="problems to look at (default 1000)")

    sample = command("sample", "sample completions of a task and print the baseline pass@k")
    sample.add_argument("task", help="a shipped task's name or a .yaml file")
    sample.add_argument("--model", default="tiny", help="tiny (default), a folder or a hub id")
    sample.add_argument("-n", type=_count, default=8, help="completions a problem (default 8)")
    sample.add_argument("-o", "--output", help="where to write the completions (.jsonl)")
    sample.add_argument("--split", default="test", help="split of the task's data (default test)")
    sample.add_argument("--limit", type=_count, default=100, help="problems (default 100)")
    sample.add_argument("--seed", type=int, default=0, help="of the random numbers (default 0)")
    sample.add_argument("--temperature", type=float, default=1.0, help="default 1.0")
    sample.add_argument("--top-p", type=float, default=1.0, help="default 1.0")
    sample.add_argument("--max-new-tokens", type=_count, default=48, help="default 48")
    sample.add_argument("--device", default="auto", help="auto (default), cpu, cuda, ...")
    sample.add_argument(
        "--engine", choices=("hf", "vllm", "vllm_http"), default="hf", help="what samples (default hf)"
    )
    sample.add_argument("--url", action="append", default=[], help="a vLLM server; may be given often")

    score = command("score", "mark a file of completions")
    score.add_argument("task", help="a shipped task's name or a .yaml file")
    score.add_argument("completions", help="JSONL with a `completion` in each row")
    score.add_argument("-o", "--output", help="where to write the scores (.jsonl)")
    score.add_argument("--split", help="split to look problem ids up in (default: the task's own)")
    score.add_argument("--limit", type=_count, help="at most this many rows")
    score.add_argument("--label", metavar="COLUMN", help="a column of true/false labels to compare with")

    score.add_argument(
        "--step-labels",
        metavar="COLUMN",
        help="a column of labels of steps to compare with: a list of true/false/null, or the index of the"
        " first wrong step (-1: none)",
    )

    _add_prm_commands(command)

    train = command("train", "train a policy by GRPO")
    train.add_argument("run", help="a run file, a task, or with --resume the folder of a run")
    train.add_argument("--out", help="the run's folder (default runs/NAME-TIME-sSEED)")
    train.add_argument("--seeds", help="several runs, one a seed, such as 0,1,2")
    train.add_argument("--resume", action="store_true", help="go on after the newest checkpoint")

    init = command("init", "write a commented task with example rows and labelled cases")
    init.add_argument("name", help="the task's name; files are written to the current folder")

    schema = command("schema", "print the JSON Schema of task files, for editors")
    schema.add_argument("what", nargs="?", choices=("task", "run"), default="task")

    listing = command("list", "list what a name may be")
    listing.add_argument("what", choices=("generators", "verifiers", "rewards", "tasks", "presets"))

    command("doctor", "show versions, devices, threads and optional packages")
    return top


def _add_prm_commands(command: Callable[[str, str], argparse.ArgumentParser]) -> None:
    label = command("label", "sample completions and label their steps, to train a process reward model on")
    label.add_argument("task", help="a shipped task's name or a .yaml file")
    label.add_argument("-o", "--output", required=True, help="where to write the labelled steps (.jsonl)")
    label.add_argument("--model", default="tiny", help="tiny (default), a folder or a hub id")
    label.add_argument(
        "--by",
        choices=("monte_carlo", "rule"),
        default="monte_carlo",
        help="monte_carlo (default): go on from each step and see how often the answer is right;"
        " rule: the task's own `process:`",
    )
    label.add_argument("-n", type=_count, default=4, help="completions a problem (default 4)")
    label.add_argument("-k", type=_count, default=8, help="continuations of each step (default 8)")
    label.add_argument("--steps", help="how to split: lines, separator, numbered, sentences, code")
    label.add_argument("--split", default="train", help="split of the task's data (default train)")
    label.add_argument("--limit", type=_count, default=100, help="problems (default 100)")
    label.add_argument("--seed", type=int, default=0, help="of the random numbers (default 0)")
    label.add_argument("--temperature", type=float, default=1.0, help="default 1.0")
    label.add_argument("--max-new-tokens", type=_count, default=72, help="default 72")
    label.add_argument("--device", default="auto", help="auto (default), cpu, cuda, ...")
    label.add_argument("--engine", choices=("hf", "vllm", "vllm_http"), default="hf", help="default hf")
    label.add_argument("--url", action="append", default=[], help="a vLLM server; may be given often")

    prm = command("train-prm", "train a process reward model on labelled steps")
    prm.add_argument("rows", help="JSONL: TRL's `prompt, completions, labels`, PRM800K or Math-Shepherd")
    prm.add_argument("-o", "--output", required=True, help="the folder of the trained model")
    prm.add_argument("--model", default="tiny", help="what to start from: tiny (default), a folder, a hub id")
    prm.add_argument("--task", help="the task that `--model tiny` is built for")
    prm.add_argument("--form", default="classes", help="classes (default), trl or math_shepherd")
    prm.add_argument("--epochs", type=_count, default=3, help="default 3")
    prm.add_argument("--batch-rows", type=_count, default=32, help="completions a step (default 32)")
    prm.add_argument("--lr", type=float, default=1e-4, help="default 1e-4")
    prm.add_argument(
        "--held-out", type=float, default=0.1, help="share of prompts to measure on (default 0.1)"
    )
    prm.add_argument(
        "--neutral",
        choices=("right", "wrong", "skip"),
        default="right",
        help="what PRM800K's rating 0 counts as (default right)",
    )
    prm.add_argument("--seed", type=int, default=0, help="of the random numbers (default 0)")
    prm.add_argument("--device", default="auto", help="auto (default), cpu, cuda, ...")


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 (given: {text!r})")
    return int(text)


def _command(name: str) -> Callable[[argparse.Namespace], int]:
    """Load a command's function; only those that run models load torch."""
    if name in ("sample", "train"):
        from . import training as train_commands

        return getattr(train_commands, name)
    if name in ("label", "train-prm"):
        from . import reward_models as prm_commands

        return prm_commands.label if name == "label" else prm_commands.train_prm_command
    if name == "doctor":
        from .doctor import doctor

        return doctor
    from . import scoring as commands

    return commands.list_names if name == "list" else getattr(commands, name)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    top = parser()
    args = top.parse_args(argv)
    if args.version:
        from importlib.metadata import version

        print(version("markscheme"))
        return GOOD
    if args.command is None:
        top.print_help()
        return WRONG_USE
    try:
        return _command(args.command)(args)
    except ImportError as error:
        if error.name not in ("torch", "transformers", "safetensors", "tokenizers"):
            raise
        print(f"error: this needs {error.name}: pip install 'markscheme[train]'", file=sys.stderr)
        return WRONG_USE
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        return GOOD
    except MarkschemeError as error:
        if args.json:
            print(json.dumps({"error": type(error).__name__, "message": str(error)}))
        print(f"error: {error}", file=sys.stderr)
        return RUN_FAILED if isinstance(error, RunError | SandboxError) else WRONG_USE


if __name__ == "__main__":
    sys.exit(main())
