"""Programs against tests: every kind of test, what is refused, what is told, and what a mark is worth."""

import ast
import gc
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from markscheme.rewards import MarkScheme
from markscheme.rewards.check.task import check_task
from markscheme.sandbox import DataError, Limits, Sandbox, TaskError
from markscheme.sandbox.isolation.tiers import SAFE
from markscheme.tasks import Completion, Problem, Task, load_problems, load_task
from markscheme.verifiers import verify_program
from markscheme.verifiers.programs.find_code import extract_program
from markscheme.verifiers.programs.parse import parse
from markscheme.verifiers.programs.same_value import same_output, same_value
from markscheme.verifiers.programs.split_asserts import plan_asserts
from markscheme.verifiers.programs.test_schema import program_tests
from support import MakeTask
from tiers import needs_tier

SMALL = Limits(cpu_s=0.5, wall_s=2, memory_mb=300, output_mb=1)


@pytest.fixture(scope="module", params=SAFE)
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    needs_tier(request.param)
    with Sandbox(1, limits=SMALL, tier=request.param) as made:
        yield made


def asserts(*lines: str, **more: Any) -> dict[str, Any]:
    return {"type": "asserts", "asserts": list(lines), **more}


STACK = """
class EmptyError(IndexError):
    pass

class Stack:
    limit = 3
    def __init__(self, items=()): self.items = list(items)
    def push(self, x):
        if len(self.items) >= self.limit: raise OverflowError("full", self.limit)
        self.items.append(x)
        return self
    def pop(self):
        if not self.items: raise EmptyError("nothing there")
        return self.items.pop()
    def __len__(self): return len(self.items)
    def __iter__(self): return iter(self.items)
    def __contains__(self, x): return x in self.items
    def __eq__(self, o): return isinstance(o, Stack) and self.items == o.items
    def __repr__(self): return f"Stack({self.items})"
    @property
    def top(self): return self.items[-1]

def fill(stack, items):
    for i in items: stack.push(i)

def each(function, items): return [function(i) for i in items]
def double(items):
    for i, x in enumerate(items): items[i] = 2 * x
def tally(words, into):
    for w in words: into[w] = into.get(w, 0) + 1
def walk(tree): return tree.value + sum(walk(c) for c in tree.children)
def count_up(n):
    yield from range(n)
def greet(name): print("hello", name)
"""

