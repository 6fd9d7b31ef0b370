"""Steps scored per second by a process reward model: batched by length, answer by answer, and step by step.

    python tests/benchmarks/prm_throughput.py [--rows 128] [--layers 3] [--device auto]

The model is a random one of Skywork's architecture, and the three ways take turns. Step by step is how
RLHFlow's own script scores. Batching saves what a forward pass costs besides its arithmetic: on one CPU core
that is most of the cost for short answers and little for long ones, and on a GPU most of it for both.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported, which reads it
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

from markscheme.rewards.models.prm_formats import find_format
from markscheme.rewards.models.prm_torch import Prm, load_prm
from markscheme.rewards.models.torch_runtime import quiet
from prm_models import PROMPT, save_prm


def random_answers(count: int, longest: int, rng: Random) -> list[list[str]]:
    """Return answers of 1 to `longest` steps."""
    words = "the sum of two numbers is x1 3.14".split()
    return [
        [" ".join(rng.choices(words, k=rng.randint(2, 6))) for _ in range(rng.randint(1, longest))]
        for _ in range(count)
    ]


def timed(score: Callable[[], list[float]]) -> tuple[list[float], float]:
    """Return the scores, and the wall seconds that they took."""
    began = time.perf_counter()
    scores = score()
    return scores, time.perf_counter() - began


def compare(model: Prm, answers: list[list[str]]) -> None:
    """Print the speed of the three ways, in three rounds, and the ratios' medians."""
    inputs = [model.encoder(PROMPT, steps) for steps in answers]
    prefixes = [model.encoder(PROMPT, steps[:end]) for steps in answers for end in range(1, len(steps) + 1)]
    steps, tokens = len(prefixes), sum(len(encoded.ids) for encoded in inputs)
    print(
        f"{len(answers)} answers, {steps / len(answers):.1f} steps and {tokens / len(answers):.0f} tokens each"
    )

    def step_by_step() -> list[float]:
        return [model.score([prefix])[0][-1] for prefix in prefixes]

    def answer_by_answer() -> list[float]:
        return [score for encoded in inputs for score in model.score([encoded])[0]]

    def batched() -> list[float]:
        return [score for row in model.score(inputs) for score in row]

    by_step_ratios, by_answer_ratios = [], []
    for _ in range(3):
        by_step, by_step_s = timed(step_by_step)
        by_answer, by_answer_s = timed(answer_by_answer)
        in_batches, batched_s = timed(batched)
        apart = max(
            abs(one - other)
            for scores in (by_step, by_answer)
            for one, other in zip(scores, in_batches, strict=True)
        )
        by_step_ratios.append(by_step_s / batched_s)
        by_answer_ratios.append(by_answer_s / batched_s)
        print(
            f"  steps per second: step by step {steps / by_step_s:7.0f}, answer by answer {steps / by_answer_s:7.0f},"
            f" batched by length {steps / batched_s:7.0f} (scores differ by at most {apart:.0e})"
        )
    print(
        f"  batched by length: {statistics.median(by_step_ratios):.1f} times as fast as step by step,"
        f" {statistics.median(by_answer_ratios):.1f} times as fast as answer by answer"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rows", type=int, default=128, help="number of answers")
    parser.add_argument("--layers", type=int, default=3, help="layers of the model")
    parser.add_argument("--device", default="auto", help="auto, or the name of a torch device")
    args = parser.parse_args()
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    with tempfile.TemporaryDirectory() as folder, quiet(reports=True):
        save_prm(Path(folder), "skywork", num_hidden_layers=args.layers, max_position_embeddings=4096)
        model = load_prm(folder, find_format("skywork"), device=args.device)
    for longest in (4, 12, 40):  # short, middling and long answers
        compare(model, random_answers(args.rows, longest, Random(longest)))


if __name__ == "__main__":
    main()
