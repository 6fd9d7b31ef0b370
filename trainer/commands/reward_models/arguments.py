"""The arguments of the commands that make reward models. Standard library only, as in `parser.py`."""

import argparse

from ..arguments import (
    TASK_HELP,
    Commands,
    add_rows_output,
    add_sampling,
    add_skip_bad,
    count,
    count_or_none,
    finite,
    share,
)

HERE = "markscheme.trainer.commands.reward_models"


def add_reward_models(commands: Commands) -> None:
    """Add label, train-prm, pairs and train-rm."""
    _add_label(commands)
    _add_train_prm(commands)
    _add_pairs(commands)
    _add_train_rm(commands)


def _add_label(commands: Commands) -> None:
    label = commands.add(
        "label",
        "sample completions and label their steps, as training data for a process reward model",
        f"{HERE}.labelling:label",
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
    add_sampling(label, n=4, split="train", max_new_tokens=72)


def _add_train_prm(commands: Commands) -> None:
    prm = commands.add(
        "train-prm",
        "train a process reward model on labelled steps",
        f"{HERE}.training:train_prm_of",
    )
    prm.add_argument("rows", help="JSONL: TRL's `prompt, completions, labels`, PRM800K or Math-Shepherd")
    prm.add_argument("--form", default="classes", help="classes (default), trl or math_shepherd")
    prm.add_argument(
        "--batch-rows", type=count, default=32, help="completions of one optimizer step (default 32)"
    )
    prm.add_argument(
        "--neutral",
        choices=("right", "wrong", "skip"),
        default="right",
        help="how PRM800K's rating 0 is read (default right)",
    )
    _add_training(prm)


def _add_pairs(commands: Commands) -> None:
    pairs = commands.add(
        "pairs", "make preference pairs of scores: right over wrong, within a group", f"{HERE}.pairing:pairs"
    )
    pairs.add_argument("scores", metavar="SCORES", help="a file of scores, or a run's folder")
    pairs.add_argument(
        "-o", "--output", required=True, metavar="FILE", help="where to write the pairs (.jsonl)"
    )
    pairs.add_argument(
        "--by",
        choices=("right", "value"),
        default="right",
        help="right (default): a right completion over a wrong one; value: every higher total over every"
        " lower one, a ranking of the group",
    )
    pairs.add_argument(
        "--per-problem", type=count_or_none, default=8, help="most pairs of a group (default 8; 0: all)"
    )
    pairs.add_argument(
        "--ties", type=count_or_none, default=0, help="also pair this many equally good ones, in both orders"
    )
    pairs.add_argument(
        "--balance-length", action="store_true", help="as many longer as shorter better completions"
    )
    pairs.add_argument(
        "--margin",
        type=finite,
        default=0.0,
        help="margin: this times the difference of the totals (default 0)",
    )
    pairs.add_argument(
        "--unanswered", action="store_true", help="completions without an answer count as wrong"
    )
    pairs.add_argument(
        "--held-out", type=share, default=0.1, help="share of prompts to hold out (default 0.1)"
    )
    pairs.add_argument("--seed", type=int, default=0, help="seed of the choice of pairs (default 0)")
    add_skip_bad(pairs)


def _add_train_rm(commands: Commands) -> None:
    rm = commands.add(
        "train-rm", "train an outcome reward model on preference pairs", f"{HERE}.training:train_rm_of"
    )
    rm.add_argument("pairs", metavar="PAIRS", help="JSONL of `markscheme pairs`, TRL, RewardBench or HH")
    rm.add_argument(
        "--form", choices=("chat", "text", "pair"), help="layout of the inputs (default: by the model)"
    )
    rm.add_argument(
        "--pooling",
        choices=("last", "mean", "own"),
        help="which hidden state is scored (default: by the model)",
    )
    rm.add_argument(
        "--freeze-layers",
        type=count_or_none,
        default=0,
        help="lowest layers that stay as they are (default 0)",
    )
    rm.add_argument(
        "--batch-prompts", type=count, default=16, help="prompts of one optimizer step (default 16)"
    )
    rm.add_argument("--head-lr", type=float, help="learning rate of the head (default: --lr)")
    rm.add_argument(
        "--centring", type=float, default=0.01, help="weight of what keeps scores around 0 (default 0.01)"
    )
    rm.add_argument("--label-smoothing", type=float, default=0.0, help="share of wrong labels (default 0)")
    rm.add_argument(
        "--dtype", choices=("float32", "bfloat16"), default="float32", help="precision of the computation"
    )
    add_skip_bad(rm)
    _add_training(rm)


def _add_training(command: argparse.ArgumentParser) -> None:
    """Add the arguments of every training of a reward model."""
    command.add_argument("-o", "--output", required=True, help="the folder of the trained model")
    command.add_argument(
        "--model", default="tiny", help="the model to start from: tiny (default), a folder or a hub id"
    )
    command.add_argument("--task", help="the task that `--model tiny` is built for")
    command.add_argument("--epochs", type=count, default=3, help="passes over the rows (default 3)")
    command.add_argument("--lr", type=float, default=1e-4, help="learning rate (default 1e-4)")
    command.add_argument(
        "--held-out", type=share, default=0.1, help="share of prompts to measure on (default 0.1)"
    )
    command.add_argument("--seed", type=int, default=0, help="seed of the random numbers (default 0)")
    command.add_argument("--device", default="auto", help="auto (default), cpu, cuda, ...")
