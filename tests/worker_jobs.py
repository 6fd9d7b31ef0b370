"""What the tests run in worker processes: functions that a worker finds by name."""

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
    """Never come back from every tenth number, and not to Python either: no signal could stop it."""
    if number % 10 == 0:
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
    from sympy.external.gmpy import GROUND_TYPES

    return GROUND_TYPES


def maker(offset: int) -> Any:
    return lambda number: number + offset


@reward("patient")
def patient(problem: Problem, completion: Completion, *, share: float = 0.5) -> float:
    """Hang on what says so, fail on what says so."""
    if "hang" in completion.text:
        spin(0)
    if "boom" in completion.text:
        raise KeyError("boom")
    if "much" in completion.text:
        allocate(1 << 16)
    return share


@verifier("patient_verifier")
def patient_verifier(problem: Problem, completion: Completion) -> bool:
    if "hang" in completion.text:
        time.sleep(60)
    return completion.text == problem.reference


@reward("patient_batch", batch=True)
def patient_batch(problems: Sequence[Problem], completions: Sequence[Completion]) -> list[float]:
    if any("hang" in completion.text for completion in completions):
        spin(0)
    return [1.0] * len(completions)


def judge_guarded(reference: str, answer: str) -> tuple[list[str], tuple[bool, bool, bool]]:
    """Judge by the last tier with every evaluation of text watched; what its own parsers refuse is fine."""
    import builtins

    from sympy.parsing import sympy_parser

    from markscheme.verifiers.answers import math_verify_worker as last_tier_worker

    evaluated: list[str] = []
    real = builtins.eval, builtins.compile

    def watched_eval(source: Any, *rest: Any) -> Any:
        if isinstance(source, str) and source.strip() and source in reference + answer:
            evaluated.append(source)
        return real[0](source, *rest)

    def watched_compile(source: Any, *rest: Any, **more: Any) -> Any:
        if isinstance(source, str) and any(part in source for part in ("open", "__", "lambda")):
            evaluated.append(source)
        return real[1](source, *rest, **more)

    assert sympy_parser.parse_expr is last_tier_worker._number
    builtins.eval, builtins.compile = watched_eval, watched_compile
    try:
        return evaluated, last_tier_worker.judge(reference, answer)
    finally:
        builtins.eval, builtins.compile = real
