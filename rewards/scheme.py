"""`MarkScheme`: running a task's entries on completions, and combining their parts into scores.

`gates.py` decides to which rows an entry applies. The other pieces are in composition/: `build_entries.py`
looks up what entries name, `run_composite.py` runs an entry, and `combine.py` has the arithmetic of totals.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence

from ..sandbox.errors import DataError, RewardError, TaskError, first_of
from ..tasks.problem import Completion, Problem
from ..tasks.reward_entries import PROCESS
from ..tasks.schema import Task
from ..verifiers.steps.split import whole
from ..verifiers.verdict import Verifier
from .composition.build_entries import build_entries
from .composition.combine import applying, fold, total_range
from .composition.entries import Bounds, Composite, Entry, Rows, check_kinds, reference_readers
from .composition.reward_functions import range_of
from .gates import part_is_right, run_where_it_applies
from .score import COMPLETIONS_FAULT, Part, Score, Status, StepMark

_OK = Status.OK
_OF_FORM = ("think_answer", "boxed")
"""Verifiers that look at the form of any completion, and so never say what is right beside other rewards."""


class MarkScheme:
    r"""A task's entries, ready to score completions. Safe to share between threads.

        >>> from markscheme.rewards import MarkScheme
        >>> from markscheme.tasks import Completion, load_problems, load_task
        >>> task = load_task("addition")
        >>> problem = load_problems(task, limit=1)[0]
        >>> problem.prompt, problem.reference
        ('320+110=', '430')
        >>> MarkScheme(task, process=False).score([problem], [Completion(r"\boxed{430}")])[0]
        Score(0.9, ok: correct 1 (equal), format 0 (failed))

    Args:
        task: the task that declares the entries.
        process: whether to run the task's `process:` too, if it has one.

    Raises:
        TaskError: some entries name nothing that exists, or have wrong parameters; the message lists all of
            them, with file and line.
    """

    def __init__(self, task: Task, *, process: bool = True):
        if not isinstance(task, Task):
            raise TaskError(f"MarkScheme takes a task, as load_task(...) returns it (given: {task!r:.60})")
        self.task = task
        self._entries = build_entries(task, process=process)
        self._order = [name for name in (*task.rewards, *task.watch, PROCESS) if name in self._entries]
        self._accuracy_entry = self._find_accuracy_entry()
        self._judges = reference_readers(list(self._entries.values()))

    @property
    def entries(self) -> Mapping[str, Entry]:
        """The entries by name, in the order in which they are run."""
        return self._entries

    @property
    def range(self) -> Bounds:
        """The lowest and highest value of a score, with the final weights."""
        return self.range_at(None)

    def range_at(self, step: int | None) -> Bounds:
        """Return the lowest and highest value of a score at a training step; None = the final weights."""
        counted = [entry for entry in self._entries.values() if not entry.watched]
        weighted = [(entry.declared.weight_at(step), entry.bounds_in_total) for entry in counted]
        return total_range(weighted, self.task.combine)

    def bounds_of(self, name: str) -> Bounds:
        """Return the lowest and highest value of an entry."""
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
                return range_of(entry.component, entry.parameters)
            if entry is not None and name == PROCESS:
                return entry.bounds
        raise TaskError(f"task {self.task.name!r} marks no steps; add a `process:` to it")

    @property
    def marks_steps(self) -> bool:
        """Whether anything in the task marks steps."""
        return PROCESS in self._entries or any(entry.steps is not None for entry in self._entries.values())

    def _find_accuracy_entry(self) -> str | None:
        """Return the entry that says whether a completion is right; see `is_right`."""
        rewards = self.task.rewards
        if "correct" in rewards:
            return "correct"
        verifiers = [name for name in rewards if _is_verifier(self._entries[name])]
        readers = [name for name in verifiers if self.reads_references(name)]
        judges = [name for name in verifiers if not _is_of_form(self._entries[name])]
        only_form = all(_is_of_form(self._entries[name]) for name in rewards)
        return next(iter([*readers, *judges, *(verifiers if only_form else ())]), None)

    def is_right(self, score: Score) -> bool | None:
        """Return whether a scored completion is right; None if that could not be judged.

        The entry named `correct` decides; without one, the first verifier that reads references or tests,
        else the first verifier, but beside other rewards not `think_answer` or `boxed`. Without one, every
        part that counts must be at the top of its range (None if a range has no top).
        """
        if self._accuracy_entry is not None:
            return part_is_right(score.parts[self._accuracy_entry], self.bounds_of(self._accuracy_entry))
        entries = self._entries
        counted = [(part, entries[name].bounds[1]) for name, part in score.parts.items() if part.weight > 0]
        if score.value is None or any(math.isinf(top) for _, top in counted):
            return None
        return all(part.value is not None and part.value >= top for part, top in counted)

    @property
    def accuracy_entry(self) -> str | None:
        """The entry that says whether a completion is right; see `is_right`."""
        return self._accuracy_entry

    def reads_references(self, name: str) -> bool:
        """Return whether an entry's verifier reads the problems' references or tests."""
        return bool(reference_readers([self._entries[name]]))

    @property
    def judges(self) -> list[Verifier]:
        """The verifiers that read the problems' references or tests."""
        return self._judges

    def check_references(self, problems: Sequence[Problem]) -> None:
        """Check every problem's references and tests before anything is scored.

        Raises:
            DataError: some references or tests are missing, or verifiers cannot judge by them; the message
                lists them.
        """
        check = ReferenceCheck(self)
        for problem in problems:
            check(problem, f"problem {problem.id}")
        check.finish()

    def faults_of(self, problem: Problem) -> list[str]:
        """Return the reasons why verifiers cannot judge by a problem's references or tests."""
        faults = dict.fromkeys(fault for judge in self._judges for fault in _faults(judge, problem))
        return [fault.replace("COLUMN", self._reference_column()) for fault in faults]

    def _reference_column(self) -> str:
        """Return the column that the task's reference is, so that advice can name it; else `COLUMN`."""
        template = re.fullmatch(r"\s*\{\{\s*(\w+)\s*\}\}\s*", str(self.task.problem.reference))
        return template[1] if template else "COLUMN"

    def score(
        self, problems: Sequence[Problem], completions: Sequence[Completion], *, step: int | None = None
    ) -> list[Score]:
        """Score completions.

        Args:
            problems: one problem per completion; a problem with several completions is repeated.
            completions: `completions[i]` answers `problems[i]`.
            step: the training step, for weights that change; None = the final weights.

        Returns:
            One Score per completion, in order. A failure shows in the status, and is never a silent 0.

        Raises:
            RewardError: the lists differ in length, or there was a failure whose `on_failure` is `stop`.
            SandboxError: no safe sandbox can be started for the programs.
        """
        if isinstance(problems, Problem) or isinstance(completions, Completion):
            raise RewardError("score() takes lists: score([problem], [completion])")
        if len(problems) != len(completions):
            raise RewardError(
                "score() takes one problem per completion, so lists of the same length"
                f" (given: {len(problems)} problems and {len(completions)} completions)"
            )
        check_kinds(problems, completions)
        parts: dict[str, Sequence[Part]] = {}
        rows = Rows(problems, completions, parts)
        for name, entry in self._entries.items():
            weight = 0.0 if entry.watched else entry.declared.weight_at(step)
            gate_bounds = self.bounds_of(entry.gate) if entry.gate else None
            parts[name] = run_where_it_applies(entry, rows, gate_bounds, self.task)
            for part in parts[name]:
                part.weight = weight
        per_completion = zip(*(parts[name] for name in self._order), strict=True)
        scores = [self._combine(dict(zip(self._order, row, strict=True))) for row in per_completion]
        for score, completion in zip(scores, completions, strict=True):
            score.steps = _steps_of(score.parts, completion)
        return scores

    def _combine(self, parts: dict[str, Part]) -> Score:
        """Return the score that a completion's parts add up to."""
        if self.task.combine == "sum":  # a short way for the common case, in which every part has a value
            total, all_ok = 0.0, True
            for part in parts.values():
                if part.value is None:
                    break
                total += part.weight * part.value
                all_ok = all_ok and part.status is _OK
            else:
                return _scored(total, _OK if all_ok else _first_failure(parts), parts)
        return self._combine_with_unknowns(parts)

    def _combine_with_unknowns(self, parts: dict[str, Part]) -> Score:
        """Return the score for any `combine`, and for parts without a value."""
        counted = {name: part for name, part in parts.items() if not self._entries[name].watched}
        applies = [part.status is not Status.NOT_APPLICABLE for part in counted.values()]
        weighted = [
            (part.value, part.weight, self._entries[name].bounds_in_total) for name, part in counted.items()
        ]
        counting = applying(weighted, applies, self.task.combine)
        for part, weight_now, part_applies in zip(counted.values(), counting, applies, strict=True):
            part.weight = weight_now[1] if weight_now is not None and part_applies else 0.0
        value = fold([one for one in counting if one is not None], self.task.combine)
        if value is not None:
            return _scored(value, _first_failure(counted), parts)
        unknown = (part.status for part in counted.values() if part.value is None and part.weight != 0)
        return Score(None, next(unknown, Status.NOT_APPLICABLE), parts)


