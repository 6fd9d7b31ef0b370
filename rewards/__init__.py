"""Functions that score completions, their composition by a task, and exports to other trainers."""

from typing import TYPE_CHECKING

from ..sandbox.lazy_imports import lazy_names
from .composition.reward_functions import REWARDS

if TYPE_CHECKING:
    from .check.task import check_task
    from .composition.reward_functions import reward
    from .exports.trl import as_trl, from_trl
    from .exports.verl import as_verl
    from .offline.evaluation import evaluate_scores
    from .offline.forecast.forecast import signal_forecast
    from .offline.scoring import score_completions
    from .scheme import MarkScheme
    from .score import Part, Score

__all__ = [
    "MarkScheme",
    "Part",
    "Score",
    "as_trl",
    "as_verl",
    "check_task",
    "evaluate_scores",
    "from_trl",
    "reward",
    "score_completions",
    "signal_forecast",
]

_HOMES = {
    "MarkScheme": "markscheme.rewards.scheme",
    "Part": "markscheme.rewards.score",
    "Score": "markscheme.rewards.score",
    "as_trl": "markscheme.rewards.exports.trl",
    "as_verl": "markscheme.rewards.exports.verl",
    "check_task": "markscheme.rewards.check.task",
    "evaluate_scores": "markscheme.rewards.offline.evaluation",
    "from_trl": "markscheme.rewards.exports.trl",
    "reward": "markscheme.rewards.composition.reward_functions",
    "score_completions": "markscheme.rewards.offline.scoring",
    "signal_forecast": "markscheme.rewards.offline.forecast.forecast",
}
__getattr__, __dir__ = lazy_names(__name__, _HOMES)

REWARDS.builtin |= {
    "judge": "markscheme.rewards.models.judge.judge:judge",
    "language": "markscheme.rewards.builtin.shaping:language",
    "length": "markscheme.rewards.builtin.shaping:length",
    "overlong": "markscheme.rewards.builtin.shaping:overlong",
    "prm": "markscheme.rewards.models.prm:prm",
    "rm": "markscheme.rewards.models.rm:rm",
    "repetition": "markscheme.rewards.builtin.shaping:repetition",
    "step_checker": "markscheme.rewards.builtin.step_rules:step_checker",
    "step_scores": "markscheme.rewards.builtin.step_rules:step_scores",
}
