"""`Finding`: the result of one check of a task, as `markscheme check` prints it."""

from dataclasses import dataclass, field

SHOWN = 20
"""The most details that a check lists."""


@dataclass
class Finding:
    """The result of one check."""

    name: str
    good: bool | None
    """Whether the check passed; None if there was nothing to check, or the author has to judge the result."""
    said: str
    """The result in one line."""
    details: list[str] = field(default_factory=list)
    """One line for each problem, step or case that did not pass."""


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
