"""Problems solved by four-line list programs, and a teacher that gets some of the lines slightly wrong.

    even then desc then square then sum:
    <code>def f(a):
     a=[x for x in a if x%2==0]
     a=sorted(a)[::-1]
     a=[x*x for x in a]
     return sum(a)</code>

A program applies one filter, one map and one selection in some order, and then a reduction. Some operations
have a wrong line that is nearly right (`x*2` for `x*x`), and the teacher writes it with probability
`mistakes`. As in `addition.py`, GRPO on this task shows that it selects a behaviour which the policy already
samples, not that it teaches programming.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any

from ...sandbox.errors import TaskError

_KEEP = "a=[x for x in a if {}]"
_EACH = "a=[{} for x in a]"

# The filters, maps and selections by their names in the prompt: the right line, and the wrong one or None.
POOLS: tuple[dict[str, tuple[str, str | None]], ...] = (
    {
        "even": (_KEEP.format("x%2==0"), _KEEP.format("x%2==1")),
        "odd": (_KEEP.format("x%2==1"), None),
        "pos": (_KEEP.format("x>0"), _KEEP.format("x>=0")),
        "neg": (_KEEP.format("x<0"), None),
        "uniq": ("a=sorted(set(a))", "a=list(a)"),
    },
    {
        "double": (_EACH.format("x*2"), None),
        "square": (_EACH.format("x*x"), _EACH.format("x*2")),
        "inc": (_EACH.format("x+1"), None),
        "abs": (_EACH.format("abs(x)"), _EACH.format("-x")),
    },
    {
        "asc": ("a=sorted(a)", None),
        "desc": ("a=sorted(a)[::-1]", "a=sorted(a)"),
        "rev": ("a=a[::-1]", None),
        "top2": ("a=sorted(a)[-2:]", "a=sorted(a)[:2]"),
        "first3": ("a=a[:3]", "a=a[:2]"),
        "last3": ("a=a[-3:]", "a=a[3:]"),
    },
)
REDUCTIONS: dict[str, tuple[str, str | None]] = {
    "sum": ("return sum(a)", None),
    "len": ("return len(a)", None),
    "list": ("return a", None),
    "max": ("return max(a)", "return a[-1]"),
}
SNIPPETS = {name: lines for pool in (*POOLS, REDUCTIONS) for name, lines in pool.items()}
"""All operations by name: the right line, and the wrong one or None."""
CASES = 6
"""Test cases of each problem."""
DRAWS = 40
"""Random inputs that are tried to get that many cases; on some inputs, `max` of an empty list fails."""
DISTINCT = 3
"""The fewest different results that the cases must have, so that no constant passes."""
MOST_REPEATS = 1000
"""A split counts as used up after this many draws in a row of prompts that were drawn before."""


class ListPrograms:
    """A generator of list-processing problems, each solved by four lines of Python and judged by six tests.

    In a task: `{generator: list_programs, limit: 4000}`

    Args:
        mistakes: probability, 0 to 1, that the teacher of the tiny policy writes the wrong line of an
            operation that has one.
    """

    pieces = (
        "<code>", "</code>", "def f(a):\n", " for x in a", "return ", "a=", "sorted(", "list(", "set(",
        "abs(", "sum(", "max(", "len(", " if ", "[::-1]", " then ", *SNIPPETS, ":", "[", "]", "(", ")", "x",
        "a", "%", "=", ">", "<", "*", "+", "-", "0", "1", "2", "3", " ", "\n",
    )  # fmt: skip
    """Every prompt and program is a sequence of these texts; they become the tiny policy's tokens."""
    warm_start_steps = 600
    """Batches of the teacher's programs that the tiny policy is trained on before GRPO: enough to learn the
    format and the operations."""

    def __init__(self, *, mistakes: float = 0.65):
        if not 0 <= mistakes <= 1:
            raise TaskError(f"list_programs: mistakes must be a number from 0 to 1 (given: {mistakes!r})")
        self.mistakes = mistakes

    def problems(self, seed: int, split: str) -> Iterator[dict[str, Any]]:
        """Yield distinct rows of the split `train` or `test`, in an order that depends on `seed`.

        A hash of the prompt decides which split it belongs to, so the splits never overlap. Chains of
        operations without enough distinct results are skipped, since a constant would pass their tests.
        Columns: prompt, solution, tests, operations.

        Raises:
            TaskError: there is no such split.
        """
        if split not in ("train", "test"):
            raise TaskError(f"list_programs has the splits train and test (given: {split!r})")
        rng = Random(f"{seed}/{split}")
        seen: set[str] = set()
        repeats = 0
        while repeats < MOST_REPEATS:
            names = [rng.choice(list(pool)) for pool in rng.sample(POOLS, len(POOLS))]
            names.append(rng.choice(list(REDUCTIONS)))
            prompt = " then ".join(names) + ":"
            if prompt in seen:
                repeats += 1
                continue
            if _split_of(prompt) != split:
                continue
            seen.add(prompt)
            repeats = 0
            cases = _cases(names, prompt)
            if cases is not None:
                yield {
                    "prompt": prompt,
                    "solution": program(names),
                    "tests": {"type": "calls", "entry": "f", "cases": cases, "exact_types": True},
                    "operations": names,
                }

    def teacher(self, row: Mapping[str, Any], rng: Random) -> str:
        """Return the teacher's program for a row; wrong lines are written with probability `mistakes`."""
        return program(row["operations"], wrong=lambda: rng.random() < self.mistakes)


