"""`check_task`: everything that can be checked of a task without a model."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ...sandbox.errors import DataError, MarkschemeError, RewardError, first_line
from ...tasks.check_section import DEFECTS
from ...tasks.load_problems import load_problems, place_in
from ...tasks.problem import Completion, Problem
from ...tasks.reward_entries import PROCESS
from ...tasks.rows.row_files import OnBad
from ...tasks.schema import Task
from ..gates import routed_elsewhere
from ..scheme import MarkScheme, ReferenceCheck
from ..score import Score, Status, failure_line
from .cases import ScoredCase, cases_file, cases_finding, cases_place, run_cases
from .explain import explained
from .finding import Finding, Lines
from .overlap import contamination, duplicates
from .probes.probe_scheme import probe_scheme
from .programs import ProgramChecks

CHUNK = 256
"""Problems that are checked at once."""


def check_task(
    task: Task,
    *,
    limit: int | None = 1000,
    probes: int | None = None,
    seed: int = 0,
    against: Path | None = None,
    on_bad: OnBad | None = None,
    progress: Callable[[int], None] = lambda count: None,
) -> list[Finding]:
    """Run all checks on a task.

        >>> from markscheme.rewards import check_task
        >>> from markscheme.tasks import load_task
        >>> findings = check_task(load_task("addition"), limit=20, probes=5)
        >>> [finding.name for finding in findings if finding.good is False]
        []

    Args:
        task: the task.
        limit: check at most this many of its problems.
        probes: how many of them to probe (`probe_scheme`); None = 20, or 4 where answers are programs.
        seed: of the choice of problems that are probed.
        against: a file of other problems, such as a benchmark's, that the task should not have.
        on_bad: takes the errors of rows that make no problem; None = they are a finding that ends the checks
            of problems.
        progress: called with the number of problems that were checked since the last call.

    Returns:
        One finding per check; a defect that was found is named as in `DEFECTS`.

    Raises:
        TaskError: the task's mark scheme cannot be built.
        DataError: `against` cannot be read.
    """
    scheme = MarkScheme(task)
    check = ReferenceCheck(scheme)
    data, problems = _data(task, limit, check, on_bad)
    findings = [_scheme(task, scheme), data]
    if problems:
        findings += [_references(check, scheme, len(problems)), _rewards(scheme, problems)]
    # Problems that cannot be judged are a finding; the other checks go on without them.
    good = [i for i in range(len(problems)) if not check.faults or not scheme.faults_of(problems[i])]
    if good:
        findings += [*_solutions(scheme, problems, good, progress), *_routes(scheme, problems)]
    if problems:
        held_out, finding = _held_out(task, scheme)
        findings += [finding, duplicates(problems, held_out)]
        if against is not None:
            findings.append(contamination(_placed(problems, range(len(problems))), against))
    cases_result, cases = _cases(task, scheme)
    findings.append(cases_result)
    if good and probes != 0:
        placed = list(_placed(problems, good[:: -(-len(good) // CHUNK)]))
        known = [(case.problem, case.score) for case in cases]
        probed = probe_scheme(scheme, placed, count=probes, seed=seed, known=known)
        names = {finding.name for finding in findings}
        findings += [finding for finding in probed if finding.name not in names]
    return findings


def _placed(problems: Sequence[Problem], chosen: Sequence[int]) -> Iterator[tuple[str, Problem]]:
    """Yield some of the problems with the places of their rows."""
    for i in chosen:
        yield place_in(problems, i), problems[i]


def _routes(scheme: MarkScheme, problems: Sequence[Problem]) -> Iterator[Finding]:
    """Yield a finding on each entry whose column a row lacks, or with a route that no problem takes."""
    for name, entry in scheme.entries.items():
        lacking = Lines()
        for i, problem in enumerate(problems if entry.route else ()):
            missing = [column for column in entry.route if column not in problem.info]
            if missing:
                columns = ", ".join(map(str, problem.info))
                lacking.add(f"{place_in(problems, i)}: no column {missing[0]!r} (columns: {columns})")
        if lacking.count:
            said = (
                f"{entry.where} ({name}): {lacking.count} of {len(problems)} rows lack a column to route by"
            )
            yield Finding("routing columns", False, said, lacking.first)
        elif entry.route and all(routed_elsewhere(entry, problem, scheme.task) for problem in problems):
            said = f"{entry.where} ({name}): no problem has {dict(entry.route)}"
            yield Finding("gate_never_opens", False, f"{DEFECTS['gate_never_opens']}: {said}")


def _solutions(
    scheme: MarkScheme,
    problems: Sequence[Problem],
    chosen: Sequence[int],
    progress: Callable[[int], None],
) -> list[Finding]:
    """Check reference solutions, the marks of their steps, and unit tests."""
    solutions, steps, programs = _Solutions(scheme), _Steps(scheme), ProgramChecks(scheme)
    for start in range(0, len(chosen), CHUNK):
        chunk = list(_placed(problems, chosen[start : start + CHUNK]))
        solved = [(place, problem) for place, problem in chunk if problem.solution is not None]
        completions = [Completion(str(problem.solution)) for _, problem in solved]
        scores = scheme.score([problem for _, problem in solved], completions)
        for (place, problem), score in zip(solved, scores, strict=True):
            solutions.add(place, score)
            steps.add(place, problem, score)
        programs.add(chunk)
        progress(len(chunk))
    return [solutions.finding(), *steps.findings(), *programs.findings()]


def _failed(name: str, error: MarkschemeError) -> Finding:
    first, *rest = str(error).splitlines()
    return Finding(name, False, first, rest)


def _scheme(task: Task, scheme: MarkScheme) -> Finding:
    low, high = scheme.range
    if low == high:
        problem = f"every score is {low:g}, so nothing can be learned; give a reward a weight other than 0"
        return Finding("scheme", False, problem)
    return Finding("scheme", True, f"{len(task.rewards)} reward(s), scores from {low:g} to {high:g}")


def _data(
    task: Task, limit: int | None, each: ReferenceCheck, on_bad: OnBad | None
) -> tuple[Finding, Sequence[Problem]]:
    """Load the task's problems; if that fails, the finding has the reason, and there are no problems."""
    try:
        problems = load_problems(task, limit=limit, each=each, on_bad=on_bad)
    except MarkschemeError as error:
        return _failed("data", error), []
    first = str(problems[0].prompt)[:60]
    return Finding("data", True, f"{len(problems)} problem(s) checked; the first prompt: {first!r}"), problems


