"""Compares two normalised formulas with math-verify. Only worker processes import this module.

Importing it is slow and changes sympy and latex2sympy for the whole process: they lose every function that
would evaluate text. The parts of sympy that are loaded late, while it simplifies or solves, are imported here
first, because some of them (`sympy.physics.units`) use those functions as they are imported.
"""

import logging
import re
from fractions import Fraction
from typing import Any

import latex2sympy2_extended.latex2sympy2 as reader
import sympy
import sympy.calculus.util
import sympy.parsing.sympy_parser as sympy_parser
import sympy.physics.units
import sympy.solvers.inequalities
from latex2sympy2_extended import latex2sympy
from math_verify import grader

logging.disable(logging.CRITICAL)


def _number(text: Any, *_: Any, **__: Any) -> Any:
    """Replace sympy's parsers, which evaluate text: read a number, refuse everything else."""
    if not isinstance(text, str) or re.fullmatch(r"[-+]?\d*\.?\d+", text.strip()) is None:
        raise ValueError("text is never evaluated here")
    value = Fraction(text.strip())
    return sympy.Rational(value.numerator, value.denominator)


# `parse_expr`, and `sympify` of a string, call `eval`; a model's text must never reach it.
reader.parse_expr = _number
sympy_parser.parse_expr = _number
sympy_parser.eval_expr = _number


def judge(reference: str, answer: str) -> tuple[bool, bool, bool]:
    """Return whether the reference was read, whether the answer was, and whether they are equal."""
    gold, given = _read(reference), _read(answer)
    if gold is None or given is None:
        return gold is not None, given is not None, False
    equal = grader.verify(gold, given, float_rounding=15, numeric_precision=30, timeout_seconds=None)
    return True, True, bool(equal) and not _differ_relatively(gold, given)


def _read(text: str) -> Any:
    try:
        return latex2sympy(text, is_real=not grader.should_treat_as_complex(text))
    except MemoryError:
        raise
    except Exception:
        return None


def _differ_relatively(gold: Any, given: Any) -> bool:
    """Return whether two numbers differ relative to their size, which rounding hides if both are small."""
    if not (isinstance(gold, sympy.Expr) and isinstance(given, sympy.Expr)):
        return False
    if gold.free_symbols | given.free_symbols:
        return False
    try:
        a, b = sympy.N(gold, 30), sympy.N(given, 30)
        return bool(abs(a - b) > 1e-9 * max(abs(a), abs(b)))
    except (TypeError, ValueError):
        return False
