"""From a task's entries to terms that can be run: names resolved, parameters typed, all at load."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from ...sandbox.errors import MarkschemeError, TaskError, UnknownNameError
from ...tasks.schema import PROCESS, RewardEntry, Task
from ...verifiers.extraction.extract import rules_of
from ...verifiers.verdict import Verifier
from .deadlines import Address, address_of
from .registry import REWARDS, Component, Reward, find_component, marks_steps, range_of, typed_parameters
from .run_component import Term

COMPOSITES = ("cascade", "any_of", "ensemble")
REDUCTIONS = ("mean", "median", "min")


@dataclass(frozen=True)
class Composite:
    """cascade, any_of or ensemble of members; a member is a node, or the name of another entry."""

    name: str
    how: Literal["cascade", "any_of", "ensemble"]
    members: tuple["Node | str", ...]
    bounds: tuple[float, float]
    reduce: str = "mean"
    clip: tuple[float, float] | None = None
    on_failure: dict[str, float | str] = field(default_factory=dict)
    where: str = ""


Node = Term | Composite


@dataclass(frozen=True)
class Line:
    """One entry, ready to run: what it computes, what gates it, what it weighs."""

    name: str
    node: Node
    entry: RewardEntry
    watched: bool = False

    @property
    def gate(self) -> str | None:
        """The entry that this one pays only together with."""
        return self.entry.when if isinstance(self.entry.when, str) else None

    @property
    def route(self) -> Mapping[str, Any] | None:
        """The row's columns that this entry applies to."""
        return self.entry.when if isinstance(self.entry.when, dict) else None


def build_lines(task: Task, *, process: bool = True) -> dict[str, Line]:
    """Resolve every entry of a task, in an order in which each stands after what it refers to.

    `process` says whether the task's `process:` is wanted too.

    Raises:
        TaskError: every mistake of every entry, one a line.
    """
    mistakes: list[str] = []
    lines: dict[str, Line] = {}
    _try(mistakes, lambda: rules_of(task.extract, task.where("extract")))
    for section, entries in (("rewards", task.rewards), ("watch", task.watch)):
        for name, entry in entries.items():
            node = _try(mistakes, lambda n=name, e=entry, s=section: _node(task, n, e, (s, n)))
            if node is not None:
                lines[name] = Line(name, node, entry, watched=section == "watch")
    if process and task.process is not None:
        node = _try(mistakes, lambda: _process_node(task))
        if node is not None:
            lines[PROCESS] = Line(PROCESS, node, task.process, watched=True)
    ordered = lines if mistakes else _try(mistakes, lambda: _ordered(task, lines))
    if mistakes:
        raise TaskError("\n".join(mistakes))
    return ordered


def _try(mistakes: list[str], make: Any) -> Any:
    try:
        return make()
    except MarkschemeError as error:
        mistakes.append(str(error))


def _node(task: Task, name: str, entry: RewardEntry, keys: tuple[str | int, ...]) -> Node:
    where = task.where(*keys)
    if entry.use in COMPOSITES:
        return _composite(task, name, entry, keys)
    if entry.of:
        raise TaskError(f"{task.where(*keys, 'of')}: only {', '.join(COMPOSITES)} have members")
    component = find_component(task, entry.use, task.where(*keys, "use"))
    given = entry.parameters
    if "extract" in given:
        rules_of(given["extract"], task.where(*keys, "extract"))
    elif "extract" in (getattr(component.function, "__kwdefaults__", None) or {}):
        given = {**given, "extract": task.extract}  # the task's own policy, unless the entry has one
    if isinstance(model := given.get("model"), str) and (task.folder / model / "config.json").is_file():
        given = {**given, "model": str((task.folder / model).resolve())}  # beside the task, as all its files
    if task.limits is not None and "limits" in (getattr(component.function, "__kwdefaults__", None) or {}):
        given = {"limits": task.limits, **given}
    if task.sandbox_url and "sandbox_url" in (getattr(component.function, "__kwdefaults__", None) or {}):
        given = {"sandbox_url": task.sandbox_url, **given}
    address = _address(task, entry, component, task.where(*keys, "timeout_s"))
    parameters = typed_parameters(component, given, where)
    bounds = _clipped(range_of(component), entry.clip, task.where(*keys, "clip"))
    if (
        isinstance(component, Reward)
        and component.steps
        and parameters["reduce"] == "product"
        and bounds[0] < 0
    ):
        raise TaskError(
            f"{task.where(*keys, 'reduce')}: a product of marks below 0 would reward two wrong steps"
        )
    if isinstance(component, Reward) and component.ready is not None:
        component.ready(**parameters)
    _check_worth(task, name, entry, bounds, keys)
    return Term(
        name,
        component,
        parameters,
        bounds,
        entry.clip,
        entry.timeout_s,
        dict(entry.on_failure),
        where,
        address,
    )


