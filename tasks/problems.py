"""From a task to its problems: hub data sets, local files and generators, all as rows."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

from pydantic import ValidationError

from ..sandbox.errors import DataError, TaskError, first_of
from .problem import Problem, content_id
from .registry import GENERATORS, resolve
from .row_files import SUFFIXES, Located, Row, read_rows
from .schema import Task
from .templates import compile_template, missing_columns, render
from .validation import first_fault


def load_problems(task: Task, *, split: str | None = None, limit: int | None = None) -> Sequence[Problem]:
    """Load the problems of one split, in a fixed order, with stable ids.

    Args:
        task: what `load_task` gave.
        split: the split's name; None = the task's own (`data.split`).
        limit: at most this many problems (the task's own `data.limit` still holds).

    Raises:
        TaskError: a template reads a column that the data lacks, or there is no such split.
        DataError: no rows, rows that are broken or cannot fill the templates (all told at once).
    """
    split = split or task.data.split
    most = min((n for n in (task.data.limit, limit) if n is not None), default=None)
    located = _rows(task, split)
    if task.data.shuffle and not task.data.streaming:
        rows = list(located)
        Random(task.data.seed).shuffle(rows)
        located = iter(rows)
    maker = ProblemMaker(task)
    problems, errors = _make(maker, located, _keep(task, split), most)
    if errors:
        count = f"{len(errors)} row(s) of task {task.name!r} do not make a problem"
        raise DataError(f"{count}:\n{first_of(errors)}")
    if not problems:
        raise DataError(f"{task.where('data')}: split {split!r} has no rows; check the path and the split")
    return problems


def _make(
    maker: "ProblemMaker", located: Iterable[Located], keep: Any, most: int | None
) -> tuple[list[Problem], list[str]]:
    problems: list[Problem] = []
    errors: list[str] = []
    seen: dict[str, Problem] = {}
    for place, row in located:
        try:
            problem = maker(row, place)
        except DataError as error:
            errors.append(str(error))
            continue
        if not keep(problem):
            continue
        first = seen.setdefault(problem.id, problem)
        if first.prompt != problem.prompt:
            errors.append(f"{place}: id {problem.id!r} is that of another problem; ids must be unique")
        problems.append(problem)
        if most is not None and len(problems) >= most:
            break
    return problems, errors


def without_overlap(train: Sequence[Problem], held_out: Iterable[Problem]) -> list[Problem]:
    """Return the training problems whose prompt is not among the held-out ones."""
    prompts = {content_id(problem.prompt) for problem in held_out}
    return [problem for problem in train if content_id(problem.prompt) not in prompts]


class ProblemMaker:
    """Turns rows into problems by a task's templates."""

    def __init__(self, task: Task):
        self.task = task
        fields = {**task.problem.__dict__}
        self._templates = {
            name: compile_template(value, task.where("problem", name))
            for name, value in fields.items()
            if value is not None and value != {}
        }
        self._checked: set[frozenset[str]] = set()

    @property
    def columns(self) -> frozenset[str]:
        """Every column that the templates read."""
        return frozenset[str]().union(*(names for _, names in self._templates.values()))

    def __call__(self, row: Row, place: str) -> Problem:
        """Build a problem from a row.

        Raises:
            TaskError: a column is missing. DataError: this row does not fill the templates.
        """
        keys = frozenset(map(str, row))
        if keys not in self._checked:
            for name, (_, wanted) in self._templates.items():
                missing_columns(wanted, row, self.task.where("problem", name))
            self._checked.add(keys)
        made = {n: render(fill, row, f"{place}: problem.{n}") for n, (fill, _) in self._templates.items()}
        made["info"] = {**row, **made.get("info", {})}
        try:
            return Problem.model_validate(made)
        except ValidationError as error:
            fault = first_fault(error)
            raise DataError(f"{place}: problem.{fault.keys[0]}: {fault.rule}") from error


def _keep(task: Task, split: str) -> Any:
    """Return the test that says which problems belong to a split of unsplit data."""
    share = task.data.held_out
    if not share:
        return lambda problem: True
    if split not in (task.data.split, "test"):
        raise TaskError(f"{task.where('data', 'held_out')}: makes the splits {task.data.split!r} and 'test'")
    wants_test = split == "test" != task.data.split

    def keep(problem: Problem) -> bool:
        # By a hash of the prompt: the same question always falls on the same side.
        return (int(content_id(problem.prompt), 16) / 16**16 < share) == wants_test

    return keep


def _rows(task: Task, split: str) -> Iterator[Located]:
    data = task.data
    if data.generator is not None:
        where = task.where("data", "generator")
        make = resolve(
            data.generator,
            [GENERATORS],
            folder=task.folder,
            where=where,
            allow_code=task.allow_code,
        )
        generator = make_generator(make, data.parameters, where)
        for index, row in enumerate(generator.problems(data.seed, split)):
            yield f"{data.generator}[{index}]", row
        return
    assert data.path is not None
    path = _local(task, data.path)
    if path is None:
        yield from hub_rows(task, split)
    else:
        stored = data.split if data.held_out else split
        for file in _files_of_split(task, path, stored):
            yield from read_rows(file)


def make_generator(make: Any, parameters: dict[str, Any], where: str) -> Any:
    """Build a generator, telling wrong parameters as a mistake of the task.

    Raises:
        TaskError: a parameter that the generator does not have.
    """
    try:
        return make(**parameters)
    except TypeError as error:
        raise TaskError(f"{where}: {error}") from error


def _local(task: Task, name: str) -> Path | None:
    """Return the local path that `name` means, or None for a hub id.

    Raises:
        DataError: it can only be a local path, and nothing is there.
    """
    path = Path(name).expanduser()
    for candidate in (task.folder / path, path):
        if candidate.exists():
            return candidate
    if path.suffix in SUFFIXES or path.is_absolute() or name.startswith(".") or name.count("/") > 1:
        raise DataError(
            f"{task.where('data', 'path')}: no file or folder {name!r} (looked in {task.folder} too)"
        )
    return None


def _files_of_split(task: Task, path: Path, split: str) -> list[Path]:
    """Return the files that hold a split: `train.jsonl`, `train-00001.parquet`, `train/*.json`."""
    if path.is_file():
        files, names = [path], {task.data.split}
    else:
        every = [f for f in sorted(path.rglob("*")) if f.suffix in SUFFIXES]
        every = [f for f in every if not f.name.endswith(".cases.jsonl")]
        by_split: dict[str, list[Path]] = {}
        for file in every:
            relative = file.relative_to(path)
            stem = relative.parts[0] if len(relative.parts) > 1 else relative.stem
            by_split.setdefault(stem.split("-")[0], []).append(file)
        names = set(by_split)
        if not names & {"train", "test", "validation"}:
            names, by_split = {task.data.split}, {task.data.split: every}
        files = by_split.get(split, [])
    if split not in names:
        raise TaskError(
            f"{task.where('data')}: there is no split {split!r} (there are:"
            f" {', '.join(sorted(names)) or 'none'});"
            " set data.held_out: 0.1 to hold out a tenth of the rows as `test`"
        )
    return files


def hub_rows(task: Task, split: str) -> Iterator[Located]:
    """Yield the rows of a hub data set, through the datasets library.

    Raises:
        DataError: it does not load; says how to use local rows instead.
    """
    from datasets import load_dataset  # heavy: only where a hub data set is asked for

    data = task.data
    stored = data.split if data.held_out else split
    options = {"split": stored, "streaming": data.streaming, "revision": data.revision}
    try:
        loaded = load_dataset(str(data.path), data.name, **options)
    except Exception as error:
        raise DataError(
            f"{task.where('data', 'path')}: cannot load data set {data.path!r}, split {stored!r}: "
            f"{type(error).__name__}: {error}; for local rows: --set data.path=rows.jsonl"
        ) from error
    if data.streaming and data.shuffle:
        loaded = loaded.shuffle(seed=data.seed, buffer_size=10_000)
    for index, row in enumerate(loaded):
        yield f"{data.path}/{stored}[{index}]", row  # pyright: ignore[reportReturnType]
