"""Solutions that repeat, written in different ways, against their sets of numbers."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markscheme.verifiers import compare_answers

WHOLE = r", \quad n \in \mathbb{Z}"
EQUAL = [
    # sin x = 1/2, cos x = 0, cos x = 1/2 and tan x = 1, as textbooks of different countries write them
    (r"\frac{\pi}{6}+2\pi n, \frac{5\pi}{6}+2\pi n", r"x = (-1)^n \frac{\pi}{6} + n\pi"),
    (r"\frac{\pi}{2} + n\pi", r"\pm\frac{\pi}{2} + 2n\pi"),
    (r"x = \pm\frac{\pi}{3} + 2n\pi", r"x = \frac{\pi}{3} + 2\pi n or x = \frac{5\pi}{3} + 2\pi n"),
    (r"\frac{\pi}{4} + n\pi", r"\frac{\pi}{4} + 2n\pi, \frac{5\pi}{4} + 2n\pi"),
    (r"60^\circ + 360^\circ n", r"420^\circ - 360^\circ n"),
    ("3n + 1", "3n - 2"),
]
DIFFERENT = [
    (r"n\pi", r"2n\pi"),
    (r"n\pi", r"3.14159n"),
    (r"\pm\frac{\pi}{3} + 2n\pi", r"\frac{\pi}{3} + 2n\pi"),
    (r"\frac{\pi}{6}+2\pi n, \frac{5\pi}{6}+2\pi n", r"\frac{\pi}{6}+2\pi n, \frac{7\pi}{6}+2\pi n"),
    (r"(-1)^n \frac{\pi}{6} + n\pi", r"(-1)^{n+1} \frac{\pi}{6} + n\pi"),
    ("3n + 1", "3n + 2"),
]


@pytest.mark.parametrize(("one", "two"), EQUAL)
def test_the_same_solutions_in_another_form(one: str, two: str) -> None:
    assert compare_answers(one + WHOLE, two + WHOLE).correct is True
    assert compare_answers(two + WHOLE, one + WHOLE).correct is True


@pytest.mark.parametrize(("one", "two"), DIFFERENT)
def test_other_solutions(one: str, two: str) -> None:
    assert compare_answers(one + WHOLE, two + WHOLE).correct is False
    assert compare_answers(two + WHOLE, one + WHOLE).correct is False


@given(
    st.fractions(0, 2, max_denominator=6),
    st.integers(1, 4),
    st.lists(st.integers(-3, 3), min_size=4, max_size=4),
    st.integers(0, 3),
)
def test_a_family_is_equal_to_its_parts_and_to_nothing_less(
    offset: Fraction, parts: int, shifts: list[int], left_out: int
) -> None:
    """`a + n\\pi` is the union of `a + i\\pi + m n\\pi` for i below m, each shifted by any of its periods."""
    whole = f"x = {_times_pi(offset)} + n\\pi"
    members = [f"x = {_times_pi(offset + i + parts * shifts[i])} + {parts} n\\pi" for i in range(parts)]
    assert compare_answers(whole + WHOLE, " or ".join(members) + WHOLE).correct is True
    fewer = [member for i, member in enumerate(members) if i != left_out % parts]
    if fewer:
        assert compare_answers(whole + WHOLE, " or ".join(fewer) + WHOLE).correct is False
    moved = _times_pi(offset + Fraction(1, math.factorial(5)))
    assert compare_answers(whole + WHOLE, f"x = {moved} + n\\pi" + WHOLE).correct is False


def _times_pi(value: Fraction) -> str:
    return rf"\frac{{{value.numerator}\pi}}{{{value.denominator}}}"
