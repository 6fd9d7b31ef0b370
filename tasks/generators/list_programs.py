"""Four-line list programs with a sloppy teacher: endless problems that unit tests judge.

    even then desc then square then sum:
    <code>def f(a):
     a=[x for x in a if x%2==0]
     a=sorted(a)[::-1]
     a=[x*x for x in a]
     return sum(a)</code>

One filter, one map and one selection in some order, then a reduction. The *sloppy* teacher writes a
line that is nearly right (`x*2` for `x*x`) with probability `mistakes` wherever there is one. As for
`addition`, what GRPO then shows is the selection of a behaviour that the policy already samples.
"""

import hashlib
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

from ...sandbox.errors import TaskError

_KEEP = "a=[x for x in a if {}]"
_EACH = "a=[{} for x in a]"
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
CASES, DRAWS, DISTINCT = 6, 40, 3
"""Tests of a problem; inputs that are tried for them; different results that they must have."""


class ListPrograms:
    """Generator of list programs.

    Args:
        mistakes: probability that the sloppy teacher writes a line's wrong form, 0 to 1.
    """

    pieces = (
        "<code>", "</code>", "def f(a):\n", " for x in a", "return ", "a=", "sorted(", "list(", "set(",
        "abs(", "sum(", "max(", "len(", " if ", "[::-1]", " then ", *SNIPPETS, ":", "[", "]", "(", ")", "x",
        "a", "%", "=", ">", "<", "*", "+", "-", "0", "1", "2", "3", " ", "\n",
    )  # fmt: skip
    """The text pieces that every prompt and program is made of."""
    warm_start_steps = 600
    """Batches that the embedded policy imitates the teacher for: enough for the format and the skills."""

    def __init__(self, *, mistakes: float = 0.65):
        if not 0 <= mistakes <= 1:
            raise TaskError(f"list_programs: mistakes must be from 0 to 1 (given: {mistakes!r})")
        self.mistakes = mistakes

    def problems(self, seed: int, split: str) -> Iterator[dict[str, Any]]:
        """Yield distinct rows of a split in an order given by `seed`.

        A problem belongs to `test` or `train` by a hash of its prompt. One whose program does not give
        six results, at least three of them different, is no problem: a constant would pass.
        Columns: prompt, solution, tests, operations.
        """
        if split not in ("train", "test"):
            raise TaskError(f"list_programs has the splits train and test (given: {split!r})")
        rng, seen, misses = Random(f"{seed}/{split}"), set[str](), 0
        while misses < 1000:  # all of the split are used up, as good as surely
            names = [rng.choice(list(pool)) for pool in rng.sample(POOLS, len(POOLS))]
            names.append(rng.choice(list(REDUCTIONS)))
            prompt = " then ".join(names) + ":"
            if prompt in seen or _split_of(prompt) != split:
                misses += prompt in seen
                continue
            seen.add(prompt)
            misses = 0
            if (cases := _cases(names, prompt)) is not None:
                yield {
                    "prompt": prompt,
                    "solution": program(names),
                    "tests": {"type": "calls", "entry": "f", "cases": cases, "exact_types": True},
                    "operations": names,
                }

    def teacher(self, row: Mapping[str, Any], rng: Random) -> str:
        """Return a program of the sloppy teacher."""
        return program(row["operations"], wrong=lambda: rng.random() < self.mistakes)


def _split_of(prompt: str) -> str:
    """Return `test` for a quarter of all problems, chosen by a hash."""
    return "test" if hashlib.sha256(prompt.encode()).digest()[0] < 64 else "train"


def program(names: list[str], wrong: Any = lambda: False) -> str:
    """Return the program of a chain of operations; `wrong()` says where a line's wrong form is taken."""
    lines = []
    for name in names:
        right, sloppy = SNIPPETS[name]
        lines.append(sloppy if sloppy is not None and wrong() else right)
    return "<code>def f(a):\n " + "\n ".join(lines) + "</code>"


def _cases(names: list[str], prompt: str) -> list[dict[str, Any]] | None:
    """Return six inputs with their results, the same ones for a prompt every time; None if there are none."""
    rng = Random(prompt)
    cases: list[dict[str, Any]] = []
    for _ in range(DRAWS):
        numbers = [rng.randint(-9, 9) for _ in range(rng.randint(6, 10))] + [0]
        rng.shuffle(numbers)
        try:
            cases.append({"args": [numbers], "expected": _reference(names, list(numbers))})
        except ValueError:  # max of nothing
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


def _reference(names: list[str], numbers: list[int]) -> Any:
    value: Any = numbers
    for name in names:
        value = _REFERENCE[name](value)
    return value
