"""Loading a task's problems: rows of a hub data set, of files or of a generator, put into its templates."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

from pydantic import ValidationError

from ..sandbox.errors import DataError, TaskError, first_of
from .name_lookup import GENERATORS, resolve
from .problem import Problem, content_id
from .row_files import SUFFIXES, Located, Row, read_rows
from .schema import Task
from .templates import check_columns, compile_template, render
from .validation import first_fault

SHUFFLE_BUFFER = 10_000
"""Rows of a streamed data set that are held at once to shuffle them."""


def load_problems(task: Task, *, split: str | None = None, limit: int | None = None) -> Sequence[Problem]:
    """Load the problems of one split, in an order and with ids that are the same every time.

        >>> from markscheme.tasks import load_problems, load_task
        >>> problems = load_problems(load_task("addition"), limit=2)
        >>> [(problem.prompt, problem.reference) for problem in problems]
        [('320+110=', '430'), ('855+511=', '1366')]

    Args:
        task: the task, as `load_task` returns it.
        split: the split to load; None = the task's own (`data.split`).
        limit: load at most this many problems; the task's own `data.limit` applies too.

    Raises:
        TaskError: a template reads a column that the data do not have, or there is no such split.
        DataError: there are no rows, or some rows are broken or do not fit the templates; the message lists
            up to 20 of them.
    """
    split = split or task.data.split
    most = min((n for n in (task.data.limit, limit) if n is not None), default=None)
    located = _rows(task, split)
    if task.data.shuffle and not task.data.streaming:
        rows = list(located)
        Random(task.data.seed).shuffle(rows)
        located = iter(rows)
    problems, errors = _problems_and_errors(ProblemMaker(task), located, _split_filter(task, split), most)
    if errors:
        raise DataError(
            f"{len(errors)} row(s) of task {task.name!r} cannot be turned into problems:\n{first_of(errors)}"
        )
    if not problems:
        raise DataError(f"{task.where('data')}: split {split!r} has no rows; check the path and the split")
    return problems


def _problems_and_errors(
    maker: "ProblemMaker", located: Iterable[Located], keep: Callable[[Problem], bool], most: int | None
) -> tuple[list[Problem], list[str]]:
    """Return up to `most` of the problems that `keep` accepts, and the errors of rows without a problem."""
    problems: list[Problem] = []
    errors: list[str] = []
    by_id: dict[str, Problem] = {}
    for place, row in located:
        try:
            problem = maker(row, place)
        except DataError as error:
            errors.append(str(error))
            continue
        if not keep(problem):
            continue
        first = by_id.setdefault(problem.id, problem)
        if first.prompt != problem.prompt:
            errors.append(
                f"{place}: id {problem.id!r} already belongs to a problem with another prompt; ids must be"
                " unique, so give problem.id another template"
            )
        problems.append(problem)
        if most is not None and len(problems) >= most:
            break
    return problems, errors


def without_overlap(train: Sequence[Problem], held_out: Iterable[Problem]) -> list[Problem]:
    """Return the training problems whose prompt is not among the held-out ones."""
    prompts = {content_id(problem.prompt) for problem in held_out}
    return [problem for problem in train if content_id(problem.prompt) not in prompts]


class ProblemMaker:
    """A callable that turns rows into problems, by a task's templates, which it compiles once."""

    def __init__(self, task: Task):
        self.task = task
        self._templates = {
            name: compile_template(value, task.where("problem", name))
            for name, value in vars(task.problem).items()
            if value is not None and value != {}
        }
        self._complete: set[frozenset[str]] = set()
        """Sets of columns that are known to satisfy every template."""

    @property
    def columns(self) -> frozenset[str]:
        """Every column that the templates read."""
        return frozenset[str]().union(*(columns for _, columns in self._templates.values()))

    def __call__(self, row: Row, place: str) -> Problem:
        """Return the problem that a row describes; `place` says in messages where the row comes from.

        Raises:
            TaskError: a template reads a column that the row does not have.
            DataError: a template cannot be filled from this row, or its value has the wrong type.
        """
        keys = frozenset(map(str, row))
        if keys not in self._complete:
            for name, (_, columns) in self._templates.items():
                check_columns(columns, row, self.task.where("problem", name))
            self._complete.add(keys)
        values = {
            name: render(template, row, f"{place}: problem.{name}")
            for name, (template, _) in self._templates.items()
        }
        values["info"] = {**row, **values.get("info", {})}
        try:
            return Problem.model_validate(values)
        except ValidationError as error:
            fault = first_fault(error)
            raise DataError(f"{place}: problem.{fault.keys[0]}: {fault.rule}") from error


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
        # A hash of the prompt decides, so that the same prompt is always on the same side.
        fraction = int(content_id(problem.prompt), 16) / 16**16
        return (fraction < share) == wants_test

    return keep


