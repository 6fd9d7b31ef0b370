"""Rows that cross the border: completions read from JSONL, scores written to it. `schema: 1`."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..sandbox.errors import DataError, did_you_mean, first_of
from ..tasks.problem import Completion, Problem
from ..tasks.problems import ProblemMaker, load_problems
from ..tasks.row_files import read_rows
from ..tasks.schema import Task
from .score import Part, Score, StepMark

SCHEMA = 1


class CompletionRow(BaseModel):
    """A line of a completions file: `completion`, and columns of the task or a problem's id."""

    model_config = ConfigDict(extra="allow", populate_by_name=True)

    schema_: int = Field(default=SCHEMA, alias="schema")
    completion: str
    """The text to mark, or chat messages, of which the assistant's count."""
    problem: Any = None
    """The problem's id, where the row's columns do not make the problem themselves."""
    split: str | None = None
    """The split that the problem is in; None = the task's own."""
    prefill: str = ""
    """What the chat template had already opened of the answer."""
    token_ids: list[int] = Field(default_factory=list)
    finish_reason: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _text(cls, row: Any) -> Any:
        if isinstance(row, dict) and "completion" not in row:
            raise ValueError(f"needs a `completion` (columns: {', '.join(map(str, row))})")
        if isinstance(row, dict) and isinstance(row["completion"], list):
            said = [m.get("content") for m in row["completion"] if m.get("role") == "assistant"]
            return {**row, "completion": "".join(map(str, said))}
        return row


class ScoreRow(BaseModel):
    """A line of a scores file."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    schema_: int = Field(default=SCHEMA, alias="schema")
    task: str
    task_hash: str
    """Of the task with its overrides: two files of one hash were marked alike."""
    problem: str
    row: int
    """Position in the completions file, or of the completion in its group."""
    step: int | None = None
    """The training step."""
    completion: str
    prefill: str = ""
    finish_reason: str | None = None
    tokens: int | None = None
    value: float | None
    status: str
    right: bool | None
    """Whether it is right, by the scheme's accuracy entry."""
    advantage: float | None = None
    """In training, the mean over its tokens."""
    parts: dict[str, dict[str, Any]]
    """By entry: value, weight, status, reason, seconds, detail, verdict."""
    steps: list[dict[str, Any]] | None = None
    """Marks of steps: start, end, cut (characters), bytes, part, value, status, reason, advantage."""


@dataclass
class Answered:
    """Completions of a file with the problems that they answer."""

    problems: list[Problem]
    completions: list[Completion]
    rows: list[Mapping[str, Any]]


def read_completions(
    task: Task, path: Path, *, split: str | None = None, limit: int | None = None
) -> Answered:
    """Read a completions file.

    If a row's own columns fill the task's templates they are used; else its `problem` is looked up
    by id among the task's problems.

    Raises:
        DataError: a line that is not JSON, has no completion, or answers an unknown problem; every
            such row is told at once.
    """
    if not path.exists():
        raise DataError(f"{path}: there is no such completions file")
    maker = ProblemMaker(task)
    known: dict[str | None, dict[str, Problem]] = {}
    answered = Answered([], [], [])
    errors: list[str] = []
    for place, row in read_rows(path, limit=limit):
        try:
            parsed = CompletionRow.model_validate(row)
            if parsed.schema_ != SCHEMA:
                raise DataError(f"schema {parsed.schema_} is not known here; expected {SCHEMA}")
            if maker.columns <= set(row):
                problem = maker(row, place)
            else:
                _needs_id(parsed, row, maker)
                wanted = split or parsed.split
                if wanted not in known:
                    known[wanted] = {p.id: p for p in load_problems(task, split=wanted)}
                problem = _looked_up(parsed, maker, known[wanted])
        except ValidationError as error:
            detail = error.errors(include_url=False)[0]
            where = "".join(f"{key}: " for key in detail["loc"])
            errors.append(f"{place}: {where}{detail['msg'].removeprefix('Value error, ')}")
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
        raise DataError(f"{len(errors)} row(s) cannot be marked:\n{first_of(errors)}")
    if not answered.rows:
        raise DataError(f"{path}: has no rows")
    return answered


def _needs_id(parsed: CompletionRow, row: Mapping[str, Any], maker: ProblemMaker) -> None:
    if parsed.problem is None:
        missing = ", ".join(sorted(maker.columns - set(row)))
        raise DataError(
            f"neither the columns that the task's templates read (missing: {missing}) nor a"
            " `problem` id; for another column: --set problem.reference='{{ column }}'"
        )


def _looked_up(parsed: CompletionRow, maker: ProblemMaker, known: Mapping[str, Problem]) -> Problem:
    if str(parsed.problem) not in known:
        near = did_you_mean(str(parsed.problem), known)
        raise DataError(f"no problem {str(parsed.problem)!r} in task {maker.task.name!r}{near}")
    return known[str(parsed.problem)]


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
    """Return a scored completion as a plain mapping, ready for JSON."""
    steps = None if score.steps is None else [step_row(mark) for mark in score.steps]
    for row, advantage in zip(steps or (), step_advantages, strict=False):
        row["advantage"] = advantage
    made = ScoreRow(
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
    return made.model_dump(mode="json", by_alias=True)


def part_row(part: Part) -> dict[str, Any]:
    """Return a part as a plain mapping."""
    verdict = part.verdict
    return {
        "value": part.value,
        "weight": part.weight,
        "status": str(part.status),
        "reason": part.reason,
        "seconds": part.seconds,
        "detail": part.detail,
        "verdict": None
        if verdict is None
        else {
            "correct": verdict.correct,
            "reason": str(verdict.reason),
            "extracted": verdict.extracted,
            "tier": verdict.tier,
            "share": verdict.share,
            "evidence": verdict.evidence,
        },
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
    """Write rows to a file that appears only when all of them are in it.

    Raises:
        DataError: the place cannot be written to.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("w", encoding="utf-8", errors="backslashreplace") as file:
            file.writelines(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise DataError(f"{path}: cannot be written ({error.strerror})") from error


def status_counts(scores: Sequence[Score]) -> dict[str, int]:
    """Return how many scores have each status."""
    counts: dict[str, int] = {}
    for score in scores:
        counts[str(score.status)] = counts.get(str(score.status), 0) + 1
    return counts
