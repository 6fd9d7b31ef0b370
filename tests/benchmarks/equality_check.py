"""A check of two answers' equality that shares nothing with the answer verifier, for `answers_mutations.py`.

It only has to recognise pairs that are surely equal, so that a person need not read them.
"""

import re
import resource
from collections.abc import Iterable
from fractions import Fraction
from multiprocessing import TimeoutError as Timeout
from multiprocessing import get_context
from typing import Any

LIMIT_S = 3.0
MEMORY_BYTES = 2 << 30


def equal_pairs(pairs: Iterable[tuple[str, str]]) -> list[bool]:
    """Return for each pair whether it is surely equal. Each check runs in another process, within LIMIT_S."""
    context = get_context("spawn")
    verdicts = []
    pool = context.Pool(1, _limit_memory)
    for pair in pairs:
        try:
            verdicts.append(pool.apply_async(are_equal, pair).get(LIMIT_S))
        except Timeout:
            pool.terminate()
            pool = context.Pool(1, _limit_memory)
            verdicts.append(False)
    pool.terminate()
    return verdicts


def _limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def are_equal(one: str, other: str) -> bool:
    """Return whether two answers are equal numbers, the same items without order, or equal for sympy."""
    values = _exact_value(one), _exact_value(other)
    if None not in values:
        return values[0] == values[1]
    items = _items_without_order(one)
    if len(items) > 1 and items == _items_without_order(other):
        return True
    # sympy would read units and words as products of their letters, which may be equal by accident.
    if re.search(r"[A-Za-z]{3,}", re.sub(r"\\[A-Za-z]+", "", one)):
        return False
    try:
        return _equal_for_sympy(one, other)
    except Exception:  # the parser and sympy raise all kinds of exceptions; the pair is left to be read
        return False


def _exact_value(text: str) -> Fraction | None:
    r"""Return the value of a plain number: an integer, a decimal, `a/b` or `\frac{a}{b}`."""
    text = re.sub(r"[\s$]|\\[,!;]", "", text).replace("{,}", ",")
    text = re.sub(r"\\[dt]?frac\{(-?\d+)\}\{(\d+)\}", r"\1/\2", text)
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        return None


def _items_without_order(text: str) -> list[str]:
    """Return the sorted items of a set or a bare list; an empty list for other texts."""
    inner = re.sub(r"^\s*(?:\\left)?\\\{|(?:\\right)?\\\}\s*$", "", text)
    if re.search(r"[()\[\]]", inner):
        return []
    return sorted("".join(item.split()) for item in re.split(r",|;|\b(?:and|or)\b", inner) if item.strip())


def _equal_for_sympy(one: str, other: str) -> bool:
    from latex2sympy2_extended import latex2sympy
    from sympy import Expr, simplify

    first: Any = latex2sympy(one)
    second: Any = latex2sympy(other)
    if first == second:
        return True
    if isinstance(first, Expr) and isinstance(second, Expr):
        return simplify(first - second) == 0
    return bool(simplify(first) == simplify(second))
