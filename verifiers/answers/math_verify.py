r"""The last tier: math-verify, for pairs that no other tier can read, in processes that can be killed.

Where math-verify says yes, two conditions of our own must hold too: the brackets are of the same kinds, and
numbers are equal relative to their size, not just after rounding. Its own deadline, which is based on a
signal, is switched off; the pool of `sandbox/deadline` kills the process instead. The functions with which it
would evaluate text are replaced in the worker (`math_verify_worker.py`).
"""

import re
import time
from typing import Any

from ...sandbox.deadline.shared import shared_pool, with_deadline
from ...sandbox.errors import DeadlineError, InfraError, MemoryLimitError
from ..verdict import Reason, Verdict

LIMIT_S = 1.4
"""Wall-clock seconds for one pair."""
START_S = 2.0
"""Wall-clock seconds that a caller waits for the first worker."""
VERDICT_S = 2.4
"""Wall-clock seconds in which a pair has its verdict, whether a worker had to be started or not."""
MEMORY_MB = 1024
_WORKER_MODULE = f"{__name__}_worker"


def warm_up() -> None:
    """Start the worker server in the background, so that the first hard pair does not wait for it."""
    shared_pool().is_warm(_WORKER_MODULE, wait_s=0)


def judge_all(pairs: list[tuple[str, str]]) -> list[Verdict]:
    """Judge normalised (reference, answer) pairs in parallel, each within LIMIT_S.

    A pair that takes too long or needs too much memory is wrong: that is the completion's fault. A pair for
    which no worker could be used, or whose worker died twice, is not judged (`unavailable`); nor is any pair
    while the first worker still starts.
    """
    began = time.monotonic()
    if not shared_pool().is_warm(_WORKER_MODULE, wait_s=START_S):
        starting = InfraError(f"math-verify was still being imported after {START_S:g} s; ask once more")
        return [_verdict(*pair, starting) for pair in pairs]
    limit_s = min(LIMIT_S, VERDICT_S - (time.monotonic() - began))
    outcomes = _outcomes(pairs, limit_s)
    failed = [i for i, outcome in enumerate(outcomes) if isinstance(outcome, InfraError)]
    if failed:  # a worker may have been killed from outside, so these pairs are tried once more
        second = _outcomes([pairs[i] for i in failed], limit_s)
        for i, outcome in zip(failed, second, strict=True):
            outcomes[i] = outcome
    if limit_s < LIMIT_S:  # a pair that had less time than it should is not wrong
        outcomes = [
            InfraError("the worker had just been started; ask once more")
            if isinstance(outcome, DeadlineError)
            else outcome
            for outcome in outcomes
        ]
    return [_verdict(*pair, outcome) for pair, outcome in zip(pairs, outcomes, strict=True)]


def _outcomes(pairs: list[tuple[str, str]], limit_s: float) -> list[Any]:
    """Return, for each pair, what the worker returned or the exception with which its call ended."""
    try:
        return with_deadline(f"{_WORKER_MODULE}:judge", pairs, timeout_s=limit_s, memory_mb=MEMORY_MB)
    except InfraError as error:
        return [error] * len(pairs)


def _verdict(reference: str, answer: str, outcome: Any) -> Verdict:
    if isinstance(outcome, DeadlineError):
        return Verdict(False, Reason.TIMEOUT)
    if isinstance(outcome, MemoryLimitError | RecursionError):
        return Verdict(False, Reason.MEMORY)
    if isinstance(outcome, Exception):
        return Verdict(None, Reason.UNAVAILABLE, evidence={"error": f"{type(outcome).__name__}: {outcome}"})
    reference_was_read, answer_was_read, equal = outcome
    if not (reference_was_read and answer_was_read):
        return Verdict(False, Reason.UNPARSABLE_ANSWER)
    if equal and brackets(reference) == brackets(answer):
        return Verdict(True, Reason.EQUAL)
    return Verdict(False, Reason.DIFFERENT)


def brackets(text: str) -> list[str]:
    """Return the kinds of the brackets that hold commas, which tell a tuple, a set and an interval apart."""
    return sorted(
        text[match.start()] + text[match.end() - 1]
        for match in re.finditer(r"[\[({][^\[\](){}]*,[^\[\](){}]*[\])}]", text)
    )
