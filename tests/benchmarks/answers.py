"""The answer verifier against math-verify, both sides in one interleaved run of one process.

    answers.py                     every part
    answers.py accuracy speed      some: accuracy, speed, latency, hangs, memory, threads

Accuracy and latency are of the labelled set (`tests/data/answers.jsonl`), and of 400 real MATH
completions where the folder of real data is at hand (`MARKSCHEME_SHARED`). math-verify reads each
pair in math mode and bare; the better of the two counts as its verdict.
"""

import argparse
import functools
import gc
import json
import logging
import os
import random
import resource
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from markscheme.verifiers import Verdict, compare_answers, verify_answer
from markscheme.verifiers.answers import verify as answer_module
from markscheme.verifiers.answers.math_verify import LIMIT_S
from markscheme.verifiers.answers.verify import compare_all

logging.disable(logging.CRITICAL)  # math-verify warns of every timeout
ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("MARKSCHEME_SHARED", ROOT.parent / "shared")) / "data"
Row = dict[str, Any]


def read(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


LABELLED = read(ROOT / "tests/data/answers.jsonl")
REAL = [
    {**row, "kind": "real MATH", "extract": "strict"}
    for row in (read(SHARED / "math_model_solutions.jsonl") if SHARED.is_dir() else [])
]


def ours(row: Row) -> Verdict:
    if "answer" in row:
        return compare_answers(row["reference"], row["answer"])
    return verify_answer(row["reference"], row["completion"], extract=row["extract"])


def peer(row: Row) -> bool:
    """Return math-verify's verdict; of its two readings the one that fits the label."""
    from math_verify import parse, verify

    text = row.get("answer", row.get("completion", ""))
    wrapped = [("$%s$", "$%s$" if "answer" in row else "%s"), ("%s", "%s")]
    found = set()
    for reference, answer in wrapped:
        try:
            found.add(verify(parse(reference % row["reference"]), parse(answer % text)))
        except Exception:
            found.add(False)
    return row["correct"] if row["correct"] in found else not row["correct"]


def accuracy() -> None:
    """Print right, wrong and undecided marks of both sides, and every row that only the peer has right."""
    print(
        f"\n{'kind':14}{'rows':>5}   markscheme: right  false +  false -  undecided   math-verify: right  false +  false -"
    )
    only_theirs: list[tuple[Row, Verdict]] = []
    total: Counter[str] = Counter()
    for kind in [*dict.fromkeys(row["kind"] for row in LABELLED), *(["real MATH"] if REAL else [])]:
        found: Counter[str] = Counter()
        for row in [*LABELLED, *REAL]:
            if row["kind"] != kind:
                continue
            verdict, theirs = ours(row), peer(row)
            mine = {None: "undecided", row["correct"]: "right"}.get(verdict.correct)
            found["rows"] += 1
            found[mine or ("false -" if row["correct"] else "false +")] += 1
            found[
                "their "
                + ("right" if theirs == row["correct"] else "false -" if row["correct"] else "false +")
            ] += 1
            found["before last"] += verdict.tier != "last"
            if mine != "right" and theirs == row["correct"]:
                only_theirs.append((row, verdict))
        _print_marks(kind, found)
        if kind != "real MATH":
            total += found
    _print_marks("labelled set", total)
    print("rows that only math-verify marks as labelled:", len(only_theirs))
    for row, verdict in only_theirs:
        print("  ", {k: v for k, v in row.items() if k != "completion"}, verdict)


def _print_marks(kind: str, found: Counter[str]) -> None:
    rows = found["rows"]
    print(
        f"{kind:14}{rows:5}   {found['right'] / rows:17.2%} {found['false +']:8} {found['false -']:8} {found['undecided']:10}"
        f"   {found['their right'] / rows:18.2%} {found['their false +']:8} {found['their false -']:8}"
        f"   settled before the last tier {found['before last'] / rows:.2%}"
    )


def traffic(count: int) -> list[tuple[str, str]]:
    """Return pairs as GSM8K and MATH have them: 70 % integers, 15 % fractions, 15 % formulas, half wrong."""
    rng, pairs = random.Random(3), []
    for _ in range(count):
        kind, off = rng.random(), rng.choice((0, 1))
        if kind < 0.7:
            value = rng.randint(2, 100_000)
            given = value + off * rng.randint(1, 50)
            spelt = rng.choice((f"{given:,}", f"${given}$", rf"\text{{{given}}}", f"{given}.0"))
            pairs.append((str(value), spelt if rng.random() < 0.3 else str(given)))
        elif kind < 0.85:
            top, bottom = rng.randint(1, 99), rng.randint(2, 40)
            given = top + off
            forms = (
                rf"\frac{{{given}}}{{{bottom}}}",
                rf"\dfrac{{{2 * given}}}{{{2 * bottom}}}",
                f"{given}/{bottom}",
            )
            pairs.append((rf"\frac{{{top}}}{{{bottom}}}", rng.choice((*forms, f"{given / bottom:.8f}"))))
        else:
            pairs.append(
                _formula(rng, rng.randint(2, 9), rng.randint(1, 9), rng.choice((2, 3, 5, 6, 7)), off)
            )
    return pairs


def _formula(rng: random.Random, a: int, b: int, c: int, off: int) -> tuple[str, str]:
    return rng.choice(
        (
            (rf"{a}\sqrt{{{c}}}", rf"{a + off}\sqrt{{{c}}}"),
            (rf"{a}\sqrt{{{c}}}", rf"\sqrt{{{a * a * c + off}}}"),
            (f"x^2+{a}x+{b}", f"{b + off}+{a}x+x^2"),
            (f"({a},{b})", f"({a}, {b + off})"),
            (rf"{a}\pi", rf"{a + off}\pi"),
            (f"[{a},{a + b})", f"[{a},{a + b + off})"),
            (rf"\frac{{{a}\pi}}{{{b}}}", rf"\frac{{{a}}}{{{b + off}}}\pi"),
        )
    )


def forget() -> None:
    """Empty every memo, so that a round starts as the first one did."""
    answer_module._kept.clear()
    for memo in _memos():
        memo.cache_clear()


@functools.cache
def _memos() -> list[Any]:
    return [
        thing
        for thing in gc.get_objects()
        if isinstance(thing, functools._lru_cache_wrapper)
        and "markscheme.verifiers" in (thing.__module__ or "")
    ]


def speed(rounds: int = 5) -> None:
    """Print answers a CPU second of both sides in turn, and the ratio's median."""
    from math_verify import parse, verify

    pairs = traffic(1500)
    sides: dict[str, tuple[Callable[[], Any], Callable[[], Any], int]] = {
        "GSM8K/MATH-like pairs": (
            lambda: [compare_answers(*pair) for pair in pairs],
            lambda: [verify(parse(f"${reference}$"), parse(f"${answer}$")) for reference, answer in pairs],
            len(pairs),
        ),
        "real MATH completions": (
            lambda: [verify_answer(row["reference"], row["completion"]) for row in REAL],
            lambda: [verify(parse(f"${row['reference']}$"), parse(row["completion"])) for row in REAL],
            len(REAL),
        ),
    }
    for name, (mine, theirs, count) in sides.items():
        if not count:
            print(f"{name}: no real data at {SHARED}")
            continue
        mine()
        theirs()
        seconds = []
        for _ in range(rounds):
            forget()
            seconds.append((_cpu(mine), _cpu(theirs)))
        ratios = sorted(b / a for a, b in seconds)
        each = [statistics.median(side) / count for side in zip(*seconds, strict=True)]
        print(
            f"{name}: {1 / each[0]:,.0f} a second, math-verify {1 / each[1]:,.0f};"
            f" {statistics.median(ratios):.1f} times as many (rounds {ratios[0]:.1f} to {ratios[-1]:.1f})"
        )


def _cpu(run: Callable[[], Any]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


HARD = [
    (r"\int_0^1 x^2 dx", r"\int_0^1 \frac{x^3}{x} dx"),
    (r"\sum_{n=0}^\infty \frac{1}{2^n}", r"\sum_{n=0}^\infty \frac{2}{2^{n+1}}"),
    (r"\int_0^1 f(x) dx", r"\int_0^1 g(x) dx"),
    (r"\lim_{x\to 0} \frac{\sin x}{x}", r"\lim_{x\to 0} \frac{\tan x}{x}"),
]
HANGING = [
    (
        rf"\int_0^1 \frac{{\ln(1+x+x^5)}}{{1+x^{{{n}}}}} dx",
        rf"\int_0^1 \frac{{\ln(1+x+x^5)}}{{1+x^{{{n + 2}}}}} dx",
    )
    for n in range(9, 29, 2)
]
"""Pairs that only the last tier reads; the second list keeps sympy busy for minutes."""


def latency() -> None:
    """Print percentiles of wall time an answer, of what the last tier is not asked and of what it is."""
    compare_answers(*HARD[0])  # starts the workers
    for name, rows in (
        ("labelled set", LABELLED),
        ("real MATH", REAL),
        ("last tier", [*HARD * 25, *HANGING]),
    ):
        times, slow = [], []
        for row in rows:
            forget()
            start = time.perf_counter()
            verdict = ours(row) if isinstance(row, dict) else compare_answers(*row)
            times.append(time.perf_counter() - start)
            if name != "last tier" and verdict.tier == "last":
                slow.append(times.pop())
        if times:
            p50, p99 = (sorted(times)[int(len(times) * share)] * 1e3 for share in (0.5, 0.99))
            print(
                f"{name}: p50 {p50:.3f} ms, p99 {p99:.2f} ms, most {max(times) * 1e3:.1f} ms, {len(slow)} to the last tier"
            )


def hangs() -> None:
    """Print the time of 1,000 answers with 10 hangs among them, against the bound and math-verify."""
    from math_verify import parse, verify

    easy = traffic(990)
    mixed = [*easy, *HANGING]
    random.Random(5).shuffle(mixed)
    compare_answers(*HARD[0])
    forget()
    normal = _wall(lambda: compare_all(easy))
    forget()
    taken = _wall(lambda: compare_all(mixed))
    workers = min(os.cpu_count() or 1, 8)
    bound = 10 * (LIMIT_S + 0.5) / workers + normal
    theirs = _wall(lambda: [verify(parse(f"${r}$"), parse(f"${a}$")) for r, a in mixed])
    print(
        f"1,000 answers, 10 of them hang: {taken:.2f} s (bound {bound:.2f} s: 10 x ({LIMIT_S} + 0.5) / {workers} workers"
        f" + {normal:.2f}); math-verify, by its signals, {theirs:.1f} s"
    )


def _wall(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def memory(count: int = 100_000) -> None:
    """Print how much this process grows over 100,000 different answers."""
    pairs = traffic(count)
    for pair in pairs[:2000]:
        compare_answers(*pair)
    before = _resident()
    for reference, answer in pairs:
        compare_answers(reference, answer)
    print(f"memory: {before:.0f} MB, after {count:,} answers {_resident():.0f} MB")


def _resident() -> float:
    gc.collect()
    fields = Path("/proc/self/statm")
    if fields.exists():
        return int(fields.read_text().split()[1]) * resource.getpagesize() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def threads() -> None:
    """Print how many verdicts of eight threads differ from those of one."""
    alone = [ours(row).correct for row in LABELLED]
    forget()
    found: dict[int, list[bool | None]] = {}

    def work(k: int) -> None:
        found[k] = [ours(row).correct for row in LABELLED]

    running = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    print(
        "eight threads:",
        sum(one != two for k in range(8) for one, two in zip(alone, found[k], strict=True)),
        "differ",
    )


PARTS = {part.__name__: part for part in (accuracy, speed, latency, hangs, memory, threads)}


def main(given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=[])
    for name in parser.parse_args(given).parts or PARTS:
        PARTS[name]()


if __name__ == "__main__":
    main()
