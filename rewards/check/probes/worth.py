"""What a completion earns, as a share of what a right answer to the same problem earns."""

import math
from collections.abc import Iterable, Mapping

from ...composition.combine import Bounds
from ...composition.entries import Entry
from ...scheme import MarkScheme
from ...score import Score
from .forms import Sampled


def observed(scheme: MarkScheme, scores: Iterable[Score]) -> dict[str, Bounds]:
    """Return the lowest and highest value that each entry that counts had in some scores.

    A declared range may be far wider than what an entry gives. An entry without two different values keeps
    its declared range if it says what is right, and else has its only value, which no group can tell apart.
    """
    values: dict[str, set[float]] = {}
    for score in scores:
        for name, part in score.parts.items():
            if part.value is not None:
                values.setdefault(name, set()).add(part.value)
    found = {}
    for name, entry in scheme.entries.items():
        seen = values.get(name, set())
        low, high = entry.bounds_in_total
        if len(seen) > 1 or (seen and name != scheme.accuracy_entry and entry.gate is None):
            low, high = min(seen), max(seen)
        if not entry.watched:
            found[name] = low, high
    return found


def reach(entry: Entry, bounds: Bounds, step: int | None = None) -> Bounds:
    """Return the lowest and highest value that an entry adds to a sum at a training step; None = the end."""
    weight = entry.declared.weight_at(step)
    one, other = (weight * bound if weight else 0.0 for bound in bounds)
    return min(one, other), max(one, other)


class Worth:
    """Turns values of scores into shares of a right answer's worth.

    Nothing (0) is a total in which no reward pays and no penalty is incurred; a right answer is worth 1.

    Args:
        scheme: the scheme.
        bounds: what `observed` returned.
        right: the scores of right answers; a problem without one has their mean.
    """

    def __init__(
        self, scheme: MarkScheme, bounds: Mapping[str, Bounds], right: Iterable[tuple[Sampled, Score]]
    ):
        ends = [reach(scheme.entries[name], given) for name, given in bounds.items()]
        low, high = scheme.range
        self._nothing = sum(low if high > 0 else high for low, high in ends)
        if scheme.task.combine != "sum":
            self._nothing = low
        if not math.isfinite(self._nothing):
            self._nothing = 0.0
        self._right = {
            one.place: score.value
            for one, score in right
            if scheme.is_right(score) is True and score.value is not None and score.value > self._nothing
        }
        usual = sum(self._right.values()) / len(self._right) if self._right else high
        self._usual = usual if math.isfinite(usual) and usual > self._nothing else self._nothing + 1.0

    def of(self, score: Score, place: str) -> float | None:
        """Return the worth of a score of the problem at a place, from 0 to 1; None if it has no value."""
        if score.value is None:
            return None
        top = self._right.get(place, self._usual)
        return min(1.0, max(0.0, (score.value - self._nothing) / (top - self._nothing)))
