"""`markscheme cases`: turning cheats and disputed marks into labelled cases of a task."""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ....rewards.check.cases import add_cases, case_of, cases_place
from ....rewards.check.task import check_task
from ....rewards.offline.rescore import ProblemFinder
from ....rewards.rows.read_scores import ReadRow, read_scores
from ....rewards.rows.scores import ScoreRow
from ....rewards.scheme import MarkScheme
from ....sandbox.errors import DataError, TaskError, did_you_mean
from ....tasks.check_section import DEFECTS
from ....tasks.load_problems import load_problems, place_in
from ....tasks.load_task import load_task, shipped_tasks
from ....tasks.problem import Problem
from ....tasks.rows.problem_maker import ProblemMaker
from ....tasks.schema import Task
from ..output import CHECK_FAILED, GOOD, show
from .rescoring import Schemes

SUGGESTED = 50
"""The most suggestions that a review walks through."""


@dataclass
class Suggestion:
    """A completion that may become a labelled case."""

    task: Task
    problem: Problem
    completion: str
    prefill: str
    correct: bool | None
    """The label that is suggested; None if there is no telling."""
    why: str

    @property
    def file(self) -> Path:
        """The task's file of cases.

        Raises:
            TaskError: the task was not read from a file of the user's.
        """
        path = cases_place(self.task)
        if path is None or self.task.file in shipped_tasks().values():
            raise TaskError(
                f"cases: task {self.task.name!r} is not a file of yours; copy it, such as from"
                f" {self.task.file}, and give the copy's path as the task"
            )
        return path

    def case(self, correct: bool, tags: Sequence[str] = (), note: str = "") -> dict[str, Any]:
        """Return the labelled case.

        Raises:
            DataError: the problem's row is not known.
        """
        maker = ProblemMaker(self.task)
        missing = sorted(maker.columns - set(self.problem.info))
        if missing:
            raise DataError(
                f"problem {self.problem.id}: the task's data does not have it, and the scores lack its"
                f" columns {', '.join(missing)}; give the data with --set data.path=FILE"
            )
        more = {"prefill": self.prefill, "tags": list(tags), "note": note or self.why}
        return case_of(self.problem, maker, self.completion, correct, **more)


def cases(args: argparse.Namespace) -> int:
    """Add a case, or walk through suggestions."""
    if args.what == "review":
        return _review(args)
    if (args.scores is None) == (args.from_probe is None):
        raise TaskError("cases add: give either --from SCORES --row N, or --from-probe DEFECT")
    if args.from_probe is not None:
        chosen = _probed(args, args.from_probe)
    elif args.row is None:
        raise TaskError("cases add --from SCORES needs --row N; messages call the row SCORES:N")
    else:
        chosen = [_of_row(args, args.row)]
    new = []
    for one in chosen:
        label = one.correct if args.correct is None else args.correct == "true"
        if label is None:
            raise TaskError(
                f"cases add: {one.why}: nothing says whether it is right; say --correct true or false"
            )
        new.append(one.case(label, args.tag, args.note))
    path = chosen[0].file
    added = add_cases(path, new)
    there = f"; {len(new) - len(added)} were there already" if len(added) < len(new) else ""
    lines = [f"{len(added)} case(s) added to {path}{there}"]
    lines += [
        f"  labelled {'right' if case['correct'] else 'wrong'}: {case['completion'][:100]!r}"
        for case in added
    ]
    show(args, {"file": str(path), "added": added}, lines)
    return GOOD if added else CHECK_FAILED


def _task(args: argparse.Namespace) -> Task:
    if args.task is None:
        raise TaskError("cases: name the task, such as `markscheme cases review mine.yaml`")
    return load_task(args.task, overrides=args.overrides, allow_code=args.allow_code)


def _probed(args: argparse.Namespace, code: str) -> list[Suggestion]:
    """Return the examples of a defect that the task's check finds."""
    if code not in DEFECTS:
        raise TaskError(f"--from-probe: there is no defect {code!r}{did_you_mean(code, list(DEFECTS))}")
    task = _task(args)
    found = [one for one in _from_probes(args, task) if one.why.startswith(f"{code}:")]
    if not found:
        raise TaskError(
            f"--from-probe: the check of {task.name} finds no {code} with completions that a case could label"
        )
    return found


