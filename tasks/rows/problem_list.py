"""`data.problems`: a list of the problems to take, and how often, such as `markscheme evaluate` writes."""

import math
from collections.abc import Callable
from pathlib import Path
from random import Random

from ...sandbox.errors import DataError
from ..schema import Task
from .row_files import read_rows

MOST = 1000
"""The largest weight."""


def read_problem_list(task: Task) -> Callable[[str], int]:
    """Return how many copies of a problem a task takes, as a function of the problem's id.

    Without a list it is 1 for every problem. A row of the list has a `problem` (an id) and may have a
    `weight`, 1 by default: the number of copies of the problem in one pass over the data. A fraction is
    rounded up or down at random, by the problem's id and the task's `data.seed`, so that its mean is kept.

    Raises:
        DataError: the list cannot be read, or a weight is not a number from 0 to `MOST`.
    """
    if task.data.problems is None:
        return lambda problem_id: 1
    path = task.folder / Path(task.data.problems).expanduser()
    path = path if path.exists() else Path(task.data.problems)
    copies: dict[str, int] = {}
    for place, row in read_rows(path):
        if "header" in row:
            continue
        weight = row.get("weight", 1)
        is_number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if "problem" not in row or not is_number or not 0 <= weight <= MOST:
            raise DataError(
                f"{place}: a row of data.problems needs a `problem` (an id) and may have a `weight` from 0 to"
                f" {MOST} (given: {dict(row)})"
            )
        whole = math.floor(weight)
        chance = Random(f"{task.data.seed}/{row['problem']}").random()
        copies[str(row["problem"])] = whole + (chance < weight - whole)
    return lambda problem_id: copies.get(problem_id, 0)
