"""Task files, the problems that they describe, and completions. Nothing is scored in this folder."""

from .load_problems import load_problems
from .load_task import load_task
from .name_lookup import GENERATORS
from .problem import Completion, Problem
from .schema import Task

__all__ = ["Completion", "Problem", "Task", "load_problems", "load_task"]

GENERATORS.builtin |= {
    "addition": "markscheme.tasks.generators.addition:Addition",
    "arithmetic_in_words": "markscheme.tasks.generators.arithmetic_in_words:ArithmeticInWords",
    "deduction": "markscheme.tasks.generators.deduction:Deduction",
    "list_programs": "markscheme.tasks.generators.list_programs:ListPrograms",
    "records": "markscheme.tasks.generators.records:Records",
    "reasoning_gym": "markscheme.tasks.generators.reasoning_gym:ReasoningGym",
}
