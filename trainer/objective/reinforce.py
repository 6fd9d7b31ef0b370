"""REINFORCE: log-probability times advantage, without a ratio and without a clip."""

import torch
from torch import Tensor

from .aggregate import loss_of
from .inputs import LossInputs
from .settings import LossSettings


def reinforce(inputs: LossInputs, settings: LossSettings) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the loss -mean(log pi A) + kl_coef KL.

    Williams 1992, "Simple statistical gradient-following algorithms". The old log-probabilities and the
    clips are ignored.

    Returns:
        The loss (a scalar) and the same stats as `clipped_ratio`: a ratio of 1, and nothing clipped.
    """
    inputs64 = inputs.in_float64()
    surrogate_BT = inputs64.logprobs_BT * inputs64.advantages_BT
    loss, stats = loss_of(surrogate_BT, torch.ones_like(inputs64.mask_BT), inputs64, settings)
    mean_ratio = (inputs64.mask_BT > 0).any().double()  # every ratio is 1; 0 if no token counts
    zero = torch.zeros_like(mean_ratio)
    shares = {"ratio": mean_ratio, "clipped_low": zero, "clipped_high": zero}
    shares["not_finite"] = inputs.not_finite()
    return loss.to(inputs.logprobs_BT.dtype), shares | stats
