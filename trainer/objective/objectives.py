"""Which function computes the loss for each value of `algorithm.ratio`."""

from .clipped_ratio import clipped_ratio
from .inputs import Objective
from .reinforce import reinforce
from .settings import Ratio

OBJECTIVES: dict[Ratio, Objective] = {
    "token": clipped_ratio,
    "sequence": clipped_ratio,
    "sequence_token": clipped_ratio,
    "none": reinforce,
}
