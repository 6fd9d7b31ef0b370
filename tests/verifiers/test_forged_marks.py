"""Programs that once forged a mark or brought their judge down: each must fail and harm nothing.

In the oracle, a program runs in one process and its tests in another, and the two exchange messages. Many of
these programs attack the code that exchanges them, which runs in the program's process.
"""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from markscheme.sandbox import Limits, Sandbox, TaskError
from markscheme.sandbox.inside import harness
from markscheme.sandbox.oracle.program_side import ObjectServer
from markscheme.verifiers import verify_program
from support import asserts

Tests = dict[str, Any]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(1, limits=Limits(cpu_s=0.5, wall_s=2, memory_mb=300, output_mb=1)) as sandbox:
        yield sandbox


def unittest_tests(*methods: str, head: str = "from solution import *", more: str = "") -> Tests:
    """Return a module with a test case that has these methods, between a head and more code."""
    body = "\n".join(f"    {line}" for method in methods for line in method.splitlines())
    return {
        "type": "unittest",
        "code": f"import unittest, math\n{head}\nclass T(unittest.TestCase):\n{body}\n{more}",
    }


def pytest_tests(*functions: str) -> Tests:
    return {"type": "pytest", "code": "import pytest\nfrom solution import *\n" + "\n".join(functions)}


def calls(*cases: tuple[Any, Any]) -> Tests:
    """Return tests that call `f`; each case is an argument and the expected value."""
    return {
        "type": "calls",
        "entry": "f",
        "cases": [{"args": [argument], "expected": expected} for argument, expected in cases],
    }


SERVED = "import markscheme.sandbox.oracle.program_side as s\n"
"""Start of a program that replaces parts of the code which answers the tests."""
# Start of a program that looks through the frames which called it, to learn whether its cases are run one by
# one: so they are run again after one has failed.
ALONE = (
    "import sys\ndef alone():\n    g = sys._getframe()\n    while g:\n        for k in ('cases', 'inputs'):\n"
    "            if isinstance(g.f_locals.get(k), list): return len(g.f_locals[k]) == 1\n        g = g.f_back\n"
)


def test_the_attacks_aim_at_code_that_exists() -> None:
    """An attack on a name that has been changed would fail for the wrong reason."""
    assert {"_do_names", "_foreign"} <= set(vars(ObjectServer))
    assert "encode" in vars(harness)
    assert "cases" in harness._calls.__code__.co_varnames
    assert "inputs" in harness._stdio.__code__.co_varnames


