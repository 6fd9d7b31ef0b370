"""`when:` of entries: gates pay one only where another is right; routes apply it by columns of the row."""

from ..sandbox.errors import TaskError
from ..tasks.problem import Problem
from ..tasks.schema import Task
from .composition.combine import Bounds
from .composition.entries import Entry, Rows
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
        TaskError: a problem lacks the column that the entry's `when: {column: ...}` reads.
    """
    if entry.declared.when is None:
        return run_entry(entry, rows)
    gate = rows.parts[entry.gate] if entry.gate else None
    if gate is not None and gate_bounds is not None:
        parts = [Part(0.0, reason="gate_closed") if _is_closed(part, gate_bounds) else None for part in gate]
    else:
        parts = [_unless_routed(entry, problem, task) for problem in rows.problems]
    places = [i for i, part in enumerate(parts) if part is None]
    for i, part in zip(places, run_entry(entry, rows.only(places)), strict=True):
        if gate is not None and gate[i].value is None and part.value not in (None, 0.0):
            # The gate could not be judged, so neither can the entry; only 0 is 0 in any case.
            part = Part(None, status=gate[i].status, reason="gate_unknown", verdict=part.verdict)
        parts[i] = part
    return [part for part in parts if part is not None]


def _unless_routed(entry: Entry, problem: Problem, task: Task) -> Part | None:
    """Return the part of a problem to which an entry does not apply, by the columns of its row; else None."""
    for column, wanted in entry.route.items():
        if column not in problem.info:
            section = "watch" if entry.watched else "rewards"
            raise TaskError(
                f"{task.where(section, entry.name, 'when')}: problem {problem.id} has no column"
                f" {column!r} to route by (columns: {', '.join(problem.info)}); add it to the rows or to"
                " `problem.info`"
            )
        if problem.info[column] not in (wanted if isinstance(wanted, list) else [wanted]):
            return Part(None, status=Status.NOT_APPLICABLE, reason="routed elsewhere")
    return None


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
