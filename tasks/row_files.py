"""Rows of local files, each with its place: JSON lines, JSON, CSV, parquet."""

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
"""A row with the place it came from, for error messages: `train.jsonl:12`."""


def read_rows(path: Path, *, limit: int | None = None) -> Iterator[Located]:
    """Yield the rows of a .jsonl, .json, .csv or .parquet file with their places.

    Raises:
        DataError: the file cannot be read, or a line is not a JSON object (its number is told).
    """
    readers = {".jsonl": _jsonl, ".json": _json, ".csv": _csv, ".parquet": _parquet}
    if path.suffix not in readers:
        raise DataError(f"{path}: unknown kind of file (known: {', '.join(SUFFIXES)})")
    try:
        yield from islice(readers[path.suffix](path), limit)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 text ({error.reason} at byte {error.start})") from error
    except (ValueError, RecursionError, csv.Error) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: a value cannot be read: {error}") from error


def _object(text: str, place: str) -> Row:
    try:
        row = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{place}: not valid JSON: {error.msg} at column {error.colno} ({text[:60]!r})"
        ) from error
    if not isinstance(row, dict):
        raise DataError(f"{place}: expected a JSON object, got {type(row).__name__} ({text[:60]!r})")
    return row


def _jsonl(path: Path) -> Iterator[Located]:
    with path.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield f"{path}:{number}", _object(line, f"{path}:{number}")


def _json(path: Path) -> Iterator[Located]:
    text = path.read_text(encoding="utf-8-sig")
    try:
        rows = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{path}:{error.lineno}: not valid JSON: {error.msg}") from error
    for index, row in enumerate(rows if isinstance(rows, list) else [rows]):
        if not isinstance(row, dict):
            raise DataError(f"{path}[{index}]: expected a JSON object, got {type(row).__name__}")
        yield f"{path}[{index}]", row


def _csv(path: Path) -> Iterator[Located]:
    with path.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.DictReader(lines, strict=True)
        for row in reader:
            if None in row or None in row.values():
                raise DataError(f"{path}:{reader.line_num}: expected {len(reader.fieldnames or ())} fields")
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
        raise DataError(f"{path}: not a parquet file: {error}") from error
