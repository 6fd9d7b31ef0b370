"""Tests whose outputs a checker of the task judges."""

from typing import Any

import pytest

from markscheme.sandbox import Limits, TaskError
from markscheme.verifiers import verify_program

SUM = "def check(input, expected, output):\n    a, b = map(int, output.split())\n    return a + b == int(input)\n"
TWO_NUMBERS = {"type": "checked", "cases": [{"stdin": "7\n"}, {"stdin": "10\n"}], "checker": SUM}
PERMUTATION = {
    "type": "checked",
    "entry": "f",
    "cases": [{"args": [[3, 1]], "expected": 2}, {"args": [[1, 2]], "kwargs": {"k": 1}, "expected": 2}],
    "checker": "def check(input, expected, output):\n    return sorted(output) == sorted(input[0]) and len(output) == expected\n",
}


@pytest.mark.parametrize(
    ("code", "tests", "cases"),
    [
        ("n = int(input())\nprint(1, n - 1)", TWO_NUMBERS, [True, True]),
        ("n = int(input())\nprint(n // 2, n // 2)", TWO_NUMBERS, [False, True]),
        ("print('seven')", TWO_NUMBERS, [False, False]),  # the checker raises
        ("def f(xs, k=0): return xs[::-1]", PERMUTATION, [True, True]),
        ("def f(xs, k=0): return [xs[0]] * 2", PERMUTATION, [False, False]),
        ("def f(xs, k=0): return 1 / k", PERMUTATION, [False, False]),
    ],
)
def test_the_checker_decides(code: str, tests: Any, cases: list[bool]) -> None:
    assert verify_program(code, tests).evidence["cases"] == cases


@pytest.mark.parametrize("result", ["NotImplemented", "None", "'yes'", "[1]"])
def test_a_checker_that_returns_no_bool_is_wrong_and_says_so(result: str) -> None:
    tests = {**TWO_NUMBERS, "checker": f"def check(input, expected, output): return {result}"}
    verdict = verify_program("print(1)", tests)
    assert verdict.correct is False


def test_a_program_cannot_reach_its_checker() -> None:
    code = (
        "import gc, sys\nfor frame in sys._current_frames().values():\n    while frame:\n"
        "        assert 'check' not in frame.f_locals and 'checker' not in str(frame.f_locals.get('job'))\n"
        "        frame = frame.f_back\nimport builtins\nbuiltins.sum = builtins.int = lambda *a: 7\nprint(1, 2)\n"
    )
    assert verify_program(code, TWO_NUMBERS).correct is False


def test_a_checker_that_never_ends_is_stopped() -> None:
    tests = {**TWO_NUMBERS, "checker": "def check(input, expected, output):\n    while output: pass\n"}
    verdict = verify_program("print(1)", tests, limits=Limits(cpu_s=0.2))
    assert (verdict.correct, str(verdict.reason)) == (False, "timeout")


@pytest.mark.parametrize(
    ("tests", "message"),
    [
        ({**TWO_NUMBERS, "checker": "def judge(a, b, c): return True"}, "must define a function check"),
        ({**TWO_NUMBERS, "checker": "def check("}, "not Python"),
        ({**TWO_NUMBERS, "cases": []}, "no tests"),
        ({**TWO_NUMBERS, "entry": "f"}, "cases have"),
    ],
)
def test_tests_that_cannot_be_used_are_an_error(tests: Any, message: str) -> None:
    with pytest.raises(TaskError, match=message):
        verify_program("pass", tests)
