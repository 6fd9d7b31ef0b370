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
import logging
import os
import random
import resource
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from answer_pairs import HARD_PAIRS, usual_pairs
from answer_rows import DATA, Row, outcome, read_rows
from answers_math_verify import compare_by_math_verify, verdict_of_math_verify, verify_by_math_verify
from markscheme.verifiers import Verdict, compare_answers, verify_answer
from markscheme.verifiers.answers import compare as answer_module
from markscheme.verifiers.answers.compare import compare_all
from markscheme.verifiers.answers.math_verify import LIMIT_S
from support import HANGING_PAIRS, LABELLED_ANSWERS, judge_labelled

logging.disable(logging.CRITICAL)  # math-verify logs a warning for every timeout
REAL = [
    {**row, "kind": "real MATH", "extract": "strict"}
    for row in read_rows(DATA / "math_model_solutions.jsonl")
]
"""The real MATH completions; empty where the folder of real data is missing."""


def accuracy() -> None:
    """Print how each side's verdicts compare with the labels, and the rows that only math-verify judges as labelled."""
    print(
        f"\n{'kind':14}{'rows':>5}   markscheme: right  false +  false -  undecided   math-verify: right  false +  false -"
    )
    only_math_verify: list[tuple[Row, Verdict]] = []
    by_kind: dict[str, Counter[str]] = {}
    for row in [*LABELLED_ANSWERS, *REAL]:
        counts = by_kind.setdefault(row["kind"], Counter())
        verdict = judge_labelled(row)
        outcome_of_math_verify = outcome(verdict_of_math_verify(row), row["correct"])
        counts["rows"] += 1
        counts[outcome(verdict.correct, row["correct"])] += 1
        counts[f"math-verify: {outcome_of_math_verify}"] += 1
        counts["before last"] += verdict.tier != "last"
        if verdict.correct is not row["correct"] and outcome_of_math_verify == "right":
            only_math_verify.append((row, verdict))
    total: Counter[str] = Counter()
    for kind, counts in by_kind.items():
        _print_outcomes(kind, counts)
        if kind != "real MATH":
            total += counts
    _print_outcomes("labelled set", total)
    print("rows that only math-verify judges as labelled:", len(only_math_verify))
    for row, verdict in only_math_verify:
        print("  ", {key: value for key, value in row.items() if key != "completion"}, verdict)


def _print_outcomes(kind: str, counts: Counter[str]) -> None:
    rows = counts["rows"]
    print(
        f"{kind:14}{rows:5}   {counts['right'] / rows:17.2%} {counts['false +']:8} {counts['false -']:8} {counts['undecided']:10}"
        f"   {counts['math-verify: right'] / rows:18.2%} {counts['math-verify: false +']:8} {counts['math-verify: false -']:8}"
        f"   settled before the last tier {counts['before last'] / rows:.2%}"
    )


def forget_verdicts() -> None:
    """Empty all caches of earlier answers, so that every round starts as the first one did."""
    answer_module._kept.clear()
    for function in _cached_functions():
        function.cache_clear()


@functools.cache
def _cached_functions() -> list[Any]:
    """Return the functions of the verifiers that have an `lru_cache`."""
    return [
        candidate
        for candidate in gc.get_objects()
        if isinstance(candidate, functools._lru_cache_wrapper)
        and "markscheme.verifiers" in (candidate.__module__ or "")
    ]


def compare_by_markscheme(pairs: Iterable[tuple[str, str]]) -> None:
    for pair in pairs:
        compare_answers(*pair)


def verify_by_markscheme(rows: Iterable[Row]) -> None:
    for row in rows:
        verify_answer(row["reference"], row["completion"])


def speed(rounds: int = 5) -> None:
    """Print answers per CPU second of both sides, measured in turn, and the median of their ratio."""
    print_speed(
        "GSM8K/MATH-like pairs", compare_by_markscheme, compare_by_math_verify, usual_pairs(1500), rounds
    )
    if REAL:
        print_speed("real MATH completions", verify_by_markscheme, verify_by_math_verify, REAL, rounds)
    else:
        print(f"real MATH completions: no real data at {DATA}")


