"""Writing a run's metrics to TensorBoard, where `trackers:` asks for it. metrics.jsonl always has them."""

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...sandbox.errors import RunError
from ..config.run_config import RunConfig


class TensorBoard:
    """Writes a run's event files in its folder `tensorboard/`.

    Args:
        folder: the run's folder.
        config: the run's, shown as text beside the curves.
        done: the last finished step of a resumed run; TensorBoard discards the events of later steps.
    """

    def __init__(self, folder: Path, config: RunConfig, done: int):
        from torch.utils.tensorboard.writer import SummaryWriter

        self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=done + 1)
        self._writer.add_text("config", config.model_dump_json(indent=2))

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Write the metrics of a step."""
        for name, value in metrics.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Flush the event file and close it."""
        self._writer.close()


def check_tensorboard(config: RunConfig) -> None:
    """Check that the packages of a run's `trackers:` are installed.

    Raises:
        RunError: one is not.
    """
    for name in config.trackers:
        if importlib.util.find_spec(name) is None:
            raise RunError(
                f"trackers: the package {name!r} is not installed; pip install {name}, or remove it from"
                " `trackers`"
            )


def numbers_of(metrics: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Return all numbers among the metrics, by slash-separated names.

    Mappings are flattened, and the two ends of an interval become `NAME/low` and `NAME/high`.
    """
    numbers: dict[str, float] = {}
    for name, value in metrics.items():
        if isinstance(value, int | float):
            numbers[f"{prefix}{name}"] = float(value)
        elif isinstance(value, Mapping):
            numbers |= numbers_of(value, f"{prefix}{name}/")
        elif isinstance(value, tuple) and len(value) == 2:
            low, high = value
            numbers |= numbers_of({"low": low, "high": high}, f"{prefix}{name}/")
    return numbers
