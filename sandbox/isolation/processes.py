"""What /proc says about processes: their children, their CPU time, and their waiting for a processor."""

import os
from contextlib import suppress

_TICKS = os.sysconf("SC_CLK_TCK")
"""The kernel's unit of CPU time in /proc, per second."""


def children_of(pid: int) -> list[int]:
    """Return the pids of a process's children; none if it has ended."""
    children: list[int] = []
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with suppress(OSError), open(f"/proc/{pid}/task/{thread}/children") as pids:
                children += map(int, pids.read().split())
    return children


def cpu_seconds_below(pid: int) -> float:
    """Return the CPU seconds of a process's descendants, with those that they have waited for."""
    total = 0.0
    waiting = children_of(pid)
    while waiting:
        child = waiting.pop()
        waiting += children_of(child)
        with suppress(OSError), open(f"/proc/{child}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()  # from the third field on
            total += sum(map(int, fields[11:15])) / _TICKS
    return total


def seconds_without_processor(pidfd: int) -> float:
    """Return how long a process has waited for a processor, by its thread that has waited longest."""
    try:
        with open(f"/proc/self/fdinfo/{pidfd}") as lines:
            pid = next(line.split()[1] for line in lines if line.startswith("Pid:"))
        delays = []
        for thread in os.listdir(f"/proc/{pid}/task"):
            with suppress(OSError), open(f"/proc/{pid}/task/{thread}/schedstat") as numbers:
                delays.append(int(numbers.read().split()[1]))  # nanoseconds
        return max(delays, default=0) / 1e9
    except (OSError, StopIteration, ValueError, IndexError):
        return 0.0
