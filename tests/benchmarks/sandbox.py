"""The sandbox against a new process for every program.

    python tests/benchmarks/sandbox.py                every part
    python tests/benchmarks/sandbox.py speed soak     some: speed, scale, cases, load, traffic, attacks, soak

The two sides of a comparison run in turn in one run on the same machine, so their ratios are what to read. The
other side is what a careful user would write, `subprocess.run([python, "-I", "-c", code])` with the same inputs
and limits.
"""

import argparse
import multiprocessing
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

from sandbox_attacks import attacks

from markscheme.sandbox import Limits, Sandbox
from markscheme.verifiers import verify_program
from sandbox_programs import NUMPY, PROGRAMS, SQUARES, SQUARES_CASES, TYPICAL, Answer, random_answers
from sandbox_soak import load, soak

CASE_LIMIT_S = 0.3
"""The time limit of each case in `traffic`, on both sides."""


def run_in_new_process(code: str, stdin: str = "", timeout_s: float = 60.0) -> tuple[str, str]:
    """Run a program in a process of its own; return its verdict (ok, error or timeout) and its output."""
    command = [sys.executable, "-I", "-c", code]
    try:
        process = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=timeout_s)
    except subprocess.TimeoutExpired:
        return "timeout", ""
    return ("ok" if process.returncode == 0 else "error"), process.stdout


def seconds_of(call: Callable[[], Any], times: int = 1) -> float:
    """Return the seconds that `times` calls take together."""
    start = time.perf_counter()
    for _ in range(times):
        call()
    return time.perf_counter() - start


def time_in_turn(sides: dict[str, Callable[[], Any]], rounds: int, slice_s: float = 0.1) -> dict[str, float]:
    """Return each side's median seconds per call. In every round, each side is called for about `slice_s` seconds."""
    calls_per_slice = {}
    for name, call in sides.items():
        fastest = min(seconds_of(call) for _ in range(3))
        calls_per_slice[name] = max(1, round(slice_s / fastest))
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(max(1, rounds)):
        for name, call in sides.items():
            calls = calls_per_slice[name]
            seconds[name].append(seconds_of(call, calls) / calls)
    return {name: statistics.median(times) for name, times in seconds.items()}


def speed(rounds: int) -> None:
    """Print the time of one program after the other on one worker, and the cost of isolation."""
    with Sandbox(1) as isolated, Sandbox(1, tier="rlimits") as not_isolated:
        for name, code in PROGRAMS.items():
            if name == "numpy" and run_in_new_process(NUMPY)[0] != "ok":
                print("numpy: not installed")
                continue
            sides = {
                "process": partial(run_in_new_process, code),
                "ours": partial(isolated.run, code),
                "not isolated": partial(not_isolated.run, code),
            }
            seconds = time_in_turn(sides, rounds)
            print(
                f"{name:12} a new process {seconds['process'] * 1e3:6.2f} ms; ours ({isolated.tier})"
                f" {seconds['ours'] * 1e3:5.2f} ms: {seconds['process'] / seconds['ours']:.1f} times as fast;"
                f" with isolation {seconds['ours'] / seconds['not isolated']:.3f} times as long as without"
            )


