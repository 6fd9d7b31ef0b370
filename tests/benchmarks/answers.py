"""The answer verifier against math-verify, both sides in turn in one process.

    python tests/benchmarks/answers.py                     every part
    python tests/benchmarks/answers.py accuracy speed      some: accuracy, speed, latency, hangs, memory, threads

Accuracy and latency are measured on the labelled answers (`tests/data/answers.jsonl`), and on 400 real MATH
completions where the folder of real data is available (`MARKSCHEME_SHARED`). math-verify reads each pair both
in math mode and bare; the better of its two verdicts counts.
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
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from answer_pairs import HARD_PAIRS, usual_pairs
from markscheme.verifiers import Verdict, compare_answers, verify_answer
from markscheme.verifiers.answers import verify as answer_module
from markscheme.verifiers.answers.math_verify import LIMIT_S
from markscheme.verifiers.answers.verify import compare_all
from support import HANGING_PAIRS, LABELLED_ANSWERS, ROOT, judge_labelled

logging.disable(logging.CRITICAL)  # math-verify warns of every timeout
Row = dict[str, Any]
DATA = Path(os.environ.get("MARKSCHEME_SHARED", ROOT.parent / "shared")) / "data"


def real_rows() -> list[Row]:
    """Return the real MATH completions; none where there is no real data."""
    path = DATA / "math_model_solutions.jsonl"
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    return [{**json.loads(line), "kind": "real MATH", "extract": "strict"} for line in lines]


REAL = real_rows()


def verdict_of_math_verify(row: Row) -> bool:
    """Return math-verify's verdict on a row; of its two readings the one that fits the label."""
    from math_verify import parse, verify

    text = row.get("answer", row.get("completion", ""))
    in_math_mode = ("$%s$", "$%s$" if "answer" in row else "%s")
    verdicts = set()
    for reference, answer in (in_math_mode, ("%s", "%s")):
        try:
            verdicts.add(verify(parse(reference % row["reference"]), parse(answer % text)))
        except Exception:
            verdicts.add(False)
    return row["correct"] if row["correct"] in verdicts else not row["correct"]


def outcome(verdict: bool | None, label: bool) -> str:
    """Return what a verdict is by its label: right, false +, false - or undecided."""
    if verdict is None:
        return "undecided"
    if verdict is label:
        return "right"
    return "false +" if verdict else "false -"


def accuracy() -> None:
    """Print the share of right marks and the wrong marks of both sides, and the rows that only the peer has right."""
    print(
        f"\n{'kind':14}{'rows':>5}   markscheme: right  false +  false -  undecided   math-verify: right  false +  false -"
    )
    only_math_verify: list[tuple[Row, Verdict]] = []
    by_kind: dict[str, Counter[str]] = {}
    for row in [*LABELLED_ANSWERS, *REAL]:
        counts = by_kind.setdefault(row["kind"], Counter())
        verdict = judge_labelled(row)
        theirs = outcome(verdict_of_math_verify(row), row["correct"])
        counts["rows"] += 1
        counts[outcome(verdict.correct, row["correct"])] += 1
        counts[f"their {theirs}"] += 1
        counts["before last"] += verdict.tier != "last"
        if verdict.correct is not row["correct"] and theirs == "right":
            only_math_verify.append((row, verdict))
    total: Counter[str] = Counter()
    for kind, counts in by_kind.items():
        _print_marks(kind, counts)
        if kind != "real MATH":
            total += counts
    _print_marks("labelled set", total)
    print("rows that only math-verify marks as labelled:", len(only_math_verify))
    for row, verdict in only_math_verify:
        print("  ", {key: value for key, value in row.items() if key != "completion"}, verdict)


def _print_marks(kind: str, counts: Counter[str]) -> None:
    rows = counts["rows"]
    print(
        f"{kind:14}{rows:5}   {counts['right'] / rows:17.2%} {counts['false +']:8} {counts['false -']:8} {counts['undecided']:10}"
        f"   {counts['their right'] / rows:18.2%} {counts['their false +']:8} {counts['their false -']:8}"
        f"   settled before the last tier {counts['before last'] / rows:.2%}"
    )


def forget_verdicts() -> None:
    """Empty all memory of earlier answers, so that a round starts as the first one did."""
    answer_module._kept.clear()
    for memo in _memos():
        memo.cache_clear()


@functools.cache
def _memos() -> list[Any]:
    """Return the functions of the verifiers that remember their results."""
    return [
        thing
        for thing in gc.get_objects()
        if isinstance(thing, functools._lru_cache_wrapper)
        and "markscheme.verifiers" in (thing.__module__ or "")
    ]


def compare_by_math_verify(pairs: Iterable[tuple[str, str]]) -> None:
    from math_verify import parse, verify

    for reference, answer in pairs:
        verify(parse(f"${reference}$"), parse(f"${answer}$"))


def verify_by_math_verify(rows: Iterable[Row]) -> None:
    from math_verify import parse, verify

    for row in rows:
        verify(parse(f"${row['reference']}$"), parse(row["completion"]))


def compare_ours(pairs: Iterable[tuple[str, str]]) -> None:
    for pair in pairs:
        compare_answers(*pair)


def verify_ours(rows: Iterable[Row]) -> None:
    for row in rows:
        verify_answer(row["reference"], row["completion"])


