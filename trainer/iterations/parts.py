"""The parts of a run that the outer loop works on, and its folders in the run's."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..config.run_config import RunConfig
from ..engines.base import Engine
from ..loop.learner import Learner
from ..loop.rollout import LoadedTask

MODELS, BUFFER = "reward_models", "replay"
"""Folders of a run: the newest reward model and that of the best point, and the replay buffer."""


def reference_folder(run: Path, step: int) -> Path:
    """Return the folder of the reference that was the policy after a step; 0 = the initial policy."""
    return run / (f"reference-{step:06d}" if step else "reference")


@dataclass
class Parts:
    """The parts of a run that the outer loop works on."""

    config: RunConfig
    folder: Path
    learner: Learner
    engine: Engine
    tasks: list[LoadedTask]
    """Every loaded task of the run, of training, evaluations and held-out prompts."""
    held_out: dict[str, LoadedTask]
    """The held-out prompts of the training tasks; empty without a `reward_model:`."""
    restore: Callable[[int], None]
    """Takes policy and optimizer back to the checkpoint of a step."""
    log: Callable[[str, dict[str, Any]], None]
    """Appends a row to a log."""
    say: Callable[[str], None]
    """Shows a line to whoever watches the run."""