def scale(rounds: int) -> None:
    """Print the speed of two workers against one, and the time with 2 GiB in the caller against that with none."""
    programs = [TYPICAL] * 200
    with Sandbox(1) as one_worker, Sandbox(2) as two_workers:
        sides = {
            "one": partial(one_worker.run_batch, programs),
            "two": partial(two_workers.run_batch, programs),
        }
        seconds = time_in_turn(sides, rounds // 6)
    print(f"two workers against one: {seconds['one'] / seconds['two']:.2f} times as fast")
    with caller(0) as run_in_small, caller(2) as run_in_large:
        seconds = time_in_turn({"small": run_in_small, "large": run_in_large}, rounds, slice_s=0.05)
    print(f"with 2 GiB in the caller against none: {seconds['large'] / seconds['small']:.3f} times as long")


@contextmanager
def caller(gib: int) -> Iterator[Callable[[], None]]:
    """Start a process that holds `gib` GiB and has a sandbox; yield a function that makes it run a program."""
    context = multiprocessing.get_context("spawn")
    connection, its_connection = context.Pipe()
    process = context.Process(target=_serve_as_caller, args=(gib, its_connection), daemon=True)
    process.start()

    def run_program() -> None:
        connection.send(True)
        connection.recv()

    try:
        yield run_program
    finally:
        process.kill()
        process.join()


def _serve_as_caller(gib: int, connection: Connection) -> None:
    """Hold so much memory, and run a program whenever a message arrives."""
    memory = bytearray(os.urandom(1 << 20) * 1024 * gib)
    with Sandbox(1) as sandbox:
        while connection.recv():
            connection.send(sandbox.run(TYPICAL).verdict == "ok")
    del memory  # it was held until here


def cases(rounds: int) -> None:
    """Print the time of twenty stdin/stdout cases of one program."""
    tests = {"type": "stdio", "cases": SQUARES_CASES}
    with Sandbox(1) as sandbox:

        def judge_in_sandbox() -> None:
            assert verify_program(SQUARES, tests, sandbox=sandbox).correct

        def judge_in_processes() -> None:
            assert all(
                run_in_new_process(SQUARES, case["stdin"])[1] == case["stdout"] for case in SQUARES_CASES
            )

        seconds = time_in_turn({"process": judge_in_processes, "ours": judge_in_sandbox}, rounds // 3)
    print(
        f"20 stdin/stdout cases: ours {seconds['ours'] * 1e3:.1f} ms,"
        f" {seconds['process'] / seconds['ours']:.1f} times as fast as a new process for each"
    )
    other_ways(rounds)


def other_ways(rounds: int) -> None:
    """Print the time of 20 cases that are read by `open(0)`, and of 2,000 cases the last of which is wrong."""
    many = {"type": "stdio", "cases": [{"stdin": f"{n}\n", "stdout": f"{n * n}\n"} for n in range(2000)]}
    last_wrong = "n = int(input())\nprint(n * n if n < 1999 else 0)"
    with Sandbox(1) as sandbox:

        def judge(code: str, tests: dict[str, Any], correct: bool) -> None:
            assert verify_program(code, tests, sandbox=sandbox).correct is correct

        twenty = {"type": "stdio", "cases": many["cases"][:20]}
        sides = {
            "stdin": partial(judge, "import sys\nn = int(sys.stdin.read())\nprint(n * n)", twenty, True),
            "open(0)": partial(judge, "with open(0) as f: n = int(f.read())\nprint(n * n)", twenty, True),
        }
        seconds = time_in_turn(sides, rounds // 3)
        right = seconds_of(partial(judge, "n = int(input())\nprint(n * n)", many, True))
        wrong = seconds_of(partial(judge, last_wrong, many, False))
    print(
        f"20 cases that are read by open(0): {seconds['open(0)'] / seconds['stdin']:.2f} times as long as sys.stdin"
    )
    print(f"2,000 cases: {right:.2f} s if all are right, {wrong:.2f} s if the last one is wrong")


def traffic(count: int) -> None:
    """Print the time to judge the answers of a step by all their cases, and on how many the two sides agree."""
    answers = list(random_answers(count, seed=1))
    limits = Limits(cpu_s=CASE_LIMIT_S, wall_s=4 * CASE_LIMIT_S)
    with Sandbox(2, limits=limits) as sandbox:

        def share_passed(answer: Answer) -> float | None:
            program, its_cases = answer
            return verify_program(program, {"type": "stdio", "cases": its_cases}, sandbox=sandbox).share

        start = time.perf_counter()
        shares = sandbox.map(share_passed, answers)
        seconds = time.perf_counter() - start
    total = sum(len(its_cases) for _, its_cases in answers)
    megabytes = sum(len(case["stdin"]) for _, its_cases in answers for case in its_cases) / 1e6
    print(
        f"{count} answers, {total} cases, {megabytes:.0f} MB of inputs: ours, two workers, {seconds:.1f} s",
        flush=True,
    )
    start = time.perf_counter()
    with ThreadPoolExecutor(2) as threads:
        shares_in_processes = list(threads.map(share_passed_in_processes, answers))
    seconds_in_processes = time.perf_counter() - start
    same = sum(ours == other for ours, other in zip(shares, shares_in_processes, strict=True))
    print(
        f"a new process for each case, two at a time: {seconds_in_processes:.1f} s,"
        f" {seconds_in_processes / seconds:.1f} times as long; the same share of cases passed for {same} of {count}"
    )


def share_passed_in_processes(answer: Answer) -> float:
    """Return the share of an answer's cases that it passes, each run in a new process."""
    program, its_cases = answer
    passed = sum(
        run_in_new_process(program, case["stdin"], CASE_LIMIT_S) == ("ok", case["stdout"])
        for case in its_cases
    )
    return passed / len(its_cases)


PARTS: dict[str, tuple[Callable[[int], None], str]] = {
    "speed": (speed, "rounds"),
    "scale": (scale, "rounds"),
    "cases": (cases, "rounds"),
    "load": (load, "rounds"),
    "traffic": (traffic, "answers"),
    "attacks": (attacks, "rounds"),
    "soak": (soak, "soak"),
}
"""By name, the function of each part and the option that sets its size."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=60, help="rounds of speed, scale, cases and load")
    parser.add_argument("--answers", type=int, default=512, help="answers of traffic")
    parser.add_argument("--soak", type=int, default=50_000, help="programs of soak")
    # argparse checks the default of a list of choices too, so the empty list has to be one of them.
    parser.add_argument("part", nargs="*", choices=[*PARTS, []], default=[])
    args = parser.parse_args()
    for name in args.part or PARTS:
        function, option = PARTS[name]
        function(getattr(args, option))


if __name__ == "__main__":
    main()
