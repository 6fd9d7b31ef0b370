"""The parts `load` and `soak` of `sandbox.py`: verdicts do not depend on a busy machine, and nothing leaks."""

import multiprocessing
import os
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from sandbox_programs import PROGRAMS

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from markscheme.sandbox import Limits, Sandbox
from processes import descendants_of
from support import ROOT


def load(rounds: int) -> None:
    """Print how many verdicts stay the same when eight processes keep the machine busy."""
    limits = Limits(cpu_s=0.4, wall_s=2.0, output_mb=1)
    programs = programs_of_every_verdict() * max(rounds // 20, 1)
    with Sandbox(2, limits=limits) as sandbox:
        quiet = [str(result.verdict) for result in sandbox.run_batch(programs)]
        with busy_processes(8):
            busy = [str(result.verdict) for result in sandbox.run_batch(programs)]
    same = sum(verdict == other for verdict, other in zip(quiet, busy, strict=True))
    verdicts = ", ".join(f"{verdict} {count}" for verdict, count in Counter(busy).items())
    print(f"beside 8 busy processes: {same} of {len(programs)} verdicts are the same ({verdicts})")


def programs_of_every_verdict() -> list[str]:
    """Return programs that end in every possible way, two of them not far below the CPU limit."""
    use_cpu = "import time\ns = time.process_time()\nwhile time.process_time() - s < {seconds}: pass"
    return [
        *PROGRAMS.values(),
        use_cpu.format(seconds=0.1),
        use_cpu.format(seconds=0.25),
        "while True: pass",
        "import time; time.sleep(0.5)",
        "import time; time.sleep(9)",
        "x = ' ' * 10**10",
        "print('x' * 9000000)",
        "1 / 0",
        "def f(:",
        "import os; os.abort()",
    ]


@contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """Keep `count` processes computing during the block."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_compute_for_ever, daemon=True) for _ in range(count)]
    for process in processes:
        process.start()
    time.sleep(1)  # until they have started
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.join()


def _compute_for_ever() -> None:
    while True:
        pass


def soak(count: int) -> None:
    """Run many programs, 5 % of them hostile; print the verdicts that are unexpected, and what could have leaked.

    A hostile program's verdict is expected to be one that it gets when it runs alone. If it exceeds two limits, the
    one that it meets first counts, and which one that is may vary: so each limit is also raised by itself.
    """
    hostile = hostile_programs()
    limits = Limits(cpu_s=0.1, wall_s=0.5, memory_mb=200, output_mb=0.25)
    unexpected: list[str] = []
    with Sandbox(2, limits=limits) as sandbox:
        expected = [
            {sandbox.run(program, limits=each).verdict for each in (limits, *raised_one_by_one(limits))}
            for program in hostile
        ]

        def run_program(i: int) -> None:
            if i % 20 == 0:
                which = i // 20 % len(hostile)
                verdict = sandbox.run(hostile[which]).verdict
                if verdict not in expected[which]:
                    unexpected.append(f"{verdict} for {expected[which]}: {hostile[which][:60]!r}")
                return
            program, output = honest_program(i)
            result = sandbox.run(program, "1")
            if (result.verdict, result.stdout) != ("ok", output):
                unexpected.append(f"{result.verdict}: {result.stderr[-80:]}")

        sandbox.map(run_program, range(4000))  # until caches are full and both workers have started
        before = what_could_leak()
        order = list(range(count))
        random.Random(5).shuffle(order)
        start = time.perf_counter()
        for first in range(0, count, 1000):  # in batches, as a trainer's steps are
            sandbox.map(run_program, order[first : first + 1000])
        seconds = time.perf_counter() - start
        after = what_could_leak()
    print(
        f"soak: {count} programs in {seconds:.0f} s, {len(unexpected)} unexpected verdicts {unexpected[:5]}"
    )
    print(f"  before: {before}\n  after:  {after}")


def raised_one_by_one(limits: Limits) -> Iterator[Limits]:
    """Yield limits of which one is higher."""
    yield replace(limits, memory_mb=8 * limits.memory_mb)
    yield replace(limits, cpu_s=8 * limits.cpu_s, wall_s=8 * limits.wall_s)
    yield replace(limits, output_mb=8 * limits.output_mb)


def honest_program(i: int) -> tuple[str, str]:
    """Return the `i`-th of the honest programs, and what it prints when its input is 1."""
    number = i % 997
    programs = [
        (f"print(sum(range({number})))", f"{sum(range(number))}\n"),
        (f"import json\nprint(json.dumps([{number}]))", f"[{number}]\n"),
        (f"x = int(input()) + {number}\nprint(x)", f"{1 + number}\n"),
    ]
    return programs[i % 3]


def hostile_programs() -> list[str]:
    """Return those hostile programs of the tests that run as they are, with a verdict that does not depend on time.

    Left out are programs with braces, which may be places for the test to fill in, and those that sleep, wait,
    set timers, stop themselves or start threads.
    """
    left_out = ("{", "sleep", "select", "thread", "SIGSTOP", "setitimer")
    rows = yaml.safe_load((ROOT / "tests/data/hostile_programs.yaml").read_text(encoding="utf-8"))["run"]
    return [row["code"] for row in rows if not any(word in row["code"] for word in left_out)]


def what_could_leak() -> dict[str, Any]:
    """Return our memory and descriptors, the number and the memory of our workers' processes, and our folders."""
    workers = descendants_of(os.getpid())
    return {
        "our MiB": round(_resident_mib(os.getpid())),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "processes": len(workers),
        "workers' MiB": round(sum(_resident_mib(pid) for pid in workers)),
        "folders": len(list(Path("/tmp").glob("markscheme-sandbox-*"))),
    }


def _resident_mib(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:  # it has just ended
        return 0.0
    return pages * resource.getpagesize() / 2**20
