"""`probe_scheme`: trying to break a scheme without a model, and naming what is wrong with it."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from ....sandbox.errors import RewardError
from ....tasks.check_section import DEFECTS, CheckSection
from ...scheme import MarkScheme
from ...score import Status
from ..explain import explained
from ..finding import Example, Finding
from .diagnosis import EXAMPLES, OF_PROGRAMS, defect_finding, diagnosed
from .forms import right_answer
from .lint import Linted, lint
from .rewritten import LOST, lost_by_rewriting
from .steps import steps_that_pay
from .trial import Placed, Scored, Trial, scored, try_probes

REPEATED, REPEATED_PROGRAMS = 60, 10
"""Completions that are scored twice."""
SAME, FEWEST = 0.9, 10
"""The share of problems with one answer from which on a constant answer passes, of so many problems."""


def probe_scheme(
    scheme: MarkScheme,
    problems: Sequence[Placed],
    *,
    count: int | None = None,
    seed: int = 0,
    known: Sequence[Scored] = (),
) -> list[Finding]:
    """Probe a scheme on some of its problems.

    Args:
        scheme: the scheme.
        problems: the problems to choose from.
        count: how many problems to probe; None = 20, or 4 where answers are programs.
        seed: of the choice.
        known: other scored completions, such as labelled cases, which show what entries can do.

    Returns:
        One finding on the probes as a whole, and one for each defect.
    """
    try:
        trial = try_probes(scheme, problems, count, seed, known)
        defects = [*_unsteady(trial)] or [*_same_answer(problems, trial), *_defects(trial)]
    except RewardError as error:  # of an entry whose `on_failure` is `stop`
        return [Finding("probes", False, str(error))]
    first = _summary(trial)
    if first.good and not any(finding.good is False for finding in defects):
        first.said += "; none earns more than it may"
    return [first, *_first_of_each(defects, scheme.task.check)]


def _first_of_each(defects: Sequence[Finding], check: CheckSection) -> list[Finding]:
    """Return the worst finding on each defect that the task wants to know of, in the order of `DEFECTS`."""
    first: dict[str, Finding] = {}
    for finding in sorted(defects, key=lambda finding: finding.good is not False):
        if check.looks_for(finding.name):
            first.setdefault(finding.name, finding)
    return sorted(first.values(), key=lambda finding: [*DEFECTS, finding.name].index(finding.name))


def _summary(trial: Trial) -> Finding:
    """Return the finding on the probes as a whole: whether all could be made and judged."""
    earned, scheme = trial.earned, trial.scheme
    said = f"{len(earned)} completions by {len(trial.tricks)} tricks on {len(trial.problems)} problem(s)"
    left_out = [code for code, share in scheme.task.check.probes.items() if share is False]
    said += f"; not looked for: {', '.join(left_out)}" if left_out else ""
    unjudged = [row for row in earned if row.worth is None]
    details = [f"{row.probe.problem.place}: {row.probe.trick}: {row.reasons}" for row in unjudged[:5]]
    good: bool | None = not unjudged
    if unjudged:
        said += f"; {len(unjudged)} could not be judged"
    failed = [
        (one, score)
        for scores in trial.forms.right.values()
        for one, score in zip(trial.forms.problems, scores, strict=True)
        if score.value is None
    ]
    if failed:
        good = False
        said += f"; {len(failed)} right answers could not be judged"
        details += [f"{one.place}: the right answer: {explained(score)}" for one, score in failed[:5]]
    if not trial.forms.right and math.isinf(scheme.range[1]):
        good = good and None
        details.append(
            "what is right is not known, because a reward has no highest value; give it one, such as"
            " `from_trl(f, range=(0, 1))` or `clip: [0, 1]`"
        )
    elif not trial.forms.right and trial.forms.problems:
        is_known_right = any(scheme.is_right(score) for _, score in trial.known)
        good = good and (None if is_known_right else False)
        reasons = Counter(explained(score) for score in trial.forms.refused).most_common(2)
        details.append(
            "no right answer is marked right in any form that was tried, so that wrong ones may not have been"
            f" read at all; in a box: {'; '.join(reason for reason, _ in reasons)}. Give the problems a"
            " `solution`, name the entry that says what is right `correct`, or add a right labelled case"
        )
    return Finding("probes", good, said, details, figures=_by_defect(trial))


def _by_defect(trial: Trial) -> dict[str, dict[str, float]]:
    """Return by defect what its tricks earned: the best mean, the most of one completion, the floor."""
    found: dict[str, dict[str, float]] = {}
    for trick in trial.tricks:
        worths = [row.worth for row in trick.rows if row.worth is not None]
        one = found.setdefault(
            trick.defect, {"mean": 0.0, "max": 0.0, "floor": trial.scheme.task.check.may_earn(trick.defect)}
        )
        one["mean"], one["max"] = max(one["mean"], trick.mean), max([one["max"], *worths])
    return found


def _unsteady(trial: Trial) -> Iterator[Finding]:
    """Score some probes and right answers again, and yield a finding if a value has changed."""
    right = [(one, trial.forms.best(one, one.right), score) for one, score in trial.forms.scores]
    probes = [
        (probe.problem, probe.text, score) for probe, score in zip(trial.probes, trial.scores, strict=True)
    ]
    most = REPEATED_PROGRAMS if trial.programs else REPEATED
    some = [*probes[:: max(1, len(probes) // most)], *(right * 3)[:most]]
    again = scored(trial.scheme, [(one, text) for one, text, _ in some[::-1]])[::-1]
    changed = [
        Example(one.place, f"gets {first.value}, then {second.value}", text, None, None)
        for (one, text, first), second in zip(some, again, strict=True)
        if _differ(first.value, second.value) and Status.TIMEOUT not in (first.status, second.status)
    ]
    if changed:
        said = (
            f"{DEFECTS['not_deterministic']}: {len(changed)} of {len(some)} did when they were scored again"
        )
        yield defect_finding("not_deterministic", said, changed[:EXAMPLES])


def _differ(one: float | None, other: float | None) -> bool:
    """Return whether two values differ by more than the rounding of a model in batches of other sizes."""
    if one is None or other is None:
        return one is not other
    return not math.isclose(one, other, rel_tol=1e-5, abs_tol=1e-5)


def _same_answer(problems: Sequence[Placed], trial: Trial) -> Iterator[Finding]:
    """Yield a finding if one answer is right for nearly all problems."""
    answers = Counter(right_answer(problem, trial.programs) for _, problem in problems)
    answer, count = answers.most_common(1)[0]
    if answer and len(problems) >= FEWEST and count >= SAME * len(problems):
        said = (
            f"{DEFECTS['constant_passes']}: {answer[:60]!r} is right for {count} of {len(problems)} problems"
        )
        yield Finding("constant_passes", False, said)


def _defects(trial: Trial) -> Iterator[Finding]:
    check = trial.scheme.task.check
    tricks = trial.tricks
    linted = Linted(trial.scheme, trial.bounds, trial.seen)
    found = [*_beaten(trial), *lint(linted)]
    yield from found
    if any(finding.name == "format_beats_answer" for finding in found):
        # What every wrong answer gets for its form is one defect, and not that of each trick.
        wrong = max((trick.mean for trick in tricks if trick.name == "gives a wrong answer"), default=0.0)
        floors = {**check.probes, "floor": min(1.0, max(wrong, check.may_earn("floor")))}
        check = check.model_copy(update={"probes": floors})
    yield from diagnosed([one for one in tricks if one.defect not in OF_PROGRAMS], check)
    yield from diagnosed([one for one in tricks if one.defect in OF_PROGRAMS], check)
    if trial.forms.right:
        yield from _rewritten(trial)
    yield from _steps(trial)


def _beaten(trial: Trial) -> Iterator[Finding]:
    """Yield a finding if a wrong answer in the best form earns as much as a right one in the plainest."""
    scheme, worth = trial.scheme, trial.worth
    rows = [
        (one, one.wrong[0], plain)
        for one, plain in trial.forms.plainest
        if one.wrong and scheme.is_right(plain) is True and worth.of(plain, one.place)
    ]
    texts = [(one, trial.forms.best(one, wrong)) for one, wrong, _ in rows]
    beating = [
        Example(
            one.place,
            "gives a wrong answer in the right form",
            text,
            worth.of(score, one.place),
            False,
            explained(score),
        )
        for (one, text), (_, _, plain), score in zip(texts, rows, scored(scheme, texts), strict=True)
        if scheme.is_right(score) is False
        and score.value is not None
        and score.value >= (plain.value or 0.0) - 1e-9
    ]
    if rows and 2 * len(beating) > len(rows):
        yield defect_finding("format_beats_answer", DEFECTS["format_beats_answer"], beating[:EXAMPLES])


def _rewritten(trial: Trial) -> Iterator[Finding]:
    shares, lost = lost_by_rewriting(trial.scheme, trial.forms, programs=trial.programs)
    changes = [change for change, share in shares.items() if share >= LOST]
    kept = f"right answers keep their marks in {len(shares) - len(changes)} of {len(shares)} ways of writing"
    if shares and len(changes) > LOST * len(shares):
        examples = [Example(one.place, f"has {change}", text, None, True) for change, one, text in lost]
        yield defect_finding("verbatim_only", f"{DEFECTS['verbatim_only']}: {kept}", examples[:EXAMPLES])
    elif shares:
        yield Finding("rewriting", None if changes else True, kept, [f"lost with {one}" for one in changes])


def _steps(trial: Trial) -> Iterator[Finding]:
    if not trial.scheme.marks_steps:
        return
    cheats = steps_that_pay(trial.scheme, trial.problems)
    for code in ("padding_pays", "splitting_pays"):
        found = sorted((one for one in cheats if one.defect == code), key=lambda one: -one.gained)
        if found and found[0].gained > trial.scheme.task.check.may_earn(code):
            said = f"{DEFECTS[code]}: one solution rises by {found[0].gained:.2f}"
            examples = [
                Example(one.problem.place, f"{one.trick} and rises by {one.gained:.2f}", one.text, None, None)
                for one in found[:EXAMPLES]
            ]
            yield defect_finding(code, said, examples)
