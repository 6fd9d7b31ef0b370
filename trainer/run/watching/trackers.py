"""Sending a run's metrics to trackers, through `accelerate.tracking`; metrics.jsonl always has them.

Metrics are sent after each step, figures and a table of samples after each evaluation.
"""

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ....sandbox.errors import RunError, first_line
from ...config.run_config import RunConfig, TrackerConfig
from ...loop.rollout import Group
from ...models.notes import Note

SHOWN = 20
"""Completions in the table of an evaluation."""
RUN_NAME = {
    "clearml": "task_name",
    "mlflow": "run_name",
    "swanlab": "experiment_name",
    "trackio": "name",
    "wandb": "name",
}
"""What each backend calls the name of a run; accelerate's own `run_name` is the project's."""


class Trackers:
    """The trackers of a run.

    Args:
        config: the run's.
        folder: the run's folder.
        identity: a name that no other run has, by which wandb continues a run that is resumed.
        done: the last finished step of a resumed run; TensorBoard discards the events of later steps.
        note: called with a line if one fails later on, and is left out from then on.

    Raises:
        RunError: a tracker does not start.
    """

    def __init__(self, config: RunConfig, folder: Path, identity: str, done: int, note: Note):
        self._trackers: list[Any] = []
        self._note = note
        for one in config.trackers:
            try:
                self._trackers.append(_started(one, config, folder, identity, done))
            except Exception as error:  # whatever a backend raises when it cannot start
                self.close()
                raise RunError(
                    f"trackers: {one.use} does not start: {type(error).__name__}: {first_line(error)}; repair"
                    " its settings, or remove it from `trackers`"
                ) from error

    def log(self, figures: Mapping[str, Any], step: int, *, prefix: str = "") -> None:
        """Send the numbers among some figures of a step."""
        numbers = numbers_of(figures, prefix)
        self._each(lambda tracker: tracker.log(numbers, step=step))

    def show(self, name: str, groups: Sequence[Group], step: int) -> None:
        """Send a table with the first completions of an evaluation, where a tracker has tables or texts."""
        columns = ["prompt", "completion", "value", "reasons"]
        rows = [
            [
                str(group.problem.prompt),
                group.completions[0].text,
                str(group.scores[0].value),
                ", ".join(f"{key}: {part.reason}" for key, part in group.scores[0].parts.items()),
            ]
            for group in groups[:SHOWN]
        ]

        def send(tracker: Any) -> None:
            if hasattr(tracker, "log_table"):
                tracker.log_table(name, columns=columns, data=rows, step=step)
            elif tracker.name == "tensorboard":
                lines = [columns, ["---"] * len(columns), *rows]
                table = "\n".join(" | ".join(cell.replace("\n", "<br>") for cell in line) for line in lines)
                tracker.tracker.add_text(name, table, step)

        self._each(send)

    def close(self) -> None:
        """Flush and end all of them."""
        self._each(lambda tracker: tracker.finish())

    def _each(self, use: Callable[[Any], None]) -> None:
        """Use every tracker; a run goes on without one that fails, such as for want of its server."""
        for tracker in list(self._trackers):
            try:
                use(tracker)
            except Exception as error:
                self._trackers.remove(tracker)
                self._note(
                    f"tracker {tracker.name}: {type(error).__name__}: {first_line(error)}; it gets nothing"
                    " from here on (metrics.jsonl has everything)"
                )


def _started(one: TrackerConfig, config: RunConfig, folder: Path, identity: str, done: int) -> Any:
    """Return a tracker of accelerate that has begun a run, or continues one that was resumed."""
    from accelerate import PartialState
    from accelerate.tracking import LOGGER_TYPE_TO_CLASS

    PartialState(cpu=True)  # accelerate asks it which process is the first
    kind = LOGGER_TYPE_TO_CLASS[one.use]
    settings = dict(one.model_extra or {})
    name = one.name or folder.resolve().name
    if one.use in RUN_NAME:
        settings.setdefault(RUN_NAME[one.use], name)
    if one.use == "wandb":
        settings = {"id": identity, "resume": "allow", "dir": str(folder), **settings}
    if one.use == "tensorboard":
        settings.setdefault("purge_step", done + 1)
    # TensorBoard has no projects: its files are in a folder of the run.
    project = "tensorboard" if one.use == "tensorboard" else one.project
    tracker = (
        kind(project, folder, **settings) if kind.requires_logging_directory else kind(project, **settings)
    )
    tracker.start()
    if one.use == "tensorboard":
        tracker.tracker.add_text("config", config.model_dump_json(indent=2))
    else:
        flat = {key: str(value) for key, value in config.model_dump(mode="json").items()}
        tracker.store_init_configuration(flat)
    return tracker


def check_trackers(config: RunConfig) -> None:
    """Check that the packages of a run's `trackers:` are installed.

    Raises:
        RunError: one is not.
    """
    for one in config.trackers:
        for package in ("accelerate", one.use):
            if importlib.util.find_spec(package) is None:
                raise RunError(
                    f"trackers: the package {package!r} is not installed; pip install {package}, or remove"
                    f" {one.use} from `trackers`"
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
