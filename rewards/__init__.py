"""What is it worth? Rewards, their composition into a `MarkScheme`, and the way in from TRL."""

from .adapters import from_trl
from .component import reward
from .scheme import MarkScheme
from .score import Score

__all__ = ["MarkScheme", "Score", "from_trl", "reward"]
