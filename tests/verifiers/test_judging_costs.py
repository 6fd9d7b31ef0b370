"""What a program returns or prints may not cost its judge more than reading it does.

How long that takes is measured in `tests/benchmarks/sandbox_attacks.py`; here, the verdicts and the memory count.
"""

import resource
from collections.abc import Iterator
from typing import Any

import pytest

from markscheme.sandbox import Limits, Sandbox
from markscheme.sandbox.isolation.tiers import SAFE
from markscheme.verifiers import verify_program
from support import asserts
from tiers import needs_tier

LIMITS = Limits(cpu_s=0.5, wall_s=3, memory_mb=400)


@pytest.fixture(scope="module", params=SAFE)
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    needs_tier(request.param)
    with Sandbox(1, tier=request.param, limits=LIMITS) as sandbox:
        yield sandbox


def calls(expected: Any) -> dict[str, Any]:
    return {"type": "calls", "entry": "f", "cases": [{"args": [3], "expected": expected}]}


COLLIDING = "{k * (2 ** 61 - 1) for k in range(20000)}"
COSTLY: list[tuple[str, str, dict[str, Any]]] = [
    # name, what `f` returns, tests
    ("the sum of a range", "range(10**12)", asserts("assert sum(f(3)) == 3")),
    ("the largest of a range", "range(10**12)", asserts("assert max(f(3)) == 3")),
    ("text in a range", "range(10**12)", asserts("assert 'a' in f(3)")),
    ("a sorted range", "range(10**9)", asserts("assert sorted(f(3)) == [3]")),
    ("a list of a range", "range(10**10)", asserts("assert list(f(3)) == [3]")),
    ("a set that collides", COLLIDING, asserts("assert f(3) == {3}")),
    ("a dict that collides", f"dict.fromkeys({COLLIDING})", calls({})),
    ("a huge remainder", "7 ** 400000", asserts("assert f(3) % (3 ** 300000) == 1")),
    ("a huge power", "10**6", asserts("assert 3 ** f(3) == 1")),
    ("a product", "10**7", asserts("assert [0] * f(3) == [3]")),
    ("a deep list", "eval('[' * 90 + ']' * 90)", asserts("assert str(f(3)) == '3'")),
    ("a large list", "list(range(1_000_000))", calls([3])),
    ("too large a list", "list(range(1_900_000))", calls([3])),
    ("a large list, added up", "list(range(300_000))", asserts("assert sum(f(3)) == 3")),
    ("many named tuples", "[__import__('collections').namedtuple(f'n{i}', 'a')(1) for i in range(3000)]", calls([3])),
    ("a large text", "'x' * 5_000_000", asserts("assert f(3).upper() == '3'")),
    ("a huge decimal", "__import__('decimal').Decimal('1e4000')", asserts("assert int(f(3)) % 7 == 9")),
    ("another process's sum", "range(10**12)", asserts("r = f(3)\nassert sum(r) == 3")),
]  # fmt: skip


@pytest.mark.parametrize(("value", "tests"), [row[1:] for row in COSTLY], ids=[row[0] for row in COSTLY])
def test_a_costly_answer_is_wrong_and_leaves_no_memory(
    sandbox: Sandbox, value: str, tests: dict[str, Any]
) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    verdict = verify_program(f"def f(n): return {value}", tests, sandbox=sandbox)
    assert verdict.correct is False
    assert str(verdict.reason) in ("failed", "timeout", "memory", "output_limit", "error")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10  # KiB


PRINTED = [
    "print('\\n' * 5_000_000)",
    "print('1 ' * 3_000_000)",
    "print('\\U0001f600' + 'x' * 7_000_000)",
    "print(' ' * 7_000_000 + '9')",
]


@pytest.mark.parametrize("whitespace", ["exact", "lines", "tokens", "trimmed", "nonblank"])
@pytest.mark.parametrize("code", PRINTED)
def test_a_large_output_is_wrong_and_leaves_no_memory(sandbox: Sandbox, code: str, whitespace: str) -> None:
    tests = {"type": "stdio", "whitespace": whitespace, "cases": [{"stdin": "3", "stdout": "8"}]}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert verify_program(code, tests, sandbox=sandbox).correct is False
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


def test_large_and_costly_answers_can_be_right(sandbox: Sandbox) -> None:
    large = calls(list(range(100_000)))
    assert verify_program("def f(n): return list(range(100_000))", large, sandbox=sandbox).correct
    assert verify_program("def f(n): return list(range(100_001))", large, sandbox=sandbox).correct is False
    cubes = asserts(
        "assert f(3) ** 3 == 27", "assert sum(f(4) for _ in [0]) == 4", "assert list(range(f(2))) == [0, 1]"
    )
    assert verify_program("def f(n): return n", cubes, sandbox=sandbox).correct
    printed = {"type": "stdio", "cases": [{"stdout": "x\n" * 200_000}]}
    assert verify_program("print('x \\n' * 200_000)", printed, sandbox=sandbox).correct
