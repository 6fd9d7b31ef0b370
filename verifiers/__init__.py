"""Is it right? Verifiers return a `Verdict` of three values; what it is worth is said in rewards/."""

from .answer import compare_answers, verify_answer
from .extract import extract_answer
from .program import verify_program
from .step_checks import verify_steps
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
