"""`Score`: what a completion is worth, part by part, with a status that says whose fault a failure is."""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ..sandbox.display import html_table, number
from ..verifiers.steps.split import Step
from ..verifiers.verdict import Reason, Verdict


class Status(StrEnum):
    """The status of a part or a score: `ok`, or a failure.

    A failure's status says whose fault it is, and that decides what it is worth by default: if the policy's
    own failures were left out, it would learn to fail.
    """

    OK = "ok"
    # The completion's fault: worth the component's lowest value.
    NO_ANSWER = "no_answer"
    TOO_LARGE = "too_large"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    UNPARSABLE = "unparsable"
    # Our fault: the row is left out of its group; an `infra_error` only after a second attempt.
    INFRA_ERROR = "infra_error"
    ABSTAIN = "abstain"
    # The author's fault: the row is left out; training stops above 5 % of the last 256 rows.
    BUG = "bug"
    # Nobody's fault: the part is dropped, and other rewards take its share (`combine.applying` has the rule).
    NOT_APPLICABLE = "not_applicable"


COMPLETIONS_FAULT = frozenset(
    {Status.NO_ANSWER, Status.TOO_LARGE, Status.TIMEOUT, Status.MEMORY, Status.UNPARSABLE}
)
"""The failures that are the completion's own fault."""
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
"""The status for a verifier's reason to call a completion wrong; all other reasons are `ok`."""


@dataclass(slots=True)
class StepMark:
    """The mark of one step of a completion."""

    step: Step
    """Where the step is in the text, in characters and in bytes."""
    value: float | None
    """A number within the component's range; None if the step was not judged."""
    status: Status = Status.OK
    """`not_applicable` if the step states nothing that could be judged."""
    reason: str = ""
    """A verdict's reason, such as `failed`; may be empty."""


@dataclass(slots=True, repr=False)
class Part:
    """The part of a score that comes from one entry of the task.

    >>> from markscheme.rewards import Part
    >>> part = Part(0.0, weight=0.5, reason="different")
    >>> part
    Part(0 (different), weight 0.5)
    >>> part["value"]  # as in a row of scores.jsonl
    0.0
    """

    value: float | None
    """A number within the component's range; None if there is none, for the reason that `status` gives."""
    weight: float = 1.0
    """The factor in the total at this training step; 0 for an entry that is only logged."""
    status: Status = Status.OK
    reason: str = ""
    """Why the value is what it is: a verdict's reason, `gate_closed`, or the text of an error."""
    seconds: float = 0.0
    """Wall-clock seconds that the entry took, divided by the number of completions scored at once."""
    detail: dict[str, Any] | None = None
    """Further evidence from the component, such as the member that decided, or a traceback."""
    verdict: Verdict | None = None
    """The verdict, if the component is a verifier; gates, labels and accuracy read it."""
    steps: list[StepMark] | None = None
    """The marks of the completion's steps, if the component marks steps."""

    def __getitem__(self, key: str) -> Any:
        """Return a field by its name, as in a row of scores.jsonl: `part["value"]`."""
        return getattr(self, key)

    def __repr__(self) -> str:
        return f"Part({self.line()}, weight {number(self.weight)})"

    def _repr_html_(self) -> str:
        fields = ("value", "weight", "status", "reason", "seconds", "detail", "verdict")
        return html_table("Part", {name: getattr(self, name) for name in fields})

    def line(self) -> str:
        """Return the value and its explanation in one line, such as `0 (different)`."""
        reason = self.reason.splitlines()[0][:60] if self.reason else ""
        if self.status is not Status.OK and reason != str(self.status):
            reason = f"{self.status}: {reason}" if reason else str(self.status)
        return f"{number(self.value)} ({reason})" if reason else number(self.value)


@dataclass(slots=True, repr=False)
class Score:
    """What one completion is worth under a mark scheme.

    A reward function may return one too; then `value`, `status`, `reason`, `detail` and `steps` are read.

    >>> from markscheme.rewards import Score
    >>> Score(None, "abstain", reason="the judge answered neither yes nor no")
    Score(none, abstain: the judge answered neither yes nor no)
    """

    value: float | None
    """The combined value; None if the row is left out of its group."""
    status: Status | str = Status.OK
    """`ok`, or the first other status among the parts that count.

    So a failure can be seen even where another part decided the value: under `combine: any_of` a score can be
    1.0 with the status `no_answer`. If the value is None, this is the status of a part without a value.
    """
    parts: dict[str, Part] = field(default_factory=dict)
    """The parts by entry name, those of `watch:` entries (weight 0) included."""
    reason: str = ""
    """For a reward function that returns a Score: why the value is what it is."""
    detail: dict[str, Any] | None = None
    """For a reward function that returns a Score: further evidence."""
    steps: list[StepMark] | None = None
    """The marks of the completion's steps, from the task's `process:`, else from the first entry with any."""

    def __repr__(self) -> str:
        parts = ", ".join(f"{name} {part.line()}" for name, part in self.parts.items())
        why = ": ".join(filter(None, (str(self.status), self.reason or parts)))
        return f"Score({number(self.value)}, {why})"

    def _repr_html_(self) -> str:
        parts = {name: f"{part.line()} x {number(part.weight)}" for name, part in self.parts.items()}
        return html_table(f"Score {number(self.value)}, {self.status}", {**parts, "reason": self.reason})


def failure_line(part: Part) -> str:
    """Return a failed part's reason, with the file and the line where the reward's own code raised it."""
    trace = str((part.detail or {}).get("traceback", ""))
    places = re.findall(r'File "([^"]+)", line (\d+)', trace)
    own = [one for one in places if not re.search(r"/(markscheme|site-packages|python3[.\d]*)/", one[0])]
    place = (own or places or [None])[-1]
    return part.reason if place is None else f"{part.reason} ({place[0]}:{place[1]})"
