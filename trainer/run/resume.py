"""Finding where a run that is resumed goes on: its settings and its newest whole checkpoint."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...sandbox.errors import MarkschemeError, RunError, first_line
from ...tasks.yaml_file import read_yaml
from ..config.run_config import RunConfig
from ..config.run_file import load_run
from ..loop.checkpoint import load_state, newest_whole
from .folder import RunFolder
from .same_run import refuse_changed_settings


@dataclass
class Start:
    """Where a run starts from."""

    checkpoint: Path | None = None
    """None = from its beginning."""
    state: dict[str, Any] = field(default_factory=dict)
    """The state in the checkpoint."""
    notes: list[str] = field(default_factory=list)
    """What a reader of the run should know about that."""


def resumed(path: Path, overrides: Sequence[str]) -> tuple[RunConfig, RunFolder, Start]:
    """Return the settings and the folder of a run to resume, which is locked, and where it goes on.

    A run that was killed before its first checkpoint begins anew. Where run.yaml is missing or no YAML, it is
    restored from the checkpoint; a mistake in it is an error.

    Raises:
        RunError: there is nothing to resume, another process has the folder, or an override changes what must
            stay the same.
        TaskError: an override is wrong.
    """
    settings = dict(override.split("=", 1) for override in overrides if "=" in override)
    out = settings.get("out", "").strip("\"'")
    folder = RunFolder(path)
    if not (path / "run.yaml").is_file() and not folder.checkpoints.is_dir():
        raise RunError(
            f"{path} is not the folder of a run (it has no run.yaml); continue a run by its folder:"
            f" markscheme train {out or 'FOLDER'} --resume"
        )
    if out:
        raise RunError(f"--out cannot be changed when a run is resumed: it goes on in {path}; drop --out")
    folder.lock()
    try:
        start = Start()
        start.checkpoint = newest_whole(folder.checkpoints, start.notes.append)
        if start.checkpoint is None:
            folder.check_not_begun()
            start.notes.append("there is no checkpoint yet, so the run starts from its beginning")
            return _with_folder(load_run(path / "run.yaml", overrides=overrides), path), folder, start
        start.state = load_state(start.checkpoint)
        saved = start.state["run"]["config"]
        source: Any = path / "run.yaml"
        try:
            read_yaml(source)
        except MarkschemeError as error:
            start.notes.append(f"run.yaml cannot be read, and is restored: {first_line(error)}")
            source = dict(saved)
        config = load_run(source, overrides=overrides)
        refuse_changed_settings(path, saved, config)
        return _with_folder(config, path), folder, start
    except BaseException:
        folder.unlock()
        raise


def _with_folder(config: RunConfig, path: Path) -> RunConfig:
    """Return the settings with the folder that the run is in, which may have been moved."""
    return config.model_copy(update={"out": str(path)})
