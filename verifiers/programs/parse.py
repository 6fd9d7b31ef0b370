"""Python's parser, one thread at a time."""

import ast
from threading import Lock

_LOCK = Lock()


def parse(source: str) -> ast.Module:
    """`ast.parse` that other threads of ours cannot disturb.

    CPython up to 3.11.7 counts the depth of a tree under construction in one place for all threads:
    where the garbage collector lets another thread in, a correct source is a SystemError (gh-106905).

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: as `ast.parse`.
    """
    with _LOCK:
        return ast.parse(source)