def _rows(task: Task, split: str) -> Iterator[Located]:
    """Yield the rows of a split, each with its place."""
    data = task.data
    if data.generator is not None:
        yield from _generated_rows(task, data.generator, split)
        return
    assert data.path is not None
    path = _local(task, data.path)
    if path is None:
        yield from hub_rows(task, split)
        return
    stored = data.split if data.held_out else split
    for file in _files_of_split(task, path, stored):
        yield from read_rows(file)


def _generated_rows(task: Task, name: str, split: str) -> Iterator[Located]:
    where = task.where("data", "generator")
    make = resolve(name, [GENERATORS], folder=task.folder, where=where, allow_code=task.allow_code)
    generator = make_generator(make, task.data.parameters, where)
    for index, row in enumerate(generator.problems(task.data.seed, split)):
        yield f"{name}[{index}]", row


def make_generator(make: Any, parameters: dict[str, Any], where: str) -> Any:
    """Build a generator from the parameters that a task gives it.

    Raises:
        TaskError: an unknown or missing parameter, or one of the wrong type or out of range.
    """
    try:
        return make(**parameters)
    except TaskError as error:
        raise TaskError(f"{where}: {error}") from error
    except TypeError as error:
        raise TaskError(
            f"{where}: the generator does not accept its parameters {parameters}: {error};"
            " `markscheme list generators NAME` shows those of a built-in one"
        ) from error


def _local(task: Task, name: str) -> Path | None:
    """Return the local path that `name` means, or None if it is the id of a hub data set.

    Raises:
        DataError: the name can only be a local path, and there is nothing at it.
    """
    path = Path(name).expanduser()
    for candidate in (task.folder / path, path):
        if candidate.exists():
            return candidate
    # A hub id is `name` or `owner/name`.
    if path.suffix in SUFFIXES or path.is_absolute() or name.startswith(".") or name.count("/") > 1:
        raise DataError(
            f"{task.where('data', 'path')}: no file or folder {name!r} (looked in {task.folder} and in the"
            " current folder); give an existing one, or the id of a hub data set"
        )
    return None


def _files_of_split(task: Task, path: Path, split: str) -> list[Path]:
    """Return the files that hold a split.

    Raises:
        TaskError: there is no such split.
    """
    by_split = {task.data.split: [path]} if path.is_file() else _files_by_split(task, path)
    if split not in by_split:
        raise TaskError(
            f"{task.where('data')}: there is no split {split!r} (there are: {', '.join(sorted(by_split))});"
            " set data.held_out: 0.1 to hold out a tenth of the rows as `test`"
        )
    return by_split[split]


def _files_by_split(task: Task, folder: Path) -> dict[str, list[Path]]:
    """Return a folder's files by split, which their names say: `train-00001.parquet`, `train/a.json`.

    If no file has the name of a usual split, all files together are the task's own split.
    """
    files = [
        file
        for file in sorted(folder.rglob("*"))
        if file.suffix in SUFFIXES and not file.name.endswith(".cases.jsonl")
    ]
    by_split: dict[str, list[Path]] = {}
    for file in files:
        relative = file.relative_to(folder)
        outermost = relative.parts[0] if len(relative.parts) > 1 else relative.stem
        by_split.setdefault(outermost.split("-")[0], []).append(file)
    return by_split if by_split.keys() & {"train", "test", "validation"} else {task.data.split: files}


def hub_rows(task: Task, split: str) -> Iterator[Located]:
    """Yield the rows of a Hugging Face data set, each with its place.

    Raises:
        DataError: the data set cannot be loaded; the message says how to use local rows instead.
    """
    from datasets import load_dataset  # imported here because it is slow, and most tasks don't need it

    data = task.data
    stored = data.split if data.held_out else split
    options = {"split": stored, "streaming": data.streaming, "revision": data.revision}
    try:
        loaded = load_dataset(str(data.path), data.name, **options)
    except Exception as error:
        raise DataError(
            f"{task.where('data', 'path')}: cannot load data set {data.path!r}, split {stored!r}: "
            f"{type(error).__name__}: {error}; to read local rows instead: --set data.path=rows.jsonl"
        ) from error
    if data.streaming and data.shuffle:
        loaded = loaded.shuffle(seed=data.seed, buffer_size=SHUFFLE_BUFFER)
    for index, row in enumerate(loaded):
        yield f"{data.path}/{stored}[{index}]", row  # pyright: ignore[reportReturnType]
