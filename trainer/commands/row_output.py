"""Rows that a command writes one by one, the rows that it skips, and a bar while it works."""

import fcntl
import io
import json
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from rich.progress import Progress, TaskID

from ...rewards.rows.scores import json_line
from ...sandbox.errors import DataError, TaskError, first_of
from ...tasks.whole_files import partial_of, put_in_place, regular_place
from ..run.progress import bar_of
from .output import is_stdout


class BadRows:
    """Counts the rows that cannot be used, and keeps the messages of the first."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[str] = []

    def add(self, error: DataError | str) -> None:
        """Count one more."""
        self.count += 1
        if len(self.first) < 20:
            self.first.append(str(error))

    def lines(self) -> list[str]:
        """Return lines that say how many there are and show the first; none if there are none."""
        return (
            [f"  skipped {self.count} row(s) that cannot be used:", first_of(self.first)]
            if self.count
            else []
        )


class RowOutput:
    """Writes the rows of a command one by one, to what `-o` names.

    A regular file appears only when it is complete. Until then its rows are in a hidden file beside it, which
    stays there if the command ends early, so that `--resume` can continue. A pipe, a device or `-` (standard
    output) is written to as it is. Without a target nothing is written.

    Args:
        target: what `-o` names.
        header: the first row of the file.
        resume: continue what an earlier call began; then `kept` are its rows.
        resumable: whether the command has `--resume`; if not, nothing is left of one that ends early.

    Raises:
        DataError: the target cannot be written to, another command writes to it, or what was begun differs in
            its header.
    """

    def __init__(
        self, target: str | None, header: Mapping[str, Any], *, resume: bool = False, resumable: bool = True
    ):
        self.target, self._header, self._resumable = target, header, resumable
        self._place: Path | None = None
        self._file: IO[str] | None = None
        self._kept = self._written = 0
        try:
            self._open(resume)
        except BaseException as error:
            self._close()
            if isinstance(error, OSError):
                raise self._fault(error) from error
            raise

    def _open(self, resume: bool) -> None:
        if self.target is not None and not is_stdout(self.target):
            self._place = regular_place(Path(self.target))
        if resume and self._place is None:
            raise TaskError("--resume continues a file; give the -o FILE of the call that was interrupted")
        if self.target is None:
            return
        if self.target.endswith(".gz"):
            raise DataError(f"{self.target}: rows are not written compressed; give a .jsonl file")
        if self._place is None:
            self._file = _standard_output() if is_stdout(self.target) else _opened(Path(self.target))
        else:
            self._file = self._locked(self._place)
            keep = self._complete_bytes() if resume else 0
            self._file.truncate(keep)
            self._file.seek(keep)
            if keep:
                return
        self._write(self._header)

    def _locked(self, place: Path) -> IO[str]:
        """Open the hidden file, which only one command may write to at a time."""
        place.parent.mkdir(parents=True, exist_ok=True)
        partial = partial_of(place)
        file = _opened(partial, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_free = partial.exists() and os.path.samestat(os.fstat(file.fileno()), partial.stat())
        except BlockingIOError:
            is_free = False
        if not is_free:
            file.close()
            raise DataError(f"{self.target}: another command writes to it; wait for it, or give another -o")
        if place.exists():
            partial.chmod(stat.S_IMODE(place.stat().st_mode))
        return file

    def _complete_bytes(self) -> int:
        """Return how many bytes of the begun file can be kept, counting its rows."""
        assert self._place is not None
        partial = partial_of(self._place)
        if not partial.stat().st_size and self._place.exists():
            partial.write_bytes(self._place.read_bytes())  # a complete file may be continued too
        end = 0
        with partial.open("rb") as lines:
            for number, line in enumerate(lines):
                row = _object_of(line)
                if row is None:
                    break  # a line that a kill cut
                if number == 0:
                    self._check_header(row, partial)
                end += len(line)
                self._kept += number > 0
        return end

    def _check_header(self, begun: Mapping[str, Any], partial: Path) -> None:
        """Refuse to continue a file that was begun with another task, scheme or settings."""
        # As JSON both, so that tuples and lists are the same.
        before, now = begun.get("header"), json.loads(json_line(self._header))["header"]
        if not isinstance(before, dict):
            raise DataError(
                f"{self.target}: does not begin with the header of such a file; choose another -o"
            )
        differs = [key for key in now if key != "libraries" and now[key] != before.get(key)]
        if differs:
            raise DataError(
                f"{self.target}: the rows that are there were made with other {', '.join(differs)}; use the"
                f" same task and options as before, or start again without --resume ({partial} has the rows)"
            )

    def kept(self) -> Iterator[dict[str, Any]]:
        """Yield the rows that an earlier call wrote."""
        if self._kept and self._place is not None:
            with partial_of(self._place).open("rb") as lines:
                next(lines)
                for _ in range(self._kept):
                    yield json.loads(next(lines))

    def keep(self, count: int) -> None:
        """Drop all but the first `count` of the rows that an earlier call wrote."""
        if self._place is None or self._file is None or count >= self._kept:
            return
        with partial_of(self._place).open("rb") as lines:
            end = sum(len(next(lines)) for _ in range(count + 1))
        self._file.truncate(end)
        self._file.seek(end)
        self._kept = count

    def write(self, row: Mapping[str, Any]) -> None:
        """Write a row.

        Raises:
            DataError: it cannot be written; what was written before is kept.
        """
        self._write(row)
        self._written += 1

    def _write(self, row: Mapping[str, Any]) -> None:
        if self._file is not None:
            try:
                self._file.write(json_line(row))
            except OSError as error:
                raise self._fault(error) from error

    def flush(self) -> None:
        """Hand what was written to the system, so that a kill cannot lose it."""
        if self._file is not None:
            try:
                self._file.flush()
            except OSError as error:
                raise self._fault(error) from error

    def _fault(self, error: OSError) -> Exception:
        if isinstance(error, BrokenPipeError):
            return error
        return DataError(
            f"{self.target}: cannot be written ({error.strerror}); give another -o, or free some space"
        )

    def __enter__(self) -> "RowOutput":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._close()
        except OSError as fault:
            if kind is None:
                raise self._fault(fault) from fault
            kind = kind or type(fault)
        if self._place is None:
            return
        partial = partial_of(self._place)
        if kind is None:
            try:
                put_in_place(partial, self._place)
            except OSError as fault:
                raise self._fault(fault) from fault
        elif self._resumable and self._kept + self._written:
            rows = f"{self._kept + self._written} row(s) are kept in {partial}"
            print(f"{rows}; --resume continues there", file=sys.stderr)
        else:
            partial.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._file is not None and self._file is not sys.stdout:
            self._file.close()
        elif self._file is not None:
            self._file.flush()


def _opened(path: Path, flags: int = os.O_WRONLY) -> IO[str]:
    return os.fdopen(os.open(path, flags, 0o666), "w" if flags == os.O_WRONLY else "r+", encoding="utf-8")


def _standard_output() -> IO[str]:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    return sys.stdout


def _object_of(line: bytes) -> dict[str, Any] | None:
    """Return a whole line's object; None for anything else."""
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and line.endswith(b"\n") else None


