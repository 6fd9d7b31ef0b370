"""`MarkScheme`: a task's entries, run over completions and combined into scores."""

import math
from collections.abc import Iterator, Mapping, Sequence

from ..sandbox.errors import DataError, RewardError, TaskError, first_of
from ..tasks.problem import Completion, Problem
from ..tasks.reward_entries import PROCESS
from ..tasks.schema import Task
from ..verifiers.steps.split import whole
from ..verifiers.verdict import Verifier
from .composition.build_entries import build_entries
from .composition.combine import fold, renormalised, total_range
from .composition.entries import Bounds, Composite, Entry, Rows, reference_readers
from .composition.registry import range_of
from .composition.run_composite import run_entry
from .score import COMPLETIONS_FAULT, Part, Score, Status, StepMark

_OK = Status.OK


class MarkScheme:
    r"""The composition that a task declares. Safe to share between threads once it is built.

        >>> from markscheme.rewards import MarkScheme
        >>> from markscheme.tasks import Completion, load_problems, load_task
        >>> task = load_task("addition")
        >>> problem = load_problems(task, limit=1)[0]
        >>> problem.prompt, problem.reference
        ('320+110=', '430')
        >>> MarkScheme(task, process=False).score([problem], [Completion(r"\boxed{430}")])[0]
        Score(0.9, ok: correct 1 (equal), format 0 (failed))

    Args:
        task: what declares it.
        process: whether to mark steps too, where the task has a `process:`.

    Raises:
        TaskError: every entry that cannot be resolved or typed, each with file and line.
    """

    def __init__(self, task: Task, *, process: bool = True):
        self.task = task
        self._entries = build_entries(task, process=process)
        self._order = [name for name in (*task.rewards, *task.watch, PROCESS) if name in self._entries]
        self._accuracy_entry = self._find_accuracy_entry()

    @property
    def range(self) -> Bounds:
        """The lowest and highest value of a score, with the final weights."""
        return self.range_at(None)

    def range_at(self, step: int | None) -> Bounds:
        """Return the lowest and highest value of a score at a training step."""
        counted = [entry for entry in self._entries.values() if not entry.watched]
        ends = [(entry.declared.weight_at(step), entry.bounds_in_total) for entry in counted]
        return total_range(ends, self.task.combine)

    def bounds_of(self, name: str) -> Bounds:
        """Return the lowest and highest value of one entry."""
        return self._entries[name].bounds

    @property
    def step_bounds(self) -> Bounds:
        """The lowest and highest mark of a step.

        Raises:
            TaskError: nothing in the task marks steps.
        """
        for name in (PROCESS, *self._order):
            entry = self._entries.get(name)
            if entry is not None and entry.steps is not None and not isinstance(entry.component, Composite):
                return range_of(entry.component)
            if entry is not None and name == PROCESS:
                return entry.bounds
        raise TaskError(f"task {self.task.name!r} marks no steps; add a `process:` to it")

    def _find_accuracy_entry(self) -> str | None:
        """Return the entry that says whether a completion is right: `correct`, or the first verifier."""
        if "correct" in self.task.rewards:
            return "correct"
        verifiers = [name for name in self.task.rewards if _is_verifier(self._entries[name])]
        readers = [name for name in verifiers if reference_readers([self._entries[name]])]
        return next(iter(readers + verifiers), None)

    def is_right(self, score: Score) -> bool | None:
        """Say whether a scored completion is right; None if that could not be judged.

        The entry named `correct` tells; without one, the first verifier that reads the reference, else
        the first verifier, else whether every part that counts is at the top of its range (None where
        a range has no top).
        """
        if self._accuracy_entry is None:
            counted = [(p, self._entries[n].bounds[1]) for n, p in score.parts.items() if p.weight > 0]
            if score.value is None or any(math.isinf(top) for _, top in counted):
                return None
            return all(part.value is not None and part.value >= top for part, top in counted)
        return part_is_right(score.parts[self._accuracy_entry], self.bounds_of(self._accuracy_entry))

    @property
    def judges(self) -> list[Verifier]:
        """The verifiers that judge by the problems' references or tests."""
        return reference_readers(list(self._entries.values()))

    def check_references(self, problems: Sequence[Problem]) -> None:
        """Look at every reference, and at all tests, before anything is scored.

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
        self, problems: Sequence[Problem], completions: Sequence[Completion], *, step: int | None = None
    ) -> list[Score]:
        """Score completions; `completions[i]` answers `problems[i]`.

        Args:
            problems: one per completion (repeat a problem for a group).
            completions: as many.
            step: the training step, for weights that change; None = the final weights.

        Returns:
            One Score per completion, in order. A failure is told in its status, never as a silent 0.

        Raises:
            RewardError: the lists differ in length, or a failure whose `on_failure` is `stop`.
            TaskError: a problem lacks the column that an entry's `when: {column: ...}` reads.
            SandboxError: no safe sandbox can be started for the programs.
        """
        if len(problems) != len(completions):
            raise RewardError(
                "score() takes one problem per completion, so lists of the same length"
                f" (given: {len(problems)} problems and {len(completions)} completions)"
            )
        parts: dict[str, Sequence[Part]] = {}
        rows = Rows(problems, completions, parts)
        for name, entry in self._entries.items():
            weight = 0.0 if entry.watched else entry.declared.weight_at(step)
            parts[name] = made = self._run(entry, rows)
            for part in made:
                part.weight = weight
        together = zip(*(parts[name] for name in self._order), strict=True)
        scores = [self._combine(dict(zip(self._order, row, strict=True))) for row in together]
        for score, completion in zip(scores, completions, strict=True):
            score.steps = _steps_of(score.parts, completion)
        return scores

    def _run(self, entry: Entry, rows: Rows) -> list[Part]:
        """Run an entry on the rows that its `when` lets through; the others get a part that says so."""
        if entry.declared.when is None:
            return run_entry(entry, rows)
        made = self._shut_out(entry, rows)
        places = [i for i, part in enumerate(made) if part is None]
        for i, part in zip(places, run_entry(entry, rows.only(places)), strict=True):
            gate = rows.parts[entry.gate][i] if entry.gate else None
            if gate is not None and gate.value is None and part.value not in (None, 0.0):
                # The gate could not be judged, so neither can what it guards; 0 stays 0 either way.
                part = Part(None, status=gate.status, reason="gate_unknown", verdict=part.verdict)
            made[i] = part
        return [part for part in made if part is not None]

    def _shut_out(self, entry: Entry, rows: Rows) -> list[Part | None]:
        """Return a finished part for each row that the entry's `when` shuts out, None for the others."""
        if entry.gate:
            bounds = self.bounds_of(entry.gate)
            shut = [_is_shut(part, bounds) for part in rows.parts[entry.gate]]
            return [Part(0.0, reason="gate_closed") if is_shut else None for is_shut in shut]
        return [
            None
            if self._is_routed(entry, problem)
            else Part(None, status=Status.NOT_APPLICABLE, reason="routed elsewhere")
            for problem in rows.problems
        ]

    def _is_routed(self, entry: Entry, problem: Problem) -> bool:
        for column, wanted in entry.route.items():
            if column not in problem.info:
                section = "watch" if entry.watched else "rewards"
                raise TaskError(
                    f"{self.task.where(section, entry.name, 'when')}: problem {problem.id} has no column"
                    f" {column!r} to route by (columns: {', '.join(problem.info)}); add it to the rows or to"
                    " `problem.info`"
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
                return Score(total, _OK if fine else _first_failure(parts), parts)
        return self._combine_with_unknowns(parts)

    def _combine_with_unknowns(self, parts: dict[str, Part]) -> Score:
        counted = {name: part for name, part in parts.items() if not self._entries[name].watched}
        applies = [part.status is not Status.NOT_APPLICABLE for part in counted.values()]
        weights = renormalised([part.weight for part in counted.values()], applies)
        weighted = []
        for (name, part), weight, use in zip(counted.items(), weights, applies, strict=True):
            part.weight = weight
            if use:
                weighted.append((part.value, weight, self._entries[name].bounds_in_total))
        value = fold(weighted, self.task.combine)
        if value is not None:
            return Score(value, _first_failure(counted), parts)
        unknown = (part.status for part in counted.values() if part.value is None and part.weight != 0)
        return Score(None, next(unknown, Status.NOT_APPLICABLE), parts)


def _steps_of(parts: Mapping[str, Part], completion: Completion) -> list[StepMark] | None:
    """Return the marks of a completion's steps.

    A completion that failed by its own fault has one mark, over all of its text.
    """
    named = [PROCESS] if PROCESS in parts else parts
    part = next((parts[name] for name in named if parts[name].steps is not None), None)
    if part is None and PROCESS in parts and parts[PROCESS].status in COMPLETIONS_FAULT:
        part = parts[PROCESS]
        return [StepMark(whole(completion.text), part.value, part.status, part.reason)]
    return None if part is None else part.steps


def _faults(reader: Verifier, problem: Problem) -> Iterator[str]:
    """Yield the reasons for which a verifier cannot judge by this problem."""
    if reader.tests_fault is not None:
        fault = reader.tests_fault(problem.tests)
        if fault:
            yield f"problem {problem.id}: {fault}"
    if reader.reference_fault is not None:
        found = [f"{fault} ({r!r})" for r in problem.references if (fault := reader.reference_fault(r))]
        if not problem.references or found:
            yield f"problem {problem.id}: reference {', '.join(found) or 'is missing'}"


def _first_failure(parts: Mapping[str, Part]) -> Status:
    """Return the first status among the parts that count which is not `ok`, so that it can be seen."""
    for part in parts.values():
        if part.weight != 0 and part.status not in (_OK, Status.NOT_APPLICABLE):
            return part.status
    return _OK


def _is_shut(gate: Part, bounds: Bounds) -> bool:
    """Whether a gate is closed; one that could not be judged, by what `on_failure` made it worth."""
    right = part_is_right(gate, bounds)
    if right is None:
        return gate.value is not None and gate.value < bounds[1]
    return not right


def part_is_right(part: Part, bounds: Bounds) -> bool | None:
    """Say whether a part holds: by its verdict, else by a value at the top of the range."""
    if part.verdict is not None:
        return part.verdict.correct
    return None if part.value is None else part.value >= bounds[1]


def _is_verifier(entry: Entry) -> bool:
    if isinstance(entry.component, Composite):
        return all(not isinstance(member, str) and _is_verifier(member) for member in entry.component.members)
    return isinstance(entry.component, Verifier)
