"""Properties of answers: a value equals itself however it is written, and never a perturbed one."""

import cmath
import random
from fractions import Fraction

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from markscheme.verifiers import compare_answers, verify_answer
from markscheme.verifiers.text.normalise import normalise

many = settings(max_examples=300, deadline=None)
SMALL = st.integers(-60, 60)
FRACTIONS = st.fractions(min_value=-500, max_value=500, max_denominator=60)
NAMES = st.sampled_from(["x", "y", "a", "n", "k", r"\theta", "x_1"])


def fraction_text(value: Fraction, rng: random.Random) -> str:
    scale, sign = rng.randint(1, 4), "-" if value < 0 else ""
    top, bottom = abs(value.numerator) * scale, value.denominator * scale
    forms = [f"{sign}{top}/{bottom}", rf"{sign}\frac{{{top}}}{{{bottom}}}", rf"{sign}\dfrac {{{top}}} {{{bottom}}}",
             rf"\frac{{{sign}{top}}}{{{bottom}}}", f"${sign}{top}/{bottom}$"]  # fmt: skip
    if value.denominator == 1:
        forms += [
            str(value),
            f"{value}.0",
            rf"\({value}\)",
            f"{value.numerator:,}",
            f"{value.numerator:,}".replace(",", r"\,"),
        ]
    if abs(value) > 1 and value.denominator > 1:
        whole, rest = divmod(abs(value), 1)
        forms.append(rf"{sign}{whole}\frac{{{rest.numerator}}}{{{rest.denominator}}}")
    return rng.choice(forms)


@st.composite
def formulas(draw: st.DrawFn, depth: int = 3) -> tuple:  # type: ignore[type-arg]
    """A small tree: ("num", 3), ("sym", "x"), (operation, left, right)."""
    if depth == 0 or draw(st.booleans()):
        return ("num", draw(st.integers(1, 9))) if draw(st.booleans()) else ("sym", draw(NAMES))
    operation = draw(st.sampled_from(["+", "-", "*", "/", "^", "sqrt", "sin"]))
    left = draw(formulas(depth=depth - 1))
    if operation in ("sqrt", "sin"):
        return (operation, left)
    right = ("num", draw(st.integers(2, 4))) if operation == "^" else draw(formulas(depth=depth - 1))
    return (operation, left, right)


def written(tree: tuple, rng: random.Random) -> str:  # type: ignore[type-arg]
    """Write a tree in one of many spellings: LaTeX or plain, sums and products in either order."""
    kind, *parts = tree
    if kind in ("num", "sym"):
        return str(parts[0])
    texts = [written(part, rng) for part in parts]
    space = rng.choice(["", " ", r"\, " if rng.random() < 0.3 else ""])
    if kind == "sqrt":
        return rng.choice(
            [rf"\sqrt{{{texts[0]}}}", f"sqrt({texts[0]})", f"√({texts[0]})", rf"({texts[0]})^{{1/2}}"]
        )
    if kind == "sin":
        return rng.choice([rf"\sin({texts[0]})", f"sin({texts[0]})", rf"\sin\left({texts[0]}\right)"])
    left, right = (f"({text})" for text in texts)
    if kind in "+*" and rng.random() < 0.5:
        left, right = right, left
    if kind == "/":
        return rng.choice(
            [f"{left}{space}/{space}{right}", rf"\frac{{{texts[0]}}}{{{texts[1]}}}", f"{left}÷{right}"]
        )
    if kind == "*":
        sign = rng.choice(["*", r" \cdot ", r"\times ", "·", space])
        return f"{left}{sign}{right}"
    if kind == "^":
        return rng.choice([f"{left}^{{{texts[1]}}}", f"{left}**{right}", f"{left}^{texts[1]}"])
    return f"{left}{space}{kind}{space}{right}"


POINT = {"x": 1.37, "y": 2.11, "a": 0.83, "n": 3.19, "k": 1.71, r"\theta": 0.57, "x_1": 2.93}


def value_of(tree: tuple) -> complex:  # type: ignore[type-arg]
    """Return a tree's value at a point; a division by what is 0 but for rounding is one by 0."""
    kind, *parts = tree
    if kind in ("num", "sym"):
        return complex(parts[0] if kind == "num" else POINT[parts[0]])
    left, right = value_of(parts[0]), value_of(parts[-1])
    if kind == "/" and abs(right) < 1e-9 * (1 + abs(left)):
        raise ZeroDivisionError
    if kind in ("sqrt", "sin"):
        return cmath.sqrt(left) if kind == "sqrt" else cmath.sin(left)
    if kind == "^":
        return left**right.real
    return {"+": left + right, "-": left - right, "*": left * right, "/": left / (right or 1)}[kind]


def has_value(tree: tuple) -> bool:  # type: ignore[type-arg]
    try:
        return cmath.isfinite(value_of(tree))
    except (ArithmeticError, ValueError):
        return False


@many
@given(FRACTIONS, st.randoms(use_true_random=False))
def test_numbers_equal_themselves(value: Fraction, rng: random.Random) -> None:
    one, two = fraction_text(value, rng), fraction_text(value, rng)
    assert compare_answers(one, two).correct is True, (one, two)


