"""Does padding pay? A wrong answer with k plausible filler steps beside right ones, for every credit and pool.

    python tests/benchmarks/padding.py

The marks of the steps are from 0 to 1. A group has two right answers with three steps near 0.8, one of them
with each step split in two; a wrong answer (0.6, 0.5, 0.2); and the padded one, a wrong step of 0.1 with k
steps of 0.95 before, behind or around it. Printed are the padded answer's advantages at its first token and on
average, less the smallest that a right answer has: from 0 on, marked with !, padding pays.
"""

import itertools
import sys
from pathlib import Path
from typing import get_args

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from markscheme.tasks.reward_entries import Credit, ProcessEntry
from padding import FILLERS, Padded, padded  # the module in tests/, not this script


def shown(gap: float) -> str:
    mark = "!" if gap >= 0 else " "
    return f"{gap:+7.2f}{mark}"


def cell(result: Padded) -> str:
    return shown(result.first - result.right_first) + shown(result.mean - result.right_mean)


def print_row(credit: str, pool: str, gate: str, place: str, cells: list[str], remark: str = "") -> None:
    columns = " ".join(f"{text:>17}" for text in cells)
    print(f"{credit:10} {pool:8} {gate:5} {place:8} {columns}{remark}")


def main() -> None:
    default = ProcessEntry(use="prm")
    print_row("credit", "pool", "gate", "fillers", [f"k = {count}" for count in FILLERS])
    for credit, pool, gate, place in itertools.product(
        get_args(Credit), ("steps", "outputs"), (False, True), ("before", "behind", "around")
    ):
        results = [
            padded(count, place=place, gate=gate, credit=credit, pool=pool, tail=1) for count in FILLERS
        ]
        is_default = (credit, pool, gate) == (default.credit, default.pool, default.gate)
        print_row(
            credit,
            pool,
            "yes" if gate else "no",
            place,
            [cell(result) for result in results],
            "  <- the default" if is_default else "",
        )


if __name__ == "__main__":
    main()
