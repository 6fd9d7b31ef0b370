"""One private event loop in a thread of its own: asynchronous rewards work from any caller.

A notebook or an asynchronous program already runs a loop, in which nothing can wait for another.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from typing import Any

CONCURRENT = 64
"""Calls of one component that are under way at once."""


@lru_cache(maxsize=1)
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="markscheme-rewards", daemon=True).start()
    return loop


def run_all(calls: Sequence[Callable[[], Awaitable[Any]]], timeout_s: float | None) -> list[Any]:
    """Run the calls concurrently and return their results in order.

    An exception is returned in its place, also TimeoutError where a call passes `timeout_s`.
    """

    async def gathered() -> list[Any]:
        room = asyncio.Semaphore(CONCURRENT)

        async def one(call: Callable[[], Awaitable[Any]]) -> Any:
            async with room:
                try:
                    return await asyncio.wait_for(call(), timeout_s)
                except (Exception, SystemExit) as error:  # SystemExit would end the loop's thread
                    return error

        return await asyncio.gather(*map(one, calls))

    return asyncio.run_coroutine_threadsafe(gathered(), _loop()).result()
