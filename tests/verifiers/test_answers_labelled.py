"""The labelled answers (`data/answers.jsonl`) and real MATH completions are marked as their labels say."""

import json
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from markscheme.verifiers import verify_answer
from support import LABELLED_ANSWERS, judge_labelled, read_labelled

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


HARD = read_labelled("hard_answers.jsonl")
"""Answers that an earlier judge marked against their labels, from sets that others wrote to find such answers."""


@pytest.mark.parametrize("kind", sorted({row["kind"] for row in HARD}))
def test_answers_that_were_once_misjudged_are_marked_as_labelled(kind: str) -> None:
    rows = [row for row in HARD if row["kind"] == kind]
    assert rows
    assert [row["id"] for row in rows if judge_labelled(row).correct is not row["correct"]] == []


UNSEEN = read_labelled("unseen_answers.jsonl")
"""447 answers from sources that were not used before, labelled by two people who did not see the judge."""


def test_answers_that_were_never_seen_are_marked_as_labelled() -> None:
    verdicts = [(row, judge_labelled(row)) for row in UNSEEN]
    accepted = [row["id"] for row, verdict in verdicts if verdict.correct and not row["correct"]]
    missed = [row["id"] for row, verdict in verdicts if verdict.correct is not row["correct"]]
    assert accepted == []
    assert missed == ["unseen-337"]  # a function given by cases, written with an absolute value


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


def test_real_math_completions_without_their_boxes_are_marked_as_labelled(shared_data: Path) -> None:
    lines = (shared_data / "math_model_solutions.jsonl").read_text(encoding="utf-8").splitlines()
    for row in map(json.loads, lines):
        verdict = verify_answer(row["reference"], without_boxes(row["completion"]), extract="lenient")
        label_is_wrong = (row["problem"], verdict.extracted) in WRONG_LABELS
        assert verdict.correct is (row["correct"] != label_is_wrong), (row["problem"], verdict)


def without_boxes(text: str) -> str:
    """Return a text in which the contents of every box stand without the box."""
    while r"\boxed{" in text:
        before, _, rest = text.rpartition(r"\boxed{")
        depth, end = 1, 0
        while depth and end < len(rest):
            depth += {"{": 1, "}": -1}.get(rest[end], 0)
            end += 1
        text = before + rest[: end - 1] + rest[end:]
    return text


STRANGERS = read_labelled("strangers_answers.jsonl")
"""Three sets of 400 by writers who had not seen the judge; 95.3 % were marked as labelled at first sight."""


def test_answers_of_strangers_are_marked_as_labelled_but_for_a_few() -> None:
    verdicts = [(row, judge_labelled(row).correct) for row in STRANGERS]
    assert len(verdicts) == 1200
    assert sum(correct is True and not row["correct"] for row, correct in verdicts) <= 3
    assert sum(correct is not row["correct"] for row, correct in verdicts) <= 19


def test_answers_on_the_next_line_and_human_solutions_are_read(shared_data: Path) -> None:
    lines = (shared_data / "gsm8k_test.jsonl").read_text(encoding="utf-8").splitlines()
    found, read = 0, 0
    for row in map(json.loads, lines):
        solution, _, reference = row["answer"].rpartition("\n#### ")
        found += verify_answer(reference, f"The answer is:\n\n{reference}", extract="lenient").correct is True
        prose = re.sub("<<[^<>]*>>", "", solution)
        read += verify_answer(reference, prose, extract="lenient").correct is True
    assert (found, len(lines)) == (1319, 1319)
    assert read >= 1312  # the others end with another unit, or with a sentence that does not state the number


def test_a_solution_after_an_answer_takes_back_only_another_answer(shared_data: Path) -> None:
    rows = [json.loads(line) for line in (shared_data / "gsm8k_test.jsonl").read_text("utf-8").splitlines()]
    solutions = [row["answer"].rpartition("\n#### ") for row in rows]
    kept, checked, corrected = 0, 0, 0
    for (solution, _, reference), (other, _, another) in pairwise(solutions):
        prose, other_prose = (re.sub("<<[^<>]*>>", "", text) for text in (solution, other))
        box = f"\\boxed{{{reference}}}\n\n"
        kept += verify_answer(reference, box + prose).correct is True
        checked += verify_answer(reference, f"{box}Let me double-check: {prose}").correct is True
        if reference != another:
            text = f"{box}Wait, I made a mistake. {other_prose}\n\nSo it is {another}."
            corrected += verify_answer(reference, text).correct is True
    assert kept == len(solutions) - 1
    assert checked >= 1312  # the others end in another unit, such as `$0.25 each` after an answer in cents
    assert corrected == 0
