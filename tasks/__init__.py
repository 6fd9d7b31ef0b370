"""What is asked: task files, problems and completions. Shapes and templates, no judgement."""

from .load import load_task
from .problem import Completion, Problem
from .problems import load_problems
from .schema import Task

__all__ = ["Completion", "Problem", "Task", "load_problems", "load_task"]
