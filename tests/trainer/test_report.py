"""`markscheme report`: what is in the page, and what becomes of runs that go on, long texts and bad input."""

import base64
import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from report_pages import HOSTILE, data_of, score, some_scores, write_scores

from markscheme.rewards.offline.table import read_tables
from markscheme.rewards.rows.read_scores import read_scores
from markscheme.trainer import train
from markscheme.trainer.commands.cli import main
from markscheme.trainer.report.page import ASSETS, MOST_BYTES
from markscheme.trainer.report.page_rows import PageRows, Source
from small_runs import small_run

UPLOT = {
    "uPlot-1.6.32.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "uPlot-1.6.32.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
    "uPlot-LICENSE.txt": "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
}
"""SHA-256 of the files of uPlot 1.6.32 as npm has them."""


def report(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    try:
        code = main(["report", *arguments])
    except SystemExit as error:
        code = int(error.code or 0)
    out, err = capsys.readouterr()
    return code, out + err


def page_of(capsys: pytest.CaptureFixture[str], folder: Path, *arguments: str) -> tuple[str, dict[str, Any]]:
    code, said = report(capsys, *arguments, "-o", str(folder / "r.html"))
    assert code == 0, said
    html = (folder / "r.html").read_text(encoding="utf-8")
    return html, data_of(html)


@pytest.mark.parametrize("name", UPLOT)
def test_uplot_is_the_published_file(name: str) -> None:
    assert hashlib.sha256((ASSETS / name).read_bytes()).hexdigest() == UPLOT[name]


def test_a_page_needs_nothing_else_and_allows_nothing_else(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    html, _ = page_of(capsys, tmp_path, str(some_scores(tmp_path / "s.jsonl")))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)
    assert policy is not None
    assert "default-src 'none'" in policy[1]
    assert "unsafe" not in policy[1]
    for tag, rule in (("script", "script-src"), ("style", "style-src")):
        content = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        assert len(content) == 1
        digest = base64.b64encode(hashlib.sha256(content[0].encode()).digest()).decode()
        assert f"{rule} 'sha256-{digest}'" in policy[1]
    assert not re.search(r'(?:src|href)="(?!#)[^"]', html)
    assert HOSTILE[:20] not in html
    assert "taken" not in html


def test_rows_are_in_the_page_as_they_are(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    _, data = page_of(capsys, tmp_path, str(some_scores(tmp_path / "s.jsonl")))
    assert data["kind"] == "evaluation"
    assert data["groups"]["count"] == [4] * 30
    assert any(text.startswith(HOSTILE) for text in data["rows"]["text"])
    reasons = {data["strings"][part[2]] for part in data["rows"]["parts"][0]}
    assert reasons == {"equal", "different"}
    disputed = [data["strings"][number] for number in data["rows"]["disputed"]]
    assert [said for said in disputed if said].count("truth says right") == 2
    at = data["groups"]["problem"].index("p7")
    assert [said for said in disputed if said] == disputed[4 * at : 4 * at + 4]
    text = data["rows"]["text"][1]
    assert [step[:4] for step in data["rows"]["steps"][1]] == [[0, 13, 1, 0.25], [14, len(text), 0, None]]
    titles = [chart["title"] for chart in data["sources"][0]["charts"]]
    assert titles == ["Forecast from marks: groups that would teach", "pass@k from marks"]


def test_two_files_are_compared(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    one = some_scores(tmp_path / "one.jsonl")
    two = some_scores(tmp_path / "two.jsonl", flipped=True)
    _, data = page_of(capsys, tmp_path, str(one), str(two))
    assert data["kind"] == "comparison"
    assert data["common"] == {"problems": 30, "completions": 120, "marked_differently": 10}
    assert [source["name"] for source in data["sources"]] == ["one", "two"]
    disputed = [data["strings"][number] for number in data["rows"]["disputed"]]
    assert disputed.count("the other one differs") == 2 * 10
    assert data["settings"] == []


@pytest.fixture
def run_folder(task_folder: Path) -> Path:
    train(small_run(task_folder))
    return task_folder / "run"


def test_a_run_has_curves_and_alarms(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, run_folder: Path
) -> None:
    metrics = [json.loads(line) for line in (run_folder / "metrics.jsonl").read_text().splitlines()]
    _, first = page_of(capsys, tmp_path, str(run_folder))
    problem = first["groups"]["problem"][0]
    step = first["groups"]["step"][0]
    alarm = {"schema": 1, "kind": "length_drift", "step": step, "task": "digits", "message": "longer"}
    (run_folder / "alarms.jsonl").write_text(json.dumps({**alarm, "rows": [{"problem": problem}]}) + "\n")
    _, data = page_of(capsys, tmp_path, str(run_folder))
    assert data["kind"] == "run"
    assert data["alarms"][0]["message"] == "longer"
    assert data["groups"]["alarms"][0] == [0]
    charts = {chart["title"]: chart for chart in data["sources"][0]["charts"]}
    assert charts["Held-out accuracy on digits/test"]["at"] == [0, 3, 6]
    reward = charts["Reward and share right in training"]["series"][0]
    assert reward["values"] == pytest.approx([row["reward"] for row in metrics], rel=1e-4)
    assert all(
        low <= value <= high
        for low, value, high in zip(reward["low"], reward["values"], reward["high"], strict=True)
    )
    assert data["told"] == []


def test_a_run_that_goes_on_or_was_cut_short_is_shown(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, run_folder: Path
) -> None:
    going = tmp_path / "going"
    shutil.copytree(run_folder, going)
    (going / "summary.json").unlink()
    shards = sorted((going / "scores").glob("*.gz"))
    shards[-1].write_bytes(shards[-1].read_bytes()[:-40])
    with (going / "metrics.jsonl").open("a") as file:
        file.write('{"schema": 1, "step": 7, "rew')
    code, said = report(capsys, str(going), "-o", str(tmp_path / "r.html"))
    assert code == 1, said  # some rows could not be read, and that is said
    data = data_of((tmp_path / "r.html").read_text())
    assert data["told"][0] == "going has not ended: this shows its first 6 steps"
    assert len(data["rows"]["text"]) >= 24


def test_rows_that_a_run_adds_while_it_is_read_wait_for_the_next_report(tmp_path: Path) -> None:
    path = some_scores(tmp_path / "s.jsonl", problems=3)
    reads = list(read_scores(path))
    source = Source(path, "s", next(iter(read_tables(reads).values())))
    rows = PageRows()
    rows.add(source, 0, reads + reads, 100)
    assert len(rows.columns()["rows"]["text"]) == 12


def test_a_run_of_an_older_version_is_shown(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Rows of schema 1 have neither prompt nor group, and there is no file but the scores."""
    folder = tmp_path / "old"
    (folder / "scores").mkdir(parents=True)
    row = {"schema": 1, "task": "t", "task_hash": "h", "problem": "p", "step": 1, "row": 0, "completion": "4"}
    row |= {"value": 1.0, "status": "ok", "right": True, "parts": {}, "policy_version": 0}
    rows = [row, {**row, "row": 1, "completion": "5", "value": 0.0, "right": False}]
    (folder / "scores/all.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    _, data = page_of(capsys, tmp_path, str(folder))
    assert data["rows"]["text"] == ["4", "5"]
    assert data["strings"][data["groups"]["prompt"][0]].startswith("(not in the scores")


def test_long_texts_are_shortened_to_keep_the_page_small(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Random letters do not compress: 2,000 completions of 8,000 characters would be 12 MB."""
    import random

    rng = random.Random(0)
    rows = [
        score(
            f"p{i // 2}", "".join(rng.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=8000)), float(i % 2)
        )
        for i in range(1600)
    ]
    html, data = page_of(capsys, tmp_path, str(write_scores(tmp_path / "s.jsonl", rows)))
    assert len(html) < MOST_BYTES + 200_000
    assert "of 1360 long completions only the start and the end" in data["told"][0]
    assert sum("characters are not in this file" in text for text in data["rows"]["text"]) == 1360


def test_too_many_rows_keep_the_worst_and_the_best(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = some_scores(tmp_path / "s.jsonl", problems=1000)
    _, data = page_of(capsys, tmp_path, str(path), "--rows", "1500")
    shown = sum(data["groups"]["count"])
    assert 480 <= shown <= 1600
    assert f"{4000 - shown} rows are not shown" in data["told"][0]
    assert "p7" in data["groups"]["problem"]  # a watched entry disputes it


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["gone.jsonl", "-o", "r.html"], "there is no such file of scores"),
        (["s.jsonl", "-o", "r.pdf"], "-o must end in .html"),
        (["s.jsonl", "s.jsonl", "s.jsonl", "-o", "r.html"], "one input, or two to compare"),
        (["s.jsonl", "-o", "s.jsonl/r.html"], "cannot be written"),
        (["s.jsonl", "--task", "u", "-o", "r.html"], "no rows to show"),
        (["bad.jsonl", "-o", "r.html"], "1 row(s) cannot be read"),
        (["other.json", "-o", "r.html"], "is not what `markscheme check --json` prints"),
    ],
)
def test_bad_input_is_an_error(
    arguments: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    text = some_scores(tmp_path / "s.jsonl").read_text()
    Path("bad.jsonl").write_text(text + '{"schema": 2, "task"')
    Path("other.json").write_text("{}")
    code, told = report(capsys, *arguments)
    assert code == 2, told
    assert said in told
    assert not Path("r.html").exists()


def test_a_check_as_a_page(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["--limit", "20", "--probes", "3", "--set", "check={}"]
    assert main(["check", "addition", *options, "--report", "direct.html"]) == 1
    capsys.readouterr()
    assert main(["check", "addition", *options, "--json"]) == 1
    Path("check.json").write_text(capsys.readouterr().out)
    _, data = page_of(capsys, tmp_path, "check.json")
    assert data == data_of(Path("direct.html").read_text())
    (defect,) = [finding for finding in data["findings"] if finding["name"] == "no_answer_pays"]
    assert len(defect["examples"]) == 3


def test_an_audit_as_a_page(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another trainer paid for the reference anywhere in the text."""
    monkeypatch.chdir(tmp_path)
    Path("t.yaml").write_text(
        "name: t\ndata: {path: rows.jsonl}\nproblem: {prompt: '{{ prompt }}', reference: '{{ answer }}'}\n"
        "extract: lenient\nrewards: {correct: {use: answer}}\n"
    )
    Path("rows.jsonl").write_text('{"prompt": "2+2=", "answer": "4"}\n{"prompt": "3+4=", "answer": "7"}\n')
    logged = [
        ("2+2=", "The answer is 4.", 1.0),
        ("2+2=", "Not 4. The answer is 5.", 1.0),
        ("3+4=", "7", 1.0),
        ("3+4=", "8", 0.0),
    ]
    rows = [
        {"input": asked, "output": text, "gts": "4" if asked == "2+2=" else "7", "score": mark, "step": 1}
        for asked, text, mark in logged
    ]
    Path("1.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["audit", "1.jsonl", "--from", "verl", "--task", "t.yaml", "--report", "r.html"]) == 0
    capsys.readouterr()
    data = data_of(Path("r.html").read_text())
    assert data["kind"] == "audit"
    assert data["common"]["marked_differently"] == 1
    paid = [
        data["rows"]["text"][i]
        for i, said in enumerate(data["rows"]["disputed"])
        if data["strings"][said] == "labelled wrong"
    ]
    assert paid == ["Not 4. The answer is 5."]
    assert main(["audit", "1.jsonl", "--from", "verl", "--report", "r.html"]) == 2
    assert "audit --report needs --task" in capsys.readouterr().err