def _references(check: ReferenceCheck, scheme: MarkScheme, problems: int) -> Finding:
    if not scheme.judges:
        return Finding("references", None, "no reward reads references or tests")
    if check.faults:
        return _failed("references", check.error())
    result = f"all {problems} problem(s) have a reference or tests that the verifiers can use"
    return Finding("references", True, result)


def _rewards(scheme: MarkScheme, problems: Sequence[Problem]) -> Finding:
    """Run every reward once on a real row to which it applies, whatever its weight and its gate."""
    task = scheme.task
    places = {
        next((i for i, one in enumerate(problems) if routed_elsewhere(entry, one, task) is None), 0)
        for entry in scheme.entries.values()
    }
    open_gates = {
        name: entry if scheme.entries[name].route else entry.model_copy(update={"when": None})
        for name, entry in task.rewards.items()
    }
    chosen = [problems[i] for i in sorted(places)]
    texts = [problem.solution or " ".join(problem.references) or "an answer" for problem in chosen]
    try:
        scores = MarkScheme(task.model_copy(update={"rewards": open_gates})).score(
            chosen, list(map(Completion, texts))
        )
    except RewardError as error:  # an `on_failure` says stop, which the probes will look into
        return Finding("rewards", None, first_line(error))
    failed = {
        name: f"{name}: {part.status}: {failure_line(part)}"
        for score in scores
        for name, part in score.parts.items()
        if part.status in (Status.BUG, Status.INFRA_ERROR)
    }
    where = ", ".join(place_in(problems, i) for i in sorted(places))
    if failed:
        return Finding("rewards", False, f"{len(failed)} reward(s) fail on {where}", list(failed.values()))
    return Finding("rewards", True, f"each of {len(scores[0].parts)} ran on {where}")


