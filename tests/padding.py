"""Can padding cheat? Groups with a padded wrong answer beside right ones, under any form of credit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markscheme.trainer import process_advantages

FILLERS = (1, 2, 4, 8, 16, 32)
TOKENS = 3
"""Of each step."""


@dataclass(frozen=True)
class Padded:
    """What a padded wrong answer got, and the least that a right one got."""

    first: float
    mean: float
    right_first: float
    right_mean: float

    @property
    def cheats(self) -> bool:
        """Whether it got as much as some right answer, at its first token or on average."""
        return self.first >= self.right_first or self.mean >= self.right_mean


def steps_of(place: str, fillers: int, wrong: float) -> list[float]:
    """A wrong answer: one wrong step, and filler steps before it, behind it or around it."""
    if place == "before":
        return [0.95] * fillers + [wrong]
    if place == "behind":
        return [wrong] + [0.95] * fillers
    return [0.95] * (fillers // 2) + [wrong] + [0.95] * (fillers - fillers // 2)


def padded(
    fillers: int,
    *,
    place: str = "before",
    tail: int = 0,
    gate: bool = False,
    right: Sequence[Sequence[float]] = ((0.8, 0.85, 0.8), (0.8, 0.8, 0.85, 0.85, 0.8, 0.8)),
    others: Sequence[Sequence[float]] = ((0.6, 0.5, 0.2),),
    **how: Any,
) -> Padded:
    """Compare a padded wrong answer with right ones (the second one the first with its steps in two)."""
    rewards = [list(r) for r in right] + [steps_of(place, fillers, 0.1)] + [list(o) for o in others]
    ends = [[TOKENS * (j + 1) - 1 for j in range(len(row))] for row in rewards]
    lengths = [TOKENS * len(row) + tail for row in rewards]
    labels = [True] * len(right) + [False] * (1 + len(others)) if gate else None
    found = process_advantages(rewards, ends, lengths, gate_labels=labels, **how)
    firsts = found[:, 0].tolist()
    means = [float(found[i, :n].mean()) for i, n in enumerate(lengths)]
    n = len(right)
    return Padded(firsts[n], means[n], min(firsts[:n]), min(means[:n]))
