"""The event loop that asynchronous rewards run in: one for the whole process, in a thread of its own.

It needs its own thread because a caller that is itself asynchronous, such as a notebook, already runs a loop
in its thread, and a thread cannot run a second one.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from typing import Any

CONCURRENT = 64
"""The most calls of one component that run at once."""


@lru_cache(maxsize=1)
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="markscheme-rewards", daemon=True).start()
    return loop


def run_all(calls: Sequence[Callable[[], Awaitable[Any]]], timeout_s: float | None) -> list[Any]:
    """Run calls concurrently and return their results in order, with exceptions in place of failed calls.

    A call that takes longer than `timeout_s` seconds is cancelled, and its result is a TimeoutError.
    """

    async def gathered() -> list[Any]:
        slots = asyncio.Semaphore(CONCURRENT)

        async def run(call: Callable[[], Awaitable[Any]]) -> Any:
            async with slots:
                try:
                    return await asyncio.wait_for(call(), timeout_s)
                except (Exception, SystemExit) as error:  # SystemExit would end the loop's thread
                    return error

        return await asyncio.gather(*map(run, calls))

    return asyncio.run_coroutine_threadsafe(gathered(), _loop()).result()
