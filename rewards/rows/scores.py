"""Score rows: a scored completion as a line of JSON that can be read alone, with the header of its file."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ...sandbox.errors import DataError
from ...tasks.problem import Completion, Problem, content_id
from ..score import Part, Score, StepMark

SCHEMA = 2
"""The version of completion and score rows. Rows of version 1 are read too, those of newer ones refused."""


class ScoreRow(BaseModel):
    """A row of a scores file. Steps, groups, samples and lines are counted from 1."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, use_attribute_docstrings=True)

    schema_: int = Field(default=SCHEMA, alias="schema")
    task: str
    task_hash: str
    """The hash of the task with its overrides: files with the same hash were scored in the same way."""
    problem: str
    """The problem's id."""
    prompt: Any = None
    """Text or chat messages; None in rows of version 1 and with `--no-texts`."""
    reference: Any = None
    """One accepted answer, or several; None if there is none, or as for `prompt`."""
    prompt_hash: str | None = None
    """With `--no-texts`: 16 hex digits of the prompt's SHA-256."""
    reference_hash: str | None = None
    split: str | None = None
    """The split of the task's data that the problem is in; None if it was made of the row's own columns."""
    place: str | None = None
    """The row that was scored, such as `completions.jsonl:61`; None in training."""
    id: Any = None
    """What the scored row has in its column `id`."""
    label: bool | None = None
    """What it has in its column of labels: whether the completion is right in truth."""
    stratum: str | None = None
    """What it has in the column of `--by`, such as the subset of a benchmark."""
    step: int | None = None
    """The training step; None outside training."""
    group: int | None = None
    """The number of the group among those of its step or its file; None = completions of a problem belong
    together."""
    sample: int | None = None
    """The number of the completion in its group."""
    policy_version: int | None = None
    """How many updates the policy had had that wrote the completion."""
    completion: str
    prefill: str = ""
    finish_reason: str | None = None
    tokens: int | None = None
    """The number of sampled token ids."""
    value: float | None
    status: str
    right: bool | None
    """Whether the completion is right, as `MarkScheme.is_right` says."""
    advantage: float | None = None
    """In training: the mean advantage of the completion's tokens."""
    parts: dict[str, dict[str, Any]]
    """The parts by entry: value, weight, status, reason, seconds, detail, verdict, and the lineage of the
    component: its name, version, and the hashes of its source and of its parameters."""
    steps: list[dict[str, Any]] | None = None
    """Marks of steps: start, end, cut (characters), bytes, part, value, status, reason, advantage."""

    @model_validator(mode="after")
    def _whole(self) -> "ScoreRow":
        """Check what parts and steps must have at least."""
        for name, part in self.parts.items():
            if not isinstance(part.get("status"), str) or not _is_number(
                part.get("weight", ""), optional=False
            ):
                raise ValueError(f"part {name!r} needs a `status` (text) and a `weight` (a number)")
            if not _is_number(part.get("value", "")):
                raise ValueError(f"part {name!r} needs a `value`, a number or null")
        for step in self.steps or ():
            if not _is_number(step.get("value", "")):
                raise ValueError("every step needs a `value`, a number or null")
        return self


def _is_number(value: Any, *, optional: bool = True) -> bool:
    return (optional and value is None) or (isinstance(value, int | float) and not isinstance(value, bool))


OMITTED = (
    "prompt_hash",
    "reference_hash",
    "split",
    "place",
    "id",
    "label",
    "stratum",
    "step",
    "group",
    "sample",
)
"""Fields that a row does not have where they are None."""


@dataclass(frozen=True)
class Lineage:
    """What a scheme's marks came from, so that a mark can be traced to its code."""

    task: str
    task_hash: str
    parts: Mapping[str, Mapping[str, Any]]
    """By entry: `component`, `version`, `source` and `params`, which every row repeats."""
    header: Mapping[str, Any] = field(default_factory=dict)
    """What the header of a file says of the task; see `lineage_of`."""


def score_row(
    lineage: Lineage,
    problem: Problem,
    completion: Completion,
    score: Score,
    *,
    step_advantages: Sequence[float] = (),
    texts: bool = True,
    **more: Any,
) -> dict[str, Any]:
    """Return a scored completion as a plain mapping, ready for JSON.

    Args:
        lineage: of the scheme that scored it.
        problem: what it answers.
        completion: the completion.
        score: its score.
        step_advantages: the advantage of each step, in process mode.
        texts: whether to write prompt and reference, and not only their hashes.
        more: the other fields of `ScoreRow`.
    """
    steps = None if score.steps is None else [step_row(mark) for mark in score.steps]
    for step, advantage in zip(steps or (), step_advantages, strict=False):
        step["advantage"] = advantage
    shown = {"prompt": problem.prompt, "reference": problem.reference}
    if not texts:
        shown = {f"{name}_hash": content_id(value) for name, value in shown.items()}
    row = ScoreRow(
        task=lineage.task,
        task_hash=lineage.task_hash,
        problem=problem.id,
        completion=completion.text,
        prefill=completion.prefill,
        finish_reason=completion.finish_reason,
        policy_version=completion.weight_version,
        tokens=len(completion.token_ids) or None,
        value=score.value,
        status=str(score.status),
        parts={name: part_row(part, lineage.parts.get(name, {})) for name, part in score.parts.items()},
        steps=steps,
        **shown,
        **more,
    )
    written = row.model_dump(mode="json", by_alias=True)
    return {name: value for name, value in written.items() if value is not None or name not in OMITTED}


def part_row(part: Part, lineage: Mapping[str, Any]) -> dict[str, Any]:
    """Return a part as a plain mapping, with the lineage of its component."""
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
        **lineage,
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


def header_row(kind: str, lineages: Sequence[Lineage], **more: Any) -> dict[str, Any]:
    """Return the first row of a file: its kind, the versions of the libraries, and the tasks by name."""
    tasks = {lineage.task: lineage.header for lineage in lineages}
    return {
        "header": {"kind": kind, "schema": SCHEMA, "libraries": library_versions(), "tasks": tasks, **more}
    }


def library_versions() -> dict[str, str]:
    """Return the versions of the installed libraries that marks can depend on."""
    versions = {}
    for name in ("markscheme", "math-verify", "sympy", "torch", "transformers"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def newer(schema: Any, place: str) -> DataError:
    """Return the error of a row with a schema that is not known."""
    return DataError(
        f"{place}: schema {schema} is not known to this version, which reads up to {SCHEMA}; install a newer"
        " markscheme"
    )


def refuse_kind(header: Any, place: str, cure: str) -> None:
    """Refuse a file whose header says that it holds scores or completions; `cure` says what to do.

    Raises:
        DataError: it does.
    """
    kind = header.get("kind") if isinstance(header, Mapping) else None
    if kind in ("scores", "completions"):
        raise DataError(f"{place}: the file holds {kind}; {cure}")


def json_line(row: Mapping[str, Any]) -> str:
    """Return a row as a line of JSON; characters that UTF-8 cannot hold are escaped."""
    line = json.dumps(row, ensure_ascii=False, default=str) + "\n"
    return line if line.isascii() else line.encode(errors="backslashreplace").decode()
