"""Mistakes on the command line get a message with the place, what was given and what to do; never a traceback."""

import shlex
from pathlib import Path

import pytest

from fuzz import KINDS, says_where, tried
from markscheme.trainer.commands.cli import main
from wrong_inputs import MISTAKES, write_files


@pytest.mark.parametrize(("command", "code", "parts"), MISTAKES, ids=[command for command, _, _ in MISTAKES])
def test_a_mistake_is_explained(
    command: str,
    code: int,
    parts: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    try:
        given = main(shlex.split(command))
    except SystemExit as error:  # argparse
        given = error.code
    printed = "".join(capsys.readouterr())
    assert given == code, printed
    assert [part for part in parts if part not in printed] == [], printed
    assert "Traceback" not in printed
    assert "this is a bug" not in printed


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_that_is_mutated_meets_a_traceback(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in range(20):
        message = tried(kind, tmp_path, seed)
        assert message is None or says_where(message), message
    assert "this is a bug" not in "".join(capsys.readouterr())
