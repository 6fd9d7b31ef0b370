"""Does correcting for the engine help? `addition` on bfloat16 vLLM under a float32 trainer.

    python tests/benchmarks/mismatch.py --seeds 0 1 2        # in an environment with vLLM

The same run with each kind of importance weights and with none, seed by seed, and beside them a float32 engine,
where there is next to nothing to correct. Two updates a minibatch, so that old and new policies differ too.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

KINDS = {
    "float32 engine": ["engine.dtype=float32"],
    "none": ["algorithm.correction=none"],
    "truncate, token": ["algorithm.correction=truncate"],
    "mask, token": ["algorithm.correction=mask"],
    "mask, sequence (TRL's)": [
        "algorithm.correction=mask", "algorithm.correction_level=sequence", "algorithm.correction_low=0",
        "algorithm.correction_high=3",
    ],
}  # fmt: skip


def run(seed: int, settings: list[str], steps: int) -> dict[str, float]:
    """Train once, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        wanted = [
            "engine.kind=vllm",
            "engine.dtype=bfloat16",
            "engine.memory=1",
            f"seed={seed}",
            f"algorithm.steps={steps}",
            "algorithm.minibatches=2",
            "eval=[{task: addition, n: 4, every: 10, limit: 100}]",
            *settings,
        ]
        command = [
            sys.executable,
            "-m",
            "markscheme.trainer.commands.cli",
            "train",
            "addition",
            "--out",
            str(out),
            "--json",
        ]
        command += [part for setting in wanted for part in ("--set", setting)]
        ran = subprocess.run(
            command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
        if ran.returncode:
            raise SystemExit(ran.stderr[-3000:])
        rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
        evals = [json.loads(line) for line in (out / "eval.jsonl").read_text().splitlines()]
    known = [row for row in rows if "mismatch_mean" in row]
    return {
        "area": statistics.fmean(row["sampled_pass_at_1"] for row in evals[1:]),
        "last": evals[-1]["pass_at_1"],
        "mismatch_mean": statistics.fmean(row["mismatch_mean"] for row in known),
        "mismatch_max": max(row["mismatch_max"] for row in known),
        "weight": statistics.fmean(row.get("weight", 1.0) for row in known),
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=40)
    args = parser.parse_args()
    print("sampled pass@1, mean over the run's evaluations, each seed; greedy pass@1 at the end")
    for name, settings in KINDS.items():
        found = [run(seed, settings, args.steps) for seed in args.seeds]
        each = " ".join(f"{row['area']:.3f}" for row in found)
        print(
            f"{name:24} {statistics.fmean(row['area'] for row in found):.3f} ({each})"
            f"  last {statistics.fmean(row['last'] for row in found):.3f}"
            f"  mismatch mean {statistics.fmean(row['mismatch_mean'] for row in found):.1e}"
            f" max {max(row['mismatch_max'] for row in found):.2f}"
            f"  mean weight {statistics.fmean(row['weight'] for row in found):.4f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
