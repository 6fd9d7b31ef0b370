"""What is it worth? Rewards, their composition into a `MarkScheme`, and the way in from TRL."""

from .composition.registry import reward
from .exports.trl import from_trl
from .scheme import MarkScheme
from .score import Score

__all__ = ["MarkScheme", "Score", "from_trl", "reward"]