def print_speed(
    name: str,
    judge: Callable[[Any], None],
    judge_by_peer: Callable[[Any], None],
    answers: Sequence[Any],
    rounds: int,
) -> None:
    judge(answers)
    judge_by_peer(answers)
    seconds, peer_seconds = [], []
    for _ in range(rounds):
        forget_verdicts()
        seconds.append(_cpu_seconds(judge, answers))
        peer_seconds.append(_cpu_seconds(judge_by_peer, answers))
    ratios = sorted(peer / ours for ours, peer in zip(seconds, peer_seconds, strict=True))
    rate, peer_rate = (len(answers) / statistics.median(side) for side in (seconds, peer_seconds))
    print(
        f"{name}: {rate:,.0f} answers per CPU second, math-verify {peer_rate:,.0f};"
        f" {statistics.median(ratios):.1f} times as many (rounds {ratios[0]:.1f} to {ratios[-1]:.1f})"
    )


def _cpu_seconds(function: Callable[[Any], Any], argument: Any) -> float:
    start = time.process_time()
    function(argument)
    return time.process_time() - start


def latency() -> None:
    """Print percentiles of the wall time per answer, apart for answers that need the last tier and for the others."""
    compare_answers(*HARD_PAIRS[0])  # starts the worker processes
    for name, rows in (("labelled set", LABELLED_ANSWERS), ("real MATH", REAL)):
        timed_verdicts = [_timed_verdict(judge_labelled, row) for row in rows]
        seconds = [time_s for time_s, verdict in timed_verdicts if verdict.tier != "last"]
        left_out = len(timed_verdicts) - len(seconds)
        _print_percentiles(name, seconds, f" (without {left_out} that went to the last tier)")
    pairs = [*HARD_PAIRS * 25, *HANGING_PAIRS]
    _print_percentiles("last tier", [_timed_verdict(compare_answers, *pair)[0] for pair in pairs])


def _timed_verdict(judge: Callable[..., Verdict], *arguments: Any) -> tuple[float, Verdict]:
    """Return the wall seconds that a verdict takes when nothing is cached, and the verdict."""
    forget_verdicts()
    start = time.perf_counter()
    verdict = judge(*arguments)
    return time.perf_counter() - start, verdict


def _print_percentiles(name: str, seconds: list[float], remark: str = "") -> None:
    if seconds:
        p50, p99 = (1e3 * sorted(seconds)[int(len(seconds) * share)] for share in (0.5, 0.99))
        print(
            f"{name}: median {p50:.3f} ms, 99th percentile {p99:.2f} ms, longest {max(seconds) * 1e3:.1f} ms{remark}"
        )


def hangs() -> None:
    """Print the time of 1,000 answers, 10 of which hang, beside the longest that it may take and math-verify's time."""
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
        f"1,000 answers, 10 of which hang: {with_hangs:.2f} s"
        f" (at most {bound:.2f} s: 10 x ({LIMIT_S} + 0.5) / {workers} workers + {without_hangs:.2f});"
        f" math-verify, which ends them by signals, {_wall_seconds(compare_by_math_verify, mixed):.1f} s"
    )


def _wall_seconds(function: Callable[[Any], Any], argument: Any) -> float:
    start = time.perf_counter()
    function(argument)
    return time.perf_counter() - start


def memory(count: int = 100_000) -> None:
    """Print how much this process grows over 100,000 different answers."""
    pairs = usual_pairs(count)
    for pair in pairs[:2000]:
        compare_answers(*pair)
    before = _resident_mb()
    for reference, answer in pairs:
        compare_answers(reference, answer)
    print(f"memory: {before:.0f} MB before and {_resident_mb():.0f} MB after {count:,} different answers")


def _resident_mb() -> float:
    gc.collect()
    fields = Path("/proc/self/statm")
    if fields.exists():
        return int(fields.read_text().split()[1]) * resource.getpagesize() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # bytes on macOS, and the peak


def threads() -> None:
    """Print how many verdicts of eight threads differ from those of one."""
    expected = _verdicts_on_labelled_answers()
    forget_verdicts()
    with ThreadPoolExecutor(8) as pool:
        running = [pool.submit(_verdicts_on_labelled_answers) for _ in range(8)]
        differences = 0
        for future in running:
            verdicts = future.result()
            differences += sum(one != other for one, other in zip(expected, verdicts, strict=True))
    print(f"eight threads at once: {differences} verdicts differ from those of one thread")


def _verdicts_on_labelled_answers() -> list[bool | None]:
    return [judge_labelled(row).correct for row in LABELLED_ANSWERS]


PARTS = {part.__name__: part for part in (accuracy, speed, latency, hangs, memory, threads)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    # argparse checks the default of a list of choices too, so the empty list has to be one of them.
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=[])
    for name in parser.parse_args().parts or PARTS:
        PARTS[name]()


if __name__ == "__main__":
    main()
