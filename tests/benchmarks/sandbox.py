"""The sandbox against a process for every program: `make bench` runs it all, by name one part.

Every row is one interleaved run on this machine: read the ratios. The other side is what a careful user
would write, `subprocess.run([python, "-I", "-c", code])` with the same inputs and limits.
"""

import argparse
import multiprocessing
import os
import random
import resource
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from markscheme.sandbox import Limits, Sandbox
from markscheme.verifiers import verify_program

HERE = Path(__file__).resolve().parent
TYPICAL = """
from typing import List
import collections

def two_sum(nums: List[int], target: int) -> List[int]:
    seen = collections.OrderedDict()
    for i, x in enumerate(nums):
        if target - x in seen:
            return [seen[target - x], i]
        seen[x] = i
    return []

assert two_sum([2, 7, 11, 15], 9) == [0, 1]
assert two_sum([3, 2, 4], 6) == [1, 2]
assert two_sum([3, 3], 6) == [0, 1]
assert two_sum([1, 2], 4) == []
assert two_sum([0, 4, 3, 0], 0) == [0, 3]
"""
IMPORT_FREE = "def add(a, b):\n    return a + b\nassert add(1, 2) == 3\nprint(add(3, 4))\n"
NUMPY = "import numpy as np\nassert np.arange(10).sum() == 45\n"
LIMIT_S = 0.3
PROGRAMS = {"typical": TYPICAL, "import-free": IMPORT_FREE, "numpy": NUMPY}


def alone(code: str, stdin: str = "", timeout: float = 60.0) -> tuple[str, str]:
    """Run a program in a process of its own; return (verdict, output)."""
    try:
        ran = subprocess.run(
            [sys.executable, "-I", "-c", code], input=stdin, capture_output=True, text=True, timeout=timeout
        )
    except subprocess.TimeoutExpired:
        return "timeout", ""
    return ("ok" if ran.returncode == 0 else "error"), ran.stdout


