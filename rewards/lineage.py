"""What marks come from: for every entry of a scheme its component's version, source hash and parameters."""

import hashlib
import inspect
import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

from ..tasks.load_task import shipped_tasks
from ..tasks.schema import Task
from .composition.entries import COMPOSITES, Composite, Entry
from .composition.reward_functions import Component
from .rows.scores import Lineage
from .scheme import MarkScheme

DIGITS = 12
"""Hexadecimal digits of the hashes in rows."""
OWN_KEYS = ("when", "clip", "on_failure", "timeout_s")
"""Keys of an entry that are not its component's, and count as parameters here."""
_JUDGING = ("sandbox", "tasks", "verifiers", "rewards")
"""The folders of this package whose code marks can depend on."""


def lineage_of(scheme: MarkScheme) -> Lineage:
    """Return the lineage of a scheme's marks.

    Its header has the task's file, version and hash, the hash of the scheme (entries, parameters, sources and
    how they are combined, whatever the data), the range of a score, and every entry with its parameters.
    """
    task = scheme.task
    entries = {name: _described(entry) for name, entry in scheme.entries.items()}
    content = {
        "entries": entries,
        "declared": task.model_dump(
            mode="json", include={"rewards", "watch", "process", "extract", "thinking"}
        ),
    }
    parts = {
        name: {key: entry[key] for key in ("component", "version", "source", "params")}
        for name, entry in entries.items()
    }
    header = {
        "file": _file_of(task),
        "version": task.version,
        "hash": task.hash,
        "scheme": _hash(content),
        "combine": task.combine,
        "range": [_json_number(bound) for bound in scheme.range],
        "step_range": list(scheme.step_bounds) if scheme.marks_steps else None,
        "entries": entries,
    }
    return Lineage(task.name, task.hash, parts, header)


def _file_of(task: Task) -> str | None:
    """Return a task's file, or its name if it is shipped; None if it was not read from a file."""
    if task.file is None:
        return None
    return task.file.stem if shipped_tasks().get(task.file.stem) == task.file else str(task.file)


def _described(entry: Entry) -> dict[str, Any]:
    """Return an entry's component, version, source, parameters and range, ready for JSON."""
    declared, component = entry.declared, entry.component
    own = declared.model_dump(mode="json", include=set(OWN_KEYS), exclude_defaults=True)
    if isinstance(component, Composite):
        members = [one if isinstance(one, str) else _described(one) for one in component.members]
        inner = [one for one in members if not isinstance(one, str)]
        version, source = None, _hash([COMPOSITES[component.how], *(one["source"] for one in inner)])
        named = [one if isinstance(one, str) else {one["component"]: one["parameters"]} for one in members]
        parameters: dict[str, Any] = {"reduce": component.reduce, "k": component.k, "of": named}
    else:
        options = {} if entry.steps is None else entry.steps.model_dump(mode="json")
        parameters = {**entry.parameters, **options}
        version, source = version_of(component), source_of(component)
    shown = json.loads(json.dumps({**parameters, **own}, default=repr, sort_keys=True))
    return {
        "component": declared.use,
        "version": version,
        "source": source,
        "params": _hash(shown),
        "parameters": shown,
        "weight": _json_number(declared.weight_at(None)),
        "watched": entry.watched,
        "range": [_json_number(bound) for bound in entry.bounds],
    }


def version_of(component: Component) -> str | None:
    """Return the version of the package that a component is from, if the package states one."""
    package = component.function.__module__.partition(".")[0]
    version = getattr(sys.modules.get(package), "__version__", None)
    return version if isinstance(version, str) else None


def source_of(component: Component) -> str:
    """Return a hash of the source that a component's marks depend on.

    For a component of this package it covers all files of the folders that can judge, since a verifier spans
    many of them; for any other, the file that its function is in.
    """
    function = inspect.unwrap(component.function)
    if function.__module__.startswith("markscheme."):
        return _own_source()
    try:
        path = inspect.getsourcefile(function)
        text = Path(path).read_bytes() if path and Path(path).is_file() else None
    except (TypeError, OSError):
        text = None
    if text is None:
        code = getattr(function, "__code__", None)
        text = code.co_code if code is not None else repr(function).encode()
    return hashlib.sha256(text).hexdigest()[:DIGITS]


@cache
def _own_source() -> str:
    root = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for folder in _JUDGING:
        for path in sorted((root / folder).rglob("*.py")):
            digest.update(str(path.relative_to(root)).encode() + path.read_bytes())
    return digest.hexdigest()[:DIGITS]


def _hash(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def _json_number(value: float) -> float | str:
    """Return a number that JSON can hold: infinities as text."""
    return value if abs(value) != float("inf") else str(value)
