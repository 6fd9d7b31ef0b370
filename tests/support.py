"""Names that several test files share."""

from collections.abc import Callable
from pathlib import Path

from markscheme.tasks import Completion, Task

ROOT = Path(__file__).resolve().parent.parent
MakeTask = Callable[..., Task]


def boxed(answer: str, thought: str = "so") -> Completion:
    """A completion in the usual form."""
    return Completion(f"<think>{thought}</think>\\boxed{{{answer}}}")
