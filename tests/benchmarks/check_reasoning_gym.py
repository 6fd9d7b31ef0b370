"""`check` on every data set of reasoning-gym: which of its scorers pay for what is no answer.

    python tests/benchmarks/check_reasoning_gym.py [--size 8] [--floor 0.1]

Each data set is a task with reasoning-gym's own scorer as its reward. Up to the floor (by default 0.1, what most
scorers give any answer in the right form) partial credit is taken as meant. Beyond that, a defect is clear if the
scorer raises, or calls a wrong answer right (a score of 1); else it is partial credit, whose formula is reasoning-gym's
usual one: the length of the right answer through that of the given one, if the one is within the other.
"""

import argparse
import time
from collections import Counter
from pathlib import Path

from reasoning_gym.factory import DATASETS

from markscheme.rewards import check_task
from markscheme.sandbox import MarkschemeError
from markscheme.tasks import load_task

TASK = """
name: {name}
data: {{generator: reasoning_gym, dataset: {name}, size: {size}, seed: 42}}
problem: {{reference: "{{{{ answer }}}}"}}
rewards: {{correct: {{use: reasoning_gym}}}}
check: {{probes: {{floor: {floor}}}}}
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=8)
    parser.add_argument("--floor", type=float, default=0.1)
    parser.add_argument("--only", nargs="*")
    args = parser.parse_args()
    begin = time.perf_counter()
    kinds: Counter[str] = Counter()
    notes = 0
    for name in args.only or sorted(DATASETS):
        path = Path("/tmp") / f"{name}.yaml"
        start = time.perf_counter()
        try:
            task = load_task(_written(path, TASK.format(name=name, size=args.size, floor=args.floor)))
            findings = check_task(task, probes=args.size)
        except MarkschemeError as error:
            print(f"{name}: cannot be made: {str(error).splitlines()[0][:160]}", flush=True)
            continue
        if any(finding.name == "data" and finding.good is False for finding in findings):
            print(f"{name}: cannot be made without settings", flush=True)
            continue
        failed = [finding for finding in findings if finding.good is False]
        clear = [one for one in failed if "none of these is marked right" not in one.said]
        kind = "clear defect" if clear else "partial credit" if failed else "passes"
        kinds[kind] += 1
        notes += any(finding.name == "rewriting" and finding.good is None for finding in findings)
        seconds = time.perf_counter() - start
        print(f"{name}: {seconds:.1f} s, {kind} {', '.join(finding.name for finding in failed)}", flush=True)
        for finding in failed:
            print(f"    {finding.name}: {finding.said[:260]}")
            for detail in finding.details[:2]:
                print(f"        {detail[:220]!r}")
    print(f"{kinds.total()} data sets in {time.perf_counter() - begin:.0f} s: {dict(kinds)}")
    print(f"in {notes} of them, right answers lose marks in some other ways of writing")


def _written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


if __name__ == "__main__":
    main()
