"""Metrics to TensorBoard, Weights & Biases or trackio: whatever is installed and asked for by name."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from ..sandbox.errors import RunError
from .config import RunConfig


class Tracker(Protocol):
    """Takes numbers by name."""

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Take in a step's numbers."""

    def close(self) -> None:
        """End the record."""


class _TensorBoard:
    def __init__(self, folder: Path, config: RunConfig):
        from torch.utils.tensorboard.writer import SummaryWriter

        self._writer = SummaryWriter(str(folder / "tensorboard"))
        self._writer.add_text("config", config.model_dump_json(indent=2))

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        for name, value in metrics.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()


class _WandbLike:
    """wandb's `init`, `log`, `finish`; trackio has the same."""

    def __init__(self, package: str, folder: Path, config: RunConfig):
        import importlib

        self._package = importlib.import_module(package)
        extra = {"dir": str(folder)} if package == "wandb" else {}
        self._package.init(
            project="markscheme", name=folder.name, config=config.model_dump(mode="json"), **extra
        )

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        self._package.log(dict(metrics), step=step)

    def close(self) -> None:
        self._package.finish()


def open_trackers(names: Sequence[str], folder: Path, config: RunConfig) -> list[Tracker]:
    """Open trackers by name.

    Raises:
        RunError: one is not installed.
    """
    opened: list[Tracker] = []
    for name in names:
        try:
            opened.append(
                _TensorBoard(folder, config) if name == "tensorboard" else _WandbLike(name, folder, config)
            )
        except ImportError as error:
            raise RunError(
                f"tracker {name!r} is not installed: pip install {name} (or drop it from trackers)"
            ) from error
    return opened


def numbers_of(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return the metrics that are numbers."""
    return {name: float(value) for name, value in metrics.items() if isinstance(value, int | float)}
