"""Reading the settings of a run: from a run file, a mapping or a task to a `RunConfig`."""

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from ...sandbox.errors import TaskError
from ...tasks.load_task import find_task
from ...tasks.schema import Task
from ...tasks.yaml_file import YamlFile, apply_overrides, read_yaml, validate
from .run_config import RunConfig

ONLY_IN_RUNS = {"task", *RunConfig.model_fields} - set(Task.model_fields)
"""Keys by which a run file is recognised that lacks `tasks:`."""
FOR_TASKS = "task."
"""The start of overrides that change every task of the run instead of the run itself."""


def load_run(run: str | Path | dict[str, Any] | RunConfig, *, overrides: Sequence[str] = ()) -> RunConfig:
    """Return the settings of a run.

    Args:
        run: a run file, or the same as a mapping; or a task's name or file, which is then trained with the
            default run file (`quickstart.yaml`).
        overrides: `key=value` settings, such as `algorithm.lr=1e-5`; those that begin with `task.` change
            every task.

    Raises:
        TaskError: all mistakes of the run at once, each with file, line and key.
    """
    if not isinstance(run, str | Path | dict | RunConfig):
        raise TaskError(f"a run is a file, a task's name, a mapping or a RunConfig (given: {run!r:.60})")
    if isinstance(overrides, str):
        raise TaskError(f"overrides is a list of settings: [{overrides!r}] (given: a text)")
    if isinstance(run, RunConfig):
        if not overrides:
            return run
        run = run.model_dump(mode="json")
    file = YamlFile(None, _with_texts(run)) if isinstance(run, dict) else _run_file(run)
    for_tasks = [text.removeprefix(FOR_TASKS) for text in overrides if text.startswith(FOR_TASKS)]
    apply_overrides(file, [text for text in overrides if not text.startswith(FOR_TASKS)])
    if for_tasks:
        file.data["task_overrides"] = [*(file.data.get("task_overrides") or ()), *for_tasks]
    folder = file.path.parent if file.path else Path()
    return _with_absolute_paths(validate(RunConfig, file, elsewhere={FOR_TASKS: Task}), folder)


def _with_texts(content: Any) -> Any:
    """Return a copy of nested values with the texts of paths in their place."""
    if isinstance(content, dict):
        return {key: _with_texts(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return list(map(_with_texts, content))
    return str(content) if isinstance(content, Path) else content


def _run_file(name: str | Path) -> YamlFile:
    """Return a run file, or for a task the default run file with that task in it."""
    path = Path(name)
    if path.is_file():
        file = read_yaml(path)
        if "tasks" in file.data or set(file.data) & ONLY_IN_RUNS:
            return file
    find_task(name)  # raises an error for what is neither a run file nor a task
    default = read_yaml(Path(str(files("markscheme.trainer.config").joinpath("quickstart.yaml"))))
    task = str(path.resolve()) if path.is_file() else str(name)
    default.data["tasks"] = [task]
    default.data["eval"] = [{**evaluation, "task": task} for evaluation in default.data["eval"]]
    return default


def _with_absolute_paths(config: RunConfig, folder: Path) -> RunConfig:
    """Make the paths of task files and of the model's folder absolute.

    A relative path is looked up beside the run file, then in the current folder. Absolute paths let the run
    be resumed from anywhere.
    """

    def absolute(name: str, content: str = "") -> str:
        """Return the path of a file, or of a folder that holds the file `content`; else the name itself."""
        for path in (folder / name, Path(name)):
            if (path / content).is_file():
                return str(path.resolve())
        return name

    evaluations = [each.model_copy(update={"task": absolute(each.task)}) for each in config.eval]
    model = absolute(absolute(config.policy.model, "config.json"), "adapter_config.json")
    learned = config.reward_model
    if learned is not None and learned.history is not None:
        learned = learned.model_copy(update={"history": absolute(learned.history)})
    return config.model_copy(
        update={
            "reward_model": learned,
            "tasks": {absolute(name): share for name, share in config.tasks.items()},
            "eval": tuple(evaluations),
            "policy": config.policy.model_copy(update={"model": model}),
        }
    )
