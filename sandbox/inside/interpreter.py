"""The state in which every program finds the interpreter."""

import contextlib
import importlib
import random
import sys
import warnings
from typing import Any

from ..isolation.tiers import library_path
from .between_cases import FILE

PRELOADED = (
    "abc", "array", "bisect", "cmath", "collections", "contextlib", "copy", "dataclasses", "datetime",
    "decimal", "enum", "fractions", "functools", "heapq", "io", "itertools", "json", "math", "numbers",
    "operator", "queue", "random", "re", "statistics", "string", "textwrap", "threading", "time", "typing",
)  # fmt: skip
"""Modules that most programs import: a worker imports them once, before it forks."""


def prepare_interpreter(config: dict[str, Any]) -> None:
    """Bring the interpreter into the state in which every program finds it, without traces of the caller."""
    sys.path[:] = library_path()
    for module in (*PRELOADED, *config["preload"]):
        with contextlib.suppress(Exception):  # a program that imports it gets the error itself
            importlib.import_module(module)
    sys.argv[:] = [FILE]
    config.clear()
    sys.orig_argv[:] = ["python"]
    warnings.simplefilter("ignore", SyntaxWarning)
    random.seed(0)  # every program gets the same random numbers, whatever ran before it
