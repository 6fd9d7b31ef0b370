"""Metrics to TensorBoard, Weights & Biases or trackio: whatever is installed and asked for by name."""

import importlib
import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from ...sandbox.errors import RunError
from ..config.run_config import RunConfig


class Tracker(Protocol):
    """Takes numbers by name."""

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Take in a step's numbers."""

    def close(self) -> None:
        """End the record."""


class _TensorBoard:
    def __init__(self, folder: Path, config: RunConfig, done: int):
        from torch.utils.tensorboard.writer import SummaryWriter

        self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=done + 1)
        self._writer.add_text("config", config.model_dump_json(indent=2))

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        for name, value in metrics.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()


class _WandbLike:
    """wandb's `init`, `log`, `finish`; trackio has the same."""

    def __init__(self, package: str, folder: Path, config: RunConfig):
        self._package = importlib.import_module(package)
        # A resumed run goes on in its own record.
        extra = {"dir": str(folder), "id": folder.name} if package == "wandb" else {}
        self._package.init(
            project="markscheme",
            name=folder.name,
            config=config.model_dump(mode="json"),
            resume="allow",
            **extra,
        )

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        self._package.log(dict(metrics), step=step)

    def close(self) -> None:
        self._package.finish()


def check_trackers(names: Sequence[str]) -> None:
    """Look whether trackers are installed, before anything is written.

    Raises:
        RunError: one is not.
    """
    for name in names:
        if importlib.util.find_spec(name) is None:
            raise RunError(
                f"tracker {name!r} is not installed: pip install {name} (or drop it from trackers)"
            )


def open_trackers(names: Sequence[str], folder: Path, config: RunConfig, *, done: int) -> list[Tracker]:
    """Open trackers by name; `done` is the last step that a resumed run keeps."""
    return [
        _TensorBoard(folder, config, done) if name == "tensorboard" else _WandbLike(name, folder, config)
        for name in names
    ]


def numbers_of(metrics: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Return the metrics that are numbers, those of mappings and pairs in them too."""
    found: dict[str, float] = {}
    for name, value in metrics.items():
        if isinstance(value, int | float):
            found[f"{prefix}{name}"] = float(value)
        elif isinstance(value, Mapping):
            found |= numbers_of(value, f"{prefix}{name}/")
        elif isinstance(value, tuple) and len(value) == 2:
            found |= numbers_of(dict(zip(("low", "high"), value, strict=True)), f"{prefix}{name}/")
    return found
