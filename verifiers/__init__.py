"""Is it right? Verifiers return a `Verdict` of three values; what it is worth is said in rewards/."""

from .answers.verify import compare_answers, verify_answer
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
