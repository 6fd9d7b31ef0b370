"""The README files are true: files that they name exist, and their code and commands give what they show."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from markscheme.tasks import load_task
from markscheme.trainer.commands.parser import build_parser
from markscheme.trainer.config.run_file import load_run
from support import ROOT

FRONT_PAGE = Path("README.md")
PAGES = sorted(
    path.relative_to(ROOT)
    for path in (
        ROOT / FRONT_PAGE,
        ROOT / "CONTRIBUTING.md",
        *ROOT.glob("*/README.md"),
        *ROOT.glob("tests/*/README.md"),
    )
)
WRITTEN_BY_READERS = {"mine.py"}
"""Files that the pages name, and that their readers would write."""


def text_of(page: Path) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks_of(page: Path, language: str) -> list[str]:
    """Return a page's code blocks in a language; "" for those that name none."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text_of(page), re.MULTILINE | re.DOTALL)
    return [text for its_language, text in blocks if its_language == language]


PYTHON_BLOCKS = [(page, block) for page in PAGES for block in blocks_of(page, "python")]


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    folder = (ROOT / page).parent
    text = text_of(page)
    links = {link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link}
    assert [link for link in links if not (folder / link).exists()] == []
    names = set(re.findall(r"(?<![\w./])[\w./]+\.py\b(?!:)", text)) - WRITTEN_BY_READERS
    assert [name for name in names if not ((folder / name).exists() or (ROOT / name).exists())] == []


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_list_of_files_and_folders_is_true_and_complete(page: Path) -> None:
    folder = (ROOT / page).parent
    # A list's lines are a name, at least two spaces and a description.
    listed = re.findall(r"^([a-z_]+(?:\.py|/)) {2,}", text_of(page), re.MULTILINE)
    assert [name for name in listed if not (folder / name).exists()] == []
    if listed and page.name == "README.md" and folder != ROOT:
        present = {path.name for path in folder.glob("*.py")} - {"__init__.py"}
        present |= {path.parent.name + "/" for path in folder.glob("*/__init__.py")}
        assert present <= set(listed), "the page's list lacks a file or a folder"


@pytest.mark.parametrize(
    ("page", "block"), PYTHON_BLOCKS, ids=lambda value: str(value)[:40].replace("\n", " ")
)
def test_python_code_gives_the_values_in_its_comments(page: Path, block: str) -> None:
    names: dict[str, object] = {}
    lines = block.splitlines()
    for statement in ast.parse(block).body:
        code = ast.unparse(statement)
        if not isinstance(statement, ast.Expr):
            exec(code, names)
            continue
        value = eval(code, names)
        _, hash_sign, comment = lines[(statement.end_lineno or 0) - 1].partition("  # ")
        assert hash_sign, f"{code}: its value is not in a comment on the same line"
        assert repr(value) == comment.strip()


def output_of(script: str, folder: Path) -> str:
    """Run a page's commands in a folder by bash, with this environment's `markscheme`; return what they print."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = ["bash", "-euc", script]
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_the_front_page_scores_a_file_as_it_shows(tmp_path: Path) -> None:
    blocks = blocks_of(FRONT_PAGE, "")
    (script,) = [block for block in blocks if "answers.jsonl" in block]
    (shown,) = [block for block in blocks if "2 completions" in block]
    assert output_of(script, tmp_path).endswith(shown)
    assert "ambiguous" in (tmp_path / "scores.jsonl").read_text()


def test_the_task_and_the_run_of_the_front_page_load(tmp_path: Path) -> None:
    task, run = blocks_of(FRONT_PAGE, "yaml")
    (tmp_path / "capitals.jsonl").write_text('{"country": "Peru", "capital": "Lima"}\n')
    (tmp_path / "capitals.yaml").write_text(task)
    assert load_task(tmp_path / "capitals.yaml").name == yaml.safe_load(task)["name"]
    (tmp_path / "run.yaml").write_text(run)
    assert load_run(tmp_path / "run.yaml").algorithm.steps == 80


def test_the_front_page_lists_every_command() -> None:
    commands = set()
    for action in build_parser()._actions:
        if action.dest == "command" and action.choices:
            commands |= set(action.choices)
    table = text_of(FRONT_PAGE).split("## Commands")[1].split("## ")[0]
    assert commands
    assert [name for name in commands if not re.search(rf"`{name}\b", table)] == []
