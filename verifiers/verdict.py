"""`Verdict`: whether an answer is right, why, and on what evidence; and the `@verifier` decorator."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from ..sandbox.display import html_table, shortened
from ..sandbox.errors import RewardError
from ..tasks.registry import Table


class Reason(StrEnum):
    """Why a verdict is what it is: a closed list."""

    EQUAL = "equal"  # the answer means what the reference means
    DIFFERENT = "different"  # it means something else
    NO_ANSWER = "no_answer"  # no rule of extraction found one
    EMPTY = "empty"  # found, and nothing in it
    AMBIGUOUS = "ambiguous"  # offers alternatives (`3 or 4`)
    DENIED = "denied"  # denies the value (`not 5`)
    CONTRADICTS = "contradicts"  # its own parts cannot be true together (`x = 4 = 5`)
    UNEVALUATED = "unevaluated"  # leaves the work undone (`3 * 6` where 18 is asked)
    UNITS_DIFFER = "units_differ"  # the number fits, its unit does not
    UNPARSABLE_ANSWER = "unparsable_answer"  # cannot mean a value (`1/0`)
    UNPARSABLE_REFERENCE = "unparsable_reference"  # the author's: found when a task is loaded
    TOO_LARGE = "too_large"  # over a cap, not evaluated
    TIMEOUT = "timeout"
    MEMORY = "memory"
    UNAVAILABLE = "unavailable"  # ours: worker processes or the sandbox are out of order
    ERROR = "error"  # a program raised, or ended with another status than 0
    COMPILE_ERROR = "compile_error"  # is no program
    OUTPUT_LIMIT = "output_limit"  # printed more than it may
    KILLED = "killed"  # a crash
    UNDECIDED = "undecided"  # no tier could tell
    PASSED = "passed"  # a check other than of an answer: holds
    FAILED = "failed"  # does not hold
    NOTHING_TO_CHECK = "nothing_to_check"  # a step that states nothing which the rule could judge
    UNSUPPORTED = "unsupported"  # right in itself, from numbers that nothing gave


@dataclass(slots=True, repr=False)
class Verdict:
    """One judgement, with three values: right, wrong, and could not be judged.

    >>> from markscheme.verifiers import compare_answers
    >>> compare_answers("1/2", "0.5")
    Verdict(right: equal, '0.5')
    >>> compare_answers("5", "5 or 6")
    Verdict(wrong: ambiguous, '5 or 6')
    """

    correct: bool | None
    """None = could not be judged; never to be read as False."""
    reason: Reason = Reason.UNDECIDED
    """From the closed list."""
    extracted: str | None = None
    """The answer that was judged."""
    tier: str = ""
    """The tier that decided."""
    share: float | None = None
    """Share of cases passed, 0 to 1, where there are cases and all were run."""
    worth: float | None = None
    """What it is worth as a reward, 0 to 1; None = 1 where it is right and 0 where it is wrong."""
    evidence: dict[str, Any] = field(default_factory=dict)
    """Whatever shows why: normal forms, the tag that is missing, failing cases."""
    seconds: float = 0.0
    """Wall time of the judgement, where it was measured."""

    def __bool__(self) -> bool:
        """Refuse truth testing: `if verdict:` would read "could not be judged" as wrong."""
        raise TypeError("a Verdict has three values; compare verdict.correct with True, False or None")

    def __repr__(self) -> str:
        extracted = "" if self.extracted is None else f", {shortened(self.extracted)}"
        share = "" if self.share is None else f", {self.share:.0%} of cases"
        return f"Verdict({_IN_WORDS[self.correct]}: {self.reason}{extracted}{share})"

    def _repr_html_(self) -> str:
        fields = ("reason", "extracted", "tier", "share", "worth", "evidence", "seconds")
        return html_table(
            f"Verdict: {_IN_WORDS[self.correct]}", {name: getattr(self, name) for name in fields}
        )


_IN_WORDS = {True: "right", False: "wrong", None: "undecided"}
_REASON_OF_CHECK = {True: Reason.PASSED, False: Reason.FAILED, None: Reason.UNDECIDED}


def verdict_of(holds: bool | None) -> Verdict:
    """Return the verdict of a check that says only whether something holds; None = it could not tell."""
    return Verdict(holds, _REASON_OF_CHECK[holds])


Judge = Callable[[str, str], Verdict]
"""Judges two normalised texts: a tier is given one for the parts of what it reads."""


def said(same: bool, **evidence: str) -> Verdict:
    """Return the verdict of a comparison that could tell."""
    return Verdict(same, Reason.EQUAL if same else Reason.DIFFERENT, evidence=evidence)


@dataclass(frozen=True)
class Verifier:
    """A function `(problem, completion, **parameters) -> bool | None | Verdict` with its name."""

    name: str
    function: Callable[..., Any]
    is_async: bool = False
    batch: bool = False
    """Takes lists and returns a list of the same length."""
    reference_fault: Callable[[str], str | None] | None = None
    """Says why a reference cannot be judged by, or None; asked for every problem at load."""
    tests_fault: Callable[[Any], str | None] | None = None
    """Says why a problem's tests cannot be judged by, or None; asked likewise."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function itself."""
        return self.function(*args, **kwargs)


F = TypeVar("F", bound=Callable[..., Any])

VERIFIERS = Table("verifier")


def verifier(
    name: str,
    *,
    reference_fault: Callable[[str], str | None] | None = None,
    tests_fault: Callable[[Any], str | None] | None = None,
    batch: bool = False,
) -> Callable[[F], F]:
    """Register a verifier: `(problem, completion, **parameters) -> bool | None | Verdict`.

    None means "cannot be judged". Further keyword-only parameters are filled from the task file.
    The function may be `async`. It stays an ordinary function to its caller.

    Args:
        name: what `use:` in a task says.
        reference_fault: says why a reference cannot be judged by, or None. With it, a problem
            without a usable reference is an error when its task is loaded.
        tests_fault: the same for a problem's tests.
        batch: the function takes lists of problems and completions and returns a list; an
            exception in it stands for its row.

    Raises:
        RewardError: the name is taken elsewhere.
    """
    if not isinstance(name, str):
        raise RewardError('use @verifier("name"): the name is what a task\'s `use:` says')

    def register(function: F) -> F:
        made = Verifier(
            name, function, inspect.iscoroutinefunction(function), batch, reference_fault, tests_fault
        )
        function.markscheme_component = made  # pyright: ignore[reportFunctionMemberAccess]
        VERIFIERS.register(name, function)
        return function

    return register
