"""Many cases of one program: each is looked at once, has the limits to itself, and loses nothing to the others."""

from collections.abc import Iterator
from typing import Any

import pytest

from markscheme.sandbox import Limits, Sandbox
from markscheme.sandbox.cases import Outcome, run_calls, run_cases
from markscheme.sandbox.isolation.tiers import SAFE
from markscheme.verifiers import verify_program
from support import asserts
from tiers import needs_tier

LIMITS = Limits(cpu_s=0.3, wall_s=1, memory_mb=300, output_mb=1)


@pytest.fixture(scope="module", params=SAFE)
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    needs_tier(request.param)
    with Sandbox(1, tier=request.param, limits=LIMITS) as sandbox:
        yield sandbox


def calls(count: int, expected: Any = lambda n: n * n) -> dict[str, Any]:
    return {
        "type": "calls",
        "entry": "f",
        "cases": [{"args": [n], "expected": expected(n)} for n in range(count)],
    }


def stdio(count: int) -> dict[str, Any]:
    return {"type": "stdio", "cases": [{"stdin": f"{n}\n", "stdout": f"{n * n}\n"} for n in range(count)]}


def test_every_case_is_judged_once_and_all_but_failures_run_once(sandbox: Sandbox) -> None:
    """The judge sees one outcome per case, whether it is right or wrong, so no second run can follow a verdict."""
    seen: list[int] = []

    def judge(pairs: Any) -> list[bool]:
        seen.extend(case for case, _ in pairs)
        return [False for _ in pairs]

    run_cases(sandbox, "print(input())", [str(n) for n in range(30)], judge=judge)
    assert seen == list(range(30))
    seen.clear()
    run_calls(sandbox, "def f(): return 0", [[("f", b"\0" + b'{"t":[{"t":[]},{"d":[]}]}')]] * 30, judge=judge)
    assert seen == list(range(30))


@pytest.mark.parametrize("wrong", [[], [3], [0, 5], list(range(8))])
def test_what_runs_does_not_depend_on_what_is_right(sandbox: Sandbox, wrong: list[int]) -> None:
    """The number of processes that a program gets is the same, whatever its tests expect."""
    processes: list[int] = []
    do = sandbox.do

    def counted(job: Any) -> Any:
        processes.append(len(job.inputs))
        return do(job)

    cases = [{"stdin": f"{n}\n", "stdout": "wrong" if n in wrong else f"{n}\n"} for n in range(8)]
    sandbox.do = counted  # pyright: ignore[reportAttributeAccessIssue]
    try:
        verdict = verify_program("print(int(input()))", {"type": "stdio", "cases": cases}, sandbox=sandbox)
    finally:
        del sandbox.do
    assert verdict.evidence["cases"] == [n not in wrong for n in range(8)]
    assert processes == [8]


LATE = [(3, 7), (0, 1), (8, 9), (0, 9), (0, 2, 4, 6, 8), (1, 2, 3)]


@pytest.mark.parametrize("late", LATE)
@pytest.mark.parametrize("kind", ["calls", "stdio"])
def test_each_late_case_costs_its_own_share(sandbox: Sandbox, kind: str, late: tuple[int, ...]) -> None:
    body = f"    if x in {late}:\n        while True: pass\n    return x * x\n"
    code = f"def f(x):\n{body}" + ("print(f(int(input())))" if kind == "stdio" else "")
    verdict = verify_program(code, calls(10) if kind == "calls" else stdio(10), sandbox=sandbox)
    assert verdict.evidence["cases"] == [n not in late for n in range(10)]


def test_late_asserts_and_tests_cost_their_own_share(sandbox: Sandbox) -> None:
    code = "def f(x):\n    if x in (0, 3):\n        while True: pass\n    return x * x\n"
    split = asserts(*(f"assert f({n}) == {n * n}" for n in range(6)))
    assert verify_program(code, split, sandbox=sandbox).share == 4 / 6
    unsplit = asserts(*(f"r = f({n})\nassert r == {n * n}" for n in range(6)))
    assert verify_program(code, unsplit, sandbox=sandbox).share == 4 / 6
    methods = "".join(f"    def test_{n}(self): self.assertEqual(f({n}), {n * n})\n" for n in range(6))
    module = {"type": "unittest", "code": f"import unittest\nclass T(unittest.TestCase):\n{methods}"}
    assert verify_program(code, module, sandbox=sandbox).share == 4 / 6