RIGHT: list[tuple[str, str, dict[str, Any]]] = [
    ("one assert", "def f(x): return x * x", asserts("assert f(2) == 4")),
    ("wrapped", "def f(x): return [x, 1, x]", asserts("assert sorted(set(f(3))) == [1, 3]", "assert len(f(3)) == 3")),
    ("near", "def f(x): return x / 3", asserts("assert abs(f(1) - 0.333333) < 1e-4", "assert round(f(2), 2) == 0.67")),
    ("isclose", "def f(x): return x / 3", asserts("assert math.isclose(f(1), 1/3)", setup="import math")),
    ("imports of the setup", "def f(x): return math.floor(x)", asserts("assert f(2.5) == 2", setup="import math")),
    ("a built-in's name", "def sum(a, b): return a + b", asserts("assert sum(10, 15) == 25", "assert sum(1, 2) == 3")),
    ("truth", "def f(x): return x > 2", asserts("assert f(3)", "assert not f(2)", "assert f(3) is True")),
    ("counter", "import collections\ndef f(s): return collections.Counter(s)", asserts("assert f('aab') == {'a': 2, 'b': 1}")),
    ("named tuple", "import collections\nP = collections.namedtuple('P', 'x y')\ndef f(): return P(1, 2)", asserts("assert f() == (1, 2)")),
    ("iterator", "def f(n): return (i for i in range(n))", asserts("assert list(f(3)) == [0, 1, 2]")),
    ("infinite value", "def f(): return float('inf')", asserts("assert f() == float('inf')")),
    ("method", "class Solution:\n    def f(self, x): return x + 1", asserts("assert Solution().f(2) == 3")),
    ("statements", "def f(x): x.append(1)", asserts("a = [0]\nf(a)\nassert a == [0, 1]")),
    ("raises", "def f(x): raise KeyError(x)", asserts("try:\n    f(1)\n    raise AssertionError\nexcept KeyError as e:\n    assert e.args == (1,)")),
    ("types as arguments", "def f(a, t): return [x for x in a if isinstance(x, t)]", asserts("assert f([1, 'a', 2], int) == [1, 2]")),
    ("check", "def f(x): return x * x", asserts("check(f)", setup="def check(candidate):\n    assert candidate(2) == 4\n    assert candidate(3) == 9")),
    ("check with a loop", "def f(x): return x * x", asserts("check(f)", setup="def check(candidate):\n    for i in range(9):\n        assert candidate(i) == i ** 2")),
    ("calls", "def f(x, *, y=0): return x + y", {"type": "calls", "entry": "f", "cases": [{"args": [1], "kwargs": {"y": 2}, "expected": 3}]}),
    ("tuple for list", "def f(x): return (x, x)", {"type": "calls", "entry": "f", "cases": [{"args": [1], "expected": [1, 1]}]}),
    ("class entry", "class Solution:\n    def f(self, x): return x", {"type": "calls", "entry": "Solution().f", "cases": [{"args": [1], "expected": 1}]}),
    ("class entry without brackets", "class Solution:\n    def f(self, x): return x", {"type": "calls", "entry": "Solution.f", "cases": [{"args": [1], "expected": 1}]}),
    ("tolerance", "def f(): return 0.1 + 0.2", {"type": "calls", "entry": "f", "float_tolerance": 1e-9, "cases": [{"expected": 0.3}]}),
    ("stdio", "print(int(input()) * 2)", {"type": "stdio", "cases": [{"stdin": "2\n", "stdout": "4\n"}, {"stdin": "3", "stdout": "6"}]}),
    ("state between cases", "import sys\nseen = getattr(sys, 'seen', [])\nsys.seen = seen\nseen.append(1)\nprint(len(seen))", {"type": "stdio", "cases": [{"stdout": "1"}] * 3}),
    ("prelude", "def f(x): return helper(x)", {"type": "calls", "entry": "f", "prelude": "def helper(x): return 7", "cases": [{"args": [1], "expected": 7}]}),
    ("unittest of a class", STACK, {"type": "unittest", "code": """
import unittest
from stack import Stack, EmptyError
class TestStack(unittest.TestCase):
    def setUp(self): self.s = Stack()
    def test_push(self):
        self.assertEqual(len(self.s), 0)
        self.assertEqual(self.s.push(1).push(2).pop(), 2)
        self.assertEqual(list(self.s), [1])
        self.assertIn(1, self.s)
        self.assertEqual(self.s.top, 1)
    def test_errors(self):
        with self.assertRaises(EmptyError) as caught: self.s.pop()
        self.assertEqual(str(caught.exception), "nothing there")
        self.assertRaises(IndexError, self.s.pop)
        with self.assertRaisesRegex(OverflowError, "full"): fill(self.s, range(9))
    def test_equality(self):
        for items in ([], [1], [1, 2]):
            with self.subTest(items=items): self.assertEqual(Stack(items), Stack(items))
        self.assertNotEqual(Stack([1]), Stack([2]))
        self.assertEqual(repr(Stack([1])), "Stack([1])")
        self.assertIsInstance(Stack(), Stack)
        self.s.limit = 1
        with self.assertRaises(OverflowError): fill(self.s, [1, 2])
    def test_handles(self):
        fill(self.s, [5]); self.assertEqual(self.s.items, [5])
"""}),
    ("pytest", STACK, {"type": "pytest", "code": """
import pytest
import solution
@pytest.fixture
def stack(): return solution.Stack([1, 2])
class Node:
    def __init__(self, value, children=()): self.value, self.children = value, list(children)
@pytest.mark.parametrize("n", [0, 1, 3])
def test_iterator(n): assert list(count_up(n)) == list(range(n))
def test_next(): assert next(count_up(1)) == 0
def test_fixture(stack): assert stack.pop() == 2 and len(stack) == 1
def test_raises():
    with pytest.raises(solution.EmptyError, match="nothing"): solution.Stack().pop()
def test_output(capsys):
    greet("you")
    assert capsys.readouterr().out == "hello you\\n"
def test_callback():
    seen = []
    assert each(lambda x: seen.append(x) or -x, [1, 2]) == [-1, -2] and seen == [1, 2]
    with pytest.raises(ZeroDivisionError): each(lambda x: 1 / 0, [1])
def test_in_place():
    numbers, counts = [1, 2], {"a": 1}
    double(numbers); tally(["a", "b"], counts)
    assert numbers == [2, 4] and counts == {"a": 2, "b": 1}
def test_objects_of_the_tests(): assert walk(Node(1, [Node(2), Node(3, [Node(4)])])) == 10
def test_near(): assert 0.1 + 0.2 == pytest.approx(0.3)
def test_files(tmp_path):
    (tmp_path / "a").write_text("x")
    assert (tmp_path / "a").read_text() == "x"
@pytest.mark.skip
def test_skipped(): assert False
"""}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "code", "tests"), RIGHT, ids=[name for name, _, _ in RIGHT])
def test_right_programs_pass(sandbox: Sandbox, name: str, code: str, tests: dict[str, Any]) -> None:
    verdict = verify_program(code, tests, sandbox=sandbox)
    assert (verdict.correct, verdict.share, verdict.evidence.get("first_failed")) == (True, 1.0, None)
    assert verdict.evidence["tier"] == sandbox.tier
    early = verify_program(code, tests, sandbox=sandbox, stop_early=True)
    assert early.correct is True


