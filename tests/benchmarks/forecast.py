"""The signal forecast against the truth, and against real runs.

    python tests/benchmarks/forecast.py [--tasks addition list_programs] [--seeds 0 1 2]

First, per task: 160 problems are sampled 64 times each by the untrained demonstration policy, which is taken as the
truth. From 8 of the 64 samples, drawn 200 times, the share of mixed groups is forecast for G = 4 to 64. Shown are the
truth, the mean and the worst error of the forecast, the mean error of a beta-binomial, how often the interval holds
the truth, and how often the prediction for 24 groups holds what 24 groups of these problems show.

Second, per seed: a run of three steps, and the forecast for exactly its problems from 8 samples of its policy.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import numpy as np

from markscheme.rewards import evaluate_scores
from markscheme.rewards.offline.forecast.composition import Cells, hypergeometric
from markscheme.rewards.offline.forecast.forecast import GROUP_SIZES, signal_forecast
from markscheme.rewards.offline.table import ScoreTable, read_tables
from markscheme.rewards.rows.read_scores import read_scores
from markscheme.trainer import train
from markscheme.trainer.commands.cli import main as command

PROBLEMS, SAMPLES, DRAWN, DRAWS, GROUPS = 160, 64, 8, 200, 24


def run(*arguments: str) -> None:
    """Run a command without its output."""
    before = os.dup(1)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        try:
            assert command(arguments) == 0, arguments
        finally:
            sys.stdout.flush()
            os.dup2(before, 1)
            os.close(before)


def sampled(folder: Path, task: str, seed: int, n: int, *settings: str) -> ScoreTable:
    """Sample and score the training problems of a task with the untrained policy of a seed."""
    tokens = "72" if task == "addition" else "64"
    sets = [part for setting in settings for part in ("--set", setting)]
    completions, scores = str(folder / "c.jsonl"), str(folder / "s.jsonl")
    limit = ["--limit", str(PROBLEMS), "--split", "train", "--max-new-tokens", tokens, "--seed", str(seed)]
    run("sample", task, "-n", str(n), *limit, *sets, "-o", completions)
    run("score", task, completions, *sets, "-o", scores)
    return next(iter(read_tables(read_scores(Path(scores))).values()))


def against_truth(folder: Path, task: str) -> None:
    table = sampled(folder, task, 0, SAMPLES)
    right, _ = table.counts(table.mark)
    rng = np.random.default_rng(0)
    truth = {}
    for size in GROUP_SIZES:
        cells = Cells.of([(int(r), SAMPLES) for r in right])
        chances = cells.problems_K @ hypergeometric(cells, size) / cells.problems
        truth[size] = 1 - chances[0] - chances[-1]
    errors, plain, held, predicted = ({size: [] for size in GROUP_SIZES} for _ in range(4))
    for draw in range(DRAWS):
        drawn = rng.hypergeometric(right, SAMPLES - right, DRAWN)
        counts = [(int(r), DRAWN) for r in drawn]
        forecast = signal_forecast(counts, seed=draw)
        beta = signal_forecast(counts, model="beta_binomial", bootstraps=0)
        for size in GROUP_SIZES:
            chosen = rng.integers(len(right), size=GROUPS)
            in_group = rng.hypergeometric(right[chosen], SAMPLES - right[chosen], size)
            shown = float(((in_group > 0) & (in_group < size)).mean())
            one = forecast[size]
            low, high = one.prediction(GROUPS)
            errors[size].append(one.mixed - truth[size])
            plain[size].append(beta[size].mixed - truth[size])
            held[size].append(one.low <= truth[size] <= one.high)
            predicted[size].append(low - 1e-9 <= shown <= high + 1e-9)
    print(
        f"{task}: {PROBLEMS} problems, pass@1 {right.mean() / SAMPLES:.3f}, {DRAWN} of {SAMPLES} samples, {DRAWS} draws"
    )
    print("     G  truth  mean error  beta-binomial's  interval holds truth  prediction holds 24 groups")
    for size in GROUP_SIZES:
        print(
            f"  {size:4d}  {truth[size]:.3f}  {np.mean(errors[size]):+10.3f}  {np.mean(plain[size]):+15.3f}"
            f"  {np.mean(held[size]):20.1%}  {np.mean(predicted[size]):26.1%}"
        )


def against_run(folder: Path, task: str, seed: int) -> None:
    """Compare a run's first three steps with the forecast for exactly its problems."""
    settings = [f"seed={seed}", "algorithm.steps=3", "eval=[]", f"out={folder / f'{task}-{seed}'}"]
    result = train(task, overrides=settings)
    ids: dict[str, int] = {}
    for read in read_scores(result.folder):
        ids.setdefault(read.row.problem, 0)
    listed = folder / "problems.jsonl"
    listed.write_text("".join(f'{{"problem": "{name}"}}\n' for name in ids))
    table = sampled(folder, task, seed, DRAWN, f"data.problems={listed}")
    counts = Cells.tallied(*table.counts(table.mark))
    found = evaluate_scores(result.folder)
    assert found.signal is not None
    groups, shown = found.signal.groups, found.signal.kinds["mixed"]
    forecast = signal_forecast(counts, group_sizes=(8,))[8]
    low, high = forecast.prediction(groups)
    verdict = "inside" if low <= shown <= high else "OUTSIDE"
    print(
        f"  {task}, seed {seed}: {groups} groups of 8, forecast {forecast.mixed:.3f} [{low:.3f}, {high:.3f}], the"
        f" run shows {shown:.3f}: {verdict}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", nargs="+", default=["addition", "list_programs"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        for task in arguments.tasks:
            against_truth(Path(name), task)
        print("the problems of steps 1 to 3 of a run:")
        for task in arguments.tasks:
            for seed in arguments.seeds:
                against_run(Path(name), task, seed)


if __name__ == "__main__":
    main()
