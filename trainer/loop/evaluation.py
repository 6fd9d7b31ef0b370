"""Held-out evaluation: greedy pass@1, sampled pass@1 and unbiased pass@k, with 95 % intervals."""

import math
import statistics
from collections.abc import Sequence
from typing import Any

from ..config.run_config import SamplingConfig
from ..engines.base import Engine
from .rollout import Group, LoadedTask, scored_groups

Z = 1.959964
"""The quantile of the normal distribution for a two-sided 95 % interval."""


def pass_at_k(n: int, right: int, k: int) -> float:
    """Return the unbiased estimate of pass@k: 1 - C(n - right, k) / C(n, k).

    This is the probability that k samples, drawn without replacement from n samples of which `right` are
    right, hold at least one right one (Chen et al. 2021, arXiv 2107.03374, equation 1).

    Raises:
        ValueError: not 0 <= right <= n or not 1 <= k <= n.
    """
    if not (0 <= right <= n and 1 <= k <= n):
        raise ValueError(f"expected 0 <= right <= n and 1 <= k <= n (given: n={n}, right={right}, k={k})")
    return 1.0 - math.comb(n - right, k) / math.comb(n, k)


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """Return the 95 % Wilson score interval of a proportion (Wilson 1927); (0, 1) without trials."""
    if trials == 0:
        return 0.0, 1.0
    share = successes / trials
    scale = 1 + Z * Z / trials
    centre = (share + Z * Z / (2 * trials)) / scale
    half = Z / scale * math.sqrt(share * (1 - share) / trials + Z * Z / (4 * trials * trials))
    # At the ends the formula gives exactly 0 and 1, which rounding would miss.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == trials else min(1.0, centre + half)
    return low, high


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % normal interval of the mean of values in [0, 1], one value per problem.

    Samples of the same problem are correlated, so the sample size is the number of problems. If all values
    are equal, the normal interval would have no width, and the Wilson interval is returned instead.
    """
    mean = statistics.fmean(values)
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    if spread == 0:
        return wilson_interval(round(mean * len(values)), len(values))
    half = Z * spread / math.sqrt(len(values))
    return max(0.0, mean - half), min(1.0, mean + half)


def evaluate(
    engine: Engine,
    loaded: LoadedTask,
    n: int,
    sampling: SamplingConfig,
    *,
    seed: int,
    greedy: bool = True,
) -> tuple[dict[str, Any], list[Group]]:
    """Sample `n` answers to every problem of a task, and with `greedy` one greedy answer first.

    An answer that could not be judged counts as not right; `undecided` says how many there are.

    Returns:
        The figures as they are logged to eval.jsonl, and the sampled groups.
    """
    figures: dict[str, Any] = {"task": loaded.task.name, "problems": len(loaded.problems), "n": n}
    if greedy:
        likeliest = sampling.model_copy(update={"temperature": 0.0, "top_p": 1.0})
        figures |= _greedy_figures(loaded, _groups(engine, loaded, 1, likeliest, seed))
    groups = _groups(engine, loaded, n, sampling, seed)
    figures |= _sampled_figures(loaded, groups, n)
    return figures, groups


def _groups(engine: Engine, loaded: LoadedTask, n: int, sampling: SamplingConfig, seed: int) -> list[Group]:
    name = loaded.task.name
    chosen = [(name, i) for i in range(len(loaded.problems))]
    groups, _ = scored_groups(engine, {name: loaded}, chosen, n, sampling, seed=seed, step=None)
    return groups


def _greedy_figures(loaded: LoadedTask, groups: Sequence[Group]) -> dict[str, Any]:
    counts = [_count_right(loaded, group) for group in groups]
    right = sum(right for right, _ in counts)
    return {
        "greedy_undecided": sum(undecided for _, undecided in counts),
        "pass_at_1": right / len(groups),
        "pass_at_1_interval": wilson_interval(right, len(groups)),
    }


def _sampled_figures(loaded: LoadedTask, groups: Sequence[Group], n: int) -> dict[str, Any]:
    counts = [_count_right(loaded, group) for group in groups]
    shares = [right / n for right, _ in counts]
    scores = [score for group in groups for score in group.scores]
    return {
        "sampled_pass_at_1": statistics.fmean(shares),
        "sampled_interval": mean_interval(shares),
        "pass_at_k": {
            k: statistics.fmean(pass_at_k(n, right, k) for right, _ in counts) for k in _powers_up_to(n)
        },
        "undecided": sum(undecided for _, undecided in counts),
        "reward": _mean_of_known([score.value for score in scores]),
        "tokens": _mean_of_known([float(len(c.token_ids)) for group in groups for c in group.completions]),
        "watch": {
            entry: _mean_of_known([score.parts[entry].value for score in scores])
            for entry in loaded.task.watch
        },
    }


def _count_right(loaded: LoadedTask, group: Group) -> tuple[int, int]:
    """Return how many completions of a group are right, and how many could not be judged."""
    marks = [loaded.scheme.is_right(score) for score in group.scores]
    return marks.count(True), marks.count(None)


def _powers_up_to(n: int) -> list[int]:
    """Return the powers of 2 up to `n`, and `n` itself, ascending."""
    return sorted({n, *(2**i for i in range(n.bit_length()))})


def _mean_of_known(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None
