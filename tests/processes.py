"""Which processes exist: for tests and benchmarks that check that nothing is left behind."""

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def parents_of_all() -> dict[int, int]:
    """Return the parent's pid of every process on this machine (Linux only)."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended
            stat = (folder / "stat").read_text()
            # The second field is the program's name in parentheses, which may itself hold spaces and ")".
            parents[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
    return parents


def children_of(parent: int, word: str) -> set[int]:
    """Return the pids of a process's children that have a word in their command line (Linux only)."""
    children = set()
    for pid, its_parent in parents_of_all().items():
        with suppress(OSError):
            if its_parent == parent and word in Path(f"/proc/{pid}/cmdline").read_text():
                children.add(pid)
    return children


def descendants_of(ancestor: int) -> set[int]:
    """Return the pids of all processes below a process (Linux only)."""
    parents = parents_of_all()
    family = {ancestor}
    while True:
        younger = {pid for pid, parent in parents.items() if parent in family} - family
        if not younger:
            return family - {ancestor}
        family |= younger


def exists(pid: int) -> bool:
    """Return whether there is a process with this pid, a zombie included."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it belongs to another user
        return True
    return True


def left_after(pids: Iterable[int], timeout_s: float) -> list[int]:
    """Wait until all of these processes have ended; return those that still exist after `timeout_s` seconds."""
    deadline = time.monotonic() + timeout_s
    left = [pid for pid in pids if exists(pid)]
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left = [pid for pid in left if exists(pid)]
    return left
