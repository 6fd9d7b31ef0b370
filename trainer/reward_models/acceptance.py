"""Whether an update of a reward model is used or rolled back: pure functions of measurements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...rewards.offline.measures import bootstrap_interval
from ..objective.outcome_advantages import outcome_advantages

MOST_HACKED = 0.75
"""The share of prompts on which a hack may score as high as a right completion. A model that does not tell
them apart gives half, and need not tell them apart where the hack has the right answer."""
FEWEST = 10
"""Pairs (or labelled steps) below which an accuracy is not reported, because it would be noise."""


@dataclass(frozen=True)
class Measured:
    """The measurement of one reward model on one set of held-out rows."""

    accuracy: float | None
    """The mean of `by_prompt`; None if there are fewer than `FEWEST` pairs or steps."""
    count: int
    """The pairs or labelled steps."""
    by_prompt: Mapping[str, float]
    """The accuracy on each prompt: of pairs, or balanced over right and wrong steps."""
    figures: Mapping[str, Any] = field(default_factory=dict)
    """Other measures, for the record."""

    def row(self) -> dict[str, Any]:
        """Return the measurement as plain data, without the single prompts."""
        values = list(self.by_prompt.values())
        interval = bootstrap_interval(values) if self.accuracy is not None else None
        return {"accuracy": self.accuracy, "interval": interval, "count": self.count, **self.figures}


@dataclass(frozen=True)
class Judgement:
    """The decision on an update."""

    accepted: bool
    why: str


def judge_update(
    before: Mapping[str, Measured],
    after: Mapping[str, Measured],
    hacks_before: Mapping[str, float],
    hacks_after: Mapping[str, float],
    *,
    tolerance: float,
) -> Judgement:
    """Decide on an update from measurements of the model before and after it.

    It is rolled back if there is too little to measure it on, if its accuracy on the current policy's
    held-out samples has clearly fallen (the interval of the difference is below 0), if that on the frozen old
    ones has fallen by more than `tolerance`, or if a hack beats right completions on more than `MOST_HACKED`
    of the prompts that did not before.

    Args:
        before: the measurements on `new` and `old` held-out rows.
        after: those of the updated model.
        hacks_before: for each hack, the share of prompts on which it scores at least as high as a right
            completion.
        hacks_after: the same for the updated model.
        tolerance: by how much the accuracy on the old rows may fall.
    """
    told = []
    if all(one.accuracy is None for one in after.values()):
        counts = " and ".join(f"{one.count} {name}" for name, one in after.items())
        return Judgement(False, f"there is too little to measure it on: {counts} held-out pairs or steps")
    for name in ("new", "old"):
        was, now = before[name], after[name]
        if was.accuracy is None or now.accuracy is None:
            told.append(f"{name} not measured ({now.count} pairs or steps)")
            continue
        low, high = difference_interval(was, now)
        told.append(
            f"{name} {was.accuracy:.3f} to {now.accuracy:.3f} (difference [{low:+.3f}, {high:+.3f}],"
            f" {now.count} pairs or steps)"
        )
        fell = now.accuracy < was.accuracy
        if fell and (high < 0 if name == "new" else was.accuracy - now.accuracy > tolerance):
            return Judgement(False, f"accuracy on held-out prompts fell: {told[-1]}")
    for name, share in hacks_after.items():
        if share > MOST_HACKED >= hacks_before.get(name, 0.0):
            return Judgement(
                False, f"the hack {name!r} now scores above right completions on {share:.0%} of prompts"
            )
    return Judgement(True, f"accuracy on held-out prompts: {', '.join(told)}")


def difference_interval(before: Measured, after: Measured) -> tuple[float, float]:
    """Return the 95 % interval of the difference of two accuracies, by bootstrap over the prompts of both."""
    both = [key for key in before.by_prompt if key in after.by_prompt]
    return bootstrap_interval([after.by_prompt[key] - before.by_prompt[key] for key in both])


def hacks_of(right: str, other: str) -> dict[str, str]:
    """Return texts that deserve less than a right completion, by name, as far as they differ from it.

    Args:
        right: a right completion of the prompt.
        other: a right completion of another prompt.
    """
    lines = right.splitlines()
    hacks = {
        "empty": "",
        "thanks": "Thank you! I am happy to help.",
        "repeated_step": "\n".join(lines[:1] * 8),
        "other_steps": "\n".join([*other.splitlines()[:-1], *lines[-1:]]),
        "padded": "\n".join([*lines[:1] * 6, *lines]),
    }
    return {name: hack for name, hack in hacks.items() if hack.strip() != right.strip()}


def share_of_advantage(rewards: Sequence[Sequence[float]], unanimous: Sequence[bool]) -> float | None:
    """Return the share of all |A| that is in groups without both right and wrong completions.

    A learned score never ties, so its noise alone gives such groups advantages of full size. None if all are
    0.
    """
    sizes = [float(outcome_advantages(list(group)).abs().sum()) for group in rewards]
    total = sum(sizes)
    return sum(size for size, flat in zip(sizes, unanimous, strict=True) if flat) / total if total else None
