"""Process-mode advantages: marks of steps in, advantages of tokens out. Pure functions.

Shapes: `_G` completions of one problem (a group), `_K` their steps, `_T` their tokens; right-padded.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, get_args

import torch
from torch import Tensor

from .outcome_advantages import Std, outcome_advantages

Credit = Literal["sum", "mean", "min", "softmin", "step_only", "delta", "clip"]
Pool = Literal["steps", "outputs"]
Ragged = Sequence[Sequence[float]]


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
    outcome_rewards: Sequence[float] | None = None,
    weight: float = 1.0,
    temperature: float = 0.1,
    clip_at: float = 0.5,
) -> Tensor:
    """Return the advantage of every token of one group's completions, from the rewards of their steps.

    Called bare it is DeepSeekMath (arXiv 2402.03300), section 4.1.3: all step rewards of the group are
    normalised together, and a token gets the sum over the steps that end at or after it,

        z_ij = (r_ij - mean(R)) / std(R);   A_it = sum_{j: index(j) >= t} z_ij

    and 0 behind the last step. That form pays for the number of steps. Under `clip` no number of good
    steps, wherever they stand, lifts a completion with a step below `clip_at` to one that has none, at
    its first token or on average.

    Args:
        step_rewards: one list a completion. NaN marks a step that could not be judged: it stays out of
            the statistics and adds nothing.
        step_ends: likewise, the 0-based index of each step's last token; ascending, and several steps
            may end in one token.
        lengths: tokens of each completion.
        credit: what a token gets from the steps that end at or after it:
            `sum`; `mean`; `min` (PURE, arXiv 2504.15275: a chain is worth its worst step);
            `softmin` (PURE's code: sum_j w_j z_j, w = softmax(-r / temperature) over the completion);
            `step_only` (only the step that the token is in); `delta` (arXiv 2410.15115: sum of
            r_j - r_{j+1}, so its own step's reward; the last step keeps its own); `clip` (the same:
            sum of min(r_j - clip_at, 0), so good steps earn nothing and bad ones cost). `delta` and
            `clip` are normalised after they are summed, all others before; behind the last step `clip`
            has what the group's best step has.
        pool: what mean and std are of: `steps`, or `outputs` (every completion weighs the same).
        std: as in `outcome_advantages`; `batch` takes this group for the batch; a number is used as it is.
        eps: added to the std.
        gate_labels: whether each completion is verified right; None = not known. No step of a wrong one
            is rewarded above 0, none of a right one below.
        centred: take each step's mean over the steps of the same index.
        outcome_rewards: one a completion; its outcome advantage is added to every token. NaN = left out.
        weight: factor of the steps' part beside the outcome's.
        temperature: of `softmin`.
        clip_at: from which reward on a step costs nothing, for `clip`.

    Returns:
        `[G, max(lengths)]`, float64; 0 behind a completion's own tokens. Equal rewards (of `clip`:
        equal sums), and a lone one, give exact zeros.

    Raises:
        ValueError: lists that do not fit each other, ends that do not ascend or lie outside, infinite
            rewards, an unknown name, or numbers out of range.
    """
    _check(step_rewards, step_ends, lengths, credit, pool, std, eps)
    if credit == "clip" and centred:
        raise ValueError("clip compares whole completions: a step's index says nothing there; drop centred")
    if not temperature > 0 or not all(map(math.isfinite, (weight, clip_at))):
        raise ValueError(
            "expected temperature > 0, and finite weight and clip_at"
            f" (given: {temperature}, {weight}, {clip_at})"
        )
    for name, given in (("gate_labels", gate_labels), ("outcome_rewards", outcome_rewards)):
        if given is not None and len(given) != len(lengths):
            raise ValueError(
                f"{name}: expected one for each of {len(lengths)} completions (given: {len(given)})"
            )
    if not len(lengths):
        return torch.zeros(0, 0, dtype=torch.float64)
    rewards_GK = _padded(step_rewards)
    values_GK, weights_GK = _statistics_of(rewards_GK, credit, pool, clip_at)
    z_GK = _normalised(values_GK, weights_GK, pool, std, eps, centred)
    if gate_labels is not None:
        z_GK = gated(z_GK, gate_labels)
    credit_GK = _credited(z_GK, rewards_GK, credit, temperature)
    tail_G = credit_GK[:, -1] if credit == "clip" else torch.zeros(len(lengths), dtype=torch.float64)
    advantages_GT = weight * _on_tokens(credit_GK, tail_G, step_ends, lengths, alone=credit == "step_only")
    if outcome_rewards is None:
        return advantages_GT
    if not isinstance(std, str):
        raise ValueError(
            "outcome_rewards are normalised by the kind of std; a number says how for steps only"
        )
    outcomes = torch.tensor(outcome_rewards, dtype=torch.float64)
    joined_GT = advantages_GT + outcome_advantages(outcomes, std=std, eps=eps)[:, None]
    inside_GT = torch.arange(advantages_GT.shape[1]) < torch.tensor(lengths)[:, None]
    return torch.where(inside_GT & ~outcomes.isnan()[:, None], joined_GT, 0.0)


def gated(z_GK: Tensor, labels: Sequence[bool | None]) -> Tensor:
    """Return values of which none of a wrong completion is above 0, and none of a right one below."""
    told = [None if label is None else bool(label) for label in labels]  # numpy's and torch's too
    low = torch.tensor([0.0 if label is True else -math.inf for label in told], dtype=z_GK.dtype)
    high = torch.tensor([0.0 if label is False else math.inf for label in told], dtype=z_GK.dtype)
    return torch.minimum(torch.maximum(z_GK, low[:, None]), high[:, None])


def _padded(rows: Ragged) -> Tensor:
    """Return `[G, K + 1]`, NaN where there is no step: there is always room for what follows the last."""
    width = max(map(len, rows), default=0) + 1
    return torch.tensor([[*row, *[math.nan] * (width - len(row))] for row in rows], dtype=torch.float64)


def _statistics_of(rewards_GK: Tensor, credit: Credit, pool: Pool, clip_at: float) -> tuple[Tensor, Tensor]:
    """Return what is normalised, `[G, K]` with NaN where there is nothing, and how much each counts.

    Of `clip` every place has a return, that of a step that was not judged and that behind the last step
    too: nothing more is lost there, so it has what the best of the group's steps has.
    """
    known = ~rewards_GK.isnan()
    weights_GK = known / known.sum(-1, keepdim=True).clamp(min=1) if pool == "outputs" else known.double()
    if credit != "clip":
        return rewards_GK, weights_GK  # of `delta` too: sum_{k >= j} (r_k - r_{k+1}) = r_j
    returns_GK = _suffix_sum(torch.where(known, (rewards_GK - clip_at).clamp(max=0.0), 0.0))
    best = torch.where(known, returns_GK, -torch.inf).amax()
    returns_GK = torch.where(known.any(-1, keepdim=True), returns_GK.clamp(max=best), torch.nan)
    return returns_GK, weights_GK


def pooled_spread(
    step_rewards: Sequence[Ragged],
    *,
    credit: Credit = "sum",
    pool: Pool = "steps",
    centred: bool = False,
    clip_at: float = 0.5,
) -> float:
    """Return the population std of the step rewards of many groups, each around its own mean."""
    squares = total = 0.0
    for group in filter(len, step_rewards):
        values_GK, weights_GK = _statistics_of(_padded(group), credit, pool, clip_at)
        deviations_GK = _deviations(values_GK, weights_GK, centred)
        squares += float((deviations_GK.square() * weights_GK).sum())
        total += float(weights_GK.sum())
    return math.sqrt(squares / total) if total else 0.0


def _normalised(
    values_GK: Tensor, weights_GK: Tensor, pool: Pool, std: Std | float, eps: float, centred: bool
) -> Tensor:
    """Return (value - mean) / (std + eps) where there is a value, else 0."""
    deviations_GK = _deviations(values_GK, weights_GK, centred)
    if std == "none":
        return deviations_GK
    if isinstance(std, str):
        counted = weights_GK > 0
        count = int((counted.any(-1) if pool == "outputs" else counted).sum())
        variance = (deviations_GK.square() * weights_GK).sum() / weights_GK.sum().clamp(min=1e-300)
        spread = (variance * (count / max(count - 1, 1) if std == "sample" else 1.0)).sqrt()
    else:
        spread = torch.tensor(float(std), dtype=torch.float64)
    return deviations_GK / torch.where(spread + eps > 0, spread + eps, 1.0)


def _deviations(values_GK: Tensor, weights_GK: Tensor, centred: bool) -> Tensor:
    """Return each value less the mean of the group, or (centred) of its step's index; else 0.

    Where all that counts is equal to within rounding, exact zeros.
    """
    over = (0,) if centred else (0, 1)
    total = weights_GK.sum(over, keepdim=True)
    mean = (values_GK.nan_to_num(0.0) * weights_GK).sum(over, keepdim=True) / torch.where(
        total > 0, total, 1.0
    )
    flat = _flat(torch.where(weights_GK > 0, values_GK, torch.nan), over)
    return torch.where(values_GK.isnan() | flat, 0.0, values_GK - mean)


def _flat(values_GK: Tensor, over: tuple[int, ...]) -> Tensor:
    """Whether the values are equal to within rounding; NaN does not count."""
    high = values_GK.nan_to_num(-torch.inf).amax(over, keepdim=True)
    low = values_GK.nan_to_num(torch.inf).amin(over, keepdim=True)
    return high - low <= 4 * torch.finfo(torch.float64).eps * torch.maximum(high.abs(), low.abs())


def _credited(z_GK: Tensor, rewards_GK: Tensor, credit: Credit, temperature: float) -> Tensor:
    """Return what a token in each step gets; where nothing that counts is left, 0."""
    known = ~rewards_GK.isnan()
    if credit == "clip":
        return z_GK
    z_GK = torch.where(known, z_GK, 0.0)
    if credit in ("step_only", "delta"):
        return z_GK if credit == "step_only" else _next_known(z_GK, known)
    if credit == "softmin":
        weights = torch.softmax(torch.where(known, -rewards_GK / temperature, -torch.inf), -1)
        return _suffix_sum(torch.where(known, weights * z_GK, 0.0))
    if credit == "min":
        worst = torch.where(known, z_GK, torch.inf).flip(-1).cummin(-1).values.flip(-1)
        return torch.where(worst.isinf(), 0.0, worst)
    if credit == "mean":
        return _suffix_sum(z_GK) / _suffix_sum(known.double()).clamp(min=1)
    return _suffix_sum(z_GK)


def _suffix_sum(values_GK: Tensor) -> Tensor:
    return values_GK.flip(-1).cumsum(-1).flip(-1)


def _next_known(z_GK: Tensor, known_GK: Tensor) -> Tensor:
    """Give a step that was not judged the return of the next one that was: it adds nothing itself."""
    filled = z_GK.clone()
    for j in range(z_GK.shape[1] - 2, -1, -1):
        filled[:, j] = torch.where(known_GK[:, j], z_GK[:, j], filled[:, j + 1])
    return filled


def _on_tokens(
    credit_GK: Tensor,
    tail_G: Tensor,
    step_ends: Sequence[Sequence[int]],
    lengths: Sequence[int],
    *,
    alone: bool,
) -> Tensor:
    """Give each token the credit of the first step that ends at or after it; the tail's where none does.

    Of steps that end in one token the first has the credit of all of them; where a step's credit is its
    own (`alone`), theirs are added up.
    """
    tokens_GT = torch.zeros(len(lengths), max(lengths, default=0), dtype=torch.float64)
    for row, (ends, earned) in enumerate(zip(step_ends, credit_GK.tolist(), strict=True)):
        start = begin = 0
        for end, credit in zip(ends, earned, strict=False):
            if end >= begin:
                start, begin = begin, end + 1
                tokens_GT[row, start:begin] = credit
            elif alone:
                tokens_GT[row, start:begin] += credit
        tokens_GT[row, begin : lengths[row]] = tail_G[row]
    return tokens_GT


def _check(
    step_rewards: Ragged,
    step_ends: Sequence[Sequence[int]],
    lengths: Sequence[int],
    credit: str,
    pool: str,
    std: Std | float,
    eps: float,
) -> None:
    sizes = len(step_rewards), len(step_ends), len(lengths)
    if len(set(sizes)) > 1:
        raise ValueError(f"step_rewards, step_ends and lengths need one entry a completion (given: {sizes})")
    for i, (rewards, ends, length) in enumerate(zip(step_rewards, step_ends, lengths, strict=True)):
        if len(rewards) != len(ends):
            raise ValueError(f"completion {i} has {len(rewards)} step rewards and {len(ends)} step ends")
        if any(map(math.isinf, rewards)):
            raise ValueError(f"completion {i}: step rewards must be finite; NaN marks one that is not known")
        if any(a > b for a, b in pairwise(ends)) or any(not 0 <= e < length for e in ends):
            raise ValueError(
                f"completion {i}: step ends must ascend within its {length} tokens, counted from 0"
                f" (given: {list(ends)})"
            )
    for name, value, known in (
        ("credit", credit, get_args(Credit)),
        ("pool", pool, get_args(Pool)),
        ("std", std, get_args(Std)),
    ):
        number = name == "std" and isinstance(value, int | float) and not isinstance(value, bool)
        if value not in known and not (number and 0 < float(value) < math.inf):
            raise ValueError(f"{name} must be one of {', '.join(known)} (given: {value!r})")
    if not eps >= 0:
        raise ValueError(f"expected eps >= 0 (given: {eps})")
