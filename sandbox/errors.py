"""The error classes of the whole project, in the folder from which every other one may import.

MarkschemeError
├── TaskError(ValueError)         a task or run file is wrong
├── DataError(ValueError)         a row, a file of completions or a data set is not as declared
├── UnknownNameError(LookupError) nothing is registered under a name
├── RewardError(ValueError)       a reward or verifier is defined wrongly or returned a wrong value
├── InfraError(RuntimeError)      our side failed (an endpoint, a sandbox): retried, then left out
├── DeadlineError(TimeoutError)   a call exceeded its time limit, and its process was killed
├── MemoryLimitError(MemoryError) a call exceeded its memory limit
├── SandboxError(RuntimeError)    no safe sandbox can be started here, or it is closed
├── LimitsError(ValueError)       a limit of a program is out of range
├── PolicyError(ValueError)       a model or tokenizer cannot do what the run asks of it
└── RunError(RuntimeError)        training or sampling cannot start or continue

The rule for a message about a user's mistake: say what was given, what was expected and what to do, and name
the file, line and key where there are any.
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class MarkschemeError(Exception):
    """Base of every error that markscheme raises on purpose."""


class TaskError(MarkschemeError, ValueError):
    """A task or run file is wrong; the message names the file, line and key where they are known."""


class DataError(MarkschemeError, ValueError):
    """Data is not as declared: a row, a file of rows, or a value that was passed in."""


class UnknownNameError(MarkschemeError, LookupError):
    """Nothing is registered under a name."""

    @classmethod
    def of(cls, kind: str, name: str, known: Iterable[str], *, where: str = "") -> "UnknownNameError":
        """Return the error for `name`, with close matches and all known names in its message."""
        known = sorted(known)
        place = f" in {where}" if where else ""
        return cls(f"unknown {kind} {name!r}{place}{did_you_mean(name, known)} (known: {', '.join(known)})")


class RewardError(MarkschemeError, ValueError):
    """A reward or verifier is declared wrongly, or returned a value that it may not return."""


class InfraError(MarkschemeError, RuntimeError):
    """Raise this from a reward when *your* side failed (an endpoint is down, a judge's answer is unreadable).

    The row is retried once and then left out of its group, unless the task's `on_failure` gives `infra_error`
    another worth.
    """


class DeadlineError(MarkschemeError, TimeoutError):
    """A call in a worker process exceeded its wall-clock limit and was killed."""


class MemoryLimitError(MarkschemeError, MemoryError):
    """A call in a worker process exceeded its memory limit."""


class SandboxError(MarkschemeError, RuntimeError):
    """A sandbox cannot do what it is asked, most often because no safe tier can be started here."""


class LimitsError(MarkschemeError, ValueError):
    """A limit is out of its range, or contradicts another one."""


class PolicyError(MarkschemeError, ValueError):
    """A model or tokenizer cannot be used for this run."""


class RunError(MarkschemeError, RuntimeError):
    """A run cannot start or cannot continue."""


def did_you_mean(name: str, known: Iterable[str], *, cutoff: float = 0.55) -> str:
    """Return `; did you mean 'x' or 'y'?` for the closest of `known`, or an empty string."""
    near = get_close_matches(name, list(known), n=3, cutoff=cutoff)
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or the name of its class if it has no message."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def first_of(lines: Sequence[str], most: int = 20) -> str:
    """Return the first `most` errors of a long list, joined, and how many more there are.

    If all say the same of different rows, the first is enough.

    >>> print(first_of(["a.jsonl:1: no answer", "a.jsonl:2: no answer", "a.jsonl:3: no answer"]))
    a.jsonl:1: no answer
    and 2 more rows with the same error
    """
    if len(lines) > 2 and len({line.partition(": ")[2] for line in lines}) == 1 and ": " in lines[0]:
        return f"{lines[0]}\nand {len(lines) - 1} more rows with the same error"
    more = [f"and {len(lines) - most} more"] if len(lines) > most else []
    return "\n".join([*lines[:most], *more])
