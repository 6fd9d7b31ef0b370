"""The replay buffer of a run: the rows that its reward model learns from or is measured on, on disk.

One file for each iteration, to which rows are only ever appended. A line is the CRC-32 of a row and the row
as JSON. A file that was cut at any byte loses its last line only; a line that was changed is an error.
"""

import json
import os
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from ...sandbox.errors import RunError
from ...tasks.whole_files import written_whole
from ..config.reward_model_config import ReplayConfig

T = TypeVar("T")
Row = dict[str, Any]


class ReplayBuffer:
    """Rows on disk, by iteration.

    Args:
        folder: where its files are; made when the first row is written.
        max_rows: the most rows to train on that `rows` returns at once, the newest ones.
    """

    def __init__(self, folder: Path, max_rows: int):
        self.folder, self.max_rows = folder, max_rows

    def append(self, iteration: int, rows: Sequence[Mapping[str, Any]]) -> None:
        """Append rows of an iteration, and return once they are on the disk.

        Raises:
            RunError: they cannot be written.
        """
        if not rows:
            return
        path = self._path(iteration)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as file:
                file.write(b"".join(map(_line, rows)))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise RunError(f"{path} cannot be written ({error.strerror}); free some space") from error

    def rows(self, split: str, iterations: range) -> list[Row]:
        """Return the rows of a split (`train` or `held`) from some iterations, oldest first.

        Of the rows to train on, these are the newest `max_rows`.

        Raises:
            RunError: a line was changed.
        """
        numbers = [number for number in self._iterations() if number in iterations]
        chosen = [row for number in numbers for row in self._read(number) if row["split"] == split]
        return chosen[-self.max_rows :] if split == "train" else chosen

    def sizes(self) -> dict[str, int]:
        """Return the number of rows of each iteration that is still needed; a checkpoint keeps it."""
        outdated = self._outdated()
        kept = [number for number in self._iterations() if number not in outdated]
        return {str(number): sum(1 for _ in self._read(number)) for number in kept}

    def rewind(self, sizes: Mapping[str, int]) -> None:
        """Drop the rows that were written after a checkpoint, which knows the `sizes` from before.

        Raises:
            RunError: there are fewer rows than the checkpoint knows of, or a file cannot be written.
        """
        for number in {*self._iterations(), *map(int, sizes)}:
            path, size = self._path(number), sizes.get(str(number), 0)
            rows = list(self._read(number))
            if len(rows) < size:
                raise RunError(
                    f"{path}: the checkpoint knows of {size} rows, and the file has {len(rows)}: it was cut"
                    " or removed; restore it, or start the run again"
                )
            kept = b"".join(map(_line, rows[:size]))
            try:
                if not size:
                    path.unlink(missing_ok=True)
                elif path.read_bytes() != kept:
                    with written_whole(path) as partial:
                        partial.write_bytes(kept)
            except OSError as error:
                raise RunError(f"{path} cannot be written ({error.strerror}); free some space") from error

    def prune(self, kept: Collection[int]) -> None:
        """Remove the rows of all iterations but some."""
        for number in self._iterations():
            if number not in kept:
                self._path(number).unlink()

    def _outdated(self) -> set[int]:
        """Return the iterations whose rows no update will replay, since there are enough newer ones.

        Iteration 0 is never among them, because its held rows are always used; nor is the newest, because
        an update replays what is older than its own iteration.
        """
        newer, outdated = 0, set()
        for number in reversed(self._iterations()[:-1]):
            if newer >= self.max_rows and number > 0:
                outdated.add(number)
            newer += sum(row["split"] == "train" for row in self._read(number))
        return outdated

    def _path(self, iteration: int) -> Path:
        return self.folder / f"iteration-{iteration:04d}.jsonl"

    def _iterations(self) -> list[int]:
        return sorted(int(path.stem.split("-")[1]) for path in self.folder.glob("iteration-*.jsonl"))

    def _read(self, iteration: int) -> Iterator[Row]:
        path = self._path(iteration)
        lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
        for number, line in enumerate(lines, 1):
            row = _row(line)
            if row is not None:
                yield row
            elif number < len(lines):
                raise RunError(
                    f"{path}:{number}: the row does not match its checksum, so it was changed; restore the"
                    " file, or remove this line if the run is not to be resumed exactly"
                )


def _line(row: Mapping[str, Any]) -> bytes:
    text = json.dumps(row, sort_keys=True).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _row(line: bytes) -> Row | None:
    """Return the row of a line; None if the line is cut or does not match its checksum."""
    checksum, _, text = line.rstrip(b"\n").partition(b" ")
    if not line.endswith(b"\n") or checksum != b"%08x" % zlib.crc32(text):
        return None
    return json.loads(text)


def replay_batches(
    new: Sequence[T], old: Sequence[T], replay: ReplayConfig, *, size: int, count: int, seed: str
) -> tuple[list[list[T]], dict[str, Any]]:
    """Return the batches of an update, and a record of what is in them.

    Items are drawn in passes, each in another order, so that all are used equally often. With `unit: batch`,
    every batch has `fraction` old items, at least one unless the fraction is 0 or there are none.

    Args:
        new: the items of this iteration, one or more.
        old: those of all earlier ones.
        replay: which of the readings of "10 % of historical data" holds.
        size: items of a batch.
        count: batches.
        seed: of the order.
    """
    rng = Random(f"replay/{seed}")
    record: dict[str, Any] = {"unit": replay.unit, "fraction": replay.fraction, "new": len(new), "old": 0}
    if replay.unit == "history":
        replayed = rng.sample(list(old), round(replay.fraction * len(old)))
        pool = _endless([*new, *replayed], rng)
        record["old"] = len(replayed)
        return [[next(pool) for _ in range(size)] for _ in range(count)], record
    per_batch = min(size - 1, max(1, round(replay.fraction * size))) if replay.fraction and old else 0
    news, olds = _endless(new, rng), _endless(old, rng)
    record |= {"old": min(len(old), per_batch * count), "old_per_batch": per_batch}
    batches = [
        [*(next(news) for _ in range(size - per_batch)), *(next(olds) for _ in range(per_batch))]
        for _ in range(count)
    ]
    return batches, record


def _endless(items: Sequence[T], rng: Random) -> Iterator[T]:
    while True:
        yield from rng.sample(list(items), len(items))
