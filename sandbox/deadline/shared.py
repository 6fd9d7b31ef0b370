"""`with_deadline`, and the pool of worker processes that everything in this process shares."""

import atexit
import os
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from .pool import Pool
from .server import Target


@lru_cache(maxsize=1)
def shared_pool() -> Pool:
    """Return the pool that everything in this process shares; this starts no worker process yet."""
    pool = Pool()
    atexit.register(pool.close)
    return pool


def _after_fork() -> None:
    """Leave the pool to the parent process; a forked child makes a pool of its own when it needs one."""
    if shared_pool.cache_info().currsize:
        pool = shared_pool()
        atexit.unregister(pool.close)
        pool._close_channels()
        shared_pool.cache_clear()


os.register_at_fork(after_in_child=_after_fork)


def with_deadline(
    target: Target, calls: Sequence[tuple[Any, ...]], *, timeout_s: float, memory_mb: int = 4096
) -> list[Any]:
    """Call a function once for each tuple of arguments, each call within a wall-clock limit.

    >>> with_deadline("math:factorial", [(3,), (5,)], timeout_s=30)
    [6, 120]
    >>> slept, slow = with_deadline("time:sleep", [(0,), (60,)], timeout_s=0.2)
    >>> slept is None, slow
    (True, DeadlineError('the call was not done within 0.2 s, and was killed'))

    Args:
        target: `module:function`; or (`module:maker`, arguments) for the function that the maker returns. A
            worker calls the maker once.
        calls: the arguments of each call. They and the results are pickled.
        timeout_s: seconds for one call, counted from when its module has been imported.
        memory_mb: MiB that a worker may allocate (Linux only).

    Returns:
        The results in order. A call that failed has an exception in place of its result: DeadlineError,
        MemoryLimitError, InfraError (the worker died), or what the function raised, with its traceback as a
        note.
    """
    return shared_pool().run(target, calls, timeout_s=timeout_s, memory_mb=memory_mb)
