"""Kill an iterative run with SIGKILL at random moments: it must end as if it had never been stopped.

    python tests/benchmarks/kills.py [--kills 20] [--seeds 0,1]

The run has three iterations, each with an update of its reward model. Weights of the policy, reward models, replay buffer and
the logs of the iterations are compared byte by byte with those of a run that was left alone.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from learned_runs import differing_files, kill_until_done, learned_run, write_learned_task
from markscheme.trainer import train


def main() -> None:
    """Run one whole run, and for each seed one that is killed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seeds", default="0,1")
    args = parser.parse_args()
    with TemporaryDirectory() as name:
        folder = write_learned_task(Path(name))
        whole = train(learned_run(folder, "whole")).folder
        rows = [
            len((whole / log).read_text().splitlines()) for log in ("metrics.jsonl", "reward_model.jsonl")
        ]
        buffer = sum(len(path.read_text().splitlines()) for path in (whole / "replay").iterdir())
        print(f"whole run: {rows[0]} steps, {rows[1]} updates, {buffer} rows in the buffer")
        for seed in map(int, args.seeds.split(",")):
            killed = kill_until_done(
                folder, f"killed-{seed}", kills=args.kills, rng=Random(seed), longest_s=4
            )
            resumed = len((killed / "metrics.jsonl").read_text().splitlines())
            print(
                json.dumps(
                    {
                        "seed": seed,
                        "kills": args.kills,
                        "steps": resumed,
                        "differing": differing_files(killed, whole),
                    }
                )
            )


if __name__ == "__main__":
    main()
