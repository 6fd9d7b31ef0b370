r"""Deductions from implications, such as `a>b,b>c,d>e;a;c?`, and a teacher that turns implications around.

    a>b,b>c,d>e;a;c?      <think>a>b>c
                          a first
                          </think>\boxed{yes}

The first part has the rules: `a>b` says that b holds if a does. The second is what is known (`a`, or `-a`
if it does not hold), the third what is asked. The solution names the way from one to the other, and whether
what is known comes first on it. The answer is yes, no, or unknown where the rules do not tell. The teacher
concludes the cause from the effect with probability `mistakes`, the fallacy of affirming the consequent
(and its twin, denying the antecedent), and then says yes or no where the answer is unknown. As in
`addition.py`, GRPO on this task selects a behaviour which the policy already samples.
"""

import hashlib
from collections.abc import Iterator, Mapping
from itertools import pairwise
from random import Random
from typing import Any

from ...sandbox.errors import TaskError

LETTERS = "abcdefgh"
MOST_REPEATS = 1000
"""A split counts as used up after this many draws in a row of prompts that were drawn before."""


class Deduction:
    """A generator of deductions along a chain of implications, some of which cannot be made.

    In a task: `{generator: deduction, limit: 4000}`

    Args:
        chain: implications in the chain, 2 to 4.
        mistakes: probability, 0 to 1, that the teacher of the tiny policy turns implications around.
    """

    pieces = (
        "<think>",
        "</think>",
        "\\boxed{",
        "}",
        "\n",
        "yes",
        "no",
        "unknown",
        " first",
        " last",
        *">,;?-",
        *LETTERS,
    )
    """Every prompt and trace is a sequence of these texts; they become the tiny policy's tokens."""

    def __init__(self, *, chain: int = 3, mistakes: float = 0.6):
        if not (isinstance(chain, int) and 2 <= chain <= 4):
            raise TaskError(f"deduction: chain must be a whole number from 2 to 4 (given: {chain!r})")
        if not 0 <= mistakes <= 1:
            raise TaskError(f"deduction: mistakes must be a number from 0 to 1 (given: {mistakes!r})")
        self.chain, self.mistakes = chain, mistakes

    def problems(self, seed: int, split: str) -> Iterator[dict[str, Any]]:
        """Yield distinct rows of the split `train` or `test`, in an order that depends on `seed`.

        A hash of the prompt decides which split it belongs to. Columns: prompt, reference, solution, links
        (the chain), known, asked (places in it), holds (whether what is known does).

        Raises:
            TaskError: there is no such split.
        """
        if split not in ("train", "test"):
            raise TaskError(f"deduction has the splits train and test (given: {split!r})")
        rng = Random(f"{seed}/{split}")
        seen: set[str] = set()
        repeats = 0
        while repeats < MOST_REPEATS:
            row = self._row(rng)
            if row["prompt"] in seen:
                repeats += 1
            elif _split_of(row["prompt"]) == split:
                seen.add(row["prompt"])
                repeats = 0
                yield row

    def _row(self, rng: Random) -> dict[str, Any]:
        letters = rng.sample(LETTERS, self.chain + 3)
        links, other = letters[: self.chain + 1], letters[self.chain + 1 :]
        # Half of the questions can be answered; of the others, the rules tell nothing.
        known, asked = rng.sample(range(self.chain + 1), 2)
        holds = rng.random() < 0.5
        rules = [f"{a}>{b}" for a, b in pairwise(links)]
        rules.insert(rng.choice((0, len(rules))), f"{other[0]}>{other[1]}")
        row = {"links": "".join(links), "known": known, "asked": asked, "holds": holds}
        prompt = f"{','.join(rules)};{'' if holds else '-'}{links[known]};{links[asked]}?"
        text = trace(row)
        return {**row, "prompt": prompt, "reference": answer_in(text), "solution": text}

    def teacher(self, row: Mapping[str, Any], rng: Random) -> str:
        """Return the teacher's trace for a row, in which implications may be turned around."""
        return trace(row, turned=rng.random() < self.mistakes)


def trace(row: Mapping[str, Any], *, turned: bool = False) -> str:
    """Return the deduction for a row; `turned`: as if every implication held the other way round too."""
    links, known, asked, holds = row["links"], row["known"], row["asked"], row["holds"]
    path = ">".join(links[min(known, asked) : max(known, asked) + 1])
    is_cause = known < asked
    place = "first" if is_cause else "last"
    # A cause that holds has its effects, and without an effect there is no cause; all else is not known.
    told = is_cause is holds or turned
    answer = ("yes" if holds else "no") if told else "unknown"
    sign = "" if holds else "-"
    return f"<think>{path}\n{sign}{links[known]} {place}\n</think>\\boxed{{{answer}}}"


def answer_in(text: str) -> str:
    """Return the answer of a trace."""
    return text.rpartition("{")[2].removesuffix("}")


def _split_of(prompt: str) -> str:
    """Return the split of a problem: `test` for a tenth of all prompts (26 of 256), chosen by a hash."""
    return "test" if hashlib.sha256(prompt.encode()).digest()[0] < 26 else "train"
