"""The policy loss: a clipped surrogate with KL, over tokens. Pure functions.

Shapes: `_B` completions of the batch, `_T` their tokens, right-padded; the mask tells.
"""

from typing import Literal, get_args

import torch
from torch import Tensor

Ratio = Literal["token", "sequence", "sequence_token", "none"]
Kl = Literal["k1", "k2", "k3", "k3_ratio"]
Aggregate = Literal["sequence_mean", "token_mean", "constant"]


def policy_loss(
    logprobs_BT: Tensor,
    old_logprobs_BT: Tensor,
    advantages_BT: Tensor,
    mask_BT: Tensor,
    *,
    clip_low: float = 0.2,
    clip_high: float = 0.2,
    ratio: Ratio = "token",
    weights_BT: Tensor | None = None,
    ref_logprobs_BT: Tensor | None = None,
    kl_coef: float = 0.0,
    kl: Kl = "k3",
    aggregate: Aggregate = "sequence_mean",
    denominator: float | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the loss to minimise and what it was made of.

    DeepSeekMath (arXiv 2402.03300), equation 3, as a loss:

        loss = -1/B sum_i 1/|o_i| sum_t { min(ratio A, clip(ratio, 1-clip_low, 1+clip_high) A) - kl_coef KL }
        ratio = pi / pi_old;   KL (k3) = x - log x - 1,  x = pi_ref / pi   (equation 4)

    Args:
        logprobs_BT: log-probabilities of the sampled tokens under the policy, with gradient.
        old_logprobs_BT: the same under the policy that sampled; ignored with `ratio="none"`.
        advantages_BT: `[B, T]`, or `[B, 1]` for one a completion.
        mask_BT: 1 for tokens of the policy's own, 0 for padding and tool text.
        clip_low: lower clip; the ratio counts down to 1 - clip_low.
        clip_high: upper clip (DAPO's clip-higher is 0.28).
        ratio: `token`; `sequence` (GSPO, 2507.18071: geometric mean of a completion's ratios);
            `sequence_token` (GSPO-token, its equation 13: the same value, each token's own gradient, which
            advantages that differ within a completion need);
            `none` (log-probability times advantage: no ratio, no clip).
        weights_BT: importance weights, multiplied into the surrogate, not into the KL.
        ref_logprobs_BT: under the reference; needed where kl_coef > 0.
        kl_coef: the paper's beta.
        kl: `k3` (the paper's); `k1`, `k2`; `k3_ratio` (k3 times ratio: DeepSeek-V3.2, TRL's).
        aggregate: `sequence_mean` (mean over a completion, then over completions), `token_mean`
            (over all tokens: DAPO), `constant` (sum over a given denominator: Dr. GRPO).
        denominator: what to divide by; for a part of a batch, the whole batch's. Default:
            completions with a token, all tokens, or (constant) B x T.

    Returns:
        The loss (a scalar) and detached means over tokens: `ratio`, `clipped_low`, `clipped_high`
        (shares whose clip is active), `kl` (k3, where there is a reference). Computed in float64.

    Raises:
        ValueError: shapes that do not fit, an unknown name, or KL without a reference.
    """
    _check(
        logprobs_BT,
        old_logprobs_BT,
        advantages_BT,
        mask_BT,
        ref_logprobs_BT,
        kl_coef,
        ratio,
        kl,
        aggregate,
    )
    mask = mask_BT.to(torch.float64)
    # Padding may hold anything, infinities too: it is taken out before it meets the mathematics.
    logprobs, old, advantages = (
        torch.where(mask > 0, tensor.to(torch.float64), 0.0)
        for tensor in (logprobs_BT, old_logprobs_BT, advantages_BT.expand_as(mask))
    )
    log_ratio = _log_ratio(logprobs, old, mask, ratio)
    if ratio == "none":
        surrogate = logprobs * advantages
        ratio_BT = torch.ones_like(mask)
    else:
        ratio_BT = log_ratio.exp()
        clipped = ratio_BT.clamp(1 - clip_low, 1 + clip_high)
        surrogate = torch.minimum(ratio_BT * advantages, clipped * advantages)
    if weights_BT is not None:
        surrogate = surrogate * weights_BT.to(torch.float64)
    objective = surrogate
    stats = _ratio_stats(ratio_BT.detach(), advantages, mask, clip_low, clip_high)
    if ref_logprobs_BT is not None:
        reference = torch.where(mask > 0, ref_logprobs_BT.to(torch.float64), 0.0)
        stats["kl"] = _mean(kl_estimate(logprobs.detach(), reference, "k3"), mask)
        if kl_coef:
            estimate = kl_estimate(logprobs, reference, "k3" if kl == "k3_ratio" else kl)
            objective = objective - kl_coef * (estimate * ratio_BT if kl == "k3_ratio" else estimate)
    loss = -aggregated(objective, mask, aggregate, denominator)
    return loss.to(logprobs_BT.dtype), stats


def _log_ratio(logprobs: Tensor, old: Tensor, mask: Tensor, ratio: Ratio) -> Tensor:
    difference = logprobs - old
    if ratio in ("token", "none"):
        return difference
    mean = (difference.sum(-1, keepdim=True) / mask.sum(-1, keepdim=True).clamp(min=1)).expand_as(mask)
    return mean if ratio == "sequence" else mean.detach() + logprobs - logprobs.detach()


def kl_estimate(logprobs_BT: Tensor, ref_logprobs_BT: Tensor, kind: Kl) -> Tensor:
    """Return an estimate of KL(pi || pi_ref) for each sampled token, in nats.

    k1 = log pi/pi_ref; k2 = k1^2 / 2; k3 = x - log x - 1 with x = pi_ref/pi (never negative).
    """
    k1 = logprobs_BT - ref_logprobs_BT
    if kind == "k1":
        return k1
    return k1.square() / 2 if kind == "k2" else torch.expm1(-k1) + k1


def aggregated(
    values_BT: Tensor, mask_BT: Tensor, aggregate: Aggregate, denominator: float | None = None
) -> Tensor:
    """Return one number from token values; see `policy_loss` for the forms."""
    values = torch.where(mask_BT > 0, values_BT * mask_BT, 0.0)
    if aggregate == "sequence_mean":
        lengths = mask_BT.sum(-1)
        per_completion = values.sum(-1) / lengths.clamp(min=1)
        return per_completion.sum() / (denominator or max(float((lengths > 0).sum()), 1.0))
    if aggregate == "token_mean":
        return values.sum() / (denominator or max(float(mask_BT.sum()), 1.0))
    return values.sum() / (denominator or max(float(mask_BT.numel()), 1.0))


def _mean(values_BT: Tensor, mask_BT: Tensor) -> Tensor:
    return torch.where(mask_BT > 0, values_BT, 0.0).sum() / mask_BT.sum().clamp(min=1)


def _ratio_stats(
    ratio_BT: Tensor, advantages: Tensor, mask: Tensor, clip_low: float, clip_high: float
) -> dict[str, Tensor]:
    return {
        "ratio": _mean(ratio_BT, mask),
        "clipped_low": _mean(((ratio_BT < 1 - clip_low) & (advantages < 0)).double(), mask),
        "clipped_high": _mean(((ratio_BT > 1 + clip_high) & (advantages > 0)).double(), mask),
    }


def _check(
    logprobs: Tensor,
    old: Tensor,
    advantages: Tensor,
    mask: Tensor,
    reference: Tensor | None,
    kl_coef: float,
    ratio: str,
    kl: str,
    aggregate: str,
) -> None:
    shape = tuple(logprobs.shape)
    for name, tensor in (("old_logprobs", old), ("mask", mask), ("ref_logprobs", reference)):
        if tensor is not None and tuple(tensor.shape) != shape:
            raise ValueError(
                f"{name} must have the shape of logprobs, {shape} (given: {tuple(tensor.shape)})"
            )
    if logprobs.dim() != 2 or tuple(advantages.shape) not in (shape, (shape[0], 1)):
        raise ValueError(
            f"expected [B, T] and advantages [B, T] or [B, 1] (given: {shape}, {tuple(advantages.shape)})"
        )
    for name, value, known in (
        ("ratio", ratio, get_args(Ratio)),
        ("kl", kl, ("k1", "k2", "k3", "k3_ratio")),
        ("aggregate", aggregate, ("sequence_mean", "token_mean", "constant")),
    ):
        if value not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)} (given: {value!r})")
    if kl_coef and reference is None:
        raise ValueError("kl_coef > 0 needs ref_logprobs_BT")
