"""Can padding cheat? A wrong answer with k good-looking filler steps beside right ones, for every credit and pool.

    python tests/benchmarks/padding.py

Marks from 0 to 1: two right answers of three steps near 0.8 (one with its steps split in two), one wrong
(0.6, 0.5, 0.2), and the padded one: k steps of 0.95 before, behind or around one of 0.1. Printed is the
padded answer's advantage at its first token and on average, less the smallest that a right one has:
anything from 0 on (marked !) pays for padding.
"""

import sys
from pathlib import Path
from typing import get_args

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from padding import FILLERS, padded

from markscheme.tasks.reward_entries import Credit, ProcessEntry


def cell(gap: float) -> str:
    """Return a gap, marked where it pays."""
    return f"{gap:+7.2f}{'!' if gap >= 0 else ' '}"


def main() -> None:
    """Print the table."""
    default = ProcessEntry(use="prm")
    print(
        f"{'credit':10} {'pool':8} {'gate':5} {'fillers':8} "
        + " ".join(f"{'k = ' + str(k):>17}" for k in FILLERS)
    )
    for credit in get_args(Credit):
        for pool in ("steps", "outputs"):
            for gate in (False, True):
                for place in ("before", "behind", "around"):
                    found = [
                        padded(k, place=place, gate=gate, credit=credit, pool=pool, tail=1) for k in FILLERS
                    ]
                    cells = [cell(f.first - f.right_first) + cell(f.mean - f.right_mean) for f in found]
                    chosen = (
                        "  <- the default"
                        if (credit, pool, gate) == (default.credit, default.pool, default.gate)
                        else ""
                    )
                    gates = "yes" if gate else "no"
                    print(
                        f"{credit:10} {pool:8} {gates:5} {place:8} "
                        + " ".join(f"{c:>17}" for c in cells)
                        + chosen
                    )


if __name__ == "__main__":
    main()
