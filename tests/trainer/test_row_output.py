"""What `-o` writes to, and what is left when a command ends early."""

import json
import os
import re
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from markscheme.sandbox import DataError, TaskError
from markscheme.trainer.commands.cli import main
from markscheme.trainer.commands.row_output import RowOutput
from support import boxed, rows_in, small_policy

TASK = """name: t
data: {path: problems.jsonl}
problem: {prompt: "{{ prompt }}", reference: "{{ reference }}"}
rewards: {correct: {use: answer}}
"""


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder with a task, its problems and answers to them, every third of which is wrong."""
    monkeypatch.chdir(tmp_path)
    Path("t.yaml").write_text(TASK)
    problems = [{"prompt": f"{i}+1=", "reference": str(i + 1)} for i in range(60)]
    Path("problems.jsonl").write_text("".join(json.dumps(row) + "\n" for row in problems))
    answers = [
        {**row, "completion": boxed(str(i + 1 + (i % 3 == 0))).text, "ok": i % 3 != 0, "id": f"mine-{i}"}
        for i, row in enumerate(problems)
    ]
    Path("c.jsonl").write_text("".join(json.dumps(row) + "\n" for row in answers))


def without_times(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for row in rows:
        for part in row.get("parts", {}).values():
            part.pop("seconds")
    return rows


def test_a_pipe_stays_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo("pipe")
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(Path("pipe").read_text()))
    reader.start()
    assert main(["score", "t.yaml", "c.jsonl", "-o", "pipe"]) == 0
    reader.join(timeout=20)
    assert len(read[0].splitlines()) == 61
    assert stat.S_ISFIFO(os.stat("pipe").st_mode)
    assert "60 completions" in capsys.readouterr().out


def test_a_device_stays_a_device(capsys: pytest.CaptureFixture[str]) -> None:
    before = os.stat("/dev/null")
    assert main(["score", "t.yaml", "c.jsonl", "-o", "/dev/null"]) == 0
    assert os.stat("/dev/null").st_rdev == before.st_rdev
    assert main(["score", "t.yaml", "c.jsonl", "-o", "/dev/full"]) == 2
    assert "/dev/full: cannot be written (No space left on device)" in capsys.readouterr().err
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)


def test_a_symlink_s_target_is_written_and_keeps_its_permissions() -> None:
    Path("kept").mkdir()
    Path("kept/s.jsonl").write_text("before")
    Path("kept/s.jsonl").chmod(0o640)
    Path("link.jsonl").symlink_to("kept/s.jsonl")
    Path("dangling.jsonl").symlink_to("kept/new.jsonl")
    for name in ("link.jsonl", "dangling.jsonl"):
        assert main(["score", "t.yaml", "c.jsonl", "-o", name]) == 0
        assert Path(name).is_symlink()
        assert len(rows_in(name)) == 60
    assert stat.S_IMODE(Path("kept/s.jsonl").stat().st_mode) == 0o640
    assert main(["score", "t.yaml", "c.jsonl", "-o", "kept"]) == 2


@pytest.mark.parametrize("target", ["-", "/dev/stdout"])
def test_standard_output_gets_the_rows_and_standard_error_the_rest(target: str) -> None:
    command = [sys.executable, "-m", "markscheme", "score", "t.yaml", "-", "-o", target]
    done = subprocess.run(command, input=Path("c.jsonl").read_text(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) == 61
    assert rows[1]["place"] == "-:1"
    assert "60 completions of t: 40 right" in done.stderr


def test_a_failing_command_leaves_the_file_as_it_was(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("markscheme.rewards.offline.scoring.CHUNK", 16)
    Path("s.jsonl").write_text("precious")
    lines = Path("c.jsonl").read_text().splitlines()
    lines[40:40] = [
        "{broken",
        '{"prompt": "q", "reference": "4"}',
        '{"prompt": "q", "reference": "1/0", "completion": ""}',
    ]
    Path("c.jsonl").write_text("\n".join(lines) + "\n")
    assert main(["score", "t.yaml", "c.jsonl", "-o", "s.jsonl"]) == 2
    err = capsys.readouterr().err
    assert Path("s.jsonl").read_text() == "precious"
    for said in (
        "3 row(s) cannot be scored",
        "c.jsonl:41: not valid JSON",
        "c.jsonl:42: a row needs",
        "c.jsonl:43: ",
    ):
        assert said in err
    assert "32 row(s) are kept in" in err
    assert (
        main(["score", "t.yaml", "c.jsonl", "-o", "s.jsonl", "--skip-bad", "--resume", "--label", "ok"]) == 2
    )
    assert "were made with other label" in capsys.readouterr().err
    assert main(["score", "t.yaml", "c.jsonl", "-o", "s.jsonl", "--skip-bad", "--resume"]) == 0
    out = capsys.readouterr().out
    assert "60 completions of t: 40 right" in out
    assert "skipped 3 row(s)" in out
    rows = rows_in("s.jsonl")
    assert [row["id"] for row in rows] == [f"mine-{i}" for i in range(60)]
    assert rows[-1]["place"] == "c.jsonl:63"


def test_a_killed_command_resumes_to_the_same_file(tmp_path: Path) -> None:
    """SIGINT and SIGKILL hit `score` while it works; what `--resume` completes is what one call writes."""
    (tmp_path / "slow.py").write_text(
        "import time\nfrom markscheme.verifiers import verifier\n@verifier('slow')\n"
        "def slow(problem, completion):\n    time.sleep(0.002)\n    return problem.reference in completion.text\n"
    )
    Path("t.yaml").write_text(TASK.replace("use: answer", "use: 'slow.py:slow'"))
    lines = Path("c.jsonl").read_text().splitlines() * 30
    Path("c.jsonl").write_text("\n".join(lines) + "\n")
    arguments = ["score", "t.yaml", "c.jsonl", "--label", "ok"]
    assert main([*arguments, "-o", "whole.jsonl"]) == 0
    partial = tmp_path / ".s.jsonl.partial"
    for number, code in ((signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)):
        size = partial.stat().st_size if partial.exists() else 0
        resume = ["--resume"] if size else []
        command = [sys.executable, "-m", "markscheme", *arguments, "-o", "s.jsonl", *resume]
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A shell lets what it starts in the background ignore SIGINT, and so would this process.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not (
            partial.exists() and partial.stat().st_size > size + 100_000
        ):
            time.sleep(0.005)
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
        assert process.returncode == code, err
        assert not Path("s.jsonl").exists()
        assert code != 130 or re.search(r"row\(s\) are kept in .*; --resume continues there", err)
    with partial.open("a") as file:
        file.write('{"schema": 2, "task')
    assert main([*arguments, "-o", "s.jsonl", "--resume"]) == 0
    assert without_times(rows_in("s.jsonl")) == without_times(rows_in("whole.jsonl"))
    assert not partial.exists()
    with Path("c.jsonl").open("a") as file:
        file.write(lines[0] + "\n")
    assert main([*arguments, "-o", "s.jsonl", "--resume"]) == 0
    assert len(rows_in("s.jsonl")) == 1801, "a complete file goes on too"
    Path("c.jsonl").write_text("\n".join(lines[:100]) + "\n")
    assert main([*arguments, "-o", "s.jsonl", "--resume"]) == 2
    assert len(rows_in("s.jsonl")) == 1801


class StopError(BaseException):
    """Ends a command at a given row."""


@pytest.mark.parametrize("command", ["sample", "label"])
def test_sampling_resumes_to_the_same_file(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is interrupted at row 41; whole chunks of 16 completions are kept, and their seeds are their own."""
    small_policy(Path("policy"))
    monkeypatch.setattr("markscheme.trainer.commands.sampling.CHUNK_ROWS", 16)
    options = ["--split", "train", "--model", "policy", "-n", "2", "--limit", "30", "--max-new-tokens", "6"]
    arguments = [command, "t.yaml", *options, *(["-k", "2"] if command == "label" else [])]
    assert main([*arguments, "-o", "whole.jsonl"]) == 0
    write, written = RowOutput.write, 0

    def stopping(self: RowOutput, row: dict[str, Any]) -> None:
        nonlocal written
        written += 1
        if written == 41:
            raise StopError
        write(self, row)

    monkeypatch.setattr(RowOutput, "write", stopping)
    with pytest.raises(StopError):
        main([*arguments, "-o", "s.jsonl"])
    monkeypatch.setattr(RowOutput, "write", write)
    assert main([*arguments, "-o", "s.jsonl", "--resume"]) == 0
    assert rows_in("s.jsonl") == rows_in("whole.jsonl")
    assert main([*arguments, "-o", "s.jsonl", "--resume", "--seed", "3"]) == 2
    rows = rows_in("s.jsonl")
    if command == "sample":
        assert [(row["group"], row["sample"]) for row in rows[:3]] == [(1, 1), (1, 2), (2, 1)]
        assert rows[0]["tokens"] == len(rows[0]["token_ids"])
        assert rows[0]["policy_version"] == 0


