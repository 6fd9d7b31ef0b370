"""Checks of a task that need no model: data, references, reference solutions, tests and labelled cases."""

from collections.abc import Callable, Sequence
from pathlib import Path

from ...sandbox.errors import DataError, MarkschemeError
from ...tasks.load_problems import load_problems, place_in
from ...tasks.problem import Completion, Problem
from ...tasks.rows.problem_maker import ProblemMaker
from ...tasks.rows.row_files import OnBad, read_rows
from ...tasks.schema import Task
from ..scheme import MarkScheme, ReferenceCheck
from ..score import Part, Score
from .finding import SHOWN, Finding, Lines
from .programs import ProgramChecks

_IN_WORDS = {True: "right", False: "wrong", None: "undecided"}


CHUNK = 256
"""Problems that are checked at once."""


def check_task(
    task: Task,
    *,
    limit: int | None = 1000,
    on_bad: OnBad | None = None,
    progress: Callable[[int], None] = lambda count: None,
) -> list[Finding]:
    """Run all checks on a task.

    Args:
        task: the task.
        limit: check at most this many of its problems.
        on_bad: takes the errors of rows that make no problem; None = they are a finding that ends the checks
            of problems.
        progress: called with the number of problems that were checked since the last call.

    Raises:
        TaskError: the task's mark scheme cannot be built.
    """
    scheme = MarkScheme(task)
    check = ReferenceCheck(scheme)
    data, problems = _data(task, limit, check, on_bad)
    findings = [_scheme(task, scheme), data]
    if problems:
        findings.append(_references(check, scheme, len(problems)))
        solutions, steps, programs = _Solutions(scheme), _Steps(scheme), ProgramChecks(scheme)
        for start in range(0, len(problems), CHUNK):
            places = [place_in(problems, i) for i in range(start, min(start + CHUNK, len(problems)))]
            chunk = list(zip(places, problems[start : start + CHUNK], strict=True))
            solved = [(place, problem) for place, problem in chunk if problem.solution is not None]
            completions = [Completion(str(problem.solution)) for _, problem in solved]
            scores = scheme.score([problem for _, problem in solved], completions)
            for (place, problem), score in zip(solved, scores, strict=True):
                solutions.add(place, score)
                steps.add(place, problem, score)
            programs.add(chunk)
            progress(len(chunk))
        findings += [solutions.finding(), *steps.findings(), *programs.findings()]
    findings.append(_cases(task, scheme))
    return findings


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


class _Solutions:
    """Checks that reference solutions are marked right; else the scheme or the solution is wrong."""

    def __init__(self, scheme: MarkScheme):
        self._scheme, self._count, self._wrong = scheme, 0, Lines()

    def add(self, place: str, score: Score) -> None:
        self._count += 1
        if self._scheme.is_right(score) is not True:
            self._wrong.add(f"{place}: {_explained(score)}")

    def finding(self) -> Finding:
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
        self._solutions += 1
        for mark in score.steps or ():
            self._steps += 1
            if mark.value is None:
                self._unjudged += 1
            elif mark.value < self._middle:
                text = str(problem.solution)[mark.step.start : mark.step.end]
                self._low.add(f"{place}: {text!r}: {mark.value:.3g} {mark.reason}".rstrip())

    def findings(self) -> list[Finding]:
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


def _explained(score: Score) -> str:
    """Return the reason of each part of a score, such as `correct: different, format: passed`."""
    return ", ".join(
        f"{name}: {part.reason or part.status}{_first_failing_case(part)}"
        for name, part in score.parts.items()
    )


def _first_failing_case(part: Part) -> str:
    """Return the first case that a program failed, with its message; empty if it failed none."""
    failed = part.verdict.evidence.get("first_failed") if part.verdict is not None else None
    return f" (case {failed['case'] + 1}: {failed['said'].strip()[-200:]})" if failed else ""


def cases_file(task: Task) -> Path | None:
    """Return the file of labelled cases beside a task's file (`NAME.cases.jsonl`), if there is one."""
    if task.file is None:
        return None
    path = task.file.with_name(f"{task.file.stem}.cases.jsonl")
    return path if path.is_file() else None


def _cases(task: Task, scheme: MarkScheme) -> Finding:
    path = cases_file(task)
    if path is None:
        name = task.name if task.file is None else task.file.stem
        return Finding("cases", None, f"there are no labelled cases beside the task ({name}.cases.jsonl)")
    try:
        outcomes = run_cases(task, scheme, path)
    except DataError as error:
        return Finding("cases", False, str(error))
    pairs = [(label, mark) for label, mark, _ in outcomes]
    missed = [line for label, mark, line in outcomes if label is not mark]
    result = (
        f"{len(outcomes) - len(missed)} of {len(outcomes)} labelled cases are marked as labelled"
        f" (wrong marked right {pairs.count((False, True))}, right marked wrong {pairs.count((True, False))},"
        f" undecided {sum(mark is None for _, mark in pairs)})"
    )
    return Finding("cases", not missed, result, missed[:SHOWN])


def run_cases(task: Task, scheme: MarkScheme, path: Path) -> list[tuple[bool, bool | None, str]]:
    """Score labelled cases; return the label and the mark of each, and a line that explains the mark.

    A case is a row with the columns that the task's templates read, with `completion`, `correct` (the label)
    and, if wanted, `prefill`, `tags` and `note`.

    Raises:
        DataError: a case lacks its completion, its label or a column, or does not make a problem.
    """
    maker = ProblemMaker(task)
    problems, completions, cases = [], [], []
    for place, case in read_rows(path):
        if not isinstance(case.get("completion"), str) or not isinstance(case.get("correct"), bool):
            raise DataError(f"{place}: a case needs `completion` (text) and `correct` (true or false)")
        missing = ", ".join(sorted(maker.columns - set(case)))
        if missing:
            raise DataError(
                f"{place}: the case lacks the column(s) {missing}, which the task's templates read; add them,"
                f" or delete {path.name}"
            )
        problems.append(maker(case, place))
        completions.append(Completion(case["completion"], prefill=case.get("prefill", "")))
        cases.append((place, case))
    outcomes = []
    for (place, case), score in zip(cases, scheme.score(problems, completions), strict=True):
        label, mark = case["correct"], scheme.is_right(score)
        note = f" ({case['note']})" if case.get("note") else ""
        line = f"{place}{note}: labelled {_IN_WORDS[label]}, marked {_IN_WORDS[mark]}; {_explained(score)}"
        outcomes.append((label, mark, line))
    return outcomes
