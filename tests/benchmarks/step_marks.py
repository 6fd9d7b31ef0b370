"""The arithmetic checker on the steps of real solutions: 2,640 solutions of GSM8K by four models.

    python tests/benchmarks/step_marks.py [--read 10] [--seed 0]

The solutions carry calculator annotations, and labels that say whether their final answers are right. Printed
are the shares of wrong and of right answers that have a step with a wrong calculation, or with a number that
nothing gave; the time per solution; and some solutions with their first wrong step, to be read.
"""

import argparse
import json
import os
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

from markscheme.tasks import Problem
from markscheme.verifiers import Verdict, verify_steps
from markscheme.verifiers.verdict import Reason

ROOT = Path(__file__).resolve().parents[2]
Judged = list[tuple[dict[str, Any], list[Verdict]]]
"""The rows of solutions, each with the verdicts on its steps."""


def worst_fault(verdicts: list[Verdict]) -> str:
    """Return the worst fault of a solution's steps: wrong, unsupported or neither."""
    if any(verdict.correct is False for verdict in verdicts):
        return "wrong"
    if any(verdict.reason is Reason.UNSUPPORTED for verdict in verdicts):
        return "unsupported"
    return "neither"


def print_shares(judged: Judged, seconds: float) -> None:
    marks = Counter(verdict.correct for _, verdicts in judged for verdict in verdicts)
    print(
        f"{len(judged)} solutions, {sum(marks.values())} steps: {marks[True]} right, {marks[False]} wrong,"
        f" {marks[None]} not judged; {1000 * seconds / len(judged):.2f} ms per solution"
    )
    faults = Counter((row["correct"], worst_fault(verdicts)) for row, verdicts in judged)
    for label, name in ((False, "wrong"), (True, "right")):
        total = sum(count for (of_label, _), count in faults.items() if of_label is label)
        shares = ", ".join(
            f"{faults[label, fault] / total:.1%} ({faults[label, fault]}) {fault}"
            for fault in ("wrong", "unsupported")
        )
        print(f"  {total} {name} final answers have a step that is: {shares}")


def print_examples(judged: Judged, count: int, seed: int) -> None:
    """Print the first wrong step of some solutions."""
    with_wrong_step = [(row, verdicts) for row, verdicts in judged if worst_fault(verdicts) == "wrong"]
    for row, verdicts in Random(seed).sample(with_wrong_step, min(count, len(with_wrong_step))):
        place = [verdict.correct for verdict in verdicts].index(False)
        verdict = verdicts[place]
        label = "right" if row["correct"] else "wrong"
        print(
            f"\n[{row['model']}, answer {label}] step {place + 1} of {len(verdicts)}:"
            f" {verdict.extracted!r}\n    {verdict.evidence['claim']}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--read", type=int, default=10, help="how many solutions to print")
    parser.add_argument("--seed", type=int, default=0, help="chooses them")
    args = parser.parse_args()
    shared = Path(os.environ.get("MARKSCHEME_SHARED", ROOT.parent / "shared"))
    path = shared / "data" / "gsm8k_model_solutions.jsonl"
    if not path.exists():
        print(f"no real solutions at {path}; nothing to mark")
        return
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    verify_steps("1 + 1 = 2")  # imports what it needs before the clock starts
    began = time.perf_counter()
    judged = [(row, verify_steps(row["completion"], problem=Problem(prompt=row["question"]))) for row in rows]
    print_shares(judged, time.perf_counter() - began)
    print_examples(judged, args.read, args.seed)


if __name__ == "__main__":
    main()
