"""Rows with labelled steps, in the form of every public data set, as what a process reward model is trained on."""

import json
from pathlib import Path
from typing import Any

import pytest

from markscheme.rewards.rows.labelled_steps import LabelledSteps, labelled, read_labelled
from markscheme.sandbox import DataError

PRM800K = {
    "question": {"problem": "2+2?"},
    "label": {
        "steps": [
            {
                "completions": [{"text": "a", "rating": 1}, {"text": "z", "rating": -1}],
                "chosen_completion": 0,
            },
            {"completions": [{"text": "b", "rating": 0}], "chosen_completion": 0},
            {"completions": [], "human_completion": {"text": "c"}, "chosen_completion": None},
            {"completions": [{"text": "d", "rating": -1}], "chosen_completion": None},
        ]
    },
}
MATH_SHEPHERD = {
    "input": "How many? Step 1: a = 1 - ки\nStep 2: so it is 2 ки Step 3: more ки",
    "label": "How many? Step 1: a = 1 - +\nStep 2: so it is 2 - Step 3: more -",
}
ROWS: list[tuple[dict[str, Any], LabelledSteps]] = [
    # row, the steps and labels that it holds
    (
        {"prompt": "p", "completions": ["a", "b"], "labels": [True, False]},
        LabelledSteps("p", ("a", "b"), (1, 0)),
    ),
    # -100 is no label, but true as a bool.
    (
        {"prompt": "p", "completions": ["a", "b"], "labels": [-100, 1]},
        LabelledSteps("p", ("a", "b"), (None, 1)),
    ),
    (
        {"prompt": "p", "completions": ["a", "b"], "labels": [True, True], "shares": [0.25, 1.0]},
        LabelledSteps("p", ("a", "b"), (0.25, 1)),
    ),
    (PRM800K, LabelledSteps("2+2?", ("a", "b", "c", "d"), (1, 1, 1, 0))),
    (
        MATH_SHEPHERD,
        LabelledSteps("How many?", ("Step 1: a = 1 -", "Step 2: so it is 2", "Step 3: more"), (1, 0, 0)),
    ),
]


@pytest.mark.parametrize(("row", "expected"), ROWS)
def test_rows_of_every_form_are_read(row: dict[str, Any], expected: LabelledSteps) -> None:
    assert labelled(row) == expected


def test_neutral_ratings_count_as_asked_for() -> None:
    assert labelled(PRM800K, neutral="wrong").labels == (1, 0, 1, 0)
    assert labelled(PRM800K, neutral="skip").labels == (1, None, 1, 0)


def test_all_rows_that_cannot_be_read_are_reported_at_once(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [
        {"prompt": "p", "completions": ["a"], "labels": [True, False]},
        {"prompt": "p", "completions": ["a"], "labels": ["yes"]},
        {"prompt": "p", "completions": [], "labels": []},
        {"prompt": "p", "completions": [" "], "labels": [True]},
        {"text": "x"},
        {
            "question": {"problem": "p"},
            "label": {"steps": [{"completions": [{"rating": 1}], "chosen_completion": 3}]},
        },
        {"input": "q Step 1: a ки", "label": "q Step 1: b +"},
        {"input": "q a ки", "label": "q a +"},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(DataError) as caught:
        read_labelled(path)
    for part in (
        "8 row(s)",
        "1 steps and 2 labels",
        "'yes'",
        "no steps",
        "not empty",
        "the row has: text",
        "IndexError",
        "`label` must be `input` with + or - in the place of each ки; it is not so at 'tep 1: b +'",
        "has none",
    ):
        assert part in str(caught.value)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_labelled(tmp_path / "nothing.jsonl")
