"""A run's folder, which keeps everything that is needed to inspect the run or to continue it.

run.yaml          the run file with every default filled in
tasks.json        each task with every default filled in, and its hash
metrics.jsonl     one row per step
eval.jsonl        one row per evaluation
iterations.jsonl  one row per iteration: the policy on the held-out prompts, and whether it was rolled back
reward_model.jsonl  one row per update of the reward model: before, after, accepted or not, and why
alarms.jsonl      one row per alarm
notes.jsonl       one row per note: what the run adapted by itself, or what went wrong on the way
scores/           every completion with its score, compressed; a new file (shard) after each checkpoint
evaluations/      every completion of the held-out evaluations with its score, compressed
checkpoints/      step-000010/, ...
reference/        the initial policy, where the KL needs it; with iterations also reference-000100/, ...
reward_models/    iteration-0001/, ...: the reward model after each accepted update
replay/           what the reward model learned from and was measured on, by iteration
final/            the trained model, a plain Hugging Face folder
summary.json      the run in one row
tensorboard/      the metrics for TensorBoard, where the run asks for it
"""

import gzip
import json
import shutil
from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import yaml

from ...rewards.rows.scores import json_line
from ...sandbox.errors import RunError
from ...tasks.whole_files import written_whole
from ..config.run_config import RunConfig

LOGS = (
    "metrics.jsonl",
    "eval.jsonl",
    "iterations.jsonl",
    "reward_model.jsonl",
    "alarms.jsonl",
    "notes.jsonl",
)


class RunFolder:
    """Writes and reads a run's files. Every row is written at once, so that a killed run keeps its rows."""

    def __init__(self, path: Path):
        self.path = path
        self.checkpoints = path / "checkpoints"
        self._shard_start = 1

    def create(self, config: RunConfig, tasks: Mapping[str, Any], *, needed_bytes: int) -> None:
        """Create the folder of a new run.

        Args:
            config: the run's, written to run.yaml.
            tasks: the content of tasks.json.
            needed_bytes: the disk space that must be free.

        Raises:
            RunError: the folder is in use or cannot be written to, or the disk is too full.
        """
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise RunError(
                f"{self.path} is not empty; give another --out, or --resume to continue the run in it"
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
                f" {needed_bytes / 2**20:.0f} MiB; free some space, lower save.keep or give another --out"
            )
        self.write_config(config)
        self.write_json("tasks.json", tasks)

    def write_config(self, config: RunConfig) -> None:
        """Write run.yaml, from which the run can be resumed or repeated."""
        self._write("run.yaml", yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False))

    def write_json(self, name: str, content: Any) -> None:
        """Write a JSON file, completely or not at all."""
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
        """Append a row to one of `LOGS`.

        Raises:
            RunError: it cannot be written.
        """
        try:
            with (self.path / log).open("a", encoding="utf-8") as file:
                file.write(json.dumps({"schema": 1, **row}, default=str) + "\n")
        except OSError as error:
            raise _log_fault(self.path / log, error) from error

    def append_scores(self, rows: Iterable[Mapping[str, Any]], header: Mapping[str, Any]) -> None:
        """Append a step's scored completions to the shard that was begun after the last checkpoint.

        Raises:
            RunError: they cannot be written.
        """
        path = self.path / "scores" / f"from-{self._shard_start:06d}.jsonl.gz"
        self._append_compressed(path, rows if path.exists() else chain([header], rows))

    def write_evaluation(
        self, name: str, step: int, header: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]
    ) -> None:
        """Write the scored completions of a held-out evaluation to a file of their own.

        Raises:
            RunError: they cannot be written.
        """
        folder = self.path / "evaluations"
        folder.mkdir(exist_ok=True)
        path = folder / f"step-{step:06d}-{name}.jsonl.gz"
        path.unlink(missing_ok=True)  # of a run that was killed before the evaluation was logged
        self._append_compressed(path, chain([header], rows))

    def _append_compressed(self, path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
        text = "".join(map(json_line, rows))
        try:
            with path.open("ab") as file:
                # One gzip member per step; mtime 0, so that the same rows give the same bytes.
                file.write(gzip.compress(text.encode(), mtime=0))
        except OSError as error:
            raise _log_fault(path, error) from error

    def begin_shard(self, step: int) -> None:
        """Write the scores from `step` on to a new shard, so that `rewind` can delete whole files."""
        self._shard_start = step

    def read(self, log: str) -> list[dict[str, Any]]:
        """Return the rows of a log; empty if the file is not there yet."""
        path = self.path / log
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    def rewind(self, step: int) -> None:
        """Remove everything that was written after the checkpoint of `step`; the run will write it again."""
        for log in LOGS:
            path = self.path / log
            if path.exists():
                lines = path.read_bytes().splitlines(keepends=True)
                with written_whole(path) as partial:
                    partial.write_bytes(b"".join(line for line in lines if _is_until(line, step)))
        for shard in (self.path / "scores").glob("from-*.jsonl.gz"):
            first_step = int(shard.name.removeprefix("from-").removesuffix(".jsonl.gz"))
            if first_step > step:
                shard.unlink()
        for evaluation in (self.path / "evaluations").glob("step-*.jsonl.gz"):
            if int(evaluation.name.split("-")[1]) > step:
                evaluation.unlink()
        (self.path / "summary.json").unlink(missing_ok=True)
        self._shard_start = step + 1


def _is_until(line: bytes, step: int) -> bool:
    """Return whether a log's line is complete and belongs to `step` or an earlier one."""
    try:
        return line.endswith(b"\n") and json.loads(line)["step"] <= step
    except (json.JSONDecodeError, KeyError):
        return False


def _log_fault(path: Path, error: OSError) -> RunError:
    return RunError(
        f"{path} cannot be written ({error.strerror}); free some space, then continue with --resume"
    )
