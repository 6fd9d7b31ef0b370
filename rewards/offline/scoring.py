"""Scoring answers one by one: score rows as a stream, and a summary of them in little memory.

The public function is `score_completions`.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from ...sandbox.errors import did_you_mean
from ...tasks.load_task import load_task
from ...tasks.schema import Task
from ..lineage import lineage_of
from ..rows.completions import Answer, read_answers
from ..rows.scores import Lineage, score_row
from ..scheme import MarkScheme
from ..score import Part, failure_line
from .step_metrics import StepTally, labels_of

T = TypeVar("T")
CHUNK = 256
"""Answers that are scored at once, or some more so that those of a problem are not separated."""
SHOWN = 20
"""The most places that a summary lists."""


def in_chunks(items: Iterable[T], problem_of: Callable[[T], Any]) -> Iterator[list[T]]:
    """Yield lists of about `CHUNK` items, which end only between problems.

    A reward that compares the answers of a problem would give other scores if they were separated. A problem
    with more than ten chunks of answers is.
    """
    chunk: list[T] = []
    for item in items:
        enough = len(chunk) >= CHUNK and problem_of(item) != problem_of(chunk[-1])
        if enough or len(chunk) >= 10 * CHUNK:
            yield chunk
            chunk = []
        chunk.append(item)
    if chunk:
        yield chunk


def label_fault(row: Mapping[str, Any], column: str) -> str | None:
    """Return why a row's label cannot be used; None if it is true or false."""
    label = row.get(column)
    if isinstance(label, bool):
        return None
    near = "" if column in row else f"; there is no such column{did_you_mean(column, row)}"
    return f"label {column!r} must be true or false (given: {label!r}){near}"


def faults_with(scheme: MarkScheme, label: str | None) -> Callable[[Answer], list[str]]:
    """Return a function that says why an answer cannot be scored or compared with its label."""

    def faults_of(answer: Answer) -> list[str]:
        faults = scheme.faults_of(answer.problem)
        if faults:
            return faults
        fault = label_fault(answer.row, label) if label else None
        return [fault] if fault else []

    return faults_of


def score_completions(
    task: str | Path | Task,
    completions: str | Path | Iterable[Mapping[str, Any]],
    *,
    split: str | None = None,
    limit: int | None = None,
    column: str = "completion",
    label: str | None = None,
) -> Iterator[dict[str, Any]]:
    r"""Yield the score row of each completion, as `markscheme score` writes them.

        >>> from markscheme.rewards import evaluate_scores, score_completions
        >>> from markscheme.tasks import load_problems, load_task
        >>> task = load_task("addition")
        >>> problem = load_problems(task, limit=1)[0]  # 320+110=
        >>> rows = [{"problem": problem.id, "completion": text} for text in (r"\boxed{430}", r"\boxed{420}")]
        >>> scores = list(score_completions(task, rows))
        >>> [row["right"] for row in scores]
        [True, False]
        >>> evaluate_scores(scores).right.share
        0.5

    Args:
        task: a task, or its name or file.
        completions: a file of completions, or its rows, each with a completion and the columns or the id
            of its problem.
        split: the split to look up problems in that rows name by their id.
        limit: read at most this many rows.
        column: the column of the completion.
        label: the column that says whether a completion is right; None = `label`, where rows have it.

    Raises:
        MarkschemeError: the task cannot be loaded, or some rows cannot be scored; the message lists them.
    """
    scheme = MarkScheme(task if isinstance(task, Task) else load_task(task))
    source = Path(completions) if isinstance(completions, str | Path) else completions
    answers = read_answers(
        scheme.task, source, split=split, limit=limit, column=column, faults_of=faults_with(scheme, label)
    )
    for row, _ in scored_rows(scheme, lineage_of(scheme), answers, label=label):
        yield row


def scored_rows(
    scheme: MarkScheme,
    lineage: Lineage,
    answers: Iterable[Answer],
    *,
    label: str | None = None,
    step_labels: str | None = None,
    by: str | None = None,
    texts: bool = True,
) -> Iterator[tuple[dict[str, Any], str | None]]:
    """Yield each answer's score row, and why its labels of steps cannot be used (None if they can).

    Args:
        scheme: scores the answers, about `CHUNK` at a time.
        lineage: of the scheme.
        answers: the answers.
        label: the column of the label, true or false; None = `label`, where rows have it.
        step_labels: the column of labels of steps; they are put beside the marks of steps.
        by: the column of the stratum.
        texts: whether to write prompt and reference, and not only their hashes.
    """
    for chunk in in_chunks(answers, lambda answer: (answer.problem.id, answer.problem.prompt)):
        scores = scheme.score([answer.problem for answer in chunk], [answer.completion for answer in chunk])
        for answer, score in zip(chunk, scores, strict=True):
            given = answer.row.get(label or "label")
            stratum = answer.row.get(by) if by else None
            row = score_row(
                lineage,
                answer.problem,
                answer.completion,
                score,
                right=scheme.is_right(score),
                label=given if isinstance(given, bool) else None,
                stratum=None if stratum is None else str(stratum),
                texts=texts,
                **answer.more,
            )
            yield row, _label_steps(row, answer, step_labels)


