"""Hostile and honest programs in both safe tiers: no forged mark, no effect outside, no honest program refused.

The programs are in tests/data/hostile_programs.yaml and tests/data/honest_programs.yaml.
"""

import contextlib
import os
import socket
import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass
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
SECRET_VARIABLE = "MARKSCHEME_TEST_SECRET"  # the hostile program that looks for it names it too

# Tests of each type that a function `f` passes if it squares 2, 3 and 5.
NUMBERS = (2, 3, 5)
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
    "stdio": {"type": "stdio", "cases": [{"stdin": f"{n}\n", "stdout": f"{n * n}\n"} for n in NUMBERS]},
}  # fmt: skip
MAIN_GUARD = "\nif __name__ == '__main__':\n    print(f(int(input())))\n"
# Tests of type pytest take long, so only these programs run them here. The slow suite has all hostile ones.
WITH_PYTEST = {
    "returns an object that answers every operator",
    "shadows the names that tests use",
    "plants files that pytest loads",
    "is a callable instance",
    "uses asyncio",
    "prints on every call",
}
PRINTS_MORE = {"prints on every call", "computes and prints on import"}
"""Honest programs that fail stdio tests, because they print more than the square."""


def each_of(rows: list[dict[str, Any]]) -> pytest.MarkDecorator:
    """Parametrise a test by rows of one of the files, and name each case as its row."""
    return pytest.mark.parametrize("row", rows, ids=[row["name"] for row in rows])


def selected_tests(row: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the tests that judge a row's program, without those of type pytest for most rows."""
    return {kind: tests for kind, tests in TESTS.items() if kind != "pytest" or row["name"] in WITH_PYTEST}


@dataclass
class Outside:
    """What a program must not reach: a folder with a file `secret`, and a port on which the caller listens."""

    folder: Path
    port: int
    connections: list[Any]


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    folder = tmp_path_factory.mktemp("outside")
    (folder / "secret").write_text("secret")
    # File permissions allow every user to read it, so that nothing but the sandbox protects it.
    (folder / "secret").chmod(0o644)
    folder.chmod(0o755)
    connections: list[Any] = []

    def accept() -> None:
        with contextlib.suppress(OSError):  # the server is closed in the end
            connections.append(server.accept())

    os.environ[SECRET_VARIABLE] = "secret"
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=accept, daemon=True).start()
        yield Outside(folder, server.getsockname()[1], connections)
    del os.environ[SECRET_VARIABLE]


@pytest.fixture(scope="module", params=SAFE)
def sandbox(request: pytest.FixtureRequest, outside: Outside) -> Iterator[Sandbox]:
    """A sandbox in each safe tier, started after `outside` has set the secret environment variable."""
    needs_tier(request.param)
    with Sandbox(1, tier=request.param, limits=LIMITS) as sandbox:
        yield sandbox


OBSERVE = """
import os, sys, resource, signal, threading
try: shared = os.listdir('/dev/shm')
except OSError: shared = []
print(sys.stdin.read(), os.listdir('.'), len(shared))
print(threading.active_count(), sys.getrecursionlimit(), os.umask(0o22), signal.getitimer(signal.ITIMER_REAL)[0])
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 100, sorted(os.environ) == sorted({**os.environ, 'HOME': ''}))
open('mine', 'w').write('x' * 1000)
print(os.path.getsize('mine'), 'json' in sys.modules, abs(-3))
"""
OBSERVED = "hello [] 0\n1 1000 18 0.0\nTrue True\n1000 True 3\n"


def assert_untouched(sandbox: Sandbox) -> None:
    """Check that the next program finds its process and its folder as if it were the first one."""
    execution = sandbox.run(OBSERVE, "hello")
    assert (execution.verdict, execution.stdout, execution.stderr) == ("ok", OBSERVED, "")


@each_of(HOSTILE["mark"])
def test_no_hostile_program_gets_a_mark(sandbox: Sandbox, row: dict[str, Any]) -> None:
    correct = {
        kind: verify_program(row["code"], tests, sandbox=sandbox, stop_early=True).correct
        for kind, tests in selected_tests(row).items()
    }
    assert correct == dict.fromkeys(correct, False)
    assert_untouched(sandbox)


@pytest.mark.slow
@each_of(HOSTILE["mark"])
def test_no_hostile_program_gets_a_mark_of_pytest(sandbox: Sandbox, row: dict[str, Any]) -> None:
    assert verify_program(row["code"], TESTS["pytest"], sandbox=sandbox).correct is False


@each_of(HOSTILE["run"])
def test_no_hostile_program_gets_out(sandbox: Sandbox, outside: Outside, row: dict[str, Any]) -> None:
    secret = outside.folder / "secret"
    before = secret.stat()
    execution = sandbox.run(filled_in(row["code"], outside), "PREVIOUS")
    assert execution.verdict != "sandbox_error"
    assert "ESCAPED" not in execution.stdout
    assert execution.cpu_s < LIMITS.cpu_s + 0.15
    assert_untouched(sandbox)
    after = secret.stat()
    assert (after.st_mode, after.st_size) == (before.st_mode, before.st_size)
    assert after.st_mtime_ns == before.st_mtime_ns
    assert os.listdir(outside.folder) == ["secret"]
    assert stat.S_IMODE(outside.folder.stat().st_mode) == 0o755
    assert outside.connections == []


def filled_in(code: str, outside: Outside) -> str:
    """Return a program with the places and the port that it tries to reach."""
    values = {
        "{secret}": str(outside.folder / "secret"),
        "{folder}": str(outside.folder),
        "{port}": str(outside.port),
        "{backwards}": str(ROOT / "tests")[::-1],
    }
    for name, value in values.items():
        code = code.replace(name, value)
    return code


@each_of(HONEST["mark"])
def test_no_honest_function_is_refused(sandbox: Sandbox, row: dict[str, Any]) -> None:
    outcomes = {}
    for kind, tests in selected_tests(row).items():
        code = row["code"]
        if kind == "stdio":
            if row["name"] in PRINTS_MORE:
                continue
            if row["name"] != "has a main guard":
                code += MAIN_GUARD
        verdict = verify_program(code, tests, sandbox=sandbox)
        outcomes[kind] = (verdict.correct, verdict.evidence.get("first_failed"))
    assert outcomes == dict.fromkeys(outcomes, (True, None))


@each_of(HONEST["run"])
def test_no_honest_program_is_refused(sandbox: Sandbox, row: dict[str, Any]) -> None:
    limits = Limits(cpu_s=5, memory_mb=600, output_mb=2)
    execution = sandbox.run(row["code"], row.get("stdin", ""), limits=limits)
    assert (execution.verdict, execution.exit_code) == ("ok", 0), execution.stderr
    if "stdout" in row:
        assert execution.stdout == row["stdout"]
    else:
        assert eval(row["check"], {"out": execution.stdout})


def test_the_files_hold_enough_programs() -> None:
    assert len(HOSTILE["mark"]) + len(HOSTILE["run"]) >= 120
    assert len(HONEST["mark"]) + len(HONEST["run"]) >= 60
