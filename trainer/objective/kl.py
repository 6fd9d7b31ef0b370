"""Estimates of the KL divergence between the policy and its reference, from sampled tokens."""

import torch
from torch import Tensor

from .inputs import bounded
from .settings import Kl


def kl_estimate(logprobs_BT: Tensor, ref_logprobs_BT: Tensor, kind: Kl) -> Tensor:
    """Return an estimate of KL(pi || pi_ref) for each sampled token, in nats.

    k1 = log pi/pi_ref; k2 = k1^2 / 2; k3 (and k3_ratio) = x - log x - 1 with x = pi_ref/pi, which is
    never negative (DeepSeekMath, arXiv 2402.03300, equation 4). Logarithms of ratios are `bounded`.
    """
    k1 = bounded(logprobs_BT - ref_logprobs_BT)
    if kind == "k1":
        return k1
    if kind == "k2":
        return k1.square() / 2
    return torch.expm1(-k1) + k1
