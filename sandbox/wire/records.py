"""Records that a program's process, or its tests' process, writes to a file for the caller to read.

A program can forge the records of its own process, so those only hold answers, which the caller compares.
Records of tests come from the tests' process, which the program cannot reach (except in shared mode).

A record is a header of fixed size and a body of bytes. The caller reads the headers without parsing a body,
so that a forged record costs it nothing.
"""

import os
import struct
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

PROGRESS = struct.Struct("=qdd")
"""The start of the file: the number of the running test, and when it began (CPU and monotonic seconds).

Only the tests' process writes it. The cases of a program share one limit per process, so that the program has
nothing to gain from writing it."""
_HEADER = struct.Struct("=BIiQQI")
"""A record's kind, case, status, the ends of both outputs, and the length of its body."""
DEFINED, VALUE, RAISED, ENDED, FAILED, TESTED, DONE = range(7)
"""Kinds of records.

DEFINED: the program's definitions have run, and its calls begin. VALUE: the calls of a case returned; the
body is the codec's text of their values. RAISED: they raised; the body is the exception's type, a zero byte,
and its text. ENDED: a case of stdin and stdout ended, with this status and these ends of its outputs; the
body is MEMORY if it ran out of memory. FAILED: the program or its tests did not run; the body is one of the
values below, a zero byte, and the error. TESTED: a test ended; the body is JSON. DONE: all tests have been
run."""
COMPILE, DEFINE, MEMORY, TESTS = "compile", "define", "memory", "tests"
"""What failed: compiling the program, executing its definitions, its memory, its tests."""


_LONGEST_PARTS = 1 << 14


class Record(NamedTuple):
    """One record. In a hostile program's file, every field may have any value."""

    kind: int
    case: int = 0
    status: int = 0
    out_end: int = 0
    """Where a case's standard output ends in the file that all cases of its process share, in bytes."""
    err_end: int = 0
    body: bytes | memoryview = b""

    def text(self) -> str:
        """Return the body as text, with invalid bytes replaced."""
        return str(self.body, "utf-8", "replace")

    def parts(self) -> tuple[str, str]:
        """Return what stands before and after the body's zero byte; of a long body only the start."""
        what, _, error = str(self.body[:_LONGEST_PARTS], "utf-8", "replace").partition("\0")
        return what, error


class Records:
    """A writer of the file of records.

    Args:
        descriptor: the file.
        cpu_seconds: returns the CPU seconds that count towards the limits of a test.
    """

    def __init__(self, descriptor: int, cpu_seconds: Callable[[], float] = time.process_time):
        self.descriptor, self._cpu_seconds = descriptor, cpu_seconds

    def begin(self, test: int) -> None:
        """Write that a test begins: its limits count from now on."""
        os.pwrite(self.descriptor, PROGRESS.pack(test, self._cpu_seconds(), time.monotonic()), 0)

    def write(
        self, kind: int, body: bytes = b"", *, case: int = 0, status: int = 0, ends: tuple[int, int] = (0, 0)
    ) -> None:
        """Append a record."""
        os.lseek(self.descriptor, 0, os.SEEK_END)
        os.write(self.descriptor, _HEADER.pack(kind, case, status, *ends, len(body)) + body)

    def raised(self, case: int, error: BaseException) -> None:
        """Append a record of the exception that a case raised."""
        body = f"{type(error).__name__}\0{describe(error)}"
        self.write(RAISED, body.encode(errors="replace"), case=case)

    def failed(self, error: BaseException | str, what: str) -> None:
        """Append a record of why the program or its tests did not run; `what` is a value from above."""
        text = error if isinstance(error, str) else describe(error)
        self.write(FAILED, f"{what}\0{text}".encode(errors="replace"))


def read_records(content: bytes) -> Iterator[Record]:
    """Yield the records in a file's content, up to the first place that does not hold one.

    Their bodies are views of `content`, not copies.
    """
    view = memoryview(content)
    offset = PROGRESS.size
    while offset + _HEADER.size <= len(view):
        kind, case, status, out_end, err_end, length = _HEADER.unpack_from(view, offset)
        offset += _HEADER.size
        if offset + length > len(view):
            return
        yield Record(kind, case, status, out_end, err_end, view[offset : offset + length])
        offset += length


def describe(error: BaseException) -> str:
    """Return an exception's type and text. Never raises, although a program's `__str__` may."""
    try:
        return f"{type(error).__name__}: {error}"[:2000]
    except BaseException:
        return type(error).__name__
