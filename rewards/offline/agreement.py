"""How far verifiers, or versions of one, agree on the same completions, and where they do not."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...sandbox.errors import DataError
from .table import Integers, ScoreTable


@dataclass(frozen=True)
class Differing:
    """A completion that two or more verifiers mark differently."""

    places: list[str]
    """Its score row in each file."""
    marks: list[bool | None]
    advantages: list[float]
    effect: float
    """The largest difference of its advantages: what the disagreement changes for a training."""


@dataclass(frozen=True)
class Agreement:
    """The agreement of two or more verifiers on the completions that all of them have marked."""

    completions: int
    missing: list[int]
    """For each file, how many of its rows are not in all the others."""
    alpha: float | None
    """Krippendorff's alpha for nominal marks, of which undecided ones are missing; None if all are equal."""
    kappa: list[list[float | None]]
    """Cohen's kappa of each pair of files."""
    differing: list[Differing]
    """By falling effect."""


def agreement(tables: Sequence[ScoreTable]) -> Agreement:
    """Compare the marks of the same completions in several files.

    Args:
        tables: of one task or of several; rows belong together that have the same problem, step and text.

    Raises:
        DataError: there are fewer than two tables, or they have no completion in common.
    """
    if len(tables) < 2:
        raise DataError("agreement needs the scores of two or more verifiers; give more files")
    common = tables[0].key
    for table in tables[1:]:
        common = np.intersect1d(common, table.key)
    if not len(common):
        raise DataError("the files have no completion in common (same problem, step and text)")
    rows = []
    for table in tables:
        order = np.argsort(table.key, kind="stable")
        rows.append(order[np.searchsorted(table.key[order], common)])
    by_place = np.argsort(rows[0], kind="stable")
    rows = [chosen[by_place] for chosen in rows]
    marks = np.stack([table.mark[chosen] for table, chosen in zip(tables, rows, strict=True)])
    pairs = [[cohen_kappa(one, two) for two in marks] for one in marks]
    return Agreement(
        completions=len(common),
        missing=[len(table) - len(common) for table in tables],
        alpha=krippendorff_alpha(marks),
        kappa=pairs,
        differing=_differing(tables, rows, marks),
    )


def _differing(tables: Sequence[ScoreTable], rows: Sequence[Integers], marks: Integers) -> list[Differing]:
    advantages = np.stack([table.advantages()[chosen] for table, chosen in zip(tables, rows, strict=True)])
    effects = advantages.max(axis=0) - advantages.min(axis=0)
    differ = np.flatnonzero(marks.max(axis=0) != marks.min(axis=0))
    names = {1: True, 0: False, -1: None}
    return [
        Differing(
            [table.place(int(chosen[i])) for table, chosen in zip(tables, rows, strict=True)],
            [names[int(mark)] for mark in marks[:, i]],
            advantages[:, i].tolist(),
            float(effects[i]),
        )
        for i in differ[np.argsort(-effects[differ], kind="stable")]
    ]


def krippendorff_alpha(marks: Integers) -> float | None:
    """Return Krippendorff's alpha for nominal data, `[verifiers, completions]`; None without variation.

    1 - observed / expected disagreement, over all pairs of marks of one completion; completions with fewer
    than two known marks count for nothing (Krippendorff, Computing Krippendorff's alpha-reliability, 2011).
    """
    right, wrong = (marks == 1).sum(axis=0).astype(float), (marks == 0).sum(axis=0).astype(float)
    known = right + wrong
    paired = known >= 2
    right, wrong, known = right[paired], wrong[paired], known[paired]
    total, all_right, all_wrong = known.sum(), right.sum(), wrong.sum()
    if all_right == 0 or all_wrong == 0:
        return None
    observed = (2 * right * wrong / (known - 1)).sum() / total
    expected = 2 * all_right * all_wrong / (total * (total - 1))
    return float(1 - observed / expected)


def cohen_kappa(one: Integers, two: Integers) -> float | None:
    """Return Cohen's kappa of two verifiers on what both have judged; None if chance explains everything."""
    known = (one >= 0) & (two >= 0)
    if not known.any():
        return None
    first, second = one[known], two[known]
    agreed = (first == second).mean()
    chance = first.mean() * second.mean() + (1 - first.mean()) * (1 - second.mean())
    return float((agreed - chance) / (1 - chance)) if chance < 1 else None
