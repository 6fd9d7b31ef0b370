"""`Finding`: what `markscheme check` says of one thing that it looked at."""

from dataclasses import dataclass, field


@dataclass
class Finding:
    """One thing that was looked at."""

    name: str
    good: bool | None
    """None: could not be looked at, there was nothing to look at, or it is for the author to judge."""
    said: str
    details: list[str] = field(default_factory=list)
