"""What the scores of groups would teach: which groups have a signal, and which entries it comes from."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .measures import Rate, rate
from .table import Floats, Integers, ScoreTable, centred_in_groups, group_advantages, varied

KINDS = ("all right", "all wrong", "mixed")
"""Kinds of groups, by the marks of their completions."""


@dataclass(frozen=True)
class Signal:
    """What a table's groups of two or more completions would teach."""

    groups: int
    kinds: Mapping[str, float]
    """Share of each of `KINDS`; groups with undecided marks are counted by their known ones."""
    varied: Rate
    """Share of the groups whose values differ, so that they have advantages."""
    abs_advantage: float
    """Mean |advantage| of a completion."""
    without: Mapping[str, float]
    """For each entry that counts: the share of groups whose values would differ without it."""
    attribution: Mapping[str, Mapping[str, float]]
    """By kind of group, the share of the advantages' variance that each entry is responsible for: the mean of
    cov(weight x value, score) / var(score) over the groups whose values differ. They add up to 1. Empty
    unless the entries are added up."""
    correlations: Mapping[str, Mapping[str, float]]
    """Correlation within groups, for the score and each entry, with `length`, `right` and other entries."""


def signal_of(table: ScoreTable) -> Signal | None:
    """Return the signal of a table's groups; None if no group has two completions with a value."""
    known = np.isfinite(table.value)
    sizes = np.bincount(table.group, known, table.groups)
    large = sizes >= 2
    if not large.any():
        return None
    rows = known & large[table.group]
    kind_of_group = _kinds(table)
    _, centred = centred_in_groups(np.where(known, table.value, 0.0), table.group, rows)
    is_varied = varied(table.value, table.group, rows)
    kinds = {name: float((kind_of_group[large] == i).mean()) for i, name in enumerate(KINDS)}
    advantages = group_advantages(table.value, table.group)
    is_sum = table.header.get("combine", "sum") == "sum"
    counted = {name: share for name, share in table.shares.items() if np.any(share != 0)} if is_sum else {}
    problem_of_group = np.zeros(table.groups, np.int64)
    problem_of_group[table.group] = table.problem
    return Signal(
        groups=int(large.sum()),
        kinds=kinds,
        varied=rate(is_varied[large], problem_of_group[large]),
        abs_advantage=float(np.abs(advantages[rows]).mean()),
        without={
            name: float(varied(_sum_without(counted, name), table.group, rows)[large].mean())
            for name in counted
        },
        attribution=_attribution(table, counted, centred, rows, is_varied, kind_of_group),
        correlations=_correlations(table, rows),
    )


def _kinds(table: ScoreTable) -> Integers:
    """Return the number of each group's kind; -1 where no mark is known."""
    right = np.bincount(table.group, table.mark == 1, table.groups)
    wrong = np.bincount(table.group, table.mark == 0, table.groups)
    kinds = np.select([(right > 0) & (wrong > 0), right > 0, wrong > 0], [2, 0, 1], -1)
    return kinds.astype(np.int64)


def _sum_without(counted: Mapping[str, Floats], name: str) -> Floats:
    others = [share for other, share in counted.items() if other != name]
    return np.sum(others, axis=0) if others else np.zeros(len(counted[name]))


def _attribution(
    table: ScoreTable,
    counted: Mapping[str, Floats],
    centred: Floats,
    rows: NDArray[np.bool_],
    is_varied: NDArray[np.bool_],
    kinds: Integers,
) -> dict[str, dict[str, float]]:
    variance = np.bincount(table.group, centred**2, table.groups)
    shares = {}
    for name, added in counted.items():
        _, own = centred_in_groups(added.astype(float), table.group, rows)
        covariance = np.bincount(table.group, own * centred, table.groups)
        shares[name] = np.divide(covariance, variance, out=np.zeros(table.groups), where=variance > 0)
    chosen = {kind: is_varied & (kinds == i) for i, kind in enumerate(KINDS)}
    return {
        kind: {name: float(share[groups].mean()) for name, share in shares.items()}
        for kind, groups in chosen.items()
        if groups.any() and shares
    }


def _correlations(table: ScoreTable, rows: NDArray[np.bool_]) -> dict[str, dict[str, float]]:
    values: dict[str, Floats] = {"score": table.value, **table.parts}
    values["length"] = table.length.astype(float)
    values["right"] = np.where(table.mark >= 0, table.mark, np.nan).astype(float)
    found: dict[str, dict[str, float]] = {}
    for name in values:
        if name in ("length", "right"):
            continue
        for other in values:
            if other != name and name not in found.get(other, {}):
                correlation = _correlation(values[name], values[other], table.group, rows)
                if correlation is not None:
                    found.setdefault(name, {})[other] = correlation
    return found


def _correlation(one: Floats, two: Floats, group: Integers, rows: NDArray[np.bool_]) -> float | None:
    """Return Pearson's correlation of deviations from group means; None if one of them never varies."""
    known = rows & np.isfinite(one) & np.isfinite(two)
    _, first = centred_in_groups(np.where(known, one, 0.0).astype(float), group, known)
    _, second = centred_in_groups(np.where(known, two, 0.0).astype(float), group, known)
    scale = math.sqrt(float((first**2).sum()) * float((second**2).sum()))
    return float((first * second).sum()) / scale if scale > 1e-9 else None
