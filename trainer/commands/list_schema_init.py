"""Help with writing files: `markscheme list` for names, `schema` for keys, `init` for a first task."""

import argparse
import inspect
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from ...rewards.composition.entries import COMPOSITES
from ...rewards.composition.reward_functions import REWARDS
from ...rewards.composition.step_options import StepOptions, keyword_parameters
from ...sandbox.errors import DataError, TaskError, UnknownNameError
from ...tasks.load_task import load_task, shipped_tasks
from ...tasks.name_lookup import GENERATORS, Table, resolve
from ...tasks.schema import Task
from ...tasks.starter import CASES, ROWS, TASK
from ...verifiers.verdict import VERIFIERS
from .output import GOOD, show

_TABLES: dict[str, tuple[Table, ...]] = {
    "generators": (GENERATORS,),
    "verifiers": (VERIFIERS,),
    "rewards": (REWARDS, VERIFIERS),
}
"""The tables that hold the names of each kind; a verifier can be used as a reward too."""


def init(args: argparse.Namespace) -> int:
    """Write a new task, its example rows and its labelled cases."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", args.name):
        raise TaskError(f"init: a task's name is made of letters, digits, _ . and - (given: {args.name!r})")
    texts = {".yaml": TASK, ".jsonl": ROWS, ".cases.jsonl": CASES}
    paths = {Path(f"{args.name}{suffix}"): text for suffix, text in texts.items()}
    for path in paths:
        if path.exists():
            raise DataError(f"{path} exists already; choose another name or remove it")
    for path, text in paths.items():
        path.write_text(text.replace("NAME", args.name), encoding="utf-8")
    written = [str(path) for path in paths]
    lines = [f"written: {', '.join(written)}", f"next: markscheme check {written[0]}"]
    show(args, {"written": written}, lines)
    return GOOD


def schema(args: argparse.Namespace) -> int:
    """Print the JSON Schema of task or run files."""
    model: Any = Task
    if args.what == "run":
        from ..config.run_config import RunConfig as model
    print(json.dumps(model.model_json_schema(), indent=1), file=getattr(args, "stdout", None))
    return GOOD


def list_names(args: argparse.Namespace) -> int:
    """List the names of one kind, or show one of them."""
    if args.what == "presets":
        return _list_presets(args)
    if args.what == "tasks":
        entries = {name: load_task(path).description for name, path in shipped_tasks().items()}
    else:
        entries = _described(args.what)
    if args.name is None:
        width = max(map(len, entries), default=0)
        show(args, entries, [f"{name:{width}}  {text}" for name, text in entries.items()])
        return GOOD
    if args.name not in entries:
        raise UnknownNameError.of(args.what.removesuffix("s"), args.name, entries)
    if args.what == "tasks":
        path = shipped_tasks()[args.name]
        text = path.read_text(encoding="utf-8")
        show(args, {"name": args.name, "file": str(path), "text": text}, [f"# {path}", text.rstrip()])
    else:
        shown = _shown(args.what, args.name)
        show(args, shown, _lines(shown))
    return GOOD


def _list_presets(args: argparse.Namespace) -> int:
    from ..config.presets import PRESETS

    wanted = PRESETS if args.name is None else {args.name: PRESETS.get(args.name)}
    lines, result = [], {}
    for name, preset in wanted.items():
        if preset is None:
            raise UnknownNameError.of("preset", name, PRESETS)
        text, settings = preset
        lines.append(f"{name}: {text}")
        lines += [f"    {key:20} {value!s:14} {source}" for key, (value, source) in settings.items()]
        result[name] = {key: {"value": value, "source": source} for key, (value, source) in settings.items()}
    show(args, result, lines)
    return GOOD


def _described(kind: str) -> dict[str, str]:
    """Return every name of a kind with the first line of its docstring; plugins are not loaded for that."""
    entries: dict[str, str] = {**COMPOSITES} if kind == "rewards" else {}
    for table in _TABLES[kind]:
        for name in table.names():
            built_in = name in table.builtin or name in table.decorated
            doc = inspect.getdoc(resolve(name, [table])) if built_in else "from an installed package"
            entries[name] = (doc or "").split("\n")[0]
    return entries


def _shown(kind: str, name: str) -> dict[str, Any]:
    """Return the description of one name: its text, its parameters, and an example of its use."""
    if kind == "rewards" and name in COMPOSITES:
        members = {"of": {"type": "list of entries", "default": None, "text": "The members."}}
        reduce = {"reduce": {"type": "mean | median | min", "default": "mean", "text": "How values combine."}}
        return {
            "name": name,
            "kind": "composite",
            "text": COMPOSITES[name],
            "parameters": members | (reduce if name == "ensemble" else {}),
            "example": f"{{use: {name}, of: [answer, exact_match]}}",
        }
    function = resolve(name, list(_TABLES[kind]))
    target = function.__init__ if inspect.isclass(function) else function
    doc = inspect.getdoc(function) or ""
    described = _described_arguments(doc)
    parameters = {
        key: {"type": _type_name(hint), "default": _default(default), "text": described.get(key, "")}
        for key, (hint, default) in keyword_parameters(target).items()
    }
    component = getattr(function, "markscheme_component", None)
    if getattr(component, "steps", False):
        parameters |= {
            key: {"type": _type_name(field.annotation), "default": field.default, "text": field.description}
            for key, field in StepOptions.model_fields.items()
        }
    example = re.search(r"In a task: `([^`]+)`", doc)
    return {
        "name": name,
        "kind": kind.removesuffix("s") if component is None else type(component).__name__.lower(),
        "text": re.split(r"\n\s*\n(?:Args|Returns|Raises):", re.sub(r"\s*In a task: `[^`]+`\.?", "", doc))[0],
        "parameters": parameters,
        "example": example[1] if example else f"{{use: {name}}}",
    }


def _lines(shown: Mapping[str, Any]) -> list[str]:
    lines = [f"{shown['name']} ({shown['kind']})", *(f"  {line}" for line in shown["text"].splitlines()), ""]
    for name, parameter in shown["parameters"].items():
        needed = "required" if parameter["default"] is None else f"default {parameter['default']}"
        lines.append(f"  {name}: {parameter['type']}, {needed}")
        if parameter["text"]:
            lines.append(f"      {parameter['text']}")
    if not shown["parameters"]:
        lines.append("  no parameters")
    return [*lines, "", f"  example: {shown['example']}"]


def _default(value: Any) -> str | None:
    """Return a default as YAML would write it; None where the parameter is required."""
    if value is ...:
        return None
    return "null" if value is None else str(value)


def _type_name(hint: Any) -> str:
    """Return a type hint in short: without Annotated and None, and with choices joined by |."""
    if get_origin(hint) is Annotated:
        return _type_name(get_args(hint)[0])
    if get_origin(hint) is Literal:
        return " | ".join(map(str, get_args(hint)))
    members = [argument for argument in get_args(hint) if argument is not type(None)]
    if members and get_origin(hint) not in (list, tuple, dict):
        return " | ".join(map(_type_name, members))
    return getattr(hint, "__name__", str(hint)) if not get_args(hint) else str(hint)


def _described_arguments(doc: str) -> dict[str, str]:
    """Return the texts of a docstring's `Args:` section, by parameter."""
    section = re.search(r"^Args:\n((?:[ \t]+.*\n?|\n)+)", doc, re.MULTILINE)
    if section is None:
        return {}
    found = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", section[1], re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in found}
