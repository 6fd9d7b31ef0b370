"""A run's folder, which keeps everything that is needed to inspect the run or to continue it.

run.yaml          the run file with every default filled in
run.lock          which process writes to the folder
tasks.json        each task with every default filled in, and its hash
metrics.jsonl     one row per step
eval.jsonl        one row per evaluation
iterations.jsonl  one row per iteration: the policy on the held-out prompts, and whether it was rolled back
reward_model.jsonl  one row per update of the reward model: before, after, accepted or not, and why
alarms.jsonl      one row per alarm
notes.jsonl       one row per note: what the run adapted by itself, or what went wrong on the way
scores/           every completion with its score, compressed; a new file (shard) after each checkpoint
evaluations/      every completion of the held-out evaluations with its score, compressed
checkpoints/      step-000010/, ...; each with the checksums of its files, and of the logs at that step
reference/        the initial policy, where the KL needs it; with iterations also reference-000100/, ...
reward_models/    iteration-0001/, ...: the reward model after each accepted update
replay/           what the reward model learned from and was measured on, by iteration
final/            the trained model, a plain Hugging Face folder with its model card
summary.json      the run in one row
tensorboard/, ... what the run's trackers write
"""

import gzip
import json
import re
import shutil
import threading
import zlib
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import yaml

from ...rewards.rows.scores import json_line
from ...sandbox.errors import RunError
from ...tasks.whole_files import to_disk, written_whole
from ..config.run_config import RunConfig
from .lock import NAME as LOCK
from .lock import RunLock

LOGS = (
    "metrics.jsonl",
    "eval.jsonl",
    "iterations.jsonl",
    "reward_model.jsonl",
    "alarms.jsonl",
    "notes.jsonl",
)
FOLDERS = ("checkpoints", "scores", "evaluations", "reward_models", "replay", "final")
Extent = tuple[int, int]
"""The number of bytes of a file, and their CRC-32."""


