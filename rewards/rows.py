"""Rows on disk: completions, which are read from files, and scores, which are written to JSONL."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..sandbox.errors import DataError, did_you_mean, first_of
from ..tasks.load_problems import ProblemMaker, load_problems
from ..tasks.problem import Completion, Problem, said_by
from ..tasks.row_files import read_rows
from ..tasks.schema import Task
from ..tasks.validation import first_fault
from ..tasks.whole_files import written_whole
from .score import Part, Score, StepMark

SCHEMA = 1
"""The version of both kinds of rows; rows of another one are refused."""


class CompletionRow(BaseModel):
    """A row of a completions file: a completion, with the task's columns or a problem's id."""

    model_config = ConfigDict(extra="allow", populate_by_name=True, use_attribute_docstrings=True)

    schema_: int = Field(default=SCHEMA, alias="schema")
    completion: str
    """The text to score, or chat messages, of which the assistant's count."""
    problem: Any = None
    """The problem's id, if the row does not have the columns that the task's templates read."""
    split: str | None = None
    """The split that the problem is in; None = the task's own."""
    prefill: str = ""
    """The start of the answer, if the chat template put it at the end of the prompt."""
    token_ids: list[int] = Field(default_factory=list)
    finish_reason: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _text(cls, row: Any) -> Any:
        if isinstance(row, dict) and "completion" not in row:
            raise ValueError(f"a row needs a `completion` (its columns: {', '.join(map(str, row))})")
        if isinstance(row, dict) and isinstance(row["completion"], list):
            return {**row, "completion": said_by("assistant", row["completion"])}
        return row


class ScoreRow(BaseModel):
    """A row of a scores file."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, use_attribute_docstrings=True)

    schema_: int = Field(default=SCHEMA, alias="schema")
    task: str
    task_hash: str
    """The hash of the task with its overrides: files with the same hash were scored in the same way."""
    problem: str
    """The problem's id."""
    row: int
    """Position of the completion in its file or, in training, in its group; counted from 0."""
    step: int | None = None
    """The training step; None outside training."""
    completion: str
    prefill: str = ""
    finish_reason: str | None = None
    tokens: int | None = None
    value: float | None
    status: str
    right: bool | None
    """Whether the completion is right, as `MarkScheme.is_right` says."""
    advantage: float | None = None
    """In training: the mean advantage of the completion's tokens."""
    parts: dict[str, dict[str, Any]]
    """The parts by entry: value, weight, status, reason, seconds, detail, verdict."""
    steps: list[dict[str, Any]] | None = None
    """Marks of steps: start, end, cut (characters), bytes, part, value, status, reason, advantage."""


@dataclass
class Answered:
    """The completions of a file, with the problems that they answer and the rows that they come from."""

    problems: list[Problem]
    completions: list[Completion]
    rows: list[Mapping[str, Any]]


def read_completions(
    task: Task, path: Path, *, split: str | None = None, limit: int | None = None
) -> Answered:
    """Read up to `limit` rows of a completions file.

    If a row has the columns that the task's templates read, they make the problem. Otherwise the row's
    `problem` is the id of one in `split`; by default in the split that the row names, or else the task's own.

    Raises:
        DataError: there is no such file, it has no rows, or one is not JSON; or some rows have no completion
            or answer an unknown problem, and the message lists them.
    """
    if not path.exists():
        raise DataError(f"{path}: there is no such completions file; give a .jsonl file")
    finder = _ProblemFinder(task, split)
    answered = Answered([], [], [])
    errors: list[str] = []
    for place, row in read_rows(path, limit=limit):
        try:
            parsed = CompletionRow.model_validate(row)
            problem = finder.problem_of(parsed, row, place)
        except ValidationError as error:
            fault = first_fault(error)
            errors.append(f"{place}: {fault if fault.keys else fault.message}")
            continue
        except DataError as error:
            errors.append(str(error) if str(error).startswith(place) else f"{place}: {error}")
            continue
        answered.problems.append(problem)
        answered.completions.append(
            Completion(
                parsed.completion,
                token_ids=parsed.token_ids,
                prefill=parsed.prefill,
                finish_reason=parsed.finish_reason,
            )
        )
        answered.rows.append(row)
    if errors:
        raise DataError(f"{len(errors)} row(s) cannot be scored:\n{first_of(errors)}")
    if not answered.rows:
        raise DataError(f"{path}: the file has no rows; expected one completion per line")
    return answered


