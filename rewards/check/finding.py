"""`Finding`: the result of one check of a task, as `markscheme check` prints it."""

from dataclasses import dataclass, field
from typing import Any

SHOWN = 20
"""The most details that a check lists."""


@dataclass(frozen=True)
class Example:
    """A completion that shows a defect, and the case that it can become."""

    place: str
    """The row of its problem."""
    trick: str
    """What the completion does."""
    completion: str
    earned: float | None
    """Its worth, as a share of what a right answer earns; None if it could not be judged."""
    correct: bool | None
    """Whether the completion is right in truth; None if that is not what it shows."""
    reasons: str = ""
    """What the parts of its score say."""


@dataclass
class Finding:
    """The result of one check."""

    name: str
    """The name of the check or, if it found a defect, the defect's code in `DEFECTS`."""
    good: bool | None
    """Whether the check passed; None if there was nothing to check, or the author has to judge the result."""
    said: str
    """The result in one line."""
    details: list[str] = field(default_factory=list)
    """One line for each problem, step or case that did not pass."""
    figures: dict[str, Any] = field(default_factory=dict)
    """Further numbers, for JSON."""
    examples: list[Example] = field(default_factory=list)
    """Of a defect, the completions that show it best, at most three."""


class Lines:
    """Counts lines, and keeps the first `SHOWN` of them."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[str] = []

    def add(self, line: str) -> None:
        """Count one more."""
        self.count += 1
        if len(self.first) < SHOWN:
            self.first.append(line)
