"""Process-mode advantages: rewards of steps in, advantages of tokens out. Pure functions.

Shapes: `_G` completions of one problem (a group), `_K` their steps, `_T` their tokens; right-padded.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import get_args

import torch
from torch import Tensor

from ...tasks.reward_entries import Credit, Pool
from .outcome_advantages import equal_to_rounding, power_of_two
from .settings import Std

Ragged = Sequence[Sequence[float]]
"""A list per completion, of different lengths."""


@dataclass(frozen=True)
class StepSettings:
    """How step rewards become advantages; the fields are the arguments of `process_advantages`."""

    credit: Credit = "sum"
    pool: Pool = "steps"
    std: Std | float = "population"
    eps: float = 0.0
    centred: bool = False
    clip_at: float = 0.5
    std_floor: float = 0.0


def process_advantages(
    step_rewards: Ragged,
    step_ends: Sequence[Sequence[int]],
    lengths: Sequence[int],
    *,
    credit: Credit = "sum",
    pool: Pool = "steps",
    std: Std | float = "population",
    eps: float = 0.0,
    gate_labels: Sequence[bool | None] | None = None,
    centred: bool = False,
    clip_at: float = 0.5,
    std_floor: float = 0.0,
) -> Tensor:
    """Return the advantage of every token of one group's completions, from the rewards of their steps.

    The defaults are DeepSeekMath's form (arXiv 2402.03300, section 4.1.3): all step rewards of the group are
    normalised together, and a token gets the sum over the steps that end at or after it,

        z_ij = (r_ij - mean(R)) / std(R);   A_it = sum_{j: index(j) >= t} z_ij

    and 0 after the last step. In this form a completion can earn more by having more steps. With
    `credit="clip"`, good steps earn nothing and bad steps cost something: a single step below `clip_at` keeps
    a completion's advantage below that of every completion without such a step, both at the first token and
    on average, however many good steps it has and wherever they are.

    Two completions of two steps each, with three and two tokens. The second step of the first one is wrong:

        >>> from markscheme.trainer import process_advantages
        >>> rewards, step_ends = [[1.0, 0.0], [1.0, 1.0]], [[1, 2], [0, 1]]
        >>> process_advantages(rewards, step_ends, lengths=[3, 2], std="none").tolist()
        [[-0.5, -0.5, -0.75], [0.5, 0.25, 0.0]]

    Args:
        step_rewards: one list per completion. NaN marks a step that could not be judged: it does not count
            in mean and std, and adds nothing.
        step_ends: one list per completion, with the 0-based index of each step's last token. The indices must
            not descend; several steps may end in the same token.
        lengths: the number of tokens of each completion.
        credit: what a token gets from the steps that end at or after it. `sum`: the sum of their normalised
            rewards. `clip` (arXiv 2410.15115): the sum of min(r_j - clip_at, 0), normalised after summing; a
            token after the last step gets the value of the group's best step.
        pool: what mean and std are taken over: `steps` (every step counts the same), or `outputs` (every
            completion counts the same, however many steps it has).
        std: as in `outcome_advantages`, where `batch` is the same as `population` here; or a number, by which
            the centred rewards are divided.
        eps: added to the std.
        gate_labels: for each completion, whether it is verified as right; None = unknown. The normalised
            rewards of a wrong completion are limited to at most 0, those of a right one to at least 0.
        centred: centre each step's reward by the mean over the steps with the same index, instead of over all
            (only with `sum`).
        clip_at: with `clip`, the lowest reward at which a step costs nothing.
        std_floor: as in `outcome_advantages`.

    Returns:
        `[G, max(lengths)]`, float64; 0 beyond a completion's own tokens. Exact zeros if all rewards of the
        group (with `clip`, all sums) are equal, or if there is only one.

    Raises:
        ValueError: the lists do not match, ends descend or lie outside of their completion, a reward is
            infinite, a name is unknown, or a number is out of range.
    """
    settings = StepSettings(credit, pool, std, eps, centred, clip_at, std_floor)
    _check_settings(settings)
    _check_steps(step_rewards, step_ends, lengths)
    if gate_labels is not None and len(gate_labels) != len(lengths):
        raise ValueError(
            f"gate_labels: expected one for each of {len(lengths)} completions (given: {len(gate_labels)})"
        )
    if not len(lengths):
        return torch.zeros(0, 0, dtype=torch.float64)
    rewards_GK = _padded(step_rewards)
    # As in `outcome_advantages`: no digit changes, and squares stay in the range of float64.
    scale = float(power_of_two(rewards_GK))
    rewards_GK, settings = rewards_GK / scale, _scaled(settings, scale)
    values_GK, weights_GK = _statistics_of(rewards_GK, settings)
    z_GK = _normalised(values_GK, weights_GK, settings)
    z_GK = z_GK * scale if std == "none" else z_GK
    if gate_labels is not None:
        z_GK = gated(z_GK, gate_labels)
    if credit == "clip":
        return _on_tokens(z_GK, z_GK[:, -1], step_ends, lengths)
    credit_GK = _suffix_sum(torch.where(rewards_GK.isnan(), 0.0, z_GK))
    return _on_tokens(credit_GK, torch.zeros(len(lengths), dtype=torch.float64), step_ends, lengths)


def _scaled(settings: StepSettings, scale: float) -> StepSettings:
    """Return the settings for rewards that were divided by a number."""
    std = settings.std if isinstance(settings.std, str) else settings.std / scale
    return replace(
        settings,
        std=std,
        eps=settings.eps / scale,
        clip_at=settings.clip_at / scale,
        std_floor=settings.std_floor / scale,
    )


def gated(z_GK: Tensor, labels: Sequence[bool | None]) -> Tensor:
    """Return `z_GK`, limited to at most 0 for wrong completions and to at least 0 for right ones.

    Labels may also be booleans of numpy or torch. None = unknown: there is no limit.
    """
    low, high = [], []
    for label in labels:
        low.append(0.0 if label is not None and label else -math.inf)
        high.append(0.0 if label is not None and not label else math.inf)
    low_G1 = torch.tensor(low, dtype=z_GK.dtype)[:, None]
    high_G1 = torch.tensor(high, dtype=z_GK.dtype)[:, None]
    return torch.minimum(torch.maximum(z_GK, low_G1), high_G1)


def _padded(rows: Ragged) -> Tensor:
    """Return rewards as `[G, K + 1]`, NaN where there is no step.

    The last column stands for the tokens after the last step, so it is always NaN.
    """
    width = max(map(len, rows), default=0) + 1
    padded = [list(row) + [math.nan] * (width - len(row)) for row in rows]
    return torch.tensor(padded, dtype=torch.float64)


def _statistics_of(rewards_GK: Tensor, settings: StepSettings) -> tuple[Tensor, Tensor]:
    """Return the values to normalise, NaN where there is none, and their weights in mean and std.

    With `sum` the values are the rewards. With `clip` they are returns: the sum of a step's loss and those of
    all later steps, where a loss is min(reward - clip_at, 0). Steps that were not judged, and the column
    after the last step, have no loss of their own but do have a return. It is limited to that of the group's
    best judged step, so that nothing is better than a step that was judged.
    """
    known = ~rewards_GK.isnan()
    weights_GK = known.double()
    if settings.pool == "outputs":
        weights_GK = weights_GK / weights_GK.sum(-1, keepdim=True).clamp(min=1)
    if settings.credit != "clip":
        return rewards_GK, weights_GK
    losses_GK = torch.where(known, (rewards_GK - settings.clip_at).clamp(max=0.0), 0.0)
    returns_GK = _suffix_sum(losses_GK)
    best = torch.where(known, returns_GK, -torch.inf).amax()
    returns_GK = torch.where(known.any(-1, keepdim=True), returns_GK.clamp(max=best), torch.nan)
    return returns_GK, weights_GK


def pooled_spread(step_rewards: Sequence[Ragged], settings: StepSettings) -> float:
    """Return the population std of the step rewards of many groups, each group centred by its own mean.

    This is the std that `std="batch"` means for a whole training step. Pass it to `process_advantages` as
    `std`.
    """
    squares, total = 0.0, 0.0
    groups = [_padded(group) for group in filter(len, step_rewards)]
    scale = max((float(power_of_two(rewards_GK)) for rewards_GK in groups), default=1.0)
    settings = _scaled(settings, scale)
    for rewards_GK in groups:
        values_GK, weights_GK = _statistics_of(rewards_GK / scale, settings)
        deviations_GK = _deviations(values_GK, weights_GK, settings.centred)
        squares += float((deviations_GK.square() * weights_GK).sum())
        total += float(weights_GK.sum())
    return math.sqrt(squares / total) * scale if total else 0.0


def _normalised(values_GK: Tensor, weights_GK: Tensor, settings: StepSettings) -> Tensor:
    """Return (value - mean) / (std + eps) where there is a value, else 0."""
    deviations_GK = _deviations(values_GK, weights_GK, settings.centred)
    std, eps = settings.std, settings.eps
    if std == "none":
        return deviations_GK
    if isinstance(std, str):
        spread = _spread(deviations_GK, weights_GK, settings)
    else:
        spread = torch.tensor(float(std), dtype=torch.float64)
    spread = spread.clamp(min=settings.std_floor)
    return deviations_GK / torch.where(spread + eps > 0, spread + eps, 1.0)


def _spread(deviations_GK: Tensor, weights_GK: Tensor, settings: StepSettings) -> Tensor:
    """Return the weighted std; for `sample`, Bessel's correction counts steps or, by `pool`, outputs."""
    total = weights_GK.sum().clamp(min=1e-300)  # above 0, so that the std is 0, not NaN, if nothing counts
    variance = (deviations_GK.square() * weights_GK).sum() / total
    if settings.std == "sample":
        counted = weights_GK > 0
        if settings.pool == "outputs":
            counted = counted.any(-1)
        count = int(counted.sum())
        variance = variance * (count / max(count - 1, 1))
    return variance.sqrt()


