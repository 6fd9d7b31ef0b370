"""markscheme: declare how answers earn marks, check the scheme offline, and train on it with GRPO.

The code is in five folders, each of which imports only from those before it: `sandbox` runs programs, `tasks`
reads task files, `verifiers` judges answers, `rewards` turns judgements into scores, and `trainer` trains on
the scores. The names below are imported when they are first used, so `import markscheme` is fast.
"""

from typing import TYPE_CHECKING

from .sandbox.lazy_imports import lazy_names

if TYPE_CHECKING:
    from .rewards.composition.reward_functions import reward
    from .rewards.scheme import MarkScheme
    from .rewards.score import Score
    from .sandbox.execution import Limits
    from .sandbox.sandbox import Sandbox
    from .tasks.load_problems import load_problems
    from .tasks.load_task import load_task
    from .tasks.problem import Completion, Problem
    from .tasks.schema import Task
    from .trainer.loop.sample import sample
    from .trainer.run.train import train
    from .verifiers.answers.compare import compare_answers
    from .verifiers.answers.verify import verify_answer
    from .verifiers.programs.verify import verify_program
    from .verifiers.steps.verify import verify_steps
    from .verifiers.verdict import Verdict, verifier

__version__ = "0.1.0"

_HOMES = {
    "Completion": "markscheme.tasks",
    "Limits": "markscheme.sandbox",
    "MarkScheme": "markscheme.rewards",
    "Problem": "markscheme.tasks",
    "Sandbox": "markscheme.sandbox",
    "Score": "markscheme.rewards",
    "Task": "markscheme.tasks",
    "Verdict": "markscheme.verifiers",
    "compare_answers": "markscheme.verifiers",
    "load_problems": "markscheme.tasks",
    "load_task": "markscheme.tasks",
    "reward": "markscheme.rewards",
    "sample": "markscheme.trainer",
    "train": "markscheme.trainer",
    "verifier": "markscheme.verifiers",
    "verify_answer": "markscheme.verifiers",
    "verify_program": "markscheme.verifiers",
    "verify_steps": "markscheme.verifiers",
}

__all__ = [
    "Completion",
    "Limits",
    "MarkScheme",
    "Problem",
    "Sandbox",
    "Score",
    "Task",
    "Verdict",
    "__version__",
    "compare_answers",
    "load_problems",
    "load_task",
    "reward",
    "sample",
    "train",
    "verifier",
    "verify_answer",
    "verify_program",
    "verify_steps",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
