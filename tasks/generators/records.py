r"""Sentences to be written as JSON records, and a teacher that writes numbers as texts.

    ben is 34, lives in oslo, 2 cats:      {"name":"ben","age":34,"city":"oslo","cats":2}

Sentences name the facts in different orders, the record always in the same. The teacher puts quotes around a
number with probability `mistakes`, so that its record breaks the schema of the task. As in `addition.py`,
GRPO on this task selects a behaviour which the policy already samples.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

from ...sandbox.errors import TaskError

NAMES = ("ann", "ben", "cleo", "dan", "eva", "finn", "gus", "hana", "ivan", "june")
CITIES = ("oslo", "rome", "lima", "kyoto", "cairo", "delhi", "quito", "paris")
SENTENCES = (
    "{name} is {age}, lives in {city}, {cats} cats:",
    "{cats} cats and {name} live in {city}; age {age}:",
    "in {city}, {age} years old: {name} with {cats} cats:",
)
MOST_REPEATS = 1000
"""A split counts as used up after this many draws in a row of prompts that were drawn before."""


class Records:
    """A generator of sentences that state four facts, each solved by a JSON object with them.

    In a task: `{generator: records, limit: 4000}`

    Args:
        mistakes: probability, 0 to 1, that the teacher of the tiny policy writes a number as a text.
    """

    pieces = (
        '{"name":"', '","age":', ',"city":"', '","cats":', '"', "}", " is ", ", lives in ", ", ", " cats:",
        " cats and ", " live in ", "; age ", ":", "in ", " years old: ", " with ", *NAMES, *CITIES,
        *"0123456789",
    )  # fmt: skip
    """Every prompt and record is a sequence of these texts; they become the tiny policy's tokens."""
    warm_start_steps = 600
    """Batches of the teacher's records that the tiny policy is trained on before GRPO."""

    def __init__(self, *, mistakes: float = 0.5):
        if not 0 <= mistakes <= 1:
            raise TaskError(f"records: mistakes must be a number from 0 to 1 (given: {mistakes!r})")
        self.mistakes = mistakes

    def problems(self, seed: int, split: str) -> Iterator[dict[str, Any]]:
        """Yield distinct rows of the split `train` or `test`, in an order that depends on `seed`.

        A hash of the prompt decides which split it belongs to. Columns: prompt, reference (the record),
        solution (the same), name, age, city, cats.

        Raises:
            TaskError: there is no such split.
        """
        if split not in ("train", "test"):
            raise TaskError(f"records has the splits train and test (given: {split!r})")
        rng = Random(f"{seed}/{split}")
        seen: set[str] = set()
        repeats = 0
        while repeats < MOST_REPEATS:
            facts = {
                "name": rng.choice(NAMES),
                "age": rng.randint(10, 99),
                "city": rng.choice(CITIES),
                "cats": rng.randint(2, 9),
            }
            prompt = rng.choice(SENTENCES).format(**facts)
            if prompt in seen:
                repeats += 1
            elif _split_of(prompt) == split:
                seen.add(prompt)
                repeats = 0
                record = json.dumps(facts, separators=(",", ":"))
                yield {**facts, "prompt": prompt, "reference": record, "solution": record}

    def teacher(self, row: Mapping[str, Any], rng: Random) -> str:
        """Return the teacher's record for a row, with numbers as texts with probability `mistakes`."""
        facts = {name: row[name] for name in ("name", "age", "city", "cats")}
        for name in ("age", "cats"):
            if rng.random() < self.mistakes:
                facts[name] = str(facts[name])
        return json.dumps(facts, separators=(",", ":"))


def _split_of(prompt: str) -> str:
    """Return the split of a problem: `test` for a tenth of all prompts (26 of 256), chosen by a hash."""
    return "test" if hashlib.sha256(prompt.encode()).digest()[0] < 26 else "train"
