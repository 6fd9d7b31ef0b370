"""Rows of APPS, TACO and LiveCodeBench are judged as the data sets' own graders judge them.

`tests/data/grader_programs.jsonl`: programs with a row's tests; `official` is the verdict of LiveCodeBench's
own grader, and for APPS and TACO of verl's `prime_code`. Where ours differs, `why` says for what reason.
"""

import json
from typing import Any

import pytest

from markscheme.sandbox import Limits
from markscheme.sandbox.sandbox import shared_sandbox
from markscheme.verifiers import verify_program
from support import ROOT

with open(ROOT / "tests/data/grader_programs.jsonl", encoding="utf-8") as _lines:
    ROWS: list[dict[str, Any]] = [json.loads(line) for line in _lines]
LIMITS = Limits(cpu_s=2, wall_s=8)


def differing(rows: list[dict[str, Any]]) -> list[str]:
    """Return the names of the rows whose verdict is not the one in the file."""

    def correct(row: dict[str, Any]) -> bool | None:
        return verify_program(row["code"], row["tests"], limits=LIMITS).correct

    marks = shared_sandbox().map(correct, rows)
    return [row["name"] for row, mark in zip(rows, marks, strict=True) if mark is not row["ours"]]


def test_programs_are_judged_as_by_the_official_graders() -> None:
    assert differing(ROWS[::4]) == []


@pytest.mark.slow
def test_all_programs_are_judged_as_by_the_official_graders() -> None:
    assert differing(ROWS) == []


def test_every_difference_is_explained() -> None:
    assert len(ROWS) >= 200
    assert {row["tests"]["type"] for row in ROWS} == {"apps", "taco", "livecodebench"}
    different = [row for row in ROWS if row["ours"] != row["official"]]
    assert all(row["why"] for row in different)
    assert len(different) < len(ROWS) / 3
