"""Marks of steps on real solutions: 2,640 of four models to GSM8K, by the arithmetic checker.

    python tests/benchmarks/step_marks.py [--read 10] [--seed 0]

The solutions carry calculator annotations and a label of their final answer. Printed: how many wrong and
right answers have a step that calculates wrongly, or from a number that nothing gave; the time a solution
takes; and some solutions with their first wrong step, to be read.
"""

import argparse
import json
import os
import time
from collections import Counter
from pathlib import Path
from random import Random

from markscheme.tasks import Problem
from markscheme.verifiers import Verdict, verify_steps
from markscheme.verifiers.verdict import Reason

ROOT = Path(__file__).resolve().parents[2]


def kind_of(verdicts: list[Verdict]) -> str:
    """Say the worst that was found of a solution's steps."""
    if any(verdict.correct is False for verdict in verdicts):
        return "wrong"
    return "unsupported" if any(v.reason is Reason.UNSUPPORTED for v in verdicts) else "neither"


def main() -> None:
    """Print the figures."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    arguments.add_argument("--read", type=int, default=10)
    arguments.add_argument("--seed", type=int, default=0)
    args = arguments.parse_args()
    shared = Path(os.environ.get("MARKSCHEME_SHARED", ROOT.parent / "shared"))
    path = shared / "data" / "gsm8k_model_solutions.jsonl"
    if not path.exists():
        print(f"no real solutions at {path}; nothing to mark")
        return
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    verify_steps("1 + 1 = 2")
    began = time.perf_counter()
    judged = [verify_steps(row["completion"], problem=Problem(prompt=row["question"])) for row in rows]
    seconds = time.perf_counter() - began
    kinds = Counter((row["correct"], kind_of(verdicts)) for row, verdicts in zip(rows, judged, strict=True))
    steps = Counter(str(verdict.correct) for verdicts in judged for verdict in verdicts)
    print(
        f"{len(rows)} solutions, {sum(steps.values())} steps: {steps['True']} right, {steps['False']} wrong,"
        f" {steps['None']} not judged; {1000 * seconds / len(rows):.2f} ms a solution"
    )
    for correct, name in ((False, "wrong"), (True, "right")):
        total = sum(kinds[correct, kind] for kind in ("wrong", "unsupported", "neither"))
        told = ", ".join(
            f"{kinds[correct, k] / total:.1%} ({kinds[correct, k]}) {k}" for k in ("wrong", "unsupported")
        )
        print(f"  {total} {name} final answers have a step that is: {told}")
    found = [(r, v) for r, v in zip(rows, judged, strict=True) if kind_of(v) == "wrong"]
    for row, verdicts in Random(args.seed).sample(found, min(args.read, len(found))):
        place, verdict = next((i, v) for i, v in enumerate(verdicts) if v.correct is False)
        print(
            f"\n[{row['model']}, answer {'right' if row['correct'] else 'wrong'}] step {place + 1} of"
            f" {len(verdicts)}: {verdict.extracted!r}\n    {verdict.evidence['claim']}"
        )


if __name__ == "__main__":
    main()
