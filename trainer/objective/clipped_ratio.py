"""The clipped surrogate of PPO and GRPO, with a ratio per token or per completion (GSPO)."""

import torch
from torch import Tensor

from .aggregate import loss_of, token_mean
from .inputs import LossInputs, bounded
from .settings import LossSettings, Ratio


def clipped_ratio(inputs: LossInputs, settings: LossSettings) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the loss -mean min(ratio A, clip(ratio, 1-clip_low, 1+clip_high) A) + kl_coef KL.

    DeepSeekMath (arXiv 2402.03300), equation 3; GSPO (arXiv 2507.18071), equations 5 and 13.

    Returns:
        The loss (a scalar), and means over tokens without gradient: `ratio`; `clipped_low` and
        `clipped_high`, the shares of tokens whose clip is active; `not_finite`, the share of tokens that are
        dropped because a value of theirs is not finite; `kl` (k3), where there is a reference.
    """
    inputs64 = inputs.in_float64()
    ratio_BT = bounded(_log_ratio(inputs64, settings.ratio)).exp()
    clipped_BT = ratio_BT.clamp(1 - settings.clip_low, 1 + settings.clip_high)
    surrogate_BT = torch.minimum(ratio_BT * inputs64.advantages_BT, clipped_BT * inputs64.advantages_BT)
    loss, stats = loss_of(surrogate_BT, ratio_BT, inputs64, settings)
    below_BT = (ratio_BT < 1 - settings.clip_low) & (inputs64.advantages_BT < 0)
    above_BT = (ratio_BT > 1 + settings.clip_high) & (inputs64.advantages_BT > 0)
    shares = {
        "ratio": token_mean(ratio_BT.detach(), inputs64.mask_BT),
        "clipped_low": token_mean(below_BT.double(), inputs64.mask_BT),
        "clipped_high": token_mean(above_BT.double(), inputs64.mask_BT),
        "not_finite": inputs.not_finite(),
    }
    return loss.to(inputs.logprobs_BT.dtype), shares | stats


def _log_ratio(inputs: LossInputs, ratio: Ratio) -> Tensor:
    """Return the logarithm of the importance ratio of each token, `[B, T]`."""
    difference_BT = inputs.logprobs_BT - inputs.old_logprobs_BT
    if ratio == "token":
        return difference_BT
    lengths = inputs.mask_BT.sum(-1, keepdim=True).clamp(min=1)
    mean_BT = (difference_BT.sum(-1, keepdim=True) / lengths).expand_as(difference_BT)
    if ratio == "sequence":
        return mean_BT
    # GSPO-token: the last two terms cancel in value and leave each token its own gradient.
    return mean_BT.detach() + inputs.logprobs_BT - inputs.logprobs_BT.detach()
