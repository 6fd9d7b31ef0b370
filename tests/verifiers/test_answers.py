"""Bare answers against references, by the policy that `verifiers/README.md` states."""

import json
import re

import pytest

from markscheme.rewards import MarkScheme
from markscheme.rewards.check.task import check_task
from markscheme.sandbox import DataError, TaskError, UnknownNameError
from markscheme.tasks import Completion, Problem, load_problems
from markscheme.verifiers import compare_answers, verify_answer
from markscheme.verifiers.answers.tiers import TIERS, reference_fault
from markscheme.verifiers.answers.verify import choice, exact_match
from markscheme.verifiers.verdict import Reason
from support import MakeTask

RIGHT = [
    # reference, answer, what it is an instance of
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
    # reference, answer, reason of the verdict
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
    # reference, answer, what it is an instance of
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
    # reference, answer: pairs that only look alike
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
def test_right_answers_are_equal(reference: str, answer: str, why: str) -> None:
    verdict = compare_answers(reference, answer)
    assert (verdict.correct, verdict.reason) == (True, Reason.EQUAL), why
    assert verdict.tier in dict(TIERS)


@pytest.mark.parametrize(("reference", "answer", "reason"), WRONG)
def test_wrong_answers_say_why(reference: str, answer: str, reason: Reason) -> None:
    verdict = compare_answers(reference, answer)
    assert (verdict.correct, verdict.reason) == (False, reason)


@pytest.mark.parametrize(("reference", "answer"), HARDER_WRONG)
def test_answers_that_only_look_like_the_reference_are_wrong(reference: str, answer: str) -> None:
    assert compare_answers(reference, answer).correct is False


UNREADABLE = r"\frac{1}{"


def test_several_references_are_an_or_of_three_values() -> None:
    boxed_4 = r"\boxed{4}"
    assert verify_answer(["3", "4"], boxed_4).correct is True
    assert verify_answer(["3", "5"], boxed_4).correct is False
    assert verify_answer(["3", UNREADABLE], boxed_4).correct is None
    assert verify_answer([UNREADABLE, "4"], boxed_4).correct is True
    assert verify_answer(UNREADABLE, boxed_4).reason == Reason.UNPARSABLE_REFERENCE
    with pytest.raises(TaskError, match="no reference"):
        verify_answer([], boxed_4)


def test_a_completion_without_an_answer_is_wrong() -> None:
    assert verify_answer("4", "it is 4").reason == Reason.NO_ANSWER
    assert verify_answer("4", r"\boxed{}").reason == Reason.EMPTY
    assert verify_answer("4", "it is 4", extract="lenient").correct is True


def test_a_verdict_is_not_a_truth_value() -> None:
    with pytest.raises(TypeError, match="three values"):
        bool(compare_answers("4", "4"))


@pytest.mark.parametrize(
    ("reference", "is_unusable"), [("", True), (" $ $ ", True), ("1/0", True), ("x^2", False), ("4", False)]
)
def test_references_that_cannot_be_judged_by_have_a_fault(reference: str, is_unusable: bool) -> None:
    assert bool(reference_fault(reference)) is is_unusable


@pytest.mark.parametrize(
    ("text", "is_right"),
    [
        ("B", True),
        ("(b)", True),
        ("B.", True),
        ("B) Paris", True),
        ("Option B", True),
        ("C", False),
        ("BC", False),
        ("5", False),
    ],
)
def test_choice_reads_letters(text: str, is_right: bool) -> None:
    verdict = choice(Problem(prompt="q", reference="B"), Completion(f"\\boxed{{{text}}}"))
    assert verdict.correct is is_right


def test_exact_match_never_reads_numbers() -> None:
    problem = Problem(prompt="q", reference="4")
    assert exact_match(problem, Completion(r"\boxed{4.0}")).correct is False
    assert exact_match(problem, Completion("<think>x</think> 4"), whole=True).correct is True


POLICIES = ("exact", "rounded", "loose")
DECIMALS = [
    # reference, answer, exact, rounded, loose
    ("0.5", r"\frac{1}{2}", True, True, True),
    ("0.33", r"\frac{1}{3}", False, True, False),
    ("0.3", r"\frac{1}{3}", False, False, False),
    ("0.5", r"\frac{\pi}{6}", False, False, False),
    ("3.14", r"\pi", False, True, True),
    ("3.14", "3.1416", False, True, True),
    ("3.14", "3.15", False, False, True),
    ("0.34", "0.335", False, False, False),
    ("3.4", "3.35", False, False, False),
    ("33.5", "33.45", False, True, True),
    ("33.5", "33.55", False, False, True),
    ("-33.5", "-33.45", False, True, True),
    ("0.0", "0.04", False, False, False),
    (r"\frac{1}{3}", "0.333333", False, True, True),
    (r"\frac{1}{3}", "0.333", False, False, True),
    ("100", "100.4", False, False, False),
    ("2.5 km", "2.52 km", False, True, True),
    ("2.5 km", "2.56 km", False, False, False),
    ("2.5 km", "2504 m", False, True, True),
]
"""The policy table of verifiers/README.md, by example."""


@pytest.mark.parametrize(("reference", "answer", *POLICIES), DECIMALS)
def test_decimals_are_met_by_the_policy_that_is_named(
    reference: str, answer: str, exact: bool, rounded: bool, loose: bool
) -> None:
    wanted = {"exact": exact, "rounded": rounded, "loose": loose}
    given = {name: compare_answers(reference, answer, decimals=name).correct for name in POLICIES}
    assert given == wanted
    assert compare_answers(reference, answer).correct is rounded


def test_a_comma_is_decimal_only_where_the_task_says_so(make_task: MakeTask) -> None:
    for reference, answer in [("3.5", "3,5"), ("0.5", "0,5"), ("1234.5", "1.234,5"), ("3,5", "3.5")]:
        assert compare_answers(reference, answer, decimal_comma=True).correct is True
    assert compare_answers("3.5", "3,5").correct is False
    assert compare_answers("5, 3", "3,5").correct is True
    assert compare_answers("(1, 2)", "(1, 2)", decimal_comma=True).correct is True
    task = make_task("rewards: {a: {use: answer, decimal_comma: true, decimals: exact}}")
    problem = Problem(prompt="Wie viel?", reference="3.5")
    scores = MarkScheme(task).score([problem] * 2, [Completion(r"\boxed{3,5}"), Completion(r"\boxed{3,54}")])
    assert [score.value for score in scores] == [1.0, 0.0]


CHOICES = "Which is the capital of France?\n(A) Lyon\n(B) Paris\n(C) Nice"
ASKED = [
    ("B", "Paris", CHOICES, True),
    ("B", "Lyon", CHOICES, False),
    ("Paris", "B", CHOICES, True),
    ("Paris", "C", CHOICES, False),
    ("B", "B) Paris", CHOICES, True),
    ("B", "B) Lyon", CHOICES, False),
    ("B", r"\textbf{(B)}\ 6", r"$\textbf{(A)}\ 5 \qquad \textbf{(B)}\ 6 \qquad \textbf{(C)}\ 7$", True),
    ("6", "B", r"$\textbf{(A)}\ 5 \qquad \textbf{(B)}\ 6 \qquad \textbf{(C)}\ 7$", True),
    ("12", "10p + q = 12", "Find $10p+q$.", True),
    ("12", "10p + q = 12", "Let $10p+q=12$. Find p.", False),
    ("12", "3x^2+4y^2=12", "Find the curve.", False),
    ("25", "m^2+n^2 = 25", "Compute $m^2 + n^2$.", True),
    ("7", "7 dozen", "How many dozen eggs does she need?", True),
    ("7", "7 dozen", "How many eggs does she need?", False),
    ("18", "3 * 6", "What is 3 * 6?", False),
]


@pytest.mark.parametrize(("reference", "answer", "question", "is_right"), ASKED)
def test_the_question_says_what_an_answer_means(
    reference: str, answer: str, question: str, is_right: bool
) -> None:
    assert compare_answers(reference, answer, question=question).correct is is_right


SOLUTIONS = [
    (r"We have $2^3=8$. Hence $a$ is $\boxed{8}$.", "{{ text | boxed }}", "8"),
    ("3 + 4 = <<3+4=7>>7 apples.\n#### 7", "{{ text.split('####')[-1] | trim }}", "7"),
]


@pytest.mark.parametrize(("solution", "template", "answer"), SOLUTIONS)
def test_a_whole_solution_is_no_reference_and_the_advice_works(
    make_task: MakeTask, solution: str, template: str, answer: str
) -> None:
    verdict = compare_answers(solution, answer)
    assert (verdict.correct, verdict.reason) == (None, Reason.UNPARSABLE_REFERENCE)
    rows = json.dumps({"text": solution})
    yaml = 'data: {path: rows.jsonl}\nproblem: {prompt: Go, reference: "%s"}\nrewards: {a: {use: answer}}'
    task = make_task(yaml % "{{ text }}", rows=rows)
    with pytest.raises(DataError, match=re.escape(f'write `reference: "{template}"`')):
        MarkScheme(task).check_references(load_problems(task))
    findings = {finding.name: finding for finding in check_task(task)}
    assert findings["references"].good is False
    repaired = make_task(yaml % template, rows=rows)
    problems = load_problems(repaired)
    MarkScheme(repaired).check_references(problems)
    assert problems[0].references == (answer,)


def test_references_and_answers_are_read_or_refused_by_name() -> None:
    assert verify_answer(72, r"\boxed{72}").correct is True  # pyright: ignore[reportArgumentType]
    assert verify_answer([71, 0.5], r"\boxed{1/2}").correct is True  # pyright: ignore[reportArgumentType]
    for value in (None, True, float("nan"), b"72", {"answer": 72}):
        with pytest.raises(TypeError, match="reference takes a text or a finite number"):
            compare_answers(value, "72")  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="answer takes"):
        compare_answers("72", None)  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="completion takes"):
        verify_answer("72", None)  # pyright: ignore[reportArgumentType]
    with pytest.raises(UnknownNameError, match="rounded"):
        compare_answers("72", "72", decimals="round")  # pyright: ignore[reportArgumentType]