def _held_out(task: Task, scheme: MarkScheme) -> tuple[Sequence[Problem] | None, Finding]:
    """Load the split `test`, on which runs are evaluated; None if there is none."""
    check = ReferenceCheck(scheme)
    if task.data.split == "test" or task.data.streaming:
        why = "streamed" if task.data.streaming else "of the split `test` itself"
        return None, Finding("held-out split", None, f"not read: the task's data is {why}")
    try:
        problems = load_problems(task, split="test", each=check)
    except MarkschemeError as error:
        return None, Finding("held-out split", None, f"none: {first_line(error)}")
    if check.faults:
        return problems, _failed("held-out split", check.error())
    return problems, Finding("held-out split", True, f"{len(problems)} problem(s) in the split 'test'")


class _Solutions:
    """Checks that reference solutions are marked right; else the scheme or the solution is wrong."""

    def __init__(self, scheme: MarkScheme):
        self._scheme, self._count, self._wrong = scheme, 0, Lines()

    def add(self, place: str, score: Score) -> None:
        """Count a solution's score."""
        self._count += 1
        if self._scheme.is_right(score) is not True:
            self._wrong.add(f"{place}: {explained(score)}")

    def finding(self) -> Finding:
        """Return the finding on all solutions so far."""
        if not self._count:
            return Finding("solutions", None, "the task has no reference solutions")
        wrong = self._wrong.count
        result = f"{self._count - wrong} of {self._count} reference solutions are marked right"
        return Finding("solutions", not wrong, result, self._wrong.first)


class _Steps:
    """Checks the marks of the reference solutions' steps; one below the middle would punish a right step."""

    def __init__(self, scheme: MarkScheme):
        self._process = scheme.task.process
        self._middle = sum(scheme.step_bounds) / 2 if self._process is not None else 0.0
        self._solutions = self._steps = self._unjudged = 0
        self._low = Lines()

    def add(self, place: str, problem: Problem, score: Score) -> None:
        """Count the marks of a solution's steps."""
        self._solutions += 1
        part = score.parts.get(PROCESS)
        if part is not None and part.steps is None and part.value is None:
            self._low.add(f"{place}: no step has a mark: {part.reason or part.status}")
        for mark in score.steps or ():
            self._steps += 1
            if mark.value is None:
                self._unjudged += 1
            elif mark.value < self._middle:
                text = str(problem.solution)[mark.step.start : mark.step.end]
                self._low.add(f"{place}: {text!r}: {mark.value:.3g} {mark.reason}".rstrip())

    def findings(self) -> list[Finding]:
        """Return the finding on all steps so far; none if the task has no `process:`."""
        if self._process is None:
            return []
        if not self._solutions:
            return [Finding("steps", None, "the task has no reference solutions whose steps could be marked")]
        low, is_judged = self._low.count, self._unjudged < self._steps
        counts = f"{low} marked wrong, {self._unjudged} not judged"
        result = f"{self._steps} steps of {self._solutions} solutions: {counts}"
        good: bool | None = is_judged and not low
        if low and is_judged and self._process.use == "prm":
            good = None  # a model makes mistakes, and how many are too many is for the author to judge
        return [Finding("steps", good, result, self._low.first)]


def _cases(task: Task, scheme: MarkScheme) -> tuple[Finding, list[ScoredCase]]:
    path = cases_file(task)
    if path is None:
        place = cases_place(task)
        name = f"{task.name}.cases.jsonl" if place is None else place.name
        return Finding("cases", None, f"there are no labelled cases beside the task ({name})"), []
    try:
        cases = run_cases(task, scheme, path)
    except DataError as error:
        return Finding("cases", False, str(error)), []
    return cases_finding(scheme, cases), cases
