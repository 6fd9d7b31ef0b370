"""Completion rows: answers in a file, read one by one with the problems that they answer."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ...sandbox.errors import DataError, MarkschemeError, did_you_mean, first_of
from ...tasks.load_problems import load_problems
from ...tasks.problem import Completion, Problem, said_by
from ...tasks.rows.problem_maker import ProblemMaker
from ...tasks.rows.row_files import OnBad, read_rows
from ...tasks.schema import Task
from ...tasks.validation import first_fault
from .benchmarks import expanded
from .scores import SCHEMA, newer

SHOWN = 20
"""The most errors that are explained with near names."""


class CompletionRow(BaseModel):
    """A row of a completions file: a completion, with the task's columns or a problem's id."""

    model_config = ConfigDict(extra="allow", populate_by_name=True, use_attribute_docstrings=True)

    schema_: int = Field(default=SCHEMA, alias="schema")
    completion: str
    """The text to score, or chat messages, of which the assistant's count."""
    problem: Any = None
    """The problem's id, if the row does not have the columns that the task's templates read."""
    split: str | None = None
    """The split that the problem is in; None = the task's own."""
    prefill: str = ""
    """The start of the answer, if the chat template put it at the end of the prompt."""
    token_ids: list[int] = Field(default_factory=list)
    finish_reason: str | None = None
    policy_version: int | None = None
    """How many updates the policy had had that wrote it."""
    step: int | None = None
    group: int | None = None
    """The number of the group that it belongs to, counted from 1; None = that of its problem."""
    sample: int | None = None
    """Its number in the group, counted from 1."""

    @model_validator(mode="before")
    @classmethod
    def _text(cls, row: Any) -> Any:
        if isinstance(row, dict) and "completion" not in row:
            raise ValueError(f"a row needs a `completion` (its columns: {', '.join(map(str, row))})")
        if isinstance(row, dict) and isinstance(row["completion"], list):
            if not all(isinstance(message, Mapping) for message in row["completion"]):
                raise ValueError("a `completion` that is a list must hold chat messages")
            return {**row, "completion": said_by("assistant", row["completion"])}
        return row


@dataclass(slots=True)
class Answer:
    """A completion from a file, with the problem that it answers."""

    place: str
    """Where it comes from, such as `completions.jsonl:61`."""
    problem: Problem
    completion: Completion
    row: Mapping[str, Any]
    """The row as it is in the file."""
    more: dict[str, Any]
    """Fields of the score row that the completion's row gives: place, id, step, group, sample, split."""


def completion_row(problem: Problem, completion: Completion, **more: Any) -> dict[str, Any]:
    """Return a sampled completion as a row that `read_answers` reads; `more` has its other fields."""
    row = {
        "schema": SCHEMA,
        "problem": problem.id,
        "prompt": problem.prompt,
        "reference": problem.reference,
        "completion": completion.text,
        "prefill": completion.prefill,
        "token_ids": completion.token_ids,
        "tokens": len(completion.token_ids),
        "finish_reason": completion.finish_reason,
        "policy_version": completion.weight_version,
    }
    return {**row, **more}


def check_exists(path: Path) -> None:
    """Check that there is a file of completions.

    Raises:
        DataError: there is none.
    """
    if not path.exists() and str(path) != "-":
        raise DataError(f"{path}: there is no such completions file; give a .jsonl file, or - for a pipe")


def read_answers(
    task: Task,
    source: Path | Iterable[Mapping[str, Any]],
    *,
    split: str | None = None,
    limit: int | None = None,
    column: str = "completion",
    faults_of: Callable[["Answer"], Sequence[str]] = lambda answer: (),
    on_bad: OnBad | None = None,
) -> Iterator[Answer]:
    """Yield the answers of a completions file, one by one.

    If a row has the columns that the task's templates read, they make the problem. Otherwise the row's
    `problem` is the id of one in `split`; by default in the split that the row names, or else the task's own.
    In a file that `markscheme sample` or `score` wrote, the id always decides. Rows of RewardBench,
    ProcessBench and PRM800K are read as they are (`benchmarks.py`).

    Args:
        task: whose problems are answered.
        source: the file, or its rows.
        split: the split to look ids up in.
        limit: read at most this many rows.
        column: the column of the completion.
        faults_of: returns why an answer cannot be used, such as `MarkScheme.faults_of` its problem.
        on_bad: takes the errors of rows that cannot be used, and they are skipped. If it is None, no answer
            follows the first such row; the rest of the file is still read, so that the error lists them all.

    Raises:
        DataError: there is no such file, it has no rows, or `on_bad` is None and some rows are malformed,
            have no completion, or answer an unknown problem or one that cannot be judged by.
    """
    if isinstance(source, Path):
        check_exists(source)
    finder = _ProblemFinder(task, split)
    errors: list[str] = []
    report: OnBad = on_bad or (lambda error: errors.append(str(error)))
    found = False
    rows = read_rows(source, on_bad=report) if isinstance(source, Path) else _located(source)
    for place, given in rows:
        if "header" in given and "completion" not in given:
            finder.by_id = True
            continue
        found = True
        for row in _completions_in(given, column, place, report):
            try:
                answer = _answer(finder, row, place)
                faults = faults_of(answer)
            except DataError as error:
                report(_at(place, error))
                continue
            if faults:
                report(DataError(f"{place}: {'; '.join(faults)}"))
            elif not errors:
                yield answer
        if limit is not None and (limit := limit - 1) == 0:
            break
    if errors:
        raise DataError(f"{len(errors)} row(s) cannot be scored:\n{first_of(errors)}")
    if not found:
        where = f"{source}: the file has" if isinstance(source, Path) else "there are"
        raise DataError(f"{where} no rows; expected one completion per row")


