"""Reading YAML with the line of every key, so that an error message can name the place of a mistake.

This differs from plain PyYAML where YAML 1.1 surprises people: only `true` and `false` are booleans (`yes`,
`no` and `on` stay text), `1e-4` is a number, and a key that is given twice is an error.
"""

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from ..sandbox.errors import TaskError, did_you_mean
from .validation import Fault, faults_of

KeyPath = tuple[str | int, ...]
"""Keys and list indices from the outermost to the innermost, such as `("rewards", "correct", "weight")`."""
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


DEEPEST = 100
"""The most levels of nested lists and mappings."""


@dataclass
class YamlFile:
    """A parsed YAML file: its data as plain Python values, and the line of every key."""

    path: Path | None
    """None for text that was not read from a file."""
    data: dict[str, Any]
    lines: dict[KeyPath, int] = field(default_factory=dict)
    """The line of each key and list item, counted from 1."""
    overrides: dict[KeyPath, str] = field(default_factory=dict)
    """The `--set` that set a key, by its path."""

    @property
    def name(self) -> str:
        """The file's name for messages."""
        return "<task>" if self.path is None else str(self.path)

    def where(self, *keys: str | int) -> str:
        """Return `file:line: a.b.c` for a key path, with the line of the innermost key that the file has."""
        known = list(keys)
        while known and tuple(known) not in self.lines:
            known.pop()
        line = self.lines.get(tuple(known))
        place = f"{self.name}:{line}" if line else self.name
        return f"{place}: {'.'.join(map(str, keys))}" if keys else place


