"""How good are marks of steps? The field's measures, as pure functions; no model, no torch."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ...sandbox.errors import DataError

Labels = Sequence[Sequence[bool | None]]
Scores = Sequence[Sequence[float | None]]
NO_ERROR = -1
"""ProcessBench's label of a solution without a wrong step."""


@dataclass(frozen=True)
class StepMetrics:
    """Marks against labels. None where there is nothing to divide by."""

    steps: int
    """Steps with a label and a mark."""
    unmarked: int
    """Steps with a label and without a mark: they count in nothing else but `first_error_f1`."""
    balanced_accuracy: float | None
    """Mean of the shares of right steps and of wrong steps that are told so."""
    first_error_f1: float | None
    """ProcessBench's (arXiv 2412.06559): harmonic mean of `erroneous` and `correct`."""
    erroneous: float | None
    """Share of solutions with a wrong step whose first wrong one is found exactly."""
    correct: float | None
    """Share of solutions without one in which none is found."""
    auroc: float | None
    """Chance that a right step is marked above a wrong one; ties count half."""
    ece: float | None
    """Expected calibration error, in 10 bins of equal width."""

    def as_dict(self) -> dict[str, float | int | None]:
        """Return the figures by name."""
        return asdict(self)


def step_metrics(scores: Scores, labels: Labels, *, threshold: float = 0.5) -> StepMetrics:
    """Compare marks (0 to 1, None = not marked) with labels (None = not labelled).

    Args:
        scores: one list a solution.
        labels: likewise, of the same steps.
        threshold: from which mark on a step is told right.

    Raises:
        DataError: another number of solutions, or of steps in one: nothing is shifted to fit.
    """
    if len(scores) != len(labels):
        raise DataError(f"marks of {len(scores)} solutions and labels of {len(labels)}")
    for i, (row, wanted) in enumerate(zip(scores, labels, strict=True)):
        if len(row) != len(wanted):
            raise DataError(f"solution {i + 1} has {len(row)} marks and {len(wanted)} labels of steps")
        if bad := [mark for mark in row if mark is not None and not 0 <= mark <= 1]:  # NaN too
            raise DataError(f"solution {i + 1}: a mark is a number from 0 to 1 (given: {bad[0]!r})")
    labelled = [
        (mark, label)
        for row, wanted in zip(scores, labels, strict=True)
        for mark, label in zip(row, wanted, strict=True)
        if label is not None
    ]
    pairs = [(mark, label) for mark, label in labelled if mark is not None]
    told = [[None if m is None else m >= threshold for m in row] for row in scores]
    known = [(guess, row) for guess, row in zip(told, labels, strict=True) if any(x is not None for x in row)]
    erroneous, correct = first_error_shares(
        [first_error(guess) for guess, _ in known], [first_error(row) for _, row in known]
    )
    return StepMetrics(
        steps=len(pairs),
        unmarked=len(labelled) - len(pairs),
        balanced_accuracy=balanced_accuracy([(m >= threshold, label) for m, label in pairs]),
        first_error_f1=f1(erroneous, correct),
        erroneous=erroneous,
        correct=correct,
        auroc=auroc(pairs),
        ece=ece(pairs),
    )


def labels_of(given: Any, steps: int) -> list[bool | None] | str:
    """Return a row's labels of its steps, or what is wrong with them.

    Args:
        given: one true, false or null a step; or the index of the first wrong step, -1 for none
            (ProcessBench's), behind which nothing is labelled.
        steps: how many there are.
    """
    if isinstance(given, list) and all(label is None or isinstance(label, bool) for label in given):
        return given if len(given) == steps else f"has {len(given)} labels for {steps} steps (see `split:`)"
    if isinstance(given, int) and not isinstance(given, bool):
        if not NO_ERROR <= given < steps:
            return f"is {given}, and there are {steps} steps (see `split:`)"
        behind: list[bool | None] = [None] * (steps - given - 1)
        return [*[True] * steps] if given == NO_ERROR else [*[True] * given, False, *behind]
    return f"must be a list of true, false and null, or the index of the first wrong step (given: {given!r})"


def first_error(marks: Sequence[bool | None]) -> int:
    """Return the 0-based index of the first wrong step, or -1."""
    return next((i for i, mark in enumerate(marks) if mark is False), NO_ERROR)


def first_error_shares(predicted: Sequence[int], labels: Sequence[int]) -> tuple[float | None, float | None]:
    """Return ProcessBench's two accuracies, of erroneous and of correct solutions; None without any."""
    hits: dict[bool, list[bool]] = {True: [], False: []}
    for guess, label in zip(predicted, labels, strict=True):
        hits[label == NO_ERROR].append(guess == label)
    erroneous, correct = (sum(h) / len(h) if h else None for h in (hits[False], hits[True]))
    return erroneous, correct


def f1(erroneous: float | None, correct: float | None) -> float | None:
    """Return the harmonic mean; 0 where both are 0, None where one is missing."""
    if erroneous is None or correct is None:
        return None
    return 2 * erroneous * correct / (erroneous + correct) if erroneous + correct else 0.0


def balanced_accuracy(pairs: Sequence[tuple[bool, bool]]) -> float | None:
    """Return the mean of the two classes' accuracies, from (told, is) pairs; None where one is missing."""
    right = [told for told, label in pairs if label]
    wrong = [not told for told, label in pairs if not label]
    return (sum(right) / len(right) + sum(wrong) / len(wrong)) / 2 if right and wrong else None


def auroc(pairs: Sequence[tuple[float, bool]]) -> float | None:
    """Return the area under the ROC curve, by ranks (Mann-Whitney); None where a class is missing."""
    positives = sum(label for _, label in pairs)
    negatives = len(pairs) - positives
    if not positives or not negatives:
        return None
    ordered = sorted(pairs, key=lambda pair: pair[0])
    ranks, begin = 0.0, 0
    while begin < len(ordered):
        end = begin
        while end < len(ordered) and ordered[end][0] == ordered[begin][0]:
            end += 1
        ranks += (begin + 1 + end) / 2 * sum(label for _, label in ordered[begin:end])
        begin = end
    return (ranks - positives * (positives + 1) / 2) / (positives * negatives)


def ece(pairs: Sequence[tuple[float, bool]], bins: int = 10) -> float | None:
    """Return sum_b n_b/n |accuracy_b - confidence_b| over bins of the mark (arXiv 1706.04599, eq. 3)."""
    if not pairs:
        return None
    binned: dict[int, list[tuple[float, bool]]] = {}
    for mark, label in pairs:
        binned.setdefault(min(int(mark * bins), bins - 1), []).append((mark, label))
    gaps = (abs(math.fsum(m for m, _ in b) - sum(label for _, label in b)) for b in binned.values())
    return math.fsum(gaps) / len(pairs)
