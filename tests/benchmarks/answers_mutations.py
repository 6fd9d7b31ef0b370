"""The answer verifier on right answers with one small change: how many mutations are accepted, by kind.

    python tests/benchmarks/answers_mutations.py [--count 50000] [--seed 0] [-o accepted.txt]

The references are those of the labelled answers, of GSM8K and of the MATH completions where the folder of real data
is available (`MARKSCHEME_SHARED`), random formulas, and quantities, percentages and decimals made from the numbers.
Each pair of a reference and its mutation is judged by `compare_answers`. A mutation may still be right: an
independent check (`equality_check.py`) drops accepted pairs that are equal numbers, the same items in another order,
or equal for sympy; a percent sign that was added to a bare number or removed is right by policy. The rest is for a
person to read: `-o` writes these pairs, grouped, with the tier that accepted them, and behind them those dropped.
"""

import argparse
import logging
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from answer_pairs import usual_pairs
from answer_rows import DATA, read_rows
from equality_check import equal_pairs
from markscheme.verifiers import compare_answers
from mutated_answers import KINDS, built_references, change_one, mutate
from support import LABELLED_ANSWERS

logging.disable(logging.CRITICAL)
TRIES = 100
"""Tries to make one mutant, because most references have no place for most mutations."""
BY_POLICY = {
    ("percent", "added"),
    ("percent", "dropped"),
    ("relation", "and to or"),
    ("relation", "or to and"),
}
"""Mutations that the labelled answers call right: 35 for 35 %, and `2 or 5` for `2 and 5`."""


class Mutant(NamedTuple):
    """A reference with one change."""

    kind: str
    name: str
    reference: str
    text: str


def references(rng: random.Random) -> list[list[str]]:
    """Return the references by source, without repetitions."""
    labelled = [row["reference"] for row in LABELLED_ANSWERS if row["correct"]]
    test = [row["answer"].rpartition("#### ")[2] for row in read_rows(DATA / "gsm8k_test.jsonl")]
    math = [row["reference"] for row in read_rows(DATA / "math_model_solutions.jsonl")]
    formulas = [reference for reference, _ in usual_pairs(20_000) if not reference.isdigit()]
    built = built_references(rng, [number for number in test if number.isdigit()] or list("23456789"))
    sources = (labelled, test, math, formulas, built)
    return [list(dict.fromkeys(source)) for source in sources if source]


def mutants(count: int, seed: int) -> list[Mutant]:
    """Return `count` different mutants, of each mutation the same number as far as there are places for it."""
    rng = random.Random(seed)
    sources = references(rng)
    made: dict[tuple[str, str], Mutant] = {}
    before = -1
    while before < len(made) < count:  # until a round over all mutations makes nothing new
        before = len(made)
        for kind, mutations in KINDS.items():
            for name in mutations:
                mutant = _mutant(rng, sources, kind, name)
                if mutant is not None:
                    made.setdefault((mutant.reference, mutant.text), mutant)
    return list(made.values())[:count]


def _mutant(rng: random.Random, sources: list[list[str]], kind: str, name: str) -> Mutant | None:
    """Return a mutant of a random reference, which has another digit half of the time; None if no try had a place.

    The other digit is neither 0 nor 1, with which many mutations change nothing.
    """
    for _ in range(TRIES):
        reference = rng.choice(rng.choice(sources))
        if rng.random() < 0.5:
            reference = change_one(rng, reference, "[2-9]", lambda _: rng.choice("23456789")) or reference
        text = mutate(rng, reference, kind, name)
        if text is not None:
            return Mutant(kind, name, reference, text)
    return None


def write_pairs(path: Path, titled: dict[str, list[tuple[Mutant, str]]]) -> None:
    """Write pairs with the tiers that accepted them, under a title for each group and for each mutation."""
    lines = []
    for title, accepted in titled.items():
        lines += [f"# {title}: {len(accepted)}", ""]
        previous = None
        for mutant, tier in sorted(accepted):
            if previous != mutant[:2]:
                lines.append(f"## {mutant.kind}: {mutant.name}")
                previous = mutant[:2]
            lines.append(f"{tier:10} {mutant.reference!r}  <-  {mutant.text!r}")
        lines.append("")
    path.write_text("\n".join(lines), encoding="utf-8")


def print_counts(
    made: list[Mutant], accepted: list[Mutant], equal: list[Mutant], to_read: list[Mutant]
) -> None:
    columns = [
        Counter((mutant.kind, mutant.name) for mutant in group) for group in (made, accepted, equal, to_read)
    ]
    print(f"{'mutation':42}{'made':>8}{'accepted':>10}{'equal':>8}{'to read':>9}")
    for kind, names in KINDS.items():
        for name in names:
            numbers = [column[kind, name] for column in columns]
            print("{:42}{:8}{:10}{:8}{:9}".format(f"{kind}: {name}", *numbers))
    print("{:42}{:8}{:10}{:8}{:9}".format("all", *(column.total() for column in columns)))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=50_000, help="how many mutations to make")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, help="where to write the accepted pairs")
    args = parser.parse_args()
    made = mutants(args.count, args.seed)
    start = time.perf_counter()
    accepted: dict[Mutant, str] = {}
    undecided: dict[Mutant, str] = {}
    for mutant in made:
        verdict = compare_answers(mutant.reference, mutant.text)
        if verdict.correct:
            accepted[mutant] = str(verdict.tier)
        elif verdict.correct is None:
            undecided[mutant] = str(verdict.tier)
    seconds = time.perf_counter() - start
    checked = [mutant for mutant in accepted if mutant[:2] not in BY_POLICY]
    verdicts = equal_pairs((mutant.reference, mutant.text) for mutant in checked)
    to_read = [mutant for mutant, equal in zip(checked, verdicts, strict=True) if not equal]
    dropped = [mutant for mutant in accepted if mutant not in set(to_read)]
    print_counts(made, list(accepted), dropped, to_read)
    print(f"{len(made)} mutations judged in {seconds:.0f} s, {len(undecided)} of them undecided")
    if args.output:
        write_pairs(
            args.output,
            {
                "accepted": [(mutant, accepted[mutant]) for mutant in to_read],
                "undecided": list(undecided.items()),
                "accepted and equal, or right by policy": [(mutant, accepted[mutant]) for mutant in dropped],
            },
        )


if __name__ == "__main__":
    main()
