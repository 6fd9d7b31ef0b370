"""Properties of comparing answers: a value equals itself in every spelling, and never a value that differs."""

import cmath
import itertools
import random
from fractions import Fraction
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from markscheme.verifiers import compare_answers, verify_answer
from markscheme.verifiers.spelling.normalise import normalise

many_examples = settings(max_examples=300, deadline=None)
SMALL_FRACTIONS = st.fractions(min_value=-500, max_value=500, max_denominator=60)
FRACTIONS = st.fractions(min_value=-10_000, max_value=10_000, max_denominator=999)
INTEGERS = st.integers(-(10**30), 10**30)
NUMBERS = st.one_of(SMALL_FRACTIONS, FRACTIONS, INTEGERS.map(Fraction))
RANDOMS = st.randoms(use_true_random=False)
"""A source of random spellings that hypothesis can repeat."""


def written_number(value: Fraction, rng: random.Random) -> str:
    """Write an exact number in one of many spellings, reduced or not."""
    scale = rng.randint(1, 4)
    sign = "-" if value < 0 else ""
    top, bottom = abs(value.numerator) * scale, value.denominator * scale
    forms = [
        f"{sign}{top}/{bottom}",
        rf"{sign}\frac{{{top}}}{{{bottom}}}",
        rf"{sign}\dfrac {{{top}}} {{{bottom}}}",
        rf"\frac{{{sign}{top}}}{{{bottom}}}",
        f"${sign}{top}/{bottom}$",
    ]
    if value.denominator == 1:
        thousands = f"{value.numerator:,}"
        forms += [
            str(value),
            f"${value}$",
            f"{value}.0",
            rf"\({value}\)",
            thousands,
            thousands.replace(",", r"\,"),
        ]
    elif abs(value) > 1:
        whole, rest = divmod(abs(value), 1)
        forms.append(rf"{sign}{whole}\frac{{{rest.numerator}}}{{{rest.denominator}}}")
    return rng.choice(forms)


@settings(max_examples=600, deadline=None)
@given(NUMBERS, RANDOMS)
def test_numbers_equal_themselves_in_every_spelling(value: Fraction, rng: random.Random) -> None:
    one, two = written_number(value, rng), written_number(value, rng)
    assert compare_answers(one, two).correct is True, (one, two)


@many_examples
@given(SMALL_FRACTIONS, SMALL_FRACTIONS, RANDOMS)
def test_different_numbers_are_never_equal(value: Fraction, other: Fraction, rng: random.Random) -> None:
    assume(value != other)
    reference, answer = written_number(value, rng), written_number(other, rng)
    assume("." not in reference)  # a decimal reference is met by every value that rounds to it
    assert compare_answers(reference, answer).correct is False, (reference, answer)


@many_examples
@given(FRACTIONS, FRACTIONS, RANDOMS)
def test_equality_of_numbers_is_symmetric(value: Fraction, other: Fraction, rng: random.Random) -> None:
    one, two = written_number(value, rng), written_number(other, rng)
    assume("." not in one + two)  # a decimal reference is met by every value that rounds to it
    there, back = compare_answers(one, two).correct, compare_answers(two, one).correct
    assert there is back is (value == other)


@many_examples
@given(INTEGERS, st.integers(1, 10**6), RANDOMS)
def test_a_changed_integer_is_never_equal(value: int, change: int, rng: random.Random) -> None:
    assert compare_answers(str(value), written_number(Fraction(value + change), rng)).correct is False


Tree = tuple[Any, ...]
"""A formula: ("number", 3), ("letter", "x"), (operation, operand) or (operation, left, right)."""
POINT = {"x": 1.37, "y": 2.11, "a": 0.83, "n": 3.19, "k": 1.71, r"\theta": 0.57, "x_1": 2.93}
"""The letters of formulas, each with a value."""


