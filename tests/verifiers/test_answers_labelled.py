"""The labelled answers (`data/answers.jsonl`) and real MATH completions are marked as their labels say."""

import json
from collections import Counter
from pathlib import Path

import pytest

from markscheme.verifiers import verify_answer
from support import LABELLED_ANSWERS, judge_labelled

KINDS = sorted({row["kind"] for row in LABELLED_ANSWERS})


def test_the_labelled_answers_are_many_balanced_and_sourced() -> None:
    assert len(LABELLED_ANSWERS) >= 500
    assert len({row["id"] for row in LABELLED_ANSWERS}) == len(LABELLED_ANSWERS)
    wrong = sum(not row["correct"] for row in LABELLED_ANSWERS)
    assert 0.4 <= wrong / len(LABELLED_ANSWERS) <= 0.6
    assert all(row["source"] for row in LABELLED_ANSWERS)
    counts = Counter((row["kind"], row["correct"]) for row in LABELLED_ANSWERS)
    assert min(counts[kind, False] for kind in KINDS) >= 6


@pytest.mark.parametrize("kind", KINDS)
def test_answers_are_marked_as_labelled(kind: str) -> None:
    missed = []
    for row in LABELLED_ANSWERS:
        if row["kind"] == kind:
            verdict = judge_labelled(row)
            if verdict.correct is not row["correct"]:
                answer = row.get("answer", row.get("completion"))
                missed.append((row["id"], row["reference"], answer, verdict))
    assert missed == []


WRONG_LABELS = {(72, "10000")}
"""Problem and answer of labels that are wrong: their grader read `10{,}000` and `10000` as two numbers."""


@pytest.mark.parametrize("extract", ["strict", "lenient"])
def test_real_math_completions_are_marked_as_labelled(shared_data: Path, extract: str) -> None:
    lines = (shared_data / "math_model_solutions.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert len(rows) == 400
    tiers: Counter[str] = Counter()
    for row in rows:
        verdict = verify_answer(row["reference"], row["completion"], extract=extract)
        tiers[verdict.tier] += 1
        label_is_wrong = (row["problem"], verdict.extracted) in WRONG_LABELS
        assert verdict.correct is (row["correct"] != label_is_wrong), (row["problem"], verdict)
    assert tiers["last"] == 0
