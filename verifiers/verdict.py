"""`Verdict`: whether an answer is right, why, and on what evidence; and the `@verifier` decorator."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from ..sandbox.display import html_table, shortened
from ..sandbox.errors import RewardError
from ..tasks.name_lookup import Table


class Reason(StrEnum):
    """Why a verdict is what it is: a closed list, so that code can branch on it."""

    EQUAL = "equal"  # the answer means what the reference means
    DIFFERENT = "different"  # it means something else
    NO_ANSWER = "no_answer"  # no extraction rule found an answer
    EMPTY = "empty"  # an answer was found, but there is nothing in it
    AMBIGUOUS = "ambiguous"  # it offers alternatives (`3 or 4`)
    DENIED = "denied"  # it denies the value (`not 5`)
    CONTRADICTS = "contradicts"  # it cannot be true as a whole (`x = 4 = 5`), or is retracted later
    UNEVALUATED = "unevaluated"  # it leaves the calculation undone (`3 * 6` where 18 is expected)
    UNITS_DIFFER = "units_differ"  # its unit or currency does not convert to the reference's
    UNPARSABLE_ANSWER = "unparsable_answer"  # it cannot be read as a value, or has none (`1/0`)
    UNPARSABLE_REFERENCE = "unparsable_reference"  # the author's fault; `check_references` reports it
    TOO_LARGE = "too_large"  # it exceeds a size limit and was not evaluated
    TIMEOUT = "timeout"  # the comparison, or the program, exceeded its time limit
    MEMORY = "memory"  # it exceeded its memory limit
    UNAVAILABLE = "unavailable"  # our fault: no worker process, or no sandbox, could be used
    ERROR = "error"  # a program raised an exception, or exited with a status other than 0
    COMPILE_ERROR = "compile_error"  # the text is not a valid program
    OUTPUT_LIMIT = "output_limit"  # a program printed more than it may
    KILLED = "killed"  # a program crashed
    UNDECIDED = "undecided"  # no tier could decide
    PASSED = "passed"  # a check other than a comparison of answers holds
    FAILED = "failed"  # such a check does not hold
    NOTHING_TO_CHECK = "nothing_to_check"  # a step makes no claim that the rule could judge
    UNSUPPORTED = "unsupported"  # a step's claim is true, but one of its numbers was never given


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
    """Whether the answer is right. None = it could not be judged, which must never be read as wrong."""
    reason: Reason = Reason.UNDECIDED
    extracted: str | None = None
    """The answer that was judged."""
    tier: str = ""
    """What decided: a tier of `answers/tiers.py`, a verifier's own check, or `extract` where there is no
    answer to judge."""
    share: float | None = None
    """Share of test cases passed, 0 to 1; None where there are none, or where not all of them were run."""
    worth: float | None = None
    """Value as a reward, 0 to 1. None = the usual: 1 for a right answer, 0 for a wrong one."""
    evidence: dict[str, Any] = field(default_factory=dict)
    """Details that explain the verdict: normal forms, the tag that is missing, the failing cases."""
    seconds: float = 0.0
    """Wall-clock time of the judgement, where it was measured."""

    def __bool__(self) -> bool:
        """Refuse truth testing: `if verdict:` would read "could not be judged" as wrong."""
        raise TypeError("a Verdict has three values; compare verdict.correct with True, False or None")

    def __repr__(self) -> str:
        extracted = "" if self.extracted is None else f", {shortened(self.extracted)}"
        share = "" if self.share is None else f", {self.share:.0%} of cases"
        return f"Verdict({_IN_WORDS[self.correct]}: {self.reason}{extracted}{share})"

    def _repr_html_(self) -> str:
        names = ("reason", "extracted", "tier", "share", "worth", "evidence", "seconds")
        fields = {name: getattr(self, name) for name in names}
        return html_table(f"Verdict: {_IN_WORDS[self.correct]}", fields)


_IN_WORDS = {True: "right", False: "wrong", None: "undecided"}
_REASON_OF_CHECK = {True: Reason.PASSED, False: Reason.FAILED, None: Reason.UNDECIDED}


def verdict_of(holds: bool | None, **evidence: Any) -> Verdict:
    """Return the verdict of a check: `passed`, `failed`, or `undecided` for None."""
    return Verdict(holds, _REASON_OF_CHECK[holds], evidence=evidence)


def equal_or_different(same: bool, **evidence: str) -> Verdict:
    """Return the verdict of a tier that could compare the two answers."""
    return Verdict(same, Reason.EQUAL if same else Reason.DIFFERENT, evidence=evidence)


@dataclass(frozen=True)
class Verifier:
    """A registered function `(problem, completion, **parameters) -> bool | None | Verdict`."""

    name: str
    function: Callable[..., Any]
    is_async: bool = False
    batch: bool = False
    """Whether the function takes lists of problems and completions and returns a list of verdicts."""
    reference_fault: Callable[[str], str | None] | None = None
    """Returns why this verifier cannot judge by a given reference, or None if it can.

    Where it is set, `MarkScheme.check_references` checks every problem's reference; `check`, `score` and
    `train` call it."""
    tests_fault: Callable[[Any], str | None] | None = None
    """The same for a problem's tests."""

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

    The function returns None for a completion that it cannot judge. Its keyword-only parameters are filled in
    from the task file. It may be `async`. It can still be called as an ordinary function.

        >>> from markscheme.tasks import Completion, Problem
        >>> from markscheme.verifiers import verifier
        >>> @verifier("polite")
        ... def polite(problem, completion, *, word: str = "please") -> bool:
        ...     return word in completion.text.lower()
        >>> polite(Problem(prompt="Ask for tea."), Completion("Tea, please."))
        True

    In a task: `{use: "mine.py:polite", word: "thank you"}`.

    Args:
        name: the name that a task gives in `use:`.
        reference_fault: returns why no answer can be judged by a reference, or None. If it is given, a
            problem without a usable reference is an error for `check`, `score` and `train`.
        tests_fault: the same for a problem's tests.
        batch: the function takes lists of problems and completions and returns a list of verdicts, one per
            completion; an exception in that list is the result of its row.

    Raises:
        RewardError: `name` is not text, or is already taken by another verifier.
    """
    if not isinstance(name, str):
        raise RewardError(
            f"@verifier needs the name that a task will give in `use:` (given: {name!r}); write"
            ' @verifier("name")'
        )

    def register(function: F) -> F:
        component = Verifier(
            name, function, inspect.iscoroutinefunction(function), batch, reference_fault, tests_fault
        )
        function.markscheme_component = component  # pyright: ignore[reportFunctionMemberAccess]
        VERIFIERS.register(name, function)
        return function

    return register
