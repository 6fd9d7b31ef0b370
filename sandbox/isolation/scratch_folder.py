"""The folder that a program may write to: measuring its content, and emptying it for the next program."""

import math
import os

from .tiers import TMP_FILES

DEPTH = 64
"""Deepest nesting of folders where the file system sets no quota."""


def space(folder: str) -> float:
    """Return the bytes that the files below a folder take; infinity if they are too many or too deep."""
    total, count = 0, 0
    folders = [(folder, 0)]
    while folders:
        current, depth = folders.pop()
        try:
            with os.scandir(current) as entries:
                for entry in entries:
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
                    count += 1
                    if count > TMP_FILES or depth > DEPTH:
                        return math.inf
                    if entry.is_dir(follow_symlinks=False):
                        folders.append((entry.path, depth + 1))
        except OSError:  # the program may remove files while we look
            continue
    return total


def empty(folder: str, kept: frozenset[str] = frozenset()) -> None:
    """Remove everything in a folder except the entries that are `kept`.

    Subfolders are not descended into; their content is moved up instead, since a program may nest folders so
    deeply that a path would be too long.
    """
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