def _scored(total: float, status: Status, parts: dict[str, Part]) -> Score:
    """Return a total as a score; one that is not finite is a bug of the part that adds most to it."""
    if math.isfinite(total):
        return Score(total, status, parts)
    largest = max(parts.values(), key=lambda part: abs(part.weight * (part.value or 0.0)))
    largest.reason = f"the total is {total}: {largest.value} with weight {largest.weight:g} is too large"
    largest.value, largest.status = None, Status.BUG
    return Score(None, Status.BUG, parts)


def _steps_of(parts: Mapping[str, Part], completion: Completion) -> list[StepMark] | None:
    """Return the marks of a completion's steps.

    They come from `process:` if the task has it, else from the first part with any. A completion that failed
    there by its own fault has one mark, over all of its text.
    """
    names = [PROCESS] if PROCESS in parts else parts
    part = next((parts[name] for name in names if parts[name].steps is not None), None)
    if part is None and PROCESS in parts and parts[PROCESS].status in COMPLETIONS_FAULT:
        part = parts[PROCESS]
        return [StepMark(whole(completion.text), part.value, part.status, part.reason)]
    return None if part is None else part.steps


class ReferenceCheck:
    """Checks problems' references and tests while they are loaded, and collects the faults.

    Args:
        scheme: whose verifiers must be able to judge by them.
        skip: raise a problem's faults as a `DataError` instead, so that its row is skipped.
    """

    def __init__(self, scheme: MarkScheme, *, skip: bool = False):
        self._scheme, self._skip = scheme, skip
        self.faults: list[str] = []

    def __call__(self, problem: Problem, place: str) -> None:
        """Check a problem, which messages call by its place, such as `train.jsonl:61`."""
        faults = self._scheme.faults_of(problem)
        if faults and self._skip:
            raise DataError(f"{place}: {'; '.join(faults)}")
        self.faults += [f"{place}: {fault}" for fault in faults]

    def error(self) -> DataError:
        """Return the error that lists the faults."""
        task = self._scheme.task
        key = "tests" if any(judge.tests_fault for judge in self._scheme.judges) else "reference"
        count = f"{len(self.faults)} {key.removesuffix('s')}(s)"
        return DataError(
            f"{task.where('problem', key)}: {count} cannot be judged by:\n{first_of(self.faults)}"
        )

    def finish(self) -> None:
        """Raise the error of `error` if there are faults."""
        if self.faults:
            raise self.error()


def _faults(judge: Verifier, problem: Problem) -> Iterator[str]:
    """Yield the reasons why a verifier cannot judge by a problem's references or tests."""
    if judge.tests_fault is not None:
        fault = judge.tests_fault(problem.tests)
        if fault:
            yield fault
    if judge.reference_fault is not None:
        checked = [(judge.reference_fault(reference), reference) for reference in problem.references]
        faults = [f"{fault} ({reference!r})" for fault, reference in checked if fault]
        if faults or not checked:
            yield f"reference {', '.join(faults) or 'is missing'}"


def _first_failure(parts: Mapping[str, Part]) -> Status:
    """Return the first status of a failure among the parts that count; `ok` if there is none."""
    for part in parts.values():
        if part.weight != 0 and part.status not in (_OK, Status.NOT_APPLICABLE):
            return part.status
    return _OK


def _is_of_form(entry: Entry) -> bool:
    return isinstance(entry.component, Verifier) and entry.component.name in _OF_FORM


def _is_verifier(entry: Entry) -> bool:
    if isinstance(entry.component, Composite):
        return all(not isinstance(member, str) and _is_verifier(member) for member in entry.component.members)
    return isinstance(entry.component, Verifier)
