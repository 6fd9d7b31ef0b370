"""Process reward models: steps scored per second, batched by length against one at a time.

    python tests/benchmarks/prm_throughput.py [--rows 128] [--layers 3] [--device cpu]

A random model of Skywork's architecture; the ways take turns. Step by step is what RLHFlow's own script
does. What batching saves is what a call costs beside its arithmetic: on one CPU core most for short answers
and little for long ones, on a GPU for all.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from random import Random

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from prm_models import save_prm

from markscheme.rewards.models.prm_formats import find_format
from markscheme.rewards.models.prm_torch import Prm, load_prm
from markscheme.rewards.models.torch_runtime import quiet


def answers(count: int, longest: int, rng: Random) -> list[list[str]]:
    """Return answers of 1 to `longest` steps."""
    words = "the sum of two numbers is x1 3.14".split()
    return [
        [" ".join(rng.choices(words, k=rng.randint(2, 6))) for _ in range(rng.randint(1, longest))]
        for _ in range(count)
    ]


def rounds(model: Prm, made: list[list[str]]) -> None:
    """Print the three ways, three times, each in turn."""
    prompt = "the sum of two numbers"
    inputs = [model.encoder(prompt, steps) for steps in made]
    prefixes = [model.encoder(prompt, steps[: i + 1]) for steps in made for i in range(len(steps))]
    steps, tokens = len(prefixes), sum(len(one.ids) for one in inputs)
    print(f"{len(made)} answers, {steps / len(made):.1f} steps and {tokens / len(made):.0f} tokens each")
    ratios = []
    for _ in range(3):
        marks = [time.perf_counter()]
        one_by_one = [model.score([one])[0][-1] for one in prefixes]
        marks.append(time.perf_counter())
        alone = [model.score([one])[0] for one in inputs]
        marks.append(time.perf_counter())
        batched = model.score(inputs)
        marks.append(time.perf_counter())
        a, b, c = (steps / (after - before) for before, after in pairwise(marks))
        flat = [score for row in batched for score in row]
        apart = max(
            abs(x - y)
            for way in (one_by_one, [s for row in alone for s in row])
            for x, y in zip(way, flat, strict=True)
        )
        ratios.append((c / a, c / b))
        print(
            f"  steps a second: step by step {a:7.0f}, answer by answer {b:7.0f}, batched by length {c:7.0f}"
            f" (scores apart by {apart:.0e})"
        )
    by_step, by_answer = (statistics.median(column) for column in zip(*ratios, strict=True))
    print(
        f"  batched by length against step by step {by_step:.1f}x, against answer by answer {by_answer:.1f}x"
    )


def main() -> None:
    """Print the ways for short, middling and long answers."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    arguments.add_argument("--rows", type=int, default=128)
    arguments.add_argument("--layers", type=int, default=3)
    arguments.add_argument("--device", default="auto")
    args = arguments.parse_args()
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    with tempfile.TemporaryDirectory() as folder, quiet(reports=True):
        save_prm(Path(folder), "skywork", num_hidden_layers=args.layers, max_position_embeddings=4096)
        model = load_prm(folder, find_format("skywork"), device=args.device)
    for longest in (4, 12, 40):
        rounds(model, answers(args.rows, longest, Random(longest)))


if __name__ == "__main__":
    main()
