"""From a task's declared entries to entries that can be run: everything is resolved and checked at load."""

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from ...sandbox.errors import MarkschemeError, TaskError, UnknownNameError
from ...tasks.reward_entries import PROCESS, RewardEntry
from ...tasks.schema import Task
from ...verifiers.extraction.extract import rules_of
from .deadlines import Address, address_of
from .entries import COMPOSITES, Bounds, Composite, Entry, Reduction
from .registry import Component, Reward, find_component, range_of, rewards_that_mark_steps
from .step_options import StepOptions, keyword_parameters, step_options, typed_parameters

Keys = tuple[str | int, ...]
T = TypeVar("T")


def build_entries(task: Task, *, process: bool = True) -> dict[str, Entry]:
    """Resolve every entry of a task, ordered so that each comes after the entries that it refers to.

    Args:
        task: what declares them.
        process: whether the task's `process:` is wanted too.

    Raises:
        TaskError: every mistake of every entry, one per line.
    """
    builder = _Builder(task)
    entries: dict[str, Entry] = {}
    builder.attempt(lambda: rules_of(task.extract, task.where("extract")))
    for section, declared in (("rewards", task.rewards), ("watch", task.watch)):
        for name, entry in declared.items():
            made = builder.attempt(lambda n=name, e=entry, s=section: builder.entry(n, e, (s, n)))
            if made is not None:
                entries[name] = made
    if process and task.process is not None:
        made = builder.attempt(builder.process)
        if made is not None:
            entries[PROCESS] = made
    ordered = None if builder.mistakes else builder.attempt(lambda: _ordered(task, entries))
    if ordered is None:
        raise TaskError("\n".join(builder.mistakes))
    return ordered


