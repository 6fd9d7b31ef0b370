"""End runs by signals at random moments and resume them: they must end as if they had never been stopped.

    python tests/benchmarks/kills.py [--kills 40] [--kinds outcome,process,iterative]
    .venv-vllm/bin/python tests/benchmarks/kills.py --kinds vllm_http --kills 4

The signals are SIGKILL (three of four) and SIGTERM. The iterative run updates a reward model after each of its three
iterations. Weights and logs are compared byte by byte with those of a run that was left alone, except under vLLM, whose
samples depend on how requests meet. Processes and shared memory that a run leaves behind are counted.
"""

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from kills import killed_until_done, shared_memory
from learned_runs import differing_files, learned_run, write_learned_task
from markscheme.trainer import train
from small_runs import DIGIT_REWARDS, DIGIT_TASK, metrics_of, small_run, write_task
from support import small_policy
from vllm_engines import SHAPE

SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGKILL, signal.SIGTERM)


def run_of(kind: str, folder: Path, out: str) -> dict[str, Any]:
    """Return a run of one kind in a folder that `write_task` or `write_learned_task` filled."""
    if kind == "iterative":
        return learned_run(folder, out)
    steps: dict[str, Any] = {"algorithm": {"steps": 30}, "save": {"every": 1}}
    if kind == "process":
        steps["algorithm"] = {"steps": 30, "mode": "process"}
    if kind == "vllm_http":
        steps |= {"engine": {"kind": "vllm_http", "memory": 1}, "algorithm": {"steps": 6}}
    return small_run(folder, out, **steps)


def main() -> None:
    """Run one whole run of each kind, and one that is ended again and again."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--kinds", default="outcome,process,iterative")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    for kind in args.kinds.split(","):
        with TemporaryDirectory() as name:
            folder = Path(name)
            if kind == "iterative":
                write_learned_task(folder)
            else:
                write_task(folder, DIGIT_REWARDS, DIGIT_TASK)
            exact = kind != "vllm_http"
            if not exact:
                small_policy(folder / "policy", **SHAPE)  # vLLM cannot run the smaller one
            if exact:
                train(run_of(kind, folder, "whole"))
            before, began = shared_memory(), time.perf_counter()
            left = killed_until_done(
                run_of(kind, folder, "killed"),
                kills=args.kills,
                rng=Random(f"{kind}/{args.seed}"),
                longest_s=6 if exact else 90,
                signals=SIGNALS,
            )
            whole, killed = folder / "whole", folder / "killed"
            print(
                json.dumps(
                    {
                        "kind": kind,
                        "kills": args.kills,
                        "steps": len(metrics_of(killed)),
                        "differing": differing_files(killed, whole) if exact else "not compared",
                        "metrics equal": metrics_of(killed) == metrics_of(whole) if exact else None,
                        "processes left": len(left),
                        "shared memory left": sorted(shared_memory() - before),
                        "seconds": round(time.perf_counter() - began),
                    }
                ),
                flush=True,
            )


if __name__ == "__main__":
    main()
