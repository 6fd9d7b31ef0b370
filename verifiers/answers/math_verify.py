r"""Tier 5: math-verify, for what no tier of ours reads, in a worker process that can be killed.

Its yes is taken only where our own guards agree: the brackets are of the same kinds and numbers
are equal relatively, not by rounding. Its own deadline (a signal) is off; `sandbox/workers.py` has
a harder one. `parse_expr`, which evaluates text, is taken away from it.
"""

import re
from typing import Any

from ...sandbox.deadline.pool import shared_pool, with_deadline
from ...sandbox.errors import DeadlineError, InfraError, MemoryLimitError
from ..verdict import Reason, Verdict

LIMIT_S = 2.0
"""Wall-clock seconds for one answer."""
MEMORY_MB = 1024
_HERE = __name__


def warm_up() -> None:
    """Start the worker server in the background, so that the first hard answer does not wait for it."""
    shared_pool().warm(_HERE + "_worker")


def judge_all(pairs: list[tuple[str, str]]) -> list[Verdict]:
    """Judge normalised (reference, answer) pairs, in parallel, each within LIMIT_S.

    A pair that times out, or wants too much memory, is wrong by the completion's fault; where no
    worker can be had it is undecided.
    """
    found = _outcomes(pairs)
    died = [i for i, outcome in enumerate(found) if isinstance(outcome, InfraError)]
    if died:  # a crash may have been a neighbour's: once more, then it is this one's own
        for i, outcome in zip(died, _outcomes([pairs[i] for i in died]), strict=True):
            found[i] = outcome
    return [_verdict(*pair, outcome) for pair, outcome in zip(pairs, found, strict=True)]


def _outcomes(pairs: list[tuple[str, str]]) -> list[Any]:
    try:
        return with_deadline(f"{_HERE}_worker:judge", pairs, timeout_s=LIMIT_S, memory_mb=MEMORY_MB)
    except InfraError as error:
        return [error] * len(pairs)


def _verdict(reference: str, answer: str, outcome: Any) -> Verdict:
    if isinstance(outcome, DeadlineError):
        return Verdict(False, Reason.TIMEOUT)
    if isinstance(outcome, MemoryLimitError | RecursionError):
        return Verdict(False, Reason.MEMORY)
    if isinstance(outcome, Exception):
        return Verdict(None, Reason.UNAVAILABLE, evidence={"error": f"{type(outcome).__name__}: {outcome}"})
    read_reference, read_answer, equal = outcome
    if not (read_reference and read_answer):
        return Verdict(False, Reason.UNPARSABLE_ANSWER)
    if equal and brackets(reference) == brackets(answer):
        return Verdict(True, Reason.EQUAL)
    return Verdict(False, Reason.DIFFERENT)


def brackets(text: str) -> list[str]:
    """Return the kinds of brackets that hold commas: what tells a tuple, a set and an interval apart."""
    return sorted(
        text[match.start()] + text[match.end() - 1]
        for match in re.finditer(r"[\[({][^\[\](){}]*,[^\[\](){}]*[\])}]", text)
    )