WRONG: list[tuple[str, str, dict[str, Any], str, float]] = [
    ("one of three", "def f(x): return 4", asserts(*(f"assert f({n}) == {n * n}" for n in (2, 3, 5))), "failed", 1 / 3),
    ("raises", "def f(x): return [][x]", asserts("assert f(2) == 4"), "error", 0),
    ("no such function", "def g(x): return 4", asserts("assert f(2) == 4"), "error", 0),
    ("no program", "def f(x) return 4", asserts("assert f(2) == 4"), "compile_error", 0),
    ("does not define", "import nothing_of_that_name", asserts("assert f(2) == 4"), "error", 0),
    ("hangs on one", "def f(x):\n    while x == 3: pass\n    return x * x", asserts(*(f"assert f({n}) == {n * n}" for n in (2, 3, 5))), "timeout", 2 / 3),
    ("hangs", "def f(x):\n    while True: pass", asserts("assert f(2) == 4", "assert f(3) == 9"), "timeout", 0),
    ("memory", "def f(x): return ' ' * 10**10", asserts("assert f(2) == 4"), "memory", 0),
    ("crashes", "import os\ndef f(x): os.abort()", asserts("assert f(2) == 4"), "killed", 0),
    ("a bool for a number", "def f(x): return True", {"type": "calls", "entry": "f", "cases": [{"args": [1], "expected": 1}]}, "failed", 0),
    ("a number for a bool", "def f(x): return 1", {"type": "calls", "entry": "f", "cases": [{"args": [1], "expected": True}]}, "failed", 0),
    ("exact types", "def f(): return (1, 2)", {"type": "calls", "entry": "f", "exact_types": True, "cases": [{"expected": [1, 2]}]}, "failed", 0),
    ("only the first line", "print(1)", {"type": "stdio", "cases": [{"stdout": "1\n2\n"}]}, "failed", 0),
    ("one line too many", "print(1)\nprint(2)", {"type": "stdio", "cases": [{"stdout": "1\n"}]}, "failed", 0),
    ("right, then fails", "print(1)\n1 / 0", {"type": "stdio", "cases": [{"stdout": "1\n"}]}, "error", 0),
    ("right, then floods", "print(1)\nwhile True: print(1)", {"type": "stdio", "cases": [{"stdout": "1\n"}]}, "output_limit", 0),
    ("leaves in the middle", "import os\ndef f(x):\n    if x == 3: os._exit(0)\n    return x * x", asserts(*(f"assert f({n}) == {n * n}" for n in (2, 3, 5))), "error", 2 / 3),
    ("unittest", "def f(x): return x + 2", {"type": "unittest", "code": "import unittest\nclass T(unittest.TestCase):\n    def test_a(self): self.assertEqual(f(2), 4)\n    def test_b(self): self.assertEqual(f(3), 9)"}, "failed", 0.5),
    ("unittest that ends", "import os\ndef f(x): os._exit(0)", {"type": "unittest", "code": "import unittest\nclass T(unittest.TestCase):\n    def test_a(self): self.assertEqual(1, 1)\n    def test_b(self): self.assertEqual(f(3), 9)"}, "error", 0.5),
    ("pytest that hangs", "def f(x):\n    while True: pass", {"type": "pytest", "code": "def test_a(): assert True\ndef test_b(): assert f(1) == 1"}, "timeout", 0.5),
    ("end that is hidden", "import os\ndef f(x): os._exit(0)", {"type": "pytest", "code": "def test_a():\n    try: f(1)\n    except BaseException: pass"}, "error", 0),
    ("only skipped", "def f(x): return x", {"type": "pytest", "code": "import pytest\n@pytest.mark.skip\ndef test_a(): pass"}, "error", 0),
    ("import that fails", "def f(x): return x", {"type": "pytest", "code": "from solution import missing\ndef test_a(): assert True"}, "failed", 0),
]  # fmt: skip