FORGED: list[tuple[str, str, Tests]] = [
    # name, program, tests
    (
        "a package with a planted module",
        "import os\nopen('f.py', 'w').write('def f(*a): return 4')\n" + SERVED
        + "s.ObjectServer._do_names = lambda self, q: {'value': {'__path__': [os.getcwd()], 'f': 0}}\n",
        {"type": "pytest", "code": "from solution import f\ndef test_a(): assert f(2) == 4"},
    ),
    (
        "a built-in that runs code",
        "f = eval\ndef g(x): return '__import__(\"sys\")._getframe(1).f_code.co_consts[-1]'\n",
        asserts("assert f(g(2)) == 4", "assert f(g(3)) == 9"),
    ),
    (
        "a built-in by message",
        SERVED + "s.ObjectServer._foreign = lambda self, v: {'B': 'eval'}\ndef f(x): return 0\n",
        unittest_tests("def test_a(self): self.assertEqual(f('4'), 4)"),
    ),
    (
        "an interrupt that ends pytest",
        "class K(KeyboardInterrupt): pass\ndef f(x):\n    if x == 2: return 4\n    raise K\n",
        pytest_tests("def test_a(): assert f(2) == 4", "def test_b(): assert f(3) == 9"),
    ),
    (
        "an exception that cannot be shown",
        "class R:\n    def __repr__(s): raise SystemExit\n    __str__ = __repr__\n"
        "def f(x):\n    if x == 2: return 4\n    raise ValueError(R())\n",
        pytest_tests("def test_a(): assert f(2) == 4", "def test_b(): assert f(3) == 9"),
    ),
    (
        "a set-up that fails",
        "def f(x): return x * x\nclass Stack:\n    def __init__(self): raise RuntimeError\n",
        unittest_tests("def test_a(self): self.assertEqual(f(2), 4)", more="class B(unittest.TestCase):\n    @classmethod\n"
              "    def setUpClass(cls): cls.s = Stack()\n    def test_b(self): self.assertEqual(self.s.pop(), 3)"),
    ),
    (
        "a tear-down that fails",
        "def f(x): return x * x\ndef close(): raise RuntimeError\n",
        unittest_tests("def test_a(self): self.assertEqual(f(2), 4)", "@classmethod\ndef tearDownClass(cls): close()"),
    ),
    (
        "another answer where it is asked again",
        ALONE + "def f(n): return not alone()\n",
        calls(*((n, all(n % d for d in range(2, n))) for n in range(2, 22))),
    ),
    (
        "another output where it is asked again",
        ALONE + "input()\nprint('NO' if alone() else 'YES')\n",
        {"type": "stdio", "cases": [{"stdin": f"{n}\n", "stdout": "YES" if n % 3 else "NO"} for n in range(12)]},
    ),
    (
        "a class for a function",
        "class f:\n    def __init__(s, x): pass\n    __sub__ = __rsub__ = lambda s, o: 0.0\n    __contains__ = lambda s, o: True\n",
        unittest_tests("def test_a(self): self.assertAlmostEqual(f(2), 4.0)", "def test_b(self): self.assertIn(4, f(2))"),
    ),
    (
        "an object that asks itself",
        "class Y:\n    def difference(s, o): s.o = o; return set()\n    symmetric_difference = difference\n"
        "    __iter__ = lambda s: iter(s.o)\n    __len__ = lambda s: len(s.o)\ndef f(x): return Y()\n",
        unittest_tests("def test_a(self): self.assertSetEqual(f(2), {1, 2})",
              "def test_b(self): self.assertFalse(f(2).symmetric_difference({1, 2}))"),
    ),
    (
        "a built-in that is redefined",
        "def map(fn, x): return [1]\ndef f(x): return 0\n",
        asserts("assert set(map(tuple, f(2))) == set(map(tuple, [[1, 2], [3, 4]]))"),
    ),
    (
        "the only built-in that is called",
        "abs = lambda x: 0\nclass Acc:\n    def __init__(self, b): self.balance = 0\n",
        asserts("assert abs(acc.balance - 12.5) < 1e-6", setup="acc = Acc(12.5)"),
    ),
    (
        "a library in a star import",
        "class M:\n    isclose = lambda *a: True\nmath = M()\nisclose = lambda *a: True\ndef f(x): return 0\n",
        unittest_tests("def test_a(self): self.assertTrue(math.isclose(f(2), 4) and isclose(f(2), 4))",
              head="from math import isclose\nfrom solution import *"),
    ),
    (
        "a mock that is rewritten",
        "def on(cb):\n    cb.assert_called_once_with = ok\n    cb.called = True\ndef ok(*a, **k): return None\n",
        {"type": "pytest", "code": "from unittest.mock import Mock\nfrom solution import on\n"
         "def test_a():\n    m = Mock()\n    on(m)\n    m.assert_called_once_with(4)"},
    ),
    (
        "a refusal taken for the program's",
        "class Vec:\n    def __init__(s, x): s.x = x\n    def __add__(s, o): return s\ndef make(x): return Vec(x)\n",
        unittest_tests("def test_a(self):\n    v = make(1)\n    with self.assertRaises(TypeError): v + 5"),
    ),
    (
        "an attribute that cannot be deleted",
        "class P:\n    x = 1\n    def __delattr__(s, n): pass\ndef make(): return P()\n",
        unittest_tests("def test_a(self):\n    with self.assertRaises(AttributeError): del make().x"),
    ),
    (
        "what is handed back itself",
        "def clone(x): return x\n",
        unittest_tests("def test_a(self):\n    a = [[1]]\n    b = clone(a)\n    self.assertEqual(a, b)\n    self.assertIsNot(a, b)"),
    ),
    (
        "a copy that is not deep",
        "def clone(x): return list(x)\n",
        unittest_tests("def test_a(self):\n    a = [[1]]\n    b = clone(a)\n    b[0].append(2)\n    self.assertEqual(a, [[1]])"),
    ),
    ("a generator for a list", "def f(x): return (i for i in range(x))", calls((3, [0, 1, 2]))),
    (
        "state that is kept for the next assert",
        "def f(x, acc=[]):\n    acc.append(x)\n    return acc\n",
        asserts("assert f(1) == [1]", "assert f(2) == [2]"),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("code", "tests"), [row[1:] for row in FORGED], ids=[row[0] for row in FORGED])
def test_no_mark_is_forged(sandbox: Sandbox, code: str, tests: Tests) -> None:
    assert verify_program(code, tests, sandbox=sandbox).correct is False
    assert verify_program(code, tests, sandbox=sandbox, stop_early=True).correct is False


RECORDS = [
    "{'case': 0, 'value': '5'}", "{'case': 0, 'value': 'null'}", "{'case': 0, 'value': '[{\"F\": []}]'}",
    "{'case': 0, 'value': 7}", "{'case': 0, 'value': '[1, 2]'}", "{'case': True, 'value': '[4]'}",
    "{'case': 0, 'status': 10**30, 'ends': [float('inf'), 1], 'seconds': [10**400, 0]}", "[1]", "'x'",
]  # fmt: skip
"""Records that a program's process would never write, as Python source."""


def writes_record(record: str) -> str:
    """Return a program that appends a record to every open file, and ends."""
    return (
        "import os, json, struct\ndef f(x): return 0\n"
        f"b = json.dumps({record}).encode()\nfor d in range(3, 30):\n"
        "    try: os.lseek(d, 0, 2); os.write(d, struct.pack('=I', len(b)) + b)\n    except OSError: pass\n"
        "os._exit(0)\n"
    )


SPOILED: list[tuple[str, str]] = [
    # name, program
    (
        "a short file and an endless loop",
        "import os\ndef f(x):\n    for d in range(3, 30):\n        try: os.ftruncate(d, 0)\n        except OSError: pass\n"
        "    while True: pass\n",
    ),
    *((f"a record of {record[:40]}", writes_record(record)) for record in RECORDS),
    ("a set that takes for ever", "import markscheme.sandbox.inside.harness as h, json\nh.encode = lambda v: json.dumps([{'s': [{'i': '%x' % (k * (2 ** 61 - 1))} for k in range(20000)]}])\ndef f(x): return 0\n"),
    ("a decimal of a hundred million digits", "from decimal import Decimal\ndef f(x): return Decimal('1E+99999999')\n"),
    ("a format of a gigabyte", "def f(x): return '%1500000000d'\n"),
    ("many kinds of tuple", "import collections\ndef f(x): return [collections.namedtuple(f'n{i}', 'a')(1) for i in range(3000)]\n"),
]  # fmt: skip
TESTS_OF_SPOILED: list[Tests] = [
    asserts("assert f(7) == 49", "assert int(f(2)) == 4"),
    calls((2, 4)),
    asserts("assert f(7) % 2 == 1"),
    {"type": "stdio", "cases": [{"stdin": "1", "stdout": "1"}, {"stdin": "2", "stdout": "2"}]},
]


@pytest.mark.parametrize("code", [code for _, code in SPOILED], ids=[name for name, _ in SPOILED])
def test_no_program_brings_its_judge_down(sandbox: Sandbox, code: str) -> None:
    for tests in TESTS_OF_SPOILED:
        assert verify_program(code, tests, sandbox=sandbox).correct is False


@pytest.mark.parametrize(
    "tests",
    [
        asserts("assert " + "not " * 3000 + "f(1)"),
        asserts("assert f(1) == " + "+".join(["'a'"] * 3000)),
        {"type": "apps", "input_output": "[" * 100_000},
    ],
)
def test_tests_that_are_nested_too_deeply_are_rejected_or_judged(sandbox: Sandbox, tests: Tests) -> None:
    try:
        verdict = verify_program("def f(x): return 1", tests, sandbox=sandbox)
    except TaskError:
        return  # how deep Python can parse depends on its version
    assert verdict.correct in (True, False)


def test_input_that_is_not_utf_8_is_passed_on_unchanged(sandbox: Sandbox) -> None:
    tests = {"type": "stdio", "cases": [{"stdin": "\ud800", "stdout": "3"}]}  # half a pair: three bytes
    assert verify_program("import sys\nprint(len(sys.stdin.buffer.read()))", tests, sandbox=sandbox).correct


def test_arguments_may_be_dates_and_decimals(sandbox: Sandbox) -> None:
    years = calls((date(2020, 1, 1), date(2021, 1, 1)), (date(2021, 3, 1), date(2022, 3, 1)))
    assert verify_program("def f(d): return d.replace(year=d.year + 1)", years, sandbox=sandbox).correct
    half = calls((Decimal("0.5"), 0.25))
    assert verify_program("def f(d): return d * d", half, sandbox=sandbox).correct
