"""Looking at a task before it is used: data, references, reference solutions, labelled cases."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ...sandbox.errors import DataError, MarkschemeError
from ...tasks.problem import Completion, Problem
from ...tasks.problems import ProblemMaker, load_problems
from ...tasks.row_files import read_rows
from ...tasks.schema import Task
from ..scheme import MarkScheme
from ..score import Part, Score
from .finding import Finding
from .programs import program_findings


def check_task(task: Task, *, limit: int | None = 1000) -> list[Finding]:
    """Look at everything that can be known of a task without a model.

    Raises:
        TaskError: the scheme itself cannot be built.
    """
    scheme = MarkScheme(task)
    low, high = scheme.range
    findings = [Finding("scheme", True, f"{len(task.rewards)} reward(s), total from {low:g} to {high:g}")]
    if low == high:
        findings[0] = Finding(
            "scheme", False, f"every score is {low:g}: nothing can be learned; set a weight"
        )
    problems = _data(task, limit, findings)
    if problems:
        findings.append(_references(scheme, problems))
        solved = [problem for problem in problems if problem.solution is not None]
        scores = scheme.score(solved, [Completion(str(problem.solution)) for problem in solved])
        findings.append(_solutions(scheme, solved, scores))
        findings += _steps(scheme, solved, scores)
        findings += program_findings(scheme, problems)
    findings.append(_cases(task, scheme))
    return findings


def _references(scheme: MarkScheme, problems: list[Problem]) -> Finding:
    if not scheme.judges:
        return Finding("references", None, "no reward reads them")
    good = f"all {len(problems)} can be judged by"
    return _found("references", lambda: scheme.check_references(problems), good)


def _data(task: Task, limit: int | None, findings: list[Finding]) -> list[Problem]:
    problems: list[Problem] = []

    def load() -> None:
        problems.extend(load_problems(task, limit=limit))

    findings.append(_found("data", load, ""))
    if problems:
        findings[
            -1
        ].said = f"{len(problems)} problem(s) looked at; the first: {str(problems[0].prompt)[:60]!r}"
    return problems


def _found(name: str, look: Callable[[], None], good: str) -> Finding:
    try:
        look()
    except MarkschemeError as error:
        first, *rest = str(error).splitlines()
        return Finding(name, False, first, rest)
    return Finding(name, True, good)


def _solutions(scheme: MarkScheme, solved: list[Problem], scores: list[Score]) -> Finding:
    """Look at the marks of reference solutions: a right one that is marked wrong means a wrong scheme."""
    if not solved:
        return Finding("solutions", None, "the task has none")
    wrong = [
        f"problem {problem.id}: {_why(score)}"
        for problem, score in zip(solved, scores, strict=True)
        if scheme.is_right(score) is not True
    ]
    said = f"{len(solved) - len(wrong)} of {len(solved)} are marked right"
    return Finding("solutions", not wrong, said, wrong[:20])


def _steps(scheme: MarkScheme, solved: list[Problem], scores: list[Score]) -> list[Finding]:
    """Look at the marks of the solutions' steps: one below the middle is punished though it is right."""
    process = scheme.task.process
    if process is None:
        return []
    if not solved:
        return [Finding("steps", None, "no solutions whose steps could be marked")]
    middle = sum(scheme.step_bounds) / 2
    marks = [(p, str(p.solution), m) for p, s in zip(solved, scores, strict=True) for m in s.steps or ()]
    low = [
        f"problem {problem.id}: {text[m.step.start : m.step.end]!r}: {m.value:.3g} {m.reason}".rstrip()
        for problem, text, m in marks
        if m.value is not None and m.value < middle
    ]
    unjudged = sum(m.value is None for _, _, m in marks)
    said = f"{len(marks)} steps of {len(solved)} solutions: {len(low)} marked wrong, {unjudged} not judged"
    good = bool(marks) and not low and unjudged < len(marks)
    by_model = process.use == "prm" and unjudged < len(marks)  # a model errs: that is for the author to judge
    return [Finding("steps", None if by_model and not good else good, said, low[:20])]


def _why(score: Score) -> str:
    return ", ".join(
        f"{name}: {part.reason or part.status}{_said(part)}" for name, part in score.parts.items()
    )


def _said(part: Part) -> str:
    """Return what a program's first failing case says of itself."""
    failed = part.verdict.evidence.get("first_failed") if part.verdict is not None else None
    return f" (case {failed['case'] + 1}: {failed['said'].strip()[-200:]})" if failed else ""


def cases_file(task: Task) -> Path | None:
    """Return the labelled cases that stand beside a task's file, if there are any."""
    if task._file is None or task._file.path is None:
        return None
    path = task._file.path.with_suffix("").with_name(f"{task._file.path.stem}.cases.jsonl")
    return path if path.is_file() else None


def _cases(task: Task, scheme: MarkScheme) -> Finding:
    path = cases_file(task)
    if path is None:
        return Finding("cases", None, f"none stand beside the task ({task.name}.cases.jsonl)")
    try:
        outcomes = list(run_cases(task, scheme, path))
    except DataError as error:
        return Finding("cases", False, str(error))
    table: dict[tuple[bool, bool | None], int] = {}
    for wanted, got, _ in outcomes:
        table[wanted, got] = table.get((wanted, got), 0) + 1
    missed = [place for wanted, got, place in outcomes if wanted is not got]
    said = (
        f"{len(outcomes) - len(missed)} of {len(outcomes)} as labelled; wrong marked right"
        f" {table.get((False, True), 0)},"
        f" right marked wrong {table.get((True, False), 0)}, undecided"
        f" {sum(n for (_, g), n in table.items() if g is None)}"
    )
    return Finding("cases", not missed, said, missed[:20])


def run_cases(task: Task, scheme: MarkScheme, path: Path) -> list[tuple[bool, bool | None, str]]:
    """Mark labelled cases; return (label, mark, place and note) of each.

    A case is a line with the row's columns, `completion`, `correct` (the label), and by choice
    `prefill`, `tags` and `note`.

    Raises:
        DataError: a case without completion or label, or that does not make a problem.
    """
    maker = ProblemMaker(task)
    problems, completions, labels = [], [], []
    for place, case in read_rows(path):
        if not isinstance(case.get("completion"), str) or not isinstance(case.get("correct"), bool):
            raise DataError(f"{place}: a case needs `completion` (text) and `correct` (true or false)")
        missing = maker.columns - set(case)
        if missing:
            lacking = ", ".join(sorted(missing))
            raise DataError(f"{place}: the case lacks the column(s) {lacking}; edit {path.name} or delete it")
        problems.append(maker(case, place))
        completions.append(Completion(case["completion"], prefill=case.get("prefill", "")))
        labels.append((case["correct"], place, case))
    scores = scheme.score(problems, completions)
    return [
        (
            wanted,
            scheme.is_right(score),
            f"{place}: {_note(case)}marked {scheme.is_right(score)}: {_why(score)}",
        )
        for (wanted, place, case), score in zip(labels, scores, strict=True)
    ]


def _note(case: Mapping[str, Any]) -> str:
    return f"{case['note']}; " if case.get("note") else ""
