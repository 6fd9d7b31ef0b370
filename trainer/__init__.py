"""Training by GRPO: advantages, losses, engines that sample, the training loop, and the command line."""

from typing import TYPE_CHECKING

from ..sandbox.lazy_imports import lazy_names

if TYPE_CHECKING:
    from .loop.sample import sample
    from .objective.bradley_terry import bradley_terry_loss
    from .objective.outcome_advantages import outcome_advantages
    from .objective.policy_loss import policy_loss
    from .objective.process_advantages import process_advantages
    from .run.train import train

__all__ = ["bradley_terry_loss", "outcome_advantages", "policy_loss", "process_advantages", "sample", "train"]

_HOMES = {
    "bradley_terry_loss": "markscheme.trainer.objective.bradley_terry",
    "outcome_advantages": "markscheme.trainer.objective.outcome_advantages",
    "policy_loss": "markscheme.trainer.objective.policy_loss",
    "process_advantages": "markscheme.trainer.objective.process_advantages",
    "sample": "markscheme.trainer.loop.sample",
    "train": "markscheme.trainer.run.train",
}
__getattr__, __dir__ = lazy_names(__name__, _HOMES)
