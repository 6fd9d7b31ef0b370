"""Loading a `Task`, by its shipped name or from a YAML file."""

from collections.abc import Sequence
from pathlib import Path

from ..sandbox.errors import TaskError, UnknownNameError, did_you_mean
from .schema import Task
from .yaml_file import YamlFile, apply_overrides, read_yaml, validate


def shipped_tasks() -> dict[str, Path]:
    """Return the tasks that come with the package, as a mapping from name to file."""
    folder = Path(__file__).parent / "shipped"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def find_task(name_or_path: str | Path) -> Path:
    """Return the file of a task, given its path or its shipped name.

    Raises:
        TaskError: there is no file at the path.
        UnknownNameError: no shipped task has the name; close matches are shown.
    """
    path = Path(name_or_path)
    if path.is_file():
        return path
    shipped = shipped_tasks()
    if str(name_or_path) in shipped:
        return shipped[str(name_or_path)]
    known = ", ".join(shipped)
    if path.is_dir():
        raise TaskError(
            f"task {str(name_or_path)!r} is a folder, not a task file (to go on with a run's folder, use"
            f" `markscheme train FOLDER --resume`); give a .yaml file or one of: {known}"
        )
    if path.suffix in (".yaml", ".yml") or len(path.parts) > 1:
        beside = map(str, path.parent.glob("*.y*ml"))
        raise TaskError(
            f"file {str(name_or_path)!r} does not exist{did_you_mean(str(path), beside)}; give a .yaml file"
            f" or one of: {known}"
        )
    raise UnknownNameError.of("task", str(name_or_path), shipped)


def load_task(name_or_path: str | Path, *, overrides: Sequence[str] = (), allow_code: bool = True) -> Task:
    """Load a task from a YAML file or by its shipped name.

        >>> from markscheme.tasks import load_task
        >>> task = load_task("gsm8k", overrides=["rewards.format.weight=0.2"])
        >>> task.name, task.rewards["format"].weight
        ('gsm8k', 0.2)

    Args:
        name_or_path: a shipped name such as `gsm8k`, or a path such as `my/task.yaml`.
        overrides: `key.path=value` settings that replace the file's own, with values read as YAML.
        allow_code: whether `module:attr` and `file.py:attr` in the task may be imported and executed.

    Raises:
        TaskError: the file is wrong; the message lists every mistake with file, line, key and remedy.
        UnknownNameError: no task has this name.
    """
    if not isinstance(name_or_path, str | Path):
        raise TaskError(f"load_task takes the name or the file of a task (given: {name_or_path!r:.60})")
    return task_from(read_yaml(find_task(name_or_path)), overrides=overrides, allow_code=allow_code)


def task_from(file: YamlFile, *, overrides: Sequence[str] = (), allow_code: bool = True) -> Task:
    """Build a task from a parsed file, as `load_task` does."""
    if "tasks" in file.data and "rewards" not in file.data:
        raise TaskError(
            f"{file.where('tasks')}: this is a run file, since it has `tasks` and no `rewards`; give a task"
            " file, or use `markscheme train` for a run"
        )
    apply_overrides(file, overrides)
    task = validate(Task, file)
    task._yaml = file
    task._allow_code = allow_code
    return task