def test_a_program_that_never_ends_does_not_run_for_every_case(sandbox: Sandbox) -> None:
    runs: list[Any] = []
    do = sandbox.do

    def counted(job: Any) -> Any:
        runs.append(job.limits.cpu_s)
        return do(job)

    sandbox.do = counted  # pyright: ignore[reportAttributeAccessIssue]
    try:
        verdict = verify_program("input()\nwhile True: pass", stdio(40), sandbox=sandbox)
    finally:
        del sandbox.do
    assert (verdict.share, str(verdict.reason)) == (0.0, "timeout")
    assert sum(runs) < 3 * LIMITS.cpu_s


def test_a_program_cannot_move_its_own_clock(sandbox: Sandbox) -> None:
    """Every case of a process that has computed for longer than one may is run again or late."""
    code = (
        "import os, struct, threading, time\ndef forge():\n    while True:\n        for d in range(3, 12):\n"
        "            try: os.pwrite(d, struct.pack('=qdd', 2, time.process_time(), time.monotonic()), 0)\n"
        "            except OSError: pass\n        time.sleep(0.01)\n"
        "def f(x):\n    if x == 2:\n        threading.Thread(target=forge, daemon=True).start()\n"
        "        end = time.process_time() + 1\n        while time.process_time() < end: pass\n    return x * x\n"
    )
    verdict = verify_program(code, calls(4), sandbox=sandbox)
    assert verdict.evidence["cases"] == [True, True, False, True]


STATE = [
    # name, a program that leaves something behind that would make its next case wrong
    ("a global list", "seen = []\ndef f(x):\n    seen.append(x)\n    return x * x if len(seen) == 1 else 0"),
    ("a default argument", "def f(x, seen=[]):\n    seen.append(x)\n    return x * x if len(seen) == 1 else 0"),
    ("a class attribute", "class C: n = 0\ndef f(x):\n    C.n += 1\n    return x * x if C.n == 1 else 0"),
    ("an attribute of a module", "import sys\nsys.n = getattr(sys, 'n', 0) + 1\ndef f(x): return x * x if sys.n == 1 else 0"),
    ("an attribute of builtins", "import builtins\nbuiltins.abs, old = (lambda x: -1), abs\ndef f(x): return x * x if old(-1) == 1 else 0"),
    ("a file", "open('once', 'x').close()\ndef f(x): return x * x"),
    ("the current folder", "import os\nassert os.getcwd() != '/'\nos.chdir('/')\ndef f(x): return x * x"),
    ("a closed stream", "import os, sys\nos.close(0); os.close(1)\nsys.stdin.close()\ndef f(x): return x * x"),
    ("random numbers", "import random\nr = random.random()\ndef f(x): return x * x if abs(r - 0.8444218515250481) < 1e-9 else 0"),
    ("an exception in one case", "n = []\ndef f(x):\n    import sys\n    if x == 5: raise ValueError\n    return x * x"),
    ("much memory", "a = bytearray(120 << 20)\nb = [a]\ndef f(x, keep=b): return x * x"),
]  # fmt: skip


@pytest.mark.parametrize("code", [row[1] for row in STATE], ids=[row[0] for row in STATE])
def test_a_case_finds_nothing_of_the_one_before(sandbox: Sandbox, code: str) -> None:
    verdict = verify_program(code, calls(8), sandbox=sandbox)
    assert verdict.evidence["cases"] == [not ("ValueError" in code and n == 5) for n in range(8)]


def test_outcomes_of_forged_records_are_bounded(sandbox: Sandbox) -> None:
    outcomes: list[Outcome] = []

    def judge(pairs: Any) -> list[bool]:
        outcomes.extend(outcome for _, outcome in pairs)
        return [True for _ in pairs]

    code = (
        "import os, struct\ndef f(): return 0\nh = struct.pack('=BIiQQI', 1, 0, 0, 0, 0, 2) + b'[]'\n"
        "for d in range(3, 12):\n    try:\n        os.lseek(d, 0, 2)\n        os.write(d, h * 20000)\n    except OSError: pass\nos._exit(0)\n"
    )
    run_calls(sandbox, code, [[("f", b"\0" + b'{"t":[{"t":[]},{"d":[]}]}')]] * 3, judge=judge)
    assert len(outcomes) == 3
