"""What several test files need: real data where it is at hand, tasks from text, a small policy."""

import os
from pathlib import Path

import pytest

from markscheme.tasks import Problem, Task
from markscheme.tasks.load import task_from
from markscheme.tasks.yaml_file import parse_yaml
from support import ROOT, MakeTask


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the checkout; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("MARKSCHEME_SHARED", ROOT.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}")
    return folder


@pytest.fixture
def make_task(tmp_path: Path) -> MakeTask:
    """Build a task from YAML text, as if it stood in a file of the test's own folder."""

    def make(
        text: str, *, rows: str = '{"prompt": "q", "reference": "4"}\n', allow_code: bool = True
    ) -> Task:
        (tmp_path / "rows.jsonl").write_text(rows, encoding="utf-8")
        path = tmp_path / "task.yaml"
        body = text if "data:" in text else f"data: {{path: rows.jsonl}}\n{text}"
        body = body if "name:" in body else f"name: t\n{body}"
        body = body if "problem:" in body else f"{body}\nproblem: {{reference: '{{{{ reference }}}}'}}\n"
        path.write_text(body, encoding="utf-8")
        return task_from(parse_yaml(body, path), allow_code=allow_code)

    return make


@pytest.fixture
def problem() -> Problem:
    return Problem(prompt="What is 2+2?", reference="4", info={"kind": "math"})
