"""Verdicts on the steps of a solution, by rules: arithmetic, lines of programs, columns of an addition."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markscheme.sandbox import Limits, RewardError, UnknownNameError
from markscheme.tasks import Problem, load_problems, load_task
from markscheme.verifiers import Verdict, verify_steps
from markscheme.verifiers.steps.arithmetic import claims_of, holds
from markscheme.verifiers.steps.verify import judge_steps

ARITHMETIC: list[tuple[str, bool | None]] = [
    # step, whether its calculations are right (None: it makes no claim that can be judged)
    ("16 - 3 = <<16-3=13>>13 ducks eggs", True),
    ("13 * 2 = $<<13*2=26>>26", True),
    ("<<3*6=18>>20", False),  # the written number is not the calculated one
    ("<<25*3=7500>>7500", False),
    ("<<10*(2/3)=8>>8", False),
    ("<<54/2=27.0>>27 candies", True),
    ("450 - 468 = <<450-468=-18>>-18", True),
    ("3 x 4 = 12", True),
    ("3 × 5 = 15, 12 ÷ 4 = 3", True),
    ("7+6+0=13", True),
    ("4 + 4 = 8 = 2^3", True),
    ("7*8=56=57", False),
    ("10/3 = 3.33", True),  # rounded
    ("200/3 = 66.66", True),  # cut
    ("10/3 = 3.4", False),
    ("7/2 = 3", False),
    ("11 / 5 = <<11/5=2.2>>2 trays", True),  # rounded to whole trays
    ("4.20 + 9.45 + 1.35 = <<4.20+9.45+1.35=14.999999999999998>>15", True),
    ("100% - 45% = 55%", True),
    ("25/100 x 100 = 25%", True),
    ("1,000 * 2 = 2,000", True),
    ("$60+$100 = $160", True),
    ("2 * (3 + 4) = 14", True),
    ("A+4 = 4+4 = 8", True),
    ("no number at all", None),
    ("A: 26", None),
    ("x = 5", None),
    ("x + 3 = 5", None),  # letters: no claim
    ("20% of 50 = 10", None),  # a part of something larger
    ("half of 5 + 3 = 4", None),
    ("5 + 3 = 8 + y", None),
    ("500/month * 12 = 7000", None),
    ("1/0 = 5", None),
    ("9^9^9^9 = 5", None),  # too large to compute
    ("6 * 7 = 42k", None),
    # From real solutions: right or without a claim, but marked wrong once.
    ("2 \\cdot 5 + 1 = 11", True),
    ("28 = 2^2 \\times 7", True),
    ("\\frac{1}{31} \\div \\frac{1}{93} = \\frac{1}{31} \\times \\frac{93}{1}", True),
    ("\\frac{5}{4} = 1 \\frac{1}{4}", None),
    ("8 x 1 1/2 = 12", None),
    ("10 / 4 = 2½", None),
    ("17/3 = 5 and 2/3", None),
    ("17 / 3 = 5 R 2", None),
    ("120 – 80 - 15 = 25", True),
    ("80 000 x 20/100 = 16 000", None),
    ("14, 400 / 80 = 180", None),
    ("(3/2)x+7=43", None),
    ("2 x -5 = 15", None),
    ("1/2 (68) + 10 = 44", None),
    ("25 / 1/3 = 75", None),
    ("$1 / 2 = 50 cents", None),
    ("100 * 0.75 = $0.75", None),
    ("Week 1 + Week 2 = 35 + 35", None),
    ("lines 3-5 = 3 lines", None),
    ("10/3 ≈ 3", True),
    ("10/3 ≈ 5", None),
    ("2/3 = 67%", True),
    ("√16 + 3 = 7", None),
    ("5 x 4 x 3 x 2 x 1 = 5! = 120", None),
    ("50 + 10% = 55", None),
    ("25 - 5 = <<25-5=20>>20%", True),
    ("20 / 26 = <<20/26=0.7692307692307693>>0.769", True),
    ("28% - 0.5 = 27.5%", None),
    ("5/100*$400 000 = $<<5/100*400000=20000.0>>20 000.", True),
    # Wrong or without a claim, but marked right once.
    ("20% x 50 = 1000", False),
    ("<<1/2=0.5>>1", False),
    ("<<2+2=4>>**5**", False),
    ("0.04 * 1 = 0.0", False),
    ("<<=5>>5", None),
    ("- 2 + 2 = 5", False),
    ("**2 + 2 = 5**", False),
    ("\\(2 + 2 = 5\\)", False),
    ("\\boxed{2 + 2 = 5}", False),
    ("$$12 * 5 = 61$$", False),
    ("$$12 \\times 5 = 61$$", False),
    ("12 * 5 = 61 \\boxed{61}", False),
    ("12 * 5 = 61 \\text{ pages}", False),
    ("12 * 5 = 61 - that is it", False),
    ("12 * 5 = 61 - x", None),
    ("12 * 5 == 61", False),
]


@pytest.mark.parametrize(("text", "expected"), ARITHMETIC)
def test_arithmetic_in_a_step(text: str, expected: bool | None) -> None:
    assert [verdict.correct for verdict in verify_steps(text)] == [expected]


def test_a_number_that_nothing_gave_is_unsupported() -> None:
    problem = Problem(prompt="Tom has 3 boxes with 20% of forty-five pens each.")
    verdicts = verify_steps("45 * .2 = 9\n9 * 3 = 27\n27 * 17 = 459\n459 - 27 = 432", problem=problem)
    assert [(verdict.correct, verdict.reason.value) for verdict in verdicts] == [
        (True, "passed"),
        (True, "passed"),
        (None, "unsupported"),
        (True, "passed"),
    ]
    assert verdicts[2].evidence["numbers"] == ["17"]


@given(a=st.integers(0, 999), b=st.integers(1, 999), off=st.integers(1, 9), op=st.sampled_from("+-*"))
def test_right_calculations_hold_and_wrong_ones_do_not(a: int, b: int, off: int, op: str) -> None:
    value = {"+": a + b, "-": a - b, "*": a * b}[op]
    assert [holds(claim) for claim in claims_of(f"so {a} {op} {b} = {value}.")] == [True]
    assert [holds(claim) for claim in claims_of(f"so {a} {op} {b} = {value + off} ok")] == [False]


def test_lines_of_a_program_are_run_and_compared_with_the_solution() -> None:
    (problem,) = load_problems(load_task("list_programs"), limit=1)
    solution = str(problem.solution)
    lines = solution.split("\n")

    def marks(program: str, check: str) -> list[bool | None]:
        verdicts = verify_steps(program, check=check, split="code", problem=problem)
        return [verdict.correct for verdict in verdicts]

    def with_third_line(line: str) -> str:
        return "\n".join([*lines[:2], line, *lines[3:]])

    assert marks(solution, "code_runs") == marks(solution, "code_as_solution") == [True] * 5
    assert marks(with_third_line(" a=b[:1]"), "code_runs") == [True, True, False, None, None]
    # Each line is judged by itself: after the wrong line, the others are as right as before.
    wrong = with_third_line(" a=a[:1]+[77]")
    assert marks(wrong, "code_runs") == [True] * 5
    assert marks(wrong, "code_as_solution") == [True, True, False, True, True]
    assert marks(with_third_line(" a=((("), "code_runs") == [True, True, False, None, None]


def test_lines_run_with_arguments_from_asserts_and_without_tests_nothing_is_judged() -> None:
    tests = {"type": "asserts", "asserts": ["assert add(2, 3) == 5"]}
    text = "```python\ndef add(a, b):\n    c = a + b\n    d = c / 0\n    return c\n```"
    verdicts = verify_steps(text, check="code_runs", split="code", problem=Problem(prompt="p", tests=tests))
    assert [verdict.correct for verdict in verdicts] == [True, True, False, None]
    assert "ZeroDivisionError" in verdicts[2].evidence["error"]
    unjudged = verify_steps(text, check="code_runs", split="code")
    assert {verdict.correct for verdict in unjudged} == {None}


def test_lines_are_run_in_the_sandbox(tmp_path: Path) -> None:
    """They are untrusted code, so they can neither write a file nor run for ever."""
    target = tmp_path / "written"
    tests = {"type": "calls", "entry": "f", "cases": [{"args": [1], "expected": 1}]}
    problem = Problem(prompt="p", tests=tests)

    def marks(line: str) -> list[bool | None]:
        lines = ["def f(a):", f"    {line}", "    return a"]
        (verdicts,) = judge_steps("code_runs", [problem], [lines], limits=Limits(cpu_s=0.2))
        return [verdict.correct for verdict in verdicts]

    marks(f"open({str(target)!r}, 'w').write('x')")
    assert not target.exists()
    assert marks("while True: pass") == [True, False, None]


def test_a_check_may_be_a_function_of_your_own() -> None:
    def long_enough(problem: Problem, steps: list[str]) -> list[bool | Verdict | None]:
        return [None if step == "?" else len(step) > 3 for step in steps]

    def one_mark_for_all(problem: Problem, steps: list[str]) -> list[bool | Verdict | None]:
        return [True]

    def numbers(problem: Problem, steps: list[str]) -> list[float]:
        return [0.5]

    verdicts = verify_steps("a\nlong\n?", check=long_enough)
    assert [verdict.correct for verdict in verdicts] == [False, True, None]
    assert [verdict.evidence["span"] for verdict in verdicts] == [(0, 1), (2, 6), (7, 8)]
    with pytest.raises(RewardError, match="1 marks for 2 steps"):
        verify_steps("a\nb", check=one_mark_for_all)
    with pytest.raises(RewardError, match="bool, None or Verdict"):
        verify_steps("a", check=numbers)  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="did you mean 'arithmetic'"):
        verify_steps("a", check="aritmetic")


def test_lines_of_an_addition_are_judged_by_the_lines_before_them() -> None:
    problem = Problem(prompt="347+586=")

    def marks(text: str) -> list[bool | None]:
        verdicts = verify_steps(text, check="addition_lines", problem=problem)
        return [verdict.correct for verdict in verdicts]

    right = "<think>7+6+0=13\n4+8+1=13\n3+5+1=9\n</think>\\boxed{933}"
    assert marks(right) == [True] * 4
    assert marks(right.replace("4+8+1=13", "4+8+0=12").replace("933", "923")) == [True, False, True, True]
    assert marks(right.replace("933", "934")) == [True, True, True, False]
    assert marks("7+6+0=13\n" + right) == [True, False, False, False, False]  # a line too many
    assert marks("\\boxed{933}") == [False]
