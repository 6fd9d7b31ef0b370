"""Reading labelled steps, to train a process reward model on: rows of TRL, PRM800K, Math-Shepherd, and ours.

Our own rows, which `markscheme label` writes, are TRL's with one more column, `shares`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ...sandbox.errors import DataError, first_of
from ...tasks.row_files import read_rows

Neutral = Literal["right", "wrong", "skip"]
"""What PRM800K's rating 0 counts as; `skip` leaves the step without a label."""
IGNORED = -100
"""The number by which PyTorch and TRL mark a position without a label."""


@dataclass(frozen=True)
class LabelledSteps:
    """A prompt, the steps that answer it, and a label for each step."""

    prompt: str
    steps: tuple[str, ...]
    labels: tuple[float | None, ...]
    """Probability that the step is right: 1, 0 or a number between; None = not known."""


def read_labelled(path: Path, *, neutral: Neutral = "right") -> list[LabelledSteps]:
    """Read a file of labelled steps; the columns of each row tell which format it has.

    Args:
        path: a .jsonl file, or any other that a task's `data:` can read.
        neutral: what PRM800K's rating 0 counts as.

    Raises:
        DataError: the file is missing or empty, or rows have none of the formats or labels that do not match
            their steps; all such rows are named at once.
    """
    if not path.exists():
        raise DataError(f"{path}: there is no such file of labelled steps; `markscheme label` writes one")
    rows: list[LabelledSteps] = []
    errors: list[str] = []
    for place, row in read_rows(path):
        try:
            rows.append(labelled(row, neutral=neutral))
        except DataError as error:
            errors.append(f"{place}: {error}")
    if errors:
        raise DataError(f"{len(errors)} row(s) cannot be read as labelled steps:\n{first_of(errors)}")
    if not rows:
        raise DataError(f"{path}: the file has no rows; expected one labelled completion per line")
    return rows


def labelled(row: Mapping[str, Any], *, neutral: Neutral = "right") -> LabelledSteps:
    """Return the labelled steps of a row in any of the three formats.

    TRL: `prompt`, `completions` (the steps) and `labels`; `shares`, where a row has them, take the place of
    the labels. PRM800K: `question` and `label: {steps}`. Math-Shepherd: `input` and `label`, two texts.

    Raises:
        DataError: the row has none of these formats, or a part of it is not as the format has it.
    """
    if {"prompt", "completions", "labels"} <= set(row):
        return _from_trl(row)
    if isinstance(row.get("question"), Mapping) and isinstance(row.get("label"), Mapping):
        try:
            return _from_prm800k(row, neutral)
        except (LookupError, TypeError, AttributeError) as error:
            raise DataError(
                "expected a PRM800K row, but its steps are not as PRM800K has them"
                f" ({type(error).__name__}: {error})"
            ) from error
    if isinstance(row.get("input"), str) and isinstance(row.get("label"), str):
        return _from_math_shepherd(row["input"], row["label"])
    raise DataError(
        "expected `prompt, completions, labels` (TRL), `question, label` (PRM800K) or `input, label`"
        f" (Math-Shepherd); the row has: {', '.join(map(str, row))}"
    )


def _checked(prompt: Any, steps: Sequence[Any], labels: Sequence[float | None]) -> LabelledSteps:
    """Return the labelled steps, if the texts are texts and there is one label per step."""
    if not isinstance(prompt, str) or not all(isinstance(step, str) and step.strip() for step in steps):
        raise DataError("the prompt and every step must be text that is not empty")
    if len(steps) != len(labels):
        raise DataError(f"expected one label per step (given: {len(steps)} steps and {len(labels)} labels)")
    if not steps:
        raise DataError("the row has no steps")
    return LabelledSteps(prompt, tuple(steps), tuple(labels))


def _from_trl(row: Mapping[str, Any]) -> LabelledSteps:
    steps, labels = row["completions"], row.get("shares") or row["labels"]
    if not isinstance(steps, list) or not isinstance(labels, list):
        raise DataError("`completions` and `labels` must be lists with one entry per step")
    return _checked(row["prompt"], steps, [_probability(label) for label in labels])


def _probability(label: Any) -> float | None:
    """Return a label as a probability; None for null and -100, which a cast to bool would make right."""
    if label is None or label == IGNORED:
        return None
    if isinstance(label, bool | int | float) and 0 <= label <= 1:
        return float(label)
    raise DataError(f"a label must be true, false, a number from 0 to 1, or null (given: {label!r})")


def _from_prm800k(row: Mapping[str, Any], neutral: Neutral) -> LabelledSteps:
    """Return the steps that the labeller went on with, and the last one where none was good enough."""
    of_neutral = {"right": 1.0, "wrong": 0.0, "skip": None}[neutral]
    label_of_rating = {1: 1.0, -1: 0.0, 0: of_neutral, None: None}
    steps, labels = [], []
    for step in row["label"].get("steps") or ():
        written = step.get("human_completion")
        chosen = step.get("chosen_completion")
        taken = _taken_completion(step)
        if taken is None:
            break
        # The labeller's own step counts as right if it has no rating.
        rating = taken.get("rating", 1 if written else None)
        if rating not in label_of_rating:
            raise DataError(f"a rating of PRM800K must be -1, 0 or 1 (given: {rating!r})")
        steps.append(taken["text"])
        labels.append(label_of_rating[rating])
        if chosen is None and not written:
            break  # no completion was good enough to go on with
    return _checked(row["question"].get("problem"), steps, labels)


def _taken_completion(step: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the completion of a PRM800K step: the labeller's own, the chosen one, or the first one."""
    offered = step.get("completions") or []
    chosen = step.get("chosen_completion")
    if step.get("human_completion"):
        return step["human_completion"]
    if chosen is not None:
        return offered[chosen]
    return offered[0] if offered else None


_STEP_END = "ки"
"""Math-Shepherd's text at the end of every step of `input`."""


def _from_math_shepherd(text: str, marked: str) -> LabelledSteps:
    """Return the steps of `QUESTION Step 1: ... ки Step 2: ... ки`.

    `marked` is the same text with `+` (right) or `-` (wrong) in the place of each `ки`.
    """
    pieces = text.split(_STEP_END)
    labels = []
    at = 0
    for piece in pieces[:-1]:
        begin, at = at, at + len(piece)
        sign = marked[at : at + 1]
        if marked[begin:at] != piece or sign not in ("+", "-"):
            near = marked[max(at - 9, 0) : at + 9]
            raise DataError(
                f"`label` must be `input` with + or - in the place of each {_STEP_END}; it is not so at"
                f" {near!r}"
            )
        labels.append(1.0 if sign == "+" else 0.0)
        at += 1
    start = pieces[0].rfind("Step 1:")
    if start < 0:
        raise DataError("the first step of a Math-Shepherd row must begin with `Step 1:`; this row has none")
    steps = [pieces[0][start:], *pieces[1:-1]]
    return _checked(pieces[0][:start].strip(), [step.strip() for step in steps], labels)
