"""`MarkScheme`: a task's entries, run over completions and combined into scores."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ..sandbox.errors import DataError, RewardError, TaskError, first_of
from ..tasks.problem import Completion, Problem
from ..tasks.schema import PROCESS, Task
from ..verifiers.steps.split import whole
from ..verifiers.verdict import Verifier
from .composition.combine import fold, renormalised, total_range
from .composition.entries import Composite, Line, Node, build_lines, reference_readers
from .composition.registry import Reward
from .composition.run_component import Term
from .composition.run_composite import Column, run_node
from .score import COMPLETIONS_FAULT, Part, Score, Status, StepMark

_OK = Status.OK


class MarkScheme:
    """The composition that a task declares. Safe to share between threads once built.

    Args:
        task: what is asked.
        process: whether steps are marked too, where the task has a `process:`.

    Raises:
        TaskError: every entry that cannot be resolved or typed, with file and line.
    """

    def __init__(self, task: Task, *, process: bool = True):
        self.task = task
        self._lines = build_lines(task, process=process)
        self._order = [name for name in (*task.rewards, *task.watch, PROCESS) if name in self._lines]
        self._accuracy_line = self._find_accuracy_line()

    @property
    def range(self) -> tuple[float, float]:
        """The lowest and highest value of a score, with the final weights."""
        return self.range_at(None)

    def range_at(self, step: int | None) -> tuple[float, float]:
        """Return the lowest and highest value of a score at a training step."""
        lines = (line for line in self._lines.values() if not line.watched)
        return total_range([(line.entry.weight_at(step), _gated(line)) for line in lines], self.task.combine)

    def bounds_of(self, name: str) -> tuple[float, float]:
        """Return the lowest and highest value of one entry."""
        return self._lines[name].node.bounds

    @property
    def step_bounds(self) -> tuple[float, float]:
        """Return the lowest and highest mark of a step.

        Raises:
            TaskError: nothing in the task marks steps.
        """
        for name in (PROCESS, *self._order):
            node = self._lines[name].node if name in self._lines else None
            if name == PROCESS and isinstance(node, Composite):
                return node.bounds
            if isinstance(node, Term) and isinstance(node.component, Reward) and node.component.steps:
                return node.component.range
        raise TaskError(f"task {self.task.name!r} marks no steps; add a `process:` to it")

    def _find_accuracy_line(self) -> str | None:
        """Return the entry that says whether a completion is right: `correct`, or the first verifier."""
        if "correct" in self.task.rewards:
            return "correct"
        verifiers = [name for name in self.task.rewards if _is_verifier(self._lines[name].node)]
        readers = [name for name in verifiers if reference_readers({name: self._lines[name]})]
        return next(iter(readers + verifiers), None)

    def is_right(self, score: Score) -> bool | None:
        """Say whether a scored completion is right; None if that could not be judged.

        The entry named `correct` tells, else the first one that reads the reference, else the first
        verifier, else whether every part that counts is at the top of its range (None where a range
        has no top).
        """
        if self._accuracy_line is None:
            counted = [(p, self._lines[n].node.bounds[1]) for n, p in score.parts.items() if p.weight > 0]
            if score.value is None or any(math.isinf(top) for _, top in counted):
                return None
            return all(part.value is not None and part.value >= top for part, top in counted)
        return part_is_right(score.parts[self._accuracy_line], self._lines[self._accuracy_line].node.bounds)

    @property
    def judges(self) -> list[Verifier]:
        """The verifiers that judge by the problems' references or tests."""
        return reference_readers(self._lines)

    def check_references(self, problems: Sequence[Problem]) -> None:
        """Look at every reference, and all tests, before anything is scored.

        Raises:
            DataError: all problems whose reference or tests are missing or cannot be judged by.
        """
        readers = self.judges
        faults = [fault for problem in problems for reader in readers for fault in _faults(reader, problem)]
        faults = list(dict.fromkeys(faults))
        if faults:
            by = "tests" if any(reader.tests_fault for reader in readers) else "reference"
            where = self.task.where("problem", by)
            raise DataError(
                f"{where}: {len(faults)} {by.removesuffix('s')}(s) cannot be judged by:\n{first_of(faults)}"
            )

    def score(
        self,
        problems: Sequence[Problem],
        completions: Sequence[Completion],
        *,
        step: int | None = None,
    ) -> list[Score]:
        """Score completions; `completions[i]` answers `problems[i]`.

        Args:
            problems: one a completion (repeat it for a group).
            completions: as many.
            step: the training step, for weights that change; None = the final weights.

        Returns:
            One Score a completion, in order. What fails is told in its status, never as a silent 0.

        Raises:
            RewardError: the lists differ in length, or a failure whose `on_failure` is `stop`.
        """
        if len(problems) != len(completions):
            raise RewardError(
                f"score() takes one problem for each completion (given: {len(problems)} and"
                f" {len(completions)})"
            )
        columns: dict[str, Column] = {}
        for line in self._lines.values():
            weight = 0.0 if line.watched else line.entry.weight_at(step)
            columns[line.name] = self._run_line(line, problems, completions, columns, weight)
        rows = zip(*(columns[name] for name in self._order), strict=True)
        scores = [self._combine(dict(zip(self._order, row, strict=True))) for row in rows]
        for score, completion in zip(scores, completions, strict=True):
            score.steps = _steps_of(score.parts, completion)
        return scores

    def _run_line(
        self,
        line: Line,
        problems: Sequence[Problem],
        completions: Sequence[Completion],
        columns: Mapping[str, Column],
        weight: float,
    ) -> Column:
        if line.entry.when is None:
            return run_node(line.node, problems, completions, columns, weight)
        closed = self._closed(line, problems, columns, weight)
        open_rows = [i for i, part in enumerate(closed) if part is None]
        narrowed = {name: [column[i] for i in open_rows] for name, column in columns.items()}
        some = [problems[i] for i in open_rows], [completions[i] for i in open_rows]
        ran = run_node(line.node, *some, narrowed, weight)
        for i, part in zip(open_rows, ran, strict=True):
            if line.gate and columns[line.gate][i].value is None and part.value not in (None, 0.0):
                # The gate could not be judged, so neither can what it guards; 0 stays 0 either way.
                part = Part(None, weight, columns[line.gate][i].status, "gate_unknown", verdict=part.verdict)
            closed[i] = part
        return [part for part in closed if part is not None]

    def _closed(
        self, line: Line, problems: Sequence[Problem], columns: Mapping[str, Column], weight: float
    ) -> list[Part | None]:
        """Return a finished part for each row that the entry's `when` shuts out, None for the others."""
        if line.gate:
            bounds = self._lines[line.gate].node.bounds
            shut = [_is_shut(part, bounds) for part in columns[line.gate]]
            return [Part(0.0, weight, Status.OK, "gate_closed") if s else None for s in shut]
        assert line.route is not None
        return [
            None
            if self._routed(line, problem)
            else Part(None, weight, Status.NOT_APPLICABLE, "routed elsewhere")
            for problem in problems
        ]

    def _routed(self, line: Line, problem: Problem) -> bool:
        for column, wanted in (line.route or {}).items():
            if column not in problem.info:
                section = "watch" if line.watched else "rewards"
                raise TaskError(
                    f"{self.task.where(section, line.name, 'when')}: problem {problem.id} has no column"
                    f" {column!r} (columns: {', '.join(problem.info)})"
                )
            if problem.info[column] not in (wanted if isinstance(wanted, list) else [wanted]):
                return False
        return True

    def _combine(self, parts: dict[str, Part]) -> Score:
        if self.task.combine == "sum":  # the common case, kept short
            total, fine = 0.0, True
            for part in parts.values():
                if part.value is None:
                    break
                total += part.weight * part.value
                fine = fine and part.status is _OK
            else:
                return Score(total, _OK if fine else _first_status(parts), parts)
        return self._combine_slowly(parts)

    def _combine_slowly(self, parts: dict[str, Part]) -> Score:
        counted = {name: part for name, part in parts.items() if not self._lines[name].watched}
        applies = [part.status is not Status.NOT_APPLICABLE for part in counted.values()]
        weights = renormalised([part.weight for part in counted.values()], applies)
        terms = []
        for (name, part), weight, use in zip(counted.items(), weights, applies, strict=True):
            part.weight = weight
            if use:
                terms.append((part.value, weight, _gated(self._lines[name])))
        value = fold(terms, self.task.combine)
        if value is not None:
            return Score(value, _first_status(counted), parts)
        status = next((p.status for p in counted.values() if p.value is None and p.weight != 0), None)
        return Score(None, status or Status.NOT_APPLICABLE, parts)

    def as_trl(self, *, prefill: str = "") -> list[Callable[..., Any]]:
        """Return this scheme as TRL reward functions; see `adapters.as_trl`."""
        from .exports.trl import as_trl  # adapters builds on this module

        return as_trl(self, prefill=prefill)

    def as_verl(self) -> Callable[..., dict[str, float]]:
        """Return this scheme as verl's `compute_score`; see `adapters.as_verl`."""
        from .exports.trl import as_verl

        return as_verl(self)