@pytest.mark.parametrize(("name", "code", "tests", "reason", "share"), WRONG, ids=[row[0] for row in WRONG])
def test_wrong_programs_fail_for_a_reason(
    sandbox: Sandbox, name: str, code: str, tests: dict[str, Any], reason: str, share: float
) -> None:
    verdict = verify_program(code, tests, sandbox=sandbox)
    assert (verdict.correct, verdict.reason, verdict.share) == (False, reason, pytest.approx(share))
    assert verdict.evidence["cases"].count(True) == round(share * len(verdict.evidence["cases"]))
    assert verdict.evidence["first_failed"]["said"]
    early = verify_program(code, tests, sandbox=sandbox, stop_early=True)
    assert early.correct is False


@pytest.mark.parametrize(
    ("tests", "said"),
    [
        (None, "expected a mapping with `type`"),
        ({}, "asserts, calls, stdio, unittest, pytest, apps, livecodebench"),
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
    ],
)  # fmt: skip
def test_tests_that_are_none_are_an_error_and_no_pass(tests: Any, said: str) -> None:
    with pytest.raises(TaskError, match=said):
        verify_program("def f(x): return x", tests)


def test_packed_tests_that_name_code_are_refused() -> None:
    import base64
    import pickle
    import zlib

    packed = base64.b64encode(zlib.compress(pickle.dumps(print))).decode()
    with pytest.raises(TaskError, match="name builtins.print"):
        program_tests({"type": "livecodebench", "public_test_cases": [], "private_test_cases": packed})


@pytest.mark.parametrize("code", [None, b"x", 3])
def test_code_that_is_no_text_is_an_error(code: Any) -> None:
    with pytest.raises(DataError, match="code must be text"):
        verify_program(code, asserts("assert f(1) == 1"))


def test_shared_integrity_is_named_and_can_be_forged() -> None:
    evil = "class Y:\n    __eq__ = lambda s, o: True\n    __ne__ = lambda s, o: False\ndef f(x): return Y()"
    tests = asserts("assert f(2) == 4")
    assert verify_program(evil, tests).correct is False
    shared = verify_program(evil, tests, integrity="shared")
    assert (shared.correct, shared.evidence["integrity"]) == (True, "shared")


def test_stopping_early_leaves_the_rest_unjudged() -> None:
    verdict = verify_program(
        "def f(x): return 0", asserts(*(f"assert f({n}) == {n}" for n in range(4))), stop_early=True
    )
    assert verdict.evidence["cases"] == [True, False, None, None] or verdict.evidence["cases"][1] is False
    assert verdict.share is None


