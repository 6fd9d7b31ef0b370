"""From a run file, a mapping or a task to a `RunConfig`."""

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from ...tasks.load import find_task
from ...tasks.yaml_file import YamlFile, apply_overrides, read_yaml, validate
from .run_config import RunConfig


def load_run(run: str | Path | dict[str, Any] | RunConfig, *, overrides: Sequence[str] = ()) -> RunConfig:
    """Load a run file, a mapping, or a task's name or file with the embedded default policy.

    Args:
        run: what to train.
        overrides: `a.b=value` settings; those that start with `task.` go to every task.

    Raises:
        TaskError: every mistake at once, each with file, line and key path.
    """
    if isinstance(run, RunConfig):
        if not overrides:
            return run
        run = run.model_dump(mode="json")
    file = YamlFile(None, dict(run)) if isinstance(run, dict) else _run_file(run)
    for_tasks = [o.removeprefix("task.") for o in overrides if o.startswith("task.")]
    apply_overrides(file, [o for o in overrides if not o.startswith("task.")])
    if for_tasks:
        file.data["task_overrides"] = [*(file.data.get("task_overrides") or ()), *for_tasks]
    return _placed(validate(RunConfig, file), file.path.parent if file.path else Path())


def _run_file(name: str | Path) -> YamlFile:
    """Read a run file; for a task, return the embedded default run on that task."""
    path = Path(name)
    if path.is_file() and "tasks" in (file := read_yaml(path)).data:
        return file
    find_task(name)
    default = read_yaml(Path(str(files("markscheme.trainer.config").joinpath("quickstart.yaml"))))
    task = str(path.resolve()) if path.is_file() else str(name)
    default.data["tasks"] = [task]
    default.data["eval"] = [{**evaluation, "task": task} for evaluation in default.data["eval"]]
    return default


def _placed(config: RunConfig, folder: Path) -> RunConfig:
    """Make files that the run names absolute: beside the run file, or in the current folder.

    The resolved run file of a run's own folder must mean the same from anywhere.
    """

    def task(name: str) -> str:
        return next((str(p.resolve()) for p in (folder / name, Path(name)) if p.is_file()), name)

    model = config.policy.model
    model = next(
        (str(p.resolve()) for p in (folder / model, Path(model)) if (p / "config.json").is_file()), model
    )
    return config.model_copy(
        update={
            "tasks": {task(name): share for name, share in config.tasks.items()},
            "eval": tuple(e.model_copy(update={"task": task(e.task)}) for e in config.eval),
            "policy": config.policy.model_copy(update={"model": model}),
        }
    )
