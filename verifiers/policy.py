"""`Policy`: how answers are compared; and `Judge`: what a tier calls for the parts of a structure."""

from typing import Literal, NamedTuple, Protocol

from .verdict import Verdict

Decimals = Literal["exact", "rounded", "loose"]


class Policy(NamedTuple):
    """How one answer is compared with one reference.

    The table of what each value of `decimals` accepts is in verifiers/README.md.
    """

    decimals: Decimals = "rounded"
    """How near a decimal must be: `exact`, `rounded` (to the digits that the reference shows) or `loose`."""
    decimal_comma: bool = False
    """Whether the comma in `3,5` is a decimal point; otherwise `3,5` is a list of two numbers."""
    question: str = ""
    """The text of the problem; empty if it is not known. It lists the options of a choice and
    names the quantity that is asked for."""


class Judge(Protocol):
    """Judges two normalised texts by all tiers but the last. A tier calls it for the parts of a structure."""

    policy: Policy

    def without_question(self) -> "Judge":
        """Return a judge that does not know the question, for texts that were taken from it."""
        ...

    def __call__(self, reference: str, answer: str) -> Verdict:
        """Return the verdict on an answer, or on a part of one."""
        ...