def _located(rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for number, row in enumerate(rows, 1):
        if not isinstance(row, Mapping):
            raise DataError(f"row {number} must be a mapping of columns to values (given: {row!r:.80})")
        yield f"row {number}", row


def _at(place: str, error: DataError) -> DataError:
    return error if str(error).startswith(place) else DataError(f"{place}: {error}")


def _completions_in(
    given: Mapping[str, Any], column: str, place: str, report: OnBad
) -> list[Mapping[str, Any]]:
    """Return the completions of a row, with their text in `completion`: several in a row of a benchmark."""
    try:
        if column == "completion":
            return expanded(given, place)
        if column not in given:
            raise DataError(f"there is no column {column!r}{did_you_mean(column, given)}")
        return [{**given, "completion": given[column]}]
    except DataError as error:
        report(_at(place, error))
        return []


def _answer(finder: "_ProblemFinder", row: Mapping[str, Any], place: str) -> Answer:
    schema = row.get("schema", SCHEMA)
    if not isinstance(schema, int) or schema > SCHEMA:
        raise newer(schema, place)
    try:
        parsed = CompletionRow.model_validate(row)
    except ValidationError as error:
        fault = first_fault(error)
        raise DataError(f"{place}: {fault if fault.keys else fault.message}") from error
    problem, split = finder.problem_of(parsed, row, place)
    completion = Completion(
        parsed.completion,
        token_ids=parsed.token_ids,
        prefill=parsed.prefill,
        finish_reason=parsed.finish_reason,
        weight_version=parsed.policy_version,
    )
    more = {"place": place, "split": split, "id": row.get("id")}
    more |= {name: getattr(parsed, name) for name in ("step", "group", "sample")}
    return Answer(place, problem, completion, row, more)


class _ProblemFinder:
    """A finder of the problem that a row answers, which loads each split once."""

    def __init__(self, task: Task, split: str | None):
        self._maker, self._split = ProblemMaker(task), split
        self._known: dict[str | None, tuple[Sequence[Problem], dict[str, int], str | None]] = {}
        """For each split its problems, their indices by id, and why it could not be loaded, if so."""
        self._unknown = 0
        self._newest: Problem | None = None
        self.by_id = False
        """Whether the file was written here, so that the id decides and not the columns."""

    def _loaded(self, split: str | None) -> tuple[Sequence[Problem], dict[str, int], str | None]:
        try:
            problems = load_problems(self._maker.task, split=split)
        except MarkschemeError as error:
            return [], {}, str(error)
        return problems, {problem.id: i for i, problem in enumerate(problems)}, None

    def problem_of(
        self, parsed: CompletionRow, row: Mapping[str, Any], place: str
    ) -> tuple[Problem, str | None]:
        """Return a row's problem, and the split that it was found in; None if the row's columns made it."""
        has_columns = self._maker.columns <= set(row)
        if has_columns and not (self.by_id and parsed.split is not None):
            return self._maker(row, place), None
        if parsed.problem is None:
            missing = ", ".join(sorted(self._maker.columns - set(row)))
            raise DataError(
                f"the row has neither the columns that the task's templates read (missing: {missing}) nor a"
                " `problem` id; for another column: --set problem.reference='{{ column }}'"
            )
        task, split, problem_id = self._maker.task, self._split or parsed.split, str(parsed.problem)
        if split not in self._known:
            self._known[split] = self._loaded(split)
        problems, indices, fault = self._known[split]
        if fault is not None:
            raise DataError(fault)
        if problem_id not in indices:
            self._unknown += 1
            near = did_you_mean(problem_id, indices) if self._unknown <= SHOWN else ""  # which takes long
            where = f"split {split or task.data.split!r} of task {task.name!r}"
            raise DataError(f"{where} has no problem {problem_id!r}{near}")
        if (
            self._newest is None or problem_id != self._newest.id
        ):  # the completions of a problem usually follow each other
            self._newest = problems[indices[problem_id]]
        return self._newest, split or task.data.split
