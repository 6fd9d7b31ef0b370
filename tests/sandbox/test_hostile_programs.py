"""Hostile programs and honest ones, each in both upper tiers: no forged mark, no effect outside, none refused."""

import contextlib
import os
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from markscheme.sandbox import Limits, Sandbox
from markscheme.sandbox.isolation.tiers import SAFE
from markscheme.verifiers import verify_program
from support import ROOT
from tiers import needs_tier

HOSTILE = yaml.safe_load((ROOT / "tests/data/hostile_programs.yaml").read_text(encoding="utf-8"))
HONEST = yaml.safe_load((ROOT / "tests/data/honest_programs.yaml").read_text(encoding="utf-8"))
LIMITS = Limits(cpu_s=0.4, wall_s=1.2, memory_mb=400, output_mb=1)
NUMBERS = (2, 3, 5)
AS_PROGRAM = "\nif __name__ == '__main__':\n    print(f(int(input())))\n"

TESTS: dict[str, dict[str, Any]] = {
    "asserts": {"type": "asserts", "asserts": [f"assert f({n}) == {n * n}" for n in NUMBERS]},
    "near": {"type": "asserts", "asserts": [f"assert abs(f({n}) - {n * n}.0) < 1e-9" for n in NUMBERS]},
    "check": {
        "type": "asserts",
        "setup": "def check(candidate):\n    for n, e in ((2, 4), (3, 9)):\n        assert candidate(n) == e\n",
        "asserts": ["check(f)", "x = f(5)\nassert x == 25"],
    },
    "calls": {
        "type": "calls", "entry": "f", "exact_types": True,
        "cases": [{"args": [n], "expected": n * n} for n in NUMBERS],
    },
    "unittest": {
        "type": "unittest",
        "code": "import unittest, math\nfrom solution import *\nclass T(unittest.TestCase):\n"
        "    def test_equal(self): self.assertEqual(f(2), 4)\n"
        "    def test_near(self): self.assertAlmostEqual(f(3), 9.0)\n"
        "    def test_true(self): self.assertTrue(math.isclose(f(5), 25) and f(5) in (25,))\n",
    },
    "pytest": {
        "type": "pytest",
        "code": "import pytest\n@pytest.mark.parametrize('n,e', [(2, 4), (3, 9)])\n"
        "def test_f(n, e): assert f(n) == e and f(n) in [e]\n"
        "def test_near(): assert f(5) == pytest.approx(25)\n",
    },
}  # fmt: skip
STDIO = {"type": "stdio", "cases": [{"stdin": f"{n}\n", "stdout": f"{n * n}\n"} for n in NUMBERS]}


@pytest.fixture(scope="module", params=SAFE)
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    needs_tier(request.param)
    with Sandbox(1, tier=request.param, limits=LIMITS) as made:
        yield made


def named(rows: list[dict[str, Any]]) -> Any:
    return pytest.mark.parametrize("row", rows, ids=[row["name"] for row in rows])


@named(HOSTILE["mark"])
def test_no_hostile_program_gets_a_mark(sandbox: Sandbox, row: dict[str, Any]) -> None:
    kinds = {**TESTS, "stdio": STDIO}
    if row["name"] not in ("object with every operator", "shadows what tests use", "plants pytest files"):
        kinds.pop("pytest")  # each takes long: those that aim at it, and in the slow suite all
    verdicts = {
        kind: verify_program(row["code"], tests, sandbox=sandbox, stop_early=True)
        for kind, tests in kinds.items()
    }
    assert {kind: verdict.correct for kind, verdict in verdicts.items()} == dict.fromkeys(kinds, False)
    assert_untouched(sandbox)


