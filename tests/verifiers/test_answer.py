"""Bare answers against references, by the policy of `verifiers/README.md`."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markscheme.sandbox import TaskError
from markscheme.tasks import Completion, Problem
from markscheme.verifiers import compare_answers, verify_answer
from markscheme.verifiers.answers.tiers import TIERS, reference_fault
from markscheme.verifiers.answers.verify import choice, exact_match
from markscheme.verifiers.text.normalise import normalise
from markscheme.verifiers.verdict import Reason

RIGHT = [
    ("33 1/3%", "0.333333", "percent of an exact value"),
    ("1/3%", "0.00333333", "small percent of an exact value"),
    ("14", r"$\$14$", "currency in math mode"),
    ("1/2", r"\cfrac{1}{2}", "continued fraction command"),
    ("5", "5\u200b", "invisible character"),
    ("18", "18", "same text"),
    ("18", "18.0", "integer as decimal"),
    ("18", " $18$ ", "math mode"),
    ("18", r"\(18\)", "math mode"),
    ("18", "18.", "full stop"),
    ("18", "+18", "sign"),
    ("18", "１８", "full-width digits"),
    ("-4", "−4", "unicode minus"),
    ("-4", "(-4)", "brackets"),
    ("1234567", "1,234,567", "thousands"),
    ("1234567", "1 234 567", "thousands by space"),
    ("1234567", "1 234 567", "thousands by thin space"),
    ("1234567", r"1\,234\,567", "thousands in LaTeX"),
    ("1234567", "1{,}234{,}567", "thousands in LaTeX"),
    ("1/3", r"\frac{1}{3}", "fraction"),
    ("1/3", r"\dfrac13", "short fraction"),
    ("1/3", "2/6", "not reduced"),
    ("-1/3", r"-\frac{1}{3}", "negative fraction"),
    ("-1/3", r"\frac{-1}{3}", "negative numerator"),
    ("1/3", "0.333333", "decimal of six digits"),
    ("2/3", "0.666667", "rounded"),
    ("2/3", "0.6666666", "cut off"),
    ("0.33", "1/3", "decimal reference: what rounds to it"),
    ("3.14", "3.14159", "decimal reference: more digits"),
    ("7/2", "3 1/2", "mixed"),
    ("7/2", r"3\frac{1}{2}", "mixed in LaTeX"),
    ("7/2", "3½", "mixed with a vulgar fraction: not 31/2"),
    ("1/2", "½", "vulgar fraction"),
    ("50%", "0.5", "percent as the fraction it means"),
    ("0.5", "50%", "fraction as a percent"),
    ("1/2", r"50\%", "fraction as a percent"),
    ("50", "50%", "percent as the number it prints"),
    ("50%", "50", "percent as the number it prints"),
    ("12.5%", "1/8", "percent against a fraction"),
    ("18", "$18", "currency"),
    ("18", "18 dollars", "currency in words"),
    ("18", "US$ 18.00", "currency"),
    ("$18", "18", "currency of the reference only"),
    ("-18", "-$18", "negative money"),
    ("10" + "0" * 400, "10" + "0" * 400 + ".0", "any size"),
    ("0.000001", "1/1000000", "small numbers"),
    ("Paris", "paris", "words have no case"),
    ("B", "(B)", "choice letter"),
    (r"\text{Evelyn}", "Evelyn", "text command"),
    ("x^2 + 1", "x^2  + 1", "spaces"),
    (r"\left(1, 2\right)", "(1, 2)", "left and right"),
]
WRONG = [
    ("50%", "0.50000049", Reason.DIFFERENT),
    ("33 1/3%", "0.33333349", Reason.DIFFERENT),
    ("5", "5" + " " * 20_000 + "or 6", Reason.AMBIGUOUS),
    ("Evelyn", "Evelyn or Angela", Reason.AMBIGUOUS),
    ("18", "17", Reason.DIFFERENT),
    ("18", "180", Reason.DIFFERENT),
    ("18", "-18", Reason.DIFFERENT),
    ("18", "18.000001", Reason.DIFFERENT),
    ("18", "1.8", Reason.DIFFERENT),
    ("1/3", "0.33333", Reason.DIFFERENT),  # five digits do not stand for an exact value
    ("2/3", "0.666665", Reason.DIFFERENT),
    ("0.33", "0.34", Reason.DIFFERENT),
    ("0.000001", "0.000002", Reason.DIFFERENT),  # math-verify rounds both to six decimals
    ("1234", "1.234", Reason.DIFFERENT),
    ("50%", "5", Reason.DIFFERENT),
    ("0.5", "5%", Reason.DIFFERENT),
    ("7/2", "31/2", Reason.DIFFERENT),
    ("18", "eggs", Reason.DIFFERENT),
    ("Paris", "London", Reason.DIFFERENT),
    ("B", "C", Reason.DIFFERENT),
    ("18", "", Reason.EMPTY),
    ("18", "  ", Reason.EMPTY),
    ("18", "18 or 19", Reason.AMBIGUOUS),
    ("18", "either 18 or 20", Reason.AMBIGUOUS),
    ("18", "maybe 18", Reason.AMBIGUOUS),
    ("18", "not 18", Reason.DENIED),
    ("18", r"x \neq 18", Reason.DENIED),
    ("18", "18/0", Reason.UNPARSABLE_ANSWER),
    ("$18", "€18", Reason.UNITS_DIFFER),
    ("18", "1" * 5000, Reason.TOO_LARGE),
]
HARDER_RIGHT = [
    ("1, 2", "1 or 2", "two solutions"),
    ("3", "3 or 3", "no alternative"),
    ("120", "5!=120", "a factorial and its value"),
    ("False", "not true", "the same truth"),
    ("1/5", "a fifth", "number words"),
    ("18", "eighteen", "number words"),
    ("18", "18 eggs", "a noun"),
    ("18", "x = 18", "an assignment"),
    ("18", r"\sqrt{324}", "a root that comes out"),
    ("18", "1.8e1", "scientific notation"),
    ("x^2+1", "1+x^2", "a sum has no order"),
    ("B", "b", "a choice letter has no case"),
    ("{1, 2}", "{2, 1}", "a set has no order"),
    ("true", "yes", "one truth"),
]
HARDER_WRONG = [
    ("22", "2²"),  # NFKC would flatten it
    ("102", "10²"),
    ("10112", "1011₂"),
    ("x2", "x²"),
    ("1+2/3", r"\frac{1+2}{3}"),
    ("1/x+1", r"\frac{1}{x+1}"),
    ("1234", "(1,234)"),  # a point
    ("1234", r"1,\,234"),  # a list
    ("123", "0,123"),
    ("100200", "100~200x"),
    ("1", "1 000/3"),
    ("5 MW", "5 mW"),
    ("2xy", "2XY"),
    ("CO", "Co"),
    ("Portland, Oregon", "Portland, OR"),
    ("12", "XII"),
    ("2", "twice"),
    ("5", "fünf"),
    ("USA", "United States"),
    ("William Shakespeare", "Shakespeare"),
    ("color", "colour"),
    ("18", "3*6"),
    ("x", "X"),
]


@pytest.mark.parametrize(("reference", "answer", "why"), RIGHT + HARDER_RIGHT)
def test_right_answers(reference: str, answer: str, why: str) -> None:
    verdict = compare_answers(reference, answer)
    assert (verdict.correct, verdict.reason) == (True, Reason.EQUAL), why
    assert verdict.tier in dict(TIERS)


@pytest.mark.parametrize(("reference", "answer", "reason"), WRONG)
def test_wrong_answers_say_why(reference: str, answer: str, reason: Reason) -> None:
    verdict = compare_answers(reference, answer)
    assert (verdict.correct, verdict.reason) == (False, reason)


@pytest.mark.parametrize(("reference", "answer"), HARDER_WRONG)
def test_what_only_looks_alike_is_wrong(reference: str, answer: str) -> None:
    assert compare_answers(reference, answer).correct is False


UNREADABLE = r"\frac{1}{"


def test_several_references_are_an_or_of_three_values() -> None:
    boxed = r"\boxed{4}"
    assert verify_answer(["3", "4"], boxed).correct is True
    assert verify_answer(["3", "5"], boxed).correct is False
    assert verify_answer(["3", UNREADABLE], boxed).correct is None
    assert verify_answer([UNREADABLE, "4"], boxed).correct is True
    assert verify_answer(UNREADABLE, boxed).reason == Reason.UNPARSABLE_REFERENCE
    with pytest.raises(TaskError, match="no reference"):
        verify_answer([], boxed)


def test_a_completion_without_an_answer_is_wrong() -> None:
    assert verify_answer("4", "it is 4").reason == Reason.NO_ANSWER
    assert verify_answer("4", r"\boxed{}").reason == Reason.EMPTY
    assert verify_answer("4", "it is 4", extract="lenient").correct is True


def test_a_verdict_is_not_a_truth_value() -> None:
    with pytest.raises(TypeError, match="three values"):
        bool(compare_answers("4", "4"))


@pytest.mark.parametrize(
    ("reference", "bad"), [("", True), (" $ $ ", True), ("1/0", True), ("x^2", False), ("4", False)]
)
def test_references_that_cannot_be_judged_by(reference: str, bad: bool) -> None:
    assert bool(reference_fault(reference)) is bad


@pytest.mark.parametrize(
    ("text", "right"),
    [("B", True), ("(b)", True), ("B.", True), ("B) Paris", True), ("Option B", True), ("C", False), ("BC", False), ("5", False)],
)  # fmt: skip
def test_choice_reads_letters(text: str, right: bool) -> None:
    verdict = choice(Problem(prompt="q", reference="B"), Completion(f"\\boxed{{{text}}}"))
    assert verdict.correct is right


def test_exact_match_never_reads_numbers() -> None:
    problem = Problem(prompt="q", reference="4")
    assert exact_match(problem, Completion(r"\boxed{4.0}")).correct is False
    assert exact_match(problem, Completion("<think>x</think> 4"), whole=True).correct is True


FRACTIONS = st.fractions(min_value=-10_000, max_value=10_000, max_denominator=999)
INTEGERS = st.integers(-(10**30), 10**30)


def spellings(value: object) -> st.SearchStrategy[str]:
    from fractions import Fraction

    f = Fraction(str(value)) if not isinstance(value, Fraction) else value
    forms = [
        f"{f.numerator}/{f.denominator}",
        rf"\frac{{{f.numerator}}}{{{f.denominator}}}",
        f"{2 * f.numerator}/{2 * f.denominator}",
    ]
    if f.denominator == 1:
        forms += [
            str(f.numerator),
            f"{f.numerator:,}",
            f"{f.numerator}.0",
            f"{f.numerator:,}".replace(",", r"\,"),
            f"${f.numerator}$",
        ]
    return st.sampled_from(forms)


@settings(max_examples=300, deadline=None)
@given(st.one_of(FRACTIONS, INTEGERS), st.data())
def test_exact_values_equal_themselves_in_every_spelling(value: object, data: st.DataObject) -> None:
    one, two = data.draw(spellings(value)), data.draw(spellings(value))
    assert compare_answers(one, two).correct is True


@settings(max_examples=300, deadline=None)
@given(FRACTIONS, FRACTIONS, st.data())
def test_equality_of_exact_forms_is_symmetric(a: object, b: object, data: st.DataObject) -> None:
    one, two = data.draw(spellings(a)), data.draw(spellings(b))
    verdicts = [compare_answers(one, two).correct, compare_answers(two, one).correct]
    if "." not in one + two:
        assert verdicts[0] is verdicts[1] is (a == b)


@settings(max_examples=300, deadline=None)
@given(INTEGERS, st.integers(1, 10**6), st.data())
def test_a_perturbed_value_never_equals(value: int, change: int, data: st.DataObject) -> None:
    assert compare_answers(str(value), data.draw(spellings(value + change))).correct is False


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_no_text_raises(reference: str, answer: str) -> None:
    compare_answers(reference, answer)
    verify_answer("4", answer, extract="lenient")


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=r"0123456789\{}frac$()+-*/^.,% \n<>boxed", max_size=80))
def test_normalising_twice_changes_nothing_that_counts(text: str) -> None:
    assert compare_answers(text, text).correct is not False or not normalise(text)


@pytest.mark.parametrize("hostile", ["{" * 50_000, "\\boxed{" * 5_000, "9" * 60_000, "$" * 50_000, "1/" * 30_000, "\\frac" * 10_000, "<think>" * 10_000, "**" * 20_000, "answer is " * 5_000, "answer is" + "\n" * 50_000, "\\boxed{1}" + " " * 60_000 + "\\boxed{2}", "\\frac" + " " * 50_000, "<answer>}" + " " * 60_000 + "x</answer>"])  # fmt: skip
def test_hostile_answers_are_judged_at_once(hostile: str) -> None:
    """Linear time: fifty times as much text would not finish otherwise."""
    compare_answers("4", hostile)
    assert verify_answer("4", hostile, extract="lenient").correct is not True
    assert verify_answer("4", f"\\boxed{{{hostile}}}").correct is not True
