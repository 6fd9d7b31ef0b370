"""`policy_loss`: all objectives of this folder behind one function with keyword arguments.

`policy_loss` is meant for other training loops. `trainer/loop/learner.py` calls the objectives themselves.
"""

from torch import Tensor

from .inputs import LossInputs, check_inputs
from .objectives import OBJECTIVES
from .settings import Aggregate, Kl, LossSettings, Ratio


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
    """Return the loss to minimise, and statistics of the ratios, the clip and the KL.

    DeepSeekMath (arXiv 2402.03300), equation 3, as a loss:

        loss = -1/B sum_i 1/|o_i| sum_t { min(ratio A, clip(ratio, 1-clip_low, 1+clip_high) A) - kl_coef KL }
        ratio = pi / pi_old;   KL (k3) = x - log x - 1,  x = pi_ref / pi   (equation 4)

    A ratio of 1.5 is clipped at 1.2 where the advantage is positive:

        >>> import math, torch
        >>> from markscheme.trainer import policy_loss
        >>> old = torch.zeros(1, 1)
        >>> new = torch.full((1, 1), math.log(1.5))
        >>> loss, stats = policy_loss(new, old, torch.ones(1, 1), torch.ones(1, 1))
        >>> round(loss.item(), 4), stats["clipped_high"].item()
        (-1.2, 1.0)

    Args:
        logprobs_BT: `[B, T]`, log-probabilities of the sampled tokens under the policy, with gradient.
        old_logprobs_BT: the same under the policy before the update; ignored with `ratio="none"`.
        advantages_BT: `[B, T]`, or `[B, 1]` for one per completion.
        mask_BT: 1 for tokens that the policy wrote, 0 for padding and for text of a tool or a template.
        clip_low: the ratio is clipped below at 1 - clip_low.
        clip_high: the ratio is clipped above at 1 + clip_high (DAPO's clip-higher: 0.28).
        ratio: `token`; `sequence` (GSPO, arXiv 2507.18071: the geometric mean of a completion's ratios);
            `sequence_token` (GSPO-token, its equation 13: the same value, but each token keeps its own
            gradient, which is needed if advantages differ within a completion); `none` (REINFORCE: no ratio,
            no clip).
        weights_BT: importance weights, multiplied into the surrogate but not into the KL; None = all 1.
        ref_logprobs_BT: log-probabilities under the reference; needed if kl_coef is above 0.
        kl_coef: weight of the KL to the reference (the paper's beta).
        kl: `k3` (the paper's); `k1`, `k2`; `k3_ratio` (k3 times the ratio: DeepSeek-V3.2 and TRL).
        aggregate: see `aggregated`.
        denominator: the number by which the sum over tokens is divided; see `aggregated`, also for the
            default.

    Returns:
        The loss (a scalar in the dtype of `logprobs_BT`, computed in float64), and means over tokens without
        gradient: `ratio`; `clipped_low` and `clipped_high` (shares of tokens whose clip is active);
        `not_finite` (share of tokens that are dropped, because a value of theirs is infinite or NaN); `kl`
        (k3, if there is a reference). Logarithms of ratios are limited to +-20.

    Raises:
        ValueError: shapes do not match, a name is unknown, or `kl_coef` has no reference.
    """
    inputs = LossInputs(
        logprobs_BT, old_logprobs_BT, advantages_BT, mask_BT, weights_BT, ref_logprobs_BT, denominator
    )
    settings = LossSettings(ratio, clip_low, clip_high, kl_coef, kl, aggregate)
    check_inputs(inputs, settings)
    return OBJECTIVES[ratio](inputs, settings)
