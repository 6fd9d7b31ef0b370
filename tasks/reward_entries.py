"""The schema of the entries of a task's `rewards:`, `watch:` and `process:` sections.

An entry names a component, which is a reward, a verifier or a composite of other entries. Only the shape is
checked here: `MarkScheme`, in rewards/, looks up the component and checks the component's own parameters.
"""

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

RESERVED = ("use", "weight", "when", "clip", "ramp", "of", "timeout_s", "on_failure")
"""The keys of `RewardEntry`; every other key of an entry is a parameter of its component."""
PROCESS = "process"
"""The key of a task's `process:` section, and the name of the part that it adds to a score."""
FAULTS = (
    "no_answer",
    "too_large",
    "timeout",
    "memory",
    "unparsable",
    "infra_error",
    "abstain",
    "bug",
)
"""The statuses of failures, to which `on_failure` may give a worth; `Status` in rewards/ explains them."""
Credit = Literal["sum", "clip"]
"""How a token is credited for the steps that end at or after it; `process_advantages` has the formulas."""
Pool = Literal["steps", "outputs"]
"""Which have equal weight in the mean and the standard deviation of step marks: steps, or completions."""

_LARGEST_WEIGHT = 1e100
"""Keeps weighted sums of ordinary values far below the largest float, about 1.8e308."""


class RewardEntry(BaseModel):
    """One entry of `rewards:` or `watch:`. Keys that are not listed here are the component's parameters."""

    model_config = ConfigDict(frozen=True, extra="allow", use_attribute_docstrings=True)

    use: str
    """The component that scores: a built-in or decorated name, `module:attr`, `file.py:attr`, or one of the
    composites `cascade`, `any_of` and `ensemble`."""
    weight: float | dict[int, float] = 1.0
    """Factor of the value in the total (default 1), or a schedule `{training step: factor}` that starts at
    step 0. 0 means that the entry is only logged."""
    ramp: bool = False
    """Interpolate linearly between the steps of a `weight` schedule; by default the weight jumps."""
    when: Annotated[str, Field(min_length=1)] | dict[str, Any] | None = None
    """A condition; by default there is none. The name of another entry: this one is worth 0 unless that one
    is right. `{column: value}` or `{column: [values]}`: it applies only to problems whose row has such a
    value."""
    clip: tuple[float, float] | None = None
    """`[lowest, highest]`: values outside are moved to the nearer end; by default nothing is clipped."""
    of: tuple["str | RewardEntry", ...] = ()
    """The members of a `cascade`, `any_of` or `ensemble`: names of other entries, names of components, or
    whole entries."""
    timeout_s: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Time limit for scoring one completion, in seconds of wall time; by default there is none. A synchronous
    function then runs in a worker process, which is killed when the time is up."""
    on_failure: dict[str, float | Literal["leave_out", "stop"]] = Field(default_factory=dict)
    """The worth of failures, by status, such as `{timeout: -1, abstain: stop}`: a number, `leave_out` (leave
    the row out of its group) or `stop` (raise an error). By default a failure that is the completion's own
    fault is worth the component's lowest value, and any other leaves the row out."""

    @field_validator("weight")
    @classmethod
    def _schedule(cls, weight: float | dict[int, float]) -> float | dict[int, float]:
        if isinstance(weight, dict) and (not weight or min(weight) != 0):
            raise ValueError("a schedule of weights starts at step 0, such as {0: 0, 1300: 1}")
        values = weight.values() if isinstance(weight, dict) else (weight,)
        if not all(abs(value) <= _LARGEST_WEIGHT for value in values):  # NaN fails the comparison too
            most = f"{_LARGEST_WEIGHT:g}"
            raise ValueError(f"a weight must be a finite number, from -{most} to {most}")
        return weight

    @field_validator("clip")
    @classmethod
    def _ordered(cls, clip: tuple[float, float] | None) -> tuple[float, float] | None:
        if clip is not None and not clip[0] <= clip[1]:
            raise ValueError("expected [lowest, highest], with lowest <= highest")
        if clip is not None and (clip[0] == math.inf or clip[1] == -math.inf):
            raise ValueError("the lowest value may be -.inf and the highest .inf, not the reverse")
        return clip

    @field_validator("on_failure")
    @classmethod
    def _known_statuses(cls, policy: dict[str, Any]) -> dict[str, Any]:
        unknown = sorted(set(policy) - set(FAULTS))
        if unknown:
            raise ValueError(f"unknown status {unknown[0]!r} (allowed: {', '.join(FAULTS)})")
        return policy

    @property
    def parameters(self) -> dict[str, Any]:
        """The component's own parameters: every key that is not a field of the entry."""
        return dict(self.model_extra or {})

    def weight_at(self, step: int | None) -> float:
        """Return the weight at a training step; None means the final weight (scoring outside training)."""
        if not isinstance(self.weight, dict):
            return self.weight
        points = sorted(self.weight.items())
        if step is None:
            return points[-1][1]
        step = max(step, 0)
        start, weight = max(point for point in points if point[0] <= step)
        later = [point for point in points if point[0] > step]
        if not self.ramp or not later:
            return weight
        end, weight_at_end = later[0]
        share = (step - start) / (end - start)
        return weight + share * (weight_at_end - weight)


class ProcessEntry(RewardEntry):
    """The `process:` section: a component that marks steps, and how its marks become token advantages.

    The advantages are used in a run with `algorithm.mode: process`.
    """

    use: str
    """A component that marks steps, or the name of an entry of this task that uses one (its marks are then
    reused)."""
    weight: float | dict[int, float] = 1.0
    """Factor of the step advantages, 0 or more (default 1), or a schedule `{training step: factor}`."""
    credit: Credit = "clip"
    """How a token is credited for the steps that end at or after it. `clip` (default): steps marked above the
    middle of the range earn nothing and steps below it cost. `sum`: the sum of their normalised marks."""
    pool: Pool = "outputs"
    """How the mean and standard deviation of marks are taken over a group. `outputs` (default): every
    completion has the same weight, however many steps it has. `steps`: every step has the same weight."""
    centred: bool = False
    """Compare each step only with the steps of the same index in the group (default: with all steps); not
    allowed with `credit: clip`."""
    gate: bool = True
    """Never reward a step of a wrong completion nor punish a step of a right one (default: true)."""
    outcome: bool = True
    """Add the completion's outcome advantage to every token (default: true)."""
    tail: Literal["extend", "zero"] = "extend"
    """Where the last step ends. `extend` (default): at the last token, so that the end-of-sequence token
    belongs to it. `zero`: where its text ends, as in DeepSeekMath's equation."""

    @model_validator(mode="after")
    def _fits_steps(self) -> "ProcessEntry":
        if self.when is not None or self.of:
            raise ValueError("`process` has no `when` and no `of`: it names one component that marks steps")
        if self.clip is not None:
            raise ValueError("`process` has no `clip`: marks are used as the component gives them")
        if self.centred and self.credit == "clip":
            raise ValueError(
                "`centred` does not go with `credit: clip`, which compares whole completions; use"
                " `credit: sum`"
            )
        weights = self.weight.values() if isinstance(self.weight, dict) else (self.weight,)
        if min(weights) < 0:
            raise ValueError("a negative weight would reward wrong steps; expected 0 or more")
        return self
