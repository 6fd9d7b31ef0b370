"""What the benchmarks of answers share: rows of real data, verdicts on labelled rows, and the table of outcomes."""

import inspect
import json
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from answers_math_verify import verdict_of_math_verify
from markscheme.verifiers import Verdict, compare_answers, verify_answer
from support import ROOT

Row = dict[str, Any]
"""One labelled answer: `reference`, `correct`, and either `answer` or `completion` with `extract`."""
DATA = Path(os.environ.get("MARKSCHEME_SHARED", ROOT.parent / "shared")) / "data"
TAKES_QUESTION = {
    function: "question" in inspect.signature(function).parameters
    for function in (compare_answers, verify_answer)
}


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a JSON lines file; an empty list where it is missing."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def judge_row(row: Row) -> Verdict:
    """Return our verdict on a row. The row's question is passed on if the function takes one."""
    if "answer" in row:
        return compare_answers(row["reference"], row["answer"], **_question(compare_answers, row))
    return verify_answer(
        row["reference"],
        row["completion"],
        extract=row["extract"],
        **_question(verify_answer, row),
    )


def _question(function: Any, row: Row) -> dict[str, Any]:
    return {"question": row["question"]} if TAKES_QUESTION[function] and row.get("question") else {}


def outcome(verdict: bool | None, label: bool) -> str:
    """Return how a verdict compares with the label: right, false +, false - or undecided."""
    if verdict is None:
        return "undecided"
    if verdict is label:
        return "right"
    return "false +" if verdict else "false -"


def outcomes_of_math_verify(rows: Iterable[Row]) -> Counter[str]:
    """Count the outcomes of math-verify; with several references, one that matches is enough."""
    counts: Counter[str] = Counter()
    for row in rows:
        references = [row["reference"]] if isinstance(row["reference"], str) else row["reference"]
        verdicts = [verdict_of_math_verify({**row, "reference": reference}) for reference in references]
        counts[outcome(any(verdicts), row["correct"])] += 1
    return counts


def print_heading(first: str, width: int) -> None:
    print(f"{first:{width}}{'rows':>6}{'right':>7}{'share':>8}{'false +':>9}{'false -':>9}{'undecided':>11}")


def print_outcomes(name: str, width: int, counts: Counter[str]) -> None:
    """Print one line of the table of outcomes."""
    total = sum(counts.values())
    share = counts["right"] / max(total, 1)
    print(
        f"{name:{width}}{total:6}{counts['right']:7}{share:8.2%}"
        f"{counts['false +']:9}{counts['false -']:9}{counts['undecided']:11}"
    )


def print_row(row: Row, verdict: Verdict) -> None:
    """Print a row that was judged against its label, with the end of a long completion."""
    text = row.get("answer", row.get("completion", ""))
    expected = "right" if row["correct"] else "wrong"
    print(f"    {verdict} should be {expected} for {row['reference']!r}\n        ...{text[-240:]!r}")
