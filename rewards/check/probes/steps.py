"""Probes of step marks: solutions whose steps are repeated, filled up or cut into pieces."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ....tasks.problem import Completion
from ...scheme import MarkScheme
from ...score import Score, StepMark
from .forms import Sampled

FILLER = "So far, so good."


@dataclass(frozen=True)
class StepCheat:
    """A solution that earns more once its steps are changed."""

    defect: str
    trick: str
    problem: Sampled
    text: str
    gained: float
    """By how much the total and the marks rose, each mark counting as -1 to 1."""


def _changed(text: str, marks: Sequence[StepMark]) -> Iterator[tuple[str, str, str]]:
    """Yield changed forms of a solution, each with the defect that it is a probe for and what was changed."""
    between = _between(text, marks)
    first, second = marks[0].step, marks[1].step
    steps = {"repeats a right step": text[first.start : first.end], "adds a step that says nothing": FILLER}
    for change, added in steps.items():
        yield "padding_pays", change, text[: first.end] + 3 * (between + added) + text[first.end :]
    for step, which in ((first, "first"), (second, "second")):
        middle = (step.start + step.end) // 2
        cut = text[:middle].rstrip() + between + text[middle:].lstrip()
        yield "splitting_pays", f"cuts its {which} step in two", cut


def _between(text: str, marks: Sequence[StepMark]) -> str:
    """Return what stands between two steps."""
    pairs = pairwise(marks)
    found = (text[one.step.end : two.step.start] for one, two in pairs)
    return next((between for between in found if between), "\n")


def steps_that_pay(scheme: MarkScheme, problems: Sequence[Sampled]) -> list[StepCheat]:
    """Return the solutions that earn more once their steps are changed.

    Tried are the solutions, and the same with a wrong last step, which leaves room for gains. They earn by
    the total, or by marks above the middle of the range; with `credit: clip`, such marks earn nothing, so
    that only the total counts.
    """
    texts = [(one, str(one.problem.solution)) for one in problems if one.problem.solution is not None]
    solved = _scored(scheme, texts)
    spoiled = [
        (one, _spoiled(text, score.steps))
        for (one, text), score in zip(texts, solved, strict=True)
        if score.steps
    ]
    rows = []
    for (one, text), base in zip([*texts, *spoiled], [*solved, *_scored(scheme, spoiled)], strict=True):
        if base.steps is not None and len(base.steps) >= 2:
            rows += [(one, base, *probe) for probe in _changed(text, base.steps)]
    scores = _scored(scheme, [(row[0], row[4]) for row in rows])
    found = []
    for (one, base, defect, change, text), after in zip(rows, scores, strict=True):
        gained = _worth(scheme, after) - _worth(scheme, base)
        if gained > 1e-9:
            found.append(StepCheat(defect, change, one, text, gained))
    return found


def _scored(scheme: MarkScheme, texts: Sequence[tuple[Sampled, str]]) -> list[Score]:
    return scheme.score([one.problem for one, _ in texts], [Completion(text) for _, text in texts])


def _spoiled(text: str, marks: Sequence[StepMark]) -> str:
    """Return a solution whose last step is wrong: each of its digits is one higher, or it says nothing."""
    last = marks[-1].step
    step = text[last.start : last.end]
    wrong = step.translate(str.maketrans("0123456789", "1234567890"))
    return text[: last.start] + (wrong if wrong != step else FILLER) + text[last.end :]


def _worth(scheme: MarkScheme, score: Score) -> float:
    process = scheme.task.process
    total = score.value or 0.0
    if process is None or process.credit == "clip":
        return total
    low, high = scheme.step_bounds
    marks = [mark.value for mark in score.steps or () if mark.value is not None]
    return total + sum((2 * mark - low - high) / (high - low) for mark in marks)
