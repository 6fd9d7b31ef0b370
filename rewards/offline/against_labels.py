"""How good marks are against labels: confusion, error rates by stratum, ranking and calibration of values."""

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .measures import Bin, Rate, auroc, calibration, ece, mean_rate, rate
from .table import Floats, Integers, ScoreTable

DIFFICULTY = ("none right", "up to 1/4", "up to 1/2", "up to 3/4", "below all", "all right")
"""Strata of groups by the share that is right by its labels."""


@dataclass(frozen=True)
class ErrorRates:
    """Errors of the marks of some rows; rows that were not judged count in none of the rates."""

    rows: int
    false_positive: Rate
    """Of the completions that are wrong by their labels, the share that is marked right."""
    false_negative: Rate
    """Of the right ones, the share that is marked wrong."""
    weighted_false_positive: Rate
    """The same, each row weighted by its |advantage|: what a training would feel of it."""
    weighted_false_negative: Rate
    wrong_sign: Rate
    """Share of all |advantage| that is on wrong completions with a positive one or on right ones with a
    negative one."""


@dataclass(frozen=True)
class AgainstLabels:
    """Marks and values compared with labels. A measure is None where it would divide by zero."""

    labelled: int
    confusion: Mapping[str, Mapping[str, int]]
    """By label (`right`, `wrong`), how many are marked `right`, `wrong` and `undecided`."""
    all: ErrorRates
    by_difficulty: Mapping[str, ErrorRates]
    by_stratum: Mapping[str, ErrorRates]
    """By the column that `--by` names."""
    differing: list[int]
    """Rows whose mark is not the label, by falling |advantage|."""
    auroc: float | None
    """Probability that a right completion has a higher value than a wrong one; ties count half."""
    pairs: Rate
    """The same among the completions of one group: the mean over groups."""
    best_of: Rate
    """Share of groups, with right and wrong in them, in which a right one has the highest value; if several
    have it, the share of these that is right."""
    pairs_by_stratum: Mapping[str, Rate]
    best_of_by_stratum: Mapping[str, Rate]
    ece: float | None
    """Expected calibration error of values within [0, 1]; None for others."""
    curve: list[Bin] = field(default_factory=list)
    ties: float | None = None
    """The score of RewardBench 2's subset Ties; None if there are no such rows."""


def against_labels(table: ScoreTable) -> AgainstLabels | None:
    """Compare a table's marks and values with its labels; None if no row has a label."""
    known = table.label >= 0
    if not known.any():
        return None
    advantages = table.advantages()
    difficulty = _difficulty(table)
    groups = {name: difficulty == i for i, name in enumerate(DIFFICULTY) if (difficulty == i).any()}
    strata = {name: table.stratum == i for i, name in enumerate(table.strata)}
    differs = known & (table.mark >= 0) & (table.mark != table.label)
    order = np.argsort(-np.abs(advantages[differs]), kind="stable")
    ranked = _Ranked.of(table)
    valued = known & np.isfinite(table.value)
    values, labels = table.value[valued], table.label[valued] == 1
    calibrated = len(values) > 0 and values.min() >= 0 and values.max() <= 1
    return AgainstLabels(
        labelled=int(known.sum()),
        confusion={
            name: {
                marked: int(((table.label == label) & (table.mark == mark)).sum())
                for marked, mark in (("right", 1), ("wrong", 0), ("undecided", -1))
            }
            for name, label in (("right", 1), ("wrong", 0))
        },
        all=error_rates(table, advantages, known),
        by_difficulty={name: error_rates(table, advantages, rows & known) for name, rows in groups.items()},
        by_stratum={name: error_rates(table, advantages, rows & known) for name, rows in strata.items()},
        differing=np.flatnonzero(differs)[order].tolist(),
        auroc=auroc(values, labels),
        pairs=ranked.pairs(),
        best_of=ranked.best_of(),
        pairs_by_stratum={name: ranked.pairs(i) for i, name in enumerate(table.strata)},
        best_of_by_stratum={name: ranked.best_of(i) for i, name in enumerate(table.strata)},
        ece=ece(values, labels) if calibrated else None,
        curve=calibration(values, labels) if calibrated else [],
        ties=_ties_score(table),
    )


