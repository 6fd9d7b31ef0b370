"""Naming a defect from what probes earned: the one that explains the others, with its best examples."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ....tasks.check_section import DEFECTS, CheckSection
from ..finding import Example, Finding
from .texts import Probe

SLACK = 1e-9
MANY = 10
"""Completions of a trick from which on one that pays counts as luck."""
CLOSE = 0.8
"""Defects with this share of the largest excess may explain it; the first in `DEFECTS` is named."""
EXAMPLES = 3


@dataclass
class Earned:
    """What a probe earned."""

    probe: Probe
    worth: float | None
    """As a share of what a right answer to the problem earns; None if it was not judged."""
    right: bool | None
    """Whether the scheme calls it right; if not, what it earns is partial credit or a bonus."""
    reasons: str
    """What the parts of its score say."""


@dataclass
class Trick:
    """What a trick earned on average over the sampled problems."""

    defect: str
    name: str
    share: float
    rows: list[Earned] = field(default_factory=list)

    @property
    def mean(self) -> float:
        """The mean worth of the probes that could be judged; 0 without any."""
        known = [row.worth for row in self.rows if row.worth is not None]
        return sum(known) / len(known) if known else 0.0

    @property
    def has_the_answer(self) -> bool:
        """Whether its completions have the right answer in them."""
        return all(row.probe.problem.right in row.probe.text for row in self.rows)

    @property
    def marked_right(self) -> bool:
        """Whether the scheme calls more of the completions right than one guess of k would be."""
        return sum(row.right is True for row in self.rows) > self.share * len(self.rows)

    def pays(self, check: CheckSection) -> bool:
        """Return whether the trick earns too much, and not by one lucky guess among many."""
        floor = check.may_earn(self.defect)
        allowed = floor if self.share == 0 else 0.0
        lucky = sum(row.worth is not None and row.worth > allowed + SLACK for row in self.rows) < 2
        return self.excess(check) > SLACK and not (lucky and len(self.rows) >= MANY)

    def excess(self, check: CheckSection) -> float:
        """Return by how much the trick earns more than it may: than the floor and one guess of k."""
        floor = check.may_earn(self.defect)
        return self.mean - (floor + (1 - floor) * self.share)


def tricks_of(earned: Iterable[Earned]) -> list[Trick]:
    """Return the tricks of some probes."""
    tricks: dict[tuple[str, ...], Trick] = {}
    for row in earned:
        probe = row.probe
        key = (probe.defect, probe.trick, probe.problem.kind)
        tricks.setdefault(key, Trick(probe.defect, probe.trick, probe.share)).rows.append(row)
    return list(tricks.values())


OF_PROGRAMS = ("constant_passes", "early_exit_passes", "tests_reachable")
"""Defects of how tests are run; the others are defects of how an answer is read, and are named apart."""


def diagnosed(tricks: Sequence[Trick], check: CheckSection) -> list[Finding]:
    """Return a finding on the defect that explains best what the tricks earned; none if none earns too much.

    A defect usually lets many tricks pay. The one that is named earns nearly the most beyond what it may and,
    of several, comes first in `DEFECTS`; the others are named after it. Tricks of which the scheme calls
    something right go before those that earn partial credit, and tricks without the right answer before
    those that have it somewhere, which they explain.
    """
    all_paying = [one for one in tricks if check.looks_for(one.defect) and one.pays(check)]
    if not all_paying:
        return []
    paying = [one for one in all_paying if one.marked_right] or all_paying
    largest = max(one.excess(check) for one in paying)
    close = [one for one in paying if one.excess(check) >= CLOSE * largest]
    without = [one for one in close if not one.has_the_answer]
    found = {one.defect for one in without or close}
    named = next(code for code in DEFECTS if code in found)
    worst = sorted((one for one in paying if one.defect == named), key=lambda one: -one.excess(check))
    also = [code for code in DEFECTS if code != named and code in {one.defect for one in all_paying}]
    said = (
        f"{DEFECTS[named]}: a completion that {worst[0].name} earns {worst[0].mean:.2f} of what a right"
        f" answer earns (it may earn {worst[0].mean - worst[0].excess(check):.2f})"
    )
    if not worst[0].marked_right:
        floor = math.ceil(100 * worst[0].mean - SLACK) / 100
        said += (
            "; none of these is marked right, so it is a bonus, which `when: correct` would gate, or partial"
            f" credit; if it is meant: `check: {{probes: {{floor: {floor:g}}}}}` in the task"
        )
    if also:
        said += f"; this pays too, perhaps for the same reason: {', '.join(also)}"
    return [defect_finding(named, said, _examples(worst))]


def _examples(tricks: Sequence[Trick]) -> list[Example]:
    """Return the best examples: one of each trick first, then more of the best one."""
    ranked = [sorted(trick.rows, key=lambda row: -(row.worth or 0.0)) for trick in tricks]
    chosen = [rows[0] for rows in ranked] + ranked[0][1:]
    paying = {
        (row.probe.problem.place, row.probe.text): row for row in reversed(chosen) if (row.worth or 0.0) > 0
    }
    return [
        Example(row.probe.problem.place, row.probe.trick, row.probe.text, row.worth, False, row.reasons)
        for row in list(paying.values())[::-1][:EXAMPLES]
    ]


def defect_finding(code: str, said: str, examples: Sequence[Example] = ()) -> Finding:
    """Return the finding on a defect, whose examples are its details too."""
    details = []
    for example in examples:
        text = (
            example.completion
            if len(example.completion) <= 160
            else f"{example.completion[:120]} ... {example.completion[-30:]}"
        )
        worth = "" if example.earned is None else f" earns {example.earned:.2f}:"
        details.append(f"{example.place}: {example.trick},{worth} {text!r} ({example.reasons})")
    return Finding(code, False, said, details, examples=list(examples))
