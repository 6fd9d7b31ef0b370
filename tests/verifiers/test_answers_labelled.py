"""The labelled set (`data/answers.jsonl`), real MATH completions, and math-verify on the same rows."""

import json
from collections import Counter
from pathlib import Path

import pytest

from markscheme.verifiers import verify_answer
from support import LABELLED, judged

ROWS = LABELLED
KINDS = sorted({row["kind"] for row in ROWS})


def test_the_set_is_what_it_says() -> None:
    assert len(ROWS) >= 500
    assert len({row["id"] for row in ROWS}) == len(ROWS)
    assert 0.4 <= sum(not row["correct"] for row in ROWS) / len(ROWS) <= 0.6
    assert all(row["source"] for row in ROWS)
    counts = Counter((row["kind"], row["correct"]) for row in ROWS)
    assert min(counts[kind, False] for kind in KINDS) >= 6


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_marked_as_labelled(kind: str) -> None:
    missed = [
        (
            row["id"],
            row["reference"],
            row.get("answer", row.get("completion")),
            verdict.correct,
            verdict.reason,
        )
        for row in ROWS
        if row["kind"] == kind and (verdict := judged(row)).correct is not row["correct"]
    ]
    assert missed == []


LABEL_IS_WRONG = {(72, "10000")}
"""Their grader read `10{,}000` and `10000` as two numbers."""


@pytest.mark.parametrize("extract", ["strict", "lenient"])
def test_real_math_completions_are_marked_as_labelled(shared_data: Path, extract: str) -> None:
    lines = (shared_data / "math_model_solutions.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert len(rows) == 400
    tiers: Counter[str] = Counter()
    for row in rows:
        verdict = verify_answer(row["reference"], row["completion"], extract=extract)
        tiers[verdict.tier] += 1
        known = (row["problem"], verdict.extracted) in LABEL_IS_WRONG
        assert verdict.correct is (row["correct"] != known), (row["problem"], verdict)
    assert tiers["last"] == 0
