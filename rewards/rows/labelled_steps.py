"""Reading labelled steps, from which a process reward model learns: rows of TRL, PRM800K and Math-Shepherd.

The rows that `markscheme label` writes have TRL's format, and may have one more column, `shares`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ...sandbox.errors import DataError, first_of
from ...tasks.rows.row_files import read_rows
from .scores import refuse_kind

Neutral = Literal["right", "wrong", "skip"]
"""How PRM800K's rating 0 is read; `skip` leaves the step without a label."""
IGNORED = -100
"""The label of positions without a label in PyTorch and TRL."""


@dataclass(frozen=True)
class LabelledSteps:
    """A prompt, the steps that answer it, and a label for each step."""

    prompt: str
    steps: tuple[str, ...]
    labels: tuple[float | None, ...]
    """Probability that the step is right: 1, 0 or a number between; None = not known."""


def read_labelled(path: Path, *, neutral: Neutral = "right") -> list[LabelledSteps]:
    """Read a file of labelled steps. The format of each row is recognised by its columns.

    Args:
        path: a .jsonl file, or any other that a task's `data:` can read.
        neutral: how PRM800K's rating 0 is read.

    Raises:
        DataError: the file is missing or empty, or some rows have none of the formats, or labels that do not
            match their steps. All such rows are named at once.
    """
    if not path.exists():
        raise DataError(f"{path}: there is no such file of labelled steps; `markscheme label` writes one")
    rows: list[LabelledSteps] = []
    errors: list[str] = []
    for place, row in read_rows(path):
        if "header" in row:
            refuse_kind(row["header"], place, "`markscheme label TASK -o FILE` writes labelled steps")
            continue
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

    TRL: `prompt`, `completions` (the steps) and `labels`; `shares`, where a row has them, replace the labels.
    PRM800K: `question` and `label: {steps}`. Math-Shepherd: `input` and `label`, two texts.

    Raises:
        DataError: the row has none of these formats, or deviates from its format.
    """
    if {"prompt", "completions", "labels"} <= set(row):
        return _from_trl(row)
    if isinstance(row.get("question"), Mapping) and isinstance(row.get("label"), Mapping):
        try:
            return _from_prm800k(row, neutral)
        except (LookupError, TypeError, AttributeError) as error:
            raise DataError(
                f"the row's steps do not have PRM800K's form ({type(error).__name__}: {error}); expected"
                " `completions` with `text` and `rating`, and `chosen_completion`"
            ) from error
    if isinstance(row.get("input"), str) and isinstance(row.get("label"), str):
        return _from_math_shepherd(row["input"], row["label"])
    raise DataError(
        "expected `prompt, completions, labels` (TRL), `question, label` (PRM800K) or `input, label`"
        f" (Math-Shepherd); the row has: {', '.join(map(str, row))}"
    )


def _checked(prompt: Any, steps: Sequence[Any], labels: Sequence[float | None]) -> LabelledSteps:
    """Return the labelled steps, after checking that all texts are texts and each step has one label."""
    if not isinstance(prompt, str):
        raise DataError(f"the prompt must be a text (given: {prompt!r})")
    for step in steps:
        if not isinstance(step, str) or not step.strip():
            raise DataError(f"every step must be a text that is not empty (given: {step!r})")
    if len(steps) != len(labels):
        raise DataError(f"expected one label per step (given: {len(steps)} steps and {len(labels)} labels)")
    if not steps:
        raise DataError("the row has no steps; expected one or more")
    return LabelledSteps(prompt, tuple(steps), tuple(labels))


def _from_trl(row: Mapping[str, Any]) -> LabelledSteps:
    steps, labels = row["completions"], row.get("shares") or row["labels"]
    if not isinstance(steps, list) or not isinstance(labels, list):
        raise DataError("`completions` and `labels` must be lists with one entry per step")
    return _checked(row["prompt"], steps, [_probability(label) for label in labels])


def _probability(label: Any) -> float | None:
    """Return a label as a probability; None for null and -100, which bool() would turn into right."""
    if label is None or label == IGNORED:
        return None
    if isinstance(label, bool | int | float) and 0 <= label <= 1:
        return float(label)
    raise DataError(f"a label must be true, false, a number from 0 to 1, or null (given: {label!r})")


def _from_prm800k(row: Mapping[str, Any], neutral: Neutral) -> LabelledSteps:
    """Return the steps that the labeller chose, and at the end one that was not good enough to continue."""
    of_neutral = {"right": 1.0, "wrong": 0.0, "skip": None}[neutral]
    label_of_rating = {1: 1.0, -1: 0.0, 0: of_neutral, None: None}
    steps, labels = [], []
    for step in row["label"].get("steps") or ():
        offered = step.get("completions") or []
        own, chosen = step.get("human_completion"), step.get("chosen_completion")
        good_enough = bool(own) or chosen is not None
        if not good_enough and not offered:
            break
        if own:
            taken, unrated = own, 1  # the labeller's own step counts as right if it has no rating
        else:
            taken, unrated = offered[chosen or 0], None
        rating = taken.get("rating", unrated)
        if rating not in label_of_rating:
            raise DataError(f"a rating of PRM800K must be -1, 0 or 1 (given: {rating!r})")
        steps.append(taken["text"])
        labels.append(label_of_rating[rating])
        if not good_enough:
            break  # the solution was not continued from here
    return _checked(row["question"].get("problem"), steps, labels)


_STEP_END = "ки"
"""Math-Shepherd's mark at the end of every step of `input`."""


def _from_math_shepherd(text: str, marked: str) -> LabelledSteps:
    """Return the steps of `QUESTION Step 1: ... ки Step 2: ... ки`.

    `marked` is the same text with `+` (right) or `-` (wrong) in the place of each `ки`.
    """
    pieces = text.split(_STEP_END)
    labels = []
    begin = 0
    for piece in pieces[:-1]:
        end = begin + len(piece)
        sign = marked[end : end + 1]
        if marked[begin:end] != piece or sign not in ("+", "-"):
            near = marked[max(end - 9, 0) : end + 9]
            raise DataError(
                f"`label` must be `input` with + or - in the place of each {_STEP_END}; it is not so at"
                f" {near!r}"
            )
        labels.append(1.0 if sign == "+" else 0.0)
        begin = end + 1
    start = pieces[0].rfind("Step 1:")
    if start < 0:
        raise DataError("the first step of a Math-Shepherd row must begin with `Step 1:`; this row has none")
    steps = [pieces[0][start:], *pieces[1:-1]]
    return _checked(pieces[0][:start].strip(), [step.strip() for step in steps], labels)
