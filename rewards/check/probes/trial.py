"""`Trial`: the probes of a scheme on a sample of its problems, scored."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random

from ....tasks.problem import Completion, Problem
from ...composition.combine import Bounds
from ...gates import routed_elsewhere
from ...scheme import MarkScheme
from ...score import Score
from ..explain import explained
from .diagnosis import Earned, Trick, tricks_of
from .forms import Forms, Sampled, find_forms, sampled
from .program_texts import program_probes
from .texts import FILLERS, Probe, text_probes
from .worth import Worth, observed

TEXTS, PROGRAMS = 20, 4
"""Problems that are probed by default: programs cost more."""
_OF_TEXT_ONLY = ("any_box_pays", "any_number_pays", "substring_pays", "negation_pays", "retraction_pays")
"""Defects whose probes make no sense where answers are programs."""

Placed = tuple[str, Problem]
"""A problem with the place of its row."""
Scored = tuple[Problem, Score]


@dataclass(frozen=True)
class Trial:
    """Probes and right answers of some problems, with their scores."""

    scheme: MarkScheme
    programs: bool
    """Whether answers are programs."""
    problems: Sequence[Sampled]
    forms: Forms
    probes: Sequence[Probe]
    scores: Sequence[Score]
    """Of the probes."""
    dressed: Sequence[Scored]
    """Right answers with fillers before them, which reach entries that look at length or layout."""
    known: Sequence[Scored]
    """Other scored completions, such as labelled cases."""

    @cached_property
    def seen(self) -> list[Scored]:
        """Every scored completion."""
        probes = [
            (probe.problem.problem, score) for probe, score in zip(self.probes, self.scores, strict=True)
        ]
        right = [
            (one.problem, score)
            for scores in self.forms.right.values()
            for one, score in zip(self.forms.problems, scores, strict=True)
        ]
        return [*probes, *right, *self.dressed, *self.known]

    @cached_property
    def bounds(self) -> dict[str, Bounds]:
        """What `observed` makes of every score."""
        return observed(self.scheme, (score for _, score in self.seen))

    @cached_property
    def worth(self) -> Worth:
        """How values become shares of a right answer's worth."""
        return Worth(self.scheme, self.bounds, self.forms.scores)

    @cached_property
    def earned(self) -> list[Earned]:
        """What the probes earned."""
        return [
            Earned(
                probe,
                self.worth.of(score, probe.problem.place),
                self.scheme.is_right(score),
                explained(score),
            )
            for probe, score in zip(self.probes, self.scores, strict=True)
        ]

    @cached_property
    def tricks(self) -> list[Trick]:
        """The same by trick."""
        return tricks_of(self.earned)


def try_probes(
    scheme: MarkScheme, problems: Sequence[Placed], count: int | None, seed: int, known: Sequence[Scored]
) -> Trial:
    """Make and score the probes of a scheme.

    Args:
        scheme: the scheme.
        problems: the problems to choose from.
        count: how many problems to probe; None = `TEXTS`, or `PROGRAMS` where answers are programs.
        seed: of the choice.
        known: other scored completions.
    """
    programs = any(problem.tests is not None for _, problem in problems)
    count = (PROGRAMS if programs else TEXTS) if count is None else count
    kinds = [_kind(scheme, problem) for _, problem in problems]
    places = _chosen(kinds, count, Random(seed))
    chosen = sampled([problems[i] for i in places], programs=programs, kinds=[kinds[i] for i in places])
    forms = find_forms(scheme, chosen)
    probes = [*text_probes(chosen, forms.best)]
    if programs:
        probes = [probe for probe in probes if probe.defect not in _OF_TEXT_ONLY]
        probes += program_probes(chosen, forms.best)
    probes = [probe for probe in probes if scheme.task.check.looks_for(probe.defect)]
    texts = [
        (one, f"{filler}\n{forms.best(one, one.right)}")
        for one in forms.problems
        for filler in FILLERS.values()
    ]
    dressed_scores = scored(scheme, texts)
    dressed = [(one.problem, score) for (one, _), score in zip(texts, dressed_scores, strict=True)]
    scores = scored(scheme, [(probe.problem, probe.text) for probe in probes])
    return Trial(scheme, programs, chosen, forms, probes, scores, dressed, known)


def scored(scheme: MarkScheme, texts: Sequence[tuple[Sampled, str]]) -> list[Score]:
    """Return the scores of some texts, each with its problem."""
    return scheme.score([one.problem for one, _ in texts], [Completion(text) for _, text in texts])


def _kind(scheme: MarkScheme, problem: Problem) -> str:
    """Return the names of the entries with a route that apply to a problem."""
    routed = (entry for entry in scheme.entries.values() if entry.route)
    return " ".join(entry.name for entry in routed if routed_elsewhere(entry, problem, scheme.task) is None)


def _chosen(kinds: Sequence[str], count: int, rng: Random) -> list[int]:
    """Return the places of a sample that has as many problems of every kind as there are, if it can."""
    by_kind: dict[str, list[int]] = {}
    for place, kind in enumerate(kinds):
        by_kind.setdefault(kind, []).append(place)
    for places in by_kind.values():
        rng.shuffle(places)
    chosen: list[int] = []
    while len(chosen) < min(count, len(kinds)):
        for places in by_kind.values():
            if places and len(chosen) < count:
                chosen.append(places.pop())
    return sorted(chosen)
