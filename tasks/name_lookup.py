"""Looking up the Python object that a name in a YAML file means, for all kinds of names.

A name is looked up among the built-in names, then among functions decorated in this process, then as
`module:attr` or `file.py:attr`, then among the entry points of installed packages (which are loaded only
when nothing else has the name). `module:attr` and `file.py:attr` execute code that a YAML file names, so a
task file must be trusted like a script; `allow_code=False` (`--no-code`) refuses them.
"""

import ast
import importlib
import importlib.util
import os
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from ..sandbox.errors import RewardError, TaskError, UnknownNameError
from .problem import content_id


@dataclass
class Table:
    """The known names of one kind of object."""

    kind: str
    """`generator`, `verifier` or `reward`."""
    builtin: dict[str, str] = field(default_factory=dict)
    """`module:attribute` by name, so that nothing is imported early. A folder's `__init__` fills it in."""
    decorated: dict[str, tuple[Any, str]] = field(default_factory=dict)
    """By name: a function that was decorated in this process, and the file that it comes from."""

    @property
    def group(self) -> str:
        """The entry-point group under which packages offer names of this kind."""
        return f"markscheme.{self.kind}s"

    def register(self, name: str, function: Any, *, rival: "Table | None" = None) -> None:
        """Add a decorated function.

        A function of the same name from the same file (or notebook) is replaced. Nothing is added for files
        that a task names, since the task reaches their functions as `file.py:attr`.

        Args:
            name: the name to give in `use:`.
            function: the decorated function.
            rival: another table whose names would be confused with this one's.

        Raises:
            RewardError: the name is built in, or belongs to another file or to the rival table.
        """
        if _in_task_file.get() or self.builtin.get(name) == f"{function.__module__}:{function.__name__}":
            return
        if name in self.builtin or (rival is not None and name in rival.builtin):
            raise RewardError(f"{self.kind} {name!r} is built in; choose another name")
        if rival is not None and name in rival.decorated:
            raise RewardError(f"{self.kind} {name!r}: a {rival.kind} has this name; choose another name")
        origin = _origin(function)
        old = self.decorated.get(name)
        if old is not None and old[1] != origin:
            raise RewardError(f"{self.kind} {name!r} is defined in {old[1]} and in {origin}; rename one")
        self.decorated[name] = (function, origin)

    def names(self) -> list[str]:
        """Return every name of this kind; plugins are listed and not loaded."""
        plugins = (point.name for point in entry_points(group=self.group))
        return sorted({*self.builtin, *self.decorated, *plugins})


def _origin(function: Any) -> str:
    """Return the file that a function was written in, or `this session` for all functions without a file."""
    code = getattr(function, "__code__", None)
    name = code.co_filename if code else getattr(function, "__module__", "")
    return name if os.path.exists(name) else "this session"


def resolve(
    name: str,
    tables: Sequence[Table],
    *,
    folder: Path = Path(),
    where: str = "",
    allow_code: bool = True,
) -> Any:
    """Return the object that `name` means, looking through `tables` in order.

    Args:
        name: the name, as in the YAML file.
        tables: the kinds of names that are accepted there.
        folder: the folder that a relative `file.py` starts from.
        where: the name's place in its file, for messages.
        allow_code: whether `module:attr` and `file.py:attr` are accepted.

    Raises:
        UnknownNameError: nothing has this name; the message shows the nearest ones.
        TaskError: the module or file cannot be imported, or code is refused.
    """
    for table in tables:
        if name in table.builtin:
            return _load(table.builtin[name], folder, where)
        if name in table.decorated:
            return table.decorated[name][0]
    if ":" in name:
        if not allow_code:
            raise TaskError(
                f"{where}: {name!r} would execute code, and --no-code forbids it; use a built-in name, or"
                " drop --no-code if you trust this file"
            )
        return _load(name, folder, where)
    for table in tables:
        for point in entry_points(group=table.group, name=name):
            try:
                return point.load()
            except Exception as error:
                raise TaskError(
                    f"{where}: the plugin {name!r} ({point.value}) cannot be imported: {error!r};"
                    " repair or uninstall its package"
                ) from error
    known = [known for table in tables for known in table.names()]
    raise UnknownNameError.of(tables[0].kind, name, known, where=where)


