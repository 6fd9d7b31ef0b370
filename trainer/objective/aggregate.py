"""The second half of every objective: from a value per token to a loss, by subtracting the KL and averaging.

The first half, which computes the values, is in `clipped_ratio.py` and `reinforce.py`. Pure functions.
"""

import torch
from torch import Tensor

from .inputs import LossInputs
from .kl import kl_estimate
from .settings import Aggregate, LossSettings


def loss_of(
    surrogate_BT: Tensor, ratio_BT: Tensor, inputs: LossInputs, settings: LossSettings
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the loss of a surrogate objective, and the measured KL where there is a reference.

    Args:
        surrogate_BT: the value of each token that is to be maximised, without importance weights and KL.
        ratio_BT: pi / pi_old, by which `k3_ratio` multiplies the KL.
        inputs: as `LossInputs.in_float64` returns them.
        settings: the kind and weight of the KL, and how tokens are averaged.

    Returns:
        The loss (a scalar), and `kl`, the mean k3 estimate over tokens, without gradient; or no statistics
        if there is no reference.
    """
    objective_BT = surrogate_BT if inputs.weights_BT is None else surrogate_BT * inputs.weights_BT
    stats: dict[str, Tensor] = {}
    if inputs.ref_logprobs_BT is not None:
        measured_BT = kl_estimate(inputs.logprobs_BT.detach(), inputs.ref_logprobs_BT, "k3")
        stats["kl"] = token_mean(measured_BT, inputs.mask_BT)
        if settings.kl_coef:
            kl_BT = kl_estimate(inputs.logprobs_BT, inputs.ref_logprobs_BT, settings.kl)
            if settings.kl == "k3_ratio":
                kl_BT = kl_BT * ratio_BT
            objective_BT = objective_BT - settings.kl_coef * kl_BT
    return -aggregated(objective_BT, inputs.mask_BT, settings.aggregate, inputs.denominator), stats


def aggregated(
    values_BT: Tensor, mask_BT: Tensor, aggregate: Aggregate, denominator: float | None = None
) -> Tensor:
    """Return the average of the tokens' values, taken in one of three ways.

    Args:
        values_BT: `[B, T]`.
        mask_BT: `[B, T]`, 1 for tokens that count, else 0.
        aggregate: `sequence_mean` (mean over each completion, then over completions), `token_mean` (mean over
            all tokens: DAPO), `constant` (sum divided by a constant: Dr. GRPO).
        denominator: the number by which the last sum is divided. The parts of a batch only add up to its
            loss if all of them are divided by the whole batch's denominator. None = the number of completions
            with a token (`sequence_mean`), of tokens (`token_mean`), or B x T (`constant`).
    """
    values = torch.where(mask_BT > 0, values_BT * mask_BT, 0.0)
    if aggregate == "sequence_mean":
        lengths = mask_BT.sum(-1)
        per_completion = values.sum(-1) / lengths.clamp(min=1)
        return per_completion.sum() / (denominator or max(float((lengths > 0).sum()), 1.0))
    if aggregate == "token_mean":
        return values.sum() / (denominator or max(float(mask_BT.sum()), 1.0))
    return values.sum() / (denominator or max(float(mask_BT.numel()), 1.0))


def token_mean(values_BT: Tensor, mask_BT: Tensor) -> Tensor:
    """Return the mean over the tokens that count; 0 if none does."""
    return torch.where(mask_BT > 0, values_BT, 0.0).sum() / mask_BT.sum().clamp(min=1)