@pytest.mark.slow
@named(HOSTILE["mark"])
def test_no_hostile_program_gets_a_mark_of_pytest(sandbox: Sandbox, row: dict[str, Any]) -> None:
    assert verify_program(row["code"], TESTS["pytest"], sandbox=sandbox).correct is False


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What a program must not reach: a file, a folder, an environment, an open port."""
    folder = tmp_path_factory.mktemp("outside")
    (folder / "secret").write_text("secret")
    folder.chmod(0o755)
    (folder / "secret").chmod(0o644)
    os.environ["MARKSCHEME_TEST_SECRET"] = "secret"
    calls: list[Any] = []

    def accept() -> None:
        with contextlib.suppress(OSError):  # the server is closed in the end
            calls.append(server.accept())

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=accept, daemon=True).start()
        yield {"folder": folder, "port": server.getsockname()[1], "calls": calls}
    del os.environ["MARKSCHEME_TEST_SECRET"]


@named(HOSTILE["run"])
def test_no_hostile_program_gets_out(sandbox: Sandbox, outside: dict[str, Any], row: dict[str, Any]) -> None:
    secret: Path = outside["folder"] / "secret"
    before = secret.stat()
    code = row["code"].replace("{secret}", str(secret)).replace("{folder}", str(outside["folder"]))
    code = code.replace("{backwards}", str(ROOT / "tests")[::-1]).replace("{port}", str(outside["port"]))
    ran = sandbox.run(code, "PREVIOUS")
    assert ran.verdict != "sandbox_error"
    assert "ESCAPED" not in ran.stdout
    assert ran.cpu_s < LIMITS.cpu_s + 0.15
    assert_untouched(sandbox)
    after = secret.stat()
    assert (after.st_mode, after.st_mtime_ns, after.st_size) == (
        before.st_mode,
        before.st_mtime_ns,
        before.st_size,
    )
    assert os.listdir(outside["folder"]) == ["secret"]
    assert stat.S_IMODE(outside["folder"].stat().st_mode) == 0o755
    assert outside["calls"] == []


CANARY = """
import os, sys, resource, signal, threading
try: shared = os.listdir('/dev/shm')
except OSError: shared = []
print(sys.stdin.read(), os.listdir('.'), len(shared))
print(threading.active_count(), sys.getrecursionlimit(), os.umask(0o22), signal.getitimer(signal.ITIMER_REAL)[0])
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 100, sorted(os.environ) == sorted({**os.environ, 'HOME': ''}))
open('mine', 'w').write('x' * 1000)
print(os.path.getsize('mine'), 'json' in sys.modules, abs(-3))
"""
EXPECTED = "hello [] 0\n1 1000 18 0.0\nTrue True\n1000 True 3\n"


def assert_untouched(sandbox: Sandbox) -> None:
    """The next program finds everything as if it were the first, and nothing of the others is left."""
    ran = sandbox.run(CANARY, "hello")
    assert (ran.verdict, ran.stdout, ran.stderr) == ("ok", EXPECTED, "")


@named(HONEST["mark"])
def test_no_honest_function_is_refused(sandbox: Sandbox, row: dict[str, Any]) -> None:
    guard = "" if "main guard" in row["name"] else AS_PROGRAM
    verdicts = {
        kind: verify_program(row["code"] + (guard if kind == "stdio" else ""), tests, sandbox=sandbox)
        for kind, tests in {**TESTS, "stdio": STDIO}.items()
        if kind != "pytest" or row["name"] in ("a method", "asyncio", "prints much")
    }
    if row["name"] in ("prints much", "module level work"):
        verdicts.pop("stdio")  # they print more than the square
    assert {k: (v.correct, v.evidence.get("first_failed")) for k, v in verdicts.items()} == dict.fromkeys(
        verdicts, (True, None)
    )


@named(HONEST["run"])
def test_no_honest_program_is_refused(sandbox: Sandbox, row: dict[str, Any]) -> None:
    ran = sandbox.run(row["code"], row.get("stdin", ""), limits=Limits(cpu_s=5, memory_mb=600, output_mb=2))
    assert (ran.verdict, ran.exit_code) == ("ok", 0), ran.stderr
    if "stdout" in row:
        assert ran.stdout == row["stdout"]
    else:
        assert eval(row["check"], {"out": ran.stdout})


def test_the_batteries_are_large_enough() -> None:
    assert len(HOSTILE["mark"]) + len(HOSTILE["run"]) >= 120
    assert len(HONEST["mark"]) + len(HONEST["run"]) >= 60