_files: dict[tuple[Path, int], ModuleType] = {}
"""The modules made of files, by path and time of change in nanoseconds."""
_in_task_file: ContextVar[bool] = ContextVar("_in_task_file", default=False)
"""Whether a file that a task names is being executed."""


def _load(target: str, folder: Path, where: str) -> Any:
    """Return the object at `module:attr` or `file.py:attr`."""
    source, _, attribute = target.rpartition(":")
    try:
        module = (
            _load_file((folder / source).resolve())
            if source.endswith(".py")
            else importlib.import_module(source)
        )
    except (Exception, SystemExit) as error:
        raise TaskError(
            f"{where}: cannot import {source!r}: {type(error).__name__}: {error}; give an importable module,"
            " or a file beside the task"
        ) from error
    if not hasattr(module, attribute):
        # Names that the module itself defines are the likely ones; without any, all of its names are shown.
        own = [n for n, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__]
        public = [name for name in own or vars(module) if not name.startswith("_")]
        raise UnknownNameError.of("attribute", attribute, public, where=f"{source} ({where})")
    return getattr(module, attribute)


def _load_file(path: Path) -> ModuleType:
    """Return the module that a file makes; it is executed again only when it has changed."""
    key = (path, path.stat().st_mtime_ns)
    if key not in _files:
        name = f"markscheme_file_{path.stem}_{content_id(str(path))}"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        token = _in_task_file.set(True)
        try:
            spec.loader.exec_module(module)
        finally:
            _in_task_file.reset(token)
        _files[key] = module
    return _files[key]


def local_sources(target: str, folder: Path) -> list[Path]:
    """Return the user's own files that `module:attr` or `file.py:attr` executes.

    These are the named file and what it imports, directly or through others, by its import statements. The
    standard library, installed packages and this package are left out.
    """
    source = target.rpartition(":")[0]
    waiting = [folder / source] if source.endswith(".py") else list(_own_files(source, folder))
    found: list[Path] = []
    while waiting:
        path = waiting.pop().resolve()
        if path not in found and path.is_file():
            found.append(path)
            for name in _imported_names(path):
                waiting += _own_files(name, path.parent)
    return found


def _imported_names(path: Path) -> Iterator[str]:
    """Yield the modules that a file may import; names in a package are relative to the file's folder."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, OSError):
        return  # importing it will say what is wrong
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            yield base
            yield from (f"{base}.{alias.name}".lstrip(".") for alias in node.names)


def _own_files(module: str, folder: Path) -> Iterator[Path]:
    """Yield the files of a module and of the packages around it, if they are the user's own."""
    top, *inner = module.split(".")
    if not top or top == "markscheme":
        return
    roots = [folder, folder.parent]
    if not any((root / top).exists() or (root / f"{top}.py").exists() for root in roots):
        try:
            spec = importlib.util.find_spec(top)
        except (ImportError, ValueError):
            return
        if spec is None or spec.origin is None:
            return
        package = Path(spec.origin).resolve()
        roots = [package.parents[1] if package.name == "__init__.py" else package.parent]
        installed = [Path(place).resolve() for place in sysconfig.get_paths().values()]
        is_installed = {"site-packages", "dist-packages"} & set(package.parts)
        if is_installed or any(roots[0].is_relative_to(place) for place in installed):
            return
    for root in roots:
        for depth in range(len(inner) + 1):
            path = root.joinpath(top, *inner[:depth])
            yield from (path.with_name(f"{path.name}.py"), path / "__init__.py")


GENERATORS = Table("generator")
