"""The loss of outcome reward models on pairs of completions: a pure function.

Shapes: `_B` pairs.
"""

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid


def bradley_terry_loss(
    chosen_B: Tensor,
    rejected_B: Tensor,
    *,
    margin_B: Tensor | None = None,
    centring: float = 0.0,
    label_smoothing: float = 0.0,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the Bradley-Terry loss of pairs, the mean over pairs, in nats, and statistics of the pairs.

    With d = chosen - rejected - margin, label smoothing e and centring c:

        loss = -(1 - e) log sigmoid(d) - e log sigmoid(-d) + c (chosen + rejected)^2

    (InstructGPT, arXiv 2203.02155, equation 1; the margin is that of Llama 2, arXiv 2307.09288, equation 2;
    the centring that of arXiv 2312.09244, as in TRL; the smoothing that of conservative DPO.)

        >>> import torch
        >>> from markscheme.trainer import bradley_terry_loss
        >>> loss, stats = bradley_terry_loss(torch.tensor([2.0]), torch.tensor([1.0]))
        >>> round(loss.item(), 5), stats["accuracy"].item()
        (0.31326, 1.0)

    Args:
        chosen_B: `[B]`, the scores of the preferred completions.
        rejected_B: `[B]`, those of the others.
        margin_B: `[B]`, by how much the score of the preferred one should be higher; None = 0.
        centring: weight, 0 or more, of a penalty that keeps the scores of a pair around 0. Without it the
            level of the scores is arbitrary.
        label_smoothing: the probability, from 0 to below 0.5, that a pair is labelled the wrong way round.

    Returns:
        The loss, a scalar of the input's dtype (computed in float64), and `accuracy` (the share of pairs
        whose preferred completion scores higher; a tie counts as wrong), `difference` (the mean of chosen -
        rejected) and `level` (the mean of all scores).

    Raises:
        ValueError: there are no pairs, the shapes differ, or a number is out of its range.
    """
    shapes = [tuple(one.shape) for one in (chosen_B, rejected_B, margin_B) if one is not None]
    if chosen_B.dim() != 1 or len(set(shapes)) > 1 or not len(chosen_B):
        raise ValueError(f"expected scores of one or more pairs, all of shape [B] (given: {shapes})")
    if not centring >= 0:
        raise ValueError(f"centring must be 0 or more (given: {centring})")
    if not 0 <= label_smoothing < 0.5:
        raise ValueError(f"label_smoothing must be from 0 to below 0.5 (given: {label_smoothing})")
    chosen, rejected = chosen_B.double(), rejected_B.double()
    difference = chosen - rejected
    d = difference if margin_B is None else difference - margin_B.double()
    losses = -(1 - label_smoothing) * logsigmoid(d) - label_smoothing * logsigmoid(-d)
    losses = losses + centring * (chosen + rejected).square()
    with torch.no_grad():
        stats = {
            "accuracy": (difference > 0).double().mean(),
            "difference": difference.mean(),
            "level": ((chosen + rejected) / 2).mean(),
        }
    return losses.mean().to(chosen_B.dtype), stats
