"""Held-out evaluation: greedy and sampled pass@1, unbiased pass@k, each with an interval."""

import math
import statistics
from collections.abc import Sequence
from typing import Any

from ..config.run_config import SamplingConfig
from ..engines.base import Engine
from .rollout import Group, LoadedTask, scored_groups

Z = 1.959964
"""Two-sided 95 %."""


def pass_at_k(n: int, right: int, k: int) -> float:
    """Return the unbiased estimate of pass@k: 1 - C(n - right, k) / C(n, k).

    The chance that at least one of k samples, drawn from n of which `right` are right, is right.
    Source: Chen et al. 2021 (arXiv 2107.03374), equation 1.

    Raises:
        ValueError: not 0 <= right <= n or not 1 <= k <= n.
    """
    if not (0 <= right <= n and 1 <= k <= n):
        raise ValueError(f"expected 0 <= right <= n and 1 <= k <= n (given: n={n}, right={right}, k={k})")
    return 1.0 - math.comb(n - right, k) / math.comb(n, k)


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """Return the 95 % Wilson score interval of a share (Wilson 1927)."""
    if trials == 0:
        return 0.0, 1.0
    share = successes / trials
    scale = 1 + Z * Z / trials
    centre = (share + Z * Z / (2 * trials)) / scale
    half = Z / scale * math.sqrt(share * (1 - share) / trials + Z * Z / (4 * trials * trials))
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    return low, 1.0 if successes == trials else min(1.0, centre + half)


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % interval of a mean of values in [0, 1], one a problem.

    Samples of one problem hang together, so the problems are what is counted. Where all values
    are equal the normal interval has no width; then Wilson's stands in.
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
    """Answer every problem greedily once and by sampling `n` times.

    Returns:
        The figures, and the sampled groups. What could not be judged counts as not right and is
        told in `undecided`.
    """
    name = loaded.task.name
    taken = [(name, i) for i in range(len(loaded.problems))]
    tasks = {name: loaded}
    figures: dict[str, Any] = {"task": name, "problems": len(taken), "n": n}
    if greedy:
        likeliest = sampling.model_copy(update={"temperature": 0.0, "top_p": 1.0})
        groups, _ = scored_groups(engine, tasks, taken, 1, likeliest, seed=seed, step=None)
        marks = [_right(loaded, group) for group in groups]
        right = sum(right for right, _ in marks)
        figures["greedy_undecided"] = sum(undecided for _, undecided in marks)
        figures |= {
            "pass_at_1": right / len(taken),
            "pass_at_1_interval": wilson_interval(right, len(taken)),
        }
    groups, _ = scored_groups(engine, tasks, taken, n, sampling, seed=seed, step=None)
    counts = [_right(loaded, group) for group in groups]
    shares = [right / n for right, _ in counts]
    figures |= {
        "sampled_pass_at_1": statistics.fmean(shares),
        "sampled_interval": mean_interval(shares),
        "pass_at_k": {k: statistics.fmean(pass_at_k(n, right, k) for right, _ in counts) for k in _powers(n)},
        "undecided": sum(undecided for _, undecided in counts),
        "reward": _mean([s.value for group in groups for s in group.scores]),
        "tokens": _mean([float(len(c.token_ids)) for group in groups for c in group.completions]),
    }
    figures["watch"] = {
        entry: _mean([s.parts[entry].value for group in groups for s in group.scores])
        for entry in loaded.task.watch
    }
    return figures, groups


def _right(loaded: LoadedTask, group: Group) -> tuple[int, int]:
    marks = [loaded.scheme.is_right(score) for score in group.scores]
    return marks.count(True), marks.count(None)


def _powers(n: int) -> list[int]:
    return sorted({n, *(2**i for i in range(n.bit_length()) if 2**i <= n)})


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None
