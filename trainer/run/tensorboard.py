"""Metrics to TensorBoard, where a run asks for it; metrics.jsonl has them in any case."""

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...sandbox.errors import RunError
from ..config.run_config import RunConfig


class TensorBoard:
    """A run's record in its folder `tensorboard/`.

    Args:
        folder: the run's.
        config: of the run, kept as text beside the curves.
        done: the last step that a resumed run keeps; later ones in the record are dropped.
    """

    def __init__(self, folder: Path, config: RunConfig, done: int):
        from torch.utils.tensorboard.writer import SummaryWriter

        self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=done + 1)
        self._writer.add_text("config", config.model_dump_json(indent=2))

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Add the numbers of a step."""
        for name, value in metrics.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Write what is left and end the record."""
        self._writer.close()


def check_tensorboard(config: RunConfig) -> None:
    """Look whether a tracker that a run asks for is installed, before anything is written.

    Raises:
        RunError: it is not.
    """
    for name in config.trackers:
        if importlib.util.find_spec(name) is None:
            raise RunError(
                f"trackers: {name!r} is not installed; pip install {name}, or drop it from `trackers`"
            )


def numbers_of(metrics: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Return the metrics that are numbers, also those inside mappings and (low, high) pairs."""
    found: dict[str, float] = {}
    for name, value in metrics.items():
        if isinstance(value, int | float):
            found[f"{prefix}{name}"] = float(value)
        elif isinstance(value, Mapping):
            found |= numbers_of(value, f"{prefix}{name}/")
        elif isinstance(value, tuple) and len(value) == 2:
            found |= numbers_of(dict(zip(("low", "high"), value, strict=True)), f"{prefix}{name}/")
    return found
