"""`rescore`: recomputing scores from their rows, and explaining every one that has changed."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from ...sandbox.errors import DataError, MarkschemeError
from ...tasks.load_problems import load_problems
from ...tasks.problem import Completion, Problem
from ..composition.entries import Composite
from ..rows.completions import Answer, read_answers
from ..rows.read_scores import ReadRow
from ..rows.scores import Lineage, ScoreRow, library_versions, score_row
from ..scheme import MarkScheme
from ..score import Score
from .scoring import in_chunks

REPEATS = 2
"""How often changed rows are scored again, to see whether their marks are deterministic."""
OUR_FAILURES = ("timeout", "memory", "infra_error", "abstain")
"""Statuses that need not come again when the same completion is scored again."""


@dataclass(frozen=True)
class Change:
    """A score that came out differently."""

    place: str
    """Of its old row."""
    old: ScoreRow
    new: Mapping[str, Any]
    """Its new row."""
    reasons: tuple[str, ...]
    """Why, one or more; see `explain`."""


def rescored(
    rows: Iterable[ReadRow], schemes: Callable[[ReadRow], tuple[MarkScheme, Lineage]]
) -> Iterator[tuple[dict[str, Any], Change | None]]:
    """Yield the new row of every old one and, where the score differs, the change.

    A problem is taken from the file of completions that the row was scored from, if it still has the row;
    else from the task's data, by its id; else it is made of the row's own prompt and reference.

    Args:
        rows: the old rows.
        schemes: returns the scheme, with its lineage, that scores the row's task now.

    Raises:
        DataError: a row's problem cannot be found again.
    """
    finder = ProblemFinder()
    for chunk in in_chunks(rows, lambda read: (read.row.task, read.row.step, read.row.problem)):
        for (_, step), some in groupby(chunk, key=lambda read: (read.row.task, read.row.step)):
            members = list(some)
            scheme, lineage = schemes(members[0])
            answers = [finder.find(read, scheme) for read in members]
            yield from _rescored(members, answers, scheme, lineage, step)


def _rescored(
    members: Sequence[ReadRow],
    answers: Sequence[tuple[Problem, Completion]],
    scheme: MarkScheme,
    lineage: Lineage,
    step: int | None,
) -> Iterator[tuple[dict[str, Any], Change | None]]:
    problems, completions = [problem for problem, _ in answers], [completion for _, completion in answers]

    def again() -> list[dict[str, Any]]:
        scores = scheme.score(problems, completions, step=step)
        rows = zip(members, problems, completions, scores, strict=True)
        return [
            _new_row(read.row, problem, completion, score, lineage, scheme)
            for read, problem, completion, score in rows
        ]

    new = again()
    changed = {i for i, read in enumerate(members) if _outcome(vars(read.row)) != _outcome(new[i])}
    if not changed:
        yield from ((row, None) for row in new)
        return
    # All rows again, since a reward may look at its batch.
    repeats = [again() for _ in range(REPEATS)]
    for i, (read, row) in enumerate(zip(members, new, strict=True)):
        if i in changed:
            steady = all(_outcome(repeat[i]) == _outcome(row) for repeat in repeats)
            yield row, Change(read.place, read.row, row, explain(read, row, lineage, steady=steady))
        else:
            yield row, None


def _new_row(
    old: ScoreRow,
    problem: Problem,
    completion: Completion,
    score: Score,
    lineage: Lineage,
    scheme: MarkScheme,
) -> dict[str, Any]:
    """Return the new score row, with what the old one says of other things than the score."""
    kept = ("split", "place", "id", "label", "stratum", "step", "group", "sample", "advantage")
    more = {name: getattr(old, name) for name in kept}
    texts = old.prompt_hash is None
    row = score_row(lineage, problem, completion, score, right=scheme.is_right(score), texts=texts, **more)
    for new_step, old_step in zip(row["steps"] or (), old.steps or (), strict=False):
        new_step |= {name: old_step[name] for name in ("label", "advantage") if name in old_step}
    return row


def _outcome(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what must be the same for a score to be identical."""
    parts = {name: (part["value"], part["status"]) for name, part in row["parts"].items()}
    steps = [(step["value"], step["status"], step["start"], step["end"]) for step in row["steps"] or ()]
    return row["value"], row["right"], parts, steps


def explain(read: ReadRow, new: Mapping[str, Any], lineage: Lineage, *, steady: bool) -> tuple[str, ...]:
    """Return why a score changed, one or more reasons.

    `not deterministic` if it differs from one scoring to the next. Else: another `reference`; for each part
    that differs, an entry that was `added`, `removed`, or names another component, `parameters` (with `when`,
    `clip`, ...), `code` with the versions, `timeout` or another failure that need not come again; `weight`
    and `combine`; and if there is none of these, `libraries`. `unknown` if nothing is known to differ, as for
    rows of version 1, which hold no lineage.
    """
    if not steady:
        return ("not deterministic",)
    old, before = read.row, read.task_header.get("entries", {})
    reasons: list[str] = []
    if old.prompt is not None and old.reference != new["reference"]:
        reasons.append(f"reference {old.reference!r} -> {new['reference']!r}")
    steps_differ = _outcome(vars(old))[3] != _outcome(new)[3]
    for name in dict.fromkeys([*old.parts, *new["parts"]]):
        old_part, new_part = old.parts.get(name), new["parts"].get(name)
        if old_part is None or new_part is None:
            reasons.append(f"{name}: entry {'added' if old_part is None else 'removed'}")
            continue
        differs = (old_part["value"], old_part["status"]) != (new_part["value"], new_part["status"])
        if differs or steps_differ:
            then, now = before.get(name, {}), lineage.header["entries"].get(name, {})
            reasons += [f"{name}: {reason}" for reason in _part_reasons(old_part, new_part, then, now)]
        weights = [entries.get(name, {}).get("weight") for entries in (before, lineage.header["entries"])]
        if read.header and weights[0] != weights[1]:
            reasons.append(f"{name}: weight {weights[0]} -> {weights[1]}")
    combine = read.task_header.get("combine"), lineage.header["combine"]
    if read.header and combine[0] != combine[1]:
        reasons.append(f"combine: {combine[0]} -> {combine[1]}")
    return tuple(reasons or _changed_libraries(read.header)) or ("unknown",)


