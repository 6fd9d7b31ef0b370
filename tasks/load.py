"""From a name or a file to a `Task`."""

from collections.abc import Sequence
from pathlib import Path

from ..sandbox.errors import TaskError, UnknownNameError
from .schema import Task
from .yaml_file import YamlFile, apply_overrides, read_yaml, validate


def shipped_tasks() -> dict[str, Path]:
    """Return the tasks that come with the package: name to file."""
    folder = Path(__file__).parent / "shipped"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def find_task(name_or_path: str | Path) -> Path:
    """Return the file of a task given by path or by shipped name.

    Raises:
        UnknownNameError: neither a file nor a shipped task.
    """
    path = Path(name_or_path)
    if path.is_file():
        return path
    shipped = shipped_tasks()
    if str(name_or_path) in shipped:
        return shipped[str(name_or_path)]
    if path.suffix in (".yaml", ".yml") or path.is_dir() or len(path.parts) > 1:
        kind = "is a folder (a run's goes with --resume)" if path.is_dir() else "does not exist"
        raise TaskError(
            f"task {str(name_or_path)!r} {kind}; give a .yaml file or one of: {', '.join(shipped)}"
        )
    raise UnknownNameError.of("task", str(name_or_path), shipped)


def load_task(name_or_path: str | Path, *, overrides: Sequence[str] = (), allow_code: bool = True) -> Task:
    """Load a task from a YAML file or by its shipped name.

    Args:
        name_or_path: `gsm8k`, `my/task.yaml`, ...
        overrides: `a.b=value` settings that go over the file, values read as YAML.
        allow_code: whether `module:attr` and `file.py:attr` in the task may be executed.

    Raises:
        TaskError: every mistake in the file at once, each with file, line, key path and cure.
        UnknownNameError: there is no such task.
    """
    return task_from(read_yaml(find_task(name_or_path)), overrides=overrides, allow_code=allow_code)


def task_from(file: YamlFile, *, overrides: Sequence[str] = (), allow_code: bool = True) -> Task:
    """Build a task from a parsed file; see `load_task`."""
    if "tasks" in file.data and "rewards" not in file.data:
        raise TaskError(f"{file.where('tasks')}: this is a run file; use `markscheme train`")
    apply_overrides(file, overrides)
    task = validate(Task, file)
    task._file, task._allow_code = file, allow_code
    return task