def _deviations(values_GK: Tensor, weights_GK: Tensor, centred: bool) -> Tensor:
    """Return each value minus the mean of the group, or (`centred`) of its column; 0 where there is no value.

    Values that are all equal up to rounding give exact zeros.
    """
    over = (0,) if centred else (0, 1)
    total = weights_GK.sum(over, keepdim=True)
    weighted = (values_GK.nan_to_num(0.0) * weights_GK).sum(over, keepdim=True)
    mean = weighted / torch.where(total > 0, total, 1.0)
    counted_GK = torch.where(weights_GK > 0, values_GK, torch.nan)
    flat = equal_to_rounding(counted_GK, over, torch.float64)
    return torch.where(values_GK.isnan() | flat, 0.0, values_GK - mean)


def _suffix_sum(values_GK: Tensor) -> Tensor:
    """Return, for each step, the sum of its own value and those of all later steps."""
    return values_GK.flip(-1).cumsum(-1).flip(-1)


def _on_tokens(
    credit_GK: Tensor, tail_G: Tensor, step_ends: Sequence[Sequence[int]], lengths: Sequence[int]
) -> Tensor:
    """Return `[G, T]`: for each token, the credit of the first step that ends at or after it, else `tail_G`.

    If several steps end in one token, it gets the credit of the first one, which includes the others'.
    """
    tokens_GT = torch.zeros(len(lengths), max(lengths, default=0), dtype=torch.float64)
    for row, (ends, earned) in enumerate(zip(step_ends, credit_GK.tolist(), strict=True)):
        begin = 0
        for end, credit in zip(ends, earned, strict=False):
            if end >= begin:
                tokens_GT[row, begin : end + 1] = credit
                begin = end + 1
        tokens_GT[row, begin : lengths[row]] = tail_G[row]
    return tokens_GT


