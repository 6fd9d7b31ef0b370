r"""Addition with carry lines: endless problems, reference steps and a sloppy teacher.

    347+586=      <think>7+6+0=13
                  4+8+1=13
                  3+5+1=9
                  </think>\boxed{933}

One line a digit, from the units: both digits, the carry, their sum. The *sloppy* teacher forgets
a carry with probability `mistakes` and goes on consistently from there. A policy warm-started on
such traces has the skill and the format but prefers the wrong rule; what GRPO then shows is the
selection of a behaviour that the policy already samples, not the learning of arithmetic.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any

from ...sandbox.errors import TaskError
from ..problem import Problem


class Addition:
    """Generator of `a+b=` with `digits`-digit numbers.

    Args:
        digits: digits of both numbers, 1 to 6.
        mistakes: probability that the sloppy teacher forgets a carry, 0 to 1.
    """

    pieces = ("<think>", "</think>", "\\boxed{", "}", "\n", "+", "=", *"0123456789")
    """The text pieces that every prompt and trace is made of."""

    def __init__(self, *, digits: int = 3, mistakes: float = 0.6):
        if not (isinstance(digits, int) and 1 <= digits <= 6):
            raise TaskError(f"addition: digits must be a whole number from 1 to 6 (given: {digits!r})")
        if not 0 <= mistakes <= 1:
            raise TaskError(f"addition: mistakes must be from 0 to 1 (given: {mistakes!r})")
        self.digits, self.mistakes = digits, mistakes

    def problems(self, seed: int, split: str) -> Iterator[dict[str, Any]]:
        """Yield distinct rows of a split in an order given by `seed`.

        A pair belongs to `test` or `train` by a hash of itself, so the two never overlap whatever
        the seeds are. Columns: prompt, reference, solution, a, b.
        """
        if split not in ("train", "test"):
            raise TaskError(f"addition has the splits train and test (given: {split!r})")
        rng, seen = Random(f"{seed}/{split}"), set()
        low, high = 10 ** (self.digits - 1), 10**self.digits - 1
        misses = 0
        while misses < 1000:  # all pairs of the split are used up, as good as surely
            a, b = rng.randint(low, high), rng.randint(low, high)
            if (a, b) in seen or _split_of(a, b) != split:
                misses += (a, b) in seen
                continue
            seen.add((a, b))
            misses = 0
            yield {
                "prompt": f"{a}+{b}=",
                "reference": str(a + b),
                "solution": trace(a, b),
                "a": a,
                "b": b,
            }

    def teacher(self, row: Mapping[str, Any], rng: Random) -> str:
        """Return a trace of the sloppy teacher: a carry is forgotten with p = `mistakes`."""
        return trace(row["a"], row["b"], forget=lambda: rng.random() < self.mistakes)


def _split_of(a: int, b: int) -> str:
    """Return `test` for a tenth of all pairs, chosen by a hash."""
    return "test" if hashlib.sha256(f"{a}+{b}".encode()).digest()[0] < 26 else "train"


def trace(a: int, b: int, forget: Any = lambda: False) -> str:
    """Return the worked addition of `a` and `b`; `forget()` says whether the next carry is lost."""
    lines, digits, carry = [], [], 0
    left, right = str(a)[::-1], str(b)[::-1]
    for column in range(max(len(left), len(right))):
        x, y = (int(n[column]) if column < len(n) else 0 for n in (left, right))
        total = x + y + carry
        lines.append(f"{x}+{y}+{carry}={total}")
        digits.append(total % 10)
        last = column == max(len(left), len(right)) - 1
        carry = total // 10
        if last:
            digits.append(carry)
        elif carry and forget():
            carry = 0
    answer = int("".join(map(str, reversed(digits))))
    return "<think>" + "\n".join(lines) + "\n</think>\\boxed{" + str(answer) + "}"


def check_lines(problem: Problem, steps: Sequence[str]) -> list[bool | None]:
    """Say of each line of a trace whether it follows from the problem and from the line before it.

    A carry that is forgotten makes one line wrong; the lines behind it go on from what that one says, and
    the answer has to be what the lines add up to. None where the prompt is no addition.
    """
    asked = re.match(r"(\d{1,9})\+(\d{1,9})=", problem.prompt) if isinstance(problem.prompt, str) else None
    if asked is None:
        return [None] * len(steps)
    left, right = (number[::-1] for number in asked.groups())
    width = max(len(left), len(right))
    marks: list[bool | None] = []
    digits, carry = "", 0
    for step in steps:
        line = re.fullmatch(r"(\d)\+(\d)\+(\d)=(\d{1,2})", step)
        column = len(digits)
        if line is None:
            answer = re.fullmatch(r"\\boxed\{(\d{1,9})\}", step)
            marks.append(answer is not None and column == width and int(answer[1]) == int(f"{carry}{digits}"))
            continue
        x, y, given, total = map(int, line.groups())
        wanted = [int(n[column]) if column < len(n) else 0 for n in (left, right)]
        marks.append(column < width and [x, y] == wanted and given == carry and total == x + y + carry)
        digits, carry = f"{total % 10}{digits}", total // 10
    return marks
