"""The choices that an objective leaves open, by name, and the settings of a run's loss.

It does not import torch, so that run files can be checked without it.
"""

from dataclasses import dataclass
from typing import Literal

Std = Literal["population", "sample", "batch", "none"]
"""The standard deviation by which centred rewards are divided; see `outcome_advantages`."""
Ratio = Literal["token", "sequence", "sequence_token", "none"]
"""The importance ratio of the loss, and so its objective: with `none`, REINFORCE, without ratio and clip."""
Kl = Literal["k1", "k2", "k3", "k3_ratio"]
"""How the KL to the reference is estimated; see `kl_estimate`."""
Aggregate = Literal["sequence_mean", "token_mean", "constant"]
"""How the values of tokens are averaged; see `aggregated`."""
Correction = Literal["none", "truncate", "mask"]
"""How importance weights far from 1 are cut off; see `importance_weights`."""
Level = Literal["token", "sequence"]
"""Whether each token has its own importance weight or its completion's; see `importance_weights`."""


@dataclass(frozen=True)
class LossSettings:
    """The settings of an objective; the defaults are DeepSeekMath's, without KL."""

    ratio: Ratio = "token"
    clip_low: float = 0.2
    """The ratio is clipped below at 1 - clip_low (the paper's epsilon)."""
    clip_high: float = 0.2
    """The ratio is clipped above at 1 + clip_high."""
    kl_coef: float = 0.0
    """Weight of the KL to the reference (the paper's beta)."""
    kl: Kl = "k3"
    aggregate: Aggregate = "sequence_mean"