def _check_settings(settings: StepSettings) -> None:
    std = settings.std
    is_number = isinstance(std, int | float) and not isinstance(std, bool)
    if not (is_number and 0 < float(std) < math.inf) and std not in get_args(Std):
        raise ValueError(
            f"std must be one of {', '.join(get_args(Std))}, or a number above 0 (given: {std!r})"
        )
    for name, known in (("credit", get_args(Credit)), ("pool", get_args(Pool))):
        value = getattr(settings, name)
        if value not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)} (given: {value!r})")
    if not (settings.eps >= 0 and settings.std_floor >= 0 and math.isfinite(settings.clip_at)):
        raise ValueError(
            "eps must be 0 or more, std_floor too, and clip_at finite (given:"
            f" {settings.eps}, {settings.std_floor}, {settings.clip_at})"
        )
    if settings.credit == "clip" and settings.centred:
        raise ValueError(
            "centred compares steps of the same index, and credit 'clip' compares sums over all later steps,"
            " so the two do not go together; drop centred (given: credit 'clip', centred True)"
        )


def _check_steps(step_rewards: Ragged, step_ends: Sequence[Sequence[int]], lengths: Sequence[int]) -> None:
    sizes = len(step_rewards), len(step_ends), len(lengths)
    if len(set(sizes)) > 1:
        raise ValueError(
            f"step_rewards, step_ends and lengths need one entry per completion (given: {sizes})"
        )
    for i, (rewards, ends, length) in enumerate(zip(step_rewards, step_ends, lengths, strict=True)):
        if len(rewards) != len(ends):
            raise ValueError(
                f"completion {i}: expected one end for each step reward (given: {len(rewards)} rewards and"
                f" {len(ends)} ends)"
            )
        if any(map(math.isinf, rewards)):
            raise ValueError(
                f"completion {i}: step rewards must be finite (given: {list(rewards)}); use NaN for a step"
                " that was not judged"
            )
        if any(a > b for a, b in pairwise(ends)) or any(not 0 <= end < length for end in ends):
            raise ValueError(
                f"completion {i}: step ends must ascend within its {length} tokens, counted from 0"
                f" (given: {list(ends)})"
            )