def publish(rows: Path, target: str) -> None:
    """Write a complete file of rows, header first, to what `-o` names.

    Raises:
        DataError: it cannot be written to.
    """
    with rows.open("rb") as lines, RowOutput(target, json.loads(next(lines)), resumable=False) as output:
        for line in lines:
            output.write(json.loads(line))


class RowBar:
    """A progress bar of rows: how many, how fast, the time left, the share right, and bugs so far."""

    def __init__(self, bar: Progress, task: TaskID):
        self._bar, self._task = bar, task
        self._right = self._judged = self._bugs = 0

    def add(self, right: bool | None, has_bug: bool) -> None:
        """Count a completion that was scored."""
        self._right += right is True
        self._judged += right is not None
        self._bugs += has_bug
        if self._judged:
            shown = f"right {self._right / self._judged:.1%}, bugs {self._bugs}"
            self._bar.update(self._task, shown=shown)
        self.advance(1)

    def advance(self, count: int) -> None:
        """Count rows of which nothing is known but that they are done."""
        self._bar.advance(self._task, count)


@contextmanager
def row_bar(total: int | None, *, unit: str = "row", done: int = 0) -> Iterator[RowBar]:
    """Yield a bar on standard error, which is hidden if that is not a terminal."""
    with bar_of(f"{unit}s", sys.stderr, hidden=not sys.stderr.isatty()) as bar:
        yield RowBar(bar, bar.add_task("", total=total, completed=done, shown=""))


def count_lines(path: Path, limit: int | None) -> int | None:
    """Return about how many rows a file has, for a bar; None for a pipe or a compressed file."""
    if not path.is_file() or path.suffix != ".jsonl" or not sys.stderr.isatty():
        return limit
    with path.open("rb") as file:
        count = sum(block.count(b"\n") for block in iter(lambda: file.read(2**20), b""))
    return count if limit is None else min(count, limit)
