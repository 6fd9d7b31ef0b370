"""Fixtures of all tests: real data where it is available, tasks from text, tiny reward models."""

import functools
import os
from pathlib import Path

import pytest

from markscheme.tasks import Task
from markscheme.tasks.load_task import task_from
from markscheme.tasks.yaml_file import parse_yaml
from support import ROOT, MakeTask, PrmFolder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real data; where there is none, the tests that need it are skipped."""
    folder = Path(os.environ.get("MARKSCHEME_SHARED", ROOT.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}")
    return folder


@pytest.fixture
def make_task(tmp_path: Path) -> MakeTask:
    """Return a function that builds a task from YAML text, as if it were read from `tmp_path/task.yaml`.

    A text without `data:` reads `rows`, one without `name:` is named `t`, and one without `problem:` takes
    the reference from the column of that name.
    """

    def make(
        text: str, *, rows: str = '{"prompt": "q", "reference": "4"}\n', allow_code: bool = True
    ) -> Task:
        (tmp_path / "rows.jsonl").write_text(rows, encoding="utf-8")
        if "data:" not in text:
            text = f"data: {{path: rows.jsonl}}\n{text}"
        if "name:" not in text:
            text = f"name: t\n{text}"
        if "problem:" not in text:
            text = f"{text}\nproblem: {{reference: '{{{{ reference }}}}'}}\n"
        path = tmp_path / "task.yaml"
        path.write_text(text, encoding="utf-8")
        return task_from(parse_yaml(text, path), allow_code=allow_code)

    return make


@pytest.fixture(scope="session")
def prm_folder(tmp_path_factory: pytest.TempPathFactory) -> PrmFolder:
    """Return a function that gives the folder of a family's tiny reward model, saved once per session."""
    from prm_models import save_prm  # imports torch, which most test files do without

    @functools.cache
    def folder_of(family: str) -> Path:
        return save_prm(tmp_path_factory.mktemp(family), family)

    return folder_of