class _ProblemFinder:
    """A finder of the problem that a row answers, which loads each split once."""

    def __init__(self, task: Task, split: str | None):
        self._maker, self._split = ProblemMaker(task), split
        self._known: dict[str | None, dict[str, Problem]] = {}

    def problem_of(self, parsed: CompletionRow, row: Mapping[str, Any], place: str) -> Problem:
        if parsed.schema_ != SCHEMA:
            raise DataError(f"schema {parsed.schema_} is not known to this version; expected {SCHEMA}")
        if self._maker.columns <= set(row):
            return self._maker(row, place)
        if parsed.problem is None:
            missing = ", ".join(sorted(self._maker.columns - set(row)))
            raise DataError(
                f"the row has neither the columns that the task's templates read (missing: {missing}) nor a"
                " `problem` id; for another column: --set problem.reference='{{ column }}'"
            )
        task, split, problem_id = self._maker.task, self._split or parsed.split, str(parsed.problem)
        if split not in self._known:
            self._known[split] = {problem.id: problem for problem in load_problems(task, split=split)}
        known = self._known[split]
        if problem_id not in known:
            where = f"split {split or task.data.split!r} of task {task.name!r}"
            raise DataError(f"{where} has no problem {problem_id!r}{did_you_mean(problem_id, known)}")
        return known[problem_id]


def score_row(
    task: Task,
    task_hash: str,
    problem: Problem,
    completion: Completion,
    score: Score,
    *,
    step_advantages: Sequence[float] = (),
    **more: Any,
) -> dict[str, Any]:
    """Return a scored completion as a plain mapping, ready for JSON.

    `task_hash` is `task.hash`, which takes too long to compute for every row; `step_advantages` has the
    advantage of each step, in process mode; and `more` has the other fields of `ScoreRow`.
    """
    steps = None if score.steps is None else [step_row(mark) for mark in score.steps]
    for step, advantage in zip(steps or (), step_advantages, strict=False):
        step["advantage"] = advantage
    row = ScoreRow(
        task=task.name,
        task_hash=task_hash,
        problem=problem.id,
        completion=completion.text,
        prefill=completion.prefill,
        finish_reason=completion.finish_reason,
        tokens=len(completion.token_ids) or None,
        value=score.value,
        status=str(score.status),
        parts={name: part_row(part) for name, part in score.parts.items()},
        steps=steps,
        **more,
    )
    return row.model_dump(mode="json", by_alias=True)


def part_row(part: Part) -> dict[str, Any]:
    """Return a part as a plain mapping."""
    verdict = part.verdict
    shown = None
    if verdict is not None:
        shown = {
            "correct": verdict.correct,
            "reason": str(verdict.reason),
            "extracted": verdict.extracted,
            "tier": verdict.tier,
            "share": verdict.share,
            "evidence": verdict.evidence,
        }
    return {
        "value": part.value,
        "weight": part.weight,
        "status": str(part.status),
        "reason": part.reason,
        "seconds": part.seconds,
        "detail": part.detail,
        "verdict": shown,
    }


def step_row(mark: StepMark) -> dict[str, Any]:
    """Return a step's mark as a plain mapping."""
    step = mark.step
    return {
        "start": step.start,
        "end": step.end,
        "cut": step.cut,
        "bytes": [step.byte_start, step.byte_end, step.byte_cut],
        "part": step.part,
        "value": mark.value,
        "status": str(mark.status),
        "reason": mark.reason,
    }


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows to a JSONL file, which appears only when it is complete.

    Raises:
        DataError: the place cannot be written to.
    """
    try:
        with (
            written_whole(path) as partial,
            partial.open("w", encoding="utf-8", errors="backslashreplace") as file,
        ):
            file.writelines(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows)
    except OSError as error:
        raise DataError(
            f"{path}: cannot be written ({error.strerror}); give another -o, or free some space"
        ) from error


def status_counts(scores: Sequence[Score]) -> dict[str, int]:
    """Return how many scores have each status."""
    return dict(Counter(str(score.status) for score in scores))
