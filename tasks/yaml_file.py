"""YAML with a line number for every key, so that every error can point at its place.

Differences from plain PyYAML, all towards what a person means: only `true`/`false` are booleans
(`yes`, `no`, `on` stay text), `1e-4` is a number, and a key given twice is an error.
"""

import copy
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from ..sandbox.errors import TaskError, did_you_mean
from .validation import Fault, faults_of

KeyPath = tuple[str | int, ...]
M = TypeVar("M", bound=BaseModel)


class _Loader(yaml.SafeLoader):
    """SafeLoader with the booleans and floats of YAML 1.2."""


_Loader.yaml_implicit_resolvers = {
    first: [rule for rule in rules if rule[0] not in ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:float")]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(true|false)$"), list("tf"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d+\.\d*([eE][-+]?\d+)?|\.\d+([eE][-+]?\d+)?|\d+[eE][-+]?\d+|\.inf|\.nan)$"),
    list("-+.0123456789"),
)


@dataclass
class YamlFile:
    """A parsed file: its plain data, and the line of every key path in it."""

    path: Path | None
    data: dict[str, Any]
    lines: dict[KeyPath, int] = field(default_factory=dict)

    def where(self, *keys: str | int) -> str:
        """Return `file:line: a.b.c` for a key path, with the nearest line that is known."""
        known = list(keys)
        while known and tuple(known) not in self.lines:
            known.pop()
        line = self.lines.get(tuple(known))
        name = str(self.path) if self.path else "<task>"
        place = f"{name}:{line}" if line else name
        return f"{place}: {'.'.join(map(str, keys))}" if keys else place


def read_yaml(path: Path) -> YamlFile:
    """Read a YAML mapping from `path`.

    Raises:
        TaskError: the file is missing, is not YAML, repeats a key or is not a mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise TaskError(f"{path}: cannot be read ({error.strerror}); give a task's name or file") from error
    except UnicodeDecodeError as error:
        raise TaskError(f"{path}: is not UTF-8 text ({error.reason} at byte {error.start})") from error
    return parse_yaml(text, path)


def parse_yaml(text: str, path: Path | None = None) -> YamlFile:
    """Parse YAML text as `read_yaml` does a file."""
    loader = None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        file = YamlFile(path, {})
        if not isinstance(node, yaml.MappingNode):
            raise TaskError(f"{file.where()}: expected a mapping of keys (`name: ...`), got something else")
        _walk(node, (), file)
        file.data = loader.construct_document(node)  # pyright: ignore[reportAttributeAccessIssue]
        return file
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path or '<task>'}{f':{mark.line + 1}:{mark.column + 1}' if mark else ''}"
        problem = getattr(error, "problem", None) or str(error)
        raise TaskError(f"{place}: not valid YAML: {problem}") from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, TaskError):
            raise
        raise TaskError(f"{path or '<task>'}: a value cannot be read: {error}") from error
    finally:
        if loader is not None:
            loader.dispose()


def _walk(node: yaml.Node, path: KeyPath, file: YamlFile) -> None:
    """Note the line of every key below `node`; refuse a key that stands twice."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                line = key.start_mark.line + 1
                raise TaskError(
                    f"{file.path or '<task>'}:{line}: a key must be plain text"
                    ' (quote a template: "{{ question }}")'
                )
            below = (*path, key.value)
            if below in file.lines:
                raise TaskError(
                    f"{file.path or '<task>'}:{key.start_mark.line + 1}: {'.'.join(map(str, below))}"
                    f" is given twice (first in line {file.lines[below]}); keep one"
                )
            file.lines[below] = key.start_mark.line + 1
            _walk(value, below, file)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            file.lines[(*path, index)] = item.start_mark.line + 1
            _walk(item, (*path, index), file)


def apply_overrides(file: YamlFile, overrides: Sequence[str]) -> None:
    """Set `a.b.c=value` pairs in a parsed file, the values read as YAML (templates as text).

    Raises:
        TaskError: an override has no `=`, or goes through something that is not a mapping.
    """
    for override in overrides:
        keys, equals, text = override.partition("=")
        if not equals or not keys.strip():
            raise TaskError(f"--set {override!r}: expected key=value, such as rewards.correct.weight=0.5")
        file.data = copy.deepcopy(file.data)  # what a YAML alias shares must not change together
        *parents, last = keys.strip().split(".")
        target: Any = file.data
        for depth, key in enumerate(parents):
            if target.get(key) is None:
                target[key] = {}
            target = target[key]
            if not isinstance(target, dict):
                through = ".".join(parents[: depth + 1])
                raise TaskError(f"--set {override!r}: {through} is not a mapping; set it whole")
        target[last] = _override_value(text)


def _override_value(text: str) -> Any:
    if text.lstrip().startswith("{{") or "{%" in text:
        return text
    try:
        return yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError, RecursionError):
        return text


def validate(model: type[M], file: YamlFile) -> M:
    """Build `model` from a parsed file.

    Raises:
        TaskError: every mistake at once, one per line: file, line, key path, what was expected, what was
            given, close matches.
    """
    try:
        return model.model_validate(file.data)
    except ValidationError as error:
        raise TaskError("\n".join(_explained(model, file, fault) for fault in faults_of(error))) from error


def _explained(model: type[BaseModel], file: YamlFile, fault: Fault) -> str:
    place = file.where(*fault.keys)
    if fault.kind == "extra_forbidden":
        allowed = _allowed_keys(model, fault.keys[:-1])
        near = did_you_mean(str(fault.keys[-1]), allowed)
        return f"{place}: unknown key{near} (allowed: {', '.join(allowed)})"
    if fault.kind == "missing":
        return f"{place}: is missing; it must be given"
    return f"{place}: {fault.rule}"


def _allowed_keys(model: type[BaseModel], keys: KeyPath) -> list[str]:
    """Return the keys that `model` takes at a path, following nested models."""
    schema = model.model_json_schema()
    node: Any = schema
    for key in keys:
        node = _resolve(node, schema)
        node = (
            node.get("properties", {}).get(key) or node.get("items") or node.get("additionalProperties") or {}
        )
    return sorted(_resolve(node, schema).get("properties", {}))


def _resolve(node: Any, schema: Any) -> Any:
    for option in (node, *node.get("anyOf", ())):
        if "$ref" in option:
            return schema["$defs"][option["$ref"].rsplit("/", 1)[1]]
        if "properties" in option:
            return option
    return node
