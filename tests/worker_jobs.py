"""Functions that the tests run in worker processes, which import them by name (`worker_jobs:add`)."""

import builtins
import os
import time
from collections.abc import Sequence
from typing import Any

from markscheme.rewards import reward
from markscheme.tasks import Completion, Problem
from markscheme.verifiers import verifier


def add(one: int, two: int) -> int:
    return one + two


def spin(number: int) -> int:
    """Return the number, but never return for a multiple of ten."""
    if number % 10 == 0:
        # An endless loop inside one call in C: Python never gets to run a signal handler.
        sum(iter(int, 1))
    return number


def fail(message: str) -> None:
    raise ValueError(message)


def allocate(mib: int) -> int:
    return len(bytearray(mib << 20))


def crash() -> None:
    os._exit(3)


def pid() -> int:
    return os.getpid()


def unpicklable() -> Any:
    return lambda: None


def ground_types() -> str:
    """Return which integers sympy computes with: `python`, or `gmpy` where gmpy2 is used."""
    from sympy.external.gmpy import GROUND_TYPES

    return GROUND_TYPES


def maker(offset: int) -> Any:
    """Return a function that adds an offset; the worker calls it, and it never leaves the worker."""
    return lambda number: number + offset


@reward("patient")
def patient(problem: Problem, completion: Completion, *, share: float = 0.5) -> float:
    """Return a share; hang, raise or use 64 GiB if the completion says `hang`, `boom` or `much`."""
    if "hang" in completion.text:
        spin(0)
    if "boom" in completion.text:
        raise KeyError("boom")
    if "much" in completion.text:
        allocate(1 << 16)
    return share


@verifier("patient_verifier")
def patient_verifier(problem: Problem, completion: Completion) -> bool:
    """Return whether the completion is the reference; sleep for a minute first if it says `hang`."""
    if "hang" in completion.text:
        time.sleep(60)
    return completion.text == problem.reference


@reward("patient_batch", batch=True)
def patient_batch(problems: Sequence[Problem], completions: Sequence[Completion]) -> list[float]:
    """Return 1 for each completion, but hang if any of them says `hang`."""
    if any("hang" in completion.text for completion in completions):
        spin(0)
    return [1.0] * len(completions)


def judge_and_list_evaluations(reference: str, answer: str) -> tuple[list[str], tuple[bool, bool, bool]]:
    """Judge a pair by the last tier, and return the texts that were evaluated with its marks.

    `eval` counts where its source is part of the pair; `compile`, which Python's own imports use too, where
    the source could reach the outside.
    """
    from sympy.parsing import sympy_parser

    from markscheme.verifiers.answers import math_verify_worker

    evaluated: list[str] = []
    real_eval, real_compile = builtins.eval, builtins.compile

    def watched_eval(source: Any, *rest: Any) -> Any:
        if isinstance(source, str) and source.strip() and source in reference + answer:
            evaluated.append(source)
        return real_eval(source, *rest)

    def watched_compile(source: Any, *rest: Any, **options: Any) -> Any:
        if isinstance(source, str) and any(part in source for part in ("open", "__", "lambda")):
            evaluated.append(source)
        return real_compile(source, *rest, **options)

    # The module replaces sympy's parser, which evaluates text, by one that reads numbers only.
    assert sympy_parser.parse_expr is math_verify_worker._number
    builtins.eval, builtins.compile = watched_eval, watched_compile
    try:
        return evaluated, math_verify_worker.judge(reference, answer)
    finally:
        builtins.eval, builtins.compile = real_eval, real_compile