def speed(rounds: int = 5) -> None:
    """Print answers per CPU second of both sides, measured in turn, and the median of the ratio."""
    sides: list[tuple[str, Callable[[Any], None], Callable[[Any], None], Sequence[Any]]] = [
        ("GSM8K/MATH-like pairs", compare_ours, compare_by_math_verify, usual_pairs(1500)),
        ("real MATH completions", verify_ours, verify_by_math_verify, REAL),
    ]
    for name, ours, theirs, data in sides:
        if not data:
            print(f"{name}: no real data at {DATA}")
            continue
        ours(data)
        theirs(data)
        seconds = []
        for _ in range(rounds):
            forget_verdicts()
            seconds.append((_cpu_seconds(ours, data), _cpu_seconds(theirs, data)))
        ratios = sorted(of_theirs / of_ours for of_ours, of_theirs in seconds)
        ours_each, theirs_each = (statistics.median(side) / len(data) for side in zip(*seconds, strict=True))
        print(
            f"{name}: {1 / ours_each:,.0f} a second, math-verify {1 / theirs_each:,.0f};"
            f" {statistics.median(ratios):.1f} times as many (rounds {ratios[0]:.1f} to {ratios[-1]:.1f})"
        )


def _cpu_seconds(function: Callable[[Any], Any], data: Any) -> float:
    start = time.process_time()
    function(data)
    return time.process_time() - start


def latency() -> None:
    """Print percentiles of the wall time per answer, of those that need the last tier and of those that do not."""
    compare_answers(*HARD_PAIRS[0])  # starts the worker processes
    for name, rows in (("labelled set", LABELLED_ANSWERS), ("real MATH", REAL)):
        timed = [_timed(judge_labelled, row) for row in rows]
        times = [seconds for seconds, verdict in timed if verdict.tier != "last"]
        _print_latency(name, times, f", {len(timed) - len(times)} to the last tier")
    pairs = [*HARD_PAIRS * 25, *HANGING_PAIRS]
    times = [_timed(compare_answers, *pair)[0] for pair in pairs]
    _print_latency("last tier", times)


def _timed(judge: Callable[..., Verdict], *arguments: Any) -> tuple[float, Verdict]:
    forget_verdicts()
    start = time.perf_counter()
    verdict = judge(*arguments)
    return time.perf_counter() - start, verdict


def _print_latency(name: str, times: list[float], more: str = "") -> None:
    if times:
        p50, p99 = (sorted(times)[int(len(times) * share)] * 1e3 for share in (0.5, 0.99))
        print(f"{name}: p50 {p50:.3f} ms, p99 {p99:.2f} ms, most {max(times) * 1e3:.1f} ms{more}")


def hangs() -> None:
    """Print the time of 1,000 answers of which 10 hang, beside its bound and math-verify's time."""
    easy = usual_pairs(990)
    mixed = [*easy, *HANGING_PAIRS]
    random.Random(5).shuffle(mixed)
    compare_answers(*HARD_PAIRS[0])  # starts the worker processes
    forget_verdicts()
    without_hangs = _wall_seconds(compare_all, easy)
    forget_verdicts()
    with_hangs = _wall_seconds(compare_all, mixed)
    workers = min(os.cpu_count() or 1, 8)
    bound = 10 * (LIMIT_S + 0.5) / workers + without_hangs
    print(
        f"1,000 answers, 10 of them hang: {with_hangs:.2f} s (bound {bound:.2f} s: 10 x ({LIMIT_S} + 0.5) / {workers} workers"
        f" + {without_hangs:.2f}); math-verify, by its signals, {_wall_seconds(compare_by_math_verify, mixed):.1f} s"
    )


def _wall_seconds(function: Callable[[Any], Any], data: Any) -> float:
    start = time.perf_counter()
    function(data)
    return time.perf_counter() - start


def memory(count: int = 100_000) -> None:
    """Print how much this process grows over 100,000 different answers."""
    pairs = usual_pairs(count)
    for pair in pairs[:2000]:
        compare_answers(*pair)
    before = _resident_mb()
    for reference, answer in pairs:
        compare_answers(reference, answer)
    print(f"memory: {before:.0f} MB, after {count:,} answers {_resident_mb():.0f} MB")


def _resident_mb() -> float:
    gc.collect()
    fields = Path("/proc/self/statm")
    if fields.exists():
        return int(fields.read_text().split()[1]) * resource.getpagesize() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # bytes on macOS, and the peak


def threads() -> None:
    """Print how many verdicts of eight threads differ from those of one."""
    of_one = [judge_labelled(row).correct for row in LABELLED_ANSWERS]
    forget_verdicts()
    of_thread: dict[int, list[bool | None]] = {}

    def work(number: int) -> None:
        of_thread[number] = [judge_labelled(row).correct for row in LABELLED_ANSWERS]

    running = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    differences = 0
    for number in range(8):
        differences += sum(one != other for one, other in zip(of_one, of_thread[number], strict=True))
    print("eight threads:", differences, "differ")


PARTS = {part.__name__: part for part in (accuracy, speed, latency, hangs, memory, threads)}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=[])
    for name in parser.parse_args(arguments).parts or PARTS:
        PARTS[name]()


if __name__ == "__main__":
    main()
