"""Labelled steps to train a process reward model on: TRL's rows, PRM800K's, Math-Shepherd's, and ours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ...sandbox.errors import DataError, first_of
from ...tasks.row_files import read_rows

Neutral = Literal["right", "wrong", "skip"]
IGNORED = -100
"""The field's mark of a position without a label."""


@dataclass(frozen=True)
class LabelledSteps:
    """A prompt, the steps of an answer, and what is known of each."""

    prompt: str
    steps: tuple[str, ...]
    labels: tuple[float | None, ...]
    """Chance that the step is right: 1 and 0, or a share between; None = not known."""


def read_labelled(path: Path, *, neutral: Neutral = "right") -> list[LabelledSteps]:
    """Read a file of labelled steps; each row's own columns say which kind it is.

    Args:
        path: JSONL (or what else tasks read).
        neutral: what PRM800K's rating 0 counts as.

    Raises:
        DataError: rows of no known kind, or with another number of labels than of steps; all of them at
            once.
    """
    if not path.exists():
        raise DataError(f"{path}: there is no such file of labelled steps")
    found: list[LabelledSteps] = []
    errors: list[str] = []
    for place, row in read_rows(path):
        try:
            found.append(labelled(row, neutral=neutral))
        except DataError as error:
            errors.append(f"{place}: {error}")
    if errors:
        raise DataError(f"{len(errors)} row(s) are no labelled steps:\n{first_of(errors)}")
    if not found:
        raise DataError(f"{path}: has no rows")
    return found


def labelled(row: Mapping[str, Any], *, neutral: Neutral = "right") -> LabelledSteps:
    """Return a row's labelled steps.

    `{prompt, completions, labels}` is TRL's; `shares`, where it has them, are Monte-Carlo estimates.
    `{question, label: {steps}}` is PRM800K's, `{input, label}` Math-Shepherd's.

    Raises:
        DataError: the row is of none of these kinds, or its parts do not fit.
    """
    if {"prompt", "completions", "labels"} <= set(row):
        return _plain(row)
    if isinstance(row.get("question"), Mapping) and isinstance(row.get("label"), Mapping):
        try:
            return _prm800k(row, neutral)
        except (LookupError, TypeError, AttributeError) as error:
            raise DataError(
                f"a PRM800K row whose steps are not as PRM800K's ({type(error).__name__}: {error})"
            ) from error
    if isinstance(row.get("input"), str) and isinstance(row.get("label"), str):
        return _math_shepherd(row["input"], row["label"])
    raise DataError(
        "expected `prompt, completions, labels` (TRL), `question, label` (PRM800K) or `input, label`"
        f" (Math-Shepherd); the row has: {', '.join(map(str, row))}"
    )


def _made(prompt: Any, steps: Sequence[Any], labels: Sequence[float | None]) -> LabelledSteps:
    if not isinstance(prompt, str) or not all(isinstance(step, str) and step.strip() for step in steps):
        raise DataError("the prompt and every step must be text that is not empty")
    if len(steps) != len(labels):
        raise DataError(f"{len(steps)} steps and {len(labels)} labels; nothing is shifted to fit")
    if not steps:
        raise DataError("there are no steps")
    return LabelledSteps(prompt, tuple(steps), tuple(labels))


def _plain(row: Mapping[str, Any]) -> LabelledSteps:
    steps, labels = row["completions"], row.get("shares") or row["labels"]
    if not isinstance(steps, list) or not isinstance(labels, list):
        raise DataError("`completions` and `labels` must be lists, one entry a step")
    return _made(row["prompt"], steps, [_chance(label) for label in labels])


def _chance(label: Any) -> float | None:
    """Read a label; -100 and null are none (a cast to bool would make them right)."""
    if label is None or label == IGNORED:
        return None
    if isinstance(label, bool | int | float) and 0 <= label <= 1:
        return float(label)
    raise DataError(f"a label is true, false, a share from 0 to 1, or null (given: {label!r})")


def _prm800k(row: Mapping[str, Any], neutral: Neutral) -> LabelledSteps:
    meaning = {1: 1.0, -1: 0.0, 0: {"right": 1.0, "wrong": 0.0, "skip": None}[neutral], None: None}
    steps, labels = [], []
    for step in row["label"].get("steps") or ():
        offered = step.get("completions") or ()
        chosen = step.get("chosen_completion")
        taken = step.get("human_completion") or (offered[chosen] if chosen is not None else None)
        taken = taken or (offered[0] if offered else None)
        if taken is None:
            break
        rating = taken.get("rating", 1 if step.get("human_completion") else None)
        if rating not in meaning:
            raise DataError(f"a rating of PRM800K is -1, 0 or 1 (given: {rating!r})")
        steps.append(taken["text"])
        labels.append(meaning[rating])
        if chosen is None and not step.get("human_completion"):
            break  # nothing was chosen to go on with
    return _made(row["question"].get("problem"), steps, labels)


_STEP_END = "ки"


def _math_shepherd(text: str, marked: str) -> LabelledSteps:
    """Read `question Step 1: ... ки` with its twin, in which `+` or `-` stands for each `ки`."""
    pieces, labels, at = text.split(_STEP_END), [], 0
    for piece in pieces[:-1]:
        at += len(piece)
        sign = marked[at : at + 1]
        if marked[at - len(piece) : at] != piece or sign not in ("+", "-"):
            raise DataError(
                f"`label` is not `input` with + or - for each {_STEP_END}: at {marked[at - 9 : at + 9]!r}"
            )
        labels.append(1.0 if sign == "+" else 0.0)
        at += 1
    start = pieces[0].rfind("Step 1:")
    if start < 0:
        raise DataError("Math-Shepherd's first step begins with `Step 1:`; this row has none")
    steps = [pieces[0][start:], *pieces[1:-1]]
    return _made(pieces[0][:start].strip(), [step.strip() for step in steps], labels)