def _from_probes(args: argparse.Namespace, task: Task) -> Iterator[Suggestion]:
    """Yield the examples of all defects that a task's check finds."""
    problems = load_problems(task, limit=1000)
    by_place = {place_in(problems, i): i for i in range(len(problems))}
    for finding in check_task(task, probes=args.probes, seed=args.seed):
        for example in finding.examples:
            if example.correct is None:
                continue
            problem = problems[by_place[example.place]]
            why = f"{finding.name}: {example.trick}"
            yield Suggestion(task, problem, example.completion, "", example.correct, why)


def _of_row(args: argparse.Namespace, number: int) -> Suggestion:
    path = Path(args.scores)
    reads = (read for read in read_scores(path) if int(read.place.rpartition(":")[2]) == number)
    read = next(reads, None)
    if read is None:
        raise DataError(f"{path}: there is no score row {number}; a file's header is its line 1")
    return _of_score(read, Schemes(args), ProblemFinder())


def _of_score(read: ReadRow, schemes: Schemes, finder: ProblemFinder) -> Suggestion:
    row = read.row
    scheme: MarkScheme = schemes.of(read)[0]
    problem, _ = finder.find(read, scheme)
    label = row.label
    if label is None and row.right and True not in _watched(row, scheme).values():
        label = False
    return Suggestion(scheme.task, problem, row.completion, row.prefill, label, f"from {read.place}")


def _watched(row: ScoreRow, scheme: MarkScheme) -> dict[str, bool | None]:
    """Return what the watched entries say of a row."""
    parts = {name: row.parts[name] for name in scheme.task.watch if name in row.parts}
    return {name: (part.get("verdict") or {}).get("correct") for name, part in parts.items()}


def _from_scores(args: argparse.Namespace) -> Iterator[Suggestion]:
    """Yield the rows whose mark is disputed: by their label, or by another verifier of theirs."""
    schemes, finder = Schemes(args), ProblemFinder()
    for read in read_scores(Path(args.scores)):
        row = read.row
        watched = _watched(row, schemes.of(read)[0])
        others = [name for name, verdict in watched.items() if verdict not in (None, row.right)]
        if row.label is not None and row.label is not row.right:
            why = "its label says otherwise"
        elif others and row.right is not None:
            why = f"{', '.join(others)} says otherwise"
        else:
            continue
        suggestion = _of_score(read, schemes, finder)
        suggestion.why = f"{why} ({read.place})"
        yield suggestion


def _review(args: argparse.Namespace) -> int:
    """Show suggestions one by one, and add those that a person labels."""
    source = _from_scores(args) if args.scores else _from_probes(args, _task(args))
    suggestions = [one for _, one in zip(range(SUGGESTED), source, strict=False)]
    if args.json or not suggestions:
        listed = [
            {"problem": one.problem.id, "completion": one.completion, "correct": one.correct, "why": one.why}
            for one in suggestions
        ]
        show(args, {"suggestions": listed}, ["no suggestions: no mark is disputed, and no cheat pays"])
        return GOOD
    added = 0
    for number, one in enumerate(suggestions, 1):
        print(f"\n{number} of {len(suggestions)}: {one.why}")
        print(f"  asked:     {str(one.problem.prompt)[-500:]!r}")
        print(f"  reference: {one.problem.reference!r}")
        print(f"  completion: {one.completion[-1500:]!r}")
        answer = _asked("right, wrong, skip or quit? [r/w/s/q] ")
        if answer == "q":
            break
        if answer in ("r", "w"):
            new = add_cases(one.file, [one.case(answer == "r")])
            added += len(new)
            if not new:
                print(f"  not added: it is in {one.file} already")
    print(f"{added} case(s) added")
    return GOOD


def _asked(question: str) -> str:
    """Return the first letter of an answer; `q` at the end of the input."""
    while True:
        try:
            answer = input(question).strip().lower()[:1]
        except EOFError:
            return "q"
        if answer in ("r", "w", "s", "q"):
            return answer