def _process_node(task: Task) -> Node:
    """Return what marks the steps: a component, or (as its name) an entry that is there already."""
    assert task.process is not None
    entry, where = task.process, task.where(PROCESS, "use")
    named = task.rewards.get(entry.use) or task.watch.get(entry.use)
    if named is not None and (entry.parameters or entry.clip or entry.on_failure or entry.timeout_s):
        raise TaskError(f"{where}: parameters of {entry.use!r} belong to that entry")
    use = entry.use if named is None else named.use
    component = None if use in COMPOSITES else find_component(task, use, where)
    if not (isinstance(component, Reward) and component.steps):
        able = ", ".join(name for name in REWARDS.names() if marks_steps(name)) or "none"
        raise TaskError(f"{where}: {entry.use!r} marks completions, not steps (these mark steps: {able})")
    if named is not None:
        return Composite(PROCESS, "any_of", (entry.use,), range_of(component))
    return _node(task, PROCESS, entry, (PROCESS,))


def _address(task: Task, entry: RewardEntry, component: Component, where: str) -> Address | None:
    """Return where a worker process finds a synchronous function that has a deadline."""
    if entry.timeout_s is None or (component.is_async and not component.batch):
        return None
    if component.is_async:
        raise TaskError(f"{where}: {entry.use!r} takes a batch asynchronously; give it a deadline of its own")
    return address_of(task, entry.use, component, where)


def _check_worth(
    task: Task, name: str, entry: RewardEntry, bounds: tuple[float, float], keys: tuple[str | int, ...]
) -> None:
    for status, worth in entry.on_failure.items():
        if not isinstance(worth, str) and not bounds[0] <= worth <= bounds[1]:
            place = task.where(*keys, "on_failure", status)
            raise TaskError(f"{place}: {worth} is outside the range of {name!r}, {list(bounds)}")


def _clipped(
    bounds: tuple[float, float], clip: tuple[float, float] | None, where: str
) -> tuple[float, float]:
    if clip is None:
        return bounds
    if clip[0] > bounds[1] or clip[1] < bounds[0]:
        raise TaskError(f"{where}: {list(clip)} does not meet the component's range {list(bounds)}")
    return max(clip[0], bounds[0]), min(clip[1], bounds[1])


def _composite(task: Task, name: str, entry: RewardEntry, keys: tuple[str | int, ...]) -> Composite:
    where = task.where(*keys)
    if entry.timeout_s is not None:
        raise TaskError(f"{task.where(*keys, 'timeout_s')}: give it to the members of {entry.use}")
    if not entry.of:
        raise TaskError(f"{where}: {entry.use} needs its members, such as `of: [answer, mine.py:judge]`")
    extra = dict(entry.parameters)
    try:
        reduce = TypeAdapter(Literal["mean", "median", "min"]).validate_python(extra.pop("reduce", "mean"))
    except ValidationError as error:
        raise TaskError(f"{task.where(*keys, 'reduce')}: expected one of {', '.join(REDUCTIONS)}") from error
    if extra or (entry.use != "ensemble" and "reduce" in entry.parameters):
        key = next(iter(extra), "reduce")
        raise TaskError(f"{task.where(*keys, key)}: {entry.use} has no parameter {key!r}")
    entries = {**task.rewards, **task.watch}
    members: list[Node | str] = []
    for i, member in enumerate(entry.of):
        if isinstance(member, str) and member in entries:
            members.append(member)
        else:
            made = RewardEntry(use=member) if isinstance(member, str) else member
            members.append(_node(task, made.use, _plain(made, task.where(*keys, "of", i)), (*keys, "of", i)))
    ends = [_bounds(task, m, entries, keys, (name,)) for m in members]
    bounds = _clipped((min(low for low, _ in ends), max(high for _, high in ends)), entry.clip, where)
    _check_worth(task, name, entry, bounds, keys)
    how: Any = entry.use
    return Composite(name, how, tuple(members), bounds, reduce, entry.clip, dict(entry.on_failure), where)


