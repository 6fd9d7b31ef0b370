"""The answer verifier on hostile texts: nothing raises, and nothing takes long.

    python tests/benchmarks/answers_hostile.py [--count 10000] [--start 0] [--seed 0]

Each text of `hostile_answers.py` is compared as the answer and as the reference, with an ordinary answer or with
nearly the same text, and verified as a completion, strictly and leniently. Printed are the exceptions (none is
expected), the calls that took LIMIT_S or longer (none is expected either: the last tier ends after 2 s), and the
slowest. Every text is made from its number alone: `--start 4711 --count 1 --show` repeats one, and prints its calls.
"""

import argparse
import faulthandler
import logging
import signal
import sys
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from types import FrameType
from typing import NamedTuple, NoReturn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from hostile_answers import ORDINARY, counterpart, hostile_text, wrapped
from markscheme.verifiers import Verdict, compare_answers, verify_answer

logging.disable(logging.CRITICAL)
LIMIT_S = 2.5
"""Seconds that no call may reach: the last tier's limit, and half a second for the rest."""
HANG_S = 10
"""Seconds after which a call is given up, so that one that hangs does not end the measurement."""
HEAD = 100
"""Characters of a long text that are printed, and half as many of its end."""
MOST_PRINTED = 50
"""How many of the calls that raised are printed."""


class GivenUpError(BaseException):
    """A call took HANG_S. It is no Exception, so that no handler on the way swallows it."""


class Outcome(NamedTuple):
    """How one call ended: after how many seconds, with which verdict, and with which exception, if it raised one."""

    number: int
    family: str
    call: str
    text: str
    other: str
    seconds: float
    verdict: str
    error: str


def outcomes_of_text(number: int, seed: int) -> Iterator[Outcome]:
    """Make the hostile text of this number, and yield how each call on it ends."""
    rng = Random(f"{seed}-{number}")
    family, text = hostile_text(rng)
    other = counterpart(rng, text)
    reference = rng.choice(ORDINARY)
    completion = wrapped(rng, text)
    calls: list[tuple[str, Callable[[], Verdict], str, str]] = [
        ("as answer", lambda: compare_answers(other, text), text, other),
        ("as reference", lambda: compare_answers(text, other), text, other),
        ("strict", lambda: verify_answer(reference, completion), completion, reference),
        ("lenient", lambda: verify_answer(reference, completion, extract="lenient"), completion, reference),
    ]
    for name, call, judged, other_text in calls:
        ended = run_call(call)
        yield Outcome(number, family, name, _head(judged), _head(other_text), *ended)


def run_call(call: Callable[[], Verdict]) -> tuple[float, str, str]:
    """Return the seconds that a call took, its verdict, and the exception with which it ended."""
    signal.alarm(HANG_S)
    start = time.perf_counter()
    try:
        verdict = call()
        described, raised = f"{verdict.correct}: {verdict.reason}", ""
    except (Exception, GivenUpError) as error:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
        places = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames[:-4:-1])
        described, raised = "raised", f"{type(error).__name__}: {str(error)[:HEAD]} ({places})"
    finally:
        signal.alarm(0)
    return time.perf_counter() - start, described, raised


def _give_up(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise GivenUpError(f"no verdict after {HANG_S} s")


def _head(text: str) -> str:
    if len(text) <= 2 * HEAD:
        return ascii(text)
    return f"{text[:HEAD]!a} ... {text[-HEAD // 2 :]!a} ({len(text):,} characters)"


def print_outcome(outcome: Outcome) -> None:
    print(
        f"  {outcome.seconds:7.3f} s  number {outcome.number}, {outcome.family}, {outcome.call}: {outcome.verdict}\n"
        f"      {outcome.text}\n      with {outcome.other}"
    )
    if outcome.error:
        print(f"      {outcome.error}")


def print_families(outcomes: list[Outcome]) -> None:
    """Print for each family the number of calls, the times, and how many had which verdict."""
    by_family: defaultdict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_family[outcome.family].append(outcome)
    print(f"{'family':14}{'calls':>7}{'seconds':>9}{'median ms':>11}{'longest s':>11}   verdicts")
    for family, of_family in sorted(by_family.items()):
        seconds = sorted(outcome.seconds for outcome in of_family)
        verdicts = Counter(outcome.verdict.partition(":")[0] for outcome in of_family)
        print(
            f"{family:14}{len(seconds):7}{sum(seconds):9.1f}{1000 * seconds[len(seconds) // 2]:11.2f}{seconds[-1]:11.2f}"
            f"   {', '.join(f'{verdict} {count}' for verdict, count in sorted(verdicts.items()))}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=10_000, help="how many texts, each in four calls")
    parser.add_argument("--start", type=int, default=0, help="the number of the first text")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--slowest", type=int, default=10, help="how many of the slowest calls to print")
    parser.add_argument(
        "--accepted",
        action="store_true",
        help="print the comparisons of different texts that are judged right",
    )
    parser.add_argument("--show", action="store_true", help="print every call")
    args = parser.parse_args()
    faulthandler.enable()
    signal.signal(signal.SIGALRM, _give_up)
    compare_answers(r"\int_0^1 x dx", r"\int_0^1 y dy")  # starts the worker processes
    outcomes: list[Outcome] = []
    for number in range(args.start, args.start + args.count):
        for outcome in outcomes_of_text(number, args.seed):
            outcomes.append(outcome)
            if args.show:
                print_outcome(outcome)
    print_families(outcomes)
    raised = [outcome for outcome in outcomes if outcome.error]
    slow = [outcome for outcome in outcomes if outcome.seconds >= LIMIT_S]
    print(
        f"\n{args.count} texts, {len(outcomes)} calls: {len(raised)} raised,"
        f" {len(slow)} took {LIMIT_S} s or longer"
    )
    for outcome in raised[:MOST_PRINTED]:
        print_outcome(outcome)
    if args.accepted:
        print("\njudged right though the texts differ (a plus sign or a factor 1 more is right):")
        for outcome in outcomes:
            if (
                outcome.verdict.startswith("True")
                and outcome.call == "as answer"
                and outcome.text != outcome.other
            ):
                print_outcome(outcome)
    print("\nthe slowest:")
    for outcome in sorted(outcomes, key=lambda outcome: -outcome.seconds)[: args.slowest]:
        print_outcome(outcome)


if __name__ == "__main__":
    main()