@st.composite
def formulas(draw: st.DrawFn, depth: int = 3) -> Tree:
    """Draw a formula of at most this depth."""
    if depth == 0 or draw(st.booleans()):
        if draw(st.booleans()):
            return ("number", draw(st.integers(1, 9)))
        return ("letter", draw(st.sampled_from(list(POINT))))
    operation = draw(st.sampled_from(["+", "-", "*", "/", "^", "sqrt", "sin"]))
    left = draw(formulas(depth=depth - 1))
    if operation in ("sqrt", "sin"):
        return (operation, left)
    if operation == "^":
        return (operation, left, ("number", draw(st.integers(2, 4))))
    return (operation, left, draw(formulas(depth=depth - 1)))


def written(tree: Tree, rng: random.Random) -> str:
    """Write a formula in one of many spellings: LaTeX or plain, sums and products in either order."""
    kind, *parts = tree
    if kind in ("number", "letter"):
        return str(parts[0])
    texts = [written(part, rng) for part in parts]
    space = rng.choice(["", "", " ", " ", r"\, "])
    if kind in ("sqrt", "sin"):
        (text,) = texts
        forms = {
            "sqrt": [rf"\sqrt{{{text}}}", f"sqrt({text})", f"√({text})", rf"({text})^{{1/2}}"],
            "sin": [rf"\sin({text})", f"sin({text})", rf"\sin\left({text}\right)"],
        }
        return rng.choice(forms[kind])
    left, right = (f"({text})" for text in texts)
    if kind in ("+", "*") and rng.random() < 0.5:
        left, right = right, left
    if kind == "/":
        quotient = rf"\frac{{{texts[0]}}}{{{texts[1]}}}"
        return rng.choice([f"{left}{space}/{space}{right}", quotient, f"{left}÷{right}"])
    if kind == "*":
        sign = rng.choice(["*", r" \cdot ", r"\times ", "·", space])
        return f"{left}{sign}{right}"
    if kind == "^":
        return rng.choice([f"{left}^{{{texts[1]}}}", f"{left}**{right}", f"{left}^{texts[1]}"])
    return f"{left}{space}{kind}{space}{right}"


def value_of(tree: Tree) -> complex:
    """Return a formula's value at `POINT`.

    Raises:
        ZeroDivisionError: it divides by 0, or by what would be 0 without rounding errors.
    """
    kind, *parts = tree
    if kind == "number":
        return complex(parts[0])
    if kind == "letter":
        return complex(POINT[parts[0]])
    left, right = value_of(parts[0]), value_of(parts[-1])
    match kind:
        case "sqrt":
            return cmath.sqrt(left)
        case "sin":
            return cmath.sin(left)
        case "^":
            return left**right.real
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
    if abs(right) < 1e-9 * (1 + abs(left)):
        raise ZeroDivisionError
    return left / right


def has_value(tree: Tree) -> bool:
    try:
        return cmath.isfinite(value_of(tree))
    except (ArithmeticError, ValueError):
        return False


@many_examples
@given(formulas(), RANDOMS)
def test_formulas_equal_themselves_in_every_spelling(tree: Tree, rng: random.Random) -> None:
    assume(has_value(tree))
    one, two = written(tree, rng), written(tree, rng)
    verdict = compare_answers(one, two)
    is_refused = verdict.reason in ("unparsable_answer", "too_large")
    assert verdict.correct is True or is_refused, (one, two, verdict)


@many_examples
@given(formulas(), RANDOMS, st.integers(1, 60))
def test_a_changed_formula_is_never_equal(tree: Tree, rng: random.Random, change: int) -> None:
    one, two = written(tree, rng), written(("+", tree, ("number", change)), rng)
    assert compare_answers(one, two).correct is not True, (one, two)


