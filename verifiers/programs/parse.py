"""Parsing Python source from several threads without running into a bug of CPython."""

import ast
import warnings
from threading import Lock

_LOCK = Lock()


def parse(source: str) -> ast.Module:
    """Parse Python source as `ast.parse` does, one thread at a time.

    Up to 3.11.7, CPython keeps the recursion depth of the tree under construction in one place for all
    threads. If the garbage collector lets a second thread parse in the meantime, correct source raises
    SystemError (gh-106905). All of markscheme's own parsing therefore goes through this lock.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: as `ast.parse` does.
    """
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # sampled programs have what Python warns of, such as `1if x`
        return ast.parse(source)
