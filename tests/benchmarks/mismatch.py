"""Does it help to correct for the engine's rounding? `addition` on bfloat16 vLLM under a float32 trainer.

    python tests/benchmarks/mismatch.py --seeds 0 1 2        # in an environment with vLLM

The same run with each kind of importance weights and without any, seed by seed; and beside them a float32 engine,
where there is next to nothing to correct. Each minibatch is updated on twice, so that the old and the new policy
differ too.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

KINDS = {
    "float32 engine": ["engine.dtype=float32"],
    "none": ["algorithm.correction=none"],
    "truncate, token": ["algorithm.correction=truncate"],
    "mask, token": ["algorithm.correction=mask"],
    "mask, sequence (TRL's)": [
        "algorithm.correction=mask",
        "algorithm.correction_level=sequence",
        "algorithm.correction_low=0",
        "algorithm.correction_high=3",
    ],
}
"""The settings of each row of the table, by the name that it is printed under."""


def train_once(seed: int, settings: list[str], steps: int) -> dict[str, float]:
    """Train in a new process; return the pass@1 of its evaluations, and means over its steps.

    `area` is the sampled pass@1 averaged over the evaluations after the first, and `last` the greedy pass@1 of the
    last. `mismatch_mean` and `mismatch_max` are in nats.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        all_settings = [
            "engine.kind=vllm",
            "engine.dtype=bfloat16",
            "engine.memory=1",
            f"seed={seed}",
            f"algorithm.steps={steps}",
            "algorithm.minibatches=2",
            "eval=[{task: addition, n: 4, every: 10, limit: 100}]",
            *settings,  # last, because a later setting replaces an earlier one
        ]
        command = [sys.executable, "-m", "markscheme.trainer.commands.cli", "train", "addition", "--json"]
        command += ["--out", str(out)]
        for setting in all_settings:
            command += ["--set", setting]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        process = subprocess.run(command, capture_output=True, text=True, env=environment)
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} failed:\n{process.stderr[-3000:]}")
        steps_logged = read_rows(out / "metrics.jsonl")
        evaluations = read_rows(out / "eval.jsonl")
    with_mismatch = [row for row in steps_logged if "mismatch_mean" in row]
    return {
        "area": statistics.fmean(row["sampled_pass_at_1"] for row in evaluations[1:]),
        "last": evaluations[-1]["pass_at_1"],
        "mismatch_mean": statistics.fmean(row["mismatch_mean"] for row in with_mismatch),
        "mismatch_max": max(row["mismatch_max"] for row in with_mismatch),
        "weight": statistics.fmean(row.get("weight", 1.0) for row in with_mismatch),
    }


def read_rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def mean_of(key: str, results: list[dict[str, float]]) -> float:
    return statistics.fmean(result[key] for result in results)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=40)
    args = parser.parse_args()
    print(
        "sampled pass@1 averaged over a run's evaluations: the mean of the seeds (each seed); then the greedy"
    )
    print("pass@1 at the end, the mismatch of log-probabilities in nats, and the mean importance weight")
    for name, settings in KINDS.items():
        results = [train_once(seed, settings, args.steps) for seed in args.seeds]
        each_seed = " ".join(f"{result['area']:.3f}" for result in results)
        print(
            f"{name:24} {mean_of('area', results):.3f} ({each_seed})"
            f"  at the end {mean_of('last', results):.3f}"
            f"  mismatch mean {mean_of('mismatch_mean', results):.1e}"
            f" max {max(result['mismatch_max'] for result in results):.2f}"
            f"  mean weight {mean_of('weight', results):.4f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