SPLIT: list[tuple[str, str, list[str], str]] = [
    # assert, setup, the calls that go out, what a single answer is compared with
    ("assert f(2) == 4", "", ["f"], "4"),
    ("assert 4 == f(2)", "", ["f"], "4"),
    ("assert f(1, b=2) == (1, 2)", "", ["f"], "(1, 2)"),
    ("assert f([1] * 3) == []", "", ["f"], "[]"),
    ("assert abs(f(2) - 3.5) < 1e-6", "", ["f"], ""),
    ("assert f(1) == f(2)", "", ["f", "f"], ""),
    ("assert f('a').lower() == 'a'", "", ["f"], ""),
    ("assert f(2)[0] == 1 and f(3)", "", ["f", "f"], ""),
    ("assert f(float('inf')) != -1", "", ["f"], ""),
    ("assert Solution().f(1) == 2", "", ["Solution().f"], "2"),
    ("assert f(2)", "", ["f"], "True"),
    ("assert math.isclose(f(2), math.pi)", "", ["f"], ""),
    ("assert Counter(f(2)) == Counter([1])", "from collections import Counter", ["f"], ""),
]
UNSPLIT = [
    ("assert f(g(2)) == 4", ""),  # the program's value would go through us
    ("assert f(Node(1)) == 4", ""),
    ("assert close(f(2), 4)", "def close(a, b): return abs(a - b) < 1"),
    ("assert f(x) == 4", "x = 3"),
    ("x = f(2)\nassert x == 4", ""),
    ("assert all(v > 0 for v in f(2))", ""),
    ("assert f(2).value == 4", ""),
    ("assert f(*[1]) == 4", ""),
    ("assert open('x').read() == f(2)", ""),
    ("assert __import__('os').system('x') == f(2)", ""),
    ("assert f(2) == (lambda: 4)()", ""),
    ("for i in range(3): assert f(i) == i", ""),
]


@pytest.mark.parametrize(("line", "setup", "calls", "expected"), SPLIT)
def test_asserts_are_split_by_their_tree(line: str, setup: str, calls: list[str], expected: str) -> None:
    (split,) = plan_asserts((line,), setup).splits
    assert split is not None
    assert [entry for entry, _ in split.calls] == calls
    assert split.expected == expected
    for _, arguments in split.calls:
        assert b"3.5" not in arguments


@pytest.mark.parametrize(("line", "setup"), UNSPLIT)
def test_what_cannot_be_split_is_left_to_another_process(line: str, setup: str) -> None:
    assert plan_asserts((line,), setup).splits == (None,)


@pytest.mark.parametrize(
    ("line", "answers", "holds"),
    [
        ("assert f(2) == 4", [4], True),
        ("assert f(2) == 4", [4.0], True),  # as Python says
        ("assert f(2) == 4", [5], False),
        ("assert f(2) == 4", ["4"], False),
        ("assert f(2) < 4", ["a"], False),  # raises
        ("assert 10 ** f(2) > 0", [10**9], False),  # too large
        ("assert f(2) * 10**9 == 0", ["a" * 1000], False),
        ("assert f(2)[5] == 0", [[]], False),
        ("assert not f(2)", [[]], True),
        ("assert 1 < f(2) < 3", [2], True),
    ],
)
def test_what_stays_here_is_bounded_and_never_raises(line: str, answers: list[Any], holds: bool) -> None:
    (split,) = plan_asserts((line,), "").splits
    assert split is not None
    assert split.holds(answers) is holds


OUTPUTS = [
    # expected, given, whitespace, tolerance, same
    ("1\n", "1", "lines", 0, True),
    ("1\n2\n", "1\n2\n\n\n", "lines", 0, True),
    ("1 2\n", "1 2   \n", "lines", 0, True),
    ("1\r\n2", "1\n2\n", "lines", 0, True),
    ("1 2\n", "1  2\n", "lines", 0, False),
    ("1 2\n", "1  2\n", "tokens", 0, True),
    ("1 2\n", "1\n2\n", "tokens", 0, False),
    ("1\n2\n", "1\n", "lines", 0, False),
    ("1\n", "1\n2\n", "lines", 0, False),
    ("1\n\n2\n", "1\n2\n", "tokens", 0, False),
    ("1", "1\n", "exact", 0, False),
    ("", "", "lines", 0, True),
    ("", "\n", "lines", 0, True),
    ("0.5", "0.50000000001", "lines", 1e-6, True),
    ("0.5", "0.51", "lines", 1e-6, False),
    ("0.5", "nan", "lines", 1e-6, False),
    ("5", "5.0000000001", "lines", 1e-6, False),  # a whole number is exact
    ("5", "6", "lines", 0.5, False),
    ("a 0.5", "a  0.5", "lines", 1e-6, False),
    ("YES", "Yes", "tokens", 0, False),
]