def read_yaml(path: Path) -> YamlFile:
    """Read a file that holds a YAML mapping.

    Raises:
        TaskError: the file cannot be read, is not YAML, gives a key twice, or is not a mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise TaskError(
            f"{path}: cannot be read ({error.strerror}); give the name of a task or an existing file"
        ) from error
    except UnicodeDecodeError as error:
        raise TaskError(
            f"{path}: is not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8"
        ) from error
    return parse_yaml(text, path)


def parse_yaml(text: str, path: Path | None = None) -> YamlFile:
    """Parse text that holds a YAML mapping, as `read_yaml` does; `path` is for messages."""
    file = YamlFile(path, {})
    loader = None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            raise TaskError(
                f"{file.name}: expected a mapping of keys (`name: ...`), got text that starts {text[:40]!r}"
            )
        _record_lines(node, (), file)
        file.data = loader.construct_document(node)  # pyright: ignore[reportAttributeAccessIssue]
        return file
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{file.name}:{mark.line + 1}:{mark.column + 1}" if mark else file.name
        problem = getattr(error, "problem", None) or str(error)
        if "\\t" in problem:
            problem += "; YAML is indented by spaces, not by tabs"
        elif path is not None and path.name.endswith((".jsonl", ".json", ".csv")):
            problem += "; this looks like a file of rows: are the arguments swapped?"
        raise TaskError(f"{place}: not valid YAML: {problem}") from error
    except TaskError:  # is a ValueError too, and already says what is wrong
        raise
    except (ValueError, RecursionError) as error:
        raise TaskError(f"{file.name}: a value cannot be read: {error}") from error
    finally:
        if loader is not None:
            loader.dispose()


def _record_lines(node: yaml.Node, path: KeyPath, file: YamlFile) -> None:
    """Record the line of every key below `node`.

    Raises:
        TaskError: a key is given twice, or is not a scalar.
    """
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise TaskError(
                    f"{file.name}:{line}: a key must be plain text, not a mapping or a list"
                    ' (quote a template: "{{ question }}")'
                )
            below = (*path, key.value)
            if below in file.lines:
                raise TaskError(
                    f"{file.name}:{line}: {'.'.join(map(str, below))} is given twice (first in line"
                    f" {file.lines[below]}); keep one"
                )
            file.lines[below] = line
            _record_lines(value, below, file)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            file.lines[(*path, index)] = item.start_mark.line + 1
            _record_lines(item, (*path, index), file)


def apply_overrides(file: YamlFile, overrides: Sequence[str], *, option: str = "--set") -> None:
    """Set `key.path=value` pairs in a parsed file. Values are read as YAML, templates stay text.

    A whole number in a path is the index of a list's item, counted from 0, such as `eval.0.n=8`.

    Raises:
        TaskError: an override has no `=` or no key, its path goes through a value that is neither a mapping
            nor a list, or a list has no such item.
    """
    if isinstance(overrides, str):
        raise TaskError(f"overrides is a list of {option} settings: [{overrides!r}] (given: a text)")
    for override in overrides:
        keys, equals, text = override.partition("=")
        if not equals or not keys.strip():
            raise TaskError(f"{option} {override!r}: expected key=value, such as rewards.correct.weight=0.5")
        # A YAML alias makes two keys share one object, and only one of them should change.
        file.data = copy.deepcopy(file.data)
        path: KeyPath = tuple(int(key) if key.isdecimal() else key for key in keys.strip().split("."))
        _set(file.data, path, _override_value(text), f"{option} {override!r}")
        file.overrides[path] = f"{option} {override}"


def _set(data: Any, path: KeyPath, value: Any, setting: str) -> None:
    """Set what is at a path of nested mappings and lists; mappings that are not there are made.

    Raises:
        TaskError: the path goes through another value, or a list has no such item.
    """
    for depth, key in enumerate(path):
        if isinstance(data, list) and not (isinstance(key, int) and key < len(data)):
            raise TaskError(f"{setting}: there is no item {key} in a list of {len(data)}, counted from 0")
        if not isinstance(data, dict | list):
            through = ".".join(map(str, path[:depth]))
            raise TaskError(f"{setting}: {through} is {data!r}, not a mapping; set {through} as a whole")
        container: Any = data
        place = str(key) if isinstance(data, dict) else key
        if depth == len(path) - 1:
            container[place] = value
        elif isinstance(data, dict) and data.get(place) is None:
            container[place] = {}
        data = container[place]


def _override_value(text: str) -> Any:
    if text.lstrip().startswith("{{") or "{%" in text:  # YAML would read `{{` as a mapping
        return text
    try:
        return yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError, RecursionError):
        return text


def validate(model: type[M], file: YamlFile, *, elsewhere: Mapping[str, type[BaseModel]] | None = None) -> M:
    """Return the model that a parsed file describes.

    Args:
        model: the model.
        file: the parsed file.
        elsewhere: other models whose keys may be given under a prefix, such as `task.`; unknown keys are
            looked for there too.

    Raises:
        TaskError: the file does not fit the model; the message has one line per mistake, with its place, what
            was expected, what was given, and close matches for unknown keys.
    """
    _refuse_too_deep(file)
    try:
        return model.model_validate(file.data)
    except ValidationError as error:
        models = {"": model, **(elsewhere or {})}
        raise TaskError("\n".join(_explained(models, file, fault) for fault in faults_of(error))) from error


def _refuse_too_deep(file: YamlFile) -> None:
    """Refuse values that are nested deeper than code that walks through them can follow.

    Raises:
        TaskError: they are.
    """
    level: list[Any] = [file.data]
    for _ in range(DEEPEST):
        inner = [
            value
            for item in level
            for value in (item.values() if isinstance(item, dict) else item if isinstance(item, list) else ())
        ]
        level = list({id(value): value for value in inner}.values())  # an alias makes one value many times
    if level:
        raise TaskError(f"{file.name}: values are nested more than {DEEPEST} deep; flatten them")


def _explained(models: Mapping[str, type[BaseModel]], file: YamlFile, fault: Fault) -> str:
    place = file.where(*fault.keys)
    given = [text for path, text in file.overrides.items() if path[: len(fault.keys)] == fault.keys]
    by = f" (by {given[0]})" if given else ""
    if fault.kind == "extra_forbidden":
        allowed = _allowed_keys(models[""], fault.keys[:-1])
        near = _meant(models, fault, allowed)
        return f"{place}: unknown key{near}{by} (allowed: {', '.join(allowed)})"
    if fault.kind == "missing":
        return f"{place}: is missing; add it"
    return f"{place}: {fault.rule}{by}"


def _meant(models: Mapping[str, type[BaseModel]], fault: Fault, allowed: Sequence[str]) -> str:
    """Return which keys may have been meant by an unknown one: the same key elsewhere, or close ones.

    What was given below it is kept, so that `rewards.format.weight` becomes `task.rewards.format.weight`.
    """
    key, below, value = str(fault.keys[-1]), "", fault.given
    while isinstance(value, dict) and len(value) == 1:
        ((inner, value),) = value.items()
        below += f".{inner}"
    same = [
        prefix + path + below
        for prefix, model in models.items()
        for path in _key_paths(model)
        if path.rpartition(".")[2] == key and (not prefix or path == key)
    ]
    if same:
        return f"; did you mean {' or '.join(map(repr, same[:3]))}?"
    return did_you_mean(key, allowed)


def _key_paths(model: type[BaseModel]) -> Iterator[str]:
    """Yield the dotted paths of a model's keys and of the keys of its sections."""
    for key in _allowed_keys(model, ()):
        yield key
        yield from (f"{key}.{inner}" for inner in _allowed_keys(model, (key,)))


def _allowed_keys(model: type[BaseModel], keys: KeyPath) -> list[str]:
    """Return the keys that `model` has at a path, read off its JSON Schema."""
    schema = model.model_json_schema()
    node: Any = schema
    for key in keys:
        node = _object_schema(node, schema)
        children = (node.get("properties", {}).get(key), node.get("items"), node.get("additionalProperties"))
        node = next(filter(None, children), {})
    return sorted(_object_schema(node, schema).get("properties", {}))


def _object_schema(node: Any, schema: Any) -> Any:
    """Return the schema of an object among a node's alternatives, following `$ref`; else the node itself."""
    for option in (node, *node.get("anyOf", ())):
        if "$ref" in option:
            return schema["$defs"][option["$ref"].rsplit("/", 1)[1]]
        if "properties" in option:
            return option
    return node