def timed(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def interleaved(sides: dict[str, Callable[[], Any]], rounds: int, slice_s: float = 0.1) -> dict[str, float]:
    """Return each side's median seconds a call, all sides in turn, in slices of about a tenth of a second."""
    counts = {
        name: max(1, round(slice_s / min(timed(call) for _ in range(3)))) for name, call in sides.items()
    }
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, call in sides.items():
            times[name].append(timed(lambda c=call, n=counts[name]: [c() for _ in range(n)]) / counts[name])
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def speed(rounds: int) -> None:
    """Programs one after the other, one worker."""
    with Sandbox(1) as full, Sandbox(1, tier="rlimits") as bare:
        for name, code in PROGRAMS.items():
            if name == "numpy" and alone(NUMPY)[0] != "ok":
                print("numpy: not installed")
                continue
            sides = {
                "process": lambda c=code: alone(c),
                "ours": lambda c=code: full.run(c),
                "without isolation": lambda c=code: bare.run(c),
            }
            found = interleaved(sides, rounds)
            print(
                f"{name:12} a process {found['process'] * 1e3:6.2f} ms; ours ({full.tier})"
                f" {found['ours'] * 1e3:5.2f} ms: {found['process'] / found['ours']:.1f}x;"
                f" isolation costs {found['ours'] / found['without isolation']:.3f}x"
            )


def scale(rounds: int) -> None:
    """Two workers against one, and a caller that holds 2 GiB."""
    programs = [TYPICAL] * 200
    with Sandbox(1) as one, Sandbox(2) as two:
        found = interleaved(
            {"1": lambda: one.run_batch(programs), "2": lambda: two.run_batch(programs)}, rounds // 6
        )
        print(f"two workers against one: {found['1'] / found['2']:.2f}x")
    context = multiprocessing.get_context("spawn")
    pairs = [context.Pipe() for _ in range(2)]
    callers = [
        context.Process(target=_caller, args=(gib, theirs), daemon=True)
        for gib, (_, theirs) in zip((0, 2), pairs, strict=True)
    ]
    for caller in callers:
        caller.start()
    sides = {
        gib: lambda pipe=ours: (pipe.send(1), pipe.recv()) for gib, (ours, _) in zip("02", pairs, strict=True)
    }
    found = interleaved(sides, rounds, slice_s=0.05)
    print(f"with 2 GiB in the caller against none: {found['2'] / found['0']:.3f}x")
    for caller in callers:
        caller.kill()
        caller.join()


def _caller(gib: int, pipe: Any) -> None:
    """Be a caller that holds so much memory, and run a program whenever it is asked to."""
    held = bytearray(os.urandom(1 << 20) * 1024 * gib)
    with Sandbox(1) as sandbox:
        while pipe.recv():
            pipe.send(sandbox.run(TYPICAL).verdict == "ok" and len(held) >= 0)


SQUARES = "import sys\nn = int(input())\nprint(*(int(x) ** 2 for x in input().split()))\n"


def cases(rounds: int) -> None:
    """Twenty cases of one program."""
    tests = {
        "type": "stdio",
        "cases": [{"stdin": f"{n}\n{n} {n + 1}\n", "stdout": f"{n * n} {(n + 1) ** 2}\n"} for n in range(20)],
    }
    with Sandbox(1) as sandbox:

        def ours() -> None:
            assert verify_program(SQUARES, tests, sandbox=sandbox).correct

        def theirs() -> None:
            assert all(alone(SQUARES, case["stdin"])[1] == case["stdout"] for case in tests["cases"])

        found = interleaved({"process": theirs, "ours": ours}, rounds // 3)
    print(f"20 stdin/stdout cases: {found['process'] / found['ours']:.1f}x ({found['ours'] * 1e3:.1f} ms)")


def answers(count: int, seed: int) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Yield programs with 10 to 40 cases: 15 % never end, a quarter is wrong, some inputs are 1 MB."""
    rng = random.Random(seed)
    right = "import sys\nn, *xs = map(int, sys.stdin.read().split())\nprint(sum(xs), max(xs))\n"
    wrong = "import sys\nn, *xs = map(int, sys.stdin.read().split())\nprint(sum(xs), xs[-1])\n"
    endless = "import sys\nn, *xs = map(int, sys.stdin.read().split())\nwhile xs: pass\n"
    for i in range(count):
        made = []
        for case in range(rng.randint(10, 40)):
            long = i % 16 == 0 and case == 9
            xs = [rng.randint(-999, 999) for _ in range(200_000 if long else rng.randint(1, 30))]
            made.append(
                {"stdin": f"{len(xs)}\n{' '.join(map(str, xs))}\n", "stdout": f"{sum(xs)} {max(xs)}\n"}
            )
        draw = rng.random()
        yield (endless if draw < 0.15 else wrong if draw < 0.4 else right), made


def traffic(count: int) -> None:
    """Answers of a step, all cases, the same limit a case on both sides."""
    rows = list(answers(count, 1))
    limits = Limits(cpu_s=LIMIT_S, wall_s=4 * LIMIT_S)

    with Sandbox(2, limits=limits) as sandbox:

        def judge(row: tuple[str, list[dict[str, str]]]) -> float | None:
            return verify_program(row[0], {"type": "stdio", "cases": row[1]}, sandbox=sandbox).share

        start = time.perf_counter()
        ours = sandbox.map(judge, rows)
        mine = time.perf_counter() - start
    total = sum(len(made) for _, made in rows)
    size = sum(len(case["stdin"]) for _, made in rows for case in made) / 1e6
    print(
        f"{count} answers, {total} cases, {size:.0f} MB of inputs: ours, two workers {mine:.1f} s", flush=True
    )
    start = time.perf_counter()
    with ThreadPoolExecutor(2) as threads:
        halves = list(threads.map(_alone_all, rows))
    other = time.perf_counter() - start
    same = sum(a == b for a, b in zip(ours, halves, strict=True))
    print(
        f"a process for each case, two at a time: {other:.1f} s: {other / mine:.1f}x; same share {same} of {count}"
    )


def _alone_all(row: tuple[str, list[dict[str, str]]]) -> float:
    code, made = row
    return sum(alone(code, case["stdin"], LIMIT_S) == ("ok", case["stdout"]) for case in made) / len(made)


def _burn() -> None:
    while True:
        pass


@contextmanager
def busy(count: int) -> Iterator[None]:
    burners = [multiprocessing.get_context("spawn").Process(target=_burn, daemon=True) for _ in range(count)]
    for burner in burners:
        burner.start()
    time.sleep(1)
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.join()


def mixed() -> list[str]:
    """Return programs of every verdict, some of them near their limits."""
    near = [
        f"import time\ns = time.process_time()\nwhile time.process_time() - s < {share}: pass"
        for share in (0.1, 0.25)
    ]
    return [
        *PROGRAMS.values(),
        *near,
        "while True: pass",
        "import time; time.sleep(0.5)",
        "import time; time.sleep(9)",
        "x = ' ' * 10**10",
        "print('x' * 9000000)",
        "1 / 0",
        "def f(:",
        "import os; os.abort()",
    ]


def load(rounds: int) -> None:
    """The same verdicts on a machine that is busy."""
    limits = Limits(cpu_s=0.4, wall_s=2.0, output_mb=1)
    programs = mixed() * max(rounds // 20, 1)
    with Sandbox(2, limits=limits) as sandbox:
        quiet = [ran.verdict for ran in sandbox.run_batch(programs)]
        with busy(8):
            loaded = [ran.verdict for ran in sandbox.run_batch(programs)]
    same = sum(a == b for a, b in zip(quiet, loaded, strict=True))
    print(f"beside 8 busy processes: {same} of {len(programs)} verdicts the same {dict(Counter(loaded))}")


def soak(count: int) -> None:
    """Many programs, 5 % hostile: no leak, and every verdict as by itself."""
    hostile = [
        row["code"] for row in yaml.safe_load((HERE.parent / "data/hostile_programs.yaml").read_text())["run"]
        if not any(word in row["code"] for word in ("sleep", "select", "{", "thread", "SIGSTOP", "setitimer"))
    ]  # fmt: skip
    limits = Limits(cpu_s=0.1, wall_s=0.5, memory_mb=200, output_mb=0.25)
    honest = [
        "print(sum(range({})))",
        "import json\nprint(json.dumps([{}]))",
        "x = int(input()) + {}\nprint(x)",
    ]
    with Sandbox(2, limits=limits) as sandbox:
        expected = {code: sandbox.run(code).verdict for code in hostile}
        rng = random.Random(5)
        wrong: list[str] = []

        def one(i: int) -> None:
            if i % 20 == 0:
                code = hostile[i // 20 % len(hostile)]
                got = sandbox.run(code).verdict
                if got != expected[code]:
                    wrong.append(f"{got} for {expected[code]}: {code[:60]!r}")
                return
            number, kind = i % 997, i % 3
            ran = sandbox.run(honest[kind].format(number), "1")
            want = [f"{sum(range(number))}\n", f"[{number}]\n", f"{1 + number}\n"][kind]
            if (ran.verdict, ran.stdout) != ("ok", want):
                wrong.append(f"{ran.verdict}: {ran.stderr[-80:]}")

        sandbox.map(one, range(4000))  # caches fill, both workers are up
        before = _state(sandbox)
        order = list(range(count))
        rng.shuffle(order)
        start = time.perf_counter()
        for at in range(0, count, 1000):  # as in steps of training
            sandbox.map(one, order[at : at + 1000])
        seconds = time.perf_counter() - start
        after = _state(sandbox)
    print(f"soak: {count} programs in {seconds:.0f} s, {len(wrong)} unexpected verdicts {wrong[:5]}")
    print(f"  before {before}\n  after  {after}")


def _state(sandbox: Sandbox) -> dict[str, Any]:
    """Return what could leak: our memory and descriptors, our workers' processes and memory, folders."""
    children = [p for p in Path("/proc").glob("[0-9]*") if _parent(p) in _family()]
    return {
        "our MiB": round(
            int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20
        ),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "processes": len(children),
        "workers' MiB": round(sum(_resident(p) for p in children)),
        "folders": len(list(Path("/tmp").glob("markscheme-sandbox-*"))),
    }


def _family() -> set[int]:
    family, last = {os.getpid()}, 0
    while len(family) != last:
        last = len(family)
        family |= {int(p.name) for p in Path("/proc").glob("[0-9]*") if _parent(p) in family}
    return family


def _parent(process: Path) -> int:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return -1


def _resident(process: Path) -> float:
    try:
        return int((process / "statm").read_text().split()[1]) * resource.getpagesize() / 2**20
    except (OSError, ValueError, IndexError):
        return 0.0


def main(arguments: Sequence[str] | None = None) -> None:
    parts: dict[str, Callable[[], None]] = {}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--answers", type=int, default=512)
    parser.add_argument("--soak", type=int, default=50_000)
    parts = {"speed": lambda: speed(args.rounds), "scale": lambda: scale(args.rounds)}
    parts |= {"cases": lambda: cases(args.rounds), "load": lambda: load(args.rounds)}
    parts |= {"traffic": lambda: traffic(args.answers), "soak": lambda: soak(args.soak)}
    parser.add_argument("part", nargs="*", choices=[[], *parts], default=[])
    args = parser.parse_args(arguments)
    for name in args.part or parts:
        parts[name]()


if __name__ == "__main__":
    main()