def test_rows_that_make_no_problem_can_be_skipped(capsys: pytest.CaptureFixture[str]) -> None:
    small_policy(Path("policy"))
    with Path("problems.jsonl").open("a") as file:
        file.write('{"prompt": "no reference"}\n{\n')
    arguments = ["--model", "policy", "--split", "train", "-n", "1", "--max-new-tokens", "4"]
    for command in (["sample", "t.yaml", *arguments], ["check", "t.yaml"]):
        assert main(command) == (2 if command[0] == "sample" else 1)
        assert "problems.jsonl:62: not valid JSON" in "".join(capsys.readouterr())
        assert main([*command, "--skip-bad"]) == 0
        assert "skipped 2 row(s)" in capsys.readouterr().out


def test_completions_of_another_column_and_a_resume_without_a_file(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = Path("c.jsonl").read_text().replace('"completion"', '"output"')
    Path("c.jsonl").write_text(text)
    assert main(["score", "t.yaml", "c.jsonl", "--completion", "output"]) == 0
    assert "40 right" in capsys.readouterr().out
    assert main(["score", "t.yaml", "c.jsonl", "--completion", "output", "--resume"]) == 2
    with pytest.raises(TaskError, match="-o FILE"):
        RowOutput("/dev/null", {"header": {}}, resume=True)
    with pytest.raises(DataError, match="cannot be written"):
        RowOutput("t.yaml/s.jsonl", {"header": {}})


def test_a_complete_file_is_resumed_to_itself() -> None:
    small_policy(Path("policy"))
    arguments = [
        "sample",
        "t.yaml",
        "--split",
        "train",
        "--model",
        "policy",
        "-n",
        "2",
        "--max-new-tokens",
        "4",
    ]
    assert main([*arguments, "--limit", "3", "-o", "s.jsonl"]) == 0
    before = Path("s.jsonl").read_bytes()
    assert main([*arguments, "--limit", "3", "-o", "s.jsonl", "--resume"]) == 0
    assert Path("s.jsonl").read_bytes() == before
    lines = Path("problems.jsonl").read_text().splitlines()
    Path("problems.jsonl").write_text("\n".join(lines[::-1]) + "\n")
    assert main([*arguments, "--limit", "3", "-o", "s.jsonl", "--resume"]) == 2, "other problems now"
    assert Path("s.jsonl").read_bytes() == before


def test_a_resume_notices_other_completions(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", "t.yaml", "c.jsonl", "-o", "s.jsonl"]) == 0
    text = Path("c.jsonl").read_text()
    Path("c.jsonl").write_text(text.replace("so</think>", "no</think>", 1))
    assert main(["score", "t.yaml", "c.jsonl", "-o", "s.jsonl", "--resume"]) == 2
    assert "c.jsonl:1 is not there any more" in capsys.readouterr().err
    Path("c.jsonl").write_text(text)
    Path("s.jsonl").rename(".s.jsonl.partial")
    assert main(["score", "t.yaml", "typo.jsonl", "-o", "s.jsonl"]) == 2
    assert len(rows_in(".s.jsonl.partial")) == 60, "a mistake in the input loses nothing"
    Path(".s.jsonl.partial").write_text("[1]\n")
    assert main(["score", "t.yaml", "c.jsonl", "-o", "s.jsonl", "--resume"]) == 0
    assert len(rows_in("s.jsonl")) == 60


def test_one_command_at_a_time_writes_to_a_file() -> None:
    header = {"header": {"kind": "scores"}}
    with RowOutput("s.jsonl", header) as output:
        with pytest.raises(DataError, match="another command writes to it"):
            RowOutput("s.jsonl", header)
        output.write({"a": 1})
    assert rows_in("s.jsonl") == [{"a": 1}]


def test_an_input_is_never_overwritten_before_it_is_read() -> None:
    """Also where it lies in a folder of the system, as /dev/shm, or is named by another path."""
    folder = Path("/dev/shm") / f"markscheme-{os.getpid()}"
    folder.mkdir()
    try:
        (folder / "c.jsonl").write_bytes(Path("c.jsonl").read_bytes())
        assert main(["score", "t.yaml", str(folder / "c.jsonl"), "-o", str(folder / "c.jsonl")]) == 0
        assert len(rows_in(folder / "c.jsonl")) == 60
    finally:
        (folder / "c.jsonl").unlink()
        folder.rmdir()
    assert main(["score", "t.yaml", "c.jsonl", "-o", "/proc/self/cwd/c.jsonl"]) == 0
    assert len(rows_in("c.jsonl")) == 60


def test_rows_of_odd_kinds_are_faults_of_rows(capsys: pytest.CaptureFixture[str]) -> None:
    good = Path("c.jsonl").read_text()
    bad = [
        {"prompt": "q", "reference": "4", "completion": ["a"]},
        {"prompt": "q", "completions": ["a"], "labels": [5]},
        {"completion": "x", "problem": "p9", "split": "dev"},
    ]
    Path("c.jsonl").write_text(good + "".join(json.dumps(row) + "\n" for row in bad))
    assert main(["score", "t.yaml", "c.jsonl", "--skip-bad"]) == 0
    out = capsys.readouterr().out
    assert "60 completions of t" in out
    for number in (61, 62, 63):
        assert f"c.jsonl:{number}: " in out
    assert main(["score", "t.yaml", "c.jsonl", "--completion", "nope"]) == 2
    assert "c.jsonl:1: there is no column 'nope'" in capsys.readouterr().err
    Path("c.jsonl").write_text(good.replace('"ok"', '"label"'))
    assert main(["score", "t.yaml", "c.jsonl", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["label"] == {
        "column": "label",
        "agree": 60,
        "wrong_marked_right": 0,
        "right_marked_wrong": 0,
        "undecided": 0,
        "differing_rows": [],
    }
