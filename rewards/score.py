"""`Score`: what an answer is worth, part by part, and whose fault it is where it has no worth."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ..verifiers.steps.split import Step
from ..verifiers.verdict import Reason, Verdict


class Status(StrEnum):
    """Whose fault decides what a failure means, or the policy learns to hide in exclusions."""

    OK = "ok"
    NO_ANSWER = "no_answer"  # the completion's: worth the component's lowest value, reason kept
    TOO_LARGE = "too_large"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    UNPARSABLE = "unparsable"
    INFRA_ERROR = "infra_error"  # ours: retried, then the row is left out of its group
    ABSTAIN = "abstain"
    BUG = "bug"  # the author's: left out; training stops above 5 % of the last 256
    NOT_APPLICABLE = "not_applicable"  # nobody's: dropped, the other weights take its share


COMPLETIONS_FAULT = frozenset(
    {Status.NO_ANSWER, Status.TOO_LARGE, Status.TIMEOUT, Status.MEMORY, Status.UNPARSABLE}
)

STATUS_OF_REASON = {
    Reason.NO_ANSWER: Status.NO_ANSWER,
    Reason.EMPTY: Status.NO_ANSWER,
    Reason.TOO_LARGE: Status.TOO_LARGE,
    Reason.TIMEOUT: Status.TIMEOUT,
    Reason.MEMORY: Status.MEMORY,
    Reason.UNPARSABLE_ANSWER: Status.UNPARSABLE,
    Reason.COMPILE_ERROR: Status.UNPARSABLE,
    Reason.OUTPUT_LIMIT: Status.TOO_LARGE,
}


@dataclass(slots=True)
class StepMark:
    """What one step of a completion earned, with its place in the text."""

    step: Step
    """The span, in characters and bytes."""
    value: float | None
    """Within the component's range; None = not judged."""
    status: Status = Status.OK
    """`not_applicable` where there is nothing to judge."""
    reason: str = ""


@dataclass(slots=True)
class Part:
    """What one entry of a task gave to one completion."""

    value: float | None
    """Within the component's range; None = left out (see `status`)."""
    weight: float = 1.0
    """The factor at this step; 0 for what is only logged."""
    status: Status = Status.OK
    reason: str = ""
    """Why: a verdict's reason, `gate_closed`, or the text of an error."""
    seconds: float = 0.0
    """Wall time: the entry's own for this completion, or its share of a batch."""
    detail: dict[str, Any] | None = None
    """What the component adds: which member decided, a traceback."""
    verdict: Verdict | None = None
    """Kept where the component is a verifier: gates, labels and accuracy read it."""
    steps: list[StepMark] | None = None
    """Kept where the component marks steps."""

    def __getitem__(self, key: str) -> Any:
        """Read a field as in a scores.jsonl row: `part["value"]`."""
        return getattr(self, key)


@dataclass(slots=True)
class Score:
    """What a completion is worth under a mark scheme.

    A reward function may return one too: then `value`, `status`, `reason` and `detail` count.
    """

    value: float | None
    """The combined value; None = the row is left out of its group."""
    status: Status | str = Status.OK
    """`ok`, or the status of the part that decided the value or took it away."""
    parts: dict[str, Part] = field(default_factory=dict)
    """By entry name, `watch` entries (weight 0) included."""
    reason: str = ""
    detail: dict[str, Any] | None = None
    steps: list[StepMark] | None = None
    """Marks of steps: those of the task's `process:`, else of the first entry that has any."""
