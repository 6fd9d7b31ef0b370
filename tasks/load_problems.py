"""Loading a task's problems: rows of a hub data set, of files or of a generator, put into its templates."""

import json
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from random import Random
from typing import overload

import numpy as np

from ..sandbox.errors import DataError, TaskError, first_of
from .problem import Problem, content_id, prompt_key
from .rows.problem_list import read_problem_list
from .rows.problem_maker import ProblemMaker
from .rows.row_files import OnBad
from .rows.sources import RowSource, rows_of
from .schema import Task


class LoadedProblems(Sequence[Problem]):
    """A split's problems, each of which is made from its row when it is asked for.

    Of rows that can be read again (a JSONL file, a hub data set) nothing is held but their positions, so that
    a split of any size takes little memory.
    """

    def __init__(self, maker: ProblemMaker, source: RowSource):
        self._maker, self._source = maker, source
        self._indices, self._ids, self._prompts = array("q"), array("Q"), array("Q")
        self.prompt_sizes = array("q")
        """UTF-8 bytes of each problem's prompt; of chat messages, of their JSON."""

    def add(self, index: int, problem: Problem, copies: int = 1) -> None:
        """Add the problem that was made of the source's row `index`."""
        for _ in range(copies):
            self._append(index, int(content_id(problem.id), 16), prompt_number(problem), prompt_size(problem))

    def _append(self, index: int, problem_id: int, prompt: int, size: int) -> None:
        self._indices.append(index)
        self._ids.append(problem_id)
        self._prompts.append(prompt)
        self.prompt_sizes.append(size)

    def __len__(self) -> int:
        return len(self._indices)

    @overload
    def __getitem__(self, index: int) -> Problem: ...
    @overload
    def __getitem__(self, index: slice) -> list[Problem]: ...
    def __getitem__(self, index: int | slice) -> Problem | list[Problem]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        place, row = self._source[self._indices[index]]
        return self._maker(row, place)

    def place(self, index: int) -> str:
        """Return the place of a problem's row."""
        return self._source.place(self._indices[index])

    def without_prompts(self, prompts: set[int]) -> "LoadedProblems":
        """Return the problems whose `prompt_number` is not among `prompts`."""
        return self.without({i for i, prompt in enumerate(self._prompts) if prompt in prompts})

    def without(self, dropped: set[int]) -> "LoadedProblems":
        """Return the problems whose index is not among `dropped`."""
        kept = LoadedProblems(self._maker, self._source)
        columns = zip(self._indices, self._ids, self._prompts, self.prompt_sizes, strict=True)
        for i, column in enumerate(columns):
            if i not in dropped:
                kept._append(*column)
        return kept

    def with_an_id_of_another_prompt(self) -> Iterator[int]:
        """Yield the index of each problem whose id already belongs to a problem with another prompt."""
        ids, prompts = np.array(self._ids, np.uint64), np.array(self._prompts, np.uint64)
        order = np.argsort(ids, kind="stable")
        starts = np.flatnonzero(np.r_[True, np.diff(ids[order]) != 0]) if len(ids) else []
        sizes = np.diff(np.r_[starts, len(ids)])
        of_first = np.repeat(prompts[order][starts], sizes) if len(ids) else prompts
        yield from sorted(order[prompts[order] != of_first].tolist())


def prompt_number(problem: Problem) -> int:
    """Return a number below 2**64 that identifies a prompt, whatever its white space and case."""
    return int(prompt_key(problem.prompt), 16)


def prompt_size(problem: Problem) -> int:
    """Return the UTF-8 bytes of a prompt; of chat messages, of their JSON."""
    text = problem.prompt if isinstance(problem.prompt, str) else json.dumps(problem.prompt, default=str)
    return len(text.encode(errors="backslashreplace"))


def place_in(problems: Sequence[Problem], index: int) -> str:
    """Return what messages call a problem: the place of its row, such as `train.jsonl:61`, or else its id."""
    if isinstance(problems, LoadedProblems):
        return problems.place(index)
    return f"problem {problems[index].id}"


def place_of(problems: Sequence[Problem], problem: Problem) -> str:
    """Return what messages call one of some problems, as `place_in` does; this looks at each of them."""
    index = next((i for i, one in enumerate(problems) if one.id == problem.id), None)
    return f"problem {problem.id}" if index is None else place_in(problems, index)


def prompt_sizes(problems: Sequence[Problem]) -> Iterable[int]:
    """Return the `prompt_size` of every problem."""
    return problems.prompt_sizes if isinstance(problems, LoadedProblems) else map(prompt_size, problems)