@many_examples
@given(st.lists(SMALL_FRACTIONS, min_size=2, max_size=6, unique=True), RANDOMS)
def test_sets_have_no_order_and_tuples_have(values: list[Fraction], rng: random.Random) -> None:
    shuffled = rng.sample(values, len(values))
    # Without thousands separators, which would be commas of the list.
    text = ", ".join(written_number(value, rng).replace(",", "") for value in values)
    other = ", ".join(f"{value.numerator}/{value.denominator}" for value in shuffled)
    assert compare_answers(rf"\{{{text}\}}", rf"\{{{other}\}}").correct is True
    assert compare_answers(text, other).correct is True
    assert compare_answers(f"({text})", f"({other})").correct is (shuffled == values)
    assert compare_answers(rf"\{{{text}\}}", f"({other})").correct is False


@many_examples
@given(SMALL_FRACTIONS, SMALL_FRACTIONS, st.sampled_from("[("), st.sampled_from("])"))
def test_intervals_equal_their_inequalities(a: Fraction, b: Fraction, left: str, right: str) -> None:
    assume(a < b)
    low, high = f"{a.numerator}/{a.denominator}", f"{b.numerator}/{b.denominator}"
    interval = f"{left}{low}, {high}{right}"
    signs = {"(": "<", "[": "≤", ")": "<", "]": r"\leq"}
    chain = f"{low} {signs[left]} x {signs[right]} {high}"
    assert compare_answers(interval, chain).correct is True
    assert compare_answers(chain, interval).correct is True
    flipped = {"[": "(", "(": "["}[left] + interval[1:]
    assert compare_answers(flipped, chain).correct is False


EXACT = [
    "3", "-3", "1/2", r"\frac{2}{4}", r"\sqrt{8}", r"2\sqrt2", r"\pi", "x+1", "1+x", "(1,2)", "(2,1)", r"\{1,2\}", r"\{2,1\}",
    "[1,2)", "1 \\le x < 2", "2i", "i+i", "x=3", "3 cm", "30 mm", "12_5", "2:3", "4:6", "yes", "no", "B", "(B)", r"\ln 4",
    r"2\ln 2", r"\pm 1", "1, -1", "x<3", "3>x", "half", "Paris", "\\emptyset", "no solution", "2x=6y", "4x=12y", "50%", "(1,2,3)",
    "1,2,3", r"\begin{pmatrix}1\\2\\3\end{pmatrix}", "three", "A) 3", "5!", "120", r"\frac{x}{y}", "x/y", "ABC", "x^2y", "yx^2",
]  # fmt: skip
"""Answers with exact values, of every kind that the tiers read."""


def test_equality_of_exact_forms_is_symmetric() -> None:
    for one, two in itertools.combinations(EXACT, 2):
        assert compare_answers(one, two).correct is compare_answers(two, one).correct, (one, two)


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=80), st.text(max_size=80))
def test_no_text_raises(reference: str, answer: str) -> None:
    compare_answers(reference, answer)
    verify_answer("4", answer, extract="lenient")


@many_examples
@given(st.text(alphabet=r"0123456789\{}frac$()+-*/^.,% \n<>boxed", max_size=80))
def test_a_text_is_never_wrong_for_itself(text: str) -> None:
    assert compare_answers(text, text).correct is not False or not normalise(text)


PIECES = [
    *"0123456789xyeiπ√²½∞{}()[]|^_+-*/=<>≤,.;:!%$& ", r"\frac", r"\sqrt", r"\pm", r"\cup", r"\{", r"\}", r"\text{ and }",
    r"\begin{pmatrix}", r"\end{pmatrix}", r"\log_", "sin", " or ", r"\in", r"\le", "10^{", "\\\\",
]  # fmt: skip
LATEX = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)


@settings(max_examples=1500, deadline=None)
@given(LATEX, LATEX)
def test_no_formula_raises_or_differs_from_itself(reference: str, answer: str) -> None:
    assert compare_answers(reference, answer).seconds < 5
    if normalise(answer) and normalise(reference):
        itself = compare_answers(answer, answer)
        assert itself.correct is not False or itself.reason != "different"
