"""The messages between a worker and its caller: small binary messages over a socket.

Everything larger (the program, its inputs, its output) goes through files in memory that both have open.
"""

import os
import struct
from collections.abc import Callable
from typing import NamedTuple


class Request(NamedTuple):
    """A caller's request to run a job: its limits. A job is one program, which may have several cases."""

    cpu_s: float
    """CPU seconds of one case."""
    wall_s: float
    """Wall-clock seconds of one case."""
    job_cpu_s: float
    """CPU seconds of all cases together."""
    job_wall_s: float
    """Wall-clock seconds of all cases together."""
    memory: int
    """Bytes of address space, beyond what the worker itself uses."""
    output: int
    """Bytes that one case may print."""
    file_size: int
    """Bytes that any file may grow to, standard output included."""
    processes: int
    """The most processes and threads; 1 = threads only."""
    with_tests: bool
    """Whether tests run in a second process, next to the program's."""


READY = b"ready"
"""Sent by a worker once, when it is confined and can run programs."""
REQUEST = struct.Struct("=ddddQQQI?")
"""The format of a `Request`."""
QUESTION = b"?"
"""A worker's question, sent with a pidfd: for how many seconds has this process waited for a processor, and
how many CPU seconds have all processes below the worker used? The caller answers with two numbers as text."""
REPLY = struct.Struct("=BiddQ")
"""The format of the reply to a request: the cause of the program's end (below), its wait status, CPU seconds,
wall-clock seconds, and peak memory in KiB."""
BY_ITSELF, CPU, WALL, SPACE, WORN = range(5)
"""Causes of a program's end: by itself, or killed at its CPU limit, its wall limit or for filling its folder.

WORN is added to one of these if the worker could not tidy up afterwards, so that it must be replaced.
"""


def read_exactly(read: Callable[[int], bytes], count: int) -> bytes:
    """Read `count` bytes from a stream whose `read` may return fewer at a time.

    Raises:
        EOFError: the stream ended early.
    """
    parts = bytearray()
    while len(parts) < count:
        part = read(min(count - len(parts), 1 << 20))
        if not part:
            raise EOFError("the other side is gone")
        parts += part
    return bytes(parts)


def read_at(descriptor: int, length: int, offset: int) -> bytes:
    """Read up to `length` bytes of a file from `offset` on; fewer only where the file ends."""
    parts = []
    while length > 0 and (part := os.pread(descriptor, length, offset)):
        parts.append(part)
        length, offset = length - len(part), offset + len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
