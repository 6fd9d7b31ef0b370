"""Reading rows from local files (JSON lines, JSON, CSV, Parquet), each with its place in the file."""

import csv
import json
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from ..sandbox.errors import DataError

SUFFIXES = (".jsonl", ".json", ".csv", ".parquet")
Row = Mapping[str, Any]
Located = tuple[str, Row]
"""The place that a row came from, such as `train.jsonl:12`, and the row."""


def read_rows(path: Path, *, limit: int | None = None) -> Iterator[Located]:
    """Yield the rows of a .jsonl, .json, .csv or .parquet file, each with its place; at most `limit` of them.

    Raises:
        DataError: the file cannot be read, or a row is malformed; the message names its line or index.
    """
    readers = {".jsonl": _jsonl, ".json": _json, ".csv": _csv, ".parquet": _parquet}
    if path.suffix not in readers:
        raise DataError(
            f"{path}: unknown kind of file {path.suffix!r}; convert it to one of: {', '.join(SUFFIXES)}"
        )
    try:
        yield from islice(readers[path.suffix](path), limit)
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror or error}); give a file that exists and is readable"
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: is not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8"
        ) from error
    except DataError:  # is a ValueError too, and already says what is wrong
        raise
    except (ValueError, RecursionError, csv.Error) as error:
        raise DataError(f"{path}: a value cannot be read: {error}") from error


def _json_object(text: str, place: str) -> Row:
    try:
        row = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{place}: not valid JSON: {error.msg} at column {error.colno} (the line starts: {text[:60]!r})"
        ) from error
    if not isinstance(row, dict):
        raise DataError(
            f"{place}: expected a JSON object with the row's columns, got {type(row).__name__}"
            f" ({text[:60]!r})"
        )
    return row


def _jsonl(path: Path) -> Iterator[Located]:
    with path.open(encoding="utf-8-sig") as lines:  # -sig: some editors begin a file with a byte-order mark
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield f"{path}:{number}", _json_object(line, f"{path}:{number}")


def _json(path: Path) -> Iterator[Located]:
    text = path.read_text(encoding="utf-8-sig")
    try:
        rows = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}:{error.lineno}: not valid JSON: {error.msg} at column {error.colno} (one object per line"
            " belongs in a .jsonl file)"
        ) from error
    for index, row in enumerate(rows if isinstance(rows, list) else [rows]):
        if not isinstance(row, dict):
            raise DataError(
                f"{path}[{index}]: expected a JSON object with the row's columns, got {type(row).__name__}"
            )
        yield f"{path}[{index}]", row


def _csv(path: Path) -> Iterator[Located]:
    with path.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.DictReader(lines, strict=True)
        for row in reader:
            # DictReader puts surplus fields under the key None, and gives missing ones the value None.
            if None in row or None in row.values():
                raise DataError(
                    f"{path}:{reader.line_num}: the row has too many or too few fields; expected"
                    f" {len(reader.fieldnames or ())}, as in the header"
                )
            yield f"{path}:{reader.line_num}", row


def _parquet(path: Path) -> Iterator[Located]:
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        index = 0
        for batch in ParquetFile(path).iter_batches():
            for row in batch.to_pylist():
                yield f"{path}[{index}]", row
                index += 1
    except ArrowException as error:
        raise DataError(f"{path}: not a parquet file, or a damaged one: {error}") from error