class _Builder:
    """Builds the entries of one task, and collects what is wrong with them."""

    def __init__(self, task: Task):
        self.task = task
        self.declared: dict[str, RewardEntry] = {**task.rewards, **task.watch}
        self.mistakes: list[str] = []

    def attempt(self, make: Callable[[], T]) -> T | None:
        """Return what `make` returns, or note its error and return None."""
        try:
            return make()
        except MarkschemeError as error:
            self.mistakes.append(str(error))
            return None

    def entry(self, name: str, declared: RewardEntry, keys: Keys) -> Entry:
        """Resolve one entry; `keys` say where it is in the task file."""
        if declared.use in COMPOSITES:
            return self._composite(name, declared, keys)
        task, where = self.task, self.task.where(*keys)
        if declared.of:
            raise TaskError(
                f"{task.where(*keys, 'of')}: only {', '.join(COMPOSITES)} have members"
                f" (given: use: {declared.use}); drop `of`"
            )
        component = find_component(task, declared.use, task.where(*keys, "use"))
        given = self._with_task_defaults(component, declared.parameters, keys)
        options = None
        if isinstance(component, Reward) and component.steps:
            own = {key: given.pop(key) for key in StepOptions.model_fields if key in given}
            options = step_options(own, where)
        address = self._address(declared, component, task.where(*keys, "timeout_s"))
        also = tuple(StepOptions.model_fields) if options is not None else ()
        parameters = typed_parameters(component.name, component.function, given, where, also=also)
        bounds = _clipped(range_of(component), declared.clip, task.where(*keys, "clip"))
        if options is not None and options.reduce == "product" and bounds[0] < 0:
            raise TaskError(
                f"{task.where(*keys, 'reduce')}: a product of marks below 0 would reward two wrong steps;"
                " use min, last or mean"
            )
        if isinstance(component, Reward) and component.ready is not None:
            component.ready(**parameters)
        self._check_worth(name, declared, bounds, keys)
        watched = keys[0] != "rewards"
        return Entry(name, declared, component, bounds, where, parameters, options, address, watched)

    def _with_task_defaults(self, component: Component, given: dict[str, Any], keys: Keys) -> dict[str, Any]:
        """Add what the task says once for all its entries, unless this entry says it itself."""
        task, takes = self.task, keyword_parameters(component.function)
        for_all = {"extract": task.extract, "limits": task.limits, "sandbox_url": task.sandbox_url}
        common = {key: value for key, value in for_all.items() if key in takes and value is not None}
        if "extract" in given:
            rules_of(given["extract"], task.where(*keys, "extract"))
        model = given.get("model")
        if isinstance(model, str) and (task.folder / model / "config.json").is_file():
            common["model"] = str((task.folder / model).resolve())  # beside the task, as all of its files
            given = {key: value for key, value in given.items() if key != "model"}
        return {**common, **given}

    def _composite(self, name: str, declared: RewardEntry, keys: Keys) -> Entry:
        task, where = self.task, self.task.where(*keys)
        if declared.timeout_s is not None:
            raise TaskError(
                f"{task.where(*keys, 'timeout_s')}: a composite has no deadline of its own;"
                f" give one to each member of {declared.use}"
            )
        if not declared.of:
            raise TaskError(f"{where}: {declared.use} needs members, such as `of: [answer, mine.py:judge]`")
        extra = dict(declared.parameters)
        try:
            reduce = TypeAdapter[Reduction](Reduction).validate_python(extra.pop("reduce", "mean"))
        except ValidationError as error:
            given = declared.parameters["reduce"]
            raise TaskError(
                f"{task.where(*keys, 'reduce')}: expected mean, median or min (given: {given!r})"
            ) from error
        if extra or (declared.use != "ensemble" and "reduce" in declared.parameters):
            key = next(iter(extra), "reduce")
            raise TaskError(
                f"{task.where(*keys, key)}: {declared.use} has no parameter {key!r}; drop it, or give it to a"
                " member"
            )
        members = tuple(self._member(member, (*keys, "of", i)) for i, member in enumerate(declared.of))
        ends = [self._bounds_of(member, (name,)) for member in members]
        bounds = _clipped((min(low for low, _ in ends), max(high for _, high in ends)), declared.clip, where)
        self._check_worth(name, declared, bounds, keys)
        how: Any = declared.use
        composite = Composite(how, members, reduce)
        return Entry(name, declared, composite, bounds, where, watched=keys[0] != "rewards")

    def _member(self, member: str | RewardEntry, keys: Keys) -> Entry | str:
        """Return a member: another entry's name as it is, else an entry of its own."""
        if isinstance(member, str):
            if member in self.declared:
                return member
            member = RewardEntry(use=member)
        if member.weight != 1.0 or member.when is not None:
            raise TaskError(
                f"{self.task.where(*keys)}: a member has no weight and no `when`; make it an entry under"
                " `rewards` or `watch`, and give its name here"
            )
        return self.entry(member.use, member, keys)

    def _bounds_of(self, member: Entry | str, path: tuple[str, ...]) -> Bounds:
        """Return a member's range; one that is only named is looked up, through other composites too."""
        if not isinstance(member, str):
            return member.bounds
        if member in path:
            raise TaskError(_circle(self.task, (*path, member)))
        declared, where = self.declared[member], self.task.where("rewards", member)
        if declared.use in COMPOSITES:
            inner = [self._bounds_of_declared(one, (*path, member)) for one in declared.of]
            return min(low for low, _ in inner), max(high for _, high in inner)
        bounds = _clipped(range_of(find_component(self.task, declared.use, where)), declared.clip, where)
        if declared.when:  # a closed gate makes the entry worth 0
            return min(bounds[0], 0.0), max(bounds[1], 0.0)
        return bounds

    def _bounds_of_declared(self, member: str | RewardEntry, path: tuple[str, ...]) -> Bounds:
        if isinstance(member, str) and member in self.declared:
            return self._bounds_of(member, path)
        declared = RewardEntry(use=member) if isinstance(member, str) else member
        if declared.use in COMPOSITES:
            inner = [self._bounds_of_declared(one, path) for one in declared.of]
            return min(low for low, _ in inner), max(high for _, high in inner)
        return range_of(find_component(self.task, declared.use, self.task.where("rewards", path[-1])))

    def process(self) -> Entry:
        """Resolve `process:`, which names a component that marks steps, or an entry that has one."""
        task, declared = self.task, self.task.process
        assert declared is not None
        where = task.where(PROCESS, "use")
        named = self.declared.get(declared.use)
        if named is not None and (
            declared.parameters or declared.clip or declared.on_failure or declared.timeout_s
        ):
            raise TaskError(
                f"{where}: {declared.use!r} is an entry of this task, and its parameters stand there; give"
                " none here"
            )
        use = declared.use if named is None else named.use
        component = None if use in COMPOSITES else find_component(task, use, where)
        if not (isinstance(component, Reward) and component.steps):
            able = ", ".join(rewards_that_mark_steps())
            raise TaskError(
                f"{where}: {declared.use!r} marks completions, not steps; name one that marks steps ({able},"
                " or one of your own with steps=True)"
            )
        if named is None:
            return self.entry(PROCESS, declared, (PROCESS,))
        # The entry's own parts are reused, so that a model is not asked twice.
        shared = Composite("any_of", (declared.use,))
        return Entry(PROCESS, declared, shared, range_of(component), where, watched=True)

    def _address(self, declared: RewardEntry, component: Component, where: str) -> Address | None:
        """Return where a worker process finds a synchronous function that has a deadline."""
        if declared.timeout_s is None or (component.is_async and not component.batch):
            return None
        if component.is_async:
            raise TaskError(
                f"{where}: {declared.use!r} takes a whole batch asynchronously, and no deadline can be kept"
                " for one completion of it; drop timeout_s, and keep the time inside the function"
            )
        return address_of(self.task, declared.use, component, where)

    def _check_worth(self, name: str, declared: RewardEntry, bounds: Bounds, keys: Keys) -> None:
        for status, worth in declared.on_failure.items():
            if not isinstance(worth, str) and not bounds[0] <= worth <= bounds[1]:
                place = self.task.where(*keys, "on_failure", status)
                raise TaskError(
                    f"{place}: a value within the range of {name!r}, {list(bounds)}, was expected"
                    f" (given: {worth}); or say leave_out or stop"
                )