@pytest.mark.parametrize(("expected", "given", "whitespace", "tolerance", "same"), OUTPUTS)
def test_outputs_are_compared_as_declared(
    expected: str, given: str, whitespace: str, tolerance: float, same: bool
) -> None:
    assert same_output(expected, given, whitespace=whitespace, float_tolerance=tolerance) is same


VALUES = [
    (1, 1, True), (1, 1.0, True), (1, True, False), (True, 1, False), (None, 0, False), (0, None, False),
    ([1, [2]], (1, (2,)), True), ([1], [1, 2], False), ("1", 1, False), ({"a": 1}, {"a": 1.0}, True),
    ({"a": 1}, {"a": True}, False), ({1, 2}, {2, 1}, True), ({1}, frozenset({1}), True), ([1], {1}, False),
    (float("nan"), float("nan"), True), (b"a", "a", False), ("ab", ["a", "b"], False), (10**400, 1e300, False),
]  # fmt: skip


@pytest.mark.parametrize(("expected", "given", "same"), VALUES)
def test_values_are_compared_by_what_they_are(expected: Any, given: Any, same: bool) -> None:
    assert same_value(expected, given) is same
    assert same_value(expected, given, exact_types=True) is (
        same and type(expected) is type(given) and expected != {"a": 1} and expected != [1, [2]]
    )


PROGRAMS = [
    ("```python\nx = 1\n```", "x = 1\n"),
    ("a\n```py\nold\n```\nb\n```python\nnew\n```\nc", "new\n"),
    ("```\nx\n```", "x\n"),
    ("```python\nx\n```\nIt prints\n```\n5\n```", "x\n"),
    ("```python\nx\n```\n```text\n5\n```", "x\n"),
    ("<code>x = 1</code>", "x = 1"),
    ("<code>old</code> no, <code>new</code>", "new"),
    ("<think>```python\nold\n```</think>```python\nnew\n```", "new\n"),
    ("<think>```python\nold\n```</think>nothing", "nothing"),
    ("x = 1", "x = 1"),
    ("````python\ns = '```'\n````", "s = '```'\n"),
    ("~~~python\nx\n~~~", "x\n"),
    ("1. So:\n   ```python\n   if x:\n       y\n   ```", "if x:\n    y\n"),
    ("```python\nx = 1", "x = 1"),
    ("```bash\npip install x\n```\n```python\ny\n```", "y\n"),
    ("```python\ny\n```\n```bash\npython y.py\n```", "y\n"),
    ("", None),
    ("   \n", None),
    ("<think>```python\nx\n```", None),
    ("```python\n```", None),
]


@pytest.mark.parametrize(("text", "code"), PROGRAMS)
def test_the_program_is_found(text: str, code: str | None) -> None:
    found = extract_program(text)
    if code is None:
        assert found.reason in ("no_answer", "empty")
    else:
        assert (found.text, found.reason) == (code, None)


CODE_TASK = """
rewards:
  correct: {{use: unit_tests{more}}}
problem: {{tests: "{{{{ tests }}}}", prompt: q}}
limits: {{cpu_s: 0.3, memory_mb: 200}}
"""


def code_task(make_task: MakeTask, tests: Any, more: str = "") -> tuple[Task, Problem]:
    task = make_task(CODE_TASK.format(more=more), rows=json.dumps({"tests": tests}) + "\n")
    (problem,) = load_problems(task)
    return task, problem


def test_unit_tests_as_a_reward(make_task: MakeTask) -> None:
    task, problem = code_task(make_task, asserts("assert f(2) == 4", "assert f(3) == 9"))
    scheme = MarkScheme(task)
    texts = {
        "```python\ndef f(x): return x * x\n```": (1.0, "ok", "passed"),
        "```python\ndef f(x): return 4\n```": (0.0, "ok", "failed"),
        "```python\ndef f(x):\n    while True: pass\n```": (0.0, "timeout", "timeout"),
        "```python\ndef f(x): return ' ' * 10**10\n```": (0.0, "memory", "memory"),
        "```python\ndef f(x:\n```": (0.0, "unparsable", "compile_error"),
        "": (0.0, "no_answer", "no_answer"),
    }
    scores = scheme.score([problem] * len(texts), [Completion(text) for text in texts])
    for score, (value, status, reason) in zip(scores, texts.values(), strict=True):
        part = score.parts["correct"]
        assert (part.value, part.status, part.reason) == (value, status, reason)
        assert scheme.is_right(score) is (value == 1.0)
    verdict = scores[1].parts["correct"].verdict
    assert verdict is not None
    assert verdict.evidence["cases"] == [True, False]


