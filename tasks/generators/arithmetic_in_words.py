"""Arithmetic asked in words, for language models that can read: sums, and stories.

    Calculate 34 plus 48. Reply with just the number.
    Mia has 14 stickers and gives 5 away. How many stickers are left? Reply with just the number.

There is no teacher and there are no text pieces, so the tiny policy cannot be built for these problems. A
real model answers them, such as `policy: {model: smollm2}`.
"""

import hashlib
from collections.abc import Iterator
from random import Random
from typing import Any

from ...sandbox.errors import TaskError

SUMS = ("Calculate {a} plus {b}.", "What is {a} plus {b}?", "Add {a} to {b}.")
GAINS = (
    "{name} has {a} {things} and buys {b} more. How many {things} does {name} have now?",
    "There are {a} {things} in a box and {b} on the table. How many {things} are there?",
    "{name} found {a} {things} on Monday and {b} on Tuesday. How many {things} did {name} find?",
)
LOSSES = (
    "{name} has {a} {things} and gives {b} away. How many {things} are left?",
    "There were {a} {things} in a box. {name} took {b} out. How many {things} are in the box now?",
    "{name} bought {a} {things} and lost {b} of them. How many {things} does {name} have now?",
)
ORDER = " Reply with just the number."
NAMES = ("Mia", "Tom", "Ada", "Ben", "Lea", "Omar", "Ines", "Raj")
THINGS = ("stickers", "apples", "marbles", "books", "coins", "pencils", "cards", "shells")
MOST_REPEATS = 1000
"""A split counts as used up after this many draws in a row of prompts that were drawn before."""


class ArithmeticInWords:
    """A generator of arithmetic problems in words.

    In a task: `{generator: arithmetic_in_words, kind: stories, high: 20, limit: 2000}`

    Args:
        kind: `sums` (one question, in a few forms) or `stories` (something is added or taken away).
        low: the smallest number, 0 or more.
        high: the largest number, above `low` and at most 9999.
    """

    def __init__(self, *, kind: str = "sums", low: int = 10, high: int = 99):
        if kind not in ("sums", "stories"):
            raise TaskError(f"arithmetic_in_words: kind must be sums or stories (given: {kind!r})")
        if not (isinstance(low, int) and isinstance(high, int) and 0 <= low < high <= 9999):
            raise TaskError(
                "arithmetic_in_words: low and high must be whole numbers with 0 <= low < high <= 9999"
                f" (given: {low!r} and {high!r})"
            )
        self.kind, self.low, self.high = kind, low, high

    def problems(self, seed: int, split: str) -> Iterator[dict[str, Any]]:
        """Yield distinct rows of the split `train` or `test`, in an order that depends on `seed`.

        A hash of the numbers decides which split a problem belongs to, so that what is asked in one is never
        asked in the other, in whatever words. Columns: prompt, reference, solution.

        Raises:
            TaskError: there is no such split.
        """
        if split not in ("train", "test"):
            raise TaskError(f"arithmetic_in_words has the splits train and test (given: {split!r})")
        rng = Random(f"{seed}/{split}")
        seen: set[str] = set()
        repeats = 0
        while repeats < MOST_REPEATS:
            a, b = rng.randint(self.low, self.high), rng.randint(self.low, self.high)
            row = self._row(a, b, rng)
            if row["prompt"] in seen:
                repeats += 1
            elif _split_of(a, b) == split:
                seen.add(row["prompt"])
                repeats = 0
                yield row

    def _row(self, a: int, b: int, rng: Random) -> dict[str, Any]:
        a_loss = self.kind == "stories" and rng.random() < 0.5
        if a_loss:
            a, b = max(a, b), min(a, b)
        texts = LOSSES if a_loss else GAINS
        if self.kind == "sums":
            texts = SUMS
        text = rng.choice(texts).format(a=a, b=b, name=rng.choice(NAMES), things=rng.choice(THINGS))
        answer, sign = (a - b, "-") if a_loss else (a + b, "+")
        return {
            "prompt": text + ORDER,
            "reference": str(answer),
            "solution": f"{a} {sign} {b} = {answer}",
        }


def _split_of(a: int, b: int) -> str:
    """Return the split of two numbers in any order: `test` for a tenth of all, chosen by a hash."""
    digest = hashlib.sha256(f"{min(a, b)}/{max(a, b)}".encode()).digest()
    return "test" if digest[0] < 26 else "train"
