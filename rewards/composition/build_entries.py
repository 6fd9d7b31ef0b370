"""Building entries that can run from those that a task declares.

All names are looked up and all parameters are checked here, when a scheme is built, so that a mistake is
reported before anything is scored.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, get_args

from pydantic import TypeAdapter, ValidationError

from ...sandbox.errors import MarkschemeError, TaskError, UnknownNameError
from ...tasks.reward_entries import PROCESS, RewardEntry
from ...tasks.schema import Task
from ...verifiers.extraction.extract import rules_of
from .deadlines import Address, address_of
from .entries import COMPOSITES, Bounds, Composite, Entry, Reduction
from .entry_ranges import circle, clipped, combined_bounds, member_bounds
from .reward_functions import Component, Reward, find_component, range_of, rewards_that_mark_steps
from .step_options import StepOptions, keyword_parameters, step_options, typed_parameters

Keys = tuple[str | int, ...]
"""The keys that lead to an entry in the task file, for messages."""
T = TypeVar("T")


def build_entries(task: Task, *, process: bool = True) -> dict[str, Entry]:
    """Return every entry of a task, in an order in which each comes after the entries that it refers to.

    Args:
        task: the task that declares the entries.
        process: whether to include the task's `process:`.

    Raises:
        TaskError: some entries have mistakes; the message has one line for each mistake.
    """
    builder = _Builder(task)
    entries: dict[str, Entry] = {}
    builder.attempt(lambda: rules_of(task.extract, task.where("extract")))
    for section, declared in (("rewards", task.rewards), ("watch", task.watch)):
        for name, entry in declared.items():
            built = builder.attempt(lambda n=name, e=entry, s=section: builder.entry(n, e, (s, n)))
            if built is not None:
                entries[name] = built
    if process and task.process is not None:
        built = builder.attempt(builder.process)
        if built is not None:
            entries[PROCESS] = built
    ordered = None if builder.mistakes else builder.attempt(lambda: _ordered(task, entries))
    if ordered is None:
        raise TaskError("\n".join(builder.mistakes))
    return ordered


class _Builder:
    """A builder of one task's entries, which collects the mistakes in them."""

    def __init__(self, task: Task):
        self.task = task
        self.declared: dict[str, RewardEntry] = {**task.rewards, **task.watch}
        self.mistakes: list[str] = []

    def attempt(self, make: Callable[[], T]) -> T | None:
        """Return what `make` returns; if it fails, add its error to the mistakes and return None."""
        try:
            return make()
        except MarkschemeError as error:
            self.mistakes.append(str(error))
            return None

    def entry(self, name: str, declared: RewardEntry, keys: Keys) -> Entry:
        """Build one entry; `keys` say where it is in the task file."""
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
        bounds = clipped(range_of(component, parameters), declared.clip, task.where(*keys, "clip"))
        if options is not None and options.reduce == "product":
            self._check_product(range_of(component, parameters), keys)
        self._make_ready(component, parameters, where)
        self._check_worth(name, declared, bounds, keys)
        watched = keys[0] != "rewards"
        return Entry(name, declared, component, bounds, where, parameters, options, address, watched)

    def _with_task_defaults(self, component: Component, given: dict[str, Any], keys: Keys) -> dict[str, Any]:
        """Return the given parameters, and those that the task sets for all of its entries."""
        task, known = self.task, keyword_parameters(component.function)
        for_all = {
            "extract": task.extract,
            "thinking": task.thinking,
            "limits": task.limits,
            "sandbox_url": task.sandbox_url,
        }
        common = {key: value for key, value in for_all.items() if key in known and value is not None}
        if "extract" in given:
            rules_of(given["extract"], task.where(*keys, "extract"))
        model = given.get("model")
        if isinstance(model, str) and (task.folder / model / "config.json").is_file():
            given = {**given, "model": str((task.folder / model).resolve())}  # a folder beside the task file
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
                f"{task.where(*keys, 'reduce')}: expected {', '.join(get_args(Reduction))} (given: {given!r})"
            ) from error
        k = _spread_factor(task, reduce, extra, keys)
        if extra or (declared.use != "ensemble" and "reduce" in declared.parameters):
            key = next(iter(extra), "reduce")
            raise TaskError(
                f"{task.where(*keys, key)}: {declared.use} has no parameter {key!r}; drop it, or give it to a"
                " member"
            )
        members = tuple(self._member(member, (*keys, "of", i)) for i, member in enumerate(declared.of))
        ranges = tuple(member_bounds(task, self.declared, member, (name,)) for member in members)
        bounds = clipped(combined_bounds(ranges, reduce, k), declared.clip, where)
        self._check_worth(name, declared, bounds, keys)
        how: Any = declared.use
        composite = Composite(how, members, reduce, k, ranges)
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

    def process(self) -> Entry:
        """Build the entry of `process:`, which names a component that marks steps, or an entry with one."""
        task, declared = self.task, self.task.process
        assert declared is not None
        where = task.where(PROCESS, "use")
        named = self.declared.get(declared.use)
        if named is not None and (
            declared.parameters or declared.clip or declared.on_failure or declared.timeout_s
        ):
            raise TaskError(
                f"{where}: {declared.use!r} is an entry of this task, which has its own parameters; move"
                " those of `process` to it"
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
        return Entry(PROCESS, declared, shared, range_of(component, named.parameters), where, watched=True)

    def _address(self, declared: RewardEntry, component: Component, where: str) -> Address | None:
        """Return where a worker process finds a synchronous function that has a deadline."""
        if declared.timeout_s is None or (component.is_async and not component.batch):
            return None
        if component.is_async:
            raise TaskError(
                f"{where}: {declared.use!r} takes a whole batch asynchronously, so timeout_s cannot be"
                " applied to one completion; drop timeout_s, and limit the time inside the function"
            )
        return address_of(self.task, declared.use, component, where)

    def _check_product(self, marks: Bounds, keys: Keys) -> None:
        if marks[0] < 0 or marks[1] > 1:
            raise TaskError(
                f"{self.task.where(*keys, 'reduce')}: the marks range over {list(marks)}; a product of marks"
                " below 0 would reward two wrong steps, and one of marks above 1 would pay for the number of"
                " steps; use min, last or mean"
            )

    def _make_ready(self, component: Component, parameters: dict[str, Any], where: str) -> None:
        """Check the parameters together, and load what the component needs; errors name the entry."""
        if not isinstance(component, Reward) or component.ready is None:
            return
        try:
            component.ready(**parameters)
        except (MarkschemeError, ValueError) as error:
            raise TaskError(f"{where}: {error}") from error

    def _check_worth(self, name: str, declared: RewardEntry, bounds: Bounds, keys: Keys) -> None:
        for status, worth in declared.on_failure.items():
            if isinstance(worth, str):
                continue
            if not (math.isfinite(worth) and bounds[0] <= worth <= bounds[1]):
                place = self.task.where(*keys, "on_failure", status)
                raise TaskError(
                    f"{place}: expected a value within the range of {name!r}, {list(bounds)}, or leave_out or"
                    f" stop (given: {worth})"
                )


def _spread_factor(task: Task, reduce: Reduction, extra: dict[str, Any], keys: Keys) -> float:
    """Take an ensemble's `k` out of its keys, and return it.

    Raises:
        TaskError: it is not a number from 0 up, or `reduce` does not use it.
    """
    if "k" not in extra:
        return 1.0
    k = extra.pop("k")
    if (
        reduce != "mean_minus_std"
        or isinstance(k, bool)
        or not isinstance(k, int | float)
        or not 0 <= k < math.inf
    ):
        raise TaskError(
            f"{task.where(*keys, 'k')}: expected a number from 0 up, with `reduce: mean_minus_std` (given:"
            f" {k!r} with reduce: {reduce})"
        )
    return float(k)


def _ordered(task: Task, entries: Mapping[str, Entry]) -> dict[str, Entry]:
    """Sort entries so that each comes after those that it refers to.

    Raises:
        TaskError: entries refer to each other in a circle, or a reward refers to a watched entry.
        UnknownNameError: the name in a `when` is not that of an entry.
    """
    done: dict[str, Entry] = {}

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise TaskError(circle(task, (*path, name)))
        if name in done:
            return
        entry = entries[name]
        named = {one for one in entry.walk() if isinstance(one, str)}
        if entry.gate:
            named.add(entry.gate)
        for other in sorted(named):
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
            " it; move it to `rewards` (with weight 0 it does not count)"
        )
    if other == entry.gate and math.isinf(entries[other].bounds[1]):
        raise TaskError(
            f"{task.where('rewards', entry.name, 'when')}: {other!r} has no highest value,"
            " so it never counts as right; give it a clip or a range"
        )
