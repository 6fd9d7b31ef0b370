"""Programs that others wrote, without knowing how they are judged: forged marks, and honest programs.

`tests/data/forged_marks.jsonl`: programs that do not do what their tests ask for and try to be marked as right.
Most have a `twin`, an honest program that passes the same tests. `tests/data/unusual_programs.jsonl`: honest
programs, with the share of cases that each passes in plain Python. Programs that a documented limit refuses
are marked with it (`limit`), and are not judged here.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from markscheme.sandbox import Limits, Sandbox
from markscheme.sandbox.isolation.tiers import SAFE, Tier
from markscheme.verifiers import verify_program
from support import ROOT
from tiers import needs_tier

Row = dict[str, Any]
FORGERS = Limits(cpu_s=0.5, wall_s=2, memory_mb=300, output_mb=1)
HONEST = Limits(cpu_s=2, wall_s=6, memory_mb=600, output_mb=4)


def rows_of(name: str) -> list[Row]:
    with open(ROOT / "tests/data" / name, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


FORGED_MARKS, UNUSUAL = rows_of("forged_marks.jsonl"), rows_of("unusual_programs.jsonl")


@pytest.fixture(scope="module", params=SAFE)
def tier(request: pytest.FixtureRequest) -> Tier:
    needs_tier(request.param)
    return request.param


@pytest.fixture
def sandbox(tier: Tier) -> Iterator[Sandbox]:
    with Sandbox(2, tier=tier) as sandbox:
        yield sandbox


def limits_of(row: Row, default: Limits) -> Limits:
    return Limits(**row["limits"]) if "limits" in row else default


def needs_installed(row: Row) -> bool:
    """Whether a row needs a library that a base install lacks."""
    text = row["code"] + json.dumps(row["tests"]) + row.get("twin", "")
    return any(name in text for name in ("numpy", "pandas", "sortedcontainers"))


def forged(sandbox: Sandbox, rows: list[Row]) -> list[str]:
    def correct(row: Row) -> bool | None:
        return verify_program(
            row["code"], row["tests"], limits=limits_of(row, FORGERS), sandbox=sandbox
        ).correct

    return [
        row["name"] for row, mark in zip(rows, sandbox.map(correct, rows), strict=True) if mark is not False
    ]


def refused(sandbox: Sandbox, rows: list[Row]) -> list[tuple[str, float | None, Any]]:
    """Return the name, the share and the first failure of each row whose share is not the expected one."""

    def judge(row: Row) -> Any:
        return verify_program(row["code"], row["tests"], limits=limits_of(row, HONEST), sandbox=sandbox)

    return [
        (row["name"], verdict.share, verdict.evidence.get("first_failed"))
        for row, verdict in zip(rows, sandbox.map(judge, rows), strict=True)
        if abs((verdict.share or 0.0) - row["share"]) > 1e-9
    ]


def twins() -> list[Row]:
    return [
        {**row, "code": row["twin"], "share": 1.0}
        for row in FORGED_MARKS
        if "twin" in row and "limit" not in row
    ]


def judged_here(rows: list[Row]) -> list[Row]:
    return [row for row in rows if "limit" not in row and not needs_installed(row)]


def test_no_program_of_others_forges_a_mark(sandbox: Sandbox) -> None:
    assert forged(sandbox, FORGED_MARKS[::9]) == []


def test_no_honest_program_of_others_is_refused(sandbox: Sandbox) -> None:
    quick = [row for row in judged_here(UNUSUAL) if row["share"] == 1.0]
    assert refused(sandbox, [*quick[::12], *judged_here(twins())[::20]]) == []


@pytest.mark.slow
def test_no_program_of_others_forges_a_mark_of_all(sandbox: Sandbox) -> None:
    assert forged(sandbox, FORGED_MARKS) == []


@pytest.mark.slow
def test_no_honest_program_of_others_is_refused_of_all(tier: Tier, sandbox: Sandbox) -> None:
    """Every other one in each tier, because some are as slow as their limits allow."""
    rows = [*judged_here(UNUSUAL), *judged_here(twins())]
    assert refused(sandbox, rows[SAFE.index(tier) :: 2]) == []


def test_the_files_hold_enough_programs_of_every_kind() -> None:
    kinds = {row["kind"].split()[0] for row in FORGED_MARKS}
    types = {row["tests"]["type"] for row in FORGED_MARKS}
    assert len(FORGED_MARKS) >= 400
    assert len(kinds) >= 20
    assert types >= {"asserts", "calls", "stdio", "checked", "unittest", "pytest"}
    assert sum("limit" not in row for row in UNUSUAL) >= 400