@many
@given(FRACTIONS, FRACTIONS, st.randoms(use_true_random=False))
def test_other_numbers_never_do(value: Fraction, other: Fraction, rng: random.Random) -> None:
    assume(value != other)
    one, two = fraction_text(value, rng), fraction_text(other, rng)
    assert compare_answers(one, two).correct is False, (one, two)


@many
@given(formulas(), st.randoms(use_true_random=False))
def test_formulas_equal_themselves_in_every_spelling(tree: tuple, rng: random.Random) -> None:  # type: ignore[type-arg]
    assume(has_value(tree))
    one, two = written(tree, rng), written(tree, rng)
    verdict = compare_answers(one, two)
    assert verdict.correct is True or verdict.reason in ("unparsable_answer", "too_large"), (
        one,
        two,
        verdict,
    )


@many
@given(formulas(), st.randoms(use_true_random=False), SMALL.filter(bool))
def test_a_perturbed_formula_never_equals(tree: tuple, rng: random.Random, change: int) -> None:  # type: ignore[type-arg]
    one, two = written(tree, rng), written(("+", tree, ("num", abs(change))), rng)
    assert compare_answers(one, two).correct is not True, (one, two)


@many
@given(st.lists(FRACTIONS, min_size=2, max_size=6, unique=True), st.randoms(use_true_random=False))
def test_sets_have_no_order_and_tuples_have(values: list[Fraction], rng: random.Random) -> None:
    shuffled = rng.sample(values, len(values))
    text = ", ".join(fraction_text(v, rng).replace(",", "") for v in values)
    other = ", ".join(f"{v.numerator}/{v.denominator}" for v in shuffled)
    assert compare_answers(rf"\{{{text}\}}", rf"\{{{other}\}}").correct is True
    assert compare_answers(text, other).correct is True
    assert compare_answers(f"({text})", f"({other})").correct is (shuffled == values)
    assert compare_answers(rf"\{{{text}\}}", f"({other})").correct is False


@many
@given(FRACTIONS, FRACTIONS, st.sampled_from("[("), st.sampled_from("])"), st.randoms(use_true_random=False))
def test_intervals_equal_their_inequalities(
    a: Fraction, b: Fraction, left: str, right: str, rng: random.Random
) -> None:
    assume(a < b)
    low, high = f"{a.numerator}/{a.denominator}", f"{b.numerator}/{b.denominator}"
    interval = f"{left}{low}, {high}{right}"
    signs = {"(": "<", "[": "≤", ")": "<", "]": r"\leq"}
    chain = f"{low} {signs[left]} x {signs[right]} {high}"
    assert compare_answers(interval, chain).correct is True
    assert compare_answers(chain, interval).correct is True
    flipped = {"[": "(", "(": "["}[left] + interval[1:]
    assert compare_answers(flipped, chain).correct is False


EXACT = st.sampled_from(
    ["3", "-3", "1/2", r"\frac{2}{4}", r"\sqrt{8}", r"2\sqrt2", r"\pi", "x+1", "1+x", "(1,2)", "(2,1)", r"\{1,2\}", r"\{2,1\}",
     "[1,2)", "1 \\le x < 2", "2i", "i+i", "x=3", "3 cm", "30 mm", "12_5", "2:3", "4:6", "yes", "no", "B", "(B)", r"\ln 4",
     r"2\ln 2", r"\pm 1", "1, -1", "x<3", "3>x", "half", "Paris", "\\emptyset", "no solution", "2x=6", "4x=12", "50%", "(1,2,3)",
     "1,2,3", r"\begin{pmatrix}1\\2\\3\end{pmatrix}", "three", "A) 3", "5!", "120", r"\frac{x}{y}", "x/y", "ABC", "x^2y", "yx^2"]
)  # fmt: skip


@settings(max_examples=600, deadline=None)
@given(EXACT, EXACT)
def test_equality_is_symmetric_among_exact_forms(one: str, two: str) -> None:
    there, back = compare_answers(one, two), compare_answers(two, one)
    unevaluated = {there.reason, back.reason} & {"unevaluated"}
    assert there.correct is back.correct or unevaluated, (one, two)


@settings(max_examples=400, deadline=None)
@given(st.text(max_size=80), st.text(max_size=80))
def test_no_text_raises(reference: str, answer: str) -> None:
    compare_answers(reference, answer)
    verify_answer("4", answer, extract="lenient")


PIECES = [*"0123456789xyeiπ√²½∞{}()[]|^_+-*/=<>≤,.;:!%$& ", r"\frac", r"\sqrt", r"\pm", r"\cup", r"\{", r"\}", r"\text{ and }",
          r"\begin{pmatrix}", r"\end{pmatrix}", r"\log_", "sin", " or ", r"\in", r"\le", "10^{", "\\\\"]  # fmt: skip
LATEX = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)


@settings(max_examples=1500, deadline=None)
@given(LATEX, LATEX)
def test_no_formula_raises_or_equals_by_accident(reference: str, answer: str) -> None:
    verdict = compare_answers(reference, answer)
    assert verdict.seconds < 5
    if normalise(answer) and normalise(reference):
        assert (
            compare_answers(answer, answer).correct is not False
            or compare_answers(answer, answer).reason != "different"
        )
