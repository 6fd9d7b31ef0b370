"""Where a task's rows come from, as sources whose rows can be read again by their index."""

import zlib
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ...sandbox.errors import DataError, TaskError
from ..name_lookup import GENERATORS, resolve
from ..schema import Task
from .row_files import SUFFIXES, Located, json_object, read_items, suffix_of

SHUFFLE_BUFFER = 10_000
"""Rows of a streamed data set that are held at once to shuffle them."""


class RowSource:
    """Rows that can be read again by their index, and that are held in memory if there is no other way.

    Args:
        rows: the rows, as an iterator that is used once. A `DataError` in a row's place is that row's error.
    """

    def __init__(self, rows: Iterator[Located | DataError]):
        self._rows = rows
        self._held: list[Located | DataError] = []

    def indices(self) -> Iterator[int]:
        """Yield 0, 1, 2, ...: the index of each row, as it is read for the first time."""
        for row in self._rows:
            self._held.append(row)
            yield len(self._held) - 1

    def item(self, index: int) -> Located | DataError:
        """Return a row that was read before, or its error."""
        return self._held[index]

    def place(self, index: int) -> str:
        """Return the place of a row that was read before."""
        return self[index][0]

    def __getitem__(self, index: int) -> Located:
        """Return a row that was read before, with its place.

        Raises:
            DataError: the row is malformed.
        """
        found = self.item(index)
        if isinstance(found, DataError):
            raise found
        return found


class JsonlSource(RowSource):
    """The rows of a JSONL file, of which only the positions are held."""

    def __init__(self, path: Path):
        self.path = path
        path.stat()
        self._offsets, self._numbers, self._checksums = array("q"), array("q"), array("I")
        self._newest = b""

    def indices(self) -> Iterator[int]:
        """See `RowSource.indices`."""
        offset = 0
        with self.path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    self._offsets.append(offset)
                    self._numbers.append(number)
                    self._checksums.append(zlib.crc32(line.strip()))
                    self._newest = line
                    yield len(self._offsets) - 1
                offset += len(line)

    def place(self, index: int) -> str:
        """See `RowSource.place`."""
        return f"{self.path}:{self._numbers[index]}"

    def item(self, index: int) -> Located | DataError:
        """See `RowSource.item`; a file that was changed since it was opened is an error."""
        place = self.place(index)
        if index == len(self._offsets) - 1:
            return json_object(self._newest, place)
        begin, end = self._offsets[index], self._offsets[index + 1]
        # Opened for every read, so that threads do not share a position and nothing has to be closed.
        try:
            with self.path.open("rb") as file:
                file.seek(begin)
                line = file.read(end - begin).strip()
        except OSError as error:
            raise DataError(
                f"{self.path}: cannot be read any more ({error.strerror}); put it back"
            ) from error
        if zlib.crc32(line) != self._checksums[index]:
            raise DataError(f"{place}: the file was changed while it was in use; start again")
        return json_object(line, place)


def open_source(path: Path) -> RowSource:
    """Return the rows of a file, to be read by index; only those of an uncompressed JSONL file are not held.

    Raises:
        DataError: the file cannot be read.
    """
    if suffix_of(path) != ".jsonl" or not path.is_file():
        return RowSource(read_items(path))
    try:
        return JsonlSource(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); give a readable file") from error


class HubSource(RowSource):
    """The rows of a Hugging Face data set that was downloaded whole, which maps its files into memory."""

    def __init__(self, loaded: Any, name: str):
        self._loaded, self._name = loaded, name

    def indices(self) -> Iterator[int]:
        """See `RowSource.indices`."""
        yield from range(len(self._loaded))

    def item(self, index: int) -> Located:
        """See `RowSource.item`."""
        return f"{self._name}:{index + 1}", self._loaded[index]


class FileSources(RowSource):
    """The rows of several files, one after the other."""

    def __init__(self, paths: Sequence[Path]):
        self._sources = [open_source(path) for path in paths]
        self._found = array("q")
        """For each row its file and its index there, one after the other."""

    def indices(self) -> Iterator[int]:
        """See `RowSource.indices`."""
        for number, source in enumerate(self._sources):
            for index in source.indices():
                self._found.extend((number, index))
                yield len(self._found) // 2 - 1

    def place(self, index: int) -> str:
        """See `RowSource.place`."""
        number, inner = self._found[2 * index : 2 * index + 2]
        return self._sources[number].place(inner)

    def item(self, index: int) -> Located | DataError:
        """See `RowSource.item`."""
        number, inner = self._found[2 * index : 2 * index + 2]
        return self._sources[number].item(inner)


def rows_of(task: Task, split: str) -> RowSource:
    """Return the source of a split's rows.

    Raises:
        TaskError: there is no such split, or the generator cannot be built.
        DataError: the data set or the file cannot be loaded.
    """
    data = task.data
    if data.generator is not None:
        return RowSource(_generated_rows(task, data.generator, split))
    assert data.path is not None
    path = _local(task, data.path)
    if path is None:
        return hub_rows(task, split)
    stored = data.split if data.held_out else split
    return FileSources(_files_of_split(task, path, stored))


def _generated_rows(task: Task, name: str, split: str) -> Iterator[Located]:
    where = task.where("data", "generator")
    make = resolve(name, [GENERATORS], folder=task.folder, where=where, allow_code=task.allow_code)
    generator = make_generator(make, task.data.parameters, where)
    for number, row in enumerate(generator.problems(task.data.seed, split), 1):
        yield f"{name}:{number}", row


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
    if suffix_of(path) in SUFFIXES or path.is_absolute() or name.startswith(".") or name.count("/") > 1:
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
        if suffix_of(file) in SUFFIXES and not file.name.endswith(".cases.jsonl")
    ]
    by_split: dict[str, list[Path]] = {}
    for file in files:
        relative = file.relative_to(folder)
        outermost = relative.parts[0] if len(relative.parts) > 1 else relative.stem
        by_split.setdefault(outermost.split("-")[0], []).append(file)
    return by_split if by_split.keys() & {"train", "test", "validation"} else {task.data.split: files}


def hub_rows(task: Task, split: str) -> RowSource:
    """Return the rows of a Hugging Face data set.

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
    name = f"{data.path}/{stored}"
    if not data.streaming:
        return HubSource(loaded, name)
    if data.shuffle:
        loaded = loaded.shuffle(seed=data.seed, buffer_size=SHUFFLE_BUFFER)
    rows: Any = loaded
    return RowSource((f"{name}:{number}", row) for number, row in enumerate(rows, 1))
