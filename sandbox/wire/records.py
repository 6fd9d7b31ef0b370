"""What a program's process, or its tests', tells of itself: records in a file that we read afterwards."""

import json
import os
import struct
import time
from typing import Any

PROGRESS = struct.Struct("=qdd")
"""At the start of the file: the case that runs now, and when it began (CPU, monotonic seconds)."""
LENGTH = struct.Struct("=I")
"""Before each record."""
COMPILE, DEFINE, MEMORY, TESTS = "compile", "define", "memory", "tests"
"""What failed, as a record says it."""


class Records:
    """What this process tells of itself."""

    def __init__(self, descriptor: int):
        self.descriptor = descriptor
        self.started = (0.0, 0.0)
        self.elsewhere: float | None = None

    def heard(self, cpu: float) -> None:
        """Count the CPU time of another process, which says how much it has used, not our own."""
        self.elsewhere = cpu

    def begin(self, case: int) -> None:
        """Say which case runs from now on: its limits count from here."""
        cpu = time.process_time() if self.elsewhere is None else self.elsewhere
        self.started = (cpu, time.monotonic())
        os.pwrite(self.descriptor, PROGRESS.pack(case, *self.started), 0)

    def seconds(self) -> list[float]:
        """Return the CPU and wall seconds of the case that runs."""
        return [time.process_time() - self.started[0], time.monotonic() - self.started[1]]

    def write(self, record: dict[str, Any]) -> None:
        """Add a record."""
        body = json.dumps(record).encode()
        os.lseek(self.descriptor, 0, os.SEEK_END)
        os.write(self.descriptor, LENGTH.pack(len(body)) + body)

    def failed(self, error: BaseException | str, kind: str) -> None:
        """Say what kept the program, or the tests, from running."""
        self.write({"failed": kind, "error": error if isinstance(error, str) else told(error)})


def told(error: BaseException) -> str:
    """Return an exception's type and text, whatever its own methods do."""
    try:
        return f"{type(error).__name__}: {error}"[:2000]
    except BaseException:
        return type(error).__name__