class RunFolder:
    """Writes and reads a run's files. Every row is written at once, so that a killed run keeps its rows."""

    def __init__(self, path: Path):
        self.path = path
        self.checkpoints = path / "checkpoints"
        self._shard_start = 1
        self._extents: dict[str, Extent] = {}
        """What has been written to each log and each file of completions, by its path in the folder."""
        self._writing = threading.Lock()
        """Held while something is appended, since notes come from the threads of an engine too."""
        self._lock: RunLock | None = None

    def lock(self) -> None:
        """Keep other processes out of the folder until `unlock`.

        Raises:
            RunError: another process has it.
        """
        self._lock = self._lock or RunLock(self.path)

    def unlock(self) -> None:
        """Let other processes have the folder."""
        if self._lock is not None:
            self._lock.release()
        self._lock = None

    def create(self, config: RunConfig, tasks: Mapping[str, Any], *, needed_bytes: int) -> None:
        """Create the folder of a new run, or restart a locked one that has no checkpoint.

        Args:
            config: the run's, written to run.yaml.
            tasks: the content of tasks.json.
            needed_bytes: the disk space that must be free.

        Raises:
            RunError: the folder is in use or cannot be written to, or the disk is too full.
        """
        begun = self._lock is not None
        if not begun and self.path.exists() and (not self.path.is_dir() or self._has_content()):
            advice = "give another --out"
            if (self.path / "run.yaml").is_file():
                advice += f", or continue the run in it: markscheme train {self.path} --resume"
            raise RunError(f"{self.path} {'is not empty' if self.path.is_dir() else 'is a file'}; {advice}")
        try:
            is_new = not self.path.exists()
            self.path.mkdir(parents=True, exist_ok=True)
            self.lock()
            free = shutil.disk_usage(self.path).free
            if free < needed_bytes:
                if is_new:
                    shutil.rmtree(self.path)
                raise RunError(
                    f"{self.path} has {free / 2**20:.0f} MiB free, and the run needs about"
                    f" {needed_bytes / 2**20:.0f} MiB; free some space, lower save.keep or give another --out"
                )
            self._remove_all()
            self.write_config(config)  # first, so that a run that is killed from here on can be resumed
            self._make_folders()
        except OSError as error:
            raise RunError(
                f"{self.path} cannot be written to ({error.strerror}); give another --out"
            ) from error
        self.write_json("tasks.json", tasks)

    def check_not_begun(self) -> None:
        """Check that a run without checkpoints has not taken a step, so that it may begin anew.

        Raises:
            RunError: it has.
        """
        if self.read("metrics.jsonl") or (self.path / "final").exists():
            raise RunError(
                f"{self.path} has the results of a run but no checkpoint to continue from; bring back its"
                " folder checkpoints/, or start a new run in another folder"
            )

    def _make_folders(self) -> None:
        for name in FOLDERS[:3]:
            (self.path / name).mkdir(exist_ok=True)

    def _has_content(self) -> bool:
        return any(
            path.name != LOCK and (path.is_symlink() or not path.is_dir()) for path in self.path.rglob("*")
        )

    def _remove_all(self) -> None:
        """Remove what a run left that was killed before its first checkpoint, and nothing else."""
        for pattern in (*LOGS, *FOLDERS, "reference*", "tasks.json", "summary.json", ".*.partial"):
            for path in self.path.glob(pattern):
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()

    def write_config(self, config: RunConfig) -> None:
        """Write run.yaml, from which the run can be resumed or repeated."""
        self._write("run.yaml", yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False))

    def write_json(self, name: str, content: Any) -> None:
        """Write a JSON file, completely or not at all."""
        self._write(name, json.dumps(content, indent=1) + "\n")

    def _write(self, name: str, text: str) -> None:
        try:
            with written_whole(self.path / name) as partial:
                partial.write_text(text, encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise RunError(
                f"{self.path / name} cannot be written ({error.strerror}); free some space"
            ) from error

    def append(self, log: str, row: Mapping[str, Any]) -> None:
        """Append a row to one of `LOGS`.

        Raises:
            RunError: it cannot be written.
        """
        self._append(log, (json.dumps({"schema": 1, **row}, default=str) + "\n").encode())

    def append_scores(self, rows: Iterable[Mapping[str, Any]], header: Mapping[str, Any]) -> None:
        """Append a step's scored completions to the shard that was begun after the last checkpoint.

        Raises:
            RunError: they cannot be written.
        """
        name = f"scores/from-{self._shard_start:06d}.jsonl.gz"
        self._append(name, _compressed(rows if name in self._extents else chain([header], rows)))

    def write_evaluation(
        self, name: str, step: int, header: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]
    ) -> None:
        """Write the scored completions of a held-out evaluation to a file of their own.

        Raises:
            RunError: they cannot be written.
        """
        name = f"evaluations/step-{step:06d}-{name}.jsonl.gz"
        (self.path / name).unlink(
            missing_ok=True
        )  # of a run that was killed before the evaluation was logged
        self._extents.pop(name, None)
        self._append(name, _compressed(chain([header], rows)))

    def _append(self, name: str, content: bytes) -> None:
        path = self.path / name
        with self._writing:
            try:
                with path.open("ab") as file:
                    file.write(content)
            except OSError as error:
                raise RunError(
                    f"{path} cannot be written ({error.strerror}); free some space, then continue with"
                    " --resume"
                ) from error
            size, crc = self._extents.get(name, (0, 0))
            self._extents[name] = (size + len(content), zlib.crc32(content, crc))

    def begin_shard(self, step: int) -> None:
        """Write the scores from `step` on to a new shard, so that `rewind` can delete whole files."""
        self._shard_start = step

    def read(self, log: str) -> list[dict[str, Any]]:
        """Return the rows of a log; empty if the file is not there yet."""
        path = self.path / log
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    def state(self) -> dict[str, Extent]:
        """Return what has been written so far, for a checkpoint, once it is on the disk."""
        with self._writing:
            for name in self._extents:
                if (self.path / name).exists():
                    to_disk(self.path / name)
            return dict(self._extents)

    def rewind(self, step: int, written: Mapping[str, Extent], note: Callable[[str], None]) -> None:
        """Remove everything that was written after the checkpoint of `step`; the run will write it again.

        Args:
            step: the step of the checkpoint.
            written: what `state` returned then.
            note: called with a line for each file that has lost some of that since. The run goes on, because
                it does not need the lost rows.

        Raises:
            RunError: a file cannot be read or written.
        """
        try:
            self._make_folders()
            for name, extent in written.items():
                if not _holds(self.path / name, *extent):
                    note(f"{name} was cut, changed or removed since step {step}; what can be read is kept")
            self._extents = {}
            for log in LOGS:
                if (self.path / log).exists():
                    self._keep_until(log, step)
            for path in [*self.path.glob("scores/*"), *self.path.glob("evaluations/*")]:
                found = re.match(r"(?:from|step)-(\d+)", path.name)
                name = f"{path.parent.name}/{path.name}"
                if found is None or int(found[1]) > step:
                    path.unlink()
                else:
                    self._extents[name] = written.get(name) or _extent(path.read_bytes())
            (self.path / "summary.json").unlink(missing_ok=True)
        except OSError as error:
            raise RunError(f"{error.filename or self.path}: {error.strerror}; make it writable") from error
        self._shard_start = step + 1

    def _keep_until(self, log: str, step: int) -> None:
        """Drop the rows of later steps from a log, and those that cannot be read."""
        lines = (self.path / log).read_bytes().splitlines(keepends=True)
        kept = b"".join(line for line in lines if _is_until(line, step))
        with written_whole(self.path / log) as partial:
            partial.write_bytes(kept)
        self._extents[log] = _extent(kept)


def _compressed(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Return rows as one gzip member; with mtime 0, so that the same rows give the same bytes."""
    text = "".join(map(json_line, rows))
    return gzip.compress(text.encode(errors="backslashreplace"), mtime=0)


def _extent(content: bytes) -> Extent:
    return len(content), zlib.crc32(content)


def _holds(path: Path, size: int, crc: int) -> bool:
    """Return whether a file begins with the bytes that a checkpoint knows of."""
    return path.is_file() and _extent(path.read_bytes()[:size]) == (size, crc)


def _is_until(line: bytes, step: int) -> bool:
    """Return whether a log's line is complete and belongs to `step` or an earlier one."""
    try:
        return line.endswith(b"\n") and json.loads(line)["step"] <= step
    except (ValueError, KeyError, TypeError):
        return False