def _plain(member: RewardEntry, where: str) -> RewardEntry:
    if member.weight != 1.0 or member.when is not None:
        raise TaskError(f"{where}: a member has no weight and no `when`; make it an entry and name it")
    return member


def _bounds(
    task: Task, member: Node | str, entries: Mapping[str, RewardEntry], keys: Any, path: tuple[str, ...]
) -> tuple[float, float]:
    """Return a member's range; an entry that is named only is looked up, through other composites."""
    if not isinstance(member, str):
        return member.bounds
    if member in path:
        raise TaskError(
            f"{task.where('rewards')}: entries refer to each other: {' -> '.join((*path, member))}"
        )
    entry = entries[member]
    if entry.use in COMPOSITES:
        named = [m for m in entry.of if isinstance(m, str) and m in entries]
        inner = [_bounds(task, m, entries, keys, (*path, member)) for m in named]
        inner += [
            range_of(find_component(task, m if isinstance(m, str) else m.use, task.where(*keys)))
            for m in entry.of
            if m not in named and (m if isinstance(m, str) else m.use) not in COMPOSITES
        ]
        return min(low for low, _ in inner), max(high for _, high in inner)
    component = find_component(task, entry.use, task.where(*keys))
    low, high = _clipped(range_of(component), entry.clip, task.where(*keys))
    # A closed gate makes the entry worth 0.
    return (min(low, 0.0), max(high, 0.0)) if entry.when else (low, high)


def _refers_to(line: Line) -> set[str]:
    names = {line.gate} if line.gate else set()
    nodes: list[Node | str] = [line.node]
    while nodes:
        node = nodes.pop()
        if isinstance(node, str):
            names.add(node)
        elif isinstance(node, Composite):
            nodes.extend(node.members)
    return names


def _ordered(task: Task, lines: dict[str, Line]) -> dict[str, Line]:
    """Sort by reference.

    Raises:
        TaskError: entries that refer to each other in a circle. UnknownNameError: a gate on nothing.
    """
    done: dict[str, Line] = {}

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise TaskError(
                f"{task.where('rewards')}: entries refer to each other: {' -> '.join((*path, name))}"
            )
        if name in done:
            return
        for other in sorted(_refers_to(lines[name])):
            if other not in lines:
                section = "watch" if lines[name].watched else "rewards"
                raise UnknownNameError.of("entry", other, lines, where=task.where(section, name, "when"))
            if lines[other].watched and not lines[name].watched:
                raise TaskError(
                    f"{task.where('rewards', name)}: {other!r} is only watched; a reward cannot use it"
                )
            if other == lines[name].gate and math.isinf(lines[other].node.bounds[1]):
                raise TaskError(
                    f"{task.where('rewards', name, 'when')}: {other!r} has no highest value,"
                    " so it never counts as right; give it a clip or a range"
                )
            visit(other, (*path, name))
        done[name] = lines[name]

    for name in lines:
        visit(name, ())
    return done


def reference_readers(lines: Mapping[str, Line]) -> list[Verifier]:
    """Return the verifiers that judge by the problem's reference or tests, wherever they stand."""
    nodes: list[Node | str] = [line.node for line in lines.values()]
    found = []
    while nodes:
        node = nodes.pop()
        if isinstance(node, Composite):
            nodes.extend(node.members)
        elif isinstance(node, Term) and isinstance(verifier := node.component, Verifier):
            found += [verifier] if verifier.reference_fault or verifier.tests_fault else []
    return found