def test_a_share_and_subsets_earn_partial_marks(make_task: MakeTask) -> None:
    tests = asserts(
        *(f"assert f({n}) == {n * n}" for n in range(4)), subsets={"small": [0, 1], "large": [2, 3]}
    )
    half = Completion("```python\ndef f(x): return x\n```")
    for more, value in (("", 0.0), (", score: share", 0.5), (", score: {small: 1, large: 3}", 0.25)):
        task, problem = code_task(make_task, tests, more)
        scheme = MarkScheme(task)
        (score,) = scheme.score([problem], [half])
        assert (score.value, score.status, scheme.is_right(score)) == (value, "ok", False)
    task, problem = code_task(make_task, tests, ", score: {huge: 1}")
    (score,) = MarkScheme(task).score([problem], [half])
    assert score.parts["correct"].status == "bug"
    assert "no subset 'huge'" in score.parts["correct"].reason
    with pytest.raises(TaskError, match="weights of 0 or more"):
        MarkScheme(make_task(CODE_TASK.format(more=", score: {small: -1}")))


def test_tests_are_checked_when_a_task_is_loaded(make_task: MakeTask) -> None:
    task, problem = code_task(make_task, {"type": "asserts", "asserts": []})
    with pytest.raises(DataError, match="1 test.s. cannot be judged by:.*\n.*there are no tests"):
        MarkScheme(task).check_references([problem])
    with pytest.raises(TaskError, match="did you mean 'cpu_s'"):
        make_task("limits: {cpu: 3}\nrewards: {a: {use: unit_tests}}")
    with pytest.raises(TaskError, match="cpu_s must be"):
        make_task("limits: {cpu_s: -3}\nrewards: {a: {use: unit_tests}}")


def test_check_tells_solutions_that_fail_hang_or_need_one_process_and_constants(make_task: MakeTask) -> None:
    inner = asserts("assert f.__code__.co_argcount == 1 and f(2) == 4")
    rows = [
        {"code": "def f(x): return x * x", "tests": asserts("assert f(2) == 4", "assert f(3) == 9")},
        {"code": "def f(x): return x + 1", "tests": asserts("assert f(2) == 4")},
        {"code": "def f(x):\n    while True: pass", "tests": asserts("assert f(2) == 4", "assert f(3) == 9")},
        {"code": "def f(x): raise OSError", "tests": asserts("assert f(2) == 4", "assert f(3) == 9")},
        {"code": "def f(x): return x * x", "tests": inner},
    ]
    text = (
        "rewards: {correct: {use: unit_tests}}\nlimits: {cpu_s: 0.3}\n"
        "problem: {tests: '{{ tests }}', prompt: 'problem {{ i }}', solution: '{{ code }}', id: '{{ i }}'}\n"
    )
    lines = "".join(json.dumps({**row, "i": i}) + "\n" for i, row in enumerate(rows))
    found = {finding.name: finding for finding in check_task(make_task(text, rows=lines))}
    assert found["solutions"].good is False
    assert found["solutions"].said.startswith("1 of 5")
    told = "\n".join(found["solutions"].details)
    for part in (
        "problem 1: correct: failed (case 1: gave 3)",
        "problem 2: correct: timeout",
        "problem 3",
        "OSError",
    ):
        assert part in told
    assert found["oracle"].details == [
        "problem 4: its solution passes only with the tests in its own process"
    ]
    assert found["constants"].details == ["problem 1: a program that always gives 4 passes its tests"]


@pytest.fixture(scope="session")
def mbpp(shared_data: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (shared_data / "mbpp.jsonl").read_text().splitlines()]


