"""Lint of a composition: entries and weights that cannot do what they are there for."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ....tasks.check_section import DEFECTS
from ....tasks.problem import Problem
from ...composition.combine import Bounds
from ...composition.entries import Entry
from ...gates import part_is_right
from ...scheme import MarkScheme
from ...score import COMPLETIONS_FAULT, Part, Score, Status
from ..finding import Finding
from .worth import reach

FEWEST = 10
"""Completions from which on an entry that never changes counts as constant."""
_NOT_RUN = ("gate_closed", "routed elsewhere")
"""Reasons of parts whose entry was not asked."""


@dataclass(frozen=True)
class Linted:
    """What lint looks at."""

    scheme: MarkScheme
    bounds: Mapping[str, Bounds]
    """What `worth.observed` returned."""
    scored: Sequence[tuple[Problem, Score]]
    """Scores of many different completions, right ones among them."""

    @property
    def counted(self) -> dict[str, Entry]:
        """The entries that can add to the total."""
        entries = self.scheme.entries
        return {name: entries[name] for name in self.bounds if entries[name].declared.weight != 0}

    def reach(self, name: str, step: int | None = None) -> Bounds:
        """Return the lowest and highest value that an entry adds to a sum."""
        return reach(self.scheme.entries[name], self.bounds[name], step)

    def parts(self, name: str) -> Iterator[tuple[Problem, Part]]:
        """Yield the parts of an entry with their problems."""
        for problem, score in self.scored:
            yield problem, score.parts[name]


def lint(given: Linted) -> Iterator[Finding]:
    """Yield the defects of a composition; what more completions might refute is left to the author."""
    for name, entry in given.scheme.entries.items():
        if entry.watched:
            continue
        where = f"{entry.where} ({name})"
        yield from _gate(given, entry, where)
        yield from _range(given, entry, where)
        if name in given.counted:
            yield from _hiding(entry, where)
            if name != given.scheme.accuracy_entry:  # the probes are about this one
                yield from _constant(given, entry, where)
            if given.reach(name)[1] <= 0:
                yield from _penalty(given, entry, where)
    yield from _total(given)
    yield from _weights(given)
    yield from _dominance(given)


def _named(code: str, said: str, *, sure: bool = True) -> Finding:
    return Finding(code, False if sure else None, f"{DEFECTS[code]}: {said}")


def _gate(given: Linted, entry: Entry, where: str) -> Iterator[Finding]:
    if entry.gate is None:
        return
    bounds = given.scheme.bounds_of(entry.gate)
    if not any(part_is_right(part, bounds) for _, part in given.parts(entry.gate)):
        said = f"{where}: {entry.gate!r} is never right, not even for right answers"
        yield _named("gate_never_opens", f"{said}; if it can be, add a labelled case for which it is")


def _range(given: Linted, entry: Entry, where: str) -> Iterator[Finding]:
    for _, part in given.parts(entry.name):
        if part.status is Status.BUG and "outside its declared range" in part.reason:
            yield _named("range_left", f"{where}: {part.reason}")
            return


def _total(given: Linted) -> Iterator[Finding]:
    low, high = given.scheme.range
    slack = 1e-9 * max([1.0, *(abs(end) for end in (low, high) if math.isfinite(end))])
    values = [score.value for _, score in given.scored if score.value is not None]
    outside = [value for value in values if not low - slack <= value <= high + slack]
    if outside:
        yield _named("range_left", f"a total of {outside[0]:g}, where {low:g} to {high:g} are declared")


def _hiding(entry: Entry, where: str) -> Iterator[Finding]:
    for status, worth in entry.declared.on_failure.items():
        if Status(status) in COMPLETIONS_FAULT and worth == "leave_out":
            said = (
                f"{where}: a completion with the status {status} is left out, so that failing costs nothing"
            )
            yield _named("escaped_penalty", said)


def _constant(given: Linted, entry: Entry, where: str) -> Iterator[Finding]:
    """Yield entries that have one value everywhere, or one for each problem, which groups cancel."""
    by_problem: dict[str, set[float]] = {}
    count = 0
    for problem, part in given.parts(entry.name):
        if part.status not in (Status.OK, Status.NOT_APPLICABLE):
            return
        if part.value is not None and part.reason not in _NOT_RUN:
            by_problem.setdefault(problem.id, set()).add(part.value)
            count += 1
    values = set().union(*by_problem.values())
    if count < FEWEST or any(len(found) > 1 for found in by_problem.values()):
        return
    if values == {entry.bounds[1]} and entry.bounds[1] <= 0:
        return  # a penalty that nothing here incurs
    if len(values) == 1:
        value = values.pop()
        # At its lowest it may need a form that no probe has; behind a gate only right answers were seen.
        sure = value != entry.bounds[0] and entry.gate is None
        said = f"{where}: it is {value:g} for each of {count} different completions"
        yield _named("constant_component", f"{said}; if it can be another, add a labelled case", sure=sure)
    elif len(by_problem) > 1:
        said = (
            f"{where}: it has one value for all completions of a problem, so that a group's mean cancels it"
        )
        yield _named("cancelled_weight", said, sure=entry.gate is None)


def _penalty(given: Linted, entry: Entry, where: str) -> Iterator[Finding]:
    """Yield the ways in which a completion gets around a penalty."""
    weight = entry.declared.weight_at(None)
    lowest, best = reach(entry, entry.bounds_in_total)
    judge = entry.gate or given.scheme.accuracy_entry
    paid = given.reach(judge)[1] if judge in given.counted and judge is not None else math.inf
    if paid + lowest < 0 or (entry.gate is not None and paid + lowest <= 0):
        said = f"{where}: it costs up to {-lowest:g}, and {judge!r} pays only {paid:g}"
        yield _named("escaped_penalty", f"{said}: a wrong or empty answer escapes it and is worth more")
    worst = entry.bounds[0] if weight > 0 else entry.bounds[1]
    for status, worth in entry.declared.on_failure.items():
        if Status(status) in COMPLETIONS_FAULT and worth not in ("stop", "leave_out", worst):
            yield _named("escaped_penalty", f"{where}: the status {status} costs only {worth} there")
    applies: dict[str, set[str]] = {}
    for problem, part in given.parts(entry.name):
        if part.status is Status.NOT_APPLICABLE:
            applies.setdefault(problem.id, set()).add("no")
        elif part.value is not None and weight * part.value < best:
            applies.setdefault(problem.id, set()).add("costs")
    if any(len(found) > 1 for found in applies.values()):
        said = f"{where}: it costs some completions of a problem, and does not apply to others"
        yield _named("escaped_penalty", said)


def _weights(given: Linted) -> Iterator[Finding]:
    """Yield weights that combining or normalising cancels."""
    chosen = {name: entry for name, entry in given.counted.items() if entry.declared.weight != 1.0}
    how = given.scheme.task.combine
    if not chosen or any(isinstance(entry.declared.weight, dict) for entry in chosen.values()):
        return
    name, entry = next(iter(chosen.items()))
    where = f"{entry.where} ({name})"
    if how in ("all_of", "any_of"):
        said = f"{where}: combine: {how} only asks whether entries reach the top of their ranges"
        yield _named("cancelled_weight", said)
    elif how == "product" or len(given.counted) == 1:
        said = f"{where}: {entry.declared.weight} scales all totals alike, and advantages do not depend on"
        yield _named("cancelled_weight", f"{said} their scale; drop it")


def _dominance(given: Linted) -> Iterator[Finding]:
    """Yield bonuses that a wrong answer can get and that beat what the right answer is paid, at any step."""
    name = given.scheme.accuracy_entry
    if given.scheme.task.combine != "sum" or name not in given.counted:
        return
    steps: set[int | None] = {None}
    for entry in given.counted.values():
        steps |= set(entry.declared.weight) if isinstance(entry.declared.weight, dict) else set()
    others = [
        other
        for other, entry in given.counted.items()
        if other != name
        and entry.gate != name
        and not entry.route
        and not given.scheme.reads_references(other)
    ]
    for step in sorted(steps, key=lambda step: -1 if step is None else step):
        low, high = given.reach(name, step)
        bonuses = {other: given.reach(other, step) for other in others}
        bonuses = {other: (low, high) for other, (low, high) in bonuses.items() if high > 0}
        beating = sum(top - min(bottom, 0.0) for bottom, top in bonuses.values())
        if math.isfinite(beating) and beating >= high - low > 0:
            when = "" if step is None else f" at step {step}"
            said = f"{given.scheme.entries[name].where} ({name}): a right answer adds {high - low:g}{when}"
            yield _named(
                "format_beats_answer",
                f"{said}, and a wrong one can get {beating:g} from {', '.join(bonuses)}",
            )
            return