def _steps_of(parts: Mapping[str, Part], completion: Completion) -> list[StepMark] | None:
    """Return the marks of a completion's steps; one for all of it where it failed by its own fault."""
    named = [PROCESS] if PROCESS in parts else parts
    part = next((parts[name] for name in named if parts[name].steps is not None), None)
    if part is None and PROCESS in parts and parts[PROCESS].status in COMPLETIONS_FAULT:
        part = parts[PROCESS]
        return [StepMark(whole(completion.text), part.value, part.status, part.reason)]
    return None if part is None else part.steps


def _faults(reader: Verifier, problem: Problem) -> Iterator[str]:
    """Yield why a verifier cannot judge by this problem."""
    if reader.tests_fault is not None and (fault := reader.tests_fault(problem.tests)):
        yield f"problem {problem.id}: {fault}"
    if reader.reference_fault is not None:
        found = [f"{fault} ({r!r})" for r in problem.references if (fault := reader.reference_fault(r))]
        if not problem.references or found:
            yield f"problem {problem.id}: reference {', '.join(found) or 'is missing'}"


def _first_status(parts: Mapping[str, Part]) -> Status:
    """Return the first status of a counting part that is not ok, so that it is counted and shown."""
    for part in parts.values():
        if part.status is not Status.OK and part.weight != 0 and part.status is not Status.NOT_APPLICABLE:
            return part.status
    return Status.OK


def _gated(line: Line) -> tuple[float, float]:
    """Return an entry's range; a closed gate makes it worth 0."""
    low, high = line.node.bounds
    return (min(low, 0.0), max(high, 0.0)) if line.gate else (low, high)


def _is_shut(gate: Part, bounds: tuple[float, float]) -> bool:
    """Whether a gate is closed; where it could not be judged, by what `on_failure` made it worth."""
    right = part_is_right(gate, bounds)
    return gate.value is not None and gate.value < bounds[1] if right is None else not right


def part_is_right(part: Part, bounds: tuple[float, float]) -> bool | None:
    """Say whether a part holds: by its verdict, else by a value at the top of the range."""
    if part.verdict is not None:
        return part.verdict.correct
    return None if part.value is None else part.value >= bounds[1]


def _is_verifier(node: Node) -> bool:
    if isinstance(node, Composite):
        return all(not isinstance(member, str) and _is_verifier(member) for member in node.members)
    return isinstance(node.component, Verifier)