def test_every_mbpp_solution_passes_its_own_tests(mbpp: list[dict[str, Any]], shared_data: Path) -> None:
    task = load_task("mbpp", overrides=[f"data.path={shared_data}/mbpp.jsonl", "data.name=null"])
    problems = load_problems(task)
    scheme = MarkScheme(task)
    scores = scheme.score(problems, [Completion(str(problem.solution)) for problem in problems])
    assert len(scores) == 974
    assert [p.id for p, s in zip(problems, scores, strict=True) if scheme.is_right(s) is not True] == []


def test_tests_are_parsed_right_while_other_threads_parse() -> None:
    """CPython up to 3.11.7 mixes the trees of two threads up where the collector switches between them."""

    def switch(*_: object) -> None:
        time.sleep(1e-4)

    def plans(thread: int) -> int:
        return sum(
            len(plan_asserts((f"assert f([{thread}, {i}]) == {{'a': [{i}, (1, 2)]}}",), "").splits)
            for i in range(150)
        )

    threshold = gc.get_threshold()
    gc.callbacks.append(switch)
    gc.set_threshold(20)
    try:
        with ThreadPoolExecutor(4) as threads:
            assert list(threads.map(plans, range(4))) == [150] * 4
    finally:
        gc.callbacks.remove(switch)
        gc.set_threshold(*threshold)


class Mutator(ast.NodeTransformer):
    """Puts one mistake in: the n-th literal, comparison or return that it meets."""

    def __init__(self, kind: str, place: int):
        self.kind, self.place, self.met = kind, place, 0

    def hit(self, kind: str) -> bool:
        if kind != self.kind:
            return False
        self.met += 1
        return self.met - 1 == self.place

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, int | float) and not isinstance(node.value, bool) and self.hit("literal"):
            return ast.Constant(node.value + 1)
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        swapped = {
            ast.Lt: ast.GtE,
            ast.GtE: ast.Lt,
            ast.Gt: ast.LtE,
            ast.LtE: ast.Gt,
            ast.Eq: ast.NotEq,
            ast.NotEq: ast.Eq,
        }
        if type(node.ops[0]) in swapped and self.hit("comparison"):
            return ast.Compare(node.left, [swapped[type(node.ops[0])](), *node.ops[1:]], node.comparators)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        if self.hit("return"):
            node.body.insert(0, parse("return None").body[0])
        return node


def mutants(code: str) -> Iterator[str]:
    for kind, most in (("literal", 2), ("comparison", 2), ("return", 1)):
        for place in range(most):
            mutator = Mutator(kind, place)
            tree = mutator.visit(parse(code))
            if mutator.met > place:
                yield ast.unparse(ast.fix_missing_locations(tree))


def judged_by_python(sandbox: Sandbox, code: str, row: dict[str, Any]) -> bool:
    """Run a program (no hostile one) and its asserts as one script, as Python means them.

    The end must be reached: one mutant leaves by exit() instead, and its status is 0.
    """
    script = "\n".join([code, row["test_setup_code"], *row["test_list"], "print('reached')"])
    ran = sandbox.run(script, limits=Limits(cpu_s=1, memory_mb=500))
    return ran.verdict == "ok" and ran.stdout.endswith("reached\n")


@pytest.mark.slow
@pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::SyntaxWarning"
)  # of the data's own escapes
def test_no_mutant_of_mbpp_passes_but_those_that_its_tests_cannot_tell(mbpp: list[dict[str, Any]]) -> None:
    limits = Limits(cpu_s=1, memory_mb=500)
    counts = {"mutants": 0, "pass": 0}
    with Sandbox(limits=limits) as sandbox:

        def look(row: dict[str, Any]) -> list[str]:
            differ = []
            tests = asserts(*row["test_list"], setup=row["test_setup_code"])
            for mutant in mutants(row["code"].replace("\r\n", "\n")):
                counts["mutants"] += 1
                ours = verify_program(mutant, tests, sandbox=sandbox, stop_early=True).correct
                counts["pass"] += ours is True
                if ours is not judged_by_python(sandbox, mutant, row):
                    differ.append(f"{row['task_id']}: ours {ours}\n{mutant}")
            return differ

        differ = [text for found in sandbox.map(look, mbpp) for text in found]
    print(counts)
    assert counts["mutants"] > 2500
    assert differ == []
