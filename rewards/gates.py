"""`when:` of entries: gates pay one only where another is right; routes apply it by columns of the row."""

from ..tasks.problem import Problem
from ..tasks.schema import Task
from .composition.combine import Bounds
from .composition.entries import Entry, Rows
from .composition.run_component import set_worth_of_failure
from .composition.run_composite import run_entry
from .score import Part, Status


def run_where_it_applies(entry: Entry, rows: Rows, gate_bounds: Bounds | None, task: Task) -> list[Part]:
    """Run an entry on the rows that meet its `when`; the others get a part that says that they do not.

    Args:
        entry: with a gate, a route, or neither.
        rows: with the parts of the gate, if there is one.
        gate_bounds: the range of the gate's values, if there is one.
        task: names the place of a mistake.

    Raises:
        RewardError: there was a failure whose `on_failure` is `stop`.
        SandboxError: no safe sandbox can be started.
    """
    if entry.declared.when is None:
        return run_entry(entry, rows)
    gate = rows.parts[entry.gate] if entry.gate else None
    if gate is not None and gate_bounds is not None:
        parts = [Part(0.0, reason="gate_closed") if _is_closed(part, gate_bounds) else None for part in gate]
    else:
        parts = [routed_elsewhere(entry, problem, task) for problem in rows.problems]
    places = [i for i, part in enumerate(parts) if part is None]
    for i, part in zip(places, run_entry(entry, rows.only(places)), strict=True):
        if gate is not None and gate[i].value is None and part.value not in (None, 0.0):
            # The gate could not be judged, so neither can the entry; only 0 is 0 in any case.
            part = Part(None, status=gate[i].status, reason="gate_unknown", verdict=part.verdict)
        parts[i] = part
    return [part for part in parts if part is not None]


def routed_elsewhere(entry: Entry, problem: Problem, task: Task) -> Part | None:
    """Return the part of a problem to which an entry does not apply, by the columns of its row; else None.

    A row that lacks such a column is a bug of the data's author: it affects that row only.
    """
    for column, wanted in entry.route.items():
        if column not in problem.info:
            columns = ", ".join(map(str, problem.info))
            fault = f"has no column {column!r} to route by (columns: {columns}); add it to the row"
            return _unroutable(entry, problem, task, fault)
        value = problem.info[column]
        try:
            is_wanted = value in (wanted if isinstance(wanted, list) else [wanted])
        except Exception as error:  # comparing an object of unknown type, such as an array
            fault = f"has a {type(value).__name__} in column {column!r}, which cannot be compared: {error}"
            return _unroutable(entry, problem, task, fault)
        if not is_wanted:
            return Part(None, status=Status.NOT_APPLICABLE, reason="routed elsewhere")
    return None


def _unroutable(entry: Entry, problem: Problem, task: Task, fault: str) -> Part:
    where = task.where("watch" if entry.watched else "rewards", entry.name, "when")
    part = Part(None, status=Status.BUG, reason=f"{where}: problem {problem.id} {fault}")
    set_worth_of_failure(part, entry)
    return part


def _is_closed(gate: Part, bounds: Bounds) -> bool:
    """Return whether a gate is closed; if it could not be judged, what `on_failure` made it worth decides."""
    right = part_is_right(gate, bounds)
    if right is None:
        return gate.value is not None and gate.value < bounds[1]
    return not right


def part_is_right(part: Part, bounds: Bounds) -> bool | None:
    """Return whether a part is right: by its verdict, or else by a value at the top of the range."""
    if part.verdict is not None:
        return part.verdict.correct
    return None if part.value is None else part.value >= bounds[1]
