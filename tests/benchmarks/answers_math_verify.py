"""math-verify's side of `answers.py`.

It is imported inside the functions, because our side runs it only in worker processes: the parts that measure
our side alone should not carry it (and sympy) in the main process.
"""

from collections.abc import Iterable
from typing import Any


def verdict_of_math_verify(row: dict[str, Any]) -> bool:
    """Return math-verify's verdict on a labelled row.

    Each row is read both in math mode and bare; the verdict that fits the label counts. What math-verify raises an
    exception on counts as judged wrong.
    """
    from math_verify import parse, verify

    text = row.get("answer", row.get("completion", ""))
    in_math_mode = ("$%s$", "$%s$" if "answer" in row else "%s")
    bare = ("%s", "%s")
    verdicts = set()
    for reference_form, answer_form in (in_math_mode, bare):
        try:
            verdicts.add(verify(parse(reference_form % row["reference"]), parse(answer_form % text)))
        except Exception:
            verdicts.add(False)
    return row["correct"] if row["correct"] in verdicts else not row["correct"]


def compare_by_math_verify(pairs: Iterable[tuple[str, str]]) -> None:
    from math_verify import parse, verify

    for reference, answer in pairs:
        verify(parse(f"${reference}$"), parse(f"${answer}$"))


def verify_by_math_verify(rows: Iterable[dict[str, Any]]) -> None:
    from math_verify import parse, verify

    for row in rows:
        verify(parse(f"${row['reference']}$"), parse(row["completion"]))
