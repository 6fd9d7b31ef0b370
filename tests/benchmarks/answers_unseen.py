"""The answer verifier on a file of labelled answers that others wrote, beside math-verify.

    python tests/benchmarks/answers_unseen.py answers.jsonl [--list]

A row of the file has `kind`, `reference` (one or several), a bare `answer` or a `completion` with `extract`, and the
label `correct` (or `right`), a bool; rows with another label are counted and left out. `question` is optional.
`--list` prints the rows judged against their labels. The project's own such file is `tests/data/unseen_answers.jsonl`.
"""

import argparse
import logging
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from answer_rows import (
    Row,
    judge_row,
    outcome,
    outcomes_of_math_verify,
    print_heading,
    print_outcomes,
    print_row,
    read_rows,
)

logging.disable(logging.CRITICAL)  # math-verify logs a warning for every timeout


def labelled_rows(path: Path) -> tuple[list[Row], int]:
    """Return the rows with a label that is true or false, and the number of the others.

    Raises:
        SystemExit: there are no rows, or one lacks a field.
    """
    rows = []
    others = 0
    for number, row in enumerate(read_rows(path), 1):
        text = "answer" if "answer" in row else "completion"
        label = "right" if "right" in row else "correct"
        missing = {"kind", "reference", label, text} - row.keys()
        if missing:
            raise SystemExit(f"{path}:{number}: the row lacks {', '.join(sorted(missing))}")
        if not isinstance(row[label], bool):
            others += 1
            continue
        chosen = {field: row[field] for field in ("kind", "reference", text)}
        rows.append(
            {
                **chosen,
                "question": row.get("question"),
                "extract": row.get("extract", "strict"),
                "correct": row[label],
            }
        )
    if not rows:
        raise SystemExit(f"{path}: no labelled rows; give a JSON lines file with `right` true or false")
    return rows, others


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("path", type=Path, help="the JSON lines file")
    parser.add_argument("--list", action="store_true", help="print the rows judged against their labels")
    args = parser.parse_args()
    rows, others = labelled_rows(args.path)
    by_kind: dict[str, list[Row]] = {}
    for row in rows:
        by_kind.setdefault(row["kind"], []).append(row)
    width = max(map(len, by_kind)) + 2
    ours: Counter[str] = Counter()
    of_math_verify: Counter[str] = Counter()
    print_heading("kind", width)
    for kind, rows_of_kind in by_kind.items():
        judged = [(row, judge_row(row)) for row in rows_of_kind]
        outcomes = Counter(outcome(verdict.correct, row["correct"]) for row, verdict in judged)
        theirs = outcomes_of_math_verify(rows_of_kind)
        print_outcomes(kind, width, outcomes)
        print_outcomes("    math-verify", width, theirs)
        ours += outcomes
        of_math_verify += theirs
        if args.list:
            for row, verdict in judged:
                if verdict.correct is not row["correct"]:
                    print_row(row, verdict)
    print_outcomes("all", width, ours)
    print_outcomes("    math-verify", width, of_math_verify)
    if others:
        print(f"{others} rows without a label that is true or false were left out")


if __name__ == "__main__":
    main()