def error_rates(table: ScoreTable, advantages: Floats, rows: NDArray[np.bool_]) -> ErrorRates:
    """Return the error rates of some rows."""
    judged = rows & (table.mark >= 0)
    weights = np.abs(advantages)

    def of(label: int, *, weighted: bool) -> Rate:
        chosen = judged & (table.label == label)
        hits = table.mark[chosen] != label
        return rate(hits, table.problem[chosen], weights[chosen] if weighted else None)

    moved = judged & (advantages != 0)
    wrong_sign = (advantages > 0) != (table.label == 1)
    return ErrorRates(
        int(rows.sum()),
        of(0, weighted=False),
        of(1, weighted=False),
        of(0, weighted=True),
        of(1, weighted=True),
        rate(wrong_sign[moved], table.problem[moved], weights[moved]),
    )


def _difficulty(table: ScoreTable) -> Integers:
    """Return the stratum of `DIFFICULTY` of each row's group, by its labels; -1 where none has a label."""
    known = table.label >= 0
    labelled = np.bincount(table.group, known, table.groups)
    right = np.bincount(table.group, table.label == 1, table.groups)
    share = np.divide(right, labelled, out=np.zeros(table.groups), where=labelled > 0)
    stratum = np.ceil(share * 4).astype(int)
    stratum[share == 1] = len(DIFFICULTY) - 1
    stratum[labelled == 0] = -1
    return stratum[table.group]


@dataclass(frozen=True)
class _Ranked:
    """For every group with right and wrong completions, how its values rank them."""

    won: Floats
    """Share of its right-wrong pairs in which the right one has the higher value; ties count half."""
    best: Floats
    """Probability that a completion of the highest value, drawn at random, is right."""
    stratum: Integers

    @classmethod
    def of(cls, table: ScoreTable) -> "_Ranked":
        rows = np.flatnonzero((table.label >= 0) & np.isfinite(table.value))
        rows = rows[np.argsort(table.group[rows], kind="stable")]
        bounds = np.append(np.flatnonzero(np.diff(table.group[rows], prepend=-1)), len(rows))
        won, best, stratum = array("d"), array("d"), array("h")
        for start, end in pairwise(bounds.tolist()):
            members = rows[start:end]
            values, labels = table.value[members], table.label[members] == 1
            area = auroc(values, labels)
            if area is not None:
                won.append(area)
                best.append(labels[values == values.max()].mean())
                stratum.append(int(table.stratum[members[0]]))
        return cls(np.array(won), np.array(best), np.array(stratum, int))

    def pairs(self, stratum: int | None = None) -> Rate:
        return mean_rate(self.won if stratum is None else self.won[self.stratum == stratum])

    def best_of(self, stratum: int | None = None) -> Rate:
        return mean_rate(self.best if stratum is None else self.best[self.stratum == stratum])


def _ties_score(table: ScoreTable) -> float | None:
    """Return RewardBench 2's score of its subset Ties (arXiv 2506.01937, appendix), from 0 to 1.01.

    Each prompt comes with one right answer (`ref:N`) and with several (`tied:N`). The score is .3 of each
    accuracy (every right answer above every wrong one), .2 of the share of prompts whose right answers differ
    by less than they are above the wrong ones, .2 of the same with the smaller margin of the two rows, and
    .01 of the mean tanh(smaller margin / spread - 1), where right answers differ at all.
    """
    margins: dict[str, dict[int, tuple[float, float]]] = {"ref": {}, "tied": {}}
    for group, name in table.ids.items():
        kind, _, number = name.partition(":")
        members = table.group == group
        right, wrong = (table.value[members & (table.label == label)] for label in (1, 0))
        if len(right) and len(wrong) and np.isfinite([*right, *wrong]).all():
            margins[kind][int(number)] = (float(right.min() - wrong.max()), float(right.max() - right.min()))
    both = sorted(margins["ref"].keys() & margins["tied"].keys())
    if not both:
        return None
    accuracy = [np.mean([margin > 0 for margin, _ in margins[kind].values()]) for kind in ("ref", "tied")]
    tied, spread = np.array([margins["tied"][number] for number in both]).T
    smaller = np.minimum(tied, [margins["ref"][number][0] for number in both])
    preferred, hard = (tied > spread).mean(), (smaller > spread).mean()
    ratios = (smaller / np.where(spread > 0, spread, np.inf))[spread > 0]
    bonus = np.tanh(ratios - 1).mean() if len(ratios) else 0.0
    return float(0.3 * sum(accuracy) + 0.2 * preferred + 0.2 * hard + 0.01 * bonus)