def _label_steps(row: Mapping[str, Any], answer: Answer, column: str | None) -> str | None:
    """Put labels beside the marks of steps, or return why they do not fit."""
    if column is None:
        return None
    steps = row["steps"] or []
    expected = labels_of(answer.row.get(column), len(steps))
    if isinstance(expected, str):
        near = "" if column in answer.row else did_you_mean(column, answer.row)
        return f"{answer.place}: {column!r} {expected}{near}"
    for step, label in zip(steps, expected, strict=True):
        step["label"] = label
    return None


@dataclass
class ScoreSummary:
    """What `markscheme score` prints of the rows that it has written, whatever their number."""

    step_bounds: tuple[float, float] | None = None
    """The range of the marks of steps, if they are compared with labels."""
    rows: int = 0
    right: Counter[bool | None] = field(default_factory=Counter)
    """How many rows are right (True), wrong (False) and undecided (None)."""
    status: Counter[str] = field(default_factory=Counter)
    label: Counter[str] = field(default_factory=Counter)
    """How many marks agree with labels, and in which way the others do not."""
    undecided: list[str] = field(default_factory=list)
    """Places of the first rows that could not be judged."""
    differing: list[str] = field(default_factory=list)
    """Places of the first rows whose mark differs from the label."""
    failures: dict[str, Counter[str]] = field(default_factory=dict)
    """By entry: how many of its values are failures, by status."""
    bugs: int = 0
    first_bug: str = ""
    """The place of the first bug's row, the entry and the reason."""
    steps: StepTally = field(default_factory=StepTally)
    _total: float = 0.0
    _valued: int = 0
    _parts: dict[str, list[float]] = field(default_factory=dict)
    """By entry: the sum and the number of its known values."""

    def add(self, row: Mapping[str, Any]) -> None:
        """Count a score row."""
        self.rows += 1
        self.right[row["right"]] += 1
        self.status[row["status"]] += 1
        if row["value"] is not None:
            self._total += row["value"]
            self._valued += 1
        if row["right"] is None:
            self._show(self.undecided, row)
        if row.get("label") is not None:
            self._compare(row["right"], row)
        for name, part in row["parts"].items():
            tally = self._parts.setdefault(name, [0.0, 0])
            if part["value"] is not None:
                tally[0] += part["value"]
                tally[1] += 1
            if part["status"] not in ("ok", "not_applicable"):
                self.failures.setdefault(name, Counter())[part["status"]] += 1
            if part["status"] == "bug":
                self.bugs += 1
                if not self.first_bug:
                    place = row.get("place") or f"row {self.rows}"
                    self.first_bug = f"{place}: {name}: {_where_raised(part)}"
        if self.step_bounds is not None:
            self._add_steps(row["steps"] or [], *self.step_bounds)

    def _show(self, places: list[str], row: Mapping[str, Any]) -> None:
        if len(places) < SHOWN:
            places.append(row.get("place") or f"row {self.rows}")

    def _compare(self, mark: bool | None, row: Mapping[str, Any]) -> None:
        if mark is None:
            kind = "undecided"
        elif mark == row["label"]:
            kind = "agree"
        else:
            kind = "wrong_marked_right" if mark else "right_marked_wrong"
        self.label[kind] += 1
        if kind != "agree":
            self._show(self.differing, row)

    def _add_steps(self, steps: Sequence[Mapping[str, Any]], low: float, high: float) -> None:
        if any("label" in step for step in steps):
            marks = [None if s["value"] is None else (s["value"] - low) / (high - low) for s in steps]
            self.steps.add(marks, [step.get("label") for step in steps])

    def result(self) -> dict[str, Any]:
        """Return the figures, ready for JSON; those of labels only where rows have labels."""
        figures: dict[str, Any] = {
            "rows": self.rows,
            "right": self.right[True],
            "wrong": self.right[False],
            "undecided": self.right[None],
            "mean": self._total / self._valued if self._valued else None,
            "left_out": self.rows - self._valued,
            "parts": {name: total / count if count else None for name, (total, count) in self._parts.items()},
            "status": dict(self.status),
            "failures": {name: dict(counts) for name, counts in self.failures.items()},
            "undecided_rows": self.undecided,
        }
        if self.label:
            kinds = ("agree", "wrong_marked_right", "right_marked_wrong", "undecided")
            figures["label"] = {
                **{kind: self.label[kind] for kind in kinds},
                "differing_rows": self.differing,
            }
        return figures


def _where_raised(part: Mapping[str, Any]) -> str:
    """Return the reason of a failed part of a row, with the place in the reward's code."""
    return failure_line(Part(None, reason=part["reason"], detail=part.get("detail")))
