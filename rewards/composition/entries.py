"""The nouns of a composition: an `Entry` and what it runs, and the `Rows` that it is run on.

A task declares entries (`RewardEntry`); an `Entry` is one of them with its names resolved and its
parameters typed. What it names is a component: a reward, a verifier, or a `Composite` of other entries.
It gives every completion one `Part`, and the parts of all entries become a `Score`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ...tasks.problem import Completion, Problem
from ...tasks.reward_entries import RewardEntry
from ...verifiers.verdict import Verifier
from ..score import Part
from .deadlines import Address
from .registry import Component
from .step_options import StepOptions

Bounds = tuple[float, float]
"""Lowest and highest value."""
How = Literal["cascade", "any_of", "ensemble"]
Reduction = Literal["mean", "median", "min"]

COMPOSITES: dict[How, str] = {
    "cascade": "Ask the members in order; the first one that can judge a completion decides.",
    "any_of": "Take the best of the members' values.",
    "ensemble": "Combine the members' values by `reduce`: mean (default), median or min.",
}


@dataclass(frozen=True)
class Composite:
    """Several entries that are judged as one."""

    how: How
    members: tuple["Entry | str", ...]
    """Entries of its own, or names of other entries of the task, whose parts are then reused."""
    reduce: Reduction = "mean"


@dataclass(frozen=True)
class Entry:
    """One entry of a task, ready to run."""

    name: str
    declared: RewardEntry
    """The entry as the task file has it: weight, gate, clip, deadline, failure policy."""
    component: Component | Composite
    bounds: Bounds
    """Of its values, after clipping."""
    where: str = ""
    """`file:line: key`, for messages."""
    parameters: dict[str, Any] = field(default_factory=dict)
    """The component's own, defaults filled in."""
    steps: StepOptions | None = None
    """How steps are split and reduced, where the component marks steps."""
    address: Address | None = None
    """Where a worker process finds the function, where it has a deadline and is synchronous."""
    watched: bool = False
    """Whether it is only logged: never part of the total."""

    @property
    def gate(self) -> str | None:
        """The entry without which this one is worth 0."""
        return self.declared.when if isinstance(self.declared.when, str) else None

    @property
    def route(self) -> Mapping[str, Any]:
        """The columns that a problem must have for this entry to apply to it; empty = all problems."""
        return self.declared.when if isinstance(self.declared.when, dict) else {}

    @property
    def bounds_in_total(self) -> Bounds:
        """Of what it adds to a total: a closed gate makes it 0."""
        low, high = self.bounds
        return (min(low, 0.0), max(high, 0.0)) if self.gate else (low, high)

    def clipped(self, part: Part) -> Part:
        """Bring a part's value into the range that the entry's `clip` gives."""
        clip = self.declared.clip
        if clip is not None and part.value is not None:
            part.value = min(max(part.value, clip[0]), clip[1])
        return part

    def inner(self) -> Iterator["Entry | str"]:
        """Yield this entry and everything below it; entries that are only named come as names."""
        yield self
        if isinstance(self.component, Composite):
            for member in self.component.members:
                yield from (member,) if isinstance(member, str) else member.inner()


@dataclass(frozen=True, slots=True)
class Rows:
    """The completions that are being scored, and what other entries have given them already."""

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
    """Return the verifiers that judge by a problem's reference or tests, however deep they are nested."""
    return [
        entry.component
        for outer in entries
        for entry in outer.inner()
        if not isinstance(entry, str)
        and isinstance(entry.component, Verifier)
        and (entry.component.reference_fault or entry.component.tests_fault)
    ]
