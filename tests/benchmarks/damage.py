"""Damage every file of a run's folder in turn (cut, emptied, one bit flipped, removed), and resume the run.

    python tests/benchmarks/damage.py [--kinds outcome,iterative]

A run must end with the weights that it would have had without the damage, or say in one line what cannot be used.
The iterative run has a reward model that learns along, so it also has references, reward models and replayed rows.
"""

import argparse
import json
import os
import shutil
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from damage import DAMAGES, files_of, resumed_after
from learned_runs import learned_run, write_learned_task
from markscheme.trainer import train
from small_runs import DIGIT_REWARDS, DIGIT_TASK, small_run, write_task

LONGER = {"outcome": "algorithm.steps=6", "iterative": "algorithm.iterations=3"}
"""The setting with which a run of four steps is resumed to six."""


def run_of(kind: str, folder: Path, out: str, *, whole: bool) -> dict[str, Any]:
    """Return a run of six steps, or of the first four of them."""
    if kind == "iterative":
        return learned_run(folder, out, algorithm={"iterations": 3 if whole else 2})
    return small_run(folder, out, algorithm={"steps": 6 if whole else 4})


def main() -> None:
    """Damage each file of a run of each kind in each way."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kinds", default="outcome,iterative")
    for kind in parser.parse_args().kinds.split(","):
        with TemporaryDirectory() as name:
            folder = Path(name)
            if kind == "iterative":
                write_learned_task(folder)
            else:
                write_task(folder, DIGIT_REWARDS, DIGIT_TASK)
            whole = train(run_of(kind, folder, "whole", whole=True)).folder
            run = train(run_of(kind, folder, "run", whole=False)).folder
            expected = (whole / "final/model.safetensors").read_bytes()
            counts: Counter[str] = Counter()
            refused: dict[str, str] = {}
            for file in files_of(run):
                for damage in DAMAGES:
                    said = resumed_after(damage, file, run, LONGER[kind])
                    final = run.with_name("copy") / "final/model.safetensors"
                    if said == "resumed":
                        same = final.read_bytes() == expected
                        counts["the weights of an undamaged run" if same else "OTHER WEIGHTS"] += 1
                    else:
                        counts["one line" if len(said.splitlines()) == 1 else "SEVERAL LINES"] += 1
                        refused[f"{damage.__name__} {file}"] = said.replace(str(folder), "")
            print(json.dumps({"kind": kind, "files": len(files_of(run)), **counts}), flush=True)
            for what, said in refused.items():
                print(f"  {what}: {said[:200]}")
            shutil.rmtree(run)


if __name__ == "__main__":
    main()