def _split_of(prompt: str) -> str:
    """Return the split of a problem: `test` for a quarter of all prompts (64 of 256), chosen by a hash."""
    return "test" if hashlib.sha256(prompt.encode()).digest()[0] < 64 else "train"


def program(names: list[str], wrong: Callable[[], bool] = lambda: False) -> str:
    """Return the program for a chain of operations; `wrong` is called at every line that has a wrong variant.

    It returns whether to write that one.
    """
    lines = []
    for name in names:
        right_line, wrong_line = SNIPPETS[name]
        lines.append(wrong_line if wrong_line is not None and wrong() else right_line)
    return "<code>def f(a):\n " + "\n ".join(lines) + "</code>"


def _cases(names: list[str], prompt: str) -> list[dict[str, Any]] | None:
    """Return the test cases of a problem, always the same ones; None if it has too few distinct results."""
    rng = Random(prompt)
    cases: list[dict[str, Any]] = []
    for _ in range(DRAWS):
        numbers = [rng.randint(-9, 9) for _ in range(rng.randint(6, 10))] + [0]
        rng.shuffle(numbers)
        try:
            cases.append({"args": [numbers], "expected": _reference(names, list(numbers))})
        except ValueError:  # max() of an empty list
            continue
        if len(cases) == CASES:
            break
    results = {repr(case["expected"]) for case in cases}
    return cases if len(cases) == CASES and len(results) >= DISTINCT else None


_REFERENCE: dict[str, Any] = {
    "even": lambda a: [x for x in a if x % 2 == 0], "odd": lambda a: [x for x in a if x % 2 == 1],
    "pos": lambda a: [x for x in a if x > 0], "neg": lambda a: [x for x in a if x < 0],
    "uniq": lambda a: sorted(set(a)), "double": lambda a: [x * 2 for x in a],
    "square": lambda a: [x * x for x in a],
    "inc": lambda a: [x + 1 for x in a], "abs": lambda a: [abs(x) for x in a], "asc": sorted,
    "desc": lambda a: sorted(a)[::-1], "rev": lambda a: a[::-1], "top2": lambda a: sorted(a)[-2:],
    "first3": lambda a: a[:3], "last3": lambda a: a[-3:], "sum": sum, "len": len, "list": list, "max": max,
}  # fmt: skip
"""The reference implementation of each operation, independent of its lines in `SNIPPETS`."""


def _reference(names: list[str], numbers: list[int]) -> Any:
    """Return the result of a chain of operations on a list of numbers."""
    value: Any = numbers
    for name in names:
        value = _REFERENCE[name](value)
    return value
