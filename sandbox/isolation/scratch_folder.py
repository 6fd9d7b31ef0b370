"""A program's folder, after it and while it runs: how much is in it, and emptying it."""

import math
import os

from .tiers import TMP_FILES

DEPTH = 64
"""Deepest nesting of folders in a folder that has no quota of its own."""


def space(folder: str) -> float:
    """Return the bytes that files below a folder take; without end where they are too many or too deep."""
    total, files, folders = 0, 0, [(folder, 0)]
    while folders:
        here, depth = folders.pop()
        try:
            with os.scandir(here) as entries:
                for entry in entries:
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
                    files += 1
                    if files > TMP_FILES or depth > DEPTH:
                        return math.inf
                    if entry.is_dir(follow_symlinks=False):
                        folders.append((entry.path, depth + 1))
        except OSError:
            continue
    return total


def empty(folder: str, kept: frozenset[str] = frozenset()) -> None:
    """Remove everything below a folder but what is kept, however deep: what is nested is moved up."""
    count = 0
    while names := set(os.listdir(folder)) - kept:
        for name in names:
            path = os.path.join(folder, name)
            if not os.path.isdir(path) or os.path.islink(path):
                os.unlink(path)
                continue
            for inner in os.listdir(path):
                count += 1
                os.rename(os.path.join(path, inner), os.path.join(folder, f"\n{count}"))
            os.rmdir(path)
