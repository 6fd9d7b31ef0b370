"""Tests of programs that cannot be used: each is an error of the task, and never a pass."""

import base64
import pickle
import zlib
from typing import Any

import pytest

from markscheme.sandbox import TaskError
from markscheme.verifiers import verify_program
from support import asserts

UNUSABLE: list[tuple[Any, str]] = [
    # tests, part of the message
    (None, "expected a mapping with `type`"),
    ({}, "asserts, calls, stdio, checked, unittest, pytest, apps, taco, livecodebench"),
    ("assert f(1)", "expected a mapping"),
    ({"type": "guess"}, "guess"),
    (asserts(), "there are no tests"),
    (asserts("assert f("), "assert 1 is not Python"),
    (asserts(""), "assert 1 is empty"),
    (asserts("assert f(1) == 1", setup="def"), "setup is not Python"),
    (asserts("assert f(1) == 1", extra=1), "extra"),
    ({"type": "calls", "entry": "f", "cases": []}, "there are no tests"),
    ({"type": "calls", "entry": "f; import os", "cases": [{"expected": 1}]}, "entry"),
    ({"type": "calls", "entry": "f", "cases": [{"args": [1]}]}, "expected"),
    ({"type": "stdio", "cases": []}, "there are no tests"),
    ({"type": "stdio", "cases": [{"stdout": 4}]}, "stdout"),
    ({"type": "stdio", "cases": [{"stdout": "4"}], "whitespace": "some"}, "whitespace"),
    ({"type": "unittest", "code": "x = 1"}, "there are no tests"),
    ({"type": "pytest", "code": "def test_a("}, "not Python"),
    ({"type": "stdio", "cases": [{"stdout": "4"}], "subsets": {"a": [1]}}, "subset 'a' must list at least one case, each numbered from 0 to 0"),
    ({"type": "apps", "input_output": "{"}, "not in the shape of apps"),
    ({"type": "apps", "input_output": '{"inputs": ["1"], "outputs": []}'}, "1 inputs and 0 outputs"),
    ({"type": "apps", "input_output": '{"inputs": [], "outputs": []}'}, "there are no tests"),
    ({"type": "livecodebench", "public_test_cases": "[]", "private_test_cases": "!"}, "not in the shape"),
]  # fmt: skip


@pytest.mark.parametrize(("tests", "message"), UNUSABLE)
def test_tests_that_cannot_be_used_are_an_error_and_not_a_pass(tests: Any, message: str) -> None:
    with pytest.raises(TaskError, match=message):
        verify_program("def f(x): return x", tests)


def test_packed_tests_that_name_code_are_refused() -> None:
    """LiveCodeBench packs its private tests with pickle, which can name functions to call."""
    packed = base64.b64encode(zlib.compress(pickle.dumps(print))).decode()
    tests = {"type": "livecodebench", "public_test_cases": [], "private_test_cases": packed}
    with pytest.raises(TaskError, match="name builtins.print"):
        verify_program("def f(x): return x", tests)