def _changed_libraries(header: Mapping[str, Any]) -> list[str]:
    now = library_versions()
    changed = {
        name: version for name, version in header.get("libraries", {}).items() if now.get(name) != version
    }
    said = ", ".join(f"{name} {version} -> {now.get(name)}" for name, version in changed.items())
    return [f"libraries: {said}"] if changed else []


def _part_reasons(
    old: Mapping[str, Any], new: Mapping[str, Any], then: Mapping[str, Any], now: Mapping[str, Any]
) -> Iterator[str]:
    """Yield why a part differs; `then` and `now` are what the headers say of its entry."""
    if "source" in old and old["component"] != new["component"]:
        yield f"component {old['component']} -> {new['component']}"
    elif "source" in old:
        if old["params"] != new["params"]:
            before, after = then.get("parameters", {}), now.get("parameters", {})
            names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
            said = ", ".join(f"{name} {before.get(name)!r} -> {after.get(name)!r}" for name in names)
            yield f"parameters {said}".rstrip()
        if old["source"] != new["source"]:
            yield f"code {_version(old)} -> {_version(new)}"
    failed = next((part["status"] for part in (old, new) if part["status"] in OUR_FAILURES), None)
    if failed is not None:
        yield failed


def _version(part: Mapping[str, Any]) -> str:
    return f"{part['version']} ({part['source']})" if part.get("version") else str(part["source"])


class ProblemFinder:
    """Finds the problem that a row was scored with, and the completion."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str | None, ...], Iterator[Answer]] = {}
        self._ahead: dict[tuple[str | None, ...], Answer | None] = {}
        self._problems: dict[tuple[str | None, ...], tuple[Sequence[Problem], Mapping[str, int]]] = {}

    def find(self, read: ReadRow, scheme: MarkScheme) -> tuple[Problem, Completion]:
        """Return the problem and the completion of a row.

        Raises:
            DataError: the problem cannot be found again.
        """
        row = read.row
        answer = self._in_its_file(row, scheme, read.header.get("completion", "completion"))
        if answer is not None:
            return answer.problem, answer.completion
        completion = Completion(
            row.completion,
            # Only the number of ids is in the row, which is all that rewards of length read.
            token_ids=[0] * (row.tokens or 0),
            prefill=row.prefill,
            finish_reason=row.finish_reason,
            weight_version=row.policy_version,
        )
        problem = self._in_the_data(row, scheme)
        if problem is None and row.prompt is not None and not _needs_more(scheme):
            reference = tuple(row.reference) if isinstance(row.reference, list) else row.reference
            problem = Problem(id=row.problem, prompt=row.prompt, reference=reference)
        if problem is None:
            raise DataError(
                f"{read.place}: problem {row.problem} cannot be found again: its completions file"
                f" ({row.place or 'none'}) does not have it any more, nor has the data of task"
                f" {row.task!r}; give the data with --set data.path=FILE"
            )
        return problem, completion

    def _in_its_file(self, row: ScoreRow, scheme: MarkScheme, column: str) -> Answer | None:
        """Return the answer at the row's place in the file of completions, which is read along."""
        file = (row.place or "").rpartition(":")[0]
        if not Path(file).is_file():
            return None
        key = row.task, file, row.split
        if key not in self._answers:
            self._answers[key] = read_answers(
                scheme.task,
                Path(file),
                split=row.split,
                column=column,
                on_bad=lambda error: None,  # rows that were not scored do not matter
            )
            self._ahead[key] = self._next(key)
        line = _line(row.place)
        while (answer := self._ahead[key]) is not None and _line(answer.place) <= line:
            self._ahead[key] = self._next(key)
            if answer.place == row.place and answer.completion.text == row.completion:
                return answer if answer.problem.id == row.problem else None
        return None

    def _next(self, key: tuple[str | None, ...]) -> Answer | None:
        try:
            return next(self._answers[key], None)
        except DataError:  # it is no file of completions any more
            return None

    def _in_the_data(self, row: ScoreRow, scheme: MarkScheme) -> Problem | None:
        key = row.task, row.split
        if key not in self._problems:
            try:
                problems = load_problems(scheme.task, split=row.split)
            except MarkschemeError:
                problems = []  # such as a hub data set without a network
            self._problems[key] = problems, {problem.id: i for i, problem in enumerate(problems)}
        problems, indices = self._problems[key]
        return problems[indices[row.problem]] if row.problem in indices else None


def _line(place: str | None) -> int:
    number = (place or ":0").rpartition(":")[2].partition("#")[0]
    return int(number) if number.isdigit() else 0


def _needs_more(scheme: MarkScheme) -> bool:
    """Return whether a scheme may read more of a problem than its prompt and reference."""
    for outer in scheme.entries.values():
        for entry in outer.walk():
            if isinstance(entry, str) or isinstance(entry.component, Composite):
                continue
            own = entry.component.function.__module__.startswith("markscheme.")
            if (
                not own
                or entry.route
                or entry.component.name in ("unit_tests", "step_scores", "step_checker")
            ):
                return True
    return False
