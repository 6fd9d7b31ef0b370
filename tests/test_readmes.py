"""What the README files say is so: their files exist, their code gives what stands beside it, their commands run."""

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

PAGES = sorted(
    path.relative_to(ROOT)
    for path in (
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *ROOT.glob("*/README.md"),
        *ROOT.glob("tests/*/README.md"),
    )
)
READERS_OWN = {"mine.py"}
"""Files that a reader of the pages would write."""


def text_of(page: Path) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks_of(page: Path, language: str) -> list[str]:
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text_of(page), re.MULTILINE | re.DOTALL)
    return [text for named, text in blocks if named == language]


PYTHON = [(page, block) for page in PAGES for block in blocks_of(page, "python")]


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    folder = (ROOT / page).parent
    text = text_of(page)
    links = {link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link}
    assert [link for link in links if not (folder / link).exists()] == []
    names = set(re.findall(r"(?<![\w./])[\w./]+\.py\b(?!:)", text)) - READERS_OWN
    assert [name for name in names if not ((folder / name).exists() or (ROOT / name).exists())] == []


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_file_and_folder_of_a_list_exists(page: Path) -> None:
    folder = (ROOT / page).parent
    listed = re.findall(r"^([a-z_]+(?:\.py|/)) {2,}", text_of(page), re.MULTILINE)
    assert [name for name in listed if not (folder / name).exists()] == []
    if listed and page.name == "README.md" and folder != ROOT:
        made = {path.name for path in folder.glob("*.py")} - {"__init__.py"}
        made |= {path.parent.name + "/" for path in folder.glob("*/__init__.py")}
        assert made <= set(listed), "a file that the page's list lacks"


@pytest.mark.parametrize(("page", "block"), PYTHON, ids=lambda value: str(value)[:40].replace("\n", " "))
def test_the_code_of_a_page_gives_what_stands_beside_it(page: Path, block: str) -> None:
    names: dict[str, object] = {}
    lines = block.splitlines()
    for statement in ast.parse(block).body:
        code = ast.unparse(statement)
        if not isinstance(statement, ast.Expr):
            exec(code, names)
            continue
        value = eval(code, names)
        _, marked, beside = lines[(statement.end_lineno or 0) - 1].partition("  # ")
        assert marked, f"{code}: nothing stands beside it"
        assert repr(value) == beside.strip()


def run_in(folder: Path, script: str) -> str:
    """Run a page's commands with a shell, with this environment's `markscheme` first on the path."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-euc", script], cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_front_page_scores_a_file_as_it_shows(tmp_path: Path) -> None:
    (script,) = [block for block in blocks_of(Path("README.md"), "") if "answers.jsonl" in block]
    (shown,) = [block for block in blocks_of(Path("README.md"), "") if "2 completions" in block]
    printed = run_in(tmp_path, script)
    assert printed.endswith(shown)
    assert "ambiguous" in (tmp_path / "scores.jsonl").read_text()


def test_the_task_and_the_run_of_the_front_page_load(tmp_path: Path) -> None:
    task, run = blocks_of(Path("README.md"), "yaml")
    (tmp_path / "capitals.jsonl").write_text('{"country": "Peru", "capital": "Lima"}\n')
    (tmp_path / "capitals.yaml").write_text(task)
    assert load_task(tmp_path / "capitals.yaml").name == yaml.safe_load(task)["name"]
    (tmp_path / "run.yaml").write_text(run)
    assert load_run(tmp_path / "run.yaml").algorithm.steps == 80


def test_the_front_page_has_every_command() -> None:
    actions = [action for action in build_parser()._actions if action.choices and action.dest == "command"]
    commands = {str(name) for action in actions for name in action.choices or ()}
    table = text_of(Path("README.md")).split("## Commands")[1].split("## ")[0]
    assert commands
    assert [name for name in commands if not re.search(rf"`{name}\b", table)] == []
