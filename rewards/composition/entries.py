"""The data types of a composition: an `Entry` and what it runs, and the `Rows` that it is run on.

A task declares entries (`RewardEntry`). An `Entry` is one of them with its names looked up and its parameters
checked. It names a component: a reward, a verifier, or a `Composite` of other entries. It gives every
completion one `Part`, and the parts of all entries become a `Score`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ...sandbox.errors import RewardError
from ...tasks.problem import Completion, Problem
from ...tasks.reward_entries import RewardEntry
from ...verifiers.verdict import Verifier
from ..score import Part
from .combine import Bounds
from .deadlines import Address
from .reward_functions import Component
from .step_options import StepOptions

How = Literal["cascade", "any_of", "ensemble"]
Reduction = Literal["mean", "median", "min", "mean_minus_std"]

COMPOSITES: dict[How, str] = {
    "cascade": "Ask the members in order; the first one that can judge a completion decides.",
    "any_of": "Take the best of the members' values.",
    "ensemble": "Combine the members' values by `reduce`: mean (default), median, min or mean_minus_std.",
}


@dataclass(frozen=True)
class Composite:
    """Several entries that are judged as one."""

    how: How
    members: tuple["Entry | str", ...]
    """Entries of its own, or names of other entries of the task, whose parts are then reused."""
    reduce: Reduction = "mean"
    """How an ensemble combines its members' values."""
    k: float = 1.0
    """With `mean_minus_std`: how many standard deviations of the members are subtracted."""
    member_bounds: tuple[Bounds, ...] = ()
    """The range of each member of an ensemble."""


@dataclass(frozen=True)
class Entry:
    """One entry of a task, ready to run."""

    name: str
    declared: RewardEntry
    """The entry as the task file has it: weight, gate, clip, deadline, failure policy."""
    component: Component | Composite
    bounds: Bounds
    """The range of its values, after clipping."""
    where: str
    """`file:line: key`, for messages."""
    parameters: dict[str, Any] = field(default_factory=dict)
    """The component's own parameters, with defaults filled in."""
    steps: StepOptions | None = None
    """How steps are split and reduced, if the component marks steps."""
    address: Address | None = None
    """Where a worker process finds the function, if it has a deadline and is synchronous."""
    watched: bool = False
    """Whether it is never part of the total: an entry of `watch:`, or `process:`."""

    @property
    def gate(self) -> str | None:
        """The name of the entry that must be right, or this one is worth 0; None if there is none."""
        return self.declared.when if isinstance(self.declared.when, str) else None

    @property
    def route(self) -> Mapping[str, Any]:
        """The values of a row's columns for which this entry applies; empty if it applies to all rows."""
        return self.declared.when if isinstance(self.declared.when, dict) else {}

    @property
    def bounds_in_total(self) -> Bounds:
        """The range of what it adds to a total, which includes 0 if a gate may close."""
        low, high = self.bounds
        return (min(low, 0.0), max(high, 0.0)) if self.gate else (low, high)

    def clip(self, part: Part) -> None:
        """Move a part's value into the range that the entry's `clip` gives."""
        clip = self.declared.clip
        if clip is not None and part.value is not None:
            part.value = min(max(part.value, clip[0]), clip[1])

    def walk(self) -> Iterator["Entry | str"]:
        """Yield this entry and all members below it; entries that are only named come as names."""
        yield self
        if isinstance(self.component, Composite):
            for member in self.component.members:
                if isinstance(member, str):
                    yield member
                else:
                    yield from member.walk()


@dataclass(frozen=True, slots=True)
class Rows:
    """The completions that are being scored, and the parts that other entries have given them already."""

    problems: Sequence[Problem]
    completions: Sequence[Completion]
    parts: Mapping[str, Sequence[Part]] = field(default_factory=dict)
    """By entry name; one part per completion."""

    def only(self, places: Sequence[int]) -> "Rows":
        """Return some of the rows, in the order of `places`."""
        return Rows(
            [self.problems[i] for i in places],
            [self.completions[i] for i in places],
            {name: [parts[i] for i in places] for name, parts in self.parts.items()},
        )


def reference_readers(entries: Sequence[Entry]) -> list[Verifier]:
    """Return the verifiers that read problems' references or tests, those of nested members included."""
    return [
        entry.component
        for outer in entries
        for entry in outer.walk()
        if not isinstance(entry, str)
        and isinstance(entry.component, Verifier)
        and (entry.component.reference_fault or entry.component.tests_fault)
    ]


def check_kinds(problems: Sequence[Problem], completions: Sequence[Completion]) -> None:
    """Refuse texts where a problem or a completion belongs.

    Raises:
        RewardError: there is one.
    """
    for one in problems:
        if not isinstance(one, Problem):
            raise RewardError(
                f"score() takes a Problem for each completion (given: {one!r:.60}); load_problems(task) makes"
                " them, or Problem(prompt=..., reference=...)"
            )
    for one in completions:
        if not isinstance(one, Completion):
            raise RewardError(f"score() takes Completions (given: {one!r:.60}); give Completion(text)")
