"""Rows on disk: what a score row says, and which files can be read."""

import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest

from markscheme.rewards import MarkScheme, Score
from markscheme.rewards.lineage import lineage_of
from markscheme.rewards.offline.table import read_tables
from markscheme.rewards.rows.read_scores import read_scores
from markscheme.rewards.rows.scores import SCHEMA, header_row, score_row
from markscheme.sandbox import DataError
from markscheme.tasks import Completion, Problem, load_task
from support import TWO_PLUS_TWO, boxed

OLD_ROW = {
    "schema": 1, "task": "t", "task_hash": "h", "problem": "p", "row": 2, "step": 3, "completion": "4",
    "prefill": "", "finish_reason": "stop", "tokens": 7, "value": 1.0, "status": "ok", "right": True,
    "advantage": 0.5, "steps": None,
    "parts": {"correct": {"value": 1.0, "weight": 1.0, "status": "ok", "reason": "equal", "seconds": 0.0,
                          "detail": None, "verdict": None}},
}  # fmt: skip
"""A row as version 1 wrote it."""


def write(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def a_row(**changes: Any) -> dict[str, Any]:
    row = {name: value for name, value in OLD_ROW.items() if name not in ("row", "schema")}
    return {"schema": SCHEMA, **row, **changes}


def test_a_row_can_be_read_alone() -> None:
    """It has the texts, where it comes from, and the version, source and parameters behind every mark."""
    scheme = MarkScheme(load_task("gsm8k"))
    lineage = lineage_of(scheme)
    problem, completion = TWO_PLUS_TWO, boxed("4")
    (score,) = scheme.score([problem], [completion])
    row = score_row(
        lineage, problem, completion, score, right=True, place="c.jsonl:61", id=7, group=2, sample=1
    )
    expected = {
        "schema": 2, "task": "gsm8k", "task_hash": scheme.task.hash, "prompt": "What is 2+2?", "reference": "4",
        "place": "c.jsonl:61", "id": 7, "group": 2, "sample": 1, "value": 1.1, "right": True,
    }  # fmt: skip
    assert expected.items() <= row.items()
    part = row["parts"]["correct"]
    assert (part["component"], part["version"]) == ("answer", "0.1.0")
    assert len(part["source"]) == len(part["params"]) == 12
    header = header_row("scores", [lineage])["header"]
    assert header["libraries"]["sympy"]
    assert header["tasks"]["gsm8k"]["entries"]["correct"]["parameters"]["extract"] == "strict"
    assert header["tasks"]["gsm8k"]["range"] == [0.0, 1.1]


def test_hashes_stand_for_texts() -> None:
    lineage = lineage_of(MarkScheme(load_task("gsm8k")))
    rows = [
        score_row(lineage, Problem(prompt=prompt), Completion("4"), Score(1.0), right=None, texts=False)
        for prompt in ("a", "a", "b")
    ]
    assert not {"prompt", "reference"} & {name for name, value in rows[0].items() if value is not None}
    hashes = [row["prompt_hash"] for row in rows]
    assert hashes[0] == hashes[1] != hashes[2]


def test_the_lineage_follows_code_parameters_and_weights(tmp_path: Path) -> None:
    """A change of the code, of a parameter or of a weight changes its hash, and no other."""

    def lineage(code: str, entry: str) -> tuple[Any, Any, Any]:
        (tmp_path / "mine.py").write_text(
            "from markscheme.rewards import reward\n@reward('r')\n"
            f"def r(problem, completion, *, most: int = 3):\n    return {code}\n"
        )
        (tmp_path / "t.yaml").write_text(
            f"name: t\ndata: {{path: x.jsonl}}\nrewards: {{a: {{use: 'mine.py:r', {entry}}}}}"
        )
        found = lineage_of(MarkScheme(load_task(tmp_path / "t.yaml")))
        return found.parts["a"]["source"], found.parts["a"]["params"], found.header["scheme"]

    first = lineage("0.0", "most: 3")
    assert lineage("0.0", "") == (first[0], first[1], lineage("0.0", "")[2]), "a default is a parameter too"
    assert [one == two for one, two in zip(first, lineage("0.00", "most: 3"), strict=True)] == [
        False,
        True,
        False,
    ]
    assert [one == two for one, two in zip(first, lineage("0.0", "most: 4"), strict=True)] == [
        True,
        False,
        False,
    ]
    weighted = lineage("0.0", "most: 3, weight: 2")
    assert [one == two for one, two in zip(first, weighted, strict=True)] == [True, True, False]


def test_old_rows_are_read(tmp_path: Path) -> None:
    (read,) = read_scores(write(tmp_path / "s.jsonl", OLD_ROW))
    assert (read.place, read.row.step, read.row.sample) == (f"{tmp_path / 's.jsonl'}:1", 3, 3)
    table = read_tables(read_scores(tmp_path / "s.jsonl"))["t"]
    assert (len(table), table.groups, table.logged[0]) == (1, 1, 0.5)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (a_row(schema=3), r"s.jsonl:2: schema 3 is not known to this version, which reads up to 2"),
        ({"header": {"kind": "scores", "schema": 9}}, "s.jsonl:2: schema 9 is not known"),
        ({"header": {"kind": "completions", "schema": 2}}, "the file holds completions, not scores"),
        (a_row(valeu=1), "s.jsonl:2: unknown column 'valeu' in a score row; did you mean 'value'"),
        (a_row(value="high"), "s.jsonl:2: not a score row: value"),
    ],
)
def test_rows_that_cannot_be_read_are_named(tmp_path: Path, row: dict[str, Any], said: str) -> None:
    path = write(tmp_path / "s.jsonl", a_row(), row)
    with pytest.raises(DataError, match=said):
        list(read_scores(path))


