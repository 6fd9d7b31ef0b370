"""A run's folder: everything that is needed to look back, or to go on.

run.yaml          the resolved run file          metrics.jsonl   one row a step
tasks.json        each task, resolved, its hash  eval.jsonl      one row an evaluation
checkpoints/      step-000010/, ...              alarms.jsonl    one row an alarm
reference/        where KL asks for one          notes.jsonl     what the run changed or met
final/            the model, plain Hugging Face  scores/         every completion, compressed
summary.json      the run in one row
"""

import gzip
import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from ...sandbox.errors import RunError
from ...tasks.whole_files import written_whole
from ..config.run_config import RunConfig

LOGS = ("metrics.jsonl", "eval.jsonl", "alarms.jsonl", "notes.jsonl")


class RunFolder:
    """Writes a run's files; each row is flushed, so that a killed run loses none before it."""

    def __init__(self, path: Path):
        self.path = path
        self.checkpoints = path / "checkpoints"
        self._shard_start = 1

    def create(self, config: RunConfig, tasks: Mapping[str, Any], *, needed_bytes: int) -> None:
        """Start a new run here.

        Raises:
            RunError: the folder is in use, cannot be written to, or the disk is too full.
        """
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise RunError(
                f"{self.path} is not empty; give another --out, or --resume to go on with the run in it"
            )
        try:
            self.checkpoints.mkdir(parents=True)
            (self.path / "scores").mkdir()
            probe = self.path / ".probe"
            probe.write_bytes(b"1")
            probe.unlink()
        except OSError as error:
            raise RunError(
                f"{self.path} cannot be written to ({error.strerror}); give another --out"
            ) from error
        free = shutil.disk_usage(self.path).free
        if free < needed_bytes:
            shutil.rmtree(self.path)
            raise RunError(
                f"{self.path} has {free / 2**20:.0f} MiB free, and the run needs about"
                f" {needed_bytes / 2**20:.0f} MiB;"
                " free some, lower save.keep or give another --out"
            )
        self.write_config(config)
        self.write_json("tasks.json", tasks)

    def write_config(self, config: RunConfig) -> None:
        """Write the resolved run file."""
        self._write("run.yaml", yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False))

    def write_json(self, name: str, content: Any) -> None:
        """Write a JSON file whole or not at all."""
        self._write(name, json.dumps(content, indent=1) + "\n")

    def _write(self, name: str, text: str) -> None:
        try:
            with written_whole(self.path / name) as partial:
                partial.write_text(text, encoding="utf-8")
        except OSError as error:
            raise RunError(
                f"{self.path / name} cannot be written ({error.strerror}); free some space"
            ) from error

    def append(self, log: str, row: Mapping[str, Any]) -> None:
        """Add a row to one of the logs.

        Raises:
            RunError: it cannot be written.
        """
        try:
            with (self.path / log).open("a", encoding="utf-8") as file:
                file.write(json.dumps({"schema": 1, **row}, default=str) + "\n")
        except OSError as error:
            raise RunError(
                f"{self.path / log} cannot be written ({error.strerror}); free space, then --resume"
            ) from error

    def append_scores(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add a step's scored completions to the shard that began after the last checkpoint."""
        text = "".join(json.dumps(row, default=str) + "\n" for row in rows)
        path = self.path / "scores" / f"from-{self._shard_start:06d}.jsonl.gz"
        try:
            with path.open("ab") as file:
                file.write(gzip.compress(text.encode(), mtime=0))  # a member a step: always whole
        except OSError as error:
            raise RunError(
                f"{path} cannot be written ({error.strerror}); free space, then --resume"
            ) from error

    def begin_shard(self, step: int) -> None:
        """Let later scores go to a new shard, so that a resumed run can drop whole shards."""
        self._shard_start = step

    def read(self, log: str) -> list[dict[str, Any]]:
        """Return the rows of a log."""
        path = self.path / log
        return (
            [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            if path.exists()
            else []
        )

    def rewind(self, step: int) -> None:
        """Drop everything that was written after a checkpoint: nothing lost, nothing doubled."""
        for log in LOGS:
            if (path := self.path / log).exists():
                kept = [line for line in path.read_bytes().splitlines(keepends=True) if _belongs(line, step)]
                with written_whole(path) as partial:
                    partial.write_bytes(b"".join(kept))
        for shard in (self.path / "scores").glob("from-*.jsonl.gz"):
            if int(shard.name[5:11]) > step:
                shard.unlink()
        (self.path / "summary.json").unlink(missing_ok=True)
        self._shard_start = step + 1


def _belongs(line: bytes, step: int) -> bool:
    try:
        return line.endswith(b"\n") and json.loads(line)["step"] <= step
    except (json.JSONDecodeError, KeyError):
        return False