def load_problems(
    task: Task,
    *,
    split: str | None = None,
    limit: int | None = None,
    each: Callable[[Problem, str], None] | None = None,
    on_bad: OnBad | None = None,
) -> Sequence[Problem]:
    """Load the problems of one split, in an order and with ids that are the same every time.

        >>> from markscheme.tasks import load_problems, load_task
        >>> problems = load_problems(load_task("addition"), limit=2)
        >>> [(problem.prompt, problem.reference) for problem in problems]
        [('320+110=', '430'), ('855+511=', '1366')]

    Args:
        task: the task, as `load_task` returns it.
        split: the split to load; None = the task's own (`data.split`).
        limit: load at most this many problems; the task's own `data.limit` applies too.
        each: called once with every problem and the place of its row, so that a large split need not be read
            again for a check; a `DataError` that it raises is that row's error.
        on_bad: takes the errors of rows that are broken or do not fit the templates, which are then skipped;
            None = raise them, all at once.

    Raises:
        TaskError: a template reads a column that the data do not have, or there is no such split.
        DataError: there are no rows, or some rows are broken or do not fit the templates; the message lists
            up to 20 of them.
    """
    if not isinstance(task, Task):
        raise TaskError(f"load_problems takes a task, as load_task(...) returns it (given: {task!r:.60})")
    if limit is not None and not (isinstance(limit, int) and limit >= 1):
        raise DataError(f"limit must be a whole number from 1 up, or None for all (given: {limit!r})")
    split = split or task.data.split
    most = min((n for n in (task.data.limit, limit) if n is not None), default=None)
    errors: list[str] = []
    report: OnBad = on_bad or (lambda error: errors.append(str(error)))
    problems = _problems(task, split, most, each, report)
    for index in problems.with_an_id_of_another_prompt():
        errors.append(
            f"{problems.place(index)}: id {problems[index].id!r} already belongs to a problem with another"
            " prompt; ids must be unique, so give problem.id another template"
        )
    if errors:
        raise DataError(
            f"{len(errors)} row(s) of task {task.name!r} cannot be turned into problems:\n{first_of(errors)}"
        )
    if not problems:
        listed = " that data.problems lists" if task.data.problems is not None else ""
        raise DataError(
            f"{task.where('data')}: split {split!r} has no rows{listed}; check the path and the split"
        )
    return problems


def _problems(
    task: Task, split: str, most: int | None, each: Callable[[Problem, str], None] | None, report: OnBad
) -> LoadedProblems:
    """Return up to `most` problems of a split; the errors of rows without a problem go to `report`."""
    source, maker, keep = rows_of(task, split), ProblemMaker(task), _split_filter(task, split)
    # The list is of problems to train on; other splits are taken whole.
    copies_of = read_problem_list(task) if split == task.data.split else lambda problem_id: 1
    problems = LoadedProblems(maker, source)
    indices: Iterable[int] = source.indices()
    if task.data.shuffle and not task.data.streaming:
        indices = list(indices)
        Random(task.data.seed).shuffle(indices)
    for index in indices:
        try:
            place, row = source[index]
            problem = maker(row, place)
            copies = copies_of(problem.id) if keep(problem) else 0
            if copies and each is not None:
                each(problem, place)
        except DataError as error:
            report(error)
            continue
        problems.add(index, problem, copies if most is None else min(copies, most - len(problems)))
        if most is not None and len(problems) >= most:
            break
    return problems


def without(problems: Sequence[Problem], dropped: set[int]) -> Sequence[Problem]:
    """Return the problems whose index is not among `dropped`."""
    if isinstance(problems, LoadedProblems):
        return problems.without(dropped)
    return [problem for i, problem in enumerate(problems) if i not in dropped]


def without_overlap(train: Sequence[Problem], held_out: Iterable[Problem]) -> Sequence[Problem]:
    """Return the training problems whose prompt is not among the held-out ones."""
    prompts = {prompt_number(problem) for problem in held_out}
    if isinstance(train, LoadedProblems):
        return train.without_prompts(prompts)
    return [problem for problem in train if prompt_number(problem) not in prompts]


def _split_filter(task: Task, split: str) -> Callable[[Problem], bool]:
    """Return a function that tells whether a problem belongs to `split`, for data that `held_out` divides.

    Raises:
        TaskError: `held_out` makes no such split.
    """
    share, own = task.data.held_out, task.data.split
    if not share:
        return lambda problem: True
    if split not in (own, "test"):
        raise TaskError(
            f"{task.where('data', 'held_out')}: there is no split {split!r}; held_out makes the splits"
            f" {own!r} and 'test'"
        )
    wants_test = split == "test" and own != "test"

    def keep(problem: Problem) -> bool:
        # The prompt decides, so that the same prompt is always on the same side.
        return (prompt_number(problem) / 16**16 < share) == wants_test

    return keep
