"""Measures of how well marks of steps agree with labels: pure functions, without a model or torch.

A mark is a number from 0 to 1, or None for a step that was not judged. A label is True for a right step,
False for a wrong one, or None for a step that was not labelled.
"""

from array import array
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ...sandbox.errors import DataError
from .measures import auroc, balanced_accuracy, ece, f1

Labels = Sequence[Sequence[bool | None]]
Scores = Sequence[Sequence[float | None]]
NO_ERROR = -1
"""ProcessBench's label of a solution that has no wrong step."""


@dataclass(frozen=True)
class StepMetrics:
    """The agreement of marks with labels. A measure is None if it would divide by zero."""

    steps: int
    """Number of steps with a label and a mark."""
    unmarked: int
    """Number of steps with a label but no mark; only the measures of first errors count them."""
    balanced_accuracy: float | None
    """Mean of the share of right steps that are marked right and the share of wrong steps marked wrong."""
    first_error_f1: float | None
    """ProcessBench's F1 (arXiv 2412.06559): the harmonic mean of `erroneous` and `correct`."""
    erroneous: float | None
    """Among solutions with a wrong step, the share whose first wrong step is found exactly."""
    correct: float | None
    """Among solutions without a wrong step, the share in which none is found."""
    auroc: float | None
    """Probability that a right step is marked higher than a wrong one; ties count half."""
    ece: float | None
    """Expected calibration error, over 10 bins of equal width."""

    def as_dict(self) -> dict[str, float | int | None]:
        """Return the measures by name."""
        return asdict(self)


class StepTally:
    """Collects the marks and labels of solutions one by one, in a few bytes per step."""

    def __init__(self, threshold: float = 0.5):
        self._threshold = threshold
        self._marks, self._labels = array("d"), array("b")
        self._unmarked = 0
        self._found: list[int] = [0, 0]
        """Solutions, without and with a wrong step, of which the first wrong step (or none) was found."""
        self._solutions: list[int] = [0, 0]

    def add(self, marks: Sequence[float | None], labels: Sequence[bool | None]) -> None:
        """Add a solution, with a mark and a label for each of its steps."""
        for mark, label in zip(marks, labels, strict=True):
            if label is not None and mark is not None:
                self._marks.append(mark)
                self._labels.append(label)
            self._unmarked += label is not None and mark is None
        if any(label is not None for label in labels):
            marked = [None if mark is None else mark >= self._threshold for mark in marks]
            is_erroneous = first_error(labels) != NO_ERROR
            self._solutions[is_erroneous] += 1
            self._found[is_erroneous] += first_error(marked) == first_error(labels)

    def result(self) -> StepMetrics:
        """Return the measures over all solutions so far."""
        marks, labels = np.array(self._marks), np.array(self._labels, bool)
        correct, erroneous = (
            found / count if count else None
            for found, count in zip(self._found, self._solutions, strict=True)
        )
        return StepMetrics(
            steps=len(marks),
            unmarked=self._unmarked,
            balanced_accuracy=balanced_accuracy(marks >= self._threshold, labels),
            first_error_f1=f1(erroneous, correct),
            erroneous=erroneous,
            correct=correct,
            auroc=auroc(marks, labels),
            ece=ece(marks, labels),
        )


def step_metrics(scores: Scores, labels: Labels, *, threshold: float = 0.5) -> StepMetrics:
    """Compare the marks of steps with their labels.

    Args:
        scores: one list of marks per solution.
        labels: one list of labels per solution, of the same steps.
        threshold: the lowest mark with which a step counts as marked right.

    Raises:
        DataError: the numbers of solutions, or of steps in one of them, differ, or a mark is not from 0 to 1.
    """
    _check(scores, labels)
    tally = StepTally(threshold)
    for marks, row in zip(scores, labels, strict=True):
        tally.add(marks, row)
    return tally.result()


def _check(scores: Scores, labels: Labels) -> None:
    if len(scores) != len(labels):
        raise DataError(
            f"there are marks of {len(scores)} solutions and labels of {len(labels)}; expected both of every"
            " solution"
        )
    for number, (marks, row) in enumerate(zip(scores, labels, strict=True), 1):
        if len(marks) != len(row):
            raise DataError(
                f"solution {number} has {len(marks)} marks and {len(row)} labels of steps; expected both of"
                " every step"
            )
        wrong = [mark for mark in marks if mark is not None and not 0 <= mark <= 1]  # NaN too
        if wrong:
            raise DataError(f"solution {number}: a mark must be a number from 0 to 1 (given: {wrong[0]!r})")


def labels_of(given: Any, steps: int) -> list[bool | None] | str:
    """Return one label per step from what a row has, or a text that says why it cannot be used.

    Args:
        given: a list with true, false or null per step; or, as in ProcessBench, the index of the first wrong
            step (steps after it are not labelled), or -1 if all are right.
        steps: the number of steps.
    """
    if isinstance(given, list) and all(label is None or isinstance(label, bool) for label in given):
        if len(given) != steps:
            return (
                f"has {len(given)} labels for {steps} steps; set `split:` to how the labelled text was split"
            )
        return given
    if isinstance(given, int) and not isinstance(given, bool):
        if not NO_ERROR <= given < steps:
            return f"is {given}, and there are {steps} steps; set `split:` to how the labelled text was split"
        if given == NO_ERROR:
            return [True for _ in range(steps)]
        return [*[True] * given, False, *[None] * (steps - given - 1)]
    return f"must be a list of true, false and null, or the index of the first wrong step (given: {given!r})"


def first_error(marks: Sequence[bool | None]) -> int:
    """Return the index of the first wrong step, counted from 0; `NO_ERROR` if there is none."""
    return next((i for i, mark in enumerate(marks) if mark is False), NO_ERROR)