def test_a_file_that_was_cut_gives_the_rows_before_the_cut(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", a_row(), a_row())
    path.write_bytes(path.read_bytes()[:-20])
    errors: list[str] = []
    assert len(list(read_scores(path, on_bad=lambda error: errors.append(str(error))))) == 1
    assert "s.jsonl:2: not valid JSON" in errors[0]
    rows = "".join(json.dumps(a_row(completion=random.randbytes(50).hex())) + "\n" for _ in range(400))
    shard = tmp_path / "cut.jsonl.gz"
    shard.write_bytes(gzip.compress(rows.encode())[:-3000])
    errors.clear()
    found = list(read_scores(shard, on_bad=lambda error: errors.append(str(error))))
    assert 0 < len(found) < 400
    assert errors, "the cut is reported"


def test_marks_that_do_not_belong_together_are_not_mixed(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", a_row(), a_row(task_hash="other"))
    with pytest.raises(DataError, match=r"s.jsonl:2: task 't' has the hash other here and h at .*s.jsonl:1"):
        read_tables(read_scores(path))
    assert list(read_tables(read_scores(write(path, a_row(), a_row(task="u"))))) == ["t", "u"]


def test_there_must_be_rows(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file of scores"):
        list(read_scores(tmp_path / "none.jsonl"))
    with pytest.raises(DataError, match="the folder holds no scores"):
        list(read_scores(tmp_path))
    with pytest.raises(DataError, match="has no score rows"):
        list(read_scores(write(tmp_path / "s.jsonl", {"header": {"kind": "scores", "schema": 2}})))


@pytest.mark.parametrize(
    "changes",
    [
        {"parts": {"c": {"value": "high", "weight": 1, "status": "ok"}}},
        {"parts": {"c": {"value": 1}}},
        {"steps": [{"start": 0}]},
    ],
)
def test_parts_and_steps_must_be_whole(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"s.jsonl:1: not a score row"):
        list(read_scores(write(tmp_path / "s.jsonl", a_row(**changes))))


@pytest.mark.parametrize("header", [5, {"schema": "x"}, {"kind": "scores", "schema": 2, "tasks": []}])
def test_headers_must_be_headers(tmp_path: Path, header: Any) -> None:
    with pytest.raises(DataError, match=r"s.jsonl:1: "):
        list(read_scores(write(tmp_path / "s.jsonl", {"header": header}, a_row())))
