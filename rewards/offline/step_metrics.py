"""Measures of how well marks of steps agree with labels: pure functions, without a model or torch.

A mark is a number from 0 to 1, or None for a step that was not judged. A label is True for a right step,
False for a wrong one, or None for a step that was not labelled.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ...sandbox.errors import DataError

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
    labelled = [
        (mark, label)
        for marks, row in zip(scores, labels, strict=True)
        for mark, label in zip(marks, row, strict=True)
        if label is not None
    ]
    pairs = [(mark, label) for mark, label in labelled if mark is not None]
    predicted_firsts, labelled_firsts = [], []
    for marks, row in zip(scores, labels, strict=True):
        if any(label is not None for label in row):
            marked_right = [None if mark is None else mark >= threshold for mark in marks]
            predicted_firsts.append(first_error(marked_right))
            labelled_firsts.append(first_error(row))
    erroneous, correct = first_error_shares(predicted_firsts, labelled_firsts)
    return StepMetrics(
        steps=len(pairs),
        unmarked=len(labelled) - len(pairs),
        balanced_accuracy=balanced_accuracy([(mark >= threshold, label) for mark, label in pairs]),
        first_error_f1=f1(erroneous, correct),
        erroneous=erroneous,
        correct=correct,
        auroc=auroc(pairs),
        ece=ece(pairs),
    )


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


def first_error_shares(predicted: Sequence[int], labels: Sequence[int]) -> tuple[float | None, float | None]:
    """Return ProcessBench's accuracies on erroneous and on correct solutions; None if there are none.

    Args:
        predicted: the index of each solution's first step that is marked wrong.
        labels: the index of each solution's first step that is labelled wrong.
    """
    pairs = list(zip(predicted, labels, strict=True))
    erroneous = [guess == label for guess, label in pairs if label != NO_ERROR]
    correct = [guess == label for guess, label in pairs if label == NO_ERROR]
    return _share(erroneous), _share(correct)


def _share(hits: Sequence[bool]) -> float | None:
    """Return the share of hits, 0 to 1; None for an empty sequence."""
    return sum(hits) / len(hits) if hits else None


def f1(erroneous: float | None, correct: float | None) -> float | None:
    """Return the harmonic mean of two shares; 0 if both are 0, None if one is missing."""
    if erroneous is None or correct is None:
        return None
    return 2 * erroneous * correct / (erroneous + correct) if erroneous + correct else 0.0


def balanced_accuracy(pairs: Sequence[tuple[bool, bool]]) -> float | None:
    """Return the mean of the accuracies on right and on wrong steps; None if one kind is missing.

    Args:
        pairs: for each step, whether it is marked right and whether it is labelled right.
    """
    on_right = _share([marked for marked, label in pairs if label])
    on_wrong = _share([not marked for marked, label in pairs if not label])
    return None if on_right is None or on_wrong is None else (on_right + on_wrong) / 2


def auroc(pairs: Sequence[tuple[float, bool]]) -> float | None:
    """Return the area under the ROC curve of (mark, label) pairs; None if all labels are the same.

    Computed from ranks, as the Mann-Whitney U statistic over the number of right-wrong pairs; tied marks
    share their mean rank.
    """
    positives = sum(label for _, label in pairs)
    negatives = len(pairs) - positives
    if not positives or not negatives:
        return None
    ordered = sorted(pairs, key=lambda pair: pair[0])
    rank_sum = 0.0  # of the right steps, with ranks counted from 1
    begin = 0
    while begin < len(ordered):
        end = begin
        while end < len(ordered) and ordered[end][0] == ordered[begin][0]:
            end += 1
        mean_rank = (begin + 1 + end) / 2
        rank_sum += mean_rank * sum(label for _, label in ordered[begin:end])
        begin = end
    return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)


def ece(pairs: Sequence[tuple[float, bool]], bins: int = 10) -> float | None:
    """Return the expected calibration error of (mark, label) pairs; None if there are none.

    The sum over bins b of n_b / n |accuracy_b - mean mark_b| (arXiv 1706.04599, equation 3), with bins of
    equal width; the mark is taken as the confidence that the step is right.
    """
    if not pairs:
        return None
    binned: dict[int, list[tuple[float, bool]]] = {}
    for mark, label in pairs:
        binned.setdefault(min(int(mark * bins), bins - 1), []).append((mark, label))
    # n_b cancels out: n_b |accuracy_b - mean mark_b| is the difference of the two sums.
    gaps = [
        abs(math.fsum(mark for mark, _ in members) - sum(label for _, label in members))
        for members in binned.values()
    ]
    return math.fsum(gaps) / len(pairs)
