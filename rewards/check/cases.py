"""Labelled cases of a task: completions known to be right or wrong, and how the scheme marks them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...sandbox.errors import DataError
from ...tasks.check_section import CaseLimits
from ...tasks.problem import Completion, Problem
from ...tasks.rows.problem_maker import ProblemMaker
from ...tasks.rows.row_files import read_rows
from ...tasks.schema import Task
from ...tasks.whole_files import written_to
from ..gates import part_is_right
from ..offline.measures import Rate, wilson_interval
from ..scheme import MarkScheme
from ..score import Score
from .explain import explained
from .finding import SHOWN, Finding

_IN_WORDS = {True: "right", False: "wrong", None: "undecided"}
OWN = ("completion", "correct", "prefill", "tags", "note")
"""The columns of a case that are not its problem's."""


@dataclass(frozen=True)
class ScoredCase:
    """A labelled case with its score."""

    place: str
    case: Mapping[str, Any]
    problem: Problem
    score: Score
    mark: bool | None
    """Whether the scheme calls it right."""

    @property
    def label(self) -> bool:
        """Whether it is right in truth."""
        return self.case["correct"]

    @property
    def line(self) -> str:
        """The case in a line: its place, label and mark, and the reasons of the mark."""
        note = f" ({self.case['note']})" if self.case.get("note") else ""
        said = f"labelled {_IN_WORDS[self.label]}, marked {_IN_WORDS[self.mark]}"
        return f"{self.place}{note}: {said}; {explained(self.score)}"


@dataclass(frozen=True)
class Confusion:
    """How one component marks the cases, or those with one tag."""

    right: int
    """Cases that are right in truth and were decided."""
    wrong: int
    undecided: int
    false_positive: Rate
    """The share of wrong cases that are marked right, with its 95 % Wilson interval."""
    false_negative: Rate

    def within(self, limits: CaseLimits) -> bool:
        """Return whether no share is above its limit."""
        cases = self.right + self.wrong + self.undecided
        return (
            (self.false_positive.share or 0.0) <= limits.false_positive
            and (self.false_negative.share or 0.0) <= limits.false_negative
            and self.undecided <= limits.undecided * cases
        )


def cases_file(task: Task) -> Path | None:
    """Return the file of labelled cases beside a task's file (`NAME.cases.jsonl`), if there is one."""
    path = cases_place(task)
    return path if path is not None and path.is_file() else None


def cases_place(task: Task) -> Path | None:
    """Return where a task's labelled cases belong; None if the task was not read from a file."""
    return None if task.file is None else task.file.with_name(f"{task.file.stem}.cases.jsonl")


def run_cases(task: Task, scheme: MarkScheme, path: Path) -> list[ScoredCase]:
    """Score labelled cases.

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
    scored = zip(cases, problems, scheme.score(problems, completions), strict=True)
    return [
        ScoredCase(place, case, problem, score, scheme.is_right(score))
        for (place, case), problem, score in scored
    ]


def confusion(marks: Sequence[tuple[bool, bool | None]]) -> Confusion:
    """Return how often pairs of a label and a mark disagree."""

    def rate(label: bool) -> Rate:
        decided = [mark for truth, mark in marks if truth is label and mark is not None]
        missed = sum(mark is not label for mark in decided)
        share = missed / len(decided) if decided else None
        return Rate(share, *wilson_interval(missed, len(decided)), len(decided))

    false_positive, false_negative = rate(False), rate(True)
    return Confusion(
        right=false_negative.trials,
        wrong=false_positive.trials,
        undecided=sum(mark is None for _, mark in marks),
        false_positive=false_positive,
        false_negative=false_negative,
    )


def confusions(scheme: MarkScheme, cases: Sequence[ScoredCase]) -> dict[str, dict[str, Confusion]]:
    """Return the confusion of the whole scheme and of each entry that judges: over all cases, and by tag."""
    judges = [name for name in scheme.entries if scheme.reads_references(name)]
    found: dict[str, dict[str, Confusion]] = {}
    for name in ("scheme", *judges):
        by_tag: dict[str, list[tuple[bool, bool | None]]] = {"all": []}
        for one in cases:
            mark = one.mark
            if name != "scheme":
                mark = part_is_right(one.score.parts[name], scheme.bounds_of(name))
            for tag in ("all", *map(str, one.case.get("tags") or ())):
                by_tag.setdefault(tag, []).append((one.label, mark))
        found[name] = {tag: confusion(marks) for tag, marks in by_tag.items()}
    return found


def cases_finding(scheme: MarkScheme, cases: Sequence[ScoredCase]) -> Finding:
    """Return the finding on labelled cases: how each component marks them, and which are marked wrongly."""
    found = confusions(scheme, cases)
    missed = [one for one in cases if one.mark is not one.label]
    good = found["scheme"]["all"].within(scheme.task.check.cases)
    said = f"{len(cases) - len(missed)} of {len(cases)} labelled cases are marked as labelled"
    lines = []
    for name, by_tag in found.items():
        everything = by_tag["all"]
        lines.append(
            f"{name}: wrong marked right {everything.false_positive} of {everything.wrong},"
            f" right marked wrong {everything.false_negative} of {everything.right},"
            f" undecided {everything.undecided}"
        )
        for tag, one in by_tag.items():
            if tag != "all" and not one.within(CaseLimits()):
                lines.append(
                    f"  {tag}: wrong marked right {one.false_positive}, right marked wrong"
                    f" {one.false_negative}, undecided {one.undecided}"
                )
    return Finding(
        "cases",
        good,
        said,
        [*lines, *(one.line for one in missed[:SHOWN])],
        figures={name: {tag: asdict(one) for tag, one in by_tag.items()} for name, by_tag in found.items()},
    )


def case_of(
    problem: Problem, maker: ProblemMaker, completion: str, correct: bool, **more: Any
) -> dict[str, Any]:
    """Return a labelled case.

    Args:
        problem: the problem, whose row has the columns that the task's templates read.
        maker: of the task.
        completion: the text.
        correct: whether it is right in truth.
        more: `tags`, `note` and `prefill`, where they are not empty.
    """
    columns = {name: problem.info[name] for name in sorted(maker.columns)}
    return {**columns, "completion": completion, "correct": correct, **{k: v for k, v in more.items() if v}}


def add_cases(path: Path, cases: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Append labelled cases to a file, which is written whole and need not exist yet.

    Returns:
        Those that were not in the file already, whatever label they have there.
    """
    old = [row for _, row in read_rows(path)] if path.is_file() else []

    def content(case: Mapping[str, Any]) -> str:
        told = {name: value for name, value in case.items() if name not in OWN or name == "completion"}
        return json.dumps(told, sort_keys=True, default=str)

    known = {content(case) for case in old}
    new = {content(case): case for case in cases if content(case) not in known}
    if new:
        with written_to(path) as partial:
            lines = [
                json.dumps(case, ensure_ascii=False, default=str) + "\n" for case in [*old, *new.values()]
            ]
            partial.write_text("".join(lines), encoding="utf-8", errors="backslashreplace")
    return list(new.values())
