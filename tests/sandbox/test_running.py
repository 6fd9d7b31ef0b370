"""Running programs in a local sandbox: verdicts, limits, output, batches and threads, in both safe tiers."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from markscheme.sandbox import DataError, Execution, Limits, LimitsError, Sandbox
from markscheme.sandbox.isolation.tiers import SAFE
from tiers import needs_tier


@pytest.fixture(scope="module", params=SAFE)
def sandbox(request: pytest.FixtureRequest, small_limits: Limits) -> Iterator[Sandbox]:
    needs_tier(request.param)
    with Sandbox(2, limits=small_limits, tier=request.param) as sandbox:
        yield sandbox


# Program, its verdict, its output on the input "in", its exit code, and the signal that ended it.
VERDICTS = [
    ("print(1 + 1)", "ok", "2\n", 0, None),
    ("import sys\nprint(sys.stdin.read())\nsys.exit(3)", "error", "in\n", 3, None),
    ("import sys\nsys.exit('text')", "error", "", 1, None),
    ("print('before')\n1 / 0", "error", "before\n", 1, None),
    ("def f(:", "compile_error", "", 1, None),
    ("x = '\ud800'", "compile_error", "", 1, None),
    ("while True: pass", "timeout", "", None, 9),
    ("import time\ntime.sleep(60)", "wall_timeout", "", None, 9),
    ("x = ' ' * 10**9", "memory", "", 1, None),
    ("import os\nos.abort()", "killed", "", None, 6),
    ("raise KeyboardInterrupt", "error", "", 1, None),
    ("", "ok", "", 0, None),
]


@pytest.mark.parametrize(("code", "verdict", "stdout", "exit_code", "by_signal"), VERDICTS)
def test_each_way_to_end_has_its_verdict(
    sandbox: Sandbox, code: str, verdict: str, stdout: str, exit_code: int | None, by_signal: int | None
) -> None:
    execution = sandbox.run(code, "in")
    assert execution.verdict == verdict
    assert execution.tier == sandbox.tier
    assert execution.stdout == stdout
    assert (execution.exit_code, execution.signal) == (exit_code, by_signal)


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_output_beyond_the_limit_is_cut_off(sandbox: Sandbox, stream: str) -> None:
    execution = sandbox.run(f"import sys\nprint('x' * 600_000, file=sys.{stream})")
    assert execution.verdict == "output_limit"
    assert execution.tier == sandbox.tier
    assert len(getattr(execution, stream)) == 1 << 19


def test_a_traceback_shows_the_program_and_not_the_harness(sandbox: Sandbox) -> None:
    traceback = sandbox.run("def f():\n    return 1 / 0\nf()").stderr
    assert 'File "solution.py", line 2, in f' in traceback
    assert traceback.endswith("ZeroDivisionError: division by zero\n")
    assert "harness" not in traceback
    assert sandbox.run("def f(:").detail["error"].startswith("SyntaxError")


def test_only_computing_counts_towards_the_cpu_limit(sandbox: Sandbox) -> None:
    limit_s = sandbox.limits.cpu_s
    endless = sandbox.run("while True: pass")
    assert limit_s <= endless.cpu_s < limit_s + 0.2
    slept = sandbox.run("import time\ntime.sleep(0.5)")
    assert (slept.verdict, slept.cpu_s < 0.1, slept.wall_s >= 0.5) == ("ok", True, True)


def test_waiting_for_a_processor_does_not_count_towards_the_wall_limit(sandbox: Sandbox) -> None:
    """A program that computes for 0.25 s, on a processor that four others use, takes longer than 0.5 s."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})  # for every process that this thread starts from here on
    # The kernel divides a processor between sessions, and each worker is in a session of its own.
    command = [sys.executable, "-c", "while True: pass"]
    burners = [subprocess.Popen(command, start_new_session=True) for _ in range(4)]
    try:
        code = "import time\nwhile time.process_time() < 0.25: pass"
        with Sandbox(1, tier=sandbox.tier, limits=Limits(cpu_s=0.5, wall_s=0.5)) as crowded:
            executions = [crowded.run(code) for _ in range(2)]
    finally:
        os.sched_setaffinity(0, allowed)
        for burner in burners:
            burner.kill()
            burner.wait()
    assert [execution.verdict for execution in executions] == ["ok", "ok"]
    assert max(execution.wall_s for execution in executions) > 0.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cpu_s": 0}, "cpu_s must be a number of seconds above 0"),
        ({"cpu_s": -1}, "cpu_s"),
        ({"cpu_s": float("nan")}, "cpu_s"),
        ({"cpu_s": float("inf")}, "cpu_s"),
        ({"cpu_s": "4"}, "given: '4'"),
        ({"cpu_s": True}, "cpu_s"),
        ({"cpu_s": 5, "wall_s": 1}, "wall_s must be at least cpu_s"),
        ({"memory_mb": 0}, "memory_mb must be a whole number"),
        ({"memory_mb": 0.5}, "memory_mb"),
        ({"output_mb": 0}, "output_mb"),
        ({"processes": 0}, "processes"),
        ({"processes": 1.5}, "processes"),
    ],
)
def test_limits_that_make_no_sense_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(LimitsError, match=message):
        Limits(**arguments)


def test_limits_can_be_given_by_position_and_have_defaults() -> None:
    assert Limits(2.0, 6.0, 512, 4.0, 1) == Limits(cpu_s=2, memory_mb=512, output_mb=4)
    assert Limits().wall_s == 3 * Limits().cpu_s


@pytest.mark.parametrize("not_text", [b"print(1)", None, 7, ["print(1)"]])
def test_code_and_input_that_are_not_text_are_refused(sandbox: Sandbox, not_text: Any) -> None:
    with pytest.raises(DataError, match="code must be text"):
        sandbox.run(not_text)
    with pytest.raises(DataError, match="stdin must be text"):
        sandbox.run("pass", not_text)


def test_ten_megabytes_of_code_get_a_verdict(sandbox: Sandbox) -> None:
    many_lines = sandbox.run("x = 1\n" * 1_700_000)
    assert many_lines.verdict in ("timeout", "memory", "compile_error", "ok")
    assert sandbox.run("print(1)").stdout == "1\n"
    one_string = f"x = '{'y' * 10_000_000}'\nprint(len(x))"
    assert sandbox.run(one_string, limits=Limits()).stdout == "10000000\n"


def test_a_batch_keeps_its_order(sandbox: Sandbox) -> None:
    programs = [f"import time\ntime.sleep({0.02 * (i % 3)})\nprint({i})" for i in range(20)]
    assert [execution.stdout for execution in sandbox.run_batch(programs)] == [f"{i}\n" for i in range(20)]
    with_inputs = [("print(input())", str(i)) for i in range(5)]
    assert [execution.stdout for execution in sandbox.run_batch(with_inputs)] == [f"{i}\n" for i in range(5)]
    assert sandbox.run_batch([]) == []


def test_threads_and_asyncio_tasks_share_a_sandbox(sandbox: Sandbox) -> None:
    def echo(number: int) -> str:
        return sandbox.run("print(input())", str(number)).stdout

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(echo, range(60))) == [f"{i}\n" for i in range(60)]

    async def run_many() -> list[Execution]:
        return await asyncio.gather(*(sandbox.run_async(f"print({i})") for i in range(20)))

    assert [execution.stdout for execution in asyncio.run(run_many())] == [f"{i}\n" for i in range(20)]
