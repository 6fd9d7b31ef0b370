"""Programs judged by their tests: right ones pass, wrong ones fail for the right reason, with any kind of tests."""

from collections.abc import Iterator
from typing import Any

import pytest

from markscheme.sandbox import DataError, Limits, Sandbox
from markscheme.sandbox.isolation.tiers import SAFE
from markscheme.verifiers import verify_program
from support import asserts
from tiers import needs_tier

LIMITS = Limits(cpu_s=0.5, wall_s=2, memory_mb=300, output_mb=1)
"""Small ones, because several programs below use up all that they are given."""


@pytest.fixture(scope="module", params=SAFE)
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A sandbox of each tier of isolation that is safe for untrusted programs."""
    needs_tier(request.param)
    with Sandbox(1, limits=LIMITS, tier=request.param) as sandbox:
        yield sandbox


# A program with a class and functions, and a test module for each framework that uses all of them. The tests
# run in another process than the program, so every line below crosses between the two.
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
STACK_UNITTEST = """
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
"""
STACK_PYTEST = """
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
"""

RIGHT: list[tuple[str, str, dict[str, Any]]] = [
    # name, program, tests
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
    ("unittest of a class", STACK, {"type": "unittest", "code": STACK_UNITTEST}),
    ("pytest", STACK, {"type": "pytest", "code": STACK_PYTEST}),
]  # fmt: skip


@pytest.mark.parametrize(("code", "tests"), [row[1:] for row in RIGHT], ids=[row[0] for row in RIGHT])
def test_right_programs_pass(sandbox: Sandbox, code: str, tests: dict[str, Any]) -> None:
    verdict = verify_program(code, tests, sandbox=sandbox)
    assert (verdict.correct, verdict.share, verdict.evidence.get("first_failed")) == (True, 1.0, None)
    assert verdict.evidence["tier"] == sandbox.tier
    assert verify_program(code, tests, sandbox=sandbox, stop_early=True).correct is True


SQUARES_OF_2_3_5 = asserts("assert f(2) == 4", "assert f(3) == 9", "assert f(5) == 25")
WRONG: list[tuple[str, str, dict[str, Any], str, float]] = [
    # name, program, tests, reason of the verdict, share of the tests that pass
    ("one of three", "def f(x): return 4", SQUARES_OF_2_3_5, "failed", 1 / 3),
    ("raises", "def f(x): return [][x]", asserts("assert f(2) == 4"), "error", 0),
    ("no such function", "def g(x): return 4", asserts("assert f(2) == 4"), "error", 0),
    ("no program", "def f(x) return 4", asserts("assert f(2) == 4"), "compile_error", 0),
    ("does not define", "import nothing_of_that_name", asserts("assert f(2) == 4"), "error", 0),
    ("hangs on one", "def f(x):\n    while x == 3: pass\n    return x * x", SQUARES_OF_2_3_5, "timeout", 2 / 3),
    ("hangs", "def f(x):\n    while True: pass", asserts("assert f(2) == 4", "assert f(3) == 9"), "timeout", 0),
    ("memory", "def f(x): return ' ' * 10**10", asserts("assert f(2) == 4"), "memory", 0),
    ("crashes", "import os\ndef f(x): os.abort()", asserts("assert f(2) == 4"), "killed", 0),
    ("a bool for a number", "def f(x): return True", {"type": "calls", "entry": "f", "cases": [{"args": [1], "expected": 1}]}, "failed", 0),
    ("a number for a bool", "def f(x): return 1", {"type": "calls", "entry": "f", "cases": [{"args": [1], "expected": True}]}, "failed", 0),
    ("exact types", "def f(): return (1, 2)", {"type": "calls", "entry": "f", "exact_types": True, "cases": [{"expected": [1, 2]}]}, "failed", 0),
    ("only the first line", "print(1)", {"type": "stdio", "cases": [{"stdout": "1\n2\n"}]}, "failed", 0),
    ("one line too many", "print(1)\nprint(2)", {"type": "stdio", "cases": [{"stdout": "1\n"}]}, "failed", 0),
    ("right, then fails", "print(1)\n1 / 0", {"type": "stdio", "cases": [{"stdout": "1\n"}]}, "error", 0),
    ("right, then floods", "print(1)\nwhile True: print('1' * 10_000)", {"type": "stdio", "cases": [{"stdout": "1\n"}]}, "output_limit", 0),
    ("leaves in the middle", "import os\ndef f(x):\n    if x == 3: os._exit(0)\n    return x * x", SQUARES_OF_2_3_5, "error", 2 / 3),
    ("unittest", "def f(x): return x + 2", {"type": "unittest", "code": "import unittest\nclass T(unittest.TestCase):\n    def test_a(self): self.assertEqual(f(2), 4)\n    def test_b(self): self.assertEqual(f(3), 9)"}, "failed", 0.5),
    ("unittest that ends", "import os\ndef f(x): os._exit(0)", {"type": "unittest", "code": "import unittest\nclass T(unittest.TestCase):\n    def test_a(self): self.assertEqual(1, 1)\n    def test_b(self): self.assertEqual(f(3), 9)"}, "error", 0.5),
    ("pytest that hangs", "def f(x):\n    while True: pass", {"type": "pytest", "code": "def test_a(): assert True\ndef test_b(): assert f(1) == 1"}, "timeout", 0.5),
    ("end that is hidden", "import os\ndef f(x): os._exit(0)", {"type": "pytest", "code": "def test_a():\n    try: f(1)\n    except BaseException: pass"}, "error", 0),
    ("only skipped", "def f(x): return x", {"type": "pytest", "code": "import pytest\n@pytest.mark.skip\ndef test_a(): pass"}, "error", 0),
    ("import that fails", "def f(x): return x", {"type": "pytest", "code": "from solution import missing\ndef test_a(): assert True"}, "failed", 0),
]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "tests", "reason", "share"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG]
)
def test_wrong_programs_fail_for_a_reason(
    sandbox: Sandbox, code: str, tests: dict[str, Any], reason: str, share: float
) -> None:
    verdict = verify_program(code, tests, sandbox=sandbox)
    assert (verdict.correct, verdict.reason, verdict.share) == (False, reason, pytest.approx(share))
    assert verdict.evidence["cases"].count(True) == round(share * len(verdict.evidence["cases"]))
    assert verdict.evidence["first_failed"]["said"]
    assert verify_program(code, tests, sandbox=sandbox, stop_early=True).correct is False


@pytest.mark.parametrize("code", [None, b"x", 3])
def test_code_that_is_not_text_is_an_error(code: Any) -> None:
    with pytest.raises(DataError, match="code must be text"):
        verify_program(code, asserts("assert f(1) == 1"))


def test_marks_can_be_forged_only_with_shared_integrity_and_the_verdict_says_so() -> None:
    equal_to_all = (
        "class Y:\n    __eq__ = lambda s, o: True\n    __ne__ = lambda s, o: False\ndef f(x): return Y()"
    )
    tests = asserts("assert f(2) == 4")
    assert verify_program(equal_to_all, tests).correct is False
    shared = verify_program(equal_to_all, tests, integrity="shared")
    assert (shared.correct, shared.evidence["integrity"]) == (True, "shared")


def test_stopping_early_leaves_the_rest_unjudged() -> None:
    tests = asserts(*(f"assert f({n}) == {n}" for n in range(4)))
    verdict = verify_program("def f(x): return 0", tests, stop_early=True)
    assert verdict.evidence["cases"] == [True, False, None, None]
    assert verdict.share is None
