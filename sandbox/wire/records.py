"""Records that a program's process, or its tests' process, writes to a file for the caller to read.

A program can forge the records of its own process, so those only hold answers, which the caller compares.
Records of tests come from the tests' process, which the program cannot reach (except in shared mode).
"""

import json
import os
import struct
import time
from typing import Any

PROGRESS = struct.Struct("=qdd")
"""The start of the file: the number of the running case, and when it began (CPU and monotonic seconds)."""
LENGTH = struct.Struct("=I")
"""The number of bytes of a record, which precedes its JSON."""
COMPILE, DEFINE, MEMORY, TESTS = "compile", "define", "memory", "tests"
"""Values of a record's `failed`: compiling the program, executing its definitions, its memory, its tests."""


class Records:
    """A writer of the file of records."""

    def __init__(self, descriptor: int):
        self.descriptor = descriptor
        self.started = (0.0, 0.0)  # when the running case began, in CPU and monotonic seconds
        self.program_cpu_s: float | None = None  # None if the program runs in this process

    def note_program_cpu(self, seconds: float) -> None:
        """Note the CPU time of a program in another process, which counts instead of this process's own."""
        self.program_cpu_s = seconds

    def begin(self, case: int) -> None:
        """Write that a case begins: its limits count from now on."""
        cpu = time.process_time() if self.program_cpu_s is None else self.program_cpu_s
        self.started = (cpu, time.monotonic())
        os.pwrite(self.descriptor, PROGRESS.pack(case, *self.started), 0)

    def seconds(self) -> list[float]:
        """Return the CPU and wall seconds of the running case so far."""
        return [time.process_time() - self.started[0], time.monotonic() - self.started[1]]

    def write(self, record: dict[str, Any]) -> None:
        """Append a record, with its length before it."""
        body = json.dumps(record).encode()
        os.lseek(self.descriptor, 0, os.SEEK_END)
        os.write(self.descriptor, LENGTH.pack(len(body)) + body)

    def failed(self, error: BaseException | str, kind: str) -> None:
        """Add a record of what kept the program or its tests from running; `kind` is a value from above."""
        self.write({"failed": kind, "error": error if isinstance(error, str) else describe(error)})


def describe(error: BaseException) -> str:
    """Return an exception's type and text. Never raises, although a program's `__str__` may."""
    try:
        return f"{type(error).__name__}: {error}"[:2000]
    except BaseException:
        return type(error).__name__
