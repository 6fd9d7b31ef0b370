"""Reading rows from local files (JSON lines, JSON, CSV, Parquet), each with its place in the file.

A place is `FILE:NUMBER`: the line of a JSONL or CSV file, or else the row, both counted from 1.
"""

import csv
import gzip
import json
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any

from ...sandbox.errors import DataError

SUFFIXES = (".jsonl", ".jsonl.gz", ".json", ".csv", ".parquet")
Row = Mapping[str, Any]
Located = tuple[str, Row]
"""The place that a row came from, such as `train.jsonl:12`, and the row."""
OnBad = Callable[[DataError], None]
"""Called with the error of each malformed row, which is then skipped."""


def suffix_of(path: Path) -> str:
    """Return the part of a file's name that says what kind of file it is, such as `.jsonl.gz`."""
    return next((suffix for suffix in SUFFIXES[::-1] if path.name.endswith(suffix)), path.suffix)


def read_rows(path: Path, *, limit: int | None = None, on_bad: OnBad | None = None) -> Iterator[Located]:
    """Yield the rows of a file, each with its place; at most `limit` of them.

    Files with one of `SUFFIXES` are read as what it says. `-` is standard input; it, pipes and devices are
    read as JSON lines.

    Args:
        path: the file.
        limit: yield at most this many rows.
        on_bad: takes the errors of malformed rows, so that the others can still be read; None = raise them.

    Raises:
        DataError: the file cannot be read, or a row is malformed; the message names its line or number.
    """
    yield from islice(_good_rows(path, on_bad), limit)


def _good_rows(path: Path, on_bad: OnBad | None) -> Iterator[Located]:
    for item in read_items(path):
        if not isinstance(item, DataError):
            yield item
        elif on_bad is None:
            raise item
        else:
            on_bad(item)


def read_items(path: Path) -> Iterator[Located | DataError]:
    """Yield each row with its place, or the error of a row that is malformed."""
    readers = {".jsonl": _jsonl, ".jsonl.gz": _jsonl, ".json": _json, ".csv": _csv, ".parquet": _parquet}
    is_stream = str(path) == "-" or (path.exists() and not path.is_file() and not path.is_dir())
    kind = ".jsonl" if is_stream else suffix_of(path)
    if path.is_dir():
        raise DataError(f"{path}: is a folder; give a file in it")
    if kind not in readers:
        raise DataError(
            f"{path}: unknown kind of file {path.suffix!r}; convert it to one of: {', '.join(SUFFIXES)}"
        )
    try:
        yield from readers[kind](path)
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


def json_object(line: bytes, place: str) -> Located | DataError:
    """Return the row of a line of a JSONL file with its place, or the error of a malformed one."""
    try:
        text = line.decode("utf-8").removeprefix("\ufeff")  # some editors begin a file with this mark
        row = json.loads(text)
    except UnicodeDecodeError as error:
        if line.startswith(b"\x1f\x8b"):
            return DataError(f"{place}: is compressed by gzip; give the file a name that ends in .jsonl.gz")
        reason = f"{error.reason} at byte {error.start} of the line"
        return DataError(f"{place}: is not UTF-8 text ({reason}); save the file as UTF-8")
    except json.JSONDecodeError as error:
        start = line[:60].decode(errors="replace")
        return DataError(
            f"{place}: not valid JSON: {error.msg} at column {error.colno} (the line starts: {start!r})"
        )
    except (ValueError, RecursionError) as error:
        return DataError(f"{place}: a value cannot be read: {error}")
    if not isinstance(row, dict):
        return DataError(
            f"{place}: expected a JSON object with the row's columns, got {type(row).__name__}"
            f" ({text[:60]!r})"
        )
    return place, row


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    if str(path) == "-":
        yield sys.stdin.buffer
        return
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        yield file  # pyright: ignore[reportReturnType]


def _jsonl(path: Path) -> Iterator[Located | DataError]:
    number = 0
    with _opened(path) as lines:
        try:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield json_object(line, f"{path}:{number}")
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            yield DataError(f"{path}:{number + 1}: the compressed file is cut or damaged here: {error}")


def _json(path: Path) -> Iterator[Located | DataError]:
    text = path.read_text(encoding="utf-8-sig")
    try:
        rows = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}:{error.lineno}: not valid JSON: {error.msg} at column {error.colno} (one object per line"
            " belongs in a .jsonl file)"
        ) from error
    for number, row in enumerate(rows if isinstance(rows, list) else [rows], 1):
        if isinstance(row, dict):
            yield f"{path}:{number}", row
        else:
            kind = type(row).__name__
            yield DataError(f"{path}:{number}: expected a JSON object with the row's columns, got {kind}")


def _csv(path: Path) -> Iterator[Located | DataError]:
    with path.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.DictReader(lines, strict=True)
        for row in reader:
            place = f"{path}:{reader.line_num}"
            # DictReader puts surplus fields under the key None, and gives missing ones the value None.
            if None in row or None in row.values():
                yield DataError(
                    f"{place}: the row has too many or too few fields; expected"
                    f" {len(reader.fieldnames or ())}, as in the header"
                )
            else:
                yield place, row


def _parquet(path: Path) -> Iterator[Located | DataError]:
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        number = 0
        for batch in ParquetFile(path).iter_batches(batch_size=1024):
            for row in batch.to_pylist():
                number += 1
                yield f"{path}:{number}", row
    except ArrowException as error:
        raise DataError(f"{path}: not a parquet file, or a damaged one: {error}") from error
