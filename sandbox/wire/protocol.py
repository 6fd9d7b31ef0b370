"""What a worker and its caller say to each other: fixed records over a socket, the rest in shared files."""

import os
import struct
from collections.abc import Callable

REQUEST = struct.Struct("=ddddQQQI?")
"""cpu_s and wall_s of one case, cpu_s and wall_s of the whole job; bytes of memory, of output and of any
file; processes; and whether tests run beside the program."""
REPLY = struct.Struct("=BiddQ")
"""cause, wait status, CPU and wall seconds, peak memory in KiB."""
QUESTION = b"?"
"""The worker's question, with a pidfd: how long has this process waited for a processor?"""
READY = b"ready"
BY_ITSELF, CPU, WALL, SPACE, WORN = range(5)
"""Causes of a program's end. WORN: and the worker could not tidy up after it."""


def read_exactly(read: Callable[[int], bytes], count: int) -> bytes:
    """Read `count` bytes from a stream whose `read` may return fewer at a time.

    Raises:
        EOFError: the stream ended before.
    """
    parts = bytearray()
    while len(parts) < count:
        part = read(min(count - len(parts), 1 << 20))
        if not part:
            raise EOFError("the other side is gone")
        parts += part
    return bytes(parts)


def read_at(descriptor: int, length: int, offset: int) -> bytes:
    """Read a stretch of a file whole."""
    parts = []
    while length > 0 and (part := os.pread(descriptor, length, offset)):
        parts.append(part)
        length, offset = length - len(part), offset + len(part)
    return b"".join(parts)
