"""The programs that `sandbox.py` and `sandbox_soak.py` run."""

import random
from collections.abc import Iterator

TYPICAL = """
from typing import List
import collections

def two_sum(nums: List[int], target: int) -> List[int]:
    seen = collections.OrderedDict()
    for i, x in enumerate(nums):
        if target - x in seen:
            return [seen[target - x], i]
        seen[x] = i
    return []

assert two_sum([2, 7, 11, 15], 9) == [0, 1]
assert two_sum([3, 2, 4], 6) == [1, 2]
assert two_sum([3, 3], 6) == [0, 1]
assert two_sum([1, 2], 4) == []
assert two_sum([0, 4, 3, 0], 0) == [0, 3]
"""
IMPORT_FREE = "def add(a, b):\n    return a + b\nassert add(1, 2) == 3\nprint(add(3, 4))\n"
NUMPY = "import numpy as np\nassert np.arange(10).sum() == 45\n"
PROGRAMS = {"typical": TYPICAL, "import-free": IMPORT_FREE, "numpy": NUMPY}
"""Programs that succeed, by the names under which their times are printed."""

SQUARES = "import sys\nn = int(input())\nprint(*(int(x) ** 2 for x in input().split()))\n"
SQUARES_CASES = [{"stdin": f"{n}\n{n} {n + 1}\n", "stdout": f"{n * n} {(n + 1) ** 2}\n"} for n in range(20)]

READ_NUMBERS = "import sys\nn, *xs = map(int, sys.stdin.read().split())\n"
RIGHT_ANSWER = READ_NUMBERS + "print(sum(xs), max(xs))\n"
WRONG_ANSWER = READ_NUMBERS + "print(sum(xs), xs[-1])\n"
ENDLESS_ANSWER = READ_NUMBERS + "while xs: pass\n"

Answer = tuple[str, list[dict[str, str]]]
"""A program, and the stdin/stdout cases that it is judged by."""


def random_answers(count: int, seed: int) -> Iterator[Answer]:
    """Yield programs with 10 to 40 cases each: 15 % never end, 25 % are wrong, and some inputs are 1 MB."""
    rng = random.Random(seed)
    for i in range(count):
        cases = []
        for case in range(rng.randint(10, 40)):
            is_long = i % 16 == 0 and case == 9
            length = 200_000 if is_long else rng.randint(1, 30)
            numbers = [rng.randint(-999, 999) for _ in range(length)]
            stdin = f"{length}\n{' '.join(map(str, numbers))}\n"
            cases.append({"stdin": stdin, "stdout": f"{sum(numbers)} {max(numbers)}\n"})
        yield _random_program(rng), cases


def _random_program(rng: random.Random) -> str:
    draw = rng.random()
    if draw < 0.15:
        return ENDLESS_ANSWER
    if draw < 0.4:
        return WRONG_ANSWER
    return RIGHT_ANSWER
