"""Verifiers: functions that judge whether a completion is right, or has the right form.

They return a `Verdict`: right, wrong, or could not be judged. The worth of a verdict is decided in rewards/.
"""

from typing import TYPE_CHECKING

from ..sandbox.lazy_imports import lazy_names
from .verdict import VERIFIERS

if TYPE_CHECKING:
    from .answers.compare import compare_answers
    from .answers.verify import verify_answer
    from .extraction.extract import extract_answer
    from .programs.verify import verify_program
    from .steps.verify import verify_steps
    from .verdict import Verdict, verifier

__all__ = [
    "Verdict",
    "compare_answers",
    "extract_answer",
    "verifier",
    "verify_answer",
    "verify_program",
    "verify_steps",
]

_HOMES = {
    "Verdict": "markscheme.verifiers.verdict",
    "compare_answers": "markscheme.verifiers.answers.compare",
    "extract_answer": "markscheme.verifiers.extraction.extract",
    "verifier": "markscheme.verifiers.verdict",
    "verify_answer": "markscheme.verifiers.answers.verify",
    "verify_program": "markscheme.verifiers.programs.verify",
    "verify_steps": "markscheme.verifiers.steps.verify",
}
__getattr__, __dir__ = lazy_names(__name__, _HOMES)

VERIFIERS.builtin |= {
    "answer": "markscheme.verifiers.answers.verify:answer",
    "boxed": "markscheme.verifiers.format:boxed",
    "choice": "markscheme.verifiers.answers.verify:choice",
    "exact_match": "markscheme.verifiers.answers.verify:exact_match",
    "json_equal": "markscheme.verifiers.json_equal:json_equal",
    "json_schema": "markscheme.verifiers.format:json_schema",
    "reasoning_gym": "markscheme.verifiers.reasoning_gym:reasoning_gym",
    "regex": "markscheme.verifiers.format:regex",
    "think_answer": "markscheme.verifiers.format:think_answer",
    "unit_tests": "markscheme.verifiers.programs.unit_tests:unit_tests",
}
