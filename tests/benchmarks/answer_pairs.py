"""Pairs of reference and answer for `answers.py`: random ones like those of GSM8K and MATH, and hard ones."""

import random

HARD_PAIRS = [
    (r"\int_0^1 x^2 dx", r"\int_0^1 \frac{x^3}{x} dx"),
    (r"\sum_{n=0}^\infty \frac{1}{2^n}", r"\sum_{n=0}^\infty \frac{2}{2^{n+1}}"),
    (r"\int_0^1 f(x) dx", r"\int_0^1 g(x) dx"),
    (r"\lim_{x\to 0} \frac{\sin x}{x}", r"\lim_{x\to 0} \frac{\tan x}{x}"),
]
"""Pairs that only the last tier, math-verify, can read."""


def usual_pairs(count: int) -> list[tuple[str, str]]:
    """Return random pairs: 70 % integers, 15 % fractions, 15 % formulas; about half of the answers are wrong."""
    rng = random.Random(3)
    pairs = []
    for _ in range(count):
        kind = rng.random()
        off = rng.choice((0, 1))  # 0: the answer is right
        if kind < 0.7:
            pairs.append(_integers(rng, off))
        elif kind < 0.85:
            pairs.append(_fractions(rng, off))
        else:
            pairs.append(_formulas(rng, off))
    return pairs


def _integers(rng: random.Random, off: int) -> tuple[str, str]:
    value = rng.randint(2, 100_000)
    answer = value + off * rng.randint(1, 50)
    spelling = rng.choice((f"{answer:,}", f"${answer}$", rf"\text{{{answer}}}", f"{answer}.0"))
    return str(value), spelling if rng.random() < 0.3 else str(answer)


def _fractions(rng: random.Random, off: int) -> tuple[str, str]:
    top, bottom = rng.randint(1, 99), rng.randint(2, 40)
    answer = top + off
    spellings = (
        rf"\frac{{{answer}}}{{{bottom}}}",
        rf"\dfrac{{{2 * answer}}}{{{2 * bottom}}}",
        f"{answer}/{bottom}",
        f"{answer / bottom:.8f}",
    )
    return rf"\frac{{{top}}}{{{bottom}}}", rng.choice(spellings)


def _formulas(rng: random.Random, off: int) -> tuple[str, str]:
    a, b, c = rng.randint(2, 9), rng.randint(1, 9), rng.choice((2, 3, 5, 6, 7))
    return rng.choice(
        (
            (rf"{a}\sqrt{{{c}}}", rf"{a + off}\sqrt{{{c}}}"),
            (rf"{a}\sqrt{{{c}}}", rf"\sqrt{{{a * a * c + off}}}"),
            (f"x^2+{a}x+{b}", f"{b + off}+{a}x+x^2"),
            (f"({a},{b})", f"({a}, {b + off})"),
            (rf"{a}\pi", rf"{a + off}\pi"),
            (f"[{a},{a + b})", f"[{a},{a + b + off})"),
            (rf"\frac{{{a}\pi}}{{{b}}}", rf"\frac{{{a}}}{{{b + off}}}\pi"),
        )
    )
