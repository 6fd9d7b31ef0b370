"""Does padding pay? Groups in which a padded wrong answer is compared with right ones, for any form of credit.

The numbers here are marks of steps from 0 to 1; a filler step is marked 0.95, as a plausible step would be.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markscheme.trainer import process_advantages

FILLERS = (1, 2, 4, 8, 16, 32)
"""Numbers of filler steps that are tried."""
TOKENS = 3
"""Tokens of each step."""
FILLER_MARK = 0.95
WRONG_MARK = 0.1


@dataclass(frozen=True)
class Padded:
    """The advantages of a padded wrong answer, and the smallest that any right answer of its group has."""

    first: float
    """The padded answer's advantage at its first token."""
    mean: float
    """The padded answer's mean advantage over its tokens."""
    right_first: float
    right_mean: float

    @property
    def cheats(self) -> bool:
        """Whether the padded answer has as much as some right answer, at the first token or on average."""
        return self.first >= self.right_first or self.mean >= self.right_mean


def marks_of_padded(place: str, fillers: int) -> list[float]:
    """Return the marks of a wrong step with fillers before it, behind it or around it."""
    before = {"before": fillers, "behind": 0, "around": fillers // 2}[place]
    return [FILLER_MARK] * before + [WRONG_MARK] + [FILLER_MARK] * (fillers - before)


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
    """Compare a padded wrong answer with the right ones of its group.

    Args:
        fillers: number of filler steps.
        place: of the fillers: `before`, `behind` or `around` the wrong step.
        tail: tokens of each answer after its last step.
        gate: whether the outcome gate is on.
        right: marks of the right answers; by default the second is the first with each step split in two.
        others: marks of the other wrong answers.
        how: further arguments of `process_advantages`.
    """
    marks = [list(row) for row in (*right, marks_of_padded(place, fillers), *others)]
    ends = [[TOKENS * (step + 1) - 1 for step in range(len(row))] for row in marks]
    lengths = [TOKENS * len(row) + tail for row in marks]
    labels = None
    if gate:
        labels = [True] * len(right) + [False] * (1 + len(others))
    advantages_GT = process_advantages(marks, ends, lengths, gate_labels=labels, **how)
    firsts = advantages_GT[:, 0].tolist()
    means = [float(advantages_GT[i, :length].mean()) for i, length in enumerate(lengths)]
    of_padded = len(right)  # its row, which comes after those of the right answers
    return Padded(firsts[of_padded], means[of_padded], min(firsts[:of_padded]), min(means[:of_padded]))