def _clipped(bounds: Bounds, clip: Bounds | None, where: str) -> Bounds:
    if clip is None:
        return bounds
    if clip[0] > bounds[1] or clip[1] < bounds[0]:
        raise TaskError(
            f"{where}: {list(clip)} does not overlap the component's range {list(bounds)}; give a clip"
            " within it"
        )
    return max(clip[0], bounds[0]), min(clip[1], bounds[1])


def _circle(task: Task, path: tuple[str, ...]) -> str:
    return f"{task.where('rewards')}: entries refer to each other: {' -> '.join(path)}; break the circle"


def _ordered(task: Task, entries: Mapping[str, Entry]) -> dict[str, Entry]:
    """Sort entries so that each comes after those that it refers to.

    Raises:
        TaskError: entries that refer to each other in a circle, or a reward that needs a watched entry.
        UnknownNameError: a gate that names no entry.
    """
    done: dict[str, Entry] = {}

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise TaskError(_circle(task, (*path, name)))
        if name in done:
            return
        entry = entries[name]
        named = {one for one in entry.inner() if isinstance(one, str)}
        for other in sorted(named | ({entry.gate} if entry.gate else set())):
            _check_reference(task, entry, other, entries)
            visit(other, (*path, name))
        done[name] = entry

    for name in entries:
        visit(name, ())
    return done


def _check_reference(task: Task, entry: Entry, other: str, entries: Mapping[str, Entry]) -> None:
    section = "watch" if entry.watched else "rewards"
    if other not in entries:
        raise UnknownNameError.of("entry", other, entries, where=task.where(section, entry.name, "when"))
    if entries[other].watched and not entry.watched:
        raise TaskError(
            f"{task.where('rewards', entry.name)}: {other!r} is only watched, and a reward cannot depend on"
            " it; move it to `rewards` (with weight 0 it is not paid)"
        )
    if other == entry.gate and math.isinf(entries[other].bounds[1]):
        raise TaskError(
            f"{task.where('rewards', entry.name, 'when')}: {other!r} has no highest value,"
            " so it never counts as right; give it a clip or a range"
        )
