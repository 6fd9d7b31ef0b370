"""Reading score rows again, each with its place and the header of its file."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ...sandbox.errors import DataError, did_you_mean
from ...tasks.rows.row_files import OnBad, read_rows
from ...tasks.validation import first_fault
from .scores import SCHEMA, ScoreRow, newer


@dataclass
class ReadRow:
    """A score row that was read, with its place and the header above it."""

    place: str
    row: ScoreRow
    header: Mapping[str, Any]
    """Empty in a file of version 1."""

    @property
    def task_header(self) -> Mapping[str, Any]:
        """What the header says of the row's task."""
        return self.header.get("tasks", {}).get(self.row.task, {})


def score_files(path: Path) -> list[Path]:
    """Return the files with score rows that a path means: a file itself, or the scores of a run's folder.

    Raises:
        DataError: there are none.
    """
    if not path.is_dir():
        if path.exists() or str(path) == "-":
            return [path]
        raise DataError(f"{path}: there is no such file of scores; `markscheme score -o FILE` writes one")
    folder = path / "scores" if (path / "scores").is_dir() else path
    files = sorted([*folder.glob("*.jsonl"), *folder.glob("*.jsonl.gz")])
    if not files:
        raise DataError(f"{path}: the folder holds no scores (*.jsonl or *.jsonl.gz); give that of a run")
    return files


def read_scores(path: Path, *, on_bad: OnBad | None = None) -> Iterator[ReadRow]:
    """Yield the score rows of a file, or of the folder of a run.

    Args:
        path: the file or folder.
        on_bad: takes the errors of rows that cannot be read, so that the others still are; None = raise them.

    Raises:
        DataError: there are no rows, a row is of a newer version, has unknown columns or is no score row.
    """
    found = False
    for file in score_files(path):
        header: Mapping[str, Any] = {}
        for place, row in read_rows(file, on_bad=on_bad):
            if "header" in row:
                header = row["header"]
                _check_header(header, place)
                continue
            found = True
            try:
                yield ReadRow(place, _parsed(row, place), header)
            except DataError as error:
                if on_bad is None:
                    raise
                on_bad(error)
    if not found:
        raise DataError(f"{path}: the file has no score rows")


def rows_of_mappings(rows: Iterable[Mapping[str, Any]]) -> Iterator[ReadRow]:
    """Yield score rows that are in memory; their places are their numbers.

    Raises:
        DataError: one is no score row.
    """
    header: Mapping[str, Any] = {}
    for number, row in enumerate(rows, 1):
        if not isinstance(row, Mapping):
            raise DataError(
                f"row:{number}: expected a row of `score_completions` (given: a {type(row).__name__})"
            )
        if "header" in row:
            header = row["header"]
        else:
            yield ReadRow(f"row:{number}", _parsed(row, f"row:{number}"), header)


def _check_header(header: Mapping[str, Any], place: str) -> None:
    if not isinstance(header, Mapping) or not isinstance(header.get("tasks", {}), Mapping):
        raise DataError(f"{place}: the header of the file is not one that `markscheme` writes")
    schema = header.get("schema", 0)
    if not isinstance(schema, int) or schema > SCHEMA:
        raise newer(schema, place)
    if header.get("kind") != "scores":
        raise DataError(
            f"{place}: the file holds {header.get('kind')}, not scores; `markscheme score` makes scores of"
            " completions"
        )


def _parsed(row: Mapping[str, Any], place: str) -> ScoreRow:
    schema = row.get("schema", SCHEMA)
    if not isinstance(schema, int) or schema > SCHEMA:
        raise newer(schema, place)
    if schema == 1:
        number = None if row.get("step") is None else row.get("row", 0) + 1
        row = {**{name: value for name, value in row.items() if name != "row"}, "sample": number}
    try:
        return ScoreRow.model_validate(row)
    except ValidationError as error:
        fault = first_fault(error)
        unknown = [str(name) for name in row if name not in _COLUMNS]
        if unknown:
            near = did_you_mean(unknown[0], list(_COLUMNS))
            raise DataError(f"{place}: unknown column {unknown[0]!r} in a score row{near}") from error
        raise DataError(f"{place}: not a score row: {fault}") from error


_COLUMNS = {field.alias or name for name, field in ScoreRow.model_fields.items()}
