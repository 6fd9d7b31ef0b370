"""Checks of a task that need no model: data, references, reference solutions, tests and labelled cases."""

from pathlib import Path

from ...sandbox.errors import DataError, MarkschemeError
from ...tasks.load_problems import ProblemMaker, load_problems
from ...tasks.problem import Completion, Problem
from ...tasks.row_files import read_rows
from ...tasks.schema import Task
from ..scheme import MarkScheme
from ..score import Part, Score
from .finding import SHOWN, Finding
from .programs import program_findings

_IN_WORDS = {True: "right", False: "wrong", None: "undecided"}


def check_task(task: Task, *, limit: int | None = 1000) -> list[Finding]:
    """Run all checks on a task, with at most `limit` of its problems.

    Raises:
        TaskError: the task's mark scheme cannot be built.
    """
    scheme = MarkScheme(task)
    data, problems = _data(task, limit)
    findings = [_scheme(task, scheme), data]
    if problems:
        findings.append(_references(scheme, problems))
        solved = [problem for problem in problems if problem.solution is not None]
        scores = scheme.score(solved, [Completion(str(problem.solution)) for problem in solved])
        findings.append(_solutions(scheme, solved, scores))
        findings += _steps(scheme, solved, scores)
        findings += program_findings(scheme, problems)
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


def _data(task: Task, limit: int | None) -> tuple[Finding, list[Problem]]:
    """Load the task's problems; if that fails, the finding has the reason, and there are no problems."""
    try:
        problems = list(load_problems(task, limit=limit))
    except MarkschemeError as error:
        return _failed("data", error), []
    first = str(problems[0].prompt)[:60]
    return Finding("data", True, f"{len(problems)} problem(s) checked; the first prompt: {first!r}"), problems


def _references(scheme: MarkScheme, problems: list[Problem]) -> Finding:
    if not scheme.judges:
        return Finding("references", None, "no reward reads references or tests")
    try:
        scheme.check_references(problems)
    except MarkschemeError as error:
        return _failed("references", error)
    result = f"all {len(problems)} problem(s) have a reference or tests that the verifiers can use"
    return Finding("references", True, result)


def _solutions(scheme: MarkScheme, solved: list[Problem], scores: list[Score]) -> Finding:
    """Check that reference solutions are marked right; if one is not, the scheme or the solution is wrong."""
    if not solved:
        return Finding("solutions", None, "the task has no reference solutions")
    wrong = [
        f"problem {problem.id}: {_explained(score)}"
        for problem, score in zip(solved, scores, strict=True)
        if scheme.is_right(score) is not True
    ]
    result = f"{len(solved) - len(wrong)} of {len(solved)} reference solutions are marked right"
    return Finding("solutions", not wrong, result, wrong[:SHOWN])


def _steps(scheme: MarkScheme, solved: list[Problem], scores: list[Score]) -> list[Finding]:
    """Check the marks of the reference solutions' steps; one below the middle would punish a right step."""
    process = scheme.task.process
    if process is None:
        return []
    if not solved:
        return [Finding("steps", None, "the task has no reference solutions whose steps could be marked")]
    middle = sum(scheme.step_bounds) / 2
    count, unjudged = 0, 0
    low: list[str] = []
    for problem, score in zip(solved, scores, strict=True):
        for mark in score.steps or ():
            count += 1
            if mark.value is None:
                unjudged += 1
            elif mark.value < middle:
                text = str(problem.solution)[mark.step.start : mark.step.end]
                low.append(f"problem {problem.id}: {text!r}: {mark.value:.3g} {mark.reason}".rstrip())
    result = f"{count} steps of {len(solved)} solutions: {len(low)} marked wrong, {unjudged} not judged"
    good: bool | None = unjudged < count and not low
    if low and unjudged < count and process.use == "prm":
        good = None  # a model makes mistakes, and how many are too many is for the author to judge
    return [Finding("steps", good, result, low[:SHOWN])]


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
