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
