r"""Addition problems whose solutions are worked out one column per line, and a teacher that forgets carries.

    347+586=      <think>7+6+0=13
                  4+8+1=13
                  3+5+1=9
                  </think>\boxed{933}

Each line adds one column, from the units on: the two digits, the carry, and their sum. The teacher forgets a
carry with probability `mistakes` and goes on consistently from there. A run's tiny policy (`model: tiny`) is
warm-started on the teacher's traces: it knows the format and the correct rule, but prefers the wrong one.
GRPO on this task therefore shows that it selects a behaviour which the policy already samples, not that it
teaches arithmetic.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from typing import Any

from ...sandbox.errors import TaskError
from ..problem import Problem

MOST_REPEATS = 1000
"""A split counts as used up after this many draws in a row of pairs that were drawn before."""


class Addition:
    """A generator of addition problems such as `347+586=`, whose solutions show every carry.

    In a task: `{generator: addition, digits: 3, limit: 4000}`

    Args:
        digits: number of digits of both summands, 1 to 6.
        mistakes: probability, 0 to 1, that the teacher of the tiny policy forgets a carry.
    """

    pieces = ("<think>", "</think>", "\\boxed{", "}", "\n", "+", "=", *"0123456789")
    """Every prompt and trace is a sequence of these texts; they become the tiny policy's tokens."""

    def __init__(self, *, digits: int = 3, mistakes: float = 0.6):
        if not (isinstance(digits, int) and 1 <= digits <= 6):
            raise TaskError(f"addition: digits must be a whole number from 1 to 6 (given: {digits!r})")
        if not 0 <= mistakes <= 1:
            raise TaskError(f"addition: mistakes must be a number from 0 to 1 (given: {mistakes!r})")
        self.digits = digits
        self.mistakes = mistakes

    def problems(self, seed: int, split: str) -> Iterator[dict[str, Any]]:
        """Yield distinct rows of the split `train` or `test`, in an order that depends on `seed`.

        A hash decides which split a pair of numbers belongs to, so the splits never overlap, whatever the
        seeds. Columns: prompt, reference, solution, a, b.

        Raises:
            TaskError: there is no such split.
        """
        if split not in ("train", "test"):
            raise TaskError(f"addition has the splits train and test (given: {split!r})")
        rng = Random(f"{seed}/{split}")
        seen: set[tuple[int, int]] = set()
        low, high = 10 ** (self.digits - 1), 10**self.digits - 1
        repeats = 0
        while repeats < MOST_REPEATS:
            a, b = rng.randint(low, high), rng.randint(low, high)
            if (a, b) in seen:
                repeats += 1
            elif _split_of(a, b) == split:
                seen.add((a, b))
                repeats = 0
                yield {
                    "prompt": f"{a}+{b}=",
                    "reference": str(a + b),
                    "solution": trace(a, b),
                    "a": a,
                    "b": b,
                }

    def teacher(self, row: Mapping[str, Any], rng: Random) -> str:
        """Return the teacher's trace for a row; each carry is forgotten with probability `mistakes`."""
        return trace(row["a"], row["b"], forget=lambda: rng.random() < self.mistakes)


def _split_of(a: int, b: int) -> str:
    """Return the split of a pair: `test` for a tenth of all pairs (26 of 256), chosen by a hash."""
    return "test" if hashlib.sha256(f"{a}+{b}".encode()).digest()[0] < 26 else "train"


def trace(a: int, b: int, forget: Callable[[], bool] = lambda: False) -> str:
    """Return the worked addition of `a` and `b`; `forget` is called at every carry: whether to drop it."""
    left, right = str(a)[::-1], str(b)[::-1]
    columns = max(len(left), len(right))
    lines: list[str] = []
    digits: list[int] = []
    carry = 0
    for column in range(columns):
        x, y = _digit(left, column), _digit(right, column)
        total = x + y + carry
        lines.append(f"{x}+{y}+{carry}={total}")
        digits.append(total % 10)
        carry = total // 10
        # The last carry is the answer's first digit; it is never forgotten.
        if carry and column < columns - 1 and forget():
            carry = 0
    digits.append(carry)
    answer = int("".join(map(str, reversed(digits))))
    return "<think>" + "\n".join(lines) + "\n</think>\\boxed{" + str(answer) + "}"


def _digit(reversed_number: str, column: int) -> int:
    """Return a number's digit in a column counted from the units; 0 beyond its first digit."""
    return int(reversed_number[column]) if column < len(reversed_number) else 0


def check_lines(problem: Problem, steps: Sequence[str]) -> list[bool | None]:
    """Return whether each line of a trace follows from the problem and from the lines before it.

    A forgotten carry makes only one line wrong: the lines after it are checked against the digits and carries
    of the lines as they are, and so is the answer. All are None if the prompt is not an addition.
    """
    addition = re.match(r"(\d{1,9})\+(\d{1,9})=", problem.prompt) if isinstance(problem.prompt, str) else None
    if addition is None:
        return [None] * len(steps)
    left, right = addition[1][::-1], addition[2][::-1]
    columns = max(len(left), len(right))
    marks: list[bool | None] = []
    digits, carry = "", 0
    for step in steps:
        column = len(digits)
        line = re.fullmatch(r"(\d)\+(\d)\+(\d)=(\d{1,2})", step)
        if line is None:
            answer = re.fullmatch(r"\\boxed\{(\d{1,9})\}", step)
            is_due = column == columns
            marks.append(answer is not None and is_due and int(answer[1]) == int(f"{carry}{digits}"))
            continue
        x, y, given_carry, total = map(int, line.groups())
        digits_match = (x, y) == (_digit(left, column), _digit(right, column))
        sum_matches = given_carry == carry and total == x + y + carry
        marks.append(column < columns and digits_match and sum_matches)
        digits, carry = f"{total % 10}{digits}", total // 10
    return marks
