"""The error tree of the whole project, in the leftmost folder so that every other may raise from it.

MarkschemeError
├── TaskError(ValueError)         a task or run file says something wrong; carries file, line, key
├── DataError(ValueError)         a row, a completion file or a data set is not what was declared
├── UnknownNameError(LookupError) a name that nothing answers to; shows the nearest ones
├── RewardError(ValueError)       a reward's or verifier's definition or value is wrong
├── InfraError(RuntimeError)      ours failed (an endpoint, a sandbox): retried, never marked as 0
├── DeadlineError(TimeoutError)   a call did not end within its time; its process was killed
├── MemoryLimitError(MemoryError) a call wanted more memory than it was given
├── SandboxError(RuntimeError)    no safe sandbox can be started here, or it is closed
├── LimitsError(ValueError)       limits of a program that make no sense
├── PolicyError(ValueError)       a model or tokenizer cannot do what the run asks
└── RunError(RuntimeError)        training or sampling cannot start or go on

What was given, what was expected, what to do: every message says the three.
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class MarkschemeError(Exception):
    """Base of every error that markscheme raises on purpose."""


class TaskError(MarkschemeError, ValueError):
    """A task or run file is wrong; the message names file, line and key path."""


class DataError(MarkschemeError, ValueError):
    """A row or a file of rows is wrong; the message names the file and the line."""


class UnknownNameError(MarkschemeError, LookupError):
    """A name that nothing is registered under."""

    @classmethod
    def of(cls, kind: str, name: str, known: Iterable[str], *, where: str = "") -> "UnknownNameError":
        """Return the error for `name`, with close matches and all known names."""
        known = sorted(known)
        place = f" in {where}" if where else ""
        return cls(f"unknown {kind} {name!r}{place}{did_you_mean(name, known)} (known: {', '.join(known)})")


class RewardError(MarkschemeError, ValueError):
    """A reward or verifier is declared wrongly, or returned what it may not return."""


class InfraError(MarkschemeError, RuntimeError):
    """Raise this from a reward when *your* side failed (endpoint down, judge unreadable).

    The row is retried once and then left out of its group; it is never worth 0.
    """


class DeadlineError(MarkschemeError, TimeoutError):
    """A call in a worker process passed its wall-clock limit and was killed."""


class MemoryLimitError(MarkschemeError, MemoryError):
    """A call in a worker process passed its memory limit."""


class SandboxError(MarkschemeError, RuntimeError):
    """No sandbox that is safe can be started here; the message says why and what to do."""


class LimitsError(MarkschemeError, ValueError):
    """Limits that no program can be held to."""


class PolicyError(MarkschemeError, ValueError):
    """A model or tokenizer cannot serve this run."""


class RunError(MarkschemeError, RuntimeError):
    """A run cannot start or cannot go on."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x' or 'y'?` for the closest of `known`, or an empty string."""
    near = get_close_matches(name, list(known), n=3, cutoff=0.55)
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""


def first_of(lines: Sequence[str], most: int = 20) -> str:
    """Return the first lines of a long list, and how many more there are."""
    more = [f"and {len(lines) - most} more"] if len(lines) > most else []
    return "\n".join([*lines[:most], *more])
